"""Folding the space onto a box."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.schemes.particles.walls import Walls, walls

BOX = Walls(((0, -1.0, 3.0, True), (1, 0.5, 2.0, False)))
coordinate = st.floats(-50, 50)


def test_only_asked_for_axes_have_walls():
    problem = wgf.Problem(
        wgf.entropy(),
        initial=wgf.Gaussian([0, 0], 1.0),
        bounds=[(-1, 2), (0, 4)],
        boundary=("noflux", "periodic"),
    )
    assert walls(problem, False).sides == ((1, 0.0, 4.0, False),)
    assert walls(problem, True).sides == ((0, -1.0, 3.0, True), (1, 0.0, 4.0, False))
    assert walls(problem, True).mirror
    assert not walls(problem, False).mirror
    assert walls(wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1)), True).sides == ()


@settings(max_examples=200, deadline=None)
@given(coordinate, coordinate)
def test_folded_points_are_in_the_box_and_points_in_the_box_stay(x, y):
    folded, signs = BOX.fold_with_signs(np.array([[x], [y]]))
    assert -1 <= folded[0, 0] <= 2
    assert 0.5 <= folded[1, 0] <= 2.5
    assert signs[1, 0] == 1
    again, _ = BOX.fold_with_signs(folded)
    np.testing.assert_allclose(again, folded, rtol=0, atol=1e-13)


@settings(max_examples=200, deadline=None)
@given(coordinate)
def test_the_mirror_is_even_across_each_wall_and_the_sign_is_its_slope(x):
    def fold(value):
        return BOX.fold(np.array([[value], [1.0]]))[0, 0]

    np.testing.assert_allclose(fold(-1 - x), fold(-1 + x), rtol=0, atol=1e-12)
    np.testing.assert_allclose(fold(2 - x), fold(2 + x), rtol=0, atol=1e-12)
    step = 1e-6
    if min(abs(fold(x) + 1), abs(fold(x) - 2)) > 2 * step:
        sign = BOX.fold_with_signs(np.array([[x], [1.0]]))[1][0, 0]
        np.testing.assert_allclose((fold(x + step) - fold(x - step)) / (2 * step), sign, rtol=0, atol=1e-6)


def test_a_reflection_by_hand():
    folded, signs = BOX.fold_with_signs(np.array([[2.5, -1.25, 0.0], [2.75, 0.25, 1.0]]))
    np.testing.assert_allclose(folded, [[1.5, -0.75, 0.0], [0.75, 2.25, 1.0]], atol=1e-15)
    np.testing.assert_array_equal(signs, [[-1, -1, 1], [1, 1, 1]])
    _, signs = BOX.fold_with_signs(np.array([[1.999, 2.001, -0.999, -1.001], [1.0] * 4]))
    np.testing.assert_array_equal(signs[0], [1, -1, 1, -1])
