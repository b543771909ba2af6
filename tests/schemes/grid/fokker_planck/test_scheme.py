"""FokkerPlanck against exact solutions: orders in space and time, every boundary, every way to step."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

import wgf
from wgf.kernels.registry import jit_disabled
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.fokker_planck.scheme import FokkerPlanckState
from wgf.schemes.grid.rates import face_rates

A = np.array([[1.5, 0.5], [0.5, 1.0]])


def flow(problem, scheme, t_end, steps):
    """The density at t_end and the number of fallback steps."""
    assert scheme.supports(problem) is None
    state, refused = scheme.init(problem, None), 0
    for k in range(steps):
        state, info = scheme.step(problem.at(k * t_end / steps), state, t_end / steps, None)
        refused += not info.accepted
    return state.rho, refused


def l1(rho, exact, grid):
    return float(np.abs(rho - wgf.Density.from_measure(exact, grid).values).sum() * grid.volume)


def orders(errors):
    errors = np.array(errors)
    return np.log2(errors[:-1] / errors[1:])


def ou_line():
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    return wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-6, 6))


def ou_line_exact(t):
    return wgf.Gaussian(1.5 * np.exp(-t), 1 - 0.75 * np.exp(-2 * t))


def ou_plane():
    """P1 of the benchmarks: axes that do not commute."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * np.einsum("...i,ij,...j->...", x, A, x))
    return wgf.Problem(energy, initial=wgf.Gaussian([1.5, -1.0], 0.4), bounds=((-8, 8), (-8, 8)))


def ou_plane_exact(t):
    decay, rest = expm(-A * t), np.linalg.inv(A)
    return wgf.Gaussian(decay @ [1.5, -1.0], rest + decay @ (0.4 * np.eye(2) - rest) @ decay.T)


def well():
    energy = wgf.entropy() + wgf.potential(
        lambda x: (x[..., 0] ** 2 - 1) ** 2 + 2 * (x[..., 1:] ** 2).sum(-1)
    )
    return wgf.Problem(energy, initial=wgf.Gaussian([-0.6, 0.5], [0.05, 0.1]), bounds=((-3, 3), (-3.5, 3.5)))


# --------------------------------------------------------------------------------------- space


def test_space_order_is_two_on_the_line():
    problem, errors = ou_line(), []
    for cells in (50, 100, 200, 400):
        rho, refused = flow(problem, FokkerPlanck(cells=cells, time="exponential"), 0.5, 1)
        assert refused == 0
        errors.append(l1(rho, ou_line_exact(0.5), problem.grid(cells)))
    assert np.all(np.abs(orders(errors) - 2) < 0.03)
    assert errors[-1] < 1.2e-4


def test_space_order_is_two_in_the_plane_with_axes_that_do_not_commute():
    problem, errors = ou_plane(), []
    for cells in (32, 64, 128):
        rho, refused = flow(problem, FokkerPlanck(cells=cells), 1.0, 80)
        assert refused == 0
        errors.append(l1(rho, ou_plane_exact(1.0), problem.grid(cells)))
    assert np.all(np.abs(orders(errors) - 2) < 0.08)
    assert errors[-1] < 2.4e-3


def test_benchmark_p1_reaches_six_in_ten_thousand_without_a_fallback():
    problem = ou_plane()
    rho, refused = flow(problem, FokkerPlanck(cells=256), 1.0, 20)
    assert refused == 0
    assert rho.min() > 0
    assert l1(rho, ou_plane_exact(1.0), problem.grid(256)) < 5.5e-4
    assert abs(rho.sum() * problem.grid(256).volume - 1) < 1e-14


def test_three_dimensions_agree_with_the_ornstein_uhlenbeck_solution():
    stiffness = np.array([0.5, 1.0, 2.0])
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (stiffness * x**2).sum(-1))
    mean, variance, errors = np.array([0.5, -0.5, 0.3]), 0.5, []
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean, variance), bounds=((-5, 5), (-5, 5), (-4, 4)))
    exact = wgf.Gaussian(
        mean * np.exp(-stiffness * 0.4),
        1 / stiffness + (variance - 1 / stiffness) * np.exp(-2 * stiffness * 0.4),
    )
    for cells in ((16, 20, 16), (32, 40, 32)):
        rho, refused = flow(problem, FokkerPlanck(cells=cells), 0.4, 8)
        assert refused == 0
        errors.append(l1(rho, exact, problem.grid(cells)))
    assert abs(orders(errors)[0] - 2) < 0.25
    assert errors[-1] < 1.5e-2


