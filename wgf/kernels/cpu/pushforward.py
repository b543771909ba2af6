"""Compiled push-forwards: every box meets a few cells, and they are visited in order by one thread."""

from __future__ import annotations

import numpy as np
from numba import njit

from wgf.kernels.pushforward import THIN

Array = np.ndarray


@njit(cache=True, error_model="numpy")
def _pool(line: Array, means: Array, counts: Array) -> None:
    """Least-squares increasing values in place of a line's inner ones, clipped to its ends."""
    n = line.size - 1
    low, high = line[0], line[n]
    inside = True
    for i in range(2, n):
        inside &= line[i] >= line[i - 1]
    if not inside:
        size = 0
        for i in range(1, n):
            mean, count = line[i], 1
            while size > 0 and means[size - 1] >= mean:
                size -= 1
                mean = (mean * count + means[size] * counts[size]) / (count + counts[size])
                count += counts[size]
            means[size], counts[size] = mean, count
            size += 1
        i = 1
        for block in range(size):
            for _ in range(counts[block]):
                line[i] = means[block]
                i += 1
    for i in range(1, n):
        line[i] = min(max(line[i], low), high)


@njit(cache=True, error_model="numpy")
def _ordered_lines(lines: Array) -> None:
    """Order along the middle axis of (outer, n, inner)."""
    outer, n, inner = lines.shape
    line, means, counts = np.empty(n), np.empty(n), np.empty(n, np.int64)
    for i in range(outer):
        for k in range(inner):
            bad = False
            for j in range(2, n - 1):
                bad |= lines[i, j, k] < lines[i, j - 1, k]
            bad |= n > 2 and (lines[i, 1, k] < lines[i, 0, k] or lines[i, n - 2, k] > lines[i, n - 1, k])
            if bad:
                for j in range(n):
                    line[j] = lines[i, j, k]
                _pool(line, means, counts)
                for j in range(n):
                    lines[i, j, k] = line[j]


def ordered(positions: Array, axis: int) -> None:
    """Compiled form of `wgf.kernels.pushforward.ordered`."""
    n0, n1, n2 = positions.shape
    shape = ((1, n0, n1 * n2), (n0, n1, n2), (n0 * n1, n2, 1))[axis]
    _ordered_lines(positions.reshape(shape))


def faces(potential: Array, strengths: Array, f0: Array, f1: Array, f2: Array) -> None:
    """Compiled form of `wgf.kernels.pushforward.faces`."""
    _images(potential, strengths, f0, f1, f2)
    for axis, f in enumerate((f0, f1, f2)):
        ordered(f, axis)


@njit(cache=True, error_model="numpy")
def _images(potential: Array, strengths: Array, f0: Array, f1: Array, f2: Array) -> None:
    """Where the faces go, in no order."""
    n0, n1, n2 = potential.shape
    a0, a1, a2 = strengths
    for j in range(n1):
        for k in range(n2):
            f0[0, j, k], f0[n0, j, k] = 0.0, n0
    for i in range(n0 - 1):
        for j in range(n1):
            for k in range(n2):
                f0[i + 1, j, k] = i + 1 - a0 * (potential[i + 1, j, k] - potential[i, j, k])
    for i in range(n0):
        for k in range(n2):
            f1[i, 0, k], f1[i, n1, k] = 0.0, n1
        for j in range(n1 - 1):
            for k in range(n2):
                f1[i, j + 1, k] = j + 1 - a1 * (potential[i, j + 1, k] - potential[i, j, k])
        for j in range(n1):
            f2[i, j, 0], f2[i, j, n2] = 0.0, n2
            for k in range(n2 - 1):
                f2[i, j, k + 1] = k + 1 - a2 * (potential[i, j, k + 1] - potential[i, j, k])


@njit(cache=True, inline="always")
def _part(low, high, cell):
    """Length of the part of [low, high] in a cell, and its middle relative to the cell's."""
    left, right = max(low, cell), min(high, cell + 1.0)
    return max(right - left, 0.0), 0.5 * (left + right) - cell - 0.5


@njit(cache=True, error_model="numpy")
def _cover(f0, f1, f2, cover, m0, m1, m2):
    """How much of every cell boxes cover, and the first moments of that."""
    n0, n1, n2 = cover.shape
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                low0, high0 = f0[i, j, k], f0[i + 1, j, k]
                low1, high1 = f1[i, j, k], f1[i, j + 1, k]
                low2, high2 = f2[i, j, k], f2[i, j, k + 1]
                if not (high0 > low0 and high1 > low1 and high2 > low2):
                    continue
                p = int(low0)
                while p < high0:
                    w0, x0 = _part(low0, high0, p)
                    q = int(low1)
                    while q < high1:
                        w1, x1 = _part(low1, high1, q)
                        r = int(low2)
                        while r < high2:
                            w2, x2 = _part(low2, high2, r)
                            part = w0 * w1 * w2
                            cover[p, q, r] += part
                            m0[p, q, r] += part * x0
                            m1[p, q, r] += part * x1
                            m2[p, q, r] += part * x2
                            r += 1
                        q += 1
                    p += 1


