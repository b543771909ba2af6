"""Elliptic equations of cells: the cosine transform inverts the stencil, the compiled operator is the reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.kernels.poisson import cosine_solve, neumann_symbol, weighted_laplacian

SHAPES = [(1, 1, 16), (1, 12, 9), (5, 6, 7)]
FORMS = [weighted_laplacian.reference, weighted_laplacian.load(weighted_laplacian.cpu)]


def stencil(x, theta1, strengths):
    """theta1 x - sum_k strengths[k] second differences, no-flux walls, written out."""
    result = theta1 * x
    for axis, strength in enumerate(strengths):
        padded = np.pad(x, [(1, 1) if k == axis else (0, 0) for k in range(x.ndim)], mode="edge")
        result = result - strength * np.diff(padded, 2, axis=axis)
    return result


@pytest.mark.parametrize("shape", SHAPES)
def test_the_cosine_transform_inverts_its_stencil(shape) -> None:
    strengths = (0.7, 30.0, 2.0)
    x = np.random.default_rng(1).standard_normal(shape)
    inverse = 1 / (0.3 + neumann_symbol(shape, strengths))
    np.testing.assert_allclose(cosine_solve(stencil(x, 0.3, strengths), inverse), x, rtol=0, atol=2e-13)
    wrong = 1 / (0.3 * 1.001 + neumann_symbol(shape, strengths))
    assert np.abs(cosine_solve(stencil(x, 0.3, strengths), wrong) - x).max() > 1e-6


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_both_forms_of_the_operator_are_the_written_out_stencil(shape, form) -> None:
    rng = np.random.default_rng(2)
    x, out = rng.standard_normal(shape), np.empty(shape)
    constants = [np.full(shape, c) for c in (0.7, 30.0, 2.0)]
    total = form(np.full(shape, 0.3), *constants, x, out)
    np.testing.assert_allclose(out, stencil(x, 0.3, (0.7, 30.0, 2.0)), rtol=0, atol=1e-12)
    assert abs(total - (x * out).sum()) <= 1e-11 * abs(total)


@pytest.mark.parametrize("shape", SHAPES)
def test_with_variable_coefficients_the_forms_agree_and_nothing_passes_a_wall(shape) -> None:
    rng = np.random.default_rng(3)
    conductances = rng.random((3, *shape))
    x, out, other = rng.standard_normal(shape), np.empty(shape), np.empty(shape)
    FORMS[0](np.zeros(shape), *conductances, x, out)
    FORMS[1](np.zeros(shape), *conductances, x, other)
    np.testing.assert_allclose(other, out, rtol=0, atol=1e-14)
    assert abs(out.sum()) < 1e-12
    assert np.abs(out).max() > 1e-3


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 24)),
    st.floats(1e-2, 10),
    st.tuples(st.floats(0.0, 100), st.floats(0.0, 100), st.floats(0.0, 100)),
    st.integers(0, 2**32 - 1),
)
def test_the_cosine_transform_inverts_any_stencil(shape, theta1, strengths, seed) -> None:
    x = np.random.default_rng(seed).standard_normal(shape)
    found = cosine_solve(stencil(x, theta1, strengths), 1 / (theta1 + neumann_symbol(shape, strengths)))
    condition = 1 + 12 * sum(strengths) / theta1
    assert np.abs(found - x).max() <= 1e-14 * condition
