"""Every closed form that verdicts rest on, each with its negative control.

A check is a function `residual(wrong)`: how far the formula, with one of its quantities multiplied by
1 + wrong, is from what defines it (the equation, an integral, a minimum). It must vanish for wrong = 0 and
must be seen for wrong = 1e-6, so that no check passes because it looks at nothing. Most defining relations
are evaluated with 30 digits; the numbers under test are those of the package.
"""

from __future__ import annotations

from collections.abc import Callable

import mpmath as mp
import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import gamma, iv

from validation import closed_forms, references
from wgf.measures import Barenblatt
from wgf.problems import (
    barenblatt,
    keller_segel_blow_up_time,
    keller_segel_second_moment,
    ornstein_uhlenbeck_moments,
    quadratic_aggregation,
    spectral_gap,
)

WRONG = 1e-6
POROUS = [(1, 2), (1, 3), (2, 2), (2, 3), (3, 2), (3, 3)]
FAST = [(1, 0.5), (2, 0.75), (3, 0.8)]
CONSTANTS = {
    (1, 2): 0.360562392577,
    (1, 3): 0.183776298474,
    (2, 2): 0.199471140201,
    (2, 3): 0.088943166629,
    (3, 2): 0.134810140819,
    (3, 3): 0.058711299317,
    (1, 0.5): 1.948888544860,
    (2, 0.75): 2.112307020511,
    (3, 0.8): 2.614597266411,
}
TURNING = np.array([[1.2, 2.0], [-1.5, 0.4]])
TENSOR = np.array([[0.9, 0.3], [0.3, 0.4]])
START = np.array([1.5, -1.0]), np.array([[0.4, 0.1], [0.1, 0.2]])


def holds(residual: Callable[[float], float], tolerance: float) -> None:
    """The residual is below the tolerance, and a formula wrong by 1e-6 is at least ten times above it."""
    assert residual(0.0) < tolerance
    assert residual(WRONG) > 10 * tolerance


def sphere(d: int) -> float:
    """Surface of the unit sphere of R^d."""
    return float(2 * np.pi ** (d / 2) / gamma(d / 2))


# ------------------------------------------------------------------------ Ornstein-Uhlenbeck, heat


@pytest.mark.parametrize("t", [0.3, 1.1])
def test_the_moments_of_a_turning_flow_with_a_tensor_obey_their_equations(t):
    """dS/dt = -A S - S A' + 2 D and dm/dt = -A m, for A not symmetric (Van Loan's block exponential)."""

    def residual(wrong: float) -> float:
        def moments(s: float) -> tuple[np.ndarray, np.ndarray]:
            return ornstein_uhlenbeck_moments(s, TURNING, TENSOR * (1 + wrong), *START)

        h = 1e-3
        states = [moments(t + k * h) for k in (-2, -1, 1, 2)]
        m, S = moments(t)
        slopes = [
            (states[0][i] - 8 * states[1][i] + 8 * states[2][i] - states[3][i]) / (12 * h) for i in (0, 1)
        ]
        gap = slopes[1] + TURNING @ S + S @ TURNING.T - 2 * TENSOR
        return float(np.abs(gap).max() + np.abs(slopes[0] + TURNING @ m).max())

    holds(residual, 1e-9 * 50)


def test_the_moments_of_the_yardsticks_agree_with_those_of_the_package():
    A = np.array([[1.5, 0.5], [0.5, 1.0]])

    def residual(wrong: float) -> float:
        _, ours = ornstein_uhlenbeck_moments(0.7, A, 0.6 * np.eye(2), *START)
        _, yardstick = references.ou_moments(A, *START, 0.7, D=0.6 * (1 + wrong))
        return float(np.abs(ours - yardstick).max())

    holds(residual, 1e-12)


def test_the_covariance_of_a_reversible_flow_relaxes_to_diffusion_over_stiffness():
    A, D, t = np.array([[1.5, 0.5], [0.5, 1.0]]), 0.6, 0.7

    def residual(wrong: float) -> float:
        rest, decay = (1 + wrong) * D * np.linalg.inv(A), expm(-t * A)
        _, found = ornstein_uhlenbeck_moments(t, A, D * np.eye(2), *START)
        return float(np.abs(found - rest - decay @ (START[1] - rest) @ decay).max())

    holds(residual, 1e-12)


