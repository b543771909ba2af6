"""Exact W2 of clouds: three independent solvers agree, invariants, limits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from wgf.transport import w2_1d, w2_clouds
from wgf.transport.clouds import _programme

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 8)


def cloud(seed: int, n: int, d: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(n))


@settings(max_examples=60, deadline=None)
@given(seeds, st.integers(1, 5))
def test_equal_weights_give_the_best_of_all_permutations(seed, n):
    (x, _), (y, _) = cloud(seed, n, 3), cloud(seed + 1, n, 3)
    best = min(((x - y[list(p)]) ** 2).sum() / n for p in itertools.permutations(range(n)))
    np.testing.assert_allclose(w2_clouds(x, y), best, rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes)
def test_clouds_on_a_line_in_the_plane_are_sorted(seed, n, m):
    (x, a), (y, b) = cloud(seed, n, 1), cloud(seed + 1, m, 1)
    along = np.array([[0.6, 0.8]])
    np.testing.assert_allclose(
        w2_clouds(x @ along, y @ along, a, b), w2_1d(x[:, 0], y[:, 0], a, b), rtol=1e-9
    )
    np.testing.assert_allclose(w2_clouds(x, y, a, b), w2_1d(x[:, 0], y[:, 0], a, b), rtol=1e-14)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, sizes)
def test_it_is_a_symmetric_distance(seed, n, m, k):
    (x, a), (y, b), (z, c) = cloud(seed, n), cloud(seed + 1, m), cloud(seed + 2, k)
    value = w2_clouds(x, y, a, b)
    np.testing.assert_allclose(w2_clouds(y, x, b, a), value, rtol=1e-9)
    assert value**0.5 <= w2_clouds(x, z, a, c) ** 0.5 + w2_clouds(z, y, c, b) ** 0.5 + 1e-9
    assert w2_clouds(x, x, a, a) < 1e-12


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.sampled_from([1e-8, 1.0, 1e8]))
def test_it_moves_with_rotations_translations_scales_and_order(seed, n, m, scale):
    (x, a), (y, b) = cloud(seed, n, 3), cloud(seed + 1, m, 3)
    rng = np.random.default_rng(seed)
    q, order = np.linalg.qr(rng.normal(size=(3, 3)))[0], rng.permutation(n)
    moved = w2_clouds(scale * (x[order] @ q + 2), scale * (y @ q + 2), a[order], b)
    np.testing.assert_allclose(moved, scale**2 * w2_clouds(x, y, a, b), rtol=1e-9)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.floats(0.05, 0.95))
def test_splitting_a_weight_and_adding_empty_points_change_nothing(seed, n, m, part):
    (x, a), (y, b) = cloud(seed, n), cloud(seed + 1, m)
    split = np.concatenate((a, [(1 - part) * a[0], 0.0]))
    split[0] *= part
    twice = np.concatenate((x, x[:1], [[1e6, 1e6]]))
    np.testing.assert_allclose(w2_clouds(twice, y, split, b), w2_clouds(x, y, a, b), rtol=1e-9)


def test_assignment_and_linear_programme_agree_on_hundred_points():
    (x, _), (y, _) = cloud(1, 100), cloud(2, 100)
    uniform = np.full(100, 0.01)
    truth = w2_clouds(x, y)
    np.testing.assert_allclose(_programme(cdist(x, y, "sqeuclidean"), uniform, uniform), truth, rtol=1e-11)
    np.testing.assert_allclose(w2_clouds(np.repeat(x, 2, 0), y), truth, rtol=1e-11)


def test_weights_below_the_usual_solver_tolerance_are_transported():
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(2, 60, 1))
    a, b = rng.dirichlet(np.full(60, 0.1)), rng.dirichlet(np.full(60, 0.1))
    assert (a < 1e-7).sum() > 5
    value = w2_clouds(x @ [[0.6, 0.8]], y @ [[0.6, 0.8]], a, b)
    np.testing.assert_allclose(value, w2_1d(x[:, 0], y[:, 0], a, b), rtol=1e-10)


def test_clouds_far_away_and_far_apart_keep_their_digits():
    (x, a), (y, b) = cloud(1, 6), cloud(2, 7)
    shift = np.array([1e6, 0.0])
    value, offset = w2_clouds(x, y, a, b), a @ x[:, 0] - b @ y[:, 0]
    np.testing.assert_allclose(w2_clouds(x + shift, y + shift, a, b), value, rtol=1e-8)
    np.testing.assert_allclose(w2_clouds(x + shift, y, a, b), 1e12 + 2e6 * offset + value, rtol=1e-12)
    assert w2_clouds(x + shift, x + shift) == 0.0


def test_single_points_duplicates_and_tiny_weights():
    assert w2_clouds([[0.0, 0.0]], [[3.0, 4.0]]) == 25.0
    assert w2_clouds([[1.0, 1.0]] * 4, [[1.0, 1.0]] * 3) == 0.0
    np.testing.assert_allclose(w2_clouds([[0, 0], [1, 1]], [[0, 0]], a=[1.0, 1e-300]), 2e-300, rtol=1e-12)
    near = w2_clouds([[0.0, 0], [1, 1]], [[0.0, 0], [3, 1]], a=[1.0, 1e-300], b=[0.5, 0.5])
    np.testing.assert_allclose(near, 5.0, rtol=1e-12)


def test_sizes_beyond_the_limit_are_refused_before_memory_is_taken():
    with pytest.raises(
        ValueError, match=r"^x and y are too large .* 6000 x 6000 points .*288 MB .*sliced_w2"
    ):
        w2_clouds(np.zeros((6000, 2)), np.zeros((6000, 2)))
    with pytest.raises(ValueError, match="linear programme"):
        w2_clouds(np.zeros((1000, 2)), np.zeros((1001, 2)))
    assert w2_clouds(np.zeros((1_000_000, 1)), np.ones((10, 1))) == 1.0
    assert w2_clouds(np.zeros((1_000_000, 2)), np.ones((1, 2))) == 2.0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([[np.nan, 0]], [[0, 0]]), "x"),
        (([[0, 0]], [[0, 0, 0]]), "y"),
        ((np.zeros((0, 2)), [[0, 0]]), "x"),
        (([[0, 0]], [[0, 0]], [0.9]), "a"),
        (([[0, 0]], [[0, 0]], None, [0.5, 0.5]), "b"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        w2_clouds(*arguments)
