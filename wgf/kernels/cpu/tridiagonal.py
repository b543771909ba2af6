"""Compiled tridiagonal sweeps over all lines of an axis; a line itself is in `lines.py` and `rings.py`.

Blocks of LANES lines go through all passes of a step while they are in cache. They are worked off in
order by one thread: a TR-BDF2 pass at 256^2 takes a tenth of a millisecond and is bound by the cache, so
a second thread would cost CPU time and save little.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from wgf.kernels.cpu.blocks import accumulate, aligned, gather, scatter, side_by_side, start
from wgf.kernels.cpu.lanes import fill, store
from wgf.kernels.cpu.lines import SLOTS, euler_line, tr_bdf2_line
from wgf.kernels.cpu.rings import euler_ring, tr_bdf2_ring
from wgf.kernels.scharfetter_gummel import COLUMNS, LANES


def euler_sweep(
    source: np.ndarray, target: np.ndarray, flux: np.ndarray, factors: np.ndarray, axis: int, periodic: bool
) -> float:
    """Compiled form of `wgf.kernels.tridiagonal.euler_sweep`."""
    return _sweep(source, target, flux, factors, axis, periodic, False)


def tr_bdf2_sweep(
    source: np.ndarray, target: np.ndarray, flux: np.ndarray, factors: np.ndarray, axis: int, periodic: bool
) -> float:
    """Compiled form of `wgf.kernels.tridiagonal.tr_bdf2_sweep`."""
    return _sweep(source, target, flux, factors, axis, periodic, True)


def _sweep(
    source: np.ndarray,
    target: np.ndarray,
    flux: np.ndarray,
    factors: np.ndarray,
    axis: int,
    periodic: bool,
    second_order: bool,
) -> float:
    shape = source.shape
    n, inner = shape[axis], math.prod(shape[axis + 1 :])
    compute: Any = _one_line if source.size == n else _blocks
    flat = (a.reshape(-1) for a in (source, target, flux, factors))
    work = aligned(n * SLOTS * (1 if source.size == n else LANES))
    return compute(*flat, work, n, inner, True if periodic else None, True if second_order else None)


@njit(cache=True, error_model="numpy")
def _line(like, width, factors, at, work, source, base, stride, target, to, pace, n, ring, second):
    """One line, or LANES lines, by the type of `like`; returns the least new value.

    ring and second are True or None: numba compiles only the branch that the type None leaves.
    """
    if ring is not None:
        if second is not None:
            return tr_bdf2_ring(like, width, factors, at, work, source, base, stride, target, to, pace, n)
        return euler_ring(like, width, factors, at, work, source, base, stride, target, to, pace, n)
    if second is not None:
        return tr_bdf2_line(like, width, factors, at, work, source, base, stride, target, to, pace, n)
    return euler_line(like, width, factors, at, work, source, base, stride, target, to, pace, n)


@njit(cache=True, error_model="numpy")
def _one_line(source, target, flux, factors, work, n, inner, ring, second):
    least = _line(0.0, 1, factors, 0, work, source, 0, 1, target, 0, 1, n, ring, second)
    if flux.size:
        accumulate(work, 1, SLOTS, 0, 1, 1, n, inner, flux)
    return least


@njit(cache=True, error_model="numpy")
def _blocks(source, target, flux, factors, work, n, inner, ring, second):
    zero = fill(0.0)
    pitch = SLOTS * LANES
    lanes = np.empty(LANES)
    lines = source.size // n
    step = (n - 1 if ring is None else n) * COLUMNS * LANES
    least = np.inf
    for block in range((lines + LANES - 1) // LANES):
        first, at = block * LANES, block * step
        if side_by_side(first, lines, inner):
            here = start(first, n, inner)
            lowest = _line(
                zero, LANES, factors, at, work, source, here, inner, target, here, inner, n, ring, second
            )
        else:
            gather(source, first, lines, n, inner, work, pitch)
            lowest = _line(zero, LANES, factors, at, work, work, 0, pitch, work, 0, pitch, n, ring, second)
            scatter(work, pitch, first, lines, n, inner, target)
        store(lowest, lanes, 0)
        for lane in range(min(LANES, lines - first)):
            least = min(least, lanes[lane])
        if flux.size:
            accumulate(work, LANES, pitch, first, LANES, lines, n, inner, flux)
    return least