@pytest.mark.parametrize("diffusion", [0.3, 2.0])
def test_temperature_scales_diffusion_and_equilibrium(diffusion):
    energy = diffusion * wgf.entropy() + 1.5 * wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(0.5, 0.3), bounds=(-9, 9))
    rest = diffusion / 1.5
    exact = wgf.Gaussian(0.5 * np.exp(-0.6), rest + (0.3 - rest) * np.exp(-1.2))
    rho, _ = flow(problem, FokkerPlanck(cells=600), 0.4, 40)
    assert l1(rho, exact, problem.grid(600)) < 4e-4


# ---------------------------------------------------------------------------------------- time


@pytest.mark.parametrize(
    ("time", "order", "bound"),
    [("tr-bdf2", 2, 2e-4), ("strang", 2, 2e-4), ("backward-euler", 1, 2e-2), ("lie", 1, 2e-2)],
)
def test_time_orders_in_the_plane(time, order, bound):
    # One grid, so that the space error cancels; successive differences are C dt^p (1 - 2^-p).
    problem = ou_plane()
    ladder = [flow(problem, FokkerPlanck(cells=48, time=time), 1.0, steps)[0] for steps in (16, 32, 64, 128)]
    gaps = [np.abs(a - b).sum() * problem.grid(48).volume for a, b in zip(ladder, ladder[1:], strict=False)]
    assert np.all(np.abs(orders(gaps) - order) < 0.15)
    assert gaps[-1] < bound


@pytest.mark.parametrize(("time", "order", "bound"), [("tr-bdf2", 2, 1.2e-5), ("backward-euler", 1, 6e-3)])
def test_time_orders_on_the_line_against_the_exact_exponential(time, order, bound):
    problem, errors = ou_line(), []
    exact, _ = flow(problem, FokkerPlanck(cells=200, time="exponential"), 0.5, 1)
    for steps in (10, 20, 40, 80):
        rho, refused = flow(problem, FokkerPlanck(cells=200, time=time), 0.5, steps)
        assert refused == 0
        errors.append(np.abs(rho - exact).sum() * problem.grid(200).volume)
    assert np.all(np.abs(orders(errors) - order) < 0.12)
    assert errors[-1] < bound


@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_backward_euler_is_not_split_in_the_plane(boundary):
    plane = ou_plane()
    problem = wgf.Problem(plane.energy, initial=plane.initial, bounds=((-6, 6), (-5, 7)), boundary=boundary)
    scheme, dt = FokkerPlanck(cells=(14, 11), time="backward-euler"), 0.3
    grid = problem.grid(scheme.cells)
    matrix = (
        face_bonds(face_rates(problem.energy.potential_value(grid.centers), grid, 1.0), grid)
        .generator(grid.size)
        .toarray()
    )
    start = scheme.init(problem, None)
    after, _ = scheme.step(problem, start, dt, None)
    exact = np.linalg.solve(np.eye(grid.size) - dt * matrix, start.rho.ravel())
    np.testing.assert_allclose(after.rho.ravel(), exact, rtol=1e-10, atol=1e-14)


def test_exponential_is_exact_in_time():
    # whole step = many small ones, = the dense exponential of the generator
    problem, cells = well(), (30, 24)
    once, _ = flow(problem, FokkerPlanck(cells=cells, time="exponential"), 0.7, 1)
    often, _ = flow(problem, FokkerPlanck(cells=cells, time="exponential"), 0.7, 7)
    np.testing.assert_allclose(often, once, rtol=1e-11, atol=1e-300)
    grid = problem.grid(cells)
    matrix = (
        face_bonds(face_rates(problem.energy.potential_value(grid.centers), grid, 1.0), grid)
        .generator(grid.size)
        .toarray()
    )
    start = FokkerPlanck(cells=cells).init(problem, None).rho
    np.testing.assert_allclose(once.ravel(), expm(0.7 * matrix) @ start.ravel(), rtol=0, atol=1e-12)


def test_exponential_stays_positive_where_the_symmetric_eigenproblem_would_not():
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1)),
        initial=wgf.Uniform((-11, 11)),
        bounds=(-11, 11),
    )
    rho, _ = flow(problem, FokkerPlanck(cells=200, time="exponential"), 0.1, 1)
    other, _ = flow(problem, FokkerPlanck(cells=200, time="backward-euler"), 0.1, 2000)
    assert rho.min() > 0
    assert np.abs(rho - other).sum() * problem.grid(200).volume < 1e-3


