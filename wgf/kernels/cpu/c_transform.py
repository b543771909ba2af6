"""Compiled lower envelopes of parabolas: one line after another, O(n) each."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, error_model="numpy")
def envelope(lines: np.ndarray, curvature: float, out: np.ndarray) -> None:
    """Compiled form of `wgf.kernels.c_transform.envelope`."""
    count, n = lines.shape
    hull = np.empty(n, np.int64)
    begins = np.empty(n)  # where the parabola of hull[k] becomes the lowest, in units of 2 curvature cells
    for line in range(count):
        f = lines[line]
        size = 0
        for j in range(n):
            if f[j] == -np.inf:
                continue
            begin = -np.inf
            while size > 0:
                last = hull[size - 1]
                begin = curvature * (last + j) - (f[j] - f[last]) / (j - last)
                if begin <= begins[size - 1]:
                    size -= 1
                    begin = -np.inf
                else:
                    break
            hull[size] = j
            begins[size] = begin
            size += 1
        if size == 0:
            for i in range(n):
                out[line, i] = np.inf
            continue
        k = 0
        for i in range(n):
            while k + 1 < size and begins[k + 1] < 2 * curvature * i:
                k += 1
            j = hull[k]
            out[line, i] = curvature * (i - j) * (i - j) - f[j]
