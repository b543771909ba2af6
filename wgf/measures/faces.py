"""Faces of a grid: what stands on either side of them, and what passing through them does to the cells.

Every finite-volume operator of the package is written with these three functions, so that all agree on which
faces there are: n - 1 between the n cells of a no-flux axis, n on a periodic one, the last of them the seam.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wgf.measures.grid import Grid


def at_faces(values: np.ndarray, axis: int, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cell values below and above every face of an axis: n - 1 faces, n when periodic.

    >>> [side.tolist() for side in at_faces(np.array([1.0, 2.0, 4.0]), 0, periodic=False)]
    [[1.0, 2.0], [2.0, 4.0]]
    """
    n = values.shape[axis]
    if periodic:
        return values, np.roll(values, -1, axis)
    return values.take(range(n - 1), axis), values.take(range(1, n), axis)


def upper_faces(flux: np.ndarray, grid: Grid, axis: int) -> np.ndarray:
    """Values at the faces of an axis laid over the cells, (*cells,): each cell's upper face, 0 at a wall."""
    if grid.boundary[axis] == "periodic":
        return flux
    ends = [(0, 1) if k == axis else (0, 0) for k in range(grid.dimension)]
    return np.pad(flux, ends)


def inflow(fluxes: Sequence[np.ndarray], grid: Grid) -> np.ndarray:
    """What upward fluxes through the faces of every axis bring to the cells: it sums to zero to rounding."""
    total = np.zeros(grid.cells)
    for axis, flux in enumerate(fluxes):
        upper = upper_faces(flux, grid, axis)
        total -= upper - np.roll(upper, 1, axis)
    return total
