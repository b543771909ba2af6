"""The compiled elliptic operator of cells: one pass, the sum beside it."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def weighted_laplacian(
    weight: np.ndarray, c0: np.ndarray, c1: np.ndarray, c2: np.ndarray, x: np.ndarray, out: np.ndarray
) -> float:
    """Compiled form of `wgf.kernels.poisson.weighted_laplacian`."""
    n0, n1, n2 = x.shape
    total = 0.0
    for i in range(n0):
        for j in range(n1):
            row, result = x[i, j], out[i, j]
            for k in range(n2):
                result[k] = weight[i, j, k] * row[k]
            if i > 0:
                for k in range(n2):
                    result[k] += c0[i - 1, j, k] * (row[k] - x[i - 1, j, k])
            if i < n0 - 1:
                for k in range(n2):
                    result[k] += c0[i, j, k] * (row[k] - x[i + 1, j, k])
            if j > 0:
                for k in range(n2):
                    result[k] += c1[i, j - 1, k] * (row[k] - x[i, j - 1, k])
            if j < n1 - 1:
                for k in range(n2):
                    result[k] += c1[i, j, k] * (row[k] - x[i, j + 1, k])
            for k in range(n2 - 1):
                flux = c2[i, j, k] * (row[k] - row[k + 1])
                result[k] += flux
                result[k + 1] -= flux
            for k in range(n2):
                total += row[k] * result[k]
    return total
