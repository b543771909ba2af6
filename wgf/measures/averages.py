"""Cell averages: how a density given by a formula, a cloud or another grid lands on a grid."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss

from wgf.errors import NotFiniteError
from wgf.measures.base import require_density
from wgf.measures.grid import Grid
from wgf.measures.intervals import interval_masses

GAUSS_POINTS = 3  # degree 5 exactly: the averaging error h^6 stays far below any scheme's h^2
VARIATION = 0.05  # of a cell's average, between Gauss rule and midpoint: the rule is then right to 1e-5
MISSED = 1e-3  # of the integral: what all cells too small to be looked at twice may carry
MISSED_IN_PARTS = 1e-4  # the same for the parts of those that were
CUT_LEVELS, DEEPEST = 3, 20  # halvings of every cell cut by the edge of a support, and of any cell
CORNER = 0.999  # of the way to the corners of a cell, where an edge of the support is looked for
MOST_POINTS = 8_000_000  # evaluations of f spent on halved cells
SEED_WIDTH = 0.5  # of a cell: wider peaks are seen by the Gauss points
OUTSIDE = 1e-3  # share of an initial measure that may lie outside the box: tails made up by normalising
NODES, NODE_WEIGHTS = leggauss(GAUSS_POINTS)


def gauss_offsets(spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes of a cell relative to its centre, (q, d), and their weights (q,) summing to 1."""
    d = len(spacing)
    offsets = np.array(list(itertools.product(NODES, repeat=d))) * (0.5 * spacing)
    weights = np.prod(list(itertools.product(NODE_WEIGHTS / 2, repeat=d)), axis=1)
    return offsets, weights


def evaluate(
    name: str, f: Callable[[np.ndarray], np.ndarray], x: np.ndarray, obstacles: bool = False
) -> np.ndarray:
    """f(x) as floats of shape x.shape[:-1], refused by name when the shape is another or not finite.

    obstacles: +inf is allowed, as the value of a potential where no mass may be.
    """
    values = np.asarray(f(x), dtype=np.float64)
    if values.shape != x.shape[:-1]:
        raise ValueError(
            f"{name} must return shape {x.shape[:-1]} for points of shape {x.shape}, got {values.shape}. "
            "It takes x of shape (..., d): sum over the last axis, (x**2).sum(-1)."
        )
    fine = np.isfinite(values) | (values == np.inf) if obstacles else np.isfinite(values)
    if not fine.all():
        where = tuple(int(k) for k in np.argwhere(~fine)[0])
        raise NotFiniteError(f"{name} must be finite, got {values[where]} at x = {x[where].tolist()}.")
    return values


def cell_averages(f: Callable[[np.ndarray], np.ndarray], grid: Grid, seeds: Any = None) -> np.ndarray:
    """Averages of f over every cell of the grid, (*cells,): 3 Gauss points per axis.

    A cell is halved along every axis, and its parts again, where the support ends inside it or where f
    varies strongly and the cell carries more than its share of 1e-3 of the integral. seeds: (points
    (s, d), widths (s,), integral) of peaks that may be narrower than a cell, between its Gauss points.
    """
    centers = grid.centers
    offsets, weights = gauss_offsets(grid.spacing)
    total, middle = np.zeros(grid.cells), np.zeros(grid.cells)
    zeros = np.zeros(grid.cells, dtype=np.int64)
    for offset, weight in zip(offsets, weights, strict=True):
        values = evaluate("f", f, centers + offset)
        total += weight * values
        zeros += values == 0
        if not offset.any():
            middle = values
    share = float(np.abs(total).sum()) * MISSED / grid.size
    cut = (zeros > 0) & (zeros < len(weights))
    if zeros.any():  # an edge between the outermost nodes of a cell and its face shows in the neighbour
        cut |= (zeros == 0) & (np.abs(total) > share) & _beside(zeros == len(weights))
    split = np.argwhere(cut | _coarse(total, middle, share))
    if seeds is not None:
        split = np.unique(np.concatenate((split, _seeded(seeds, grid, 0))), axis=0)
    if len(split):
        known = 0.0 if seeds is None else seeds[2] / grid.volume
        total[tuple(split.T)] = _refined(f, grid, split, seeds, max(known, float(np.abs(total).sum())))
    return total


