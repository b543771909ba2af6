"""What schemes on cells share: the start, V and its obstacles, the energy of cell averages, the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.measures import Density, Grid
from wgf.measures.averages import initial_density
from wgf.measures.faces import at_faces
from wgf.problem import Problem
from wgf.schemes.internal_energy import InternalEnergy

AXES = {1: "one dimension", 2: "one or two dimensions", 3: "one to three dimensions"}
STEPS_PER_SCALE = 0.1  # suggested dt: the time in which the first velocity moves a tenth of the spread
LEAST_RATE = 1e-3  # of slope over spread: at rest the suggested dt is 100 and not rounding's inverse
NEGLIGIBLE = 1e-12  # of the mass: rounding, or a tail that no double sum could show


def box_refusal(problem: Problem, cells: Any, most_cells: int, most_axes: int = 3) -> str | None:
    """Why a scheme cannot cut the problem's box into `cells`, as the end of a sentence; None when it can."""
    d = problem.dimension
    if d > most_axes:
        return f"it needs {AXES[most_axes]}, got {d}"
    if problem.bounds is None:
        return "it needs a box, and the problem has bounds None"
    if isinstance(cells, tuple) and len(cells) != d:
        return f"it has cells for {len(cells)} axes, and the problem has {d}"
    grid = problem.grid(cells)
    if grid.size > most_cells:
        return f"{' x '.join(map(str, grid.cells))} cells are more than {most_cells:,}; pass fewer cells"
    return None


def initial_cells(problem: Problem, cells: Any) -> np.ndarray:
    """Cell averages of the initial measure, (*cells,), C-contiguous, of mass 1, exactly 0 in obstacles.

    ValueError when more than 1e-12 of the mass lies in them: moving it elsewhere is another problem.
    """
    grid = problem.grid(cells)
    rho = np.ascontiguousarray(initial_density(problem.initial, grid), dtype=np.float64)
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
    rho[closed] = 0.0
    return rho / (rho.sum() * grid.volume)


def potential_at_centers(problem: Problem, grid: Grid) -> np.ndarray:
    """V at the cell centres, (*cells,), remembered; +inf where no mass may be."""
    return problem.cached(
        ("potential at centers", grid), lambda: grid.evaluate(problem.energy.potential_value)
    )


def obstacles(problem: Problem, grid: Grid) -> np.ndarray:
    """Which cells have V = +inf at their centre, (*cells,)."""
    return np.isposinf(potential_at_centers(problem, grid))


def cell_energy(problem: Problem, rho: np.ndarray, grid: Grid) -> float:
    """The energy of cell averages rho (*cells,), V at the centres: what JKO steps on cells minimise.

    volume * sum of U(rho) + V rho + rho (W * rho)/2; an obstacle without mass in it counts nothing.
    """
    filled = rho > 0
    potential = potential_at_centers(problem, grid)
    pointwise = InternalEnergy.of(problem.energy).value(rho)
    pointwise[filled] += potential[filled] * rho[filled]
    pairs = sum(c * term.grid_value(Density(grid, rho)) for c, term in problem.energy.interactions)
    return float(pointwise.sum()) * grid.volume + pairs


def suggested_dt(spread: float, slope: float) -> float:
    """The time in which the velocity |dE| = slope moves a law by a tenth of its spread; at most 100.

    >>> suggested_dt(2.0, 0.5), suggested_dt(2.0, 0.0)
    (0.4, 100.0)
    """
    return STEPS_PER_SCALE * spread / max(slope, LEAST_RATE * spread)


def mean_squared_gradient(xi: np.ndarray, rho: np.ndarray, grid: Grid) -> float:
    """The integral of |grad xi|^2 rho by differences over the inner faces, xi and rho (*cells,).

    rho at a face is the mean of its cells; a face next to an empty cell counts nothing, since xi may be
    infinite there, and so do the seams of periodic axes.
    """
    total = 0.0
    for axis, h in enumerate(grid.spacing):
        (low, high), (below, above) = (at_faces(values, axis, False) for values in (rho, xi))
        filled = (low > 0) & (high > 0)
        jump = np.subtract(above, below, out=np.zeros(filled.shape), where=filled)
        total += float((0.5 * (low + high) * (jump / h) ** 2).sum())
    return total * grid.volume
