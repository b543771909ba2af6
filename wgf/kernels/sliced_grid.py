r"""Sliced transport between densities on one grid: projection, its adjoint, and W2^2 on every line.

A cell of constant density casts a shadow on the line of direction theta: the convolution of intervals of
lengths |theta_k| h_k. Its mass in every bin of the line is exact (the two widest intervals make a trapezoid,
a third one is replaced by its two Gauss points), so projecting is a linear map A_l with an exact
adjoint, and no two projections of one density tie. Bins are of one count for all directions and span the
box exactly.

Between two laws that are constant in bins W2^2 has a first and a second derivative, which atoms at cell
centres do not: moving mass e between two atoms h apart costs e h^2, a kink at rest that freezes a flow
whose force times its step is below h / 2; here it costs O(e^2). With T the optimal map from b to g,

    d W2^2 = int phi db,   phi' = 2 (x - T(x)),        d^2 W2^2 / 2 = int (dF)^2 T'/b dx,

dF the change of the distribution function: tridiagonal in the values of dF at the edges of the bins.
Turned down: atoms with sorting (the kink), sampling, and bins that cut shadows to their centres.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wgf.kernels.registry import Kernel

BINS_PER_SHADOW = 2  # bins under the shadow of a cell: fewer blur by more than the cells do
THIN = 1e-9  # of the widest interval: a thinner one is none


class Shadows(NamedTuple):
    """Where the shadows of the cells of a box fall: axes padded in front to three, lengths in bins.

    start (L,): left end of the first cell's shadow. step (L, 3): from a cell to the next. wide, narrow (L,):
    of the trapezoid. shift (L, J): of its copies (J = 2 in three dimensions). bin (L,): length of a bin.
    bins: their number. cells (3,): cells per axis.
    """

    start: np.ndarray
    step: np.ndarray
    wide: np.ndarray
    narrow: np.ndarray
    shift: np.ndarray
    bin: np.ndarray
    bins: int
    cells: tuple[int, int, int]


def shadows(thetas: np.ndarray, spacing: np.ndarray, cells: tuple[int, ...]) -> Shadows:
    """Shadows of a grid with `spacing` (d,) and `cells` (d,) in directions thetas (L, d), d <= 3."""
    count, d = thetas.shape
    steps = thetas * spacing
    widths = np.sort(np.abs(steps), axis=1)[:, ::-1]
    widths = np.where(widths > THIN * widths[:, :1], widths, 0.0)
    widths = np.concatenate([widths, np.zeros((count, 3 - d))], axis=1)
    bins = BINS_PER_SHADOW * max(cells)
    # everything is measured from the lowest corner of the box
    extent = (np.abs(steps) * np.array(cells)).sum(1)
    size = extent / bins
    first = 0.5 * np.abs(steps) + np.where(steps < 0, (np.array(cells) - 1) * np.abs(steps), 0.0)
    start = first.sum(1) - 0.5 * (widths[:, 0] + widths[:, 1])
    jitter = widths[:, 2:] / math.sqrt(12)
    shift = np.concatenate([-jitter, jitter], axis=1) if d == 3 else jitter
    padded = np.concatenate([np.zeros((count, 3 - d)), steps], axis=1)
    full = (1,) * (3 - d) + tuple(cells)
    return Shadows(
        start / size,
        padded / size[:, None],
        widths[:, 0] / size,
        widths[:, 1] / size,
        shift / size[:, None],
        size,
        bins,
        (full[0], full[1], full[2]),
    )


def _below(t: np.ndarray, wide: float, narrow: float) -> np.ndarray:
    """The share of a trapezoid on (0, wide + narrow) that lies below t >= 0."""
    t = np.minimum(t, wide + narrow)
    result = (t - 0.5 * narrow) / wide
    if narrow > 0:
        corner = 0.5 / (wide * narrow)
        result = np.where(t < narrow, corner * t * t, result)
        result = np.where(t > wide, 1 - corner * (wide + narrow - t) ** 2, result)
    return result


def _shares(places: Shadows, l: int):
    """(bin, share) of every cell in direction l, over the copies and bins of its shadow."""
    i, j, k = (np.arange(n) for n in places.cells)
    line = i[:, None, None] * places.step[l, 0] + j[:, None] * places.step[l, 1] + k * places.step[l, 2]
    wide, narrow = places.wide[l], places.narrow[l]
    copies = places.shift.shape[1]
    for shift in places.shift[l]:
        begin = places.start[l] + shift + line
        index = np.floor(begin).astype(np.int64)
        offset, before = begin - index, 0.0
        for bin in range(int(np.ceil(wide + narrow)) + 1):
            after = _below(bin + 1 - offset, wide, narrow)
            yield np.clip(index + bin, 0, places.bins - 1), (after - before) / copies
            before = after


def _sliced_project(masses: np.ndarray, places: Shadows) -> np.ndarray:
    """Masses in the bins of every direction, (L, bins), of cells with `masses` (n0, n1, n2)."""
    result = np.zeros((len(places.start), places.bins))
    for l, row in enumerate(result):
        for bin, share in _shares(places, l):
            row += np.bincount(bin.ravel(), (share * masses).ravel(), minlength=places.bins)
    return result


def _sliced_adjoint(values: np.ndarray, places: Shadows) -> np.ndarray:
    """sum over directions of the mean of `values` (L, bins) over each cell's shadow, (n0, n1, n2)."""
    result = np.zeros(places.cells)
    for l, row in enumerate(values):
        for bin, share in _shares(places, l):
            result += share * row[bin]
    return result


