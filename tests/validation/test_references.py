"""The yardsticks themselves: each against a second route, so that a wrong one cannot pass for the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
from scipy.special import ndtri

from validation import references


def test_moments_agree_with_the_isotropic_formula():
    A = np.array([[1.5, 0.5], [0.5, 1.0]])
    mean, cov = references.ou_moments(A, np.array([1.5, -1.0]), 0.4 * np.eye(2), 0.7, D=0.6)
    decay, rest = scipy.linalg.expm(-0.7 * A), 0.6 * np.linalg.inv(A)
    np.testing.assert_allclose(mean, decay @ [1.5, -1.0], rtol=1e-13, atol=0)
    np.testing.assert_allclose(cov, rest + decay @ (0.4 * np.eye(2) - rest) @ decay, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("D", "gap"), [(1.0, 0.748681672), (0.5, 0.2272733010), (0.25, 0.0297795933)])
def test_the_gap_agrees_with_the_published_figures(D, gap):
    np.testing.assert_allclose(references.well(D).gap, gap, rtol=2e-9, atol=0)


def test_the_well_reference_does_not_depend_on_its_box_or_basis():
    def start(x):
        return np.exp(-((x + 0.6) ** 2) / 0.1) / math.sqrt(0.1 * math.pi)

    x = np.linspace(-2.5, 2.5, 101)
    other = references.WellSpectrum(L=3.7, modes=260).solve(start, 1.0)(x)
    np.testing.assert_allclose(references.well().solve(start, 1.0)(x), other, rtol=0, atol=1e-10)


def test_the_generator_conserves_mass_keeps_gibbs_and_balances_in_detail():
    rng = np.random.default_rng(0)
    V = rng.normal(size=(7, 5))
    G = references.generator(V, (0.3, 0.2), D=0.8).toarray()
    pi = np.exp(-V / 0.8).ravel()
    scale = np.abs(G).max()
    np.testing.assert_allclose(G.sum(0), 0, rtol=0, atol=1e-13 * scale)
    np.testing.assert_allclose(G @ pi, 0, rtol=0, atol=1e-12 * scale * pi.max())
    np.testing.assert_allclose(G * pi, (G * pi).T, rtol=1e-12, atol=1e-13 * scale * pi.max())


def test_the_semidiscrete_solution_is_the_matrix_exponential():
    x = references.centres(-4, 4, 40)
    V, start = 0.5 * x**2, np.exp(-((x - 1) ** 2))
    G = references.generator(V, (0.2,)).toarray()
    expected = scipy.linalg.expm(0.3 * G) @ start
    np.testing.assert_allclose(references.semidiscrete(V, (0.2,), start, 0.3), expected, rtol=0, atol=1e-12)


def test_the_torus_reference_keeps_gibbs_and_damps_waves_at_their_rate():
    def slope(x):
        return -2 * np.pi * np.sin(2 * np.pi * x)

    def gibbs(x):
        return np.exp(-np.cos(2 * np.pi * x))

    early, late = (references.torus_averages(slope, gibbs, t, 50) for t in (0.0, 0.5))
    np.testing.assert_allclose(late, early, rtol=1e-10, atol=0)
    wave = references.torus_averages(lambda x: 0 * x, lambda x: 1 + np.cos(2 * np.pi * x), 0.02, 4000)
    centre = 1 + math.exp(-4 * math.pi**2 * 0.02) * math.cos(2 * math.pi * 0.5 / 4000)
    np.testing.assert_allclose(wave[0], centre, rtol=1e-6, atol=0)


def test_cell_averages_of_a_polynomial_are_exact():
    axes = (references.centres(0, 1, 3), references.centres(-1, 1, 4))
    found = references.cell_average(lambda x: x[..., 0] ** 5 * x[..., 1] ** 2, axes)
    a, b = np.linspace(0, 1, 4), np.linspace(-1, 1, 5)
    expected = np.outer(np.diff(a**6) / 6 * 3, np.diff(b**3) / 3 * 2)
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=0)


def test_line_averages_are_the_increments_of_the_primitive():
    found = references.line_averages(np.sin, 0.0, 3.0, 1000)
    edges = np.linspace(0.0, 3.0, 1001)
    np.testing.assert_allclose(found, -np.diff(np.cos(edges)) * 1000 / 3, rtol=0, atol=1e-11)


def test_w2_to_a_quantile_function_sees_shifts_and_dilations():
    u = np.linspace(0, 1, 4001)
    masses = np.diff(u)
    inverse = references.parabola_quantile(2.0)
    edges = inverse(u)
    base = references.quantile_w2(edges, masses, inverse)
    assert base < 4e-4  # equal masses: less than first order at the free edges
    np.testing.assert_allclose(references.quantile_w2(edges + 0.3, masses, inverse), 0.3, rtol=1e-3)
    spread = 0.25 * 2.0 / math.sqrt(5)  # standard deviation of the profile is radius / sqrt(5)
    np.testing.assert_allclose(references.quantile_w2(edges * 1.25, masses, inverse), spread, rtol=2e-3)


def test_w2_to_a_gaussian_integrates_the_tails():
    """One flat cell against N(0, 1): W2^2 = 1 + 1/12 - 2 / (2 sqrt(pi)) for the uniform law on (-1/2, 1/2)."""
    found = references.quantile_w2(np.array([-0.5, 0.5]), np.array([1.0]), ndtri, nodes=400)
    np.testing.assert_allclose(found**2, 1 + 1 / 12 - 1 / math.sqrt(math.pi), rtol=1e-3)


def test_the_bernoulli_function_is_smooth_across_its_series():
    z = np.array([1e-3 * (1 - 1e-9), 1e-3 * (1 + 1e-9)])
    np.testing.assert_allclose(np.diff(references.bernoulli(z)), 0, rtol=0, atol=1e-11)
    np.testing.assert_allclose(references.bernoulli(-2.0) - references.bernoulli(2.0), 2.0, rtol=1e-14)
