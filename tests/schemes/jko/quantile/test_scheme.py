"""QuantileJKO against exact discrete flows and the PDE: one step, orders in space and time, energies."""

from __future__ import annotations

import numpy as np
import pytest

from validation import closed_forms
from wgf.energies import DoubleWell, Quadratic, entropy, interaction, internal, potential
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Quantiles, Uniform
from wgf.problem import Problem
from wgf.schemes.jko import QuantileJKO
from wgf.schemes.jko.quantile.functional import QuantileEnergy
from wgf.schemes.jko.quantile.mass import mass_product, squared_norm

RNG = np.random.default_rng(0)  # no scheme here draws from it
NODES, WEIGHTS = np.polynomial.legendre.leggauss(8)


def bowl(x):
    return 0.5 * (x**2).sum(-1)


def march(problem: Problem, scheme: QuantileJKO, dt: float, steps: int):
    """States and infos of a run; the loop of `solve` without its comforts."""
    states, infos = [scheme.init(problem, RNG)], []
    for k in range(steps):
        state, info = scheme.step(problem.at(k * dt), states[-1], dt, RNG)
        states.append(state)
        infos.append(info)
    return states, infos


def w2(found: Quantiles, exact) -> float:
    """W2 between piecewise linear and exact quantiles, by Gauss quadrature in every cell."""
    share = 0.5 * (1 + NODES)
    u = np.concatenate([[0.0], np.cumsum(found.masses)])[:-1, None] + found.masses[:, None] * share
    x = found.edges[:-1, None] + np.diff(found.edges)[:, None] * share
    gap = x - exact.quantile(np.clip(u, 1e-16, 1 - 1e-16))
    return float(np.sqrt(found.masses @ (gap**2 @ (WEIGHTS / 2))))


def final(problem: Problem, scheme: QuantileJKO, dt: float, steps: int) -> Quantiles:
    states, infos = march(problem, scheme, dt, steps)
    assert all(info.accepted for info in infos)  # an order measured over fallback steps means nothing
    return scheme.measure(problem, states[-1])


# ------------------------------------------------------------------------------------------- one step


@pytest.mark.parametrize(("mesh", "order", "bound"), [("graded", 1.8, 2e-6), ("equal", 0.8, 6e-4)])
def test_one_step_from_a_barenblatt_profile_is_the_exact_dilation(
    mesh: str, order: float, bound: float
) -> None:
    scale = closed_forms.barenblatt_flow(2, 1, 0.25, 1)[1]
    problem = Problem(internal(2), initial=Barenblatt(dimension=1, m=2, t0=1.0))
    errors = []
    for levels in (400, 800, 1600):
        (before, after), _ = march(problem, QuantileJKO(levels=levels, mesh=mesh), 0.25, 1)
        errors.append(np.sqrt(squared_norm(before.masses, after.edges - scale * before.edges)))
    assert errors[-1] < bound
    assert np.log2(errors[-2] / errors[-1]) > order


@pytest.mark.parametrize("m", [0.75, 1.5, 3.0])
def test_one_confined_step_is_the_exact_dilation_for_other_powers(m: float) -> None:
    scale = closed_forms.barenblatt_flow(m, 1, 0.2, 1, confinement=0.5)[1]
    profile = Barenblatt(dimension=1, m=m, t0=1.0)
    problem = Problem(internal(m) + 0.5 * potential(bowl), initial=profile)
    (before, after), _ = march(problem, QuantileJKO(levels=1600), 0.2, 1)
    assert np.sqrt(squared_norm(before.masses, after.edges - scale * before.edges)) < 2e-5
    assert abs(scale - 1) > 0.01


def test_one_gaussian_step_is_exact_to_order_two_in_space() -> None:
    flow = closed_forms.gaussian_flow([1.5], 0.25, 0.5, 1, diffusion=0.8, stiffness=1.5)
    exact = Gaussian(flow.means[1], flow.covariances[1])
    problem = Problem(0.8 * entropy() + 1.5 * potential(bowl), initial=Gaussian(1.5, 0.25))
    errors = [w2(final(problem, QuantileJKO(levels=n), 0.5, 1), exact) for n in (50, 100, 200)]
    assert errors[-1] < 1.2e-4
    assert abs(np.log2(errors[-2] / errors[-1]) - 2) < 0.1


# ------------------------------------------------------------------------------------ orders in time

