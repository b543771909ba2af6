"""Closed forms for any mass, time and scheme: what `test_formulas.py` shows at mass and time 1, in general.

Each with its negative control: the formula, wrong by 1e-6, is at least ten tolerances away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.linalg import expm
from scipy.special import gamma

from validation import closed_forms
from wgf.measures import Barenblatt
from wgf.problems import ornstein_uhlenbeck_moments

POROUS = [(1, 2), (1, 3), (2, 2), (2, 3), (3, 2), (3, 3)]
FAST = [(1, 0.5), (2, 0.75), (3, 0.8)]
TURNING = np.array([[1.2, 2.0], [-1.5, 0.4]])
TENSOR = np.array([[0.9, 0.3], [0.3, 0.4]])
START = np.array([1.5, -1.0]), np.array([[0.4, 0.1], [0.1, 0.2]])


def holds(residual: Callable[[float], float], tolerance: float) -> None:
    """The residual is below the tolerance, and a formula wrong by 1e-6 is at least ten times above it."""
    assert residual(0.0) < tolerance
    assert residual(1e-6) > 10 * tolerance


def sphere(d: int) -> float:
    """Surface of the unit sphere of R^d."""
    return float(2 * np.pi ** (d / 2) / gamma(d / 2))


def test_the_mean_of_a_turning_flow_is_carried_by_the_exponential():
    A = TURNING

    def residual(wrong: float) -> float:
        mean, _ = ornstein_uhlenbeck_moments(0.7, A, TENSOR, *START)
        return float(np.abs(mean - expm(-0.7 * (1 + wrong) * A) @ START[0]).max())

    holds(residual, 1e-12)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
def test_a_profile_of_any_mass_is_one_of_mass_one_in_other_units(d, m):
    """C(M) = [M k^(d/2) pi^(-d/2) G]^(1/(p + d/2)), or with -p; its mass by quadrature."""
    measure, M = Barenblatt(dimension=d, m=m, t0=1.0), 2.7
    sign, p, k = np.sign(m - 1), measure.p, measure.k
    ratio = gamma(p + 1 + d / 2) / gamma(p + 1) if m > 1 else gamma(p) / gamma(p - d / 2)
    C = (M * k ** (d / 2) * np.pi ** (-d / 2) * ratio) ** (1 / (p + d / 2) if m > 1 else 1 / (d / 2 - p))
    reach = np.sqrt(C / k)

    def residual(wrong: float) -> float:
        height = C * (1 + wrong)
        end = np.sqrt(height / k) if m > 1 else np.inf
        inside = lambda r: max(height - sign * k * r * r, 0.0) ** (sign * p) * r ** (d - 1)  # noqa: E731
        parts = [(0.0, min(reach, end)), (reach, end)] if m < 1 else [(0.0, end)]
        total = sum(quad(inside, *part, epsabs=1e-13, epsrel=1e-13, limit=400)[0] for part in parts)
        return abs(sphere(d) * total / M - 1)

    holds(residual, 2e-8)
    at_one = (ratio * k ** (d / 2) * np.pi ** (-d / 2)) ** (1 / (p + d / 2) if m > 1 else 1 / (d / 2 - p))
    np.testing.assert_allclose(at_one, measure.C, rtol=1e-12)


@pytest.mark.parametrize(("d", "m"), POROUS)
def test_radius_and_energy_grow_with_their_powers_of_time(d, m):
    """R = sqrt(C/k) t^b and E = b m2(1) t^(-d(m-1)b) / (d(m-1)), by the density of another time."""
    later, t = Barenblatt(dimension=d, m=m, t0=2.3), 2.3
    end = float(later.radius)
    profile_ = lambda r: float(later.pdf(np.eye(d)[:1] * r)[0])  # noqa: E731
    energy = quad(lambda q: profile_(end * np.sin(q)) ** m * (end * np.sin(q)) ** (d - 1) * np.cos(q),
                  0, np.pi / 2, epsabs=1e-13, limit=200)[0]  # fmt: skip
    energy *= end * sphere(d) / (m - 1)
    one = Barenblatt(dimension=d, m=m, t0=1.0)
    closed = one.b * float(np.trace(one.cov())) / (d * (m - 1)) * t ** (-d * (m - 1) * one.b)
    holds(lambda wrong: abs(closed * (1 + wrong) / energy - 1), 2e-8)
    holds(lambda wrong: abs(np.sqrt(one.C / one.k) * t**one.b * (1 + wrong) / end - 1), 1e-12)
    radii = {(1, 2): 2.080083823052, (2, 2): 1.786487683476}
    if (d, m) in radii:
        holds(lambda wrong: abs(one.radius * (1 + wrong) - radii[d, m]), 2e-12)


@pytest.mark.parametrize("D", [0.0, 0.4])
def test_aggregation_of_any_mass_contracts_at_that_mass(D):
    """Mass M: grad W * rho = M (x - mean) by quadrature; dv/dt = 2 D - 2 M v for v = D/M + (v0 - D/M) e^(-2Mt)."""
    M, mean, v0, t, h = 1.7, 0.7, 2.0, 0.3, 1e-3

    def force(x: float, wrong: float) -> float:
        rho = lambda y: np.exp(-((y - mean) ** 2) / (2 * v0)) / np.sqrt(2 * np.pi * v0)  # noqa: E731
        pull = quad(lambda y: (x - y) * M * rho(y), mean - 14, mean + 14, epsabs=1e-13, limit=200)[0]
        return abs(pull - M * (1 + wrong) * (x - mean))

    holds(lambda wrong: force(1.9, wrong), 1e-8)

    def residual(wrong: float) -> float:
        rate = 2 * M * (1 + wrong)
        v = lambda s: D / M + (v0 - D / M) * np.exp(-rate * s)  # noqa: E731
        slope = (v(t - 2 * h) - 8 * v(t - h) + 8 * v(t + h) - v(t + 2 * h)) / (12 * h)
        return abs(slope - 2 * D + 2 * M * v(t))

    holds(residual, 1e-8)


@pytest.mark.parametrize("scheme", ["bdf2", "midpoint"])
def test_the_discrete_trajectories_of_gaussians_solve_their_recursions(scheme):
    """(l' - y) / tau' = D / l' - k l' with the target and step of each method, and the mean likewise."""
    tau, D, k = 0.2, 0.7, 1.3
    path = closed_forms.gaussian_flow([1.2], [[0.36]], tau, 6, diffusion=D, stiffness=k, scheme=scheme)
    stds, means = np.sqrt(path.covariances[:, 0, 0]), path.means[:, 0]

    def residual(wrong: float) -> float:
        worst = 0.0
        for values, push in ((stds, D), (means, 0.0)):
            for n in range(2, 6):
                new = values[n + 1] * (1 + wrong)
                if scheme == "midpoint":
                    inner, target, step = (new + values[n]) / 2, values[n], tau / 2
                else:
                    inner, target, step = new, (4 * values[n] - values[n - 1]) / 3, 2 * tau / 3
                worst = max(worst, abs((inner - target) / step - push / inner + k * inner))
        return worst

    holds(residual, 1e-12)
