"""Sparse LU with pivots on the diagonal: for M-matrices, symmetric matrices and their like.

Left to choose, SuperLU may pivot off the diagonal, which fills the factors of a grid's matrix and lets
rounding make negative what an M-matrix keeps positive; with the pivots where they are and a symmetric order
the factors of an M-matrix are M-matrices.
"""

from __future__ import annotations

from typing import Any


def diagonal_lu(matrix: Any, natural: bool = False) -> Any:
    """SuperLU factors of a sparse csc matrix, with `solve(b)` and `solve(b, "T")`.

    natural: eliminate in the order given (a line, or a matrix sorted into a triangle), else by minimum
    degree of A' + A. RuntimeError for a singular matrix.

    >>> import numpy as np
    >>> from scipy import sparse
    >>> diagonal_lu(sparse.csc_array([[2.0, -1.0], [-1.0, 2.0]])).solve(np.array([1.0, 1.0])).tolist()
    [1.0, 1.0]

    Li, 2005 (SuperLU).
    """
    from scipy.sparse.linalg import splu

    return splu(
        matrix,
        permc_spec="NATURAL" if natural else "MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
