"""Projections of measures onto a direction, as laws on the line: the first half of a sliced distance.

A Density is projected as what it is, constant in each cell: a cell's shadow is a trapezoid, whose mass
in every bin of a fine grid of the line is exact. No atoms at cell centres (an error of the cell size),
no sorting of cells, no sampling.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wgf.errors import MeasureError
from wgf.measures.base import nonnegative
from wgf.measures.inversion import mixture_cdf
from wgf.transport.lines import Line, Pieces, atoms, cells, gaussians

BLOCK = 1 << 18  # cells projected at a time
BINS_PER_SHADOW = (3, 64)  # bins under one cell's trapezoid: 3 for large grids, more for coarse ones
DEPOSITS = 200_000  # aim for this many deposits per direction on coarse grids
BINS_PER_WIDTH = 32  # bins per standard deviation of the narrowest component of a projected mixture
MIXTURE_BINS = (4096, 1 << 17)
REACH = 9.0  # standard deviations of each component that the bins cover: the tail beyond holds 1e-19


def projector(measure: Any, name: str) -> Callable[[np.ndarray], Line]:
    """A function from a direction theta (d,) to the law of theta . X.

    Particles and Gaussians are exact; a Density and a Uniform are binned with exact bin masses (error of
    second order in the bin, at most a half of a cell); a Mixture likewise, in bins of 1/32 of its narrowest
    component (2e-5 of that width).
    """
    kind = getattr(measure, "kind", "")
    if kind == "particles":
        x = measure.x.astype(np.float64, copy=False)
        w = measure.w if measure.weighted else None
        return lambda theta: atoms(x @ theta, w)
    if kind == "gaussian":
        return lambda theta: gaussians(
            np.ones(1), measure.center @ theta[:, None], np.sqrt(_variance(measure.covariance[None], theta))
        )
    if kind == "mixture":
        return lambda theta: _mixture(measure, theta)
    if kind == "density":
        values = nonnegative(measure.values, name)
        return lambda theta: _shadow(values, measure.grid.axes, measure.grid.spacing, theta)
    if kind == "uniform":
        low, high = np.array(measure.bounds).T
        middle = [np.array([m]) for m in 0.5 * (low + high)]
        return lambda theta: _shadow(np.ones((1,) * measure.dimension), middle, high - low, theta)
    raise MeasureError(
        f"{name} is a {type(measure).__name__}, whose projections are not known; it is not sampled silently. "
        "Use Density.from_measure(measure, grid), or Particles(measure.sample(n, rng))."
    )


def _variance(covariances: np.ndarray, theta: np.ndarray) -> np.ndarray:
    """theta . C theta for every covariance, (K,)."""
    return np.clip(np.einsum("kij,i,j->k", covariances, theta, theta), 0, None)


def _mixture(measure: Any, theta: np.ndarray) -> Line:
    """A projected mixture in bins of exact mass."""
    some = measure.weights > 0
    weights, means = measure.weights[some], measure.means[some] @ theta
    stds = np.sqrt(_variance(measure.covariances[some], theta))
    if weights.size == 1 or stds.min() == 0:
        return gaussians(weights, means, stds)
    low, high = (means - REACH * stds).min(), (means + REACH * stds).max()
    count = int(np.clip(BINS_PER_WIDTH * (high - low) / stds.min(), *MIXTURE_BINS))
    edges = np.linspace(low, high, count + 1)
    return cells(edges, np.diff(mixture_cdf(edges, weights, means, stds)))


def _shadow(values: np.ndarray, axes: Any, spacing: np.ndarray, theta: np.ndarray) -> Pieces:
    """A piecewise constant density projected onto theta, in bins.

    A box's shadow is the convolution of intervals of widths |theta_k| h_k. The two widest make the
    trapezoid; each further one is replaced by its two Gauss points (moments right to the third).
    """
    widths = np.abs(theta) * spacing
    order = np.argsort(-widths)
    wide, next_wide = float(widths[order[0]]), float(widths[order[1]])
    support = wide + next_wide
    if support == 0:
        return Pieces(np.ones(1), np.zeros(1), np.zeros(1))
    jitter = [(-w / np.sqrt(12), w / np.sqrt(12)) for w in widths[order[2:]]]
    shifts = [sum(s) for s in itertools.product(*jitter)]
    per_shadow = int(np.clip(DEPOSITS // (values.size * len(shifts)), *BINS_PER_SHADOW))
    step = support / per_shadow
    ends = [np.sort(theta[k] * axis[[0, -1]]) for k, axis in enumerate(axes)]
    low = (
        sum(e[0] for e in ends) - 0.5 * support + min(shifts) - step
    )  # one bin to spare: rounding must not reach bin -1
    high = sum(e[1] for e in ends) + 0.5 * support + max(shifts)
    count = int(np.ceil((high - low) / step)) + per_shadow + 2
    bins = np.zeros(count)
    rows = max(1, BLOCK * len(values) // values.size)
    for first in range(0, len(values), rows):
        mass = values[first : first + rows]
        place = _places([axes[0][first : first + rows], *axes[1:]], theta)[mass > 0]
        mass = mass[mass > 0] / len(shifts)
        for shift in shifts:
            _deposit(
                bins, (place + (shift - 0.5 * support - low)) / step, mass, wide / step, next_wide / step
            )
    return cells(low + step * np.arange(count + 1), bins)


def _places(axes: list[np.ndarray], theta: np.ndarray) -> np.ndarray:
    """theta . x at all cell centres, (*cells,)."""
    total = np.zeros(())
    for k, axis in enumerate(axes):
        total = total[..., None] + theta[k] * axis
    return total


def _deposit(bins: np.ndarray, begin: np.ndarray, mass: np.ndarray, wide: float, narrow: float) -> None:
    """Add trapezoids that begin at `begin` (in bins) to the bins, each bin getting its exact share."""
    index = np.floor(begin).astype(np.int64)
    offset = begin - index
    before = np.zeros_like(mass)
    for k in range(round(wide + narrow) + 1):
        after = mass * _trapezoid(np.minimum(k + 1 - offset, wide + narrow), wide, narrow)
        bins += np.bincount(index + k, after - before, minlength=bins.size)
        before = after


def _trapezoid(t: np.ndarray, wide: float, narrow: float) -> np.ndarray:
    """Mass below t of the sum of two uniforms on (0, wide) and (0, narrow), wide >= narrow."""
    result = (t - 0.5 * narrow) / wide
    if narrow > 0:
        corner = 1 / (2 * wide * narrow)
        result = np.where(t < narrow, corner * t**2, result)
        result = np.where(t > wide, 1 - corner * (wide + narrow - t) ** 2, result)
    return result
