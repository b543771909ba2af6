"""Selling's decomposition: it gives the matrix back with nonnegative weights, whatever the anisotropy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.schemes.grid.fokker_planck.selling import selling, superbase


def matrices(d, decades, seed, n=50):
    """Random rotations of diagonals whose entries span 10^-decades to 10^decades."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(n, d, d)))[0]
    return np.einsum("nij,nj,nkj->nik", turned, 10 ** rng.uniform(-decades, decades, size=(n, d)), turned)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((2, 3)), st.floats(0.0, 1.5), st.integers(0, 2**32))
def test_the_weights_are_nonnegative_and_give_the_matrix_back(d, decades, seed):
    M = matrices(d, decades, seed)
    weights, offsets = selling(M)
    assert weights.shape == (50, d * (d + 1) // 2)
    assert weights.min() >= 0
    back = np.einsum("nk,nki,nkj->nij", weights, offsets, offsets)
    scale = np.abs(M).max(axis=(1, 2), keepdims=True)
    assert (np.abs(back - M) / scale).max() <= 1e-11


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((2, 3)), st.floats(0.0, 3.0), st.integers(0, 2**32))
def test_superbases_are_obtuse_sum_to_zero_and_span_the_lattice(d, decades, seed):
    M = matrices(d, decades, seed)
    base = superbase(M)
    np.testing.assert_array_equal(base.sum(axis=1), 0)
    volume = np.linalg.det(base[:, :d].astype(float))
    np.testing.assert_allclose(np.abs(volume), 1.0, rtol=0, atol=1e-8)
    products = np.einsum("nik,nkl,njl->nij", base, M, base)
    lengths = np.sqrt(np.einsum("nii->ni", products))
    angles = (products / (lengths[:, :, None] * lengths[:, None, :]))[:, ~np.eye(d + 1, dtype=bool)]
    assert angles.max() <= 1e-13


@pytest.mark.parametrize("d", [2, 3])
def test_a_diagonal_matrix_needs_the_axes_only(d):
    weights, offsets = selling(np.diag(np.arange(1.0, d + 1))[None])
    found = {tuple(e): a for a, e in zip(weights[0], offsets[0], strict=True) if a > 0}
    assert found == {tuple(np.eye(d, dtype=int)[k]): k + 1.0 for k in range(d)}


def test_offsets_point_one_way():
    offsets = selling(matrices(3, 1.0, 0))[1].reshape(-1, 3)
    leading = offsets[np.arange(len(offsets)), (offsets != 0).argmax(axis=1)]
    assert leading.min() > 0
