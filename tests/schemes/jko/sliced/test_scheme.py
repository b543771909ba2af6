"""SlicedJKO on cells: its own clock, exact steps where there are any, and what every step keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from validation import closed_forms
from wgf.energies import DoubleWell, Quadratic, entropy, interaction, internal, potential
from wgf.errors import ConvergenceError, SchemeError
from wgf.loop import solve
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Uniform
from wgf.problem import Problem
from wgf.problems import ornstein_uhlenbeck
from wgf.schemes.cells import potential_at_centers
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko import QuantileJKO
from wgf.schemes.jko.sliced import SlicedJKO
from wgf.schemes.jko.sliced.objective import normalised
from wgf.transport import distance

RNG = np.random.default_rng(0)  # no scheme here draws from it
BOX = [(-6.0, 6.0), (-6.0, 6.0)]
BOWL = potential(Quadratic(np.eye(2)))


def march(problem: Problem, scheme: SlicedJKO, dt: float, steps: int):
    states, infos = [scheme.init(problem, RNG)], []
    for k in range(steps):
        state, info = scheme.step(problem.at(k * dt), states[-1], dt, RNG)
        states.append(state)
        infos.append(info)
    return states, infos


def averages(measure, grid: Grid) -> np.ndarray:
    return Density.from_measure(measure, grid).values


def l1(rho: np.ndarray, measure, grid: Grid) -> float:
    return float(np.abs(rho - averages(measure, grid)).sum() * grid.volume)


# ------------------------------------------------------------------------------- exact steps, own clock


@pytest.mark.parametrize(("a", "bound"), [(1.0, 1e-3), (0.0, 8e-3)])
def test_an_isotropic_gaussian_takes_wasserstein_steps_of_d_dt_to_second_order_in_the_cells(a, bound) -> None:
    energy = entropy() + potential(Quadratic(a * np.eye(2))) if a else entropy()
    problem = Problem(energy, initial=Gaussian([1.0, 0.5], 0.5), bounds=[(-7.0, 7.0)] * 2)
    flow = closed_forms.gaussian_flow([1.0, 0.5], 0.5 * np.eye(2), 2 * 0.1, 2, stiffness=a)
    exact = Gaussian(flow.means[-1], flow.covariances[-1])
    errors, wrong_clock = [], []
    for n in (24, 48):
        states, _ = march(problem, SlicedJKO(cells=n, directions=n), 0.1, 2)
        errors.append(l1(states[-1].rho, exact, problem.grid(n)))
        slow = closed_forms.gaussian_flow([1.0, 0.5], 0.5 * np.eye(2), 0.1, 2, stiffness=a)
        wrong_clock.append(
            l1(states[-1].rho, Gaussian(slow.means[-1], slow.covariances[-1]), problem.grid(n))
        )
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.7
    assert errors[1] < bound
    assert wrong_clock[1] > 0.1  # the control: a W2 step of dt is another measure


def test_in_three_dimensions_the_clock_runs_three_times_as_fast() -> None:
    """A Fibonacci spiral of 40 directions is isotropic to 1 %, so the figures are held to 2 %."""
    problem = Problem(
        entropy() + potential(Quadratic(np.eye(3))),
        initial=Gaussian([0.5, 0.3, 0.0], 0.6),
        bounds=[(-5, 5)] * 3,
    )
    (_, state), _ = march(problem, SlicedJKO(cells=22, directions=40), 0.1, 1)
    exact = closed_forms.gaussian_flow([0.5, 0.3, 0.0], 0.6 * np.eye(3), 3 * 0.1, 1, stiffness=1.0)
    found = Density(problem.grid(22), state.rho)
    np.testing.assert_allclose(found.mean(), exact.means[-1], rtol=0, atol=0.01)
    cell = (10 / 22) ** 2 / 6  # of the averaging and of the cells' own width
    np.testing.assert_allclose(found.cov(), exact.covariances[-1] + cell * np.eye(3), rtol=0, atol=0.02)
    assert SlicedJKO(cells=22).stats(state) == pytest.approx({"t_w": 0.3})


def test_a_barenblatt_profile_is_dilated_as_by_wasserstein_steps_of_d_dt() -> None:
    problem = Problem(internal(2), initial=Barenblatt(dimension=2, m=2, t0=1.0), bounds=[(-3, 3)] * 2)
    scale = float(closed_forms.barenblatt_flow(2, 2, 2 * 0.1, 1)[-1])
    exact = Barenblatt(dimension=2, m=2, t0=closed_forms.profile_time(scale, 2, 2))
    errors = []
    for n in (24, 48):
        states, _ = march(problem, SlicedJKO(cells=n, directions=n), 0.1, 1)
        errors.append(l1(states[-1].rho, exact, problem.grid(n)))
    assert errors[1] < 4e-3
    assert np.log2(errors[0] / errors[1]) > 1.3
    assert l1(states[0].rho, exact, problem.grid(48)) > 0.05  # the start is far from it


def test_on_the_line_it_is_the_jko_scheme() -> None:
    problem = Problem(entropy() + potential(DoubleWell()), initial=Gaussian(1.2, 0.09), bounds=(-4, 4))
    fine = solve(problem, QuantileJKO(levels=1600), t_end=0.2, dt=0.05).final
    errors = []
    for n in (100, 200):
        run = solve(problem, SlicedJKO(cells=n), t_end=0.2, dt=0.05)
        errors.append(distance(run.final, fine, "w2"))
        assert run.stats["t_w"] == pytest.approx(0.2)
    assert errors[1] < 5e-4
    assert 1.8 < np.log2(errors[0] / errors[1]) < 2.2


ANGLES = np.pi * (np.arange(400) + 0.5) / 400
LINES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
BASIS = (np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([0.0, 1.0]))
UPPER = np.triu_indices(2)


def sliced_rate(A: np.ndarray, S: np.ndarray) -> np.ndarray:
    """dS/dt of the sliced flow: E_theta[theta theta' (theta' dS theta) / (2 theta' S theta)] = S^-1 - A."""
    spread = np.einsum("li,ij,lj->l", LINES, S, LINES)
    columns = []
    for H in BASIS:
        share = np.einsum("li,ij,lj->l", LINES, H, LINES) / (2 * spread)
        columns.append(np.einsum("l,li,lj->ij", share, LINES, LINES)[UPPER] / len(LINES))
    solved = np.linalg.solve(np.stack(columns, axis=1), (np.linalg.inv(S) - A)[UPPER])
    return sum(c * H for c, H in zip(solved, BASIS, strict=True))


def sliced_gaussian(A: np.ndarray, S: np.ndarray, t: float) -> np.ndarray:
    def rate(_, y):
        return sliced_rate(A, np.array([[y[0], y[1]], [y[1], y[2]]]))[UPPER]

    y = solve_ivp(rate, (0, t), S[UPPER], rtol=1e-10, atol=1e-12).y[:, -1]
    return np.array([[y[0], y[1]], [y[1], y[2]]])


def test_an_anisotropic_gaussian_follows_the_sliced_flow_and_not_the_wasserstein_flow() -> None:
    """Against the covariance equation of the sliced flow (fixture to its digits), with steps towards 0."""
    A, b = np.array([[2.0, 0.6], [0.6, 0.8]]), np.array([0.5, -0.2])
    sliced = sliced_gaussian(A, 4 * np.eye(2), 0.2)
    np.testing.assert_allclose(sliced[UPPER], [1.13868618, -1.24465317, 3.62799251], atol=1e-7)
    wasserstein = np.array([1.35336707, -0.77317123, 2.89970953])  # at t_w = 0.4
    energy = entropy() + potential(Quadratic(A, center=b))
    problem = Problem(energy, initial=Gaussian([2.0, 2.0], 4.0), bounds=[(-8.0, 11.0)] * 2)
    found = []
    for dt in (0.1, 0.05, 0.025):
        states, _ = march(problem, SlicedJKO(cells=32, directions=32), dt, round(0.2 / dt))
        found.append(Density(problem.grid(32), states[-1].rho))
        assert SlicedJKO(cells=32).stats(states[-1])["t_w"] == pytest.approx(0.4)
    covs = np.array([f.cov()[UPPER] for f in found])
    gaps = np.abs(covs - sliced[UPPER]).max(1)
    limit = covs[2] + (covs[2] - covs[1])  # of first order in dt
    cell = (19 / 32) ** 2 / 6 * np.array([1, 0, 1])  # what cells add to a covariance
    assert np.abs(limit - sliced[UPPER] - cell).max() < 0.07
    assert np.abs(limit - wasserstein - cell).min() > 0.15
    assert (np.diff(gaps) < 0).all()
    means = np.array([f.mean() for f in found])
    exact = np.array([0.88961288, 1.22755737])
    orders = np.log2(np.abs(means[:-1] - exact) / np.abs(means[1:] - exact))
    assert np.abs(orders - 1).max() < 0.15  # means run exactly d times as fast


def test_near_rest_sizes_relax_at_2_d_and_shears_at_d_times_d_plus_2() -> None:
    """Linearised at N(0, I): the rates 4 and 8 in the plane; W2 has 2 and 2."""
    for H, rate in ((np.eye(2), 4.0), (np.diag([1.0, -1.0]), 8.0)):
        small = sliced_rate(np.eye(2), np.eye(2) + 1e-6 * H)
        np.testing.assert_allclose(small, -rate * 1e-6 * H, rtol=0, atol=1e-10)
    problem = ornstein_uhlenbeck(A=np.eye(2), mean=[0, 0], cov=[1.3, 1 / 1.3], bounds=[(-5.0, 5.0)] * 2)
    rest = Problem(problem.energy, initial=Gaussian([0, 0], 1.0), bounds=[(-5.0, 5.0)] * 2)
    at_rest = Density(
        rest.grid(32), march(rest, SlicedJKO(cells=32, directions=32), 0.05, 2)[0][-1].rho
    ).cov()
    states, _ = march(problem, SlicedJKO(cells=32, directions=32), 0.05, 2)
    shears = [np.subtract(*np.diag(Density(problem.grid(32), s.rho).cov())) for s in states]
    measured = (shears[-2] / shears[-1] - 1) / 0.05  # implicit Euler of the rate
    assert abs(measured - 8) < 0.4
    assert abs(at_rest[0, 0] - at_rest[1, 1]) < 1e-3


# ------------------------------------------------------------------------------- what a step keeps


def drawn(seed: int, cells: int, d: int = 2) -> Problem:
    """A random energy and start: entropy, perhaps a power, a wavy potential, perhaps an interaction.

    The start's deviation goes down to one cell, the diffusion to 0.05.
    """
    rng = np.random.default_rng(seed)
    diffusion, height, k = rng.uniform(0.05, 1.5), rng.uniform(-1, 1), rng.uniform(0.5, 2, d)
    energy = diffusion * entropy() + potential(lambda x: 0.5 * (x**2).sum(-1) + height * np.cos(x @ k))
    if rng.random() < 0.4:
        energy = energy + rng.uniform(0.1, 1) * internal(float(rng.choice([0.7, 1.5, 2.0, 3.0])))
    if rng.random() < 0.3:
        energy = energy + rng.uniform(0.1, 0.5) * interaction(lambda z: np.exp(-0.5 * (z**2).sum(-1)))
    cov = np.diag(rng.uniform((10.5 / cells) ** 2, 1.0, d))
    bounds = [(-5.0, 5.0), (-5.5, 5.0)][:d]
    return Problem(energy, initial=Gaussian(rng.uniform(-1, 1, d), cov), bounds=bounds)


def drawn_power(seed: int) -> Problem:
    """A random power m > 1 alone, in a bowl, from a start with tails, with edges, or of Barenblatt's shape."""
    rng = np.random.default_rng(seed)
    m, corner = float(rng.choice([1.3, 1.5, 2.0, 3.0])), rng.uniform(-2, 0, 2)
    energy = rng.uniform(0.2, 2) * internal(m) + rng.uniform(0, 4) * BOWL
    starts = (
        Gaussian(rng.uniform(-1, 1, 2), np.diag(rng.uniform(0.4, 1.0, 2))),
        Uniform([(low, low + width) for low, width in zip(corner, rng.uniform(1, 3, 2), strict=True)]),
        Barenblatt(dimension=2, m=max(m, 1.5), t0=rng.uniform(0.3, 1)),
    )
    grid = Grid([(-5.0, 5.0)] * 2, 14)
    initial = Density.from_measure(starts[rng.integers(3)], grid).normalised()
    return Problem(energy, initial=initial, bounds=grid.bounds)


def hold_a_step(problem: Problem, scheme: SlicedJKO, dt: float) -> None:
    (before, after), (info,) = march(problem, scheme, dt, 1)
    grid = problem.grid(scheme.cells)
    assert abs(after.rho.sum() * grid.volume - 1) < 1e-13
    assert after.rho.min() >= 0
    objective = scheme._objective(problem, before.rho, dt)
    values = [problem.energy.value(Density(grid, s.rho)) for s in (before, after)]
    moved = objective.at(after.rho).transport.value.mean()
    assert values[1] + moved / (2 * dt) <= values[0] + 1e-11 * (1 + abs(values[0]))
    assert moved <= 2 * dt * (values[0] - values[1]) + 1e-11
    assert info.residual < 1e-6  # 1e-8, or what rounding leaves
    assert info.accepted


seeds, dts = st.integers(0, 2**32 - 1), st.floats(-4, 0.5).map(lambda e: 10.0**e)


@settings(max_examples=200, deadline=None)
@given(seeds, dts)
def test_a_step_on_the_line_lowers_the_energy_by_half_its_squared_speed(seed: int, dt: float) -> None:
    """E(n+1) + SW2^2 / (2 dt) <= E(n), mass exact, nothing negative."""
    hold_a_step(drawn(seed, 40, 1), SlicedJKO(cells=40, directions=1), dt)


@settings(max_examples=60, deadline=None)
@given(seeds, dts)
def test_a_step_in_the_plane_lowers_the_energy_by_half_its_squared_speed(seed: int, dt: float) -> None:
    hold_a_step(drawn(seed, 14), SlicedJKO(cells=14, directions=10), dt)


@settings(max_examples=25, deadline=None)
@given(seeds, dts)
def test_a_power_alone_lowers_the_energy_whatever_the_start(seed: int, dt: float) -> None:
    hold_a_step(drawn_power(seed), SlicedJKO(cells=14, directions=10), dt)


@settings(max_examples=12, deadline=None)
@given(seeds)
def test_the_minimiser_beats_random_perturbations(seed: int) -> None:
    problem, scheme, dt = drawn(seed, 12), SlicedJKO(cells=12, directions=8), 0.1
    (before, after), _ = march(problem, scheme, dt, 1)
    objective = scheme._objective(problem, before.rho, dt)
    p = objective.internal.derivative(after.rho)
    best, rng = objective.trial(p).value, np.random.default_rng(seed)
    for size in (1e-3, 0.1):
        other = objective.trial(p + size * rng.standard_normal(p.shape)).value
        assert other > best + 1e-6 * size**2
    gap = objective.gap(objective.trial(p))
    assert np.abs((gap - np.vdot(after.rho, gap) * problem.grid(12).volume) * after.rho).max() < 1e-5


def test_the_discrete_gibbs_measure_is_at_rest() -> None:
    problem = Problem(
        0.7 * entropy() + potential(DoubleWell()), initial=Gaussian([0, 0], 1), bounds=[(-3, 3)] * 2
    )
    grid = problem.grid(20)
    gibbs = np.exp(-potential_at_centers(problem, grid) / 0.7)
    gibbs /= gibbs.sum() * grid.volume
    rest = Problem(problem.energy, initial=Density(grid, gibbs), bounds=[(-3, 3)] * 2)
    (before, after), _ = march(rest, SlicedJKO(cells=20, directions=16), 0.3, 1)
    np.testing.assert_allclose(after.rho, before.rho, rtol=1e-9)
    tilted = Density(grid, gibbs * np.exp(0.01 * grid.centers[..., 0])).normalised()
    moved = march(Problem(problem.energy, initial=tilted, bounds=[(-3, 3)] * 2), SlicedJKO(cells=20), 0.3, 1)[
        0
    ]
    assert np.abs(moved[1].rho / moved[0].rho - 1).max() > 1e-3


def test_long_runs_end_in_the_gibbs_measure() -> None:
    problem = Problem(entropy() + BOWL, initial=Uniform([(-1, 1), (-1, 0.5)]), bounds=BOX)
    run = solve(
        problem, SlicedJKO(cells=24, directions=24), t_end=6.0, dt=0.75, save_at=0.75, record=["energy"]
    )
    grid = problem.grid(24)
    gibbs = np.exp(-potential_at_centers(problem, grid))
    gibbs /= gibbs.sum() * grid.volume
    assert np.abs(run.final.values - gibbs).sum() * grid.volume < 1e-3
    assert (np.diff(run.record["energy"]) < 0).all()
    assert run.stats["t_w"] == pytest.approx(12.0)


def test_tiny_steps_move_in_proportion_where_atoms_would_freeze() -> None:
    """|grad| tau is far below half a cell here."""
    problem = Problem(entropy() + BOWL, initial=Gaussian([1.0, 0.0], 1.0), bounds=BOX)
    moved = []
    for dt in (2e-3, 1e-3):
        (before, after), _ = march(problem, SlicedJKO(cells=24, directions=24), dt, 1)
        means = [Density(problem.grid(24), s.rho).mean()[0] for s in (before, after)]
        moved.append(means[0] - means[1])
    np.testing.assert_allclose(moved, [2 * 2e-3, 2 * 1e-3], rtol=0.02)


def test_symmetries_of_the_square_are_kept() -> None:
    energy = entropy() + potential(DoubleWell())
    start = Gaussian([0.4, 0.3], [[0.5, 0.2], [0.2, 0.6]])
    mirrored = Gaussian([-0.4, 0.3], [[0.5, -0.2], [-0.2, 0.6]])
    ends = []
    for initial in (start, mirrored):
        problem = Problem(energy, initial=initial, bounds=[(-3, 3)] * 2)
        ends.append(march(problem, SlicedJKO(cells=16, directions=12), 0.1, 1)[0][-1].rho)
    np.testing.assert_allclose(ends[0], ends[1][::-1], rtol=1e-6, atol=1e-9)


def test_a_potential_that_moves_is_taken_at_the_new_time() -> None:
    moving = potential(lambda x, t: 0.5 * ((x - np.array([1.0, 0.0]) * t) ** 2).sum(-1))
    problem = Problem(entropy() + moving, initial=Gaussian([0, 0], 1.0), bounds=BOX)
    still = Problem(
        entropy() + potential(Quadratic(np.eye(2), center=[0.2, 0.0])),
        initial=Gaussian([0, 0], 1.0),
        bounds=BOX,
    )
    ends = [march(p, SlicedJKO(cells=16, directions=8), 0.2, 1)[0][-1].rho for p in (problem, still)]
    np.testing.assert_allclose(ends[0], ends[1], rtol=1e-6, atol=1e-10)


# ------------------------------------------------------------------------------- pieces and refusals


@pytest.mark.parametrize("energy", [entropy(), internal(2), internal(0.6), 0.1 * entropy() + internal(3)])
def test_the_multiplier_is_shifted_to_mass_one(energy) -> None:
    internal_energy = InternalEnergy.of(energy)
    rng = np.random.default_rng(3)
    p = internal_energy.derivative(rng.random((5, 7)) + 0.1) + 0.3 * rng.random((5, 7))
    shifted, rho = normalised(internal_energy, p, 0.02)
    assert abs(rho.sum() * 0.02 - 1) < 1e-14
    np.testing.assert_allclose(internal_energy.inverse(shifted), rho, rtol=1e-12)
    assert np.ptp(shifted - p) < 1e-12


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (Problem(entropy(), initial=Gaussian([0, 0], 1)), "bounds"),
        (Problem(BOWL, initial=Gaussian([0, 0], 1), bounds=BOX), "Add a little"),
        (Problem(entropy(), initial=Gaussian([0, 0], 1), bounds=BOX, boundary="periodic"), "periodic"),
        (Problem(entropy(), initial=Gaussian(np.zeros(4), 1), bounds=[(-3, 3)] * 4), "dimensions"),
    ],
)
def test_what_it_cannot_solve_is_refused_in_a_sentence(problem: Problem, words: str) -> None:
    assert words in SlicedJKO(cells=8).supports(problem)
    with pytest.raises(SchemeError, match=words):
        solve(problem, SlicedJKO(cells=8), t_end=0.1, dt=0.1)


def test_cells_must_match_the_axes_and_failure_names_a_way_out() -> None:
    problem = Problem(entropy() + BOWL, initial=Gaussian([1, 0], 1), bounds=BOX)
    assert "axes" in SlicedJKO(cells=(8, 8, 8)).supports(problem)
    with pytest.raises(ConvergenceError, match="suggest_dt"):
        solve(problem, SlicedJKO(cells=12, directions=6, iterations=1, tol=1e-12), t_end=0.5, dt=0.5)
    assert 0.001 < SlicedJKO(cells=16).suggest_dt(problem) < 0.1


def test_tails_that_underflow_do_no_harm():
    """A Gaussian of three cells on a box of 80 standard deviations; a warning would fail this test."""
    energy = entropy() + potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = Problem(energy, initial=Gaussian([1.0, 0.0], 0.0025), bounds=[(-4, 4)] * 2)
    run = solve(problem, SlicedJKO(cells=(32, 24), directions=24), t_end=0.1, dt=0.05)
    np.testing.assert_allclose(run.final.mass, 1.0, rtol=1e-12)
    assert run.final.values.min() >= 0
