"""Compiled Gaussian smoothing of logarithms along lines, at a few exponentials a cell.

The largest exponent of every sum is known beforehand: the upper envelope of the parabolas
values_j - sharpness (i - j)^2 costs one pass over the line. Then cells are summed in CHUNKs, each scaled by
its own largest value: one exponential per cell, one table of the Gaussian, one exponential for every chunk
within reach. With the largest term scaled to 1 a sum is at least 1; one that is less has lost its terms to
underflow (steep values, far from their target) and is redone term by term.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wgf.kernels.entropic import NEGLIGIBLE

CHUNK = 16
COMPLETE = 0.999  # of the largest term, which every complete sum contains


def log_blur(values: np.ndarray, target: np.ndarray, sharpness: float) -> None:
    """Compiled form of `wgf.kernels.entropic.log_blur`."""
    _log_blur(values, target, float(sharpness))


@njit(cache=True, error_model="numpy")
def _log_blur(values, target, sharpness):
    lines, n = values.shape
    chunks = (n + CHUNK - 1) // CHUNK
    padded = chunks * CHUNK
    table = np.empty(2 * padded)  # of the Gaussian at j - i, its centre at index `padded`
    for k in range(2 * padded):
        table[k] = np.exp(-sharpness * (k - padded) * (k - padded))
    plain, high, top = np.zeros(padded), np.empty(chunks), np.empty(n)
    apex, border = np.empty(n, np.int64), np.empty(n + 1)
    for line in range(lines):
        filled = _envelope(values, line, sharpness, apex, border, top)
        if not filled:
            target[line, :] = -np.inf
            continue
        for c in range(chunks):
            first, last = c * CHUNK, min((c + 1) * CHUNK, n)
            largest = -np.inf
            for j in range(first, last):
                largest = max(largest, values[line, j])
            high[c] = largest
            for j in range(first, last):
                plain[j] = np.exp(values[line, j] - largest) if largest > -np.inf else 0.0
        for i in range(n):
            total = 0.0
            for c in range(chunks):
                gap = max(c * CHUNK - i, i - (c * CHUNK + CHUNK - 1), 0)
                bound = high[c] - top[i]
                if bound - sharpness * gap * gap > NEGLIGIBLE:
                    total += np.exp(bound) * _chunk(plain, c * CHUNK, table, padded + c * CHUNK - i)
            if not COMPLETE <= total < np.inf:
                total = 0.0
                for j in range(n):
                    exponent = values[line, j] - sharpness * (i - j) * (i - j) - top[i]
                    if exponent > NEGLIGIBLE:
                        total += np.exp(exponent)
            target[line, i] = top[i] + np.log(total)


@njit(cache=True, error_model="numpy")
def _chunk(plain, first, table, at):
    """The sum over a chunk of plain times the table, in four chains of additions."""
    s0, s1, s2, s3 = 0.0, 0.0, 0.0, 0.0
    for q in range(0, CHUNK, 4):
        s0 += plain[first + q] * table[at + q]
        s1 += plain[first + q + 1] * table[at + q + 1]
        s2 += plain[first + q + 2] * table[at + q + 2]
        s3 += plain[first + q + 3] * table[at + q + 3]
    return (s0 + s1) + (s2 + s3)


@njit(cache=True, error_model="numpy")
def _envelope(values, line, sharpness, apex, border, top):
    """top_i = max over j of values_j - sharpness (i - j)^2; False when the line is empty.

    Felzenszwalb & Huttenlocher, 2012: a stack of the parabolas seen from above, left to right.
    """
    n = values.shape[1]
    count = 0
    for j in range(n):
        v = values[line, j]
        if v == -np.inf:
            continue
        start = -np.inf
        while count > 0:
            k = apex[count - 1]
            start = 0.5 * ((values[line, k] - v) / (sharpness * (j - k)) + j + k)
            if start > border[count - 1]:
                break
            count -= 1
            start = -np.inf
        apex[count], border[count] = j, start
        count += 1
    if count == 0:
        return False
    at = 0
    for i in range(n):
        while at + 1 < count and border[at + 1] <= i:
            at += 1
        j = apex[at]
        top[i] = values[line, j] - sharpness * (i - j) * (i - j)
    return True
