"""Smoothing of logarithms along lines: the compiled form against the reference, both against high precision."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from wgf.kernels.entropic import log_blur
from wgf.kernels.registry import jit_disabled

compiled = pytest.mark.skipif(jit_disabled(), reason="numba is switched off: only the reference runs")
FORMS = [log_blur.reference, pytest.param(log_blur, marks=compiled)]


def blurred(form, values: np.ndarray, sharpness: float) -> np.ndarray:
    result = np.full_like(values, np.nan)
    with np.errstate(invalid="ignore"):
        form(values, result, sharpness)
    return result


def walks(lines: int, n: int, size: float, seed: int = 0) -> np.ndarray:
    return np.cumsum(np.random.default_rng(seed).normal(size=(lines, n)) * size / np.sqrt(n), axis=1)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("size", "sharpness"), [(1.0, 0.5), (500.0, 0.25), (3000.0, 0.02)])
def test_every_form_is_the_sum_in_fifty_digits(form, size: float, sharpness: float) -> None:
    values = walks(2, 24, size)
    found = blurred(form, values, sharpness)
    with mpmath.workdps(50):
        for line, row in zip(values, found, strict=True):
            for i, result in enumerate(row):
                terms = (mpmath.exp(mpmath.mpf(v) - sharpness * (i - j) ** 2) for j, v in enumerate(line))
                assert abs(float(mpmath.log(mpmath.fsum(terms)) - result)) < 1e-12 * (1 + abs(result))


@compiled
@pytest.mark.parametrize(("lines", "n"), [(1, 1), (3, 2), (2, 15), (5, 16), (4, 33), (3, 130)])
@pytest.mark.parametrize("size", [0.0, 3.0, 700.0, 2e4])
@pytest.mark.parametrize("sharpness", [1e-3, 0.125, 0.5])
def test_the_compiled_form_equals_the_reference(lines: int, n: int, size: float, sharpness: float) -> None:
    values = walks(lines, n, size, seed=n)
    rng = np.random.default_rng(n)
    holes = np.where(rng.random(values.shape) < 0.3, -np.inf, values)
    for data in (values, holes):
        np.testing.assert_allclose(
            blurred(log_blur, data, sharpness),
            blurred(log_blur.reference, data, sharpness),
            rtol=3e-14,
            atol=1e-13,
        )


@pytest.mark.parametrize("form", FORMS)
def test_an_empty_line_stays_empty_and_one_filled_cell_becomes_a_gaussian(form) -> None:
    values = np.full((2, 40), -np.inf)
    values[1, 3] = 7.0
    found = blurred(form, values, 2.0)
    assert (found[0] == -np.inf).all()
    np.testing.assert_allclose(found[1], 7.0 - 2.0 * (np.arange(40) - 3.0) ** 2, rtol=1e-14)


@pytest.mark.parametrize("form", FORMS)
def test_a_cliff_whose_terms_underflow_in_their_own_chunk_is_summed_all_the_same(form) -> None:
    """Slopes of 100 a cell, the largest term far from its target: plain numbers would find zero."""
    values = (100.0 * np.arange(64.0))[None]
    exact = blurred(log_blur.reference, values, 0.6)
    np.testing.assert_allclose(blurred(form, values, 0.6), exact, rtol=1e-14)
    assert exact[0, 0] > 3000  # from the far end: 100 j - 0.6 j^2 is largest at the border
