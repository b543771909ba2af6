"""GaussianJKO: the published orders to their digits, exact steps, what every step keeps, and its refusals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from validation import closed_forms
from wgf.energies import Quadratic, entropy, potential
from wgf.loop import solve
from wgf.measures import Gaussian
from wgf.problem import Problem
from wgf.problems import ornstein_uhlenbeck_path
from wgf.schemes.jko.gaussian import steps as steps
from wgf.schemes.jko.gaussian.energy import quadratic_energy
from wgf.schemes.jko.gaussian.scheme import GaussianJKO, GaussianState
from wgf.transport.bures import from_moments

RNG = np.random.default_rng(0)  # no scheme here draws from it
TIMES = ("jko", "bdf2", "evbdf2", "midpoint")
many = settings(max_examples=200, deadline=None)

# the problem of the table of orders: covariance and potential do not commute
A, CENTER = np.array([[2.0, 0.6], [0.6, 0.7]]), np.array([0.5, -1.0])
START = Gaussian([2.0, 1.0], [[0.5, -0.4], [-0.4, 1.2]])
COUNTS = (10, 20, 40, 80, 160)
TABLE = {
    "jko": (5.631e-2, 2.853e-2, 1.436e-2, 7.202e-3, 3.606e-3),
    "forward_backward": (5.875e-2, 2.908e-2, 1.446e-2, 7.209e-3, 3.599e-3),
    "frozen_half": (1.054e-2, 4.497e-3, 2.068e-3, 9.906e-4, 4.847e-4),
    "midpoint": (2.127e-3, 5.306e-4, 1.326e-4, 3.314e-5, 8.284e-6),
    "richardson": (3.147e-3, 9.060e-4, 2.445e-4, 6.362e-5, 1.623e-5),
    "evbdf2": (8.995e-3, 2.184e-3, 5.381e-4, 1.336e-4, 3.328e-5),
    "bdf2": (8.995e-3, 2.184e-3, 5.381e-4, 1.336e-4, 3.328e-5),
}


def tilted() -> Problem:
    return Problem(entropy() + potential(Quadratic(A, center=CENTER)), initial=START)


def exact(t: float) -> Gaussian:
    path = ornstein_uhlenbeck_path(A, 1.0, START.center - CENTER, START.covariance)(t)
    return Gaussian(path.center + CENTER, path.covariance)


def w2(mean, cov, other: Gaussian) -> float:
    return float(np.sqrt(from_moments(mean, cov, other.center, other.covariance)))


def energy_of(A, D=1.0, center=None, d=2):
    problem_energy = D * entropy() + potential(Quadratic(A, center=center))
    return quadratic_energy(problem_energy, np.zeros(d), np.eye(d))


def forward_backward(mean, cov, tau):
    """Explicit in the potential, then a JKO step of the entropy."""
    push = np.eye(2) - tau * A
    heat = energy_of(np.zeros((2, 2)))
    moved = steps.jko(heat, mean - tau * A @ (mean - CENTER), push @ cov @ push, tau)
    return moved.mean, moved.cov


def frozen_half(mean, cov, tau):
    """Looks like Crank-Nicolson: half of the energy by its variation at the old density. Order one."""
    half = 0.5 * np.linalg.inv(cov)
    moved = steps.jko(energy_of(A - half, 0.5), np.zeros(2), cov, tau)
    right = mean + tau * (A @ CENTER - half @ mean)
    return np.linalg.solve(np.eye(2) + tau * (A - half), right), moved.cov


def richardson(mean, cov, tau):
    """2 (two half steps) - (one step), as maps."""
    energy = energy_of(A, center=CENTER)
    whole, half = steps.jko(energy, mean, cov, tau), steps.jko(energy, mean, cov, tau / 2)
    second = steps.jko(energy, half.mean, half.cov, tau / 2)
    map = 2 * second.map @ half.map - whole.map
    return 2 * second.mean - whole.mean, map @ cov @ map.T


def errors_of(name: str, counts=COUNTS) -> np.ndarray:
    found = []
    for n in counts:
        mean, cov = START.center, START.covariance
        if name in TIMES:
            run = solve(tilted(), GaussianJKO(time=name), t_end=1.0, dt=1 / n)
            assert run.stats["fallback_steps"] == 0
            mean, cov = run.final.center, run.final.covariance
        else:
            step = {"forward_backward": forward_backward, "frozen_half": frozen_half}.get(name, richardson)
            for _ in range(n):
                mean, cov = step(mean, cov, 1 / n)
        found.append(w2(mean, cov, exact(1.0)))
    return np.array(found)


# ------------------------------------------------------------------------------------------- orders


@pytest.mark.parametrize("name", TABLE)
def test_the_table_of_orders_is_reproduced_to_its_digits(name: str) -> None:
    np.testing.assert_allclose(errors_of(name), TABLE[name], rtol=5.1e-4, atol=0)


def fitted_order(name: str) -> float:
    counts = (20, 40, 80, 160)
    return float(-np.polyfit(np.log(counts), np.log(errors_of(name, counts)), 1)[0])


@pytest.mark.parametrize(("name", "order"), [("jko", 1), ("bdf2", 2), ("evbdf2", 2), ("midpoint", 2)])
def test_every_time_scheme_has_its_order(name: str, order: int) -> None:
    assert abs(fitted_order(name) - order) < (0.1 if order == 1 else 0.15)


def test_freezing_half_of_the_energy_fails_the_test_of_order_two() -> None:
    """The negative control: a scheme that looks second order and is not."""
    assert abs(fitted_order("frozen_half") - 2) >= 0.15
    assert abs(fitted_order("frozen_half") - 1) < 0.1


@pytest.mark.parametrize("time", TIMES)
def test_the_dissipation_defect_is_positive_and_of_second_order(time: str) -> None:
    defects = np.array(
        [
            solve(tilted(), GaussianJKO(time=time), t_end=1.0, dt=1 / n).dissipation_defect()
            for n in (40, 80, 160)
        ]
    )
    assert (defects > 0).all()
    orders = np.log2(defects[:-1] / defects[1:])
    assert np.abs(orders - 2).max() < 0.05


@pytest.mark.parametrize("time", ["jko", "bdf2", "midpoint"])
def test_commuting_matrices_follow_the_scalar_recursions(time: str) -> None:
    flow = closed_forms.gaussian_flow(
        [1.0, -2.0], np.diag([0.3, 2.0]), 0.2, 8, diffusion=0.7, stiffness=np.diag([1.5, 0.4]), scheme=time
    )
    problem = Problem(
        0.7 * entropy() + potential(Quadratic([1.5, 0.4])), initial=Gaussian([1.0, -2.0], [0.3, 2.0])
    )
    for name in (time, "evbdf2") if time == "bdf2" else (time,):
        run = solve(problem, GaussianJKO(time=name), t_end=1.6, dt=0.2, save_at=0.2)
        np.testing.assert_allclose([m.center for m in run.measures], flow.means, rtol=0, atol=1e-11)
        np.testing.assert_allclose([m.covariance for m in run.measures], flow.covariances, rtol=0, atol=1e-11)


def test_the_variational_bdf2_step_differs_from_the_extrapolated_one_when_matrices_do_not_commute() -> None:
    ends = [
        solve(tilted(), GaussianJKO(time=name), t_end=1.0, dt=0.25).final.covariance
        for name in ("bdf2", "evbdf2")
    ]
    gap = np.abs(ends[0] - ends[1]).max()
    assert 1e-9 < gap < 1e-3


# -------------------------------------------------------------------------------------- one step


def spd(rng: np.random.Generator, d: int, low: float, high: float) -> np.ndarray:
    q = np.linalg.qr(rng.standard_normal((d, d)))[0]
    return (q * np.exp(rng.uniform(np.log(low), np.log(high), d))) @ q.T


def drawn(seed: int, d: int):
    """Potential matrix and center, diffusion, mean and covariance, none of which commute."""
    rng = np.random.default_rng(seed)
    A, center = spd(rng, d, 0.05, 5.0), rng.standard_normal(d)
    return energy_of(A, float(rng.uniform(0.1, 2)), center, d), rng.standard_normal(d), spd(rng, d, 0.05, 5.0)


seeds, dimensions = st.integers(0, 2**32 - 1), st.integers(1, 5)
taus = st.floats(-3, 1).map(lambda e: 10.0**e)


@many
@given(seeds, dimensions, taus)
def test_a_jko_step_satisfies_its_euler_lagrange_equation(seed, d, tau) -> None:
    """P^-1 = I + tau (A - D S'^-1) and P S P = S'; a step with another tau does not."""
    energy, mean, cov = drawn(seed, d)
    moved = steps.jko(energy, mean, cov, tau)
    right = np.eye(d) + tau * energy.strain(moved.cov)
    scale = 1 + np.abs(right).max() * np.linalg.cond(cov)
    np.testing.assert_allclose(moved.map @ right, np.eye(d), rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(moved.map @ cov @ moved.map, moved.cov, rtol=0, atol=1e-12 * np.abs(cov).max())
    np.testing.assert_allclose(
        moved.mean + tau * energy.force(moved.mean), mean, rtol=0, atol=1e-12 * (1 + tau)
    )
    np.testing.assert_allclose(steps.optimal_map(cov, moved.cov), moved.map, rtol=0, atol=1e-11 * scale)
    off = steps.jko(energy, mean, cov, 1.001 * tau)
    gap = np.abs(off.map @ (np.eye(d) + tau * energy.strain(off.cov)) - np.eye(d)).max()
    resting = np.abs(energy.strain(cov)).max() * tau
    assert gap > 1e-6 * min(resting, 1.0)


@many
@given(seeds, dimensions, taus)
def test_a_jko_step_lowers_the_energy_by_half_its_squared_speed(seed, d, tau) -> None:
    energy, mean, cov = drawn(seed, d)
    moved = steps.jko(energy, mean, cov, tau)
    distance = from_moments(mean, cov, moved.mean, moved.cov)
    before, after = energy.value(mean, cov), energy.value(moved.mean, moved.cov)
    assert after + distance / (2 * tau) <= before + 1e-12 * (1 + abs(before))
    assert steps.positive(moved.cov)


@many
@given(st.floats(0.01, 10), st.floats(0.01, 10), st.floats(0, 5), taus)
def test_jko_steps_contract_standard_deviations(s, r, a, tau) -> None:
    """|J(s) - J(r)| <= |s - r| / (1 + a tau)."""
    energy = energy_of([[a]], d=1)
    ends = [np.sqrt(steps.jko(energy, np.zeros(1), np.array([[v**2]]), tau).cov[0, 0]) for v in (s, r)]
    assert abs(ends[0] - ends[1]) <= abs(s - r) / (1 + a * tau) * (1 + 1e-12) + 1e-13


@many
@given(seeds, dimensions, taus)
def test_a_step_turns_and_shifts_with_its_problem(seed, d, tau) -> None:
    energy, mean, cov = drawn(seed, d)
    rng = np.random.default_rng(seed + 1)
    turn, shift = np.linalg.qr(rng.standard_normal((d, d)))[0], rng.standard_normal(d)
    A, slope, _ = energy.potential
    moved = steps.jko(energy, mean, cov, tau)
    center = turn @ np.linalg.solve(A, -slope) + shift
    turned = energy_of(turn @ A @ turn.T, energy.diffusion, center, d)
    image = steps.jko(turned, turn @ mean + shift, turn @ cov @ turn.T, tau)
    np.testing.assert_allclose(image.mean, turn @ moved.mean + shift, rtol=0, atol=1e-9)
    np.testing.assert_allclose(image.cov, turn @ moved.cov @ turn.T, rtol=0, atol=1e-11 * (1 + tau))


@many
@given(seeds, dimensions, taus, st.sampled_from(TIMES))
def test_the_equilibrium_rests_under_every_scheme(seed, d, tau, time) -> None:
    energy, _, _ = drawn(seed, d)
    A, slope, _ = energy.potential
    mean, cov = np.linalg.solve(A, -slope), energy.diffusion * np.linalg.inv(A)
    problem = Problem(
        energy.diffusion * entropy() + potential(Quadratic(A, center=mean)), initial=Gaussian(mean, cov)
    )
    state = GaussianState(mean, cov, mean, cov, 1)
    after, info = GaussianJKO(time=time).step(problem, state, tau, RNG)
    assert info.accepted
    scale = np.abs(cov).max() * np.linalg.cond(cov)
    np.testing.assert_allclose(after.mean, mean, rtol=0, atol=1e-11 * scale * (1 + tau))
    np.testing.assert_allclose(after.cov, cov, rtol=0, atol=1e-13 * scale * (1 + tau))


def functional(energy, tau, mean, cov, previous=None):
    """The objective of a step over (mean, lower factor), by the distance formula alone."""

    def value(z):
        m, factor = z[:2], np.zeros((2, 2))
        factor[np.tril_indices(2)] = z[2:]
        s = factor @ factor.T
        here = from_moments(m, s, mean, cov)
        if previous is None:
            return here / (2 * tau) + energy.value(m, s)
        return here / tau - from_moments(m, s, *previous) / (4 * tau) + energy.value(m, s)

    return value


@pytest.mark.parametrize("time", ["jko", "bdf2"])
def test_a_step_is_found_again_by_direct_minimisation(time: str) -> None:
    """BFGS over means and Cholesky factors, ignorant of every formula of the scheme but W2 and E."""
    problem, tau = tilted(), 0.3
    energy = energy_of(A, center=CENTER)
    scheme = GaussianJKO(time=time)
    first, _ = scheme.step(problem, scheme.init(problem, RNG), tau, RNG)
    second, info = scheme.step(problem, first, tau, RNG)
    assert info.accepted
    previous = (first.previous_mean, first.previous_cov) if time == "bdf2" else None
    value = functional(energy, tau, first.mean, first.cov, previous)
    start = np.concatenate([first.mean, np.linalg.cholesky(first.cov)[np.tril_indices(2)]])
    found = minimize(value, start, method="BFGS", options={"gtol": 1e-8}).x
    best = np.concatenate([second.mean, np.linalg.cholesky(second.cov)[np.tril_indices(2)]])
    np.testing.assert_allclose(best, found, rtol=0, atol=2e-6)
    assert value(best) <= value(found) + 1e-13
    assert value(best * 1.001) > value(best) + 1e-7


def test_an_extrapolation_that_is_no_optimal_map_becomes_a_jko_step() -> None:
    """s = 5, a = 1.3: midpoint gives s = 0.35 at tau a = 1.95 and would give -0.28 at tau a = 2.6."""
    problem = Problem(entropy() + potential(Quadratic([[1.3]])), initial=Gaussian(0.0, 25.0))
    ends = []
    for tau in (1.5, 2.0):
        scheme = GaussianJKO(time="midpoint")
        ends.append(scheme.step(problem, scheme.init(problem, RNG), tau, RNG))
    assert ends[0][1].accepted
    np.testing.assert_allclose(np.sqrt(ends[0][0].cov[0, 0]), 0.35, atol=5e-3)
    assert not ends[1][1].accepted
    plain = GaussianJKO().step(problem, scheme.init(problem, RNG), 2.0, RNG)[0]
    np.testing.assert_array_equal(ends[1][0].cov, plain.cov)
    for time in ("bdf2", "evbdf2"):  # shrunk to a fifth in the last step: 4 - T < 0
        state = GaussianState(np.zeros(1), np.eye(1), np.zeros(1), 25 * np.eye(1), 1)
        assert not GaussianJKO(time=time).step(problem, state, 0.1, RNG)[1].accepted
