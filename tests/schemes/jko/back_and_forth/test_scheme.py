"""BackAndForthJKO against closed-form minimisers, QuantileJKO and its own promises."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from validation import closed_forms
from wgf.errors import ConvergenceError
from wgf.schemes import QuantileJKO
from wgf.schemes.jko.back_and_forth.scheme import BackAndForthJKO, dual_step, extended, mean_square

RNG = np.random.default_rng(0)


def double_well(x):
    return (x[..., 0] ** 2 - 1) ** 2


def quadratic(*stiffness):
    return lambda x: 0.5 * (np.array(stiffness) * x**2).sum(-1)


def averages(measure, grid) -> np.ndarray:
    return wgf.Density.from_measure(measure, grid).values


def barenblatt_step(cells: int, m: float = 2, dimension: int = 2, time: str = "jko", **settings):
    """L1 error and StepInfo of the step of a06 (or its sister in another dimension)."""
    t0, tau, d = 3.84e-4, 9.6e-5, dimension
    scale = float(closed_forms.barenblatt_flow(m, d, tau, 1, t0=t0, scheme=time)[-1])
    start = wgf.Barenblatt(dimension=d, m=m, t0=t0, center=(0.5,) * d)
    problem = wgf.Problem(wgf.internal(m), initial=start, bounds=[(0, 1)] * d)
    scheme = BackAndForthJKO(cells=cells, time=time, **settings)
    state, info = scheme.step(problem, scheme.init(problem, RNG), tau, RNG)
    end = wgf.Barenblatt(dimension=d, m=m, t0=closed_forms.profile_time(scale, m, d), center=(0.5,) * d)
    grid = problem.grid(cells)
    assert abs(state.rho.sum() * grid.volume - 1) <= 1e-12
    assert state.rho.min() >= 0
    return np.abs(state.rho - averages(end, grid)).sum() * grid.volume, info


@pytest.mark.parametrize(
    ("settings", "bound"),
    [
        (dict(cells=128), 2.5e-4),
        (dict(cells=128, push_forward="jacobian"), 4e-4),
        (dict(cells=(128, 100)), 4e-4),
        (dict(cells=128, m=3), 1.5e-3),
        (dict(cells=200, dimension=1), 3e-4),
        (dict(cells=200, dimension=1, m=3), 6e-4),
        (dict(cells=32, dimension=3), 6e-3),
        (dict(cells=128, time="midpoint"), 1e-3),
    ],
    ids=str,
)
def test_a_step_of_the_porous_medium_is_a_dilation(settings, bound) -> None:
    error, info = barenblatt_step(**settings)
    assert error < bound
    assert info.accepted
    assert 0 <= info.residual <= 3e-3


def test_a_wrong_step_is_noticed() -> None:
    """The control: the minimiser for one per cent more time is farther away than the bounds above."""
    t0, tau = 3.84e-4, 9.6e-5
    scales = [float(closed_forms.barenblatt_flow(2, 2, t, 1, t0=t0)[-1]) for t in (tau, 1.01 * tau)]
    grid = wgf.Grid([(0, 1)] * 2, 128)
    right, wrong = (
        averages(wgf.Barenblatt(2, 2, closed_forms.profile_time(s, 2, 2), (0.5, 0.5)), grid) for s in scales
    )
    assert np.abs(right - wrong).sum() * grid.volume > 5e-4


GAUSSIANS = {
    "heat": ([0.0, 0.0], [[1.0, 0.0], [0.0, 1.0]], [[0.0, 0.0], [0.0, 0.0]], 0.1, 6e-4),
    "a box of other sides": ([0.0, 0.5], [[0.5, 0.0], [0.0, 0.3]], [[0.0, 0.0], [0.0, 0.0]], 0.2, 1e-3),
    "anisotropic": ([1.0, 0.5], [[0.4, 0.0], [0.0, 0.2]], [[1.5, 0.0], [0.0, 1.0]], 0.2, 2.5e-3),
    "correlated": ([1.0, 0.5], [[0.5, 0.2], [0.2, 0.5]], [[1.2, 0.4], [0.4, 1.2]], 0.2, 1.5e-3),
    "spread over many cells": ([0.0, 0.0], [[0.05, 0.0], [0.0, 0.05]], [[0.0, 0.0], [0.0, 0.0]], 0.1, 4e-3),
}


@pytest.mark.parametrize("name", GAUSSIANS)
def test_gaussians_step_to_gaussians(name) -> None:
    mean, cov, stiffness, tau, bound = GAUSSIANS[name]
    matrix = np.array(stiffness)
    energy = wgf.entropy()
    if matrix.any():
        energy = energy + wgf.potential(lambda x: 0.5 * np.einsum("...i,ij,...j", x, matrix, x))
    bounds = [(-5, 6), (-5, 5)] if name.startswith("a box") else [(-5, 5)] * 2
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean, np.array(cov)), bounds=bounds)
    scheme = BackAndForthJKO(cells=(70, 64) if name.startswith("a box") else 64)
    state, info = scheme.step(problem, scheme.init(problem, RNG), tau, RNG)
    flow = closed_forms.gaussian_flow(mean, cov, tau, 1, stiffness=matrix)
    grid = problem.grid(scheme.cells)
    exact = averages(wgf.Gaussian(flow.means[-1], flow.covariances[-1]), grid)
    assert np.abs(state.rho - exact).sum() * grid.volume < bound
    speed = np.sum((flow.means[-1] - flow.means[0]) ** 2) / tau**2
    roots = [np.linalg.eigvalsh(c) ** 0.5 for c in flow.covariances]
    speed += np.sum((roots[1] - roots[0]) ** 2) / tau**2
    assert abs(info.speed_squared / speed - 1) < 0.05


LINE = {
    "m = 2": (wgf.internal(2), wgf.Barenblatt(dimension=1, m=2, t0=1.0), (-4, 4), 5e-4),
    "m = 3": (wgf.internal(3), wgf.Barenblatt(dimension=1, m=3, t0=1.0), (-4, 4), 1e-3),
    "heat": (wgf.entropy(), wgf.Gaussian(0, 0.5), (-8, 8), 5e-4),
    "Ornstein-Uhlenbeck": (
        wgf.entropy() + wgf.potential(quadratic(1.0)), wgf.Gaussian(1.0, 0.25), (-6, 6), 6e-4,
    ),
    "double well": (
        0.5 * wgf.entropy() + wgf.potential(double_well), wgf.Gaussian(-0.5, 0.1), (-2.5, 2.5), 5e-4,
    ),
    "two wells, porous": (
        0.2 * wgf.internal(2) + wgf.potential(double_well), wgf.Uniform((-0.5, 0.9)), (-2.5, 2.5), 1.5e-3,
    ),
    "a sum": (
        0.3 * wgf.internal(2) + 0.2 * wgf.entropy() + wgf.potential(double_well),
        wgf.Gaussian(-0.5, 0.1), (-2.5, 2.5), 6e-4,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LINE)
def test_on_the_line_it_agrees_with_quantiles(name) -> None:
    """Three steps, in L1 of cell averages."""
    energy, initial, bounds, bound = LINE[name]
    problem = wgf.Problem(energy, initial=initial, bounds=bounds)
    quantiles = wgf.solve(problem, QuantileJKO(levels=3000), t_end=0.3, dt=0.1)
    cells = 200 if name != "a sum" else 100
    bound = bound if name != "a sum" else 4 * bound
    run = wgf.solve(problem, BackAndForthJKO(cells=cells), t_end=0.3, dt=0.1, record=["energy"], save_at=0.1)
    assert wgf.distance(run.final, quantiles.final, "l1") < bound
    assert run.stats["fallback_steps"] == 0
    assert (np.diff(run.record["energy"]) < 0).all()


def test_the_midpoint_rule_is_second_order_and_jko_first() -> None:
    """Against the PDE at t = 0.8 on the line; the ladder of `validation.orders.back_and_forth` has more levels."""
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic(1.5)), initial=wgf.Gaussian(1.0, 0.4), bounds=(-4, 4)
    )
    grid, decay = problem.grid(400), np.exp(-1.5 * 0.8)
    exact = averages(wgf.Gaussian(decay, 1 / 1.5 + (0.4 - 1 / 1.5) * decay**2), grid)
    for time, order in (("jko", 1.0), ("midpoint", 2.0)):
        errors = []
        for steps in (2, 4, 8):
            run = wgf.solve(problem, BackAndForthJKO(cells=400, time=time), t_end=0.8, dt=0.8 / steps)
            assert run.stats["fallback_steps"] == 0
            errors.append(np.abs(run.final.values - exact).sum() * grid.volume)
        assert abs(np.log2(errors[1] / errors[2]) - order) < 0.15


def test_an_extension_that_folds_is_a_jko_step() -> None:
    """2 T - id turns over where tau times the curvature exceeds 2; the result is the plain step's, and says so."""
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic(40.0)), initial=wgf.Gaussian(0.3, 0.2), bounds=(-3, 3)
    )
    taken = {}
    for time in ("jko", "midpoint"):
        scheme = BackAndForthJKO(cells=100, time=time)
        taken[time] = scheme.step(problem, scheme.init(problem, RNG), 0.2, RNG)
    assert not taken["midpoint"][1].accepted
    assert taken["jko"][1].accepted
    np.testing.assert_allclose(taken["midpoint"][0].rho, taken["jko"][0].rho, rtol=0, atol=1e-12)


