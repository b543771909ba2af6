"""Bures: closed forms, invariants and degenerate covariances."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.measures import Gaussian
from wgf.transport import bures

seeds = st.integers(0, 2**32 - 1)
dimensions = st.integers(1, 5)


def gaussian(seed: int, d: int, rank: int | None = None) -> Gaussian:
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(d, d if rank is None else rank))
    return Gaussian(rng.normal(size=d), factor @ factor.T)


def rotation(seed: int, d: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


@settings(max_examples=200, deadline=None)
@given(seeds, dimensions)
def test_it_is_the_trace_formula(seed, d):
    g, h = gaussian(seed, d), gaussian(seed + 1, d)
    root = scipy.linalg.sqrtm(g.covariance).real
    middle = scipy.linalg.sqrtm(root @ h.covariance @ root).real
    truth = ((g.center - h.center) ** 2).sum() + np.trace(g.covariance + h.covariance - 2 * middle)
    np.testing.assert_allclose(bures(g, h), truth, rtol=1e-6, atol=1e-6)


@settings(max_examples=200, deadline=None)
@given(seeds, dimensions, dimensions)
def test_it_is_a_symmetric_distance(seed, d, rank):
    f, g, h = gaussian(seed, d), gaussian(seed + 1, d, min(rank, d)), gaussian(seed + 2, d)
    np.testing.assert_allclose(bures(g, h), bures(h, g), rtol=1e-10)
    assert bures(f, h) ** 0.5 <= bures(f, g) ** 0.5 + bures(g, h) ** 0.5 + 1e-7
    assert bures(g, g) < 1e-25 * np.trace(g.covariance) + 1e-28


@settings(max_examples=200, deadline=None)
@given(seeds, dimensions, st.sampled_from([1e-8, 1.0, 1e8]))
def test_it_moves_with_rotations_translations_and_scales(seed, d, scale):
    g, h, q = gaussian(seed, d), gaussian(seed + 1, d), rotation(seed, d)
    moved = [Gaussian(scale * (q @ m.center + 2), scale**2 * q @ m.covariance @ q.T) for m in (g, h)]
    np.testing.assert_allclose(bures(*moved), scale**2 * bures(g, h), rtol=1e-9)


def test_commuting_covariances_are_the_distance_of_standard_deviations():
    g, h = Gaussian([0, 0, 0], [1.0, 4.0, 1e-20]), Gaussian([1, 0, 0], [9.0, 0.0, 4e-20])
    np.testing.assert_allclose(bures(g, h), 1 + 4 + 4, rtol=1e-14)
    tiny = bures(Gaussian([0, 0], [1.0, 1e-20]), Gaussian([0, 0], [1.0, 4e-20]))
    np.testing.assert_allclose(tiny, 1e-20, rtol=1e-10)


def test_nearly_equal_gaussians_keep_their_digits():
    q = rotation(4, 3)
    near, far = (q @ np.diag(s) @ q.T for s in ([1.0, 2.0, 3.0], [(1 + 1e-7) ** 2, 2.0, 3.0]))
    np.testing.assert_allclose(
        bures(Gaussian(np.zeros(3), near), Gaussian(np.zeros(3), far)), 1e-14, rtol=1e-6
    )


def test_singular_covariances_and_diracs():
    v = np.array([1.0, 2.0, -1.0])
    flat = Gaussian(np.zeros(3), np.outer(v, v))
    np.testing.assert_allclose(bures(flat, Gaussian(np.zeros(3), 0.0)), 6.0, rtol=1e-14)
    np.testing.assert_allclose(bures(flat, Gaussian(np.zeros(3), 4 * np.outer(v, v))), 6.0, rtol=1e-12)
    np.testing.assert_allclose(bures(Gaussian([0, 0], 0.0), Gaussian([3, 4], 0.0)), 25.0, rtol=1e-15)


def test_bad_input_is_refused_by_name():
    with pytest.raises(TypeError, match="^g must"):
        bures(3.0, Gaussian(0, 1))
    with pytest.raises(ValueError, match="^h must have dimension 1"):
        bures(Gaussian(0, 1), Gaussian([0, 0], 1))
