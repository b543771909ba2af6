"""Gaussian mixtures in one pass over the components: the compiled form of `wgf.kernels.mixture`.

A block of `ROWS` points stays in the first-level cache, coordinates first, and every inner loop runs
over the points of the block: components enter as scalars, so nothing is ever summed across lanes and
the result of a point depends on nothing but the point. Components come in tiles of `TILE`; the largest
exponent so far is kept and the sums are rescaled when it grows, so each exponential is taken once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange

from wgf.kernels.cpu.fastmath import exp

ROWS, TILE = 64, 8
LOWEST, LOWEST32 = -1e300, np.float32(-1e38)  # finite: -inf minus -inf would be NaN

compiled = njit(cache=True, fastmath={"contract"}, error_model="numpy")
parallel = njit(cache=True, fastmath={"contract"}, error_model="numpy", parallel=True)


@compiled
def _exponents_isotropic(x, log_weight, mean, precision, row):
    """row[i] = log_weight - precision |x_i - mean|^2 / 2."""
    half = x.dtype.type(-0.5) * precision
    for i in range(row.size):
        row[i] = x.dtype.type(0.0)
    for k in range(x.shape[0]):
        c = mean[k]
        for i in range(row.size):
            z = c - x[k, i]
            row[i] += z * z
    for i in range(row.size):
        row[i] = log_weight + half * row[i]


@compiled
def _exponents(x, log_weight, mean, precision, away, row):
    """row[i] = log_weight - (x_i - mean).precision (x_i - mean) / 2 (`away` is overwritten)."""
    half = x.dtype.type(0.5)
    for k in range(x.shape[0]):
        c = mean[k]
        for i in range(row.size):
            away[k, i] = c - x[k, i]
    for i in range(row.size):
        row[i] = log_weight
    for k in range(x.shape[0]):
        p = half * precision[k, k]
        for i in range(row.size):
            row[i] -= p * away[k, i] * away[k, i]
        for m in range(k):
            p = precision[k, m]
            for i in range(row.size):
                row[i] -= p * away[k, i] * away[m, i]


@compiled
def _gather_isotropic(x, mean, row, force):
    """force[k, i] += row[i] * (mean - x_i)[k]; the common precision is multiplied in at the end."""
    for k in range(x.shape[0]):
        c = mean[k]
        for i in range(row.size):
            force[k, i] += row[i] * (c - x[k, i])


@compiled
def _gather(x, mean, precision, away, row, force):
    """force[:, i] += row[i] * precision (mean - x_i)."""
    for k in range(x.shape[0]):
        c = mean[k]
        for i in range(row.size):
            away[k, i] = row[i] * (c - x[k, i])
    for k in range(x.shape[0]):
        for m in range(x.shape[0]):
            p = precision[k, m]
            for i in range(row.size):
                force[k, i] += p * away[m, i]


@compiled
def _raise_top(tile, new, top, total, force):
    """Let `top` follow the largest exponent of the tile; sums taken so far are rescaled to it."""
    for i in range(top.size):
        new[i] = top[i]
    for j in range(tile.shape[0]):
        for i in range(top.size):
            new[i] = tile[j, i] if tile[j, i] > new[i] else new[i]
    for i in range(top.size):
        shrink = exp(top[i] - new[i])
        top[i] = new[i]
        new[i] = shrink
        total[i] *= shrink
    for k in range(force.shape[0]):
        for i in range(top.size):
            force[k, i] *= new[i]


@compiled
def _turn_to_weights(row, top, total):
    for i in range(row.size):
        row[i] = exp(row[i] - top[i])
        total[i] += row[i]


@compiled
def _block(x, log_weights, means, precisions, isotropic, top, total, force):
    """Sums over all components for one block x (d, ROWS); `force` has no rows when not wanted."""
    real = x.dtype.type
    tile = np.empty((TILE, x.shape[1]), x.dtype)
    away = np.empty_like(x)
    new = np.empty_like(top)
    for i in range(top.size):
        top[i] = LOWEST32 if x.itemsize == 4 else LOWEST
        total[i] = real(0.0)
    force[:] = real(0.0)
    for first in range(0, log_weights.size, TILE):
        count = min(TILE, log_weights.size - first)
        for t in range(count):
            j = first + t
            if isotropic:
                _exponents_isotropic(x, log_weights[j], means[j], precisions[0, 0, 0], tile[t])
            else:
                _exponents(x, log_weights[j], means[j], precisions[j], away, tile[t])
        _raise_top(tile[:count], new, top, total, force)
        for t in range(count):
            j = first + t
            _turn_to_weights(tile[t], top, total)
            if force.shape[0] == 0:
                continue
            if isotropic:
                _gather_isotropic(x, means[j], tile[t], force)
            else:
                _gather(x, means[j], precisions[j], away, tile[t], force)


@parallel
def _mixture(x, log_weights, means, precisions, isotropic, log_density, score):
    """Fill `log_density` (n,) and `score` (n, d), each only if it has elements."""
    n, d = x.shape
    real = x.dtype.type
    for b in prange((n + ROWS - 1) // ROWS):
        lo = b * ROWS
        m = min(ROWS, n - lo)
        block = np.zeros((d, ROWS), x.dtype)
        for i in range(m):
            for k in range(d):
                block[k, i] = x[lo + i, k]
        top = np.empty(ROWS, x.dtype)
        total = np.empty(ROWS, x.dtype)
        force = np.empty((d if score.size else 0, ROWS), x.dtype)
        _block(block, log_weights, means, precisions, isotropic, top, total, force)
        if log_density.size:
            for i in range(m):
                log_density[lo + i] = top[i] + np.log(total[i])  # once per point: libm keeps NaN
        if score.size:
            scale = precisions[0, 0, 0] if isotropic else real(1.0)
            for i in range(m):
                for k in range(d):
                    score[lo + i, k] = scale * force[k, i] / total[i]


def _run(x: Any, log_weights: Any, means: Any, precisions: Any, wanted: str) -> np.ndarray:
    isotropic = np.ndim(precisions) == 0
    x, a, b, c = (
        # writable, whatever a measure froze: numba would compile every kernel once more for read-only
        np.require(p, x.dtype, ["C", "W"])
        for p in (x, log_weights, means, np.reshape(precisions, (1, 1, 1)) if isotropic else precisions)
    )
    log_density = np.empty(x.shape[0] if wanted == "log_density" else 0, x.dtype)
    score = np.empty(x.shape if wanted == "score" else (0, 0), x.dtype)
    _mixture(x, a, b, c, isotropic, log_density, score)
    return log_density if wanted == "log_density" else score


def mixture_log_density(x, log_weights, means, precisions):
    """Compiled form of `wgf.kernels.mixture.mixture_log_density`, full or scalar precision."""
    return _run(x, log_weights, means, precisions, "log_density")


def mixture_score(x, log_weights, means, precisions):
    """Compiled form of `wgf.kernels.mixture.mixture_score`, full or scalar precision."""
    return _run(x, log_weights, means, precisions, "score")
