"""Sliced W2: the average over directions of the exact W2^2 of the projections, with its gradient.

Choice: direction sets that are good quadratures of the (half) sphere rather than random draws, and memory
that does not grow with their number. For Sum theta theta^T / L = I/d (equispaced and orthogonal sets) the
distance of two translates is exactly |shift|^2 / d.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf import checks
from wgf.transport.lines import Pieces, atoms
from wgf.transport.w2_1d import overlaps

BLOCK = 1 << 20  # projected coordinates in memory at a time
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))

directions_kind = checks.either(
    "an integer >= 1 or an array of directions (L, d)", checks.integer(1), checks.array("L", "d")
)


class SlicedW2(NamedTuple):
    """The squared sliced distance of two clouds, and its derivative: what `sliced_w2` returns.

    value: SW2^2, a length squared. gradient: (n, d), the derivative of `value` by each x_i.

    >>> sliced_w2([[0.0], [2.0]], [[1.0], [3.0]], directions=1).gradient.tolist()
    [[-1.0], [-1.0]]

    Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015, section 3.
    """

    value: float
    gradient: np.ndarray


@checks.checked(d=checks.integer(1), count=checks.integer(1), rng=checks.rng)
def directions(d: int, count: int, rng: Any = 0) -> np.ndarray:
    """Unit vectors (count, d) that cover R^d evenly, a direction and its opposite being one.

    d = 1: the one there is. d = 2: angles k pi / count. d = 3: a Fibonacci spiral on the half sphere.
    d > 3: blocks of d orthogonal vectors, each block a random rotation drawn from rng (the default is the
    same set every time); a count that is no multiple of d cuts the last block short.

    count: the error of a sliced distance falls like 1/count (random: 1/sqrt(count)); 50 to 200 is usual in
    2 and 3 dimensions, 10 d beyond.

    >>> directions(2, 2).round(12).tolist()
    [[1.0, 0.0], [0.0, 1.0]]

    Rowland et al., Orthogonal estimation of Wasserstein distances, 2019 (blocks).
    """
    if d == 1:
        return np.ones((1, 1))
    if d == 2:
        angle = np.pi * np.arange(count) / count
        return np.stack((np.cos(angle), np.sin(angle)), axis=1)
    if d == 3:
        height = 1 - (np.arange(count) + 0.5) / count
        ring, turn = np.sqrt(1 - height**2), GOLDEN_ANGLE * np.arange(count)
        return np.stack((ring * np.cos(turn), ring * np.sin(turn), height), axis=1)
    generator = np.random.default_rng(rng)
    blocks = []
    for _ in range(-(-count // d)):
        q, r = np.linalg.qr(generator.standard_normal((d, d)))
        blocks.append((q * np.sign(np.diag(r))).T)  # the signs make q uniform over rotations and reflections
    return np.concatenate(blocks)[:count]


def resolve(wanted: Any, d: int) -> np.ndarray:
    """Directions (L, d) from a number of them, or the array as given."""
    return wanted if isinstance(wanted, np.ndarray) else directions(d, wanted)


@checks.checked(
    x=checks.cloud("n"),
    y=checks.cloud("m"),
    directions=directions_kind,
    a=checks.optional(checks.weights("n")),
    b=checks.optional(checks.weights("m")),
)
def sliced_w2(x: Any, y: Any, directions: Any, a: Any = None, b: Any = None) -> SlicedW2:
    r"""Squared sliced 2-Wasserstein distance of two weighted clouds, and its gradient by the points x.

    SW2^2 = 1/L sum_l W2^2(theta_l . x, theta_l . y),
    d SW2^2 / d x_i = 2/L sum_l theta_l a_i (theta_l . x_i - mean partner of x_i along theta_l).

    x: (n, d), y: (m, d) points; a: (n,), b: (m,) weights summing to 1, equal by default. directions: how
    many (see `directions`), or an array (L, d) used as given, not normalised.
    Returns value (a length squared: the full square, not half of it) and gradient (n, d); the sliced flow
    moves x_i with velocity -gradient_i / (2 a_i). Cost L (n log n + m log m), memory independent of L.
    Where points coincide in projection the value has a kink and one of its one-sided slopes is returned.

    >>> sliced_w2([[0.0, 0.0]], [[3.0, 4.0]], directions=8).value
    12.5

    Bonneel et al., Sliced and Radon Wasserstein barycenters of measures, 2015, section 3.
    """
    thetas = resolve(directions, x.shape[1])
    x, y = x.astype(np.float64, copy=False), y.astype(np.float64, copy=False)
    equal = a is None and b is None and len(x) == len(y)
    value, gradient = _equal(x, y, thetas) if equal else _weighted(x, y, thetas, a, b)
    return SlicedW2(value / len(thetas), gradient / len(thetas))


def _equal(x: np.ndarray, y: np.ndarray, thetas: np.ndarray) -> tuple[float, np.ndarray]:
    """Sums over directions for clouds of one size and equal weights: two sorts each."""
    n = len(x)
    value, gradient = 0.0, np.zeros_like(x)
    step = max(1, BLOCK // n)
    for first in range(0, len(thetas), step):
        block = thetas[first : first + step]
        along_x, along_y = block @ x.T, np.sort(block @ y.T, axis=1)
        order = np.argsort(along_x, axis=1, kind="stable")
        gap = np.take_along_axis(along_x, order, axis=1) - along_y
        value += float((gap**2).sum()) / n
        slope = np.empty_like(gap)
        np.put_along_axis(slope, order, gap, axis=1)
        gradient += slope.T @ block * (2 / n)
    return value, gradient


def _weighted(x: np.ndarray, y: np.ndarray, thetas: np.ndarray, a: Any, b: Any) -> tuple[float, np.ndarray]:
    """Sums over directions for any sizes and weights: merged quantile functions."""
    a = np.full(len(x), 1 / len(x)) if a is None else a
    value, gradient = 0.0, np.zeros_like(x)
    kept = np.flatnonzero(a > 0)
    for theta in thetas:
        along = x[kept] @ theta
        order = kept[np.argsort(along, kind="stable")]
        place = x[order] @ theta
        source, target = Pieces(a[order], place, place), atoms(y @ theta, b)
        slope = np.zeros(kept.size)
        for sign in (1, -1):  # below the median, then above it in the mirror
            o = overlaps(source, target)
            value += float(o.width @ o.start**2)
            slope += sign * np.bincount(o.piece, o.width * o.start, minlength=kept.size)[::sign]
            source, target = source.mirrored(), target.mirrored()
        gradient[order] += (2 * slope)[:, None] * theta
    return value, gradient
