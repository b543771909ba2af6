"""Compiled Scharfetter-Gummel factors: one pass over every block of lines, vectors across the lines."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from wgf.kernels.cpu.blocks import aligned, gather, side_by_side
from wgf.kernels.cpu.lanes import fill, larger, load, store
from wgf.kernels.scharfetter_gummel import COLUMNS, EVEN, LANES, SERIES_BELOW

E0, E1, E2, E3, E4, E5, E6, E7 = EVEN


def sg_factors(
    potential: np.ndarray, strength: float, temperature: float, axis: int, periodic: bool
) -> np.ndarray:
    """Compiled form of `wgf.kernels.scharfetter_gummel.sg_factors`."""
    shape = potential.shape
    n, inner = shape[axis], math.prod(shape[axis + 1 :])
    lines = potential.size // n
    width = 1 if lines == 1 else LANES
    flat = np.ascontiguousarray(potential, dtype=np.float64).reshape(-1)
    faces = n if periodic else n - 1
    blocks = -(-lines // width)
    factors = aligned(blocks * faces * COLUMNS * width)
    ring: Any = True if periodic else None
    if lines == 1:
        _one_line(flat, strength, 1 / temperature, n, ring, factors)
    else:
        _blocks(flat, strength, 1 / temperature, n, inner, ring, factors, aligned(n * width))
    return factors.reshape(blocks, faces, COLUMNS, width)


def rate_factors(up: np.ndarray, down: np.ndarray, strength: float, axis: int, periodic: bool) -> np.ndarray:
    """Compiled form of `wgf.kernels.scharfetter_gummel.rate_factors`."""
    shape = up.shape
    faces, inner = shape[axis], math.prod(shape[axis + 1 :])
    lines = up.size // faces
    width = 1 if lines == 1 else LANES
    flat = (np.ascontiguousarray(rate, dtype=np.float64).reshape(-1) for rate in (up, down))
    blocks = -(-lines // width)
    factors = aligned(blocks * faces * COLUMNS * width)
    compute: Any = _one_line_of_rates if lines == 1 else _blocks_of_rates
    compute(*flat, strength, faces, inner, True if periodic else None, factors, aligned(faces * width))
    return factors.reshape(blocks, faces, COLUMNS, width)


@njit(cache=True, error_model="numpy")
def _one_line_of_rates(up, down, strength, faces, inner, ring, factors, work):
    _take(0.0, 1, up, 0, 1, faces, strength, factors, 0)
    _take(0.0, 1, down, 0, 1, faces, strength, factors, 1)
    _eliminate(0.0, 1, factors, 0, faces if ring is not None else faces + 1, ring)


@njit(cache=True, error_model="numpy")
def _blocks_of_rates(up, down, strength, faces, inner, ring, factors, work):
    lines = up.size // faces
    zero = fill(0.0)
    for block in range((lines + LANES - 1) // LANES):
        first = block * LANES
        at = block * faces * COLUMNS * LANES
        if side_by_side(first, lines, inner):
            base = (first // inner) * faces * inner + first % inner
            _take(zero, LANES, up, base, inner, faces, strength, factors, at)
            _take(zero, LANES, down, base, inner, faces, strength, factors, at + LANES)
        else:
            gather(up, first, lines, faces, inner, work, LANES)
            _take(zero, LANES, work, 0, LANES, faces, strength, factors, at)
            gather(down, first, lines, faces, inner, work, LANES)
            _take(zero, LANES, work, 0, LANES, faces, strength, factors, at + LANES)
        _eliminate(zero, LANES, factors, at, faces if ring is not None else faces + 1, ring)


@njit(cache=True, error_model="numpy")
def _take(like, width, rates, base, stride, faces, strength, factors, at):
    """Rates of every face, times `strength`, into their column of the factors."""
    for i in range(faces):
        store(strength * load(like, rates, base + i * stride), factors, at + i * COLUMNS * width)


@njit(cache=True, error_model="numpy")
def _one_line(potential, strength, beta, n, ring, factors):
    faces = len(factors) // COLUMNS
    _fill(0.0, 1, potential, 0, 1, n, faces, strength, beta, factors, 0, np.zeros(1))
    _eliminate(0.0, 1, factors, 0, n, ring)


@njit(cache=True, error_model="numpy")
def _blocks(potential, strength, beta, n, inner, ring, factors, work):
    lines = potential.size // n
    blocks = (lines + LANES - 1) // LANES
    faces = len(factors) // (blocks * COLUMNS * LANES)
    steepest = np.zeros(LANES)
    zero = fill(0.0)
    for block in range(blocks):
        first = block * LANES
        at = block * faces * COLUMNS * LANES
        if side_by_side(first, lines, inner):
            base = (first // inner) * n * inner + first % inner
            _fill(zero, LANES, potential, base, inner, n, faces, strength, beta, factors, at, steepest)
        else:
            gather(potential, first, lines, n, inner, work, LANES)
            _fill(zero, LANES, work, 0, LANES, n, faces, strength, beta, factors, at, steepest)
        _eliminate(zero, LANES, factors, at, n, ring)


@njit(cache=True, error_model="numpy")
def _fill(zero, width, potential, base, stride, n, faces, strength, beta, factors, at, steepest):
    """up and down of every face; the series serves |w| < 1/2, steeper faces are done again one by one."""
    row = COLUMNS * width
    worst = zero
    here = load(zero, potential, base)
    for i in range(faces):
        there = load(zero, potential, base + ((i + 1) % n) * stride)
        w = (there - here) * beta
        z = w * w
        even = E0 + z * (E1 + z * (E2 + z * (E3 + z * (E4 + z * (E5 + z * (E6 + z * E7))))))
        store(strength * (even - 0.5 * w), factors, at + i * row)
        store(strength * (even + 0.5 * w), factors, at + i * row + width)
        store(w, factors, at + i * row + 2 * width)
        worst = larger(worst, z)
        here = there
    store(worst, steepest, 0)
    if steepest.max() < SERIES_BELOW**2:
        return
    for i in range(faces):
        for lane in range(width):
            face = at + i * row + lane
            w = factors[face + 2 * width]
            size = abs(w)
            if size >= SERIES_BELOW:
                decay = math.exp(-size)
                small = size * decay / (1.0 - decay)
                large = small + size
                factors[face] = strength * (small if w > 0 else large)
                factors[face + width] = strength * (large if w > 0 else small)


@njit(cache=True, error_model="numpy")
def _eliminate(zero, width, factors, at, n, ring):
    """q and t (no flux) or q and h (periodic: ring is not None) from up and down."""
    row = COLUMNS * width
    left, pivot, other = width, 2 * width, 3 * width
    up, down = load(zero, factors, at), load(zero, factors, at + left)
    excess = 1.0 + up
    q = 1.0 / (excess + down)
    store(q, factors, at + pivot)
    for i in range(1, n - 1):
        face = at + i * row
        up, down = load(zero, factors, face), load(zero, factors, face + left)
        excess = 1.0 + up * (excess * q)
        q = 1.0 / (excess + down)
        store(q, factors, face + pivot)
    last = at + (n - 2) * row
    if ring is None:
        excess = 1.0 + load(zero, factors, last + left)
        q = 1.0 / (excess + load(zero, factors, last))
        store(q, factors, last + other)
        for i in range(n - 3, -1, -1):
            face = at + i * row
            up, down = load(zero, factors, face), load(zero, factors, face + left)
            excess = 1.0 + down * (excess * q)
            q = 1.0 / (excess + up)
            store(q, factors, face + other)
        return
    closing = at + (n - 1) * row
    # h: the response to a unit closing flux, which enters row 0 by up and row n-2 by down.
    missing = load(zero, factors, at + pivot)
    y = load(zero, factors, at) * missing
    store(y, factors, at + other)
    for i in range(1, n - 1):
        face = at + i * row
        up, q = load(zero, factors, face), load(zero, factors, face + pivot)
        y = up * y * q
        missing = (1.0 + up * missing) * q
        store(y, factors, face + other)
    last_missing = missing
    h = load(zero, factors, last + other) + load(zero, factors, last + left) * load(
        zero, factors, last + pivot
    )
    store(h, factors, last + other)
    for i in range(n - 3, -1, -1):
        face = at + i * row
        h = (
            load(zero, factors, face + other)
            + load(zero, factors, face + left) * load(zero, factors, face + pivot) * h
        )
        store(h, factors, face + other)
    first_missing = _first_response(zero, width, factors, at, n)
    den = (
        1.0
        + load(zero, factors, closing) * last_missing
        + load(zero, factors, closing + left) * first_missing
    )
    store(1.0 / den, factors, closing + pivot)
    store(zero, factors, closing + other)


@njit(cache=True, error_model="numpy")
def _first_response(zero, width, factors, at, n):
    """phi_0 of the open line for a right-hand side of ones, by eliminating downwards."""
    row = COLUMNS * width
    excess, value = zero, zero
    q = zero
    for i in range(n - 2, -1, -1):
        face = at + i * row
        up, down = load(zero, factors, face), load(zero, factors, face + width)
        if i == n - 2:
            excess = 1.0 + down
            q = 1.0 / (excess + up)
            value = q + zero
        else:
            excess = 1.0 + down * (excess * q)
            q = 1.0 / (excess + up)
            value = (1.0 + down * value) * q
    return value
