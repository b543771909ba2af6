"""Implicit steps of the face fluxes on periodic lines: an open line closed by one extra face.

The open line is solved without the closing face n - 1; the closing flux then follows from its own row, and
enters the others through the response h kept in the factors (bordering, which is what the Sherman-Morrison
formula computes, in a form that subtracts nothing). Arguments as in `lines.py`.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wgf.kernels.cpu.lanes import flush, lesser, load, store
from wgf.kernels.cpu.lines import EXPLICIT, SLOTS
from wgf.kernels.scharfetter_gummel import COLUMNS
from wgf.kernels.tridiagonal import AHEAD, SMALLEST


@njit(cache=True, error_model="numpy")
def _copy(like, width, work, source, base, stride, n):
    for i in range(n):
        store(load(like, source, base + i * stride), work, i * SLOTS * width)


@njit(cache=True, error_model="numpy")
def _explicit(like, width, factors, at, work, i, n):
    """The explicit flux through the face above cell i."""
    face, pitch = at + i * COLUMNS * width, SLOTS * width
    here, there = load(like, work, i * pitch), load(like, work, ((i + 1) % n) * pitch)
    return load(like, factors, face) * here - load(like, factors, face + width) * there


@njit(cache=True, error_model="numpy")
def _close(like, width, factors, at, work, slot, rhs, n):
    """Back substitution of the open line in `slot`; returns the closing flux, which h then spreads."""
    row, pitch = COLUMNS * width, SLOTS * width
    last = load(like, work, (n - 2) * pitch + slot * width)
    phi = last
    for i in range(n - 3, -1, -1):
        face = at + i * row
        back = load(like, factors, face + width) * load(like, factors, face + 2 * width)
        phi = load(like, work, i * pitch + slot * width) + back * phi
        store(phi, work, i * pitch + slot * width)
    closing = at + (n - 1) * row
    inflow = load(like, factors, closing) * last + load(like, factors, closing + width) * phi
    return (rhs + inflow) * load(like, factors, closing + 2 * width)


@njit(cache=True, error_model="numpy")
def _update(like, width, work, target, to, pace, n):
    """The new density from the content in slot 1 that passed through every face."""
    pitch = SLOTS * width
    below, least = load(like, work, (n - 1) * pitch + width), like + np.inf
    for i in range(n):
        passed = load(like, work, i * pitch + width)
        new = flush(load(like, work, i * pitch) - (passed - below), SMALLEST)
        store(new, target, to + i * pace)
        least, below = lesser(new, least), passed
    return least


@njit(cache=True, error_model="numpy")
def euler_ring(like, width, factors, at, work, source, base, stride, target, to, pace, n):
    """Backward Euler; returns the least new value."""
    row, pitch = COLUMNS * width, SLOTS * width
    _copy(like, width, work, source, base, stride, n)
    y = like
    for i in range(n - 1):
        face = at + i * row
        f = _explicit(like, width, factors, at, work, i, n)
        y = (f + load(like, factors, face) * y) * load(like, factors, face + 2 * width)
        store(y, work, i * pitch + width)
    phi = _close(like, width, factors, at, work, 1, _explicit(like, width, factors, at, work, n - 1, n), n)
    for i in range(n - 1):
        response = load(like, factors, at + i * row + 3 * width)
        store(load(like, work, i * pitch + width) + response * phi, work, i * pitch + width)
    store(phi, work, (n - 1) * pitch + width)
    return _update(like, width, work, target, to, pace, n)


@njit(cache=True, error_model="numpy")
def tr_bdf2_ring(like, width, factors, at, work, source, base, stride, target, to, pace, n):
    """TR-BDF2; returns the least new value."""
    row, pitch = COLUMNS * width, SLOTS * width
    _copy(like, width, work, source, base, stride, n)
    y = like
    for i in range(n - 1):
        face = at + i * row
        f = _explicit(like, width, factors, at, work, i, n)
        y = (2.0 * f + load(like, factors, face) * y) * load(like, factors, face + 2 * width)
        store(y, work, i * pitch + width)
    ends = _explicit(like, width, factors, at, work, n - 1, n)
    closing = _close(like, width, factors, at, work, 1, 2.0 * ends, n)
    y = like
    for i in range(n - 1):
        face = at + i * row
        phi = load(like, work, i * pitch + width) + load(like, factors, face + 3 * width) * closing
        rhs = EXPLICIT * _explicit(like, width, factors, at, work, i, n) + AHEAD * phi
        y = (rhs + load(like, factors, face) * y) * load(like, factors, face + 2 * width)
        store(AHEAD * phi, work, i * pitch + width)
        store(y, work, i * pitch + 2 * width)
    psi = _close(like, width, factors, at, work, 2, EXPLICIT * ends + AHEAD * closing, n)
    for i in range(n - 1):
        response = load(like, factors, at + i * row + 3 * width)
        total = load(like, work, i * pitch + width) + load(like, work, i * pitch + 2 * width) + response * psi
        store(total, work, i * pitch + width)
    store(AHEAD * closing + psi, work, (n - 1) * pitch + width)
    return _update(like, width, work, target, to, pace, n)
