"""Sliced W2: closed forms, gradients against differences, invariants, direction sets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.transport import directions, sliced_w2, w2_1d
from wgf.transport.sliced import _weighted

seeds = st.integers(0, 2**32 - 1)
sizes = st.integers(1, 9)
dimensions = st.integers(1, 5)


def cloud(seed: int, n: int, d: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, d)), rng.dirichlet(np.ones(n))


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, dimensions, st.booleans())
def test_it_is_the_average_of_the_projections(seed, n, m, d, weighted):
    (x, a), (y, b) = cloud(seed, n, d), cloud(seed + 1, m, d)
    a, b = (a, b) if weighted else (None, None)
    thetas = directions(d, 5)
    truth = np.mean([w2_1d(x @ t, y @ t, a, b) for t in thetas])
    np.testing.assert_allclose(sliced_w2(x, y, 5, a, b).value, truth, rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, dimensions, st.booleans())
def test_the_gradient_is_the_slope_along_every_move(seed, n, m, d, weighted):
    (x, a), (y, b) = cloud(seed, n, d), cloud(seed + 1, m, d)
    a, b = (a, b) if weighted else (None, None)
    move, step = np.random.default_rng(seed).normal(size=x.shape), 1e-6
    values = [sliced_w2(x + s * step * move, y, 7, a, b).value for s in (-1, 1)]
    slope = (sliced_w2(x, y, 7, a, b).gradient * move).sum()
    # a change of order inside the step bends the slope by at most the step
    np.testing.assert_allclose(slope, (values[1] - values[0]) / (2 * step), rtol=1e-5, atol=5e-5)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, dimensions)
def test_both_ways_of_computing_agree(seed, n, d):
    (x, _), (y, _) = cloud(seed, n, d), cloud(seed + 1, n, d)
    thetas = directions(d, 6)
    fast = sliced_w2(x, y, thetas)
    value, gradient = _weighted(x, y, thetas, None, None)
    np.testing.assert_allclose(fast.value, value / len(thetas), rtol=1e-12)
    np.testing.assert_allclose(fast.gradient, gradient / len(thetas), rtol=0, atol=1e-12)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, st.integers(2, 4))
def test_a_translate_is_at_the_exact_distance_and_pulled_straight(seed, n, d):
    x, _ = cloud(seed, n, d)
    shift = np.arange(1.0, d + 1)
    result = sliced_w2(x, x + shift, directions(d, 8 * d) if d != 3 else np.eye(3))
    np.testing.assert_allclose(result.value, shift @ shift / d, rtol=1e-12)
    np.testing.assert_allclose(result.gradient, np.tile(-2 * shift / (d * n), (n, 1)), rtol=1e-10)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, sizes, dimensions)
def test_it_is_a_symmetric_distance(seed, n, m, k, d):
    (x, a), (y, b), (z, c) = cloud(seed, n, d), cloud(seed + 1, m, d), cloud(seed + 2, k, d)
    direct = sliced_w2(x, y, 6, a, b).value
    np.testing.assert_allclose(sliced_w2(y, x, 6, b, a).value, direct, rtol=1e-12)
    through = sliced_w2(x, z, 6, a, c).value ** 0.5 + sliced_w2(z, y, 6, c, b).value ** 0.5
    assert direct**0.5 <= through + 1e-12


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, dimensions, st.sampled_from([1e-8, 1.0, 1e8]))
def test_rotated_clouds_and_directions_give_the_rotated_gradient(seed, n, m, d, scale):
    (x, a), (y, b) = cloud(seed, n, d), cloud(seed + 1, m, d)
    rng, thetas = np.random.default_rng(seed), directions(d, 6)
    q, order = np.linalg.qr(rng.normal(size=(d, d)))[0], rng.permutation(n)
    before = sliced_w2(x, y, thetas, a, b)
    after = sliced_w2(scale * (x[order] @ q + 1), scale * (y @ q + 1), thetas @ q, a[order], b)
    np.testing.assert_allclose(after.value, scale**2 * before.value, rtol=1e-10)
    np.testing.assert_allclose(after.gradient / scale, before.gradient[order] @ q, rtol=0, atol=1e-10)


@settings(max_examples=200, deadline=None)
@given(seeds, sizes, sizes, st.floats(0.05, 0.95))
def test_splitting_a_weight_splits_the_gradient_and_empty_points_feel_nothing(seed, n, m, part):
    (x, a), (y, b) = cloud(seed, n, 2), cloud(seed + 1, m, 2)
    split = np.concatenate((a, [(1 - part) * a[0], 0.0]))
    split[0] *= part
    whole = sliced_w2(x, y, 9, a, b)
    parts = sliced_w2(np.concatenate((x, x[:1], [[50.0, 50.0]])), y, 9, split, b)
    np.testing.assert_allclose(parts.value, whole.value, rtol=1e-10)
    np.testing.assert_allclose(parts.gradient[0] + parts.gradient[n], whole.gradient[0], rtol=0, atol=1e-12)
    assert (parts.gradient[-1] == 0).all()


def test_blocks_of_directions_do_not_change_the_result(monkeypatch):
    (x, _), (y, _) = cloud(1, 50, 3), cloud(2, 50, 3)
    whole = sliced_w2(x, y, 40)
    monkeypatch.setattr("wgf.transport.sliced.BLOCK", 120)
    np.testing.assert_allclose(sliced_w2(x, y, 40).value, whole.value, rtol=1e-14)
    np.testing.assert_allclose(sliced_w2(x, y, 40).gradient, whole.gradient, rtol=0, atol=1e-15)


@pytest.mark.parametrize("d", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [1, 5, 64])
def test_directions_are_unit_vectors_and_spread_evenly(d, count):
    thetas = directions(d, count)
    assert thetas.shape == (1 if d == 1 else count, d)
    np.testing.assert_allclose((thetas**2).sum(1), 1, rtol=1e-12)
    assert np.array_equal(thetas, directions(d, count))
    if count == 64:
        error = np.abs(thetas.T @ thetas / len(thetas) - np.eye(d) / d).max()
        assert error < {1: 1e-15, 2: 1e-15, 3: 1e-2, 4: 1e-15, 7: 2e-2}[d]


def test_directions_are_used_as_given_and_not_normalised():
    assert sliced_w2([[0.0, 0.0]], [[1.0, 5.0]], [[2.0, 0.0]]).value == 4.0


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (([[np.nan, 0]], [[0, 0]], 4), "x"),
        (([[0, 0]], [[0, 0, 0]], 4), "y"),
        (([[0, 0]], [[0, 0]], 0), "directions"),
        (([[0, 0]], [[0, 0]], 2.5), "directions"),
        (([[0, 0]], [[0, 0]], [[1.0, 0, 0]]), "directions"),
        (([[0, 0]], [[0, 0]], [[np.inf, 0]]), "directions"),
        (([[0, 0]], [[0, 0]], 4, [0.9]), "a"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        sliced_w2(*arguments)
    with pytest.raises((ValueError, TypeError), match="^count must"):
        directions(2, 0)