def test_heat_adds_twice_the_diffusion_times_the_time():
    def residual(wrong: float) -> float:
        _, found = ornstein_uhlenbeck_moments(0.9, np.zeros((2, 2)), TENSOR, *START)
        return float(np.abs(found - START[1] - 2 * (1 + wrong) * 0.9 * TENSOR).max())

    holds(residual, 1e-13)


def test_the_divergence_to_the_equilibrium_falls_at_least_at_twice_the_slowest_rate():
    A = np.array([[1.5, 0.5], [0.5, 1.0]])
    rest, slow = np.linalg.inv(A), float(np.linalg.eigvalsh(A)[0])

    def divergence(t: float) -> float:
        m, S = ornstein_uhlenbeck_moments(t, A, np.eye(2), *START)
        return 0.5 * float(np.trace(A @ S) - 2 + m @ A @ m - np.linalg.slogdet(A @ S)[1])

    assert abs(divergence(40.0)) < 1e-14
    assert np.abs(rest @ A - np.eye(2)).max() < 1e-14
    times = np.linspace(0.0, 6.0, 61)
    scaled = np.array([divergence(t) * np.exp(2 * slow * t) for t in times])
    assert (np.diff(scaled) < 1e-12).all()
    faster = scaled * np.exp(0.05 * times)  # five per cent of the rate too much is refuted
    assert np.diff(faster).max() > 1e-3


# ------------------------------------------------------------------------ Barenblatt and relatives


def profile(r, t, d: int, m: float, C, k, p):
    """t^-a (C -+ k r^2 t^-2b)^(+-p) with 30 digits."""
    a, m = mp.mpf(d) / (d * (mp.mpf(m) - 1) + 2), mp.mpf(m)
    inside = C - mp.sign(m - 1) * k * r**2 * t ** (-2 * a / d)
    inside = max(inside, mp.mpf(0))  # rounding at the free edge
    return t**-a * inside ** (mp.sign(m - 1) * p)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
def test_the_profile_solves_the_equation_pointwise(d, m):
    """d_t rho = r^(1-d) (r^(d-1) (rho^m)')', by differences of 30 digits; k is what the equation fixes."""
    measure = Barenblatt(dimension=d, m=m, t0=1.0)

    def residual(wrong: float) -> float:
        with mp.workdps(30):
            exact = mp.mpf(measure.a) / d * abs(mp.mpf(m) - 1) / (2 * mp.mpf(m)) * (1 + mp.mpf(wrong))
            p = 1 / abs(mp.mpf(m) - 1)

            def rho(r, t):
                return profile(r, t, d, m, mp.mpf(measure.C), exact, p)

            found = []
            for r, t in ((0.3, 0.8), (0.9, 1.3)):
                r, t = mp.mpf(r) * measure.scale, mp.mpf(t)
                left = mp.diff(lambda s, r=r: rho(r, s), t)
                slope = mp.diff(lambda s, t=t: rho(s, t) ** m, r)
                right = mp.diff(lambda s, t=t: rho(s, t) ** m, r, 2) + (d - 1) / r * slope
                found.append(abs(left / right - 1))
            return float(max(found))

    holds(residual, 1e-14)
    np.testing.assert_allclose(measure.k, measure.b * abs(m - 1) / (2 * m), rtol=1e-15)
    x = np.linspace(0.05, 0.8, 5)[:, None] * measure.scale * np.eye(d)[0]
    expected = [float(profile(mp.mpf(v), mp.mpf(1), d, m, measure.C, measure.k, measure.p)) for v in x[:, 0]]
    np.testing.assert_allclose(measure.pdf(x), expected, rtol=1e-13)