def _coarse(total: np.ndarray, middle: np.ndarray, share: float) -> np.ndarray:
    """Where the Gauss rule and the midpoint disagree by VARIATION, in cells that carry more than `share`."""
    gap = np.abs(total - middle)
    return (gap > VARIATION * np.abs(total)) & (gap > share)


def _beside(empty: np.ndarray) -> np.ndarray:
    """Cells with an empty neighbour along some axis."""
    result = np.zeros_like(empty)
    for axis in range(empty.ndim):
        here, there = np.moveaxis(result, axis, 0), np.moveaxis(empty, axis, 0)
        here[1:] |= there[:-1]
        here[:-1] |= there[1:]
    return result


def _seeded(seeds: Any, grid: Grid, level: int) -> np.ndarray:
    """Cells (k, d) of the grid halved `level` times near peaks that are narrower than such a cell."""
    points, widths, _ = seeds
    finer = Grid(grid.bounds, tuple(n << level for n in grid.cells))
    narrow = widths < SEED_WIDTH * finer.spacing.max()
    shifts = np.array(list(itertools.product((-2.0, 0.0, 2.0), repeat=grid.dimension)))
    around = points[narrow, None, :] + shifts * widths[narrow, None, None]
    index, inside = finer.indices(around.reshape(-1, grid.dimension))
    return np.unique(np.stack(index, axis=-1)[inside], axis=0)