def test_moving_potential_is_followed_to_second_order():
    # V = (x - sin 2t)^2/2: the mean obeys m' = -(m - sin 2t), the variance relaxes as for a fixed V.
    energy = wgf.entropy() + wgf.potential(lambda x, t: 0.5 * ((x - np.sin(2 * t)) ** 2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(0.0, 0.5), bounds=(-7, 7))
    exact = (np.sin(2.0) - 2 * np.cos(2.0) + 2 * np.exp(-1.0)) / 5
    means = []
    for steps in (10, 20, 40, 80):
        scheme = FokkerPlanck(cells=300)
        rho, _ = flow(problem, scheme, 1.0, steps)
        means.append(scheme.measure(problem, FokkerPlanckState(rho)).mean()[0])
    assert np.all(np.abs(orders(np.abs(np.diff(means))) - 2) < 0.1)
    assert abs(means[-1] - exact) < 2e-4


# ------------------------------------------------------------------------------------ boundaries


def fourier_reference(t, modes=40):
    """d_t rho = (rho' + rho V')' on the circle for V = cos x - 0.5 sin 2x by Fourier-Galerkin."""
    k = np.arange(-modes, modes + 1)
    drift = {1: 0.5j, -1: -0.5j, 2: -0.5, -2: -0.5}  # V' = -sin x - cos 2x
    matrix = -np.diag(k.astype(complex) ** 2)
    for shift, value in drift.items():
        matrix += 1j * k[:, None] * value * np.eye(len(k), k=-shift)
    start = np.zeros(len(k), dtype=complex)
    start[modes], start[modes + 1], start[modes - 1] = 1 / (2 * np.pi), 0.2j / np.pi, -0.2j / np.pi
    return k, expm(t * matrix) @ start


def circle_average(k, c, cells):
    """Cell averages of a Fourier series on (0, 2 pi)."""
    h = 2 * np.pi / cells
    x = h * (np.arange(cells) + 0.5)
    return np.real(np.exp(1j * np.outer(x, k)) @ (c * np.sinc(k * h / (2 * np.pi))))


@pytest.mark.parametrize("time", ["tr-bdf2", "exponential"])
def test_periodic_flow_agrees_with_a_fourier_series(time):
    energy = wgf.entropy() + wgf.potential(lambda x: np.cos(x[..., 0]) - 0.5 * np.sin(2 * x[..., 0]))
    errors = []
    k, start = fourier_reference(0.0)
    k, end = fourier_reference(0.5)
    for cells in (40, 80, 160):
        initial = wgf.Density(wgf.Grid((0, 2 * np.pi), cells, "periodic"), circle_average(k, start, cells))
        problem = wgf.Problem(energy, initial=initial, bounds=(0, 2 * np.pi), boundary="periodic")
        rho, refused = flow(problem, FokkerPlanck(cells=cells, time=time), 0.5, 100)
        assert refused == 0
        errors.append(np.abs(rho - circle_average(k, end, cells)).sum() * 2 * np.pi / cells)
    assert np.all(np.abs(orders(errors) - 2) < 0.06)
    assert errors[-1] < 3e-4


@pytest.mark.parametrize("time", ["tr-bdf2", "lie", "backward-euler", "exponential"])
def test_mixed_boundaries_decay_like_their_eigenfunctions(time):
    # V = 0: cos(pi j x) with no flux, cos(2 pi y) when periodic; both discrete eigenvalues are known.
    cells, steps, dt = (20, 24), 200, 5e-4
    x, y = ((np.arange(n) + 0.5) / n for n in cells)
    wave = np.cos(np.pi * x)[:, None] * np.cos(2 * np.pi * y)
    grid = wgf.Grid(((0, 1), (0, 1)), cells, ("noflux", "periodic"))
    problem = wgf.Problem(
        wgf.entropy(),
        initial=wgf.Density(grid, 1 + 0.3 * wave),
        bounds=((0, 1), (0, 1)),
        boundary=("noflux", "periodic"),
    )
    rho, _ = flow(problem, FokkerPlanck(cells=cells, time=time), steps * dt, steps)
    rate = 4 * cells[0] ** 2 * np.sin(np.pi / 40) ** 2 + 4 * cells[1] ** 2 * np.sin(np.pi / 24) ** 2
    tolerance = {"exponential": 1e-12, "tr-bdf2": 1e-5}.get(time, 2e-2)
    np.testing.assert_allclose(rho, 1 + 0.3 * np.exp(-rate * steps * dt) * wave, rtol=0, atol=tolerance * 0.3)


# ------------------------------------------------------------------------- rounding, fallback, rates


@pytest.mark.skipif(jit_disabled(), reason="1e7 cell steps take minutes without the compiler")
def test_mass_and_accuracy_hold_at_a_hundred_thousand_cells():
    energy = wgf.entropy() + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(-0.6, 0.05), bounds=(-3, 3))
    rho, refused = flow(problem, FokkerPlanck(cells=100_000), 1.0, 100)
    assert refused == 0
    assert abs(rho.sum() * problem.grid(100_000).volume - 1) <= 1e-12
    # 250 cells of 400: the exact exponential there, whose own space error is known to be order 2
    coarse = [flow(problem, FokkerPlanck(cells=n, time="exponential"), 1.0, 1)[0] for n in (500, 1000)]
    extrapolated = (4 * coarse[1].reshape(500, 2).mean(axis=1) - coarse[0]) / 3
    assert np.abs(rho.reshape(500, 200).mean(axis=1) - extrapolated).sum() * 6 / 500 <= 2e-6


