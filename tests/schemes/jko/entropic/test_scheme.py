"""EntropicJKO against its own closed form on Gaussians, the exact JKO step, and what it promises."""

from __future__ import annotations

import itertools
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from validation import closed_forms
from validation.orders.entropic import confined, dilated, gaussian_step, sampled
from wgf.errors import ConvergenceError
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.entropic import EntropicJKO

RNG = np.random.default_rng(0)  # no scheme here draws from it
both = pytest.mark.parametrize("debiased", [True, False])


def bowl(x):
    return 0.5 * (x**2).sum(-1)


def march(problem: wgf.Problem, scheme: EntropicJKO, dt: float, steps: int = 1):
    states, infos = [scheme.init(problem, RNG)], []
    for k in range(steps):
        state, info = scheme.step(problem.at(k * dt), states[-1], dt, RNG)
        states.append(state)
        infos.append(info)
    return states, infos


def l1(a: np.ndarray, b: np.ndarray, grid: wgf.Grid) -> float:
    return float(np.abs(a - b).sum() * grid.volume)


# ------------------------------------------------------------- the closed form of the entropic Gaussian step


@both
@pytest.mark.parametrize(
    ("cells", "half", "dt", "epsilon", "diffusion", "stiffness"),
    [
        (150, 6.0, 0.05, 0.1, 1.0, 1.0),
        (200, 6.0, 0.5, 0.02, 0.5, 2.0),
        (150, 6.0, 0.1, 0.05, 1.0, 0.0),
        (150, 9.0, 1.0, 0.08, 2.0, 1.5),
        (160, 6.0, 1e-3, 0.02, 1.0, 1.0),
    ],
)
def test_a_gaussian_step_on_the_line_is_its_closed_form(
    debiased, cells, half, dt, epsilon, diffusion, stiffness
) -> None:
    """A perturbed variance shows: changing v by 1e-6 relative moves the density by 3e-7."""
    grid = wgf.Grid((-half, half), cells)
    energy = diffusion * wgf.entropy()
    energy = energy + stiffness * wgf.potential(bowl) if stiffness else energy
    problem = wgf.Problem(energy, initial=sampled(wgf.Gaussian(0.7, 0.25), grid), bounds=(-half, half))
    states, _ = march(problem, EntropicJKO(cells=cells, epsilon=epsilon, debiased=debiased, tol=1e-12), dt)
    variance = gaussian_step(0.25, epsilon, dt, diffusion, stiffness, debiased)
    mean = 0.7 / (1 + dt * stiffness)
    exact = sampled(wgf.Gaussian(mean, variance), grid).values
    assert l1(states[-1].rho, exact, grid) < 2e-10
    wrong = sampled(wgf.Gaussian(mean, variance * (1 + 1e-6)), grid).values
    assert l1(states[-1].rho, wrong, grid) > 1e-7


@both
def test_a_rotated_gaussian_in_the_plane_takes_the_closed_form_along_its_axes(debiased) -> None:
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    variances, mean, dt, epsilon = np.array([0.2, 0.45]), np.array([0.5, -0.3]), 0.1, 0.06
    grid = wgf.Grid([(-5, 5), (-4.5, 4.5)], (64, 60))
    start = wgf.Gaussian(mean, rotation @ np.diag(variances) @ rotation.T)
    energy = wgf.entropy() + wgf.potential(bowl)
    problem = wgf.Problem(energy, initial=sampled(start, grid), bounds=[(-5, 5), (-4.5, 4.5)])
    scheme = EntropicJKO(cells=(64, 60), epsilon=epsilon, debiased=debiased, tol=1e-11)
    states, _ = march(problem, scheme, dt)
    new = [gaussian_step(v, epsilon, dt, 1.0, 1.0, debiased) for v in variances]
    exact = sampled(wgf.Gaussian(mean / (1 + dt), rotation @ np.diag(new) @ rotation.T), grid).values
    assert l1(states[-1].rho, exact, grid) < 1e-8