def test_extending_the_zero_map_changes_nothing() -> None:
    grid = wgf.Grid([(0, 1), (0, 2)], (20, 30))
    rho = np.zeros(grid.cells)
    rho[4:15, 6:22] = RNG.random((11, 16)) + 0.1
    image = extended(rho, np.zeros(grid.cells), 0.1, grid)
    assert image is not None
    np.testing.assert_allclose(image, rho, rtol=0, atol=1e-13)


def test_the_two_push_forwards_agree_on_the_line_and_nearly_in_the_plane() -> None:
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Barenblatt(1, 2, 1.0), bounds=(-4, 4))
    runs = [
        wgf.solve(problem, BackAndForthJKO(cells=80, push_forward=form), t_end=0.2, dt=0.1).final.values
        for form in ("splat", "jacobian")
    ]
    np.testing.assert_allclose(runs[0], runs[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize(("time", "bound"), [("jko", 1e-2), ("midpoint", 2e-4)])
def test_the_dissipation_defect_falls_with_the_square_of_the_step(time, bound) -> None:
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic(1.0)), initial=wgf.Gaussian(1.0, 0.5), bounds=(-5, 5)
    )
    runs = [wgf.solve(problem, BackAndForthJKO(cells=400, time=time), t_end=0.4, dt=dt) for dt in (0.2, 0.1)]
    defects = [abs(run.dissipation_defect()) for run in runs]
    assert defects[1] < defects[0] / 2.8
    assert defects[1] < bound