def test_data_narrower_than_the_step_fall_back_and_are_counted():
    problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1e-4), bounds=(-1, 1))
    scheme = FokkerPlanck(cells=100)
    state = scheme.init(problem, None)
    after, info = scheme.step(problem, state, 0.1, None)
    assert info == wgf.StepInfo(accepted=False, substeps=2)
    assert after.rho.min() >= 0
    lie = FokkerPlanck(cells=100, time="lie")
    half, _ = lie.step(problem, state, 0.05, None)
    np.testing.assert_array_equal(after.rho, lie.step(problem, half, 0.05, None)[0].rho)
    run = wgf.solve(problem, scheme, t_end=0.5, dt=0.1)
    assert run.stats["fallback_steps"] >= 1
    later, info = scheme.step(problem, FokkerPlanckState(run.final.values), 1e-4, None)
    assert info.accepted


def test_far_tails_below_rounding_are_kept_and_cost_no_fallback():
    energy = wgf.entropy() + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(-0.6, 0.05), bounds=(-3, 3))
    scheme = FokkerPlanck(cells=400)
    first = scheme.init(problem, None)
    second, info = scheme.step(problem, first, 0.01, None)
    assert info.accepted
    assert -1e-16 < second.rho.min() < 0
    assert np.isfinite(scheme.rates(problem, first, second, 0.01)).all()
    rho, refused = flow(problem, scheme, 0.1, 10)
    assert refused == 0
    assert rho.min() > 0


@pytest.mark.parametrize("make", [ou_line, ou_plane])
def test_dissipation_functional_of_the_flow_vanishes_to_second_order(make):
    problem, defects = make(), []
    for steps in (20, 40, 80):
        scheme = FokkerPlanck(cells=64)
        state, spent = scheme.init(problem, None), 0.0
        start = problem.energy.value(scheme.measure(problem, state))
        for _ in range(steps):
            after, _ = scheme.step(problem, state, 0.4 / steps, None)
            speed, slope = scheme.rates(problem, state, after, 0.4 / steps)
            spent, state = spent + 0.5 * (speed + slope) * 0.4 / steps, after
        defects.append(abs(problem.energy.value(scheme.measure(problem, state)) - start + spent))
    assert np.all(orders(defects) > 1.8)
    assert defects[-1] < 2e-4


@pytest.mark.parametrize("time", ["lie", "backward-euler", "exponential", "strang"])
def test_every_way_to_step_knows_its_rates(time):
    problem = well()
    scheme = FokkerPlanck(cells=(40, 36), time=time)
    before = scheme.init(problem, None)
    after, _ = scheme.step(problem, before, 2e-3, None)
    speed, slope = scheme.rates(problem, before, after, 2e-3)
    lost = problem.energy.value(scheme.measure(problem, before)) - problem.energy.value(
        scheme.measure(problem, after)
    )
    assert 0.5 * (speed + slope) * 2e-3 == pytest.approx(lost, rel=3e-2)
    assert speed == pytest.approx(slope, rel=8e-2)


def test_suggested_step_needs_no_fallback():
    problem = well()
    scheme = FokkerPlanck(cells=100)
    dt = scheme.suggest_dt(problem)
    assert dt == pytest.approx(0.1 * 0.05 / 2)
    _, info = scheme.step(problem, scheme.init(problem, None), dt, None)
    assert info.accepted


def test_solve_serves_a_whole_run():
    run = wgf.solve(ou_line(), FokkerPlanck(cells=200), t_end=0.5, dt=0.02, record=["mass", "energy"])
    assert run.status == "finished"
    assert run.stats["fallback_steps"] == 0
    np.testing.assert_allclose(run.record["mass"], 1, rtol=0, atol=1e-14)
    assert l1(run.final.values, ou_line_exact(0.5), run.final.grid) < 6e-4
