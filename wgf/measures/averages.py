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

GAUSS_POINTS = 3  # degree 5 exactly: the averaging error h^6 stays far below any scheme's h^2
REFINEMENT = 8  # finer cells per axis in cells cut by the edge of a support
NODES, NODE_WEIGHTS = leggauss(GAUSS_POINTS)


def gauss_offsets(spacing: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes of a cell relative to its centre, (q, d), and their weights (q,) summing to 1."""
    d = len(spacing)
    offsets = np.array(list(itertools.product(NODES, repeat=d))) * (0.5 * spacing)
    weights = np.prod(list(itertools.product(NODE_WEIGHTS / 2, repeat=d)), axis=1)
    return offsets, weights


def evaluate(name: str, f: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
    """f(x) as floats of shape x.shape[:-1], refused by name when the shape is another or not finite."""
    values = np.asarray(f(x), dtype=np.float64)
    if values.shape != x.shape[:-1]:
        raise ValueError(
            f"{name} must return shape {x.shape[:-1]} for points of shape {x.shape}, got {values.shape}. "
            "It takes x of shape (..., d): sum over the last axis, (x**2).sum(-1)."
        )
    if not np.isfinite(values).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0])
        raise NotFiniteError(f"{name} must be finite, got {values[where]} at x = {x[where].tolist()}.")
    return values


def cell_averages(f: Callable[[np.ndarray], np.ndarray], grid: Grid) -> np.ndarray:
    """Averages of f over every cell of the grid, (*cells,)."""
    centers = grid.centers
    offsets, weights = gauss_offsets(grid.spacing)
    total = np.zeros(grid.cells)
    zeros = np.zeros(grid.cells, dtype=np.int64)
    for offset, weight in zip(offsets, weights, strict=True):
        values = evaluate("f", f, centers + offset)
        total += weight * values
        zeros += values == 0
    cut = (zeros > 0) & (zeros < len(weights))
    if cut.any():
        total[cut] = _refined(f, centers[cut], grid.spacing)
    return total


def _refined(f: Callable[[np.ndarray], np.ndarray], centers: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """Averages over single cells (n, d), each cut into REFINEMENT finer cells per axis."""
    fine = (np.arange(REFINEMENT) + 0.5) / REFINEMENT - 0.5
    offsets, weights = gauss_offsets(spacing / REFINEMENT)
    total = np.zeros(len(centers))
    for shift in itertools.product(fine, repeat=len(spacing)):
        for offset, weight in zip(offsets, weights, strict=True):
            total += weight * evaluate("f", f, centers + np.array(shift) * spacing + offset)
    return total / REFINEMENT ** len(spacing)


def average_density(measure: Any, grid: Grid) -> np.ndarray:
    """Cell averages of a measure; ValueError when the grid holds none of its mass."""
    kind = getattr(measure, "kind", None)
    if kind == "particles":
        result = _histogram(measure, grid)
    elif kind == "density":
        result = _rebinned(measure, grid)
    elif kind == "quantiles":
        result = np.diff(measure.cdf(grid.edges(0))) / grid.volume
    else:
        result = cell_averages(require_density(measure, "measure", "a Density").pdf, grid)
    if not result.any():
        box = " x ".join(f"[{a:g}, {b:g}]" for a, b in grid.bounds)
        raise ValueError(
            f"initial has mass 0 on the grid: every one of the {grid.size} cells of {box} is zero. "
            f"Widen `bounds`, or check that pdf takes x of shape (..., {grid.dimension})."
        )
    return result


def _histogram(measure: Any, grid: Grid) -> np.ndarray:
    index, inside = grid.indices(measure.x)
    flat = np.ravel_multi_index(index, grid.cells)
    counts = np.bincount(flat[inside], weights=measure.w[inside], minlength=grid.size)
    return counts.reshape(grid.cells) / grid.volume


def _rebinned(measure: Any, grid: Grid) -> np.ndarray:
    """Exact averages of a piecewise constant density on another grid, one axis at a time."""
    result = measure.values
    for axis in range(grid.dimension):
        old, new = measure.grid.edges(axis), grid.edges(axis)
        overlap = np.minimum(new[1:, None], old[1:]) - np.maximum(new[:-1, None], old[:-1])
        share = np.clip(overlap, 0, None) / grid.spacing[axis]
        result = np.moveaxis(np.tensordot(share, result, axes=(1, axis)), 0, axis)
    return result