def test_the_gap_bounds_the_distance_to_the_minimiser_and_shrinks_with_tol() -> None:
    """sqrt(2 tau gap) bounds W2 from the image of rho_n to the converged answer, on the line where W2 is exact."""
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Barenblatt(1, 2, 1.0), bounds=(-4, 4))
    grid, tau = problem.grid(128), 0.25
    step = dual_step(problem, grid, averages(problem.initial, grid), tau, True)
    brought, infos = [], []
    for tol in (1e-1, 1e-3, 1e-6):
        scheme = BackAndForthJKO(cells=128, tol=tol)
        state, info = scheme.step(problem, scheme.init(problem, RNG), tau, RNG)
        assert info.residual <= tol
        brought.append(wgf.Density(grid, step.assess(state.phi.reshape(1, 1, -1)).brought.ravel()))
        infos.append(info)
    unit = max(float(np.sqrt(infos[2].speed_squared)) * tau, float(grid.spacing[0]))
    for found, info in zip(brought[:2], infos[:2], strict=True):
        off = wgf.distance(found, brought[2], "w2")
        assert 1e-3 * info.residual * unit < off <= 1.1 * info.residual * unit
    assert infos[1].iterations > infos[0].iterations


def test_potentials_and_densities_of_the_dual_are_conjugate() -> None:
    """At the answer phi = -(U' + V) + const, so the speed is the slope: int |grad phi|^2 rho both ways."""
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic(1.0, 2.0)),
        initial=wgf.Gaussian([1, 0], 0.4),
        bounds=[(-5, 5)] * 2,
    )
    scheme = BackAndForthJKO(cells=64)
    state, info = scheme.step(problem, scheme.init(problem, RNG), 0.1, RNG)
    grid = problem.grid(64)
    xi = np.log(state.rho) + 1 + grid.evaluate(problem.energy.potential_value)
    assert abs(mean_square(xi, state.rho, grid) / info.speed_squared - 1) < 1e-6
    assert info.speed_squared == info.slope_squared == state.slope


