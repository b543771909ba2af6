"""What every scheme on cells does first: cell averages of the initial measure, V at the cell centres."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.measures import Grid
from wgf.measures.averages import initial_density
from wgf.problem import Problem


def initial_cells(problem: Problem, cells: Any) -> np.ndarray:
    """Cell averages of the initial measure, (*cells,), C-contiguous, scaled to mass 1 on the grid."""
    return np.ascontiguousarray(initial_density(problem.initial, problem.grid(cells)), dtype=np.float64)


def potential_at_centers(problem: Problem, grid: Grid) -> np.ndarray:
    """V at the cell centres, (*cells,), remembered; +inf where no mass may be."""
    return problem.cached(
        ("potential at centers", grid), lambda: grid.evaluate(problem.energy.potential_value)
    )