def test_the_closed_forms_tend_to_the_jko_step_at_orders_one_and_two() -> None:
    flow = closed_forms.gaussian_flow([0.0], 0.25, 0.1, 1, diffusion=0.8, stiffness=1.5)
    limit = flow.covariances[1, 0, 0]
    for debiased, order in ((False, 1), (True, 2)):
        gaps = [gaussian_step(0.25, e, 0.1, 0.8, 1.5, debiased) - limit for e in (1e-3, 5e-4)]
        assert abs(np.log2(gaps[0] / gaps[1]) - order) < 0.01


def test_three_steps_in_space_keep_the_symmetry_of_the_axes() -> None:
    initial = wgf.Gaussian([0.3, 0.3, 0.3], 0.3)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(bowl), initial=initial, bounds=[(-3.5, 3.5)] * 3)
    states, _ = march(problem, EntropicJKO(cells=20), 0.2, 2)
    rho = states[-1].rho
    for axes in itertools.permutations(range(3)):
        np.testing.assert_allclose(rho.transpose(axes), rho, rtol=1e-9, atol=1e-13)


# ------------------------------------------------------------------------------ one porous-medium step


@both
def test_a_porous_medium_step_is_near_the_exact_dilation(debiased) -> None:
    problem, exact, w2_squared = dilated()
    scheme = EntropicJKO(cells=96, debiased=debiased)
    states, (info,) = march(problem, scheme, 9.6e-5)
    found = scheme.measure(problem, states[-1])
    assert wgf.distance(found, exact, "l1") < (8e-4 if debiased else 1e-2)
    assert abs(found.mass - 1) < 1e-13
    assert info.residual <= scheme.tol
    if debiased:
        assert abs(info.speed_squared * 9.6e-5**2 / w2_squared - 1) < 3e-3
        assert abs(info.slope_squared / info.speed_squared - 1) < 1e-3


def test_on_the_line_it_agrees_with_quantiles() -> None:
    """At the free edges too: m = 3 from a box, whose vertical sides move at once."""
    problem = wgf.Problem(wgf.internal(3), initial=wgf.Uniform((-1.0, 1.0)), bounds=(-2.0, 2.0))
    states, _ = march(problem, EntropicJKO(cells=200), 0.2)
    grid = problem.grid(200)
    run = wgf.solve(problem, wgf.schemes.QuantileJKO(levels=4000), t_end=0.2, dt=0.2)
    exact = wgf.Density(
        grid, np.diff(np.interp(grid.edges(0), run.final.edges, _levels(run.final))) / grid.volume
    )
    assert l1(states[-1].rho, exact.values, grid) < 4e-3


def _levels(quantiles) -> np.ndarray:
    return np.concatenate([[0.0], np.cumsum(quantiles.masses)])


# ---------------------------------------------------------------------------- what the docstring promises


def random_problem(seed: int, dimension: int, m: float) -> wgf.Problem:
    """A box, a bumpy potential and bumpy data, some of its cells empty."""
    rng = np.random.default_rng(seed)
    k, phase, size = rng.uniform(0.5, 3, dimension), rng.uniform(0, 6, dimension), rng.uniform(0, 3)
    energy = rng.uniform(0.1, 2) * (wgf.entropy() if m == 1 else wgf.internal(m))
    energy = energy + wgf.potential(lambda x: size * np.cos(k * x + phase).sum(-1))
    grid = wgf.Grid([(-1.0, 1.5)] * dimension, 16 if dimension == 1 else 8)
    values = rng.random(grid.cells) * (rng.random(grid.cells) < 0.6)
    values.flat[3] = 1.0
    initial = wgf.Density(grid, values / (values.sum() * grid.volume))
    return wgf.Problem(energy, initial=initial, bounds=[(-1.0, 1.5)] * dimension)


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    dimension=st.integers(1, 2),
    m=st.sampled_from([0.6, 1, 2, 3]),
    dt=st.floats(1e-3, 1.0),
)
def test_mass_stays_density_stays_positive_and_energy_falls_by_the_transport(seed, dimension, m, dt) -> None:
    problem = random_problem(seed, dimension, m)
    scheme = EntropicJKO(cells=16 if dimension == 1 else 8, iterations=20_000, tol=1e-4)
    (before, after), (info,) = march(problem, scheme, dt)
    grid = problem.grid(scheme.cells)
    assert abs(after.rho.sum() * grid.volume - 1) < 1e-13
    assert after.rho.min() >= 0
    drop = scheme.energy(problem, before) - scheme.energy(problem, after)
    paid = 0.5 * dt * info.speed_squared
    assert paid >= -1e-12
    size = abs(scheme.energy(problem, before)) + abs(scheme.energy(problem, after)) + 1
    epsilon = 2 * float((grid.spacing**2).max())
    assert drop >= paid - scheme.tol * (epsilon / dt + 10 * size)