ORDERS = [("jko", 1.0, 0.06), ("bdf2", 2.0, 0.15), ("midpoint", 2.0, 0.06)]


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
def test_ten_steps_follow_the_exact_discrete_flow_of_gaussians(time: str) -> None:
    """No time error is left in this comparison; what remains is the mesh, of order 2."""
    flow = closed_forms.gaussian_flow([1.5], 0.25, 0.1, 10, stiffness=1.0, scheme=time)
    exact = Gaussian(flow.means[-1], flow.covariances[-1])
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    errors = [w2(final(problem, QuantileJKO(levels=n, time=time), 0.1, 10), exact) for n in (100, 200, 400)]
    assert errors[-1] < 4e-5
    assert np.log2(errors[-2] / errors[-1]) > 1.8


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
@pytest.mark.parametrize("confinement", [0.0, 1.0])
def test_ten_steps_follow_the_exact_discrete_flow_of_barenblatt_profiles(
    time: str, confinement: float
) -> None:
    scales = closed_forms.barenblatt_flow(2, 1, 0.1, 10, confinement=confinement, scheme=time)
    energy = internal(2) + confinement * potential(bowl) if confinement else internal(2)
    problem = Problem(energy, initial=Barenblatt(dimension=1, m=2, t0=1.0))
    states, _ = march(problem, QuantileJKO(levels=1600, time=time), 0.1, 10)
    for state, scale in zip(states, scales, strict=True):
        assert np.sqrt(squared_norm(state.masses, state.edges - scale * states[0].edges)) < 1e-5


def ladder(problem: Problem, scheme: QuantileJKO, t_end: float, exact, steps=(10, 20, 40)) -> list[float]:
    return [w2(final(problem, scheme, t_end / n, n), exact) for n in steps]


@pytest.mark.parametrize(("time", "order", "slack"), ORDERS)
def test_the_order_in_time_against_the_ornstein_uhlenbeck_equation(
    time: str, order: float, slack: float
) -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    exact = Gaussian(1.5 * np.exp(-1), 1 - 0.75 * np.exp(-2))
    errors = ladder(problem, QuantileJKO(levels=3000, time=time), 1.0, exact)
    assert abs(np.log2(errors[-2] / errors[-1]) - order) < slack
    assert errors[-1] < {"jko": 1.1e-2, "bdf2": 3e-4, "midpoint": 8e-5}[time]


@pytest.mark.parametrize(("time", "order", "slack"), ORDERS)
@pytest.mark.parametrize("confinement", [0.0, 1.0])
def test_the_order_in_time_against_the_porous_medium_equation(
    time: str, order: float, slack: float, confinement: float
) -> None:
    energy = internal(2) + confinement * potential(bowl) if confinement else internal(2)
    problem = Problem(energy, initial=Barenblatt(dimension=1, m=2, t0=1.0))
    scale = closed_forms.barenblatt_scale(1.0, 2, 1, confinement=confinement)
    exact = Barenblatt(dimension=1, m=2, t0=closed_forms.profile_time(scale, 2, 1))
    steps = (5, 10, 20) if time == "midpoint" else (10, 20, 40)  # above the floor of the mesh, 3e-7
    errors = ladder(problem, QuantileJKO(levels=4000, time=time), 1.0, exact, steps)
    assert abs(np.log2(errors[-2] / errors[-1]) - order) < max(slack, 0.2 if time == "bdf2" else 0.0)


@pytest.mark.parametrize(("time", "order", "slack"), ORDERS)
def test_the_order_in_time_for_a_moving_potential(time: str, order: float, slack: float) -> None:
    """V = (x - sin t)^2 / 2: the mean obeys m' = sin t - m, so a V frozen at the wrong time shows."""
    problem = Problem(
        entropy() + potential(lambda x, t: 0.5 * ((x - np.sin(t)) ** 2).sum(-1)), initial=Gaussian(1.0, 1.0)
    )
    mean = 0.5 * (np.sin(1) - np.cos(1)) + 1.5 * np.exp(-1)
    found = [final(problem, QuantileJKO(levels=200, time=time), 1 / n, n).mean()[0] for n in (20, 40, 80)]
    errors = [abs(m - mean) for m in found]
    assert abs(np.log2(errors[-2] / errors[-1]) - order) < slack


@pytest.mark.parametrize("time", ["jko", "midpoint"])
def test_a_moving_potential_is_taken_at_the_time_each_method_says(time: str) -> None:
    """One step on the mean: (m' - m) / dt = s - (m' or the midpoint), s = sin at the new or the middle time."""
    moving = potential(lambda x, t: 0.5 * ((x - np.sin(t)) ** 2).sum(-1))
    problem = Problem(entropy() + moving, initial=Gaussian(1.0, 1.0)).at(2.0)
    dt, scheme = 0.3, QuantileJKO(levels=100, time=time)
    before = scheme.init(problem, RNG)
    after, _ = scheme.step(problem, before, dt, RNG)
    start, mean = (float(scheme.measure(problem, s).mean()[0]) for s in (before, after))
    middle = (start + dt / 2 * np.sin(2.0 + dt / 2)) / (1 + dt / 2)
    exact = 2 * middle - start if time == "midpoint" else (start + dt * np.sin(2.0 + dt)) / (1 + dt)
    assert abs(mean - exact) < 1e-9