def moments(d: int, m: float, wrong: float) -> tuple[float, float, float]:
    """(mass, second moment, energy) of the profile of time 1 with C multiplied by 1 + wrong, 30 digits."""
    measure = Barenblatt(dimension=d, m=m, t0=1.0)
    with mp.workdps(30):
        C, k, p = mp.mpf(measure.C) * (1 + mp.mpf(wrong)), mp.mpf(measure.k), 1 / abs(mp.mpf(m) - 1)
        reach = mp.sqrt(C / k)

        def integral(power, radius):
            def inside(r):
                return profile(r, mp.mpf(1), d, m, C, k, p) ** power * r ** (d - 1 + radius)

            if m > 1:  # r = reach sin(angle) takes the root at the free edge away
                end = mp.pi / 2
                total = mp.quad(lambda q: inside(reach * mp.sin(q)) * reach * mp.cos(q), [0, end / 2, end])
            else:
                total = mp.quad(inside, [0, reach, 10 * reach, mp.inf])
            return float(mp.mpf(sphere(d)) * total)

        return integral(1, 0), integral(1, 2), integral(mp.mpf(m), 0) / (m - 1)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
def test_the_height_of_the_profile_makes_its_mass_one(d, m):
    holds(lambda wrong: abs(moments(d, m, wrong)[0] - 1), 1e-9 * 50)
    measure = Barenblatt(dimension=d, m=m, t0=1.0)
    holds(lambda wrong: abs(measure.C * (1 + wrong) - CONSTANTS[d, m]), 2e-12)
    if m > 1:
        holds(lambda wrong: abs(measure.radius * (1 + wrong) - np.sqrt(CONSTANTS[d, m] / measure.k)), 2e-11)


@pytest.mark.parametrize(("d", "m"), POROUS)
def test_the_second_moment_and_the_energy_have_their_closed_forms(d, m):
    """int |x|^2 rho = d C / (k (d + 2p + 2)) and E = b m2 / (d (m-1)) at time 1."""
    measure = Barenblatt(dimension=d, m=m, t0=1.0)
    _, second, energy = moments(d, m, 0.0)
    closed = d * measure.C / (measure.k * (d + 2 * measure.p + 2))
    holds(lambda wrong: abs(closed * (1 + wrong) / second - 1), 1e-10)
    holds(lambda wrong: abs(float(np.trace(measure.cov())) * (1 + wrong) / second - 1), 1e-10)
    holds(lambda wrong: abs(measure.b * closed / (d * (m - 1)) * (1 + wrong) / energy - 1), 1e-10)
    later = Barenblatt(dimension=d, m=m, t0=3.0)
    grown = closed * 3.0 ** (2 * measure.b)
    holds(lambda wrong: abs(grown * (1 + wrong) / float(np.trace(later.cov())) - 1), 1e-12)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
@pytest.mark.parametrize("kappa", [0.6, 1.3])
def test_confinement_is_a_change_of_clock(d, m, kappa):
    """rho(x, t) = e^(d kappa t) B(e^(kappa t) x, s(t)) solves d_t rho = lap rho^m + kappa div(rho x)."""
    b, t0, x, t = 1 / (d * (m - 1) + 2), 0.6, 0.4, 0.15
    measure = Barenblatt(dimension=d, m=m, t0=t0)

    def residual(wrong: float) -> float:
        with mp.workdps(30):
            k = mp.mpf(b) * abs(mp.mpf(m) - 1) / (2 * mp.mpf(m))

            def rho(r, s):
                clock = t0 + (mp.exp(kappa * s / b) - 1) * b / kappa * (1 + mp.mpf(wrong))
                inner = profile(mp.exp(kappa * s) * r, clock, d, m, measure.C, k, 1 / abs(mp.mpf(m) - 1))
                return mp.exp(d * kappa * s) * inner

            r, s = mp.mpf(x), mp.mpf(t)
            left = mp.diff(lambda q: rho(r, q), s)
            right = mp.diff(lambda q: rho(q, s) ** m, r, 2)
            right += (d - 1) / r * mp.diff(lambda q: rho(q, s) ** m, r)
            right += kappa * (d * rho(r, s) + r * mp.diff(lambda q: rho(q, s), r))
            return float(abs(left - right) / abs(left))

    holds(residual, 1e-9)
    problem = barenblatt(d, m, t0=t0, confinement=kappa)
    l = closed_forms.barenblatt_scale(t, m, d, t0=t0, confinement=kappa)
    same = Barenblatt(dimension=d, m=m, t0=closed_forms.profile_time(l, m, d))
    point = np.full(d, x / np.sqrt(d))[None]
    np.testing.assert_allclose(problem.exact(t).pdf(point), same.pdf(point), rtol=1e-12)