def test_the_energy_of_debiased_steps_never_rises_and_that_of_plain_ones_does() -> None:
    """At rest nothing may rise: the plain scheme, which blurs by epsilon, is the negative control."""
    grid = wgf.Grid((-5.0, 5.0), 100)
    problem = confined(sampled(wgf.Gaussian(0.0, 1.0), grid), 5.0)
    for debiased, rises in ((True, False), (False, True)):
        scheme = EntropicJKO(cells=100, debiased=debiased, tol=1e-12)
        states, _ = march(problem, scheme, 0.1, 3)
        energies = np.array([scheme.energy(problem, s) for s in states])
        assert np.isfinite(energies).all()
        assert bool((np.diff(energies) > 1e-12 * abs(energies[0])).any()) == rises


@pytest.mark.parametrize("dimension", [1, 2])
def test_the_discrete_equilibrium_is_at_rest_for_any_step(dimension) -> None:
    cells = 80 if dimension == 1 else 40
    grid = wgf.Grid([(-2.0, 2.0)] * dimension, cells)
    energy = 0.5 * wgf.entropy() + wgf.potential(lambda x: (np.cos(3 * x) + x**2).sum(-1))
    values = np.exp(-energy.potential_value(grid.centers) / 0.5)
    initial = wgf.Density(grid, values / (values.sum() * grid.volume))
    problem = wgf.Problem(energy, initial=initial, bounds=[(-2.0, 2.0)] * dimension)
    for dt in (1e-3, 0.1, 10.0):
        states, (info,) = march(problem, EntropicJKO(cells=cells, tol=1e-13), dt)
        np.testing.assert_allclose(states[-1].rho, states[0].rho, rtol=1e-10)
        assert info.iterations <= 3
        plain, _ = march(problem, EntropicJKO(cells=cells, debiased=False), dt)
        assert np.abs(plain[-1].rho / plain[0].rho - 1).max() > 1e-4


def test_as_dt_vanishes_the_debiased_step_stays_and_the_plain_one_blurs_by_epsilon() -> None:
    grid = wgf.Grid((-5.0, 5.0), 100)
    problem = confined(sampled(wgf.Gaussian(0.3, 0.25), grid), 5.0)
    for debiased, variance in ((True, 0.25), (False, 0.25 + 0.04)):
        scheme = EntropicJKO(cells=100, epsilon=0.04, debiased=debiased, tol=1e-10)
        gaps = []
        for dt in (1e-4, 1e-6):
            states, _ = march(problem, scheme, dt)
            gaps.append(l1(states[-1].rho, sampled(wgf.Gaussian(0.3, variance), grid).values, grid))
        assert gaps[1] < 2e-5
        assert gaps[1] < 0.02 * gaps[0]