class LineTransport(NamedTuple):
    """W2^2 of every line (L,), its derivative by each bin's mass (L, bins), and half its second derivative.

    `bend` (L, bins, 3): with dF at the edges, sum over bins of bend0 l^2 + 2 bend1 l r + bend2 r^2 for dF = l
    and r at a bin's left and right edge.
    """

    value: np.ndarray
    slope: np.ndarray
    bend: np.ndarray


def _line_transport(here: np.ndarray, there: np.ndarray, size: np.ndarray) -> LineTransport:
    """Transport from `here` to `there` (L, bins), masses of mass 1 on bins of length `size` (L,)."""
    value, slope = np.zeros(len(here)), np.zeros_like(here)
    bend = np.zeros((*here.shape, 3))
    for l in range(len(here)):
        value[l] = _one_line(here[l], there[l], float(size[l]), slope[l], bend[l])
    return LineTransport(value, slope, bend)


def _one_line(b: np.ndarray, g: np.ndarray, size: float, slope: np.ndarray, bend: np.ndarray) -> float:
    """One merge of the two distribution functions; fills slope and bend, returns W2^2.

    Levels are compared and inverted from the nearer end, so both tails keep their digits.
    """
    n = len(b)
    low_b, low_g = np.concatenate([[0.0], np.cumsum(b)]), np.concatenate([[0.0], np.cumsum(g)])
    high_b = np.concatenate([np.cumsum(b[::-1])[::-1], [0.0]])
    high_g = np.concatenate([np.cumsum(g[::-1])[::-1], [0.0]])
    full = np.flatnonzero(g > 0)
    j, last = int(full[0]), int(full[-1])
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
                ahead = (low_g[j + 1] - low_b[i]) if lower else b[i] - (high_g[j + 1] - high_b[i + 1])
                x1 = min(max(i * size + size * ahead / b[i], x), end)
            else:
                moving, x1, t1 = False, end, t
                if b[i] > 0:
                    ahead = (low_b[i + 1] - low_g[j]) if lower else g[j] - (high_b[i + 1] - high_g[j + 1])
                    t1 = min(max(j * size + size * ahead / g[j], t), (j + 1) * size)
            e0, e1, dx = x - t, x1 - t1, x1 - x
            slope[i] += phi * dx + dx * dx * (2 * e0 + e1) / 3
            phi += dx * (e0 + e1)
            total += b[i] * dx / size * (e0 * e0 + e0 * e1 + e1 * e1) / 3
            # the integrals of (1 - s)^2, s (1 - s), s^2 over the piece, s its place in the bin
            s0, s1 = x / size - i, x1 / size - i
            weight = size * size / g[j]
            q2, q1 = (s1**3 - s0**3) / 3, (s1**2 - s0**2) / 2
            bend[i] += weight * np.array([s1 - s0 - 2 * q1 + q2, q1 - q2, q2])
            x, t = x1, t1
            if moving:
                j += 1
                while g[j] <= 0:
                    j += 1
                jump = j * size - t
                if jump > 0:  # a gap of `there`: T jumps, its derivative is an atom
                    weight = jump * size / b[i]
                    bend[i] += weight * np.array([(1 - s1) ** 2, s1 * (1 - s1), s1 * s1])
                    t = j * size
        slope[i] /= size
    return total


CPU = "wgf.kernels.cpu.sliced_grid"
sliced_project = Kernel(_sliced_project, f"{CPU}:sliced_project")
sliced_adjoint = Kernel(_sliced_adjoint, f"{CPU}:sliced_adjoint")
line_transport = Kernel(_line_transport, f"{CPU}:line_transport")
