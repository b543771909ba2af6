"""Barenblatt flows: the equation, the constants of the literature, the change of clock."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import gamma

from wgf.problems import barenblatt

POROUS = [(1, 2), (1, 3), (2, 2), (2, 3), (3, 2), (3, 3)]
FAST = [(1, 0.5), (2, 0.75), (3, 0.8)]
CONSTANTS = {
    (1, 2): (0.360562392577, 1 / 12),
    (1, 3): (0.183776298474, 1 / 12),
    (2, 2): (0.199471140201, 1 / 16),
    (2, 3): (0.088943166629, 1 / 18),
    (3, 2): (0.134810140819, 1 / 20),
    (3, 3): (0.058711299317, 1 / 24),
    (1, 0.5): (1.948888544860, None),
    (2, 0.75): (2.112307020511, None),
    (3, 0.8): (2.614597266411, None),
}


def _inside(problem, d, fraction):
    """Points well inside the support (or the bulk) of the profile."""
    reach = np.sqrt(problem.initial.cov()[0, 0] * d) * fraction
    x = np.random.default_rng(d).uniform(-1, 1, size=(30, d))
    return problem.initial.center + reach * x / np.sqrt(d)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
@pytest.mark.parametrize("confinement", [0.0, 1.3])
def test_the_solution_satisfies_the_equation(pde_residual, d, m, confinement):
    center = np.linspace(0.3, -0.2, d)
    problem = barenblatt(d, m, t0=0.6, center=center, confinement=confinement)

    def flux(x, t):
        rho = problem.exact(t)
        pressure = m * rho.pdf(x)[:, None] ** m * rho.score(x)  # grad rho^m
        return pressure + confinement * (x - center) * rho.pdf(x)[:, None]

    assert pde_residual(problem.exact, flux, _inside(problem, d, 0.7), 0.15, 0.01, 0.005) < 1e-8


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
def test_the_constants_are_those_of_the_literature(d, m):
    profile = barenblatt(d, m).initial
    height, k = CONSTANTS[d, m]
    assert_allclose(profile.C, height, rtol=0, atol=2e-12)
    if k is not None:
        assert_allclose(profile.k, k, rtol=1e-14)
        assert_allclose(profile.radius, np.sqrt(height / k), rtol=1e-11)


@pytest.mark.parametrize(("d", "m"), POROUS + FAST)
def test_mass_second_moment_and_energy_by_radial_quadrature(d, m):
    start = barenblatt(d, m, t0=1.7).initial
    sphere = 2 * np.pi ** (d / 2) / gamma(d / 2)

    def radial(f):
        pieces = [0, start.radius] if m > 1 else [0, 1, 10, np.inf]
        total = 0.0
        for low, high in zip(pieces[:-1], pieces[1:], strict=True):
            total += quad(lambda r: f(_value(start, r)) * r ** (d - 1), low, high, epsabs=1e-13, limit=400)[0]
        return sphere * total

    def second(low, high):
        return quad(lambda r: _value(start, r) * r ** (d + 1), low, high, epsabs=1e-13, limit=400)[0]

    moment = start.cov()[0, 0] * d
    pieces = [(0, start.radius)] if m > 1 else [(0, 1), (1, 10), (10, np.inf)]
    assert_allclose(radial(lambda rho: rho), 1, rtol=0, atol=1e-10)
    assert_allclose(sphere * sum(second(*p) for p in pieces), moment, rtol=1e-8)
    # along dilations: E = b m2 / (d (m-1)) in units of age 1, and homogeneity in t
    expected = start.b * moment / (d * (m - 1)) / 1.7
    assert_allclose(radial(lambda rho: rho**m / (m - 1)), expected, rtol=1e-8)


def _value(measure, r):
    x = measure.center + r * np.eye(measure.dimension)[0]
    return float(measure.pdf(x))


def test_the_support_grows_like_t_to_the_b_and_stays_in_the_box():
    problem = barenblatt(2, 2, t0=3.84e-4, center=(0.5, 0.5))
    assert_allclose(problem.exact(3.84e-4 * 15).radius / problem.initial.radius, 16**0.25, rtol=1e-12)
    assert_allclose(problem.initial.mean(), [0.5, 0.5])
    (low, high), _ = problem.bounds
    assert low < 0.5 - problem.exact(3 * 3.84e-4).radius
    assert high > 0.5 + problem.exact(3 * 3.84e-4).radius


def test_confinement_stops_at_the_minimiser_of_the_energy():
    problem = barenblatt(2, 3, confinement=0.8)
    late = problem.exact(50.0)
    x = np.array([[0.1, 0.2], [0.3, -0.1]])
    height = 3 / 2 * late.pdf(x) ** 2 + problem.energy.potential_value(x)  # dE/drho, constant at rest
    assert_allclose(height[0], height[1], rtol=1e-12)
    assert_allclose(problem.exact(0.0).pdf(x), problem.initial.pdf(x), rtol=1e-13)


def test_weak_confinement_is_nearly_none():
    free, weak = barenblatt(1, 2).exact(0.5), barenblatt(1, 2, confinement=1e-9).exact(0.5)
    assert_allclose(weak.radius, free.radius, rtol=1e-8)


@pytest.mark.parametrize(("d", "m"), FAST)
def test_the_box_of_fast_diffusion_leaves_a_ten_thousandth_outside(d, m):
    problem = barenblatt(d, m, center=np.ones(d))
    oldest = problem.exact(3.0)
    reach = problem.bounds[0][1] - 1.0
    sphere = 2 * np.pi ** (d / 2) / gamma(d / 2)
    outside = sphere * quad(lambda r: _value(oldest, r) * r ** (d - 1), reach, np.inf, epsrel=1e-10)[0]
    assert_allclose(outside, 1e-4, rtol=1e-3)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"m": 1}, "m must"),
        ({"dimension": 2, "m": 0.5}, "m must"),
        ({"m": np.nan}, "m must"),
        ({"t0": 0.0}, "t0 must"),
        ({"t0": -1.0}, "t0 must"),
        ({"center": (0.5, 0.5)}, "center must"),
        ({"confinement": -1.0}, "confinement must"),
        ({"bounds": (1, 0)}, "bounds must"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, word):
    with pytest.raises(ValueError, match=word):
        barenblatt(**settings)
