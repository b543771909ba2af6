"""Compiled forms of `wgf.kernels.sliced_grid`: one thread to a direction, or to a row of cells.

Sums over cells of one direction and over directions of one cell are each worked off in order by one
thread, so the result does not depend on how many there are. Small grids are one thread's work.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit, prange

from wgf.kernels.sliced_grid import LineTransport, Shadows

compiled = njit(cache=True, error_model="numpy")
parallel = njit(cache=True, error_model="numpy", parallel=True)
ALONE = 500_000  # shadows that one thread casts sooner than two can be started: about 5 ms


def sliced_project(masses: np.ndarray, places: Shadows) -> np.ndarray:
    """Compiled form of `wgf.kernels.sliced_grid.sliced_project`."""
    result = np.zeros((len(places.start), places.bins))
    cast: Any = _project_alone if masses.size * len(places.start) < ALONE else _project
    cast(np.ascontiguousarray(masses), *places[:5], result)
    return result


def sliced_adjoint(values: np.ndarray, places: Shadows) -> np.ndarray:
    """Compiled form of `wgf.kernels.sliced_grid.sliced_adjoint`."""
    result = np.zeros(places.cells)
    gather: Any = _adjoint_alone if result.size * len(places.start) < ALONE else _adjoint
    gather(np.ascontiguousarray(values), *places[:5], result)
    return result


def line_transport(here: np.ndarray, there: np.ndarray, size: np.ndarray) -> LineTransport:
    """Compiled form of `wgf.kernels.sliced_grid.line_transport`."""
    value, slope, bend = np.zeros(len(here)), np.zeros_like(here), np.zeros((*here.shape, 3))
    carry: Any = _lines_alone if 4 * here.size < ALONE else _lines
    carry(here, there, size, value, slope, bend)
    return LineTransport(value, slope, bend)


@compiled
def _fill(base, step, wide, narrow, index, shares):
    """The first bin and the shares in `shares.shape[0]` bins of every shadow in a row of cells.

    The share of a trapezoid below t is summed over its rising, level and falling parts, each from a clipped
    length: no branch, so the loops below are vectorised.
    """
    corner = 0.5 / (wide * narrow) if narrow > 0 else 0.0
    level, slope = wide - narrow, 1.0 / wide
    n = index.size
    for k in range(n):
        begin = base + k * step
        whole = math.floor(begin)
        index[k] = int(whole)
        shares[0, k] = begin - whole
    last = shares.shape[0] - 1
    for bin in range(last, 0, -1):  # from the last on: row 0 still holds the offsets
        for k in range(n):
            t = bin + 1 - shares[0, k]
            shares[bin, k] = _below(t, wide, narrow, level, corner, slope)
    for k in range(n):
        shares[0, k] = _below(1 - shares[0, k], wide, narrow, level, corner, slope)
    for bin in range(last, 0, -1):
        for k in range(n):
            shares[bin, k] -= shares[bin - 1, k]


@compiled
def _below(t, wide, narrow, level, corner, slope):
    rising = min(t, narrow)
    falling = min(max(t - wide, 0.0), narrow)
    between = min(max(t - narrow, 0.0), level)
    return corner * (rising * rising + falling * (2 * narrow - falling)) + slope * between


@compiled
def _reach(wide, narrow):
    """How many bins a shadow can touch."""
    return math.ceil(wide + narrow) + 1


@compiled
def _cast(l, masses, start, step, wide, narrow, shift, result):
    """The bins of direction l."""
    bins, copies = result.shape[1], shift.shape[1]
    n, reach = masses.shape[2], _reach(wide[l], narrow[l])
    index, shares = np.empty(n, np.int64), np.empty((reach, n))
    row = np.zeros(bins + reach + 2)  # a bin to spare in front, for rounding
    for copy in range(copies):
        for i in range(masses.shape[0]):
            for j in range(masses.shape[1]):
                base = start[l] + shift[l, copy] + i * step[l, 0] + j * step[l, 1] + 1
                _fill(base, step[l, 2], wide[l], narrow[l], index, shares)
                for k in range(n):
                    mass = masses[i, j, k]
                    for bin in range(reach):
                        row[index[k] + bin] += shares[bin, k] * mass
    for bin in range(row.size):
        result[l, min(max(bin - 1, 0), bins - 1)] += row[bin] / copies


@parallel
def _project(masses, start, step, wide, narrow, shift, result):
    for l in prange(start.size):
        _cast(l, masses, start, step, wide, narrow, shift, result)


@compiled
def _project_alone(masses, start, step, wide, narrow, shift, result):
    for l in range(start.size):
        _cast(l, masses, start, step, wide, narrow, shift, result)


@compiled
def _padded(values, wide, narrow, copies):
    """Values with room for every shadow: a bin in front and some behind."""
    bins, most = values.shape[1], 0
    for l in range(wide.size):
        most = max(most, _reach(wide[l], narrow[l]))
    result = np.empty((values.shape[0], bins + most + 2))
    for l in range(wide.size):
        for bin in range(result.shape[1]):
            result[l, bin] = values[l, min(max(bin - 1, 0), bins - 1)] / copies
    return result, most


@compiled
def _gather(line, padded, most, start, step, wide, narrow, shift, result):
    """The row of cells number `line`."""
    n1, n = result.shape[1], result.shape[2]
    i, j = line // n1, line % n1
    target = result[i, j]
    index, room = np.empty(n, np.int64), np.empty((most, n))
    for l in range(start.size):
        row, reach = padded[l], _reach(wide[l], narrow[l])
        shares = room[:reach]
        for copy in range(shift.shape[1]):
            base = start[l] + shift[l, copy] + i * step[l, 0] + j * step[l, 1] + 1
            _fill(base, step[l, 2], wide[l], narrow[l], index, shares)
            for k in range(n):
                for bin in range(reach):
                    target[k] += shares[bin, k] * row[index[k] + bin]


@parallel
def _adjoint(values, start, step, wide, narrow, shift, result):
    padded, most = _padded(values, wide, narrow, shift.shape[1])
    for line in prange(result.shape[0] * result.shape[1]):
        _gather(line, padded, most, start, step, wide, narrow, shift, result)


@compiled
def _adjoint_alone(values, start, step, wide, narrow, shift, result):
    padded, most = _padded(values, wide, narrow, shift.shape[1])
    for line in range(result.shape[0] * result.shape[1]):
        _gather(line, padded, most, start, step, wide, narrow, shift, result)


@parallel
def _lines(here, there, size, value, slope, bend):
    for l in prange(here.shape[0]):
        value[l] = _one_line(here[l], there[l], size[l], slope[l], bend[l])


@compiled
def _lines_alone(here, there, size, value, slope, bend):
    for l in range(here.shape[0]):
        value[l] = _one_line(here[l], there[l], size[l], slope[l], bend[l])


@compiled
def _ends(masses):
    """Masses below and above the edges, each summed from its own end."""
    n = masses.size
    low, high = np.zeros(n + 1), np.zeros(n + 1)
    for i in range(n):
        low[i + 1] = low[i] + masses[i]
    for i in range(n - 1, -1, -1):
        high[i] = high[i + 1] + masses[i]
    return low, high


@compiled
def _one_line(b, g, size, slope, bend):
    """As in the reference, statement by statement."""
    n = b.size
    low_b, high_b = _ends(b)
    low_g, high_g = _ends(g)
    j, last = 0, n - 1
    while j < last and g[j] <= 0:
        j += 1
    while last > j and g[last] <= 0:
        last -= 1
    t = j * size
    phi = total = 0.0
    for i in range(n):
        x, end = i * size, (i + 1) * size
        lower = low_b[i + 1] < 0.5
        moving = True
        while moving:
            passed = low_g[j + 1] < low_b[i + 1] if lower else high_g[j + 1] > high_b[i + 1]
            if b[i] > 0 and j < last and passed:
                t1 = (j + 1) * size
                ahead = low_g[j + 1] - low_b[i] if lower else b[i] - (high_g[j + 1] - high_b[i + 1])
                x1 = min(max(i * size + size * ahead / b[i], x), end)
            else:
                moving, x1, t1 = False, end, t
                if b[i] > 0:
                    ahead = low_b[i + 1] - low_g[j] if lower else g[j] - (high_b[i + 1] - high_g[j + 1])
                    t1 = min(max(j * size + size * ahead / g[j], t), (j + 1) * size)
            e0, e1, dx = x - t, x1 - t1, x1 - x
            slope[i] += phi * dx + dx * dx * (2 * e0 + e1) / 3
            phi += dx * (e0 + e1)
            total += b[i] * dx / size * (e0 * e0 + e0 * e1 + e1 * e1) / 3
            s0, s1 = x / size - i, x1 / size - i
            weight = size * size / g[j]
            q2, q1 = (s1 * s1 * s1 - s0 * s0 * s0) / 3, (s1 * s1 - s0 * s0) / 2
            bend[i, 0] += weight * (s1 - s0 - 2 * q1 + q2)
            bend[i, 1] += weight * (q1 - q2)
            bend[i, 2] += weight * q2
            x, t = x1, t1
            if moving:
                j += 1
                while g[j] <= 0:
                    j += 1
                jump = j * size - t
                if jump > 0:
                    weight = jump * size / b[i]
                    bend[i, 0] += weight * (1 - s1) * (1 - s1)
                    bend[i, 1] += weight * s1 * (1 - s1)
                    bend[i, 2] += weight * s1 * s1
                    t = j * size
        slope[i] /= size
    return total
