"""Implicit steps of the face fluxes on open lines (no flux through the ends): elimination, substitution.

The bodies are written once and compiled for a single line (numbers) and for LANES lines side by side
(`Lanes`). Recurrences live in registers; work row i holds the density of cell i and what the passes leave
on the face above it, at the end in slot 1 the content passed through that face. TR-BDF2 eliminates its first
system upwards and its second downwards, so that the back substitution of the first and the elimination
of the second are one pass: three passes in all, not four.

Arguments: like (a zero: the type of the lines), width (lines), factors from index `at` on, work,
source from `base` with its cells at distance `stride`, target from `to` at distance `pace`, n cells.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wgf.kernels.cpu.lanes import flush, lesser, load, store
from wgf.kernels.scharfetter_gummel import COLUMNS
from wgf.kernels.tridiagonal import AHEAD, SMALLEST

SLOTS = 3  # per work row: the density, and two values on the face above
EXPLICIT = 1 - 2 * AHEAD


@njit(cache=True, error_model="numpy")
def euler_line(like, width, factors, at, work, source, base, stride, target, to, pace, n):
    """Backward Euler; returns the least new value."""
    row, pitch = COLUMNS * width, SLOTS * width
    here, y = load(like, source, base), like
    store(here, work, 0)
    for i in range(n - 1):
        face, there = at + i * row, load(like, source, base + (i + 1) * stride)
        up = load(like, factors, face)
        f = up * here - load(like, factors, face + width) * there
        y = (f + up * y) * load(like, factors, face + 2 * width)
        store(y, work, i * pitch + width)
        store(there, work, (i + 1) * pitch)
        here = there
    above, least = like, like + np.inf
    store(like, work, (n - 1) * pitch + width)
    for i in range(n - 2, -1, -1):
        face, cell = at + i * row, i * pitch
        back = load(like, factors, face + width) * load(like, factors, face + 2 * width)
        phi = load(like, work, cell + width) + back * above
        store(phi, work, cell + width)
        new = flush(load(like, work, cell + pitch) - (above - phi), SMALLEST)
        store(new, target, to + (i + 1) * pace)
        least, above = lesser(new, least), phi
    new = flush(load(like, work, 0) - above, SMALLEST)
    store(new, target, to)
    return lesser(new, least)


@njit(cache=True, error_model="numpy")
def tr_bdf2_line(like, width, factors, at, work, source, base, stride, target, to, pace, n):
    """TR-BDF2; returns the least new value."""
    row, pitch = COLUMNS * width, SLOTS * width
    here, y = load(like, source, base), like
    store(here, work, 0)
    for i in range(n - 1):
        face, there = at + i * row, load(like, source, base + (i + 1) * stride)
        up = load(like, factors, face)
        f = up * here - load(like, factors, face + width) * there
        y = (2.0 * f + up * y) * load(like, factors, face + 2 * width)
        store(y, work, i * pitch + width)
        store(there, work, (i + 1) * pitch)
        here = there
    phi, z, there = like, like, here
    for i in range(n - 2, -1, -1):
        face, cell = at + i * row, i * pitch
        here, down = load(like, work, cell), load(like, factors, face + width)
        f = load(like, factors, face) * here - down * there
        phi = load(like, work, cell + width) + down * load(like, factors, face + 2 * width) * phi
        z = (EXPLICIT * f + AHEAD * phi + down * z) * load(like, factors, face + 3 * width)
        store(AHEAD * phi, work, cell + width)
        store(z, work, cell + 2 * width)
        there = here
    psi, below, least = like, like, like + np.inf
    for i in range(n - 1):
        face, cell = at + i * row, i * pitch
        psi = (
            load(like, work, cell + 2 * width)
            + load(like, factors, face) * load(like, factors, face + 3 * width) * psi
        )
        passed = load(like, work, cell + width) + psi
        store(passed, work, cell + width)
        new = flush(load(like, work, cell) - (passed - below), SMALLEST)
        store(new, target, to + i * pace)
        least, below = lesser(new, least), passed
    last = (n - 1) * pitch
    store(like, work, last + width)
    new = flush(load(like, work, last) + below, SMALLEST)
    store(new, target, to + (n - 1) * pace)
    return lesser(new, least)
