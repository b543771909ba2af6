"""What an entropic step says of the energy: its value on cells, its slope, and the stiffness it brings."""

from __future__ import annotations

import numpy as np

from wgf.measures import Grid
from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray
COUNTS = 1e-3  # of the largest density: cells below do not steer the number of sweeps


def cell_energy(energy: InternalEnergy, potential: Array, rho: Array, grid: Grid) -> float:
    """The sum over cells of (U(rho) + V rho) h^d, V at the centres: the energy that the steps minimise."""
    filled = rho > 0
    total = energy.value(rho[filled]) + potential[filled] * rho[filled]
    return float(total.sum()) * grid.volume


def steepest_pressure(energy: InternalEnergy, rho: Array) -> float:
    """max p'(rho) = max rho U''(rho) over cells that hold at least 1e-6 of the largest density."""
    if energy.trivial:
        return 0.0
    thick = rho[rho > COUNTS * rho.max()]
    return float((thick * energy.second(thick)).max())


def squared_gradient(rho: Array, xi: Array, grid: Grid) -> float:
    """The integral of |grad xi|^2 rho by differences over faces; faces with an empty side count nothing."""
    total = 0.0
    for axis, h in enumerate(grid.spacing):
        low, high = (slice(None),) * axis + (slice(-1),), (slice(None),) * axis + (slice(1, None),)
        filled = (rho[low] > 0) & (rho[high] > 0)
        jump = np.subtract(xi[high], xi[low], out=np.zeros(filled.shape), where=filled)
        total += float((0.5 * (rho[low] + rho[high]) * (jump / h) ** 2).sum())
    return total * grid.volume


def expectation(rho: Array, above: Array, below: Array) -> float:
    """The sum of rho (above - below) over filled cells."""
    filled = rho > 0
    return float(rho[filled] @ (above[filled] - below[filled]))


def mean_variation(energy: InternalEnergy, potential: Array, rho: Array) -> float:
    """The mean of U'(rho) + V over the mass that is not in an obstacle."""
    filled = (rho > 0) & (potential < np.inf)
    xi = energy.derivative(rho[filled]) + potential[filled]
    return float(rho[filled] @ xi / rho[filled].sum()) if filled.any() else 0.0


def spread(energy: InternalEnergy, potential: Array, rho: Array) -> float:
    """How far U'(rho) + V reaches over the box outside obstacles: inf when U'(0) = -inf."""
    if energy.floor == -np.inf:
        return np.inf
    free = potential[potential < np.inf]
    depth = float(free.max() - free.min()) if free.size else 0.0
    return depth + float(energy.derivative(rho.max(keepdims=True)).max())
