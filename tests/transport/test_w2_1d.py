"""W2 on the line: closed forms, a linear programme, invariants, and inputs at the edge of the doubles."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from wgf.transport.lines import atoms, cells
from wgf.transport.w2_1d import between_lines, w2_1d

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 12)


def cloud(seed: int, n: int, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return (np.round(x) if ties else x), rng.dirichlet(np.ones(n))


def programme(x, y, a, b) -> float:
    """The transport problem as a small linear programme: the brute-force truth."""
    n, m = len(x), len(y)
    rows = np.vstack([np.kron(np.eye(n), np.ones(m)), np.kron(np.ones(n), np.eye(m))])
    cost = (x[:, None] - y) ** 2
    return linprog(cost.ravel(), A_eq=rows[:-1], b_eq=np.concatenate((a, b))[:-1], method="highs").fun


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.booleans())
def test_it_is_the_optimum_of_the_linear_programme(seed, n, m, ties):
    (x, a), (y, b) = cloud(seed, n, ties), cloud(seed + 1, m, ties)
    np.testing.assert_allclose(w2_1d(x, y, a, b), programme(x, y, a, b), rtol=1e-7, atol=1e-7)


@settings(max_examples=200, deadline=None)
@given(seeds, st.integers(1, 9), st.integers(1, 9))
def test_unequal_sizes_are_exact_by_repeating_points(seed, n, m):
    (x, _), (y, _) = cloud(seed, n), cloud(seed + 1, m)
    repeated = np.mean((np.sort(np.repeat(x, m)) - np.sort(np.repeat(y, n))) ** 2)
    np.testing.assert_allclose(w2_1d(x, y), repeated, rtol=1e-13, atol=0)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes)
def test_it_is_symmetric_to_the_bit_and_mirror_symmetric(seed, n, m):
    (x, a), (y, b) = cloud(seed, n), cloud(seed + 1, m)
    value = w2_1d(x, y, a, b)
    assert w2_1d(y, x, b, a) == value
    np.testing.assert_allclose(w2_1d(-x, -y, a, b), value, rtol=1e-12, atol=0)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, sizes)
def test_the_triangle_inequality_holds(seed, n, m, k):
    (x, a), (y, b), (z, c) = cloud(seed, n), cloud(seed + 1, m), cloud(seed + 2, k)
    direct = w2_1d(x, z, a, c) ** 0.5
    assert direct <= w2_1d(x, y, a, b) ** 0.5 + w2_1d(y, z, b, c) ** 0.5 + 1e-12


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.floats(-1e3, 1e3), st.floats(1e-3, 1e3))
def test_translation_and_scaling_act_as_they_must(seed, n, m, shift, scale):
    (x, a), (y, b) = cloud(seed, n), cloud(seed + 1, m)
    value, offset = w2_1d(x, y, a, b), a @ x - b @ y
    np.testing.assert_allclose(w2_1d(scale * x, scale * y, a, b), scale**2 * value, rtol=1e-10)
    np.testing.assert_allclose(w2_1d(x + 8.0, y + 8.0, a, b), value, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(
        w2_1d(x + shift, y, a, b), value + shift**2 + 2 * shift * offset, rtol=1e-9, atol=1e-9
    )


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.floats(0.01, 0.99))
def test_order_and_splitting_a_weight_change_nothing(seed, n, m, part):
    (x, a), (y, b) = cloud(seed, n), cloud(seed + 1, m)
    value, order = w2_1d(x, y, a, b), np.random.default_rng(seed).permutation(n)
    np.testing.assert_allclose(w2_1d(x[order], y, a[order], b), value, rtol=1e-10)
    split, twice = np.append(a, (1 - part) * a[0]), np.append(x, x[0])
    split[0] *= part
    np.testing.assert_allclose(w2_1d(twice, y, split, b), value, rtol=1e-10)
    assert w2_1d(twice, x, split, a) < 1e-28  # levels equal up to rounding are one level


def test_a_large_cloud_split_at_random_is_at_distance_zero():
    rng = np.random.default_rng(3)
    x, a = rng.normal(size=20_000), rng.dirichlet(np.ones(20_000))
    part = rng.random(20_000)
    assert w2_1d(np.tile(x, 2), x, np.concatenate((part * a, (1 - part) * a)), a) < 1e-25


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
def test_scales_keep_all_digits(scale):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=30), rng.normal(size=40)
    np.testing.assert_allclose(w2_1d(scale * x, scale * y), scale**2 * w2_1d(x, y), rtol=1e-12)


def test_clouds_a_million_apart_keep_the_shape_part():
    x = np.array([0.0, 1.0, 5.0])
    assert w2_1d(x + 1e6, x) == 1e12
    assert w2_1d(x + 1e6, x + 1e6) == 0.0
    np.testing.assert_allclose(w2_1d(x + 1e6, np.array([0, 2.0, 5.0]) + 1e6), 1 / 3, rtol=1e-12)


def test_tiny_and_zero_weights_are_carried_exactly_in_both_tails():
    far = np.array([-1e150, 0.0])
    np.testing.assert_allclose(w2_1d(far, [0.0], [1e-300, 1.0]), 1.0, rtol=1e-12)
    np.testing.assert_allclose(w2_1d(-far, [0.0], [1e-300, 1.0]), 1.0, rtol=1e-12)
    assert w2_1d([0.0, 99.0], [0.0], [1.0, 0.0]) == 0.0
    np.testing.assert_allclose(w2_1d([1e8, 1.0], [1.0], [1e-17, 1.0]), 0.1, rtol=1e-7)


def test_single_points_and_duplicates():
    assert w2_1d([2.0], [-1.0]) == 9.0
    assert w2_1d([2.0, 2.0, 2.0], [2.0]) == 0.0
    assert w2_1d([0.0, 0.0, 0.0, 4.0], [0.0, 4.0], b=[0.5, 0.5]) == 4.0


def test_single_precision_input_is_summed_in_double():
    x = np.linspace(0, 1, 1001, dtype=np.float32)
    np.testing.assert_allclose(w2_1d(x, x + np.float32(0.5)), 0.25, rtol=1e-7)


def test_cells_with_the_same_masses_follow_the_closed_form():
    rng = np.random.default_rng(5)
    mass = rng.dirichlet(np.ones(40))
    x, y = np.sort(rng.normal(size=41)), np.sort(rng.normal(size=41))
    p, q = x[:-1] - y[:-1], x[1:] - y[1:]
    truth = (mass / 3 * (p**2 + p * q + q**2)).sum()
    np.testing.assert_allclose(between_lines(cells(x, mass), cells(y, mass)), truth, rtol=1e-12)


def test_cells_against_finer_cells_and_atoms():
    one, cut = cells(np.array([0.0, 1.0]), np.ones(1)), cells(np.array([0.0, 0.3, 1.0]), np.array([0.3, 0.7]))
    assert between_lines(one, cut) < 1e-30
    np.testing.assert_allclose(between_lines(one, atoms(np.array([2.0]))), 1.5**2 + 1 / 12, rtol=1e-14)
    gap = cells(np.array([0.0, 1.0, 9.0, 10.0]), np.array([0.5, 0.0, 0.5]))  # an empty cell in the middle
    np.testing.assert_allclose(between_lines(gap, atoms(np.array([5.0]))), 4.5**2 + 1 / 12, rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([np.nan], [0.0]), "x"),
        (([0.0], [np.inf]), "y"),
        (([], [0.0]), "x"),
        (([[0.0]], [0.0]), "x"),
        (([0.0, 1.0], [0.0], [0.5, 0.6]), "a"),
        (([0.0, 1.0], [0.0], [1.5, -0.5]), "a"),
        (([0.0, 1.0], [0.0], [1.0]), "a"),
        (([0.0], [0.0, 1.0], None, [0.5, np.nan]), "b"),
        (("points", [0.0]), "x"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        w2_1d(*arguments)


def test_a_piece_too_light_to_raise_the_level_does_no_harm():
    """Its mass is below the smallest double times the total, as solvers leave them in far tails."""
    light = cells(np.array([0.0, 1.0, 2.0]), np.array([5e-324, 4.0]))
    other = cells(np.array([0.0, 1.0, 2.0, 3.0]), np.array([5e-324, 0.0, 1.0]))
    assert light.levels()[0] == 0
    np.testing.assert_allclose(between_lines(light, other), 1.0, rtol=1e-14)