def _refined(f: Any, grid: Grid, cells: np.ndarray, seeds: Any, scale: float) -> np.ndarray:
    """Averages over the cells (k, d): each halved along every axis, the parts in need of it again."""
    d = grid.dimension
    result, owner = np.zeros(len(cells)), np.arange(len(cells))
    children = np.array(list(itertools.product((0, 1), repeat=d)))
    low = np.array([a for a, _ in grid.bounds])
    corners = CORNER * (children - 0.5)
    share, budget = scale * MISSED_IN_PARTS / grid.size, MOST_POINTS
    for level in range(1, DEEPEST + 1):
        cells = (2 * cells[:, None, :] + children).reshape(-1, d)
        owner = np.repeat(owner, len(children))
        spacing = grid.spacing / 2**level
        offsets, weights = gauss_offsets(spacing)
        offsets = np.concatenate((offsets, corners * spacing))
        budget -= len(cells) * len(offsets)
        values = evaluate("f", f, (low + (cells + 0.5) * spacing)[:, None, :] + offsets)
        total, middle = values[:, : len(weights)] @ weights, values[:, len(weights) // 2]
        zeros, least = (values == 0).any(1), share * 2 ** (d * level)
        largest = np.abs(values).max(1)
        again = zeros & (largest > (0.0 if level < CUT_LEVELS else least))
        again |= _coarse(total, middle, least)
        if seeds is not None:
            again |= _among(cells, _seeded(seeds, grid, level))
        if level == DEEPEST or again.sum() * len(children) * len(offsets) > budget:
            again[:] = False
        result += np.bincount(owner[~again], total[~again], minlength=len(result)) / 2 ** (d * level)
        cells, owner = cells[again], owner[again]
        if not len(cells):
            break
    return result


def _among(cells: np.ndarray, some: np.ndarray) -> np.ndarray:
    """Which rows of cells (k, d) are rows of some (s, d)."""
    if not len(some):
        return np.zeros(len(cells), dtype=bool)
    _, number = np.unique(np.concatenate((cells, some)), axis=0, return_inverse=True)
    return np.isin(number[: len(cells)], number[len(cells) :])


def _peaks(measure: Any) -> Any:
    """Where a measure may be narrow: centres (s, d), widths (s,) of its components, mass; None if unknown."""
    mass = float(getattr(measure, "mass", 1.0))
    if getattr(measure, "kind", None) == "mixture":
        variances = np.diagonal(measure.covariances, axis1=1, axis2=2)
        return measure.means, np.sqrt(variances.min(1)), mass
    if hasattr(measure, "mean") and hasattr(measure, "cov"):
        return measure.mean()[None], np.sqrt(np.diag(measure.cov()).min(keepdims=True)), mass
    return None


def average_density(measure: Any, grid: Grid) -> np.ndarray:
    """Cell averages of a measure; all zero when the grid holds none of its mass."""
    kind = getattr(measure, "kind", None)
    if getattr(measure, "grid", None) == grid:
        result = measure.values
    elif kind == "particles":
        result = _histogram(measure, grid)
    elif kind == "density":
        result = _rebinned(measure, grid)
    elif kind == "uniform":
        result = _overlap(measure, grid)
    elif grid.dimension == 1 and hasattr(measure, "cdf"):
        result = interval_masses(measure, grid.edges(0)) / grid.volume
    else:
        density = require_density(measure, "measure", "a Density")
        result = cell_averages(density.pdf, grid, _peaks(measure))
    return result


def require_mass(values: np.ndarray, grid: Grid) -> np.ndarray:
    """`values`, refused when every cell is zero."""
    if not values.any():
        raise ValueError(
            f"initial has mass 0 on the grid: every one of the {grid.size} cells of {_box(grid.bounds)} is "
            f"zero. Widen `bounds`, or check that pdf takes x of shape (..., {grid.dimension})."
        )
    return values


def initial_density(measure: Any, grid: Grid) -> np.ndarray:
    """Cell averages of an initial measure, (*cells,), scaled to mass 1 on the grid.

    ValueError when more than 1e-3 of the measure lies outside the box: scaling that up is another problem.
    """
    values = require_mass(average_density(measure, grid), grid)
    inside = float(values.sum() * grid.volume)
    require_inside(inside / float(getattr(measure, "mass", 1.0)), grid.bounds)
    return values / inside


def require_inside(share: float, bounds: Any) -> None:
    """ValueError when less than 1 - 1e-3 of the initial measure lies inside the bounds, a pair per axis."""
    if not share >= 1 - OUTSIDE:
        raise ValueError(
            f"initial must lie inside the bounds {_box(bounds)} up to {OUTSIDE:g} of its mass, got the mass "
            f"{share:.6g} inside. Widen `bounds`."
        )


def _box(bounds: Any) -> str:
    return " x ".join(f"[{a:g}, {b:g}]" for a, b in bounds)


def _histogram(measure: Any, grid: Grid) -> np.ndarray:
    index, inside = grid.indices(measure.x)
    flat = np.ravel_multi_index(index, grid.cells)
    counts = np.bincount(flat[inside], weights=measure.w[inside], minlength=grid.size)
    return counts.reshape(grid.cells) / grid.volume


def _overlap(uniform: Any, grid: Grid) -> np.ndarray:
    """Exact averages of a uniform law: the share of each cell inside its box, over the box's volume."""
    result = np.ones(())
    for axis, (low, high) in enumerate(uniform.bounds):
        edges = np.clip(grid.edges(axis), low, high)
        result = np.multiply.outer(result, np.diff(edges) / ((high - low) * grid.spacing[axis]))
    return result


def _rebinned(measure: Any, grid: Grid) -> np.ndarray:
    """Exact averages of a piecewise constant density on another grid, one axis at a time."""
    result = measure.values
    for axis in range(grid.dimension):
        old, new = measure.grid.edges(axis), grid.edges(axis)
        overlap = np.minimum(new[1:, None], old[1:]) - np.maximum(new[:-1, None], old[:-1])
        share = np.clip(overlap, 0, None) / grid.spacing[axis]
        result = np.moveaxis(np.tensordot(share, result, axes=(1, axis)), 0, axis)
    return result