def test_quadratic_aggregation_contracts_as_its_closed_form() -> None:
    """W = a z^2 / 2, D = 0: each step divides the distance to the mean by 1 + a dt, any initial measure."""
    problem = Problem(
        2.0 * interaction(Quadratic(1.0)), initial=Mixture([0.4, 0.6], [Gaussian(-1, 0.1), Gaussian(1, 0.3)])
    )
    states, _ = march(problem, QuantileJKO(levels=100), 0.3, 5)
    start = states[0]
    mean = start.masses @ (start.edges[:-1] + start.edges[1:]) / 2
    np.testing.assert_allclose(states[-1].edges - mean, (start.edges - mean) / 1.6**5, rtol=0, atol=1e-12)


def test_diffusion_with_quadratic_aggregation_has_gaussian_steps() -> None:
    flow = closed_forms.gaussian_flow([0.0], 0.25, 0.2, 5, stiffness=1.5)  # about the mean, W acts as V
    problem = Problem(entropy() + 1.5 * interaction(Quadratic(1.0)), initial=Gaussian(2.0, 0.25))
    found = final(problem, QuantileJKO(levels=400), 0.2, 5)
    assert w2(found, Gaussian([2.0], flow.covariances[-1])) < 4e-5
    general = Problem(entropy() + 1.5 * interaction(bowl), initial=Gaussian(2.0, 0.25))
    other = final(general, QuantileJKO(levels=60), 0.2, 2)
    same = final(problem, QuantileJKO(levels=60), 0.2, 2)
    assert np.sqrt(squared_norm(same.masses, other.edges - same.edges)) < 1e-9


# --------------------------------------------------------------------------- energy, dissipation, rest


def test_the_recorded_energy_is_the_objectives_own_and_never_rises() -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25), bounds=(-6, 6))
    scheme = QuantileJKO(levels=400)
    states, _ = march(problem, scheme, 0.005, 40)
    energies = [scheme.energy(problem, s) for s in states]
    assert max(np.diff(energies)) < 0
    measure = scheme.measure(problem, states[-1])
    rho, width, middle = (
        measure.masses / measure.widths,
        measure.widths,
        measure.edges[:-1] + measure.widths / 2,
    )
    direct = measure.masses @ (np.log(rho) + 0.5 * (middle**2 + width**2 / 12))
    np.testing.assert_allclose(energies[-1], direct, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("time", "order"), [("jko", 2), ("bdf2", 2), ("midpoint", 2)])
def test_the_dissipation_defect_vanishes_with_the_square_of_dt(time: str, order: int) -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    scheme = QuantileJKO(levels=400, time=time)
    defects = []
    for n in (20, 40, 80):
        states, infos = march(problem, scheme, 1 / n, n)
        total = sum(0.5 * (i.speed_squared + i.slope_squared) / n for i in infos)
        defects.append(abs(scheme.energy(problem, states[-1]) - scheme.energy(problem, states[0]) + total))
    assert np.log2(defects[-2] / defects[-1]) > order - 0.25
    assert defects[-1] < 2e-3


@pytest.mark.parametrize("time", ["jko", "midpoint"])
def test_the_reported_slope_is_the_dual_norm_of_the_gradient(time: str) -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    scheme = QuantileJKO(levels=50, time=time)
    (before, after), (info,) = march(problem, scheme, 0.1, 1)
    at = after.edges if time == "jko" else 0.5 * (before.edges + after.edges)
    gradient = QuantileEnergy(problem.energy, after.masses).gradient(at)
    matrix = np.array([mass_product(after.masses, e) for e in np.eye(at.size)])
    np.testing.assert_allclose(info.slope_squared, gradient @ np.linalg.solve(matrix, gradient), rtol=1e-5)
    np.testing.assert_allclose(info.speed_squared, info.slope_squared, rtol=1e-12)


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
@pytest.mark.parametrize("bounds", [None, (-1.5, 2.0)])
def test_an_equilibrium_stays_at_rest(time: str, bounds) -> None:
    energy = entropy() + potential(DoubleWell())
    start = Problem(energy, initial=Gaussian(0.3, 0.2), bounds=bounds)
    settled, _ = march(start, QuantileJKO(levels=80), 100.0, 4)
    problem = Problem(energy, initial=Quantiles(settled[-1].edges, settled[-1].masses), bounds=bounds)
    states, infos = march(problem, QuantileJKO(levels=80, time=time), 0.1, 5)
    np.testing.assert_allclose(states[-1].edges, states[0].edges, rtol=0, atol=1e-8)
    assert all(info.accepted for info in infos)
    exact = np.exp(-DoubleWell()(states[0].edges[:, None]))
    density = states[0].masses / np.diff(states[0].edges)
    wanted = 0.5 * (exact[1:] + exact[:-1])
    bulk = wanted > 0.2
    np.testing.assert_allclose(
        density[bulk] / density.max(), (wanted / wanted.max())[bulk], rtol=0, atol=0.02
    )


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
def test_a_vanishing_step_moves_by_minus_the_gradient(time: str) -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    (before, after), _ = march(problem, QuantileJKO(levels=40, time=time), 1e-9, 1)
    gradient = QuantileEnergy(problem.energy, before.masses).gradient(before.edges)
    matrix = np.array([mass_product(before.masses, e) for e in np.eye(before.edges.size)])
    np.testing.assert_allclose(
        (after.edges - before.edges) / 1e-9, -np.linalg.solve(matrix, gradient), rtol=1e-5
    )