def test_no_perturbation_of_the_debiased_minimiser_is_better() -> None:
    """The functional S / dt + E itself, evaluated by an own Sinkhorn divergence of small dense matrices."""
    cells, dt, epsilon = 20, 0.1, 0.05
    grid = wgf.Grid((-1.5, 1.5), cells)
    x, h = grid.axes[0], grid.volume
    kernel = np.exp(-((x[:, None] - x) ** 2) / (2 * epsilon))

    def transport(p, q):
        f, g = np.zeros(cells), np.zeros(cells)
        for _ in range(3000):
            f = 0.5 * (f - epsilon * np.log(kernel @ (q * np.exp(g / epsilon))))
            g = 0.5 * (g - epsilon * np.log(kernel @ (p * np.exp(f / epsilon))))
        g = -epsilon * np.log(kernel @ (p * np.exp(f / epsilon)))
        return f @ p + g @ q

    def divergence(p, q):
        return transport(p, q) - 0.5 * transport(p, p) - 0.5 * transport(q, q)

    energy = 0.3 * wgf.entropy() + wgf.internal(2) + wgf.potential(bowl)
    start = np.exp(-2 * (x - 0.3) ** 2) + 0.1
    problem = wgf.Problem(energy, initial=wgf.Density(grid, start / (start.sum() * h)), bounds=(-1.5, 1.5))
    scheme = EntropicJKO(cells=cells, epsilon=epsilon, tol=1e-12)
    (before, after), (info,) = march(problem, scheme, dt)

    def objective(rho):
        return divergence(before.rho * h, rho * h) / dt + scheme.energy(problem, after._replace(rho=rho))

    least = objective(after.rho)
    np.testing.assert_allclose(
        info.speed_squared, 2 * divergence(before.rho * h, after.rho * h) / dt**2, rtol=1e-8
    )
    rng = np.random.default_rng(3)
    for size in (1e-1, 1e-2, 1e-3):
        for _ in range(5):
            away = after.rho * (1 + size * rng.standard_normal(cells))
            assert objective(away / (away.sum() * h)) > least - 1e-13
    assert objective(before.rho) > least + 1e-3


@both
def test_mirrored_and_permuted_data_stay_so(debiased) -> None:
    rng = np.random.default_rng(1)
    grid = wgf.Grid([(-1.0, 1.0), (-1.0, 1.0)], 24)
    values = rng.random(grid.cells)
    values /= values.sum() * grid.volume
    energy = wgf.internal(2) + wgf.potential(lambda x: (x**4).sum(-1))

    def step(rho):
        problem = wgf.Problem(energy, initial=wgf.Density(grid, rho), bounds=[(-1, 1), (-1, 1)])
        return march(problem, EntropicJKO(cells=24, debiased=debiased, tol=1e-10), 0.01)[0][-1].rho

    plain = step(values)
    for change in (np.transpose, np.flipud, np.fliplr, partial(np.rot90, k=2)):
        np.testing.assert_allclose(step(np.ascontiguousarray(change(values))), change(plain), rtol=1e-7)


@both
def test_units_of_length_do_not_matter(debiased) -> None:
    """x -> 3 x, t -> 9 t, epsilon -> 9 epsilon, entropy as it is."""
    found = []
    for unit in (1.0, 3.0):
        grid = wgf.Grid((-4 * unit, 4 * unit), 64)
        initial = sampled(wgf.Gaussian(0.5 * unit, 0.3 * unit**2), grid)
        problem = wgf.Problem(wgf.entropy(), initial=initial, bounds=(-4 * unit, 4 * unit))
        scheme = EntropicJKO(cells=64, debiased=debiased, tol=1e-9)
        found.append(march(problem, scheme, 0.1 * unit**2)[0][-1].rho * unit)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-6, atol=1e-12)


def test_obstacles_stay_empty_and_mass_goes_round() -> None:
    def wall(x):
        return np.where(np.abs(x[..., 0]) < 0.3, np.inf, 4 * x[..., 0])

    problem = wgf.Problem(
        0.5 * wgf.entropy() + wgf.potential(wall), initial=wgf.Uniform((0.5, 1.0)), bounds=(-1.5, 1.5)
    )
    states, _ = march(problem, EntropicJKO(cells=60), 0.05, 3)
    inside = np.abs(problem.grid(60).axes[0]) < 0.3
    for state in states:
        assert (state.rho[inside] == 0).all()
        assert np.isfinite(state.rho).all()
    assert states[-1].rho[~inside].min() >= 0