@njit(cache=True, error_model="numpy")
def pull(
    rho: Array, s0: Array, s1: Array, s2: Array, f0: Array, f1: Array, f2: Array, share: bool, out: Array
) -> None:
    """Compiled form of `wgf.kernels.pushforward.pull`."""
    n0, n1, n2 = rho.shape
    base = rho
    if share:
        # in place of rho and its slopes: the value at the centre of what is covered, over the covered part
        base, t0, t1, t2 = np.zeros_like(rho), np.zeros_like(rho), np.zeros_like(rho), np.zeros_like(rho)
        _cover(f0, f1, f2, base, t0, t1, t2)
        for i in range(n0):
            for j in range(n1):
                for k in range(n2):
                    cover = base[i, j, k]
                    scale = 1 / cover if cover > 0 else 1.0
                    a0, a1, a2 = s0[i, j, k] * scale, s1[i, j, k] * scale, s2[i, j, k] * scale
                    offset = a0 * t0[i, j, k] + a1 * t1[i, j, k] + a2 * t2[i, j, k]
                    base[i, j, k] = (rho[i, j, k] - offset) * scale
                    t0[i, j, k], t1[i, j, k], t2[i, j, k] = a0, a1, a2
        s0, s1, s2 = t0, t1, t2
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                low0, high0 = f0[i, j, k], f0[i + 1, j, k]
                low1, high1 = f1[i, j, k], f1[i, j + 1, k]
                low2, high2 = f2[i, j, k], f2[i, j, k + 1]
                total = 0.0
                if high0 > low0 and high1 > low1 and high2 > low2:
                    p = int(low0)
                    while p < high0:
                        w0, x0 = _part(low0, high0, p)
                        q = int(low1)
                        while q < high1:
                            w1, x1 = _part(low1, high1, q)
                            r = int(low2)
                            while r < high2:
                                w2, x2 = _part(low2, high2, r)
                                value = base[p, q, r] + s0[p, q, r] * x0 + s1[p, q, r] * x1
                                total += w0 * w1 * w2 * (value + s2[p, q, r] * x2)
                                r += 1
                            q += 1
                        p += 1
                out[i, j, k] = total


@njit(cache=True, inline="always")
def _image(low, high, cell):
    """Share of an image [low, high] in a cell, and the middle of that relative to the image's, in images."""
    width = high - low
    if width <= THIN:
        return 1.0, 0.0
    left, right = max(low, cell), min(high, cell + 1.0)
    return max(right - left, 0.0) / width, (0.5 * (left + right) - low) / width - 0.5


@njit(cache=True, inline="always")
def _last(low, high, n):
    """The last cell that an image reaches."""
    first = min(int(low), n - 1)
    if high - low <= THIN:
        return first
    return max(first, min(int(np.ceil(high)), n) - 1)


@njit(cache=True, error_model="numpy")
def push(rho: Array, s0: Array, s1: Array, s2: Array, f0: Array, f1: Array, f2: Array, out: Array) -> None:
    """Compiled form of `wgf.kernels.pushforward.push`."""
    n0, n1, n2 = rho.shape
    out[...] = 0.0
    for i in range(n0):
        for j in range(n1):
            for k in range(n2):
                value = rho[i, j, k]
                if value == 0.0:
                    continue
                low0, high0 = f0[i, j, k], f0[i + 1, j, k]
                low1, high1 = f1[i, j, k], f1[i, j + 1, k]
                low2, high2 = f2[i, j, k], f2[i, j, k + 1]
                for p in range(min(int(low0), n0 - 1), _last(low0, high0, n0) + 1):
                    w0, x0 = _image(low0, high0, p)
                    for q in range(min(int(low1), n1 - 1), _last(low1, high1, n1) + 1):
                        w1, x1 = _image(low1, high1, q)
                        for r in range(min(int(low2), n2 - 1), _last(low2, high2, n2) + 1):
                            w2, x2 = _image(low2, high2, r)
                            inner = value + s0[i, j, k] * x0 + s1[i, j, k] * x1 + s2[i, j, k] * x2
                            out[p, q, r] += w0 * w1 * w2 * inner
