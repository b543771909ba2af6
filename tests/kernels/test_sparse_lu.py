"""Sparse LU with pivots on the diagonal: it solves, both ways, and keeps an M-matrix's inverse positive."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from wgf.kernels.sparse_lu import diagonal_lu


def m_matrix(n: int) -> sparse.csc_array:
    """1 - G of random jumps between neighbours of a ring, rates up to 1e6: columns sum to 1."""
    rng = np.random.default_rng(0)
    up, down = 10 ** rng.uniform(-6, 6, (2, n))
    cells = np.arange(n)
    ahead = np.roll(cells, -1)
    rows = np.concatenate([cells, ahead, cells, cells, ahead])
    columns = np.concatenate([cells, cells, cells, ahead, ahead])
    values = np.concatenate([np.ones(n), -up, up, -down, down])
    return sparse.csc_array((values, (rows, columns)), shape=(n, n))


@pytest.mark.parametrize("natural", [False, True])
@pytest.mark.parametrize("trans", ["N", "T"])
def test_factors_solve_with_the_matrix_and_its_transpose(natural, trans):
    rng = np.random.default_rng(1)
    matrix = sparse.csc_array(np.eye(9) * 4 + sparse.random_array((9, 9), density=0.3, rng=rng).toarray())
    right = rng.normal(size=9)
    found = diagonal_lu(matrix, natural).solve(right, trans)
    expected = np.linalg.solve(matrix.toarray() if trans == "N" else matrix.toarray().T, right)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("natural", [False, True])
def test_the_inverse_of_an_m_matrix_comes_out_nonnegative(natural):
    lu = diagonal_lu(m_matrix(60), natural)
    assert min(lu.solve(column).min() for column in np.eye(60)) >= 0


def test_a_singular_matrix_is_refused():
    with pytest.raises(RuntimeError, match="singular"):
        diagonal_lu(sparse.csc_array(np.zeros((3, 3)) + np.diag([1.0, 0.0, 1.0])))