def test_a_moving_potential_is_taken_at_the_end_of_the_step() -> None:
    def follow(x, t):
        return 0.5 * ((x - 2 * t) ** 2).sum(-1)

    grid = wgf.Grid((-5.0, 5.0), 100)
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(follow), initial=sampled(wgf.Gaussian(0, 1), grid), bounds=(-5, 5)
    )
    scheme = EntropicJKO(cells=100, tol=1e-10)
    states, _ = march(problem, scheme, 0.1, 1)
    mean = scheme.measure(problem, states[-1]).mean()[0]
    assert abs(mean - 0.1 * 0.2 / 1.1) < 1e-7  # tails of 3e-7 are cut off; a V frozen at the start gives 0


def test_the_dissipation_defect_of_debiased_steps_vanishes_with_the_square_of_dt() -> None:
    """Above a floor of order h^2 and epsilon^2; plain steps pay for the blur: their defect grows as dt falls."""
    grid = wgf.Grid((-6.0, 6.0), 240)
    problem = confined(sampled(wgf.Gaussian(0.7, 0.4), grid))
    for debiased in (True, False):
        scheme = EntropicJKO(cells=240, epsilon=0.01, debiased=debiased, tol=1e-8)
        defects = []
        for n in (4, 8):
            run = wgf.solve(problem, scheme, t_end=0.4, dt=0.4 / n, record=["energy"])
            defects.append(abs(run.dissipation_defect()))
        if debiased:
            assert defects[-1] < 3e-3
            assert np.log2(defects[-2] / defects[-1]) > 1.7
        else:
            fine = wgf.solve(problem, scheme, t_end=0.4, dt=0.01, record=["energy"])
            assert fine.dissipation_defect() > 0.02


# ------------------------------------------------------------------------------------- doors and refusals


@pytest.mark.parametrize(
    ("problem", "settings", "reason"),
    [
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1)), {}, "needs a box"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 0.01), bounds=(0, 1), boundary="periodic"), {}, "wrap"),
        (wgf.Problem(wgf.interaction(bowl), initial=wgf.Gaussian(0, 1), bounds=(-5, 5)), {}, "interaction"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-5, 5)), {"epsilon": 1e-4}, "resolve"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-5, 5)), {"cells": (8, 8)}, "2 axes"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-5, 5)), {"cells": 5000}, "4096"),
    ],
)  # fmt: skip
def test_what_it_cannot_solve_is_said_in_words(problem, settings, reason) -> None:
    answer = EntropicJKO(**settings).supports(problem)
    assert answer is not None
    assert reason in answer


def test_too_few_sweeps_raise_and_say_what_to_change() -> None:
    problem, _, _ = dilated()
    with pytest.raises(ConvergenceError, match="after 3 sweeps"):
        march(problem, EntropicJKO(cells=32, iterations=3), 9.6e-5)


def test_the_suggested_step_moves_the_density_by_a_tenth_of_its_spread() -> None:
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(bowl), initial=wgf.Gaussian(2.0, 0.25), bounds=(-6, 6)
    )
    scheme = EntropicJKO(cells=200)
    slope = np.sqrt(4.0 + (1 - 4) ** 2 * 0.25)  # |dE|^2 = mean^2 + (1 - 1/s^2)^2 s^2
    assert abs(scheme.suggest_dt(problem) / (0.1 * 0.5 / slope) - 1) < 0.02


def test_the_default_epsilon_follows_the_cells_until_the_step_is_long() -> None:
    grid = wgf.Grid((0.0, 1.0), 100)
    assert EntropicJKO(cells=100)._epsilon(grid, 0.0) == pytest.approx(2e-4)
    assert EntropicJKO(cells=100)._epsilon(grid, 1.0) == pytest.approx(5e-3)
    assert EntropicJKO(cells=100, debiased=False)._epsilon(grid, 0.0) == pytest.approx(1e-4)
    assert EntropicJKO(cells=100, debiased=False)._epsilon(grid, 1.0) == pytest.approx(5e-4)
    assert EntropicJKO(cells=100, epsilon=0.3)._epsilon(grid, 1.0) == 0.3
    assert InternalEnergy.of(wgf.internal(2)).floor == 0.0  # what lets tails underflow
