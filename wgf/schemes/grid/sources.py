"""Sources on cells: the density that a problem creates in every cell per unit time."""

from __future__ import annotations

import numpy as np

from wgf.energies.terms import takes_time
from wgf.measures import Grid
from wgf.measures.averages import gauss_offsets
from wgf.problem import Problem
from wgf.schemes.cells import obstacles


def source_cells(problem: Problem, grid: Grid) -> np.ndarray:
    """Cell averages of the source at the problem's time, (*cells,): Gauss points; 0 in obstacles."""
    if problem.source is not None and takes_time(problem.source):
        return _averages(problem, grid)
    return problem.cached(("grid source", grid), lambda: _averages(problem, grid))


def _averages(problem: Problem, grid: Grid) -> np.ndarray:
    offsets, weights = gauss_offsets(grid.spacing)

    def average(x: np.ndarray) -> np.ndarray:
        parts = zip(offsets, weights, strict=True)
        return sum((w * problem.source_value(x + offset) for offset, w in parts), np.zeros(x.shape[:-1]))

    return np.where(obstacles(problem, grid), 0.0, grid.evaluate(average))