# --------------------------------------------------------------------------------- walls and fallbacks


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
def test_heat_in_a_box_becomes_uniform_and_stays_inside(time: str) -> None:
    problem = Problem(entropy(), initial=Gaussian(0.5, 0.05), bounds=(-1, 2))
    states, _ = march(problem, QuantileJKO(levels=100, time=time), 0.2, 40)
    for state in states:
        assert state.edges[0] >= -1
        assert state.edges[-1] <= 2
        assert (np.diff(state.edges) > 0).all()
    density = states[-1].masses / np.diff(states[-1].edges)
    np.testing.assert_allclose(density, 1 / 3, rtol=0.1 if time == "midpoint" else 1e-4)  # not damped


@pytest.mark.parametrize("time", ["bdf2", "midpoint"])
def test_an_extrapolation_that_would_cross_is_replaced_by_a_jko_step_and_said_so(time: str) -> None:
    """A block of mass blown by V = -8 x against the wall of its box: its speed jumps to zero there."""
    wind = potential(lambda x: -8 * x.sum(-1))
    problem = Problem(0.1 * entropy() + wind, initial=Uniform((0, 1)), bounds=(0, 2))
    states, infos = march(problem, QuantileJKO(levels=50, time=time), 0.2, 6)
    refused = [k for k, info in enumerate(infos) if not info.accepted]
    assert refused
    k = refused[0]
    jko, _ = QuantileJKO(levels=50).step(problem, states[k], 0.2, RNG)
    assert np.array_equal(jko.edges, states[k + 1].edges)


def test_tails_that_meet_a_wall_do_not_cost_the_second_order() -> None:
    problem = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25), bounds=(-6, 6))
    for time in ("bdf2", "midpoint"):
        _, infos = march(problem, QuantileJKO(levels=400, time=time), 0.1, 10)
        assert all(info.accepted for info in infos)


# --------------------------------------------------------------------------------------------- the door


def test_it_says_which_problems_it_cannot_solve() -> None:
    scheme = QuantileJKO()
    line = Problem(entropy(), initial=Gaussian(0, 1))
    assert scheme.supports(line) is None
    assert "one dimension, got 2" in scheme.supports(Problem(entropy(), initial=Gaussian([0, 0], 1)))
    circle = Problem(entropy(), initial=Gaussian(0, 1), bounds=(-1, 1), boundary="periodic")
    assert "periodic" in scheme.supports(circle)
    cloud = Problem(entropy(), initial=Particles(np.arange(5.0)[:, None]))
    assert "kde" in scheme.supports(cloud)
    half = Density(Grid((0, 1), 4), np.full(4, 0.5))
    assert "mass 1, got 0.5" in scheme.supports(Problem(entropy(), initial=half))


def test_settings_are_checked_and_schemes_hashable() -> None:
    assert hash(QuantileJKO(levels=10)) == hash(QuantileJKO(levels=10))
    for bad in ({"levels": 1}, {"time": "bdf3"}, {"mesh": "fine"}, {"tol": 0.0}, {"iterations": 0}):
        with pytest.raises(ValueError, match=next(iter(bad))):
            QuantileJKO(**bad)


def test_the_suggested_step_keeps_minimisers_unique_and_scales_with_time() -> None:
    scheme = QuantileJKO(levels=100)
    double = Problem(0.1 * entropy() + potential(DoubleWell()), initial=Gaussian(0.0, 0.01))
    assert scheme.suggest_dt(double) * 4 < 1  # min V'' = -4
    slow = Problem(entropy() + potential(bowl), initial=Gaussian(1.5, 0.25))
    fast = Problem(10 * (entropy() + potential(bowl)), initial=Gaussian(1.5, 0.25))
    np.testing.assert_allclose(scheme.suggest_dt(slow), 10 * scheme.suggest_dt(fast), rtol=1e-10)
    speed = 1.5  # |dE| at N(1.5, 1/4): sqrt(1.5^2 + (2 - 1/2)^2) = 2.12
    assert 0.02 < scheme.suggest_dt(slow) * speed < 0.05