def test_what_it_cannot_solve_it_says() -> None:
    gaussian, box = wgf.Gaussian([0, 0], 1.0), [(-4, 4)] * 2
    scheme = BackAndForthJKO(cells=16)
    problems = {
        "finite V": wgf.Problem(
            wgf.entropy() + wgf.potential(lambda x: np.where(x[..., 0] > 3, np.inf, 0.0)),
            gaussian,
            bounds=box,
        ),
        "has neither": wgf.Problem(wgf.potential(quadratic(1.0, 1.0)), gaussian, bounds=box),
        "m > 1": wgf.Problem(wgf.internal(0.8), gaussian, bounds=box),
        "bounds None": wgf.Problem(wgf.entropy(), gaussian),
        "periodic": wgf.Problem(wgf.entropy(), gaussian, bounds=box, boundary="periodic"),
        "interaction": wgf.Problem(
            wgf.entropy() + wgf.interaction(lambda z: (z**2).sum(-1)), gaussian, bounds=box
        ),
        "one to three": wgf.Problem(wgf.entropy(), wgf.Gaussian([0] * 4, 1.0), bounds=[(-4, 4)] * 4),
    }
    for words, problem in problems.items():
        reason = scheme.supports(problem)
        assert reason is not None
        assert words in reason
    assert "axes" in str(BackAndForthJKO(cells=(8, 8, 8)).supports(problems["finite V"]))


def test_too_few_iterations_raise_and_say_what_to_change() -> None:
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Barenblatt(2, 2, 1.0), bounds=[(-4, 4)] * 2)
    scheme = BackAndForthJKO(cells=64, tol=1e-9, iterations=1)
    with pytest.raises(ConvergenceError, match=r"residual .* after 1 of 1 iterations .* smaller dt"):
        scheme.step(problem, scheme.init(problem, RNG), 0.5, RNG)


def test_time_dependent_potentials_are_taken_at_the_new_time() -> None:
    moving = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x, t: (0.5 + t) * x[..., 0] ** 2),
        wgf.Gaussian(0.5, 0.4),
        bounds=(-5, 5),
    )
    frozen = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: 0.7 * x[..., 0] ** 2), wgf.Gaussian(0.5, 0.4), bounds=(-5, 5)
    )
    ends = [wgf.solve(p, BackAndForthJKO(cells=80), t_end=0.2, dt=0.2).final.values for p in (moving, frozen)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-12)


def test_the_dual_step_is_normalised_on_any_grid() -> None:
    problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-5, 5))
    grid = problem.grid(50)
    step = dual_step(problem, grid, averages(problem.initial, grid), 0.3, True)
    assert abs(step.mu.sum() * step.volume - 1) < 1e-3
    phi, rho = step.normalised(RNG.standard_normal((1, 1, 50)))
    assert abs(rho.sum() * step.volume - 1) <= 1e-14
    np.testing.assert_allclose(np.log(rho), -phi - step.V - 1, rtol=0, atol=1e-12)
