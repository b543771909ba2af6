"""The spectral reference: known spectra, known densities, and its measure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.stats import kstest, norm

from wgf.problems.spectral import LineDensity, SpectralFlow, resolved_flow


def _gauss(mean, variance):
    return lambda x: norm.pdf(x, mean, np.sqrt(variance))


def _line(f, low=-8.0, high=8.0):
    flow = SpectralFlow(lambda x: 0 * x, 1.0, (low, high), degree=2)
    return flow.evolve(f, 0.0)


def test_the_spectrum_of_a_quadratic_well_is_the_integers():
    rates = SpectralFlow(lambda x: 0.5 * 1.7 * x**2, 0.6, (-7.0, 7.0), degree=60).rates
    assert_allclose(rates[:12], 1.7 * np.arange(12), rtol=0, atol=1e-10)


def test_the_spectrum_of_no_potential_is_the_squares():
    rates = SpectralFlow(lambda x: 0 * x, 1.0, (0.0, np.pi), degree=60).rates
    assert_allclose(rates[:8], np.arange(8) ** 2, rtol=0, atol=1e-10)


def test_the_spectrum_with_a_vanishing_mobility_is_laguerres():
    """k = 4 s with V = s: s = |x|^2 of the plane's Ornstein-Uhlenbeck flow with V = |x|^2: rates 4 n."""
    rates = SpectralFlow(lambda s: s, 1.0, (0.0, 60.0), lambda s: 4 * s, degree=60).rates
    assert_allclose(rates[:6], 4 * np.arange(6), rtol=0, atol=1e-9)


@pytest.mark.parametrize("t", [0.0, 0.02, 0.3, 4.0])
def test_the_densities_of_a_quadratic_well_are_the_closed_ones(t):
    start = _gauss(0.4, 0.3)
    flow = resolved_flow(start, lambda x: 0.5 * x**2, 1.0, (-7.5, 7.5))
    x = np.linspace(-4, 4, 101)
    exact = _gauss(0.4 * np.exp(-t), 1 - 0.7 * np.exp(-2 * t))(x)
    assert_allclose(flow.evolve(start, t).pdf(x[:, None]), exact, rtol=0, atol=1e-11)


def test_too_narrow_and_too_wide_initial_densities_have_no_reference():
    def V(x):
        return (x**2 - 1) ** 2

    assert resolved_flow(_gauss(0.0, 0.05), V, 1.0, (-2.7, 2.7)) is not None
    assert resolved_flow(_gauss(0.0, 1e-6), V, 1.0, (-2.7, 2.7)) is None
    assert resolved_flow(_gauss(0.0, 1.0), V, 1.0, (-7.0, 7.0)) is None


@settings(max_examples=200, deadline=None)
@given(mean=st.floats(-1, 1), variance=st.floats(0.05, 0.8), u=st.floats(0, 1))
def test_quantile_and_distribution_function_undo_each_other(mean, variance, u):
    line = _line(_gauss(mean, variance))
    assert_allclose(line.cdf(line.quantile(np.array(u))), u, rtol=0, atol=1e-13)


def test_the_line_measure_agrees_with_the_gaussian_it_samples():
    line = _line(_gauss(0.5, 0.49))
    x = np.linspace(-2, 3, 51)
    assert_allclose(line.pdf(x[:, None]), _gauss(0.5, 0.49)(x), rtol=0, atol=1e-12)
    assert_allclose(line.log_density(x[:, None]), np.log(_gauss(0.5, 0.49)(x)), rtol=0, atol=1e-8)
    assert_allclose(line.score(x[:, None])[:, 0], -(x - 0.5) / 0.49, rtol=0, atol=1e-7)
    assert_allclose(line.cdf(x), norm.cdf(x, 0.5, 0.7), rtol=0, atol=1e-13)
    assert_allclose(line.mean(), [0.5], rtol=1e-12)
    assert_allclose(line.cov(), [[0.49]], rtol=1e-12)
    assert line.pdf([[-9.0]])[0] == 0
    again = LineDensity.from_arrays(line.arrays())
    assert_allclose(again.pdf(x[:, None]), line.pdf(x[:, None]), rtol=0, atol=1e-15)


def test_samples_follow_the_density():
    """Kolmogorov-Smirnov, seed fixed; false alarm probability 1e-6 before the seed was."""
    line = _line(_gauss(0.5, 0.49))
    assert kstest(line.sample(20_000, 0)[:, 0], norm(0.5, 0.7).cdf).pvalue > 1e-6


def test_bad_levels_and_shapes_are_refused_by_name():
    line = _line(_gauss(0.0, 1.0))
    with pytest.raises(ValueError, match="u must"):
        line.quantile(np.array([1.5]))
    with pytest.raises(ValueError, match="x must"):
        line.pdf(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="n must"):
        line.sample(0, 0)
