"""Scharfetter-Gummel rates and factors: accuracy of B, detailed balance, compiled form against reference."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.kernels.registry import jit_disabled
from wgf.kernels.scharfetter_gummel import LANES, bernoulli, pack, rate_factors, sg_factors, unpack

compiled = pytest.mark.skipif(jit_disabled(), reason="numba is switched off: only the reference runs")
SHAPES = ((7,), (2,), (5, 3), (24, 17), (17, 33), (4, 18, 20), (3, 2, 5))


def test_bernoulli_function_agrees_with_its_definition_on_both_sides_of_the_series():
    z = np.array([1e-3, 0.1, 0.3, 0.499999, 0.5, 0.500001, 2.0, 20.0, 300.0])
    up, down = bernoulli(z)
    np.testing.assert_allclose(up, z / np.expm1(z), rtol=4e-15, atol=0)
    np.testing.assert_allclose(down, -z / np.expm1(-z), rtol=4e-15, atol=0)


def test_bernoulli_function_survives_huge_arguments():
    up, down = bernoulli(np.array([1e4, -1e4, 0.0]))
    np.testing.assert_array_equal(up, [0.0, 1e4, 1.0])
    np.testing.assert_array_equal(down, [1e4, 0.0, 1.0])


@settings(max_examples=200, deadline=None)
@given(st.floats(-600, 600))
def test_rates_of_a_face_balance_in_detail(z):
    up, down = (float(b) for b in bernoulli(np.array(z)))
    assert abs(math.log(up) - math.log(down) + z) <= 1e-14 * (1 + abs(z))


@compiled
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steepness", [0.01, 0.4, 40.0])
def test_compiled_factors_equal_the_reference(shape, periodic, steepness):
    potential = steepness * np.random.default_rng(1).normal(size=shape)
    for axis in range(len(shape)):
        lines = potential.size // shape[axis]
        arguments = (potential, 3.7, 0.6, axis, periodic)
        reference, compiled = sg_factors.reference(*arguments), sg_factors.load(sg_factors.cpu)(*arguments)
        assert compiled.shape == reference.shape
        np.testing.assert_allclose(unpack(compiled, lines), unpack(reference, lines), rtol=2e-14, atol=0)


@compiled
def test_factors_take_a_view_that_is_not_contiguous():
    potential = np.random.default_rng(2).normal(size=(20, 9)).T
    compiled = sg_factors.load(sg_factors.cpu)(potential, 1.0, 1.0, 0, False)
    np.testing.assert_allclose(
        unpack(compiled, 20), unpack(sg_factors.reference(potential, 1.0, 1.0, 0, False), 20), rtol=2e-14
    )


@compiled
@pytest.mark.parametrize("strength", [1e-6, 1.0, 1e6, 1e12])
def test_pivots_keep_full_accuracy_however_stiff_the_line(strength):
    # For a flat potential the pivots obey p = 1 + 2 s - s^2/p, whose fixed point is known in closed form.
    factors = unpack(sg_factors.load(sg_factors.cpu)(np.zeros(200_001), strength, 1.0, 0, False), 1)
    middle = 1 / factors[len(factors) // 2, 2:, 0]
    exact = 0.5 * (1 + 2 * strength + math.sqrt(1 + 4 * strength))
    if strength <= 1e6:
        np.testing.assert_allclose(middle, exact, rtol=1e-12, atol=0)
    else:  # the line is shorter than the relaxation length: the continuous limit sqrt(s) coth(x/sqrt(s))
        continuous = math.sqrt(strength) / math.tanh(1e5 / math.sqrt(strength))
        np.testing.assert_allclose(middle - strength, continuous, rtol=2e-5, atol=0)


def test_packing_is_undone_by_unpacking():
    columns = np.random.default_rng(3).random((6, 4, LANES + 5))
    packed = pack(columns)
    assert packed.shape == (2, 6, 4, LANES)
    np.testing.assert_array_equal(unpack(packed, LANES + 5), columns)


def face_shape(shape, axis, periodic):
    return tuple(n if k != axis or periodic else n - 1 for k, n in enumerate(shape))


@compiled
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_factors_of_any_rates_equal_the_reference(shape, periodic):
    rng = np.random.default_rng(4)
    for axis in range(len(shape)):
        faces = face_shape(shape, axis, periodic)
        up, down = (np.exp(5 * rng.normal(size=faces)) * (rng.random(faces) < 0.8) for _ in range(2))
        arguments = (up, down, 0.3, axis, periodic)
        reference, found = rate_factors.reference(*arguments), rate_factors.load(rate_factors.cpu)(*arguments)
        assert found.shape == reference.shape
        lines = up.size // faces[axis]
        np.testing.assert_allclose(unpack(found, lines), unpack(reference, lines), rtol=2e-14, atol=0)


@pytest.mark.parametrize("form", ["reference", pytest.param("cpu", marks=compiled)])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("shape", [(9,), (24, 17), (4, 18, 20)])
def test_factors_of_scharfetter_gummel_rates_are_those_of_the_potential(shape, periodic, form):
    potential = 2 * np.random.default_rng(5).normal(size=shape)
    for axis in range(len(shape)):
        w = np.diff(potential, axis=axis, append=potential.take([0], axis)) / 0.6
        w = w if periodic else w.take(range(shape[axis] - 1), axis)
        up, down = bernoulli(w)
        make = rate_factors.reference if form == "reference" else rate_factors.load(rate_factors.cpu)
        factors, lines = make(up, down, 3.7, axis, periodic), potential.size // shape[axis]
        expected = sg_factors.reference(potential, 3.7, 0.6, axis, periodic)
        np.testing.assert_allclose(unpack(factors, lines), unpack(expected, lines), rtol=1e-13, atol=0)
