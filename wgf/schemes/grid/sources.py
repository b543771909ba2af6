"""What enters a grid from outside the flow: the source on cells, initial mass checked against obstacles."""

from __future__ import annotations

import numpy as np

from wgf.energies.terms import takes_time
from wgf.measures import Grid
from wgf.measures.averages import gauss_offsets
from wgf.problem import Problem
from wgf.schemes.cells import initial_cells, potential_at_centers

NEGLIGIBLE = 1e-12  # of the mass: rounding, or a tail that no double sum could show


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


def obstacles(problem: Problem, grid: Grid) -> np.ndarray:
    """Which cells have V = +inf at their centre, (*cells,)."""
    return np.isposinf(potential_at_centers(problem, grid))


def start(problem: Problem, grid: Grid) -> np.ndarray:
    """Cell averages of the initial measure, exactly 0 in obstacles.

    ValueError when more than 1e-12 of the mass lies in them: moving it elsewhere is another problem.
    """
    rho = initial_cells(problem, grid.cells)
    closed = obstacles(problem, grid)
    if not closed.any():
        return rho
    caught = float(rho[closed].sum() * grid.volume)
    if not caught <= NEGLIGIBLE:
        hit = int((rho[closed] > 0).sum())
        raise ValueError(
            f"initial must have no mass where V = +inf, got the mass {caught:.3g} in {hit} "
            "obstacle cells. Pass an initial that is 0 there, for example a Density cut off at the obstacle."
        )
    rho = np.where(closed, 0.0, rho)
    return rho / (rho.sum() * grid.volume)