# ---------------------------------------------------------------------------- nonlocal equations


def test_quadratic_aggregation_keeps_the_mean_and_relaxes_the_variance():
    """dS/dt = 2 D - 2 S: the moments of grad(W * rho) = x - mean."""

    def residual(wrong: float) -> float:
        problem = quadratic_aggregation(1, diffusion=0.5 * (1 + wrong), mean=0.7, cov=2.0)
        h, t = 1e-3, 0.4
        later, now, before = (float(problem.exact(t + s).cov()[0, 0]) for s in (h, 0.0, -h))
        slope = (later - before) / (2 * h) / (np.sinh(2 * h) / (2 * h))  # exact for e^(-2t)
        return abs(slope - 2 * 0.5 + 2 * now) + abs(float(problem.exact(t).mean()[0]) - 0.7)

    holds(residual, 1e-9 * 50)


@pytest.mark.parametrize("mass", [5.0, 8 * np.pi, 40.0])
def test_the_second_moment_of_keller_segel_moves_as_the_flux_says(mass):
    """d/dt int r^2 rho from diffusion and the attraction of the enclosed mass, for a Gaussian."""
    width = 0.8

    def flux(r: float) -> float:
        rho = np.exp(-(r**2) / (2 * width**2)) / (2 * np.pi * width**2)
        enclosed = -np.expm1(-(r**2) / (2 * width**2))
        return rho * r / width**2 - rho * mass * enclosed / (2 * np.pi * r)

    speed = quad(lambda r: 4 * np.pi * r**2 * flux(r), 0, 14 * width, epsabs=1e-13)[0]
    start = 2 * width**2
    holds(lambda wrong: abs(keller_segel_second_moment(1.0, mass * (1 + wrong), start) - start - speed), 1e-8)
    if mass > 8 * np.pi:
        end = keller_segel_blow_up_time(mass, start)
        holds(lambda wrong: abs(keller_segel_second_moment(end * (1 + wrong), mass, start)), 1e-12)


def test_the_critical_profile_of_keller_segel_carries_no_flux():
    """rho = 8 l / (l + r^2)^2 of mass 8 pi: rho' + rho M(r) / (2 pi r) = 0."""
    scale = 0.9
    r = np.linspace(0.01, 20, 2000)

    def residual(wrong: float) -> float:
        rho = 8 * scale * (1 + wrong) / (scale + r**2) ** 2
        slope = -32 * scale * r / (scale + r**2) ** 3
        enclosed = 8 * np.pi * r**2 / (scale + r**2)
        return float(np.abs(slope + rho * enclosed / (2 * np.pi * r)).max())

    holds(residual, 1e-13)
    disk = [quad(lambda s: 2 * np.pi * s * 8 * scale / (scale + s**2) ** 2, 0, R)[0] for R in (0.5, 3.0)]
    np.testing.assert_allclose(disk, [8 * np.pi * R**2 / (scale + R**2) for R in (0.5, 3.0)], rtol=1e-11)


# -------------------------------------------------------------------------------- the double well


def test_the_double_well_has_its_closed_normalisation():
    closed = np.pi / 2 * np.exp(-0.5) * (iv(-0.25, 0.5) + iv(0.25, 0.5))
    Z = quad(lambda x: np.exp(-((x * x - 1) ** 2)), -6, 6, epsabs=1e-14, limit=200)[0]
    holds(lambda wrong: abs(closed * (1 + wrong) - Z), 1e-12)
    holds(lambda wrong: abs(1.97373215008982 * (1 + wrong) - Z), 1e-12)


@pytest.mark.parametrize(("D", "gap"), [(1.0, 0.748681672), (0.5, 0.2272733010), (0.25, 0.0297795933)])
def test_the_gaps_of_the_double_well_agree_by_two_routes(D, gap):
    holds(lambda wrong: abs(spectral_gap(D) * (1 + wrong) / gap - 1), 2e-9)
    holds(lambda wrong: abs(references.well(D).gap * (1 + wrong) / gap - 1), 2e-9)


# --------------------------------------------------------------------------- steps, discrete in time


