r"""Cutting an initial measure on the line into cells of fixed mass: the mesh the whole run lives on.

The masses never change, so they must suit the measure at all times. The graded mesh gives the cells of
a uniform SPATIAL mesh of the support: order 2 in W2 up to a free boundary, where equal masses (edges
at the quantiles u = i/N) have order 1. For a smooth density with tails the edges are as dense as
|X''(u)|^(2/5), which interpolates the quantile function X best in L2; in space that is
(rho^2 + L^2 rho'^2)^(1/5) rho^(-1/5), nearly uniform in the bulk and wider in the tails.

Infinite supports, and tails of grid densities, are cut at mass 1e-12 on each side and at the box.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from wgf.measures import Density, Quantiles
from wgf.measures.averages import require_inside
from wgf.measures.intervals import interval_masses

Array = np.ndarray
TAIL = 1e-12  # mass dropped on each side of an infinite support
VACUUM = 1e-12  # share of the mass spread over cells without any, so that no cell is empty
GAP_MASS = 1e-10  # mass of the one cell that spans a stretch of vacuum: 3e-6 of its length in W2
SHARP_EDGE = 0.05  # a support whose last TAIL mass fills less than this of it keeps its true end
TABLE_PER_LEVEL, TABLE_AT_LEAST = 16, 4000
REACH = 1e9  # how many standard deviations away the end of a support is looked for


def initial_cells(
    measure: Any, levels: int, mesh: str, bounds: tuple[float, float] | None
) -> tuple[Array, Array]:
    """Edges (levels + 1,) and masses (levels,) > 0 summing to 1 of a measure on the line.

    mesh: "graded" or "equal". bounds: the box, to which the measure is restricted. A `Quantiles` with
    the right number of cells inside the box is taken as it is.
    """
    if isinstance(measure, Quantiles) and _fits(measure, levels, bounds):
        return measure.edges.copy(), measure.masses.copy()
    mass_of = partial(interval_masses, measure.to_quantiles() if isinstance(measure, Density) else measure)
    low, high, tails = _support(measure, mass_of, bounds)
    table = _table(low, high, measure, max(TABLE_AT_LEAST, TABLE_PER_LEVEL * levels))
    masses = mass_of(table)
    if not masses.sum() > 0:
        raise ValueError(
            f"initial must have mass in [{low:g}, {high:g}], got none: widen bounds, or check initial.pdf."
        )
    if bounds is not None:
        require_inside(float(masses.sum()), (bounds,))
    density = masses / np.diff(table)
    if mesh == "equal":
        monitor = density
    elif tails and not isinstance(measure, Density | Quantiles):
        monitor = _interpolation_monitor(table, density)
    else:
        monitor = np.ones_like(density)
    gaps = _gaps(table, masses, levels)
    cumulative = np.concatenate([[0.0], np.cumsum(monitor * np.diff(table))])
    edges = _parted(table, cumulative, gaps, levels - len(gaps))
    edges[0], edges[-1] = low, high
    middle = 0.5 * (edges[:-1] + edges[1:])
    vacuum = np.asarray(((middle[:, None] > gaps[:, 0]) & (middle[:, None] < gaps[:, 1])).any(1))
    return edges, _filled(mass_of(edges), vacuum)


def _parted(table: Array, cumulative: Array, gaps: Array, cells: int) -> Array:
    """Edges equidistant in the cumulative monitor, in each part between gaps by itself."""
    ends = np.concatenate([[table[0]], gaps.ravel(), [table[-1]]]).reshape(-1, 2)
    levels = np.interp(ends, table, cumulative)
    share = np.diff(levels)[:, 0]
    # every part has a cell; the rest goes by the monitor, rounded so that the sum is right
    counted = np.round((cells - len(ends)) * np.cumsum(share) / share.sum()).astype(int)
    counts = 1 + np.diff(counted, prepend=0)
    pieces = [
        np.interp(np.linspace(a, b, n + 1), cumulative, table)
        for (a, b), n in zip(levels, counts, strict=True)
    ]
    for piece, (a, b) in zip(pieces, ends, strict=True):  # a flat monitor in a gap has no unique inverse
        piece[0], piece[-1] = a, b
    return np.concatenate(pieces)


def _gaps(table: Array, masses: Array, levels: int) -> Array:
    """Stretches (k, 2) of vacuum between parts of the support, longer than a mean cell; at most levels / 8.

    Each becomes one cell, so that no row of empty cells must collapse when the parts meet.
    """
    empty = np.concatenate([[False], masses < VACUUM * masses.max(), [False]])
    begins, ends = np.flatnonzero(empty[1:] & ~empty[:-1]), np.flatnonzero(empty[:-1] & ~empty[1:])
    found = np.stack([table[begins], table[ends]], axis=1)
    inner = (found[:, 0] > table[0]) & (found[:, 1] < table[-1])
    found = found[inner & (np.diff(found)[:, 0] > (table[-1] - table[0]) / levels)]
    widest_first = np.argsort(-np.diff(found)[:, 0], kind="stable")[: levels // 8]
    return found[np.sort(widest_first)]


def _fits(measure: Quantiles, levels: int, bounds: tuple[float, float] | None) -> bool:
    inside = bounds is None or (bounds[0] <= measure.edges[0] and measure.edges[-1] <= bounds[1])
    return inside and measure.masses.size == levels and bool(measure.masses.min() > 0)


def _filled(masses: Array, vacuum: Array) -> Array:
    """Masses normalised, none of them 0; a gap gets enough for its cell to stay wider than rounding."""
    masses = masses / masses.sum()
    masses = np.maximum(masses, np.where(vacuum, GAP_MASS, VACUUM / masses.size))
    return masses / masses.sum()


def _interpolation_monitor(table: Array, density: Array) -> Array:
    """The best density of edges for piecewise linear interpolation of the quantile function in L2."""
    log_density = np.log(np.maximum(density, VACUUM * density.max()))
    middle = 0.5 * (table[:-1] + table[1:])
    slope = np.gradient(log_density, middle) * 0.5 * (table[-1] - table[0])
    return np.exp(log_density / 5) * (1 + slope**2) ** 0.2


def _support(
    measure: Any, mass_of: Callable[[Array], Array], bounds: tuple[float, float] | None
) -> tuple[float, float, bool]:
    """Where the mesh begins and ends: the support, its tails cut, inside the box; and whether it had any."""
    if hasattr(measure, "quantile"):
        low, high, tails = _cut(measure)
    else:
        low, high, tails = *_searched(measure, mass_of, bounds), True
    if bounds is None:
        return low, high, tails
    low, high = max(low, bounds[0]), min(high, bounds[1])
    if low >= high:
        raise ValueError(f"initial must have mass inside the bounds {bounds}, got none: widen bounds.")
    return low, high, tails


def _cut(measure: Any) -> tuple[float, float, bool]:
    ends = measure.quantile(np.array([0.0, 1.0]))
    cut = measure.quantile(np.array([TAIL, 1 - TAIL]))
    sharp = np.abs(ends - cut) < SHARP_EDGE * (cut[1] - cut[0])
    low, high = np.where(sharp, ends, cut)
    return float(low), float(high), not sharp.all()


def _searched(
    measure: Any, mass_of: Callable[[Array], Array], bounds: tuple[float, float] | None
) -> tuple[float, float]:
    """The cut ends of a measure that only knows pdf or cdf: from a table wide enough to hold them."""
    if bounds is None:
        center, std = float(measure.mean()[0]), float(measure.cov()[0, 0]) ** 0.5
        # cells growing geometrically away from the centre: narrow features near it, heavy tails far off
        half = std * np.sinh(np.linspace(0.0, np.arcsinh(REACH), 40_000))
        table = center + np.concatenate([-half[:0:-1], half])
    else:
        table = np.linspace(bounds[0], bounds[1], 40_001)
    masses = mass_of(table)
    from_left, from_right = np.cumsum(masses), np.cumsum(masses[::-1])[::-1]
    kept = np.flatnonzero((from_left > TAIL * from_left[-1]) & (from_right > TAIL * from_left[-1]))
    if kept.size == 0:
        raise ValueError("initial must have a positive mass near its mean, got none: give bounds.")
    return float(table[kept[0]]), float(table[kept[-1] + 1])


def _table(low: float, high: float, measure: Any, cells: int) -> Array:
    """Edges for integrating the monitor: uniform in space, refined around the bulk when tails are long."""
    std = float(np.sqrt(measure.cov()[0, 0])) if hasattr(measure, "cov") else high - low
    center = min(max(float(measure.mean()[0]), low), high) if hasattr(measure, "mean") else 0.5 * (low + high)
    scale = min(4 * std, high - low)
    ends = np.arcsinh((np.array([low, high]) - center) / scale)
    table = center + scale * np.sinh(np.linspace(ends[0], ends[1], cells + 1))
    table[0], table[-1] = low, high
    return table
