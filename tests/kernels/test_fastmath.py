"""The vectorisable elementary functions against extended precision, over their whole range."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from wgf.kernels import fastmath

TYPES = [np.float32, np.float64]


def ulps(values, exact):
    """Error in units of the last place of the exact result (a longdouble array)."""
    spacing = np.spacing(np.abs(exact).astype(values.dtype)).astype(np.longdouble)
    return np.abs(values.astype(np.longdouble) - exact) / spacing


@pytest.mark.parametrize("real", TYPES)
def test_exp_is_within_one_ulp_down_to_its_floor(real):
    lowest = -87.0 if real == np.float32 else -708.0
    x = np.concatenate([np.linspace(lowest, 0, 200_001), -np.logspace(-12, 1, 50_001)]).astype(real)
    assert ulps(fastmath.exp(x), np.exp(x.astype(np.longdouble))).max() < 1.0


@pytest.mark.parametrize("real", TYPES)
def test_exp_is_zero_below_its_floor_and_keeps_nan(real):
    values = fastmath.exp(np.array([-np.inf, -1e30, -709.0, 0.0, -0.0, np.nan], real))
    np.testing.assert_array_equal(values, np.array([0, 0, 0, 1, 1, np.nan], real))


@pytest.mark.parametrize("real", TYPES)
def test_log_is_within_one_ulp_from_the_smallest_to_the_largest_number(real):
    tiny, huge = np.log10(float(np.finfo(real).tiny)) + 1e-6, np.log10(float(np.finfo(real).max)) - 1e-6
    near_one = np.logspace(np.log10(float(np.finfo(real).eps)) + 1e-6, -1, 20_001)
    x = np.concatenate(
        [np.logspace(tiny, huge, 200_001), np.linspace(0.5, 2, 100_001), 1 - near_one, 1 + near_one]
    ).astype(real)
    x = x[x != 1]
    assert ulps(fastmath.log(x), np.log(x.astype(np.longdouble))).max() < 1.0
    assert fastmath.log(np.ones(1, real))[0] == 0


@pytest.mark.parametrize("real", TYPES)
def test_sine_and_cosine_of_a_turn_are_within_one_and_a_half_ulp(real):
    """The exact values are of mpmath at 60 digits: extended precision has no exact reduction near the zeros."""
    rng = np.random.default_rng(0)
    quarters = np.array([-0.5, -0.25, 0.25, 0.5])
    near = (quarters[:, None] + np.outer([-1, 1], np.logspace(-7, -2, 20)).ravel()).ravel()
    u = np.concatenate([rng.uniform(-0.5, 0.5, 3000), np.logspace(-30, -1, 200), near]).astype(real)
    u = u[np.abs(u) <= 0.5]
    with mpmath.workdps(60):
        angles = [2 * mpmath.pi * mpmath.mpf(float(v)) for v in u]
        exact = np.array([[np.longdouble(str(f(a))) for a in angles] for f in (mpmath.sin, mpmath.cos)])
    values = fastmath.sincos(u)
    away = np.abs(exact) > 1e-25  # where u is a multiple of a quarter turn itself the result is a plain 0
    assert ulps(values, exact)[away].max() < 1.5
    assert np.abs(values[~away]).max(initial=0.0) < 1e-25


@pytest.mark.parametrize("size", [0, 1, 2, 3, 17, 1000])
@pytest.mark.parametrize("real", TYPES)
def test_every_form_agrees_with_its_reference_at_any_length(size, real):
    u = np.random.default_rng(size).uniform(0.01, 0.49, size).astype(real)
    tolerance = 4 * np.finfo(real).eps
    for kernel, x in ((fastmath.exp, -20 * u), (fastmath.log, u), (fastmath.sincos, u)):
        x = x.astype(real)
        assert kernel(x).dtype == real
        np.testing.assert_allclose(kernel(x), kernel.reference(x), rtol=tolerance, atol=tolerance)