def argmin(f: Callable[[float], float], at: float) -> float:
    """The root of f' near `at`, with 30 digits."""
    with mp.workdps(30):
        return float(mp.findroot(lambda l: mp.diff(f, l), mp.mpf(at)))


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
@pytest.mark.parametrize("kappa", [0.0, 0.8])
def test_the_dilation_of_a_jko_step_minimises_cost_plus_energy(d, m, kappa):
    """(l - mu)^2 m2 / (2 tau) + E(1) l^(-d(m-1)) + kappa l^2 m2 / 2 over the scale l."""
    tau, mu = 0.3, 0.9
    measure = Barenblatt(dimension=d, m=m, t0=1.0)
    second = float(np.trace(measure.cov()))
    energy = measure.b * second / (d * (m - 1))

    def objective(l):
        return (l - mu) ** 2 * second / (2 * tau) + energy * l ** (-d * (m - 1)) + kappa * l**2 * second / 2

    found = float(closed_forms.dilation_step(m, d, kappa)(np.array(mu), tau))
    assert abs(found - mu) > 1e-3
    holds(lambda wrong: abs(found * (1 + wrong) - argmin(objective, mu)), 1e-10)


def test_the_distance_of_two_dilations_is_the_root_of_the_second_moment():
    """W2^2 = (l - mu)^2 m2(1), by quantile functions on the line."""
    first, second = (Barenblatt(dimension=1, m=2, t0=t) for t in (1.0, 1.7))
    squared = quad(lambda u: float(first.quantile(u) - second.quantile(u)) ** 2, 0, 1, epsabs=1e-13)[0]
    closed = (1.7 ** (1 / 3) - 1) ** 2 * float(first.cov()[0, 0])
    holds(lambda wrong: abs(closed * (1 + wrong) / squared - 1), 1e-9 * 50)


@pytest.mark.parametrize(("D", "k"), [(0.7, 1.5), (0.7, 0.0), (1.0, -0.4)])
def test_the_gaussian_of_a_jko_step_minimises_cost_plus_energy(D, k):
    """(l - s)^2 / (2 tau) - D log l + k l^2 / 2 over l; (c - m)^2 / (2 tau) + k c^2 / 2 over c."""
    tau, s, mean = 0.3, 0.6, 1.2
    flow = closed_forms.gaussian_flow([mean], [[s * s]], tau, 1, diffusion=D, stiffness=k)
    l, c = float(np.sqrt(flow.covariances[1, 0, 0])), float(flow.means[1, 0])
    best = argmin(lambda z: (z - s) ** 2 / (2 * tau) - D * mp.log(z) + k * z**2 / 2, s)
    holds(lambda wrong: abs(l * (1 + wrong) - best), 1e-12)
    closed = (s + np.sqrt(s * s + 4 * (1 + tau * k) * tau * D)) / (2 * (1 + tau * k))
    holds(lambda wrong: abs(closed * (1 + wrong) - best), 1e-12)
    center = argmin(lambda z: (z - mean) ** 2 / (2 * tau) + k * z**2 / 2, 0.5)
    holds(lambda wrong: abs(c * (1 + wrong) - center), 1e-12)


@pytest.mark.parametrize(
    ("scheme", "recursion"),
    [
        ("jko", lambda l, before, tau: (l, tau, 1.0, 0.0)),
        ("midpoint", lambda l, before, tau: (l, tau / 2, 2.0, -1.0)),
        ("bdf2", lambda l, before, tau: ((4 * l - before) / 3, 2 * tau / 3, 1.0, 0.0)),
    ],
)
def test_the_discrete_trajectories_solve_their_recursions(scheme, recursion):
    """Every step's own equation (l' - y) / tau' = b l'^-q - kappa l' for the porous medium, m = 2, d = 2."""
    tau, kappa, q, b = 0.2, 0.5, 3.0, 0.25
    path = closed_forms.barenblatt_flow(2, 2, tau, 6, confinement=kappa, scheme=scheme)

    def residual(wrong: float) -> float:
        worst = 0.0
        for n in range(2, 6):
            target, step, factor, shift = recursion(path[n], path[n - 1], tau)
            inner = (path[n + 1] * (1 + wrong) - shift * path[n]) / factor
            worst = max(worst, abs((inner - target) / step - b * inner**-q + kappa * inner))
        return worst

    holds(residual, 1e-12)
