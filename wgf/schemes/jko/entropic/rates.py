"""What an entropic step must know of the energy: its stiffness, its depth, its mean variation."""

from __future__ import annotations

import numpy as np

from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray
COUNTS = 1e-3  # of the largest density: cells below do not steer the number of sweeps


def steepest_pressure(energy: InternalEnergy, rho: Array) -> float:
    """max p'(rho) = max rho U''(rho) over cells that hold at least 1e-3 of the largest density."""
    if energy.trivial:
        return 0.0
    thick = rho[rho > COUNTS * rho.max()]
    return float((thick * energy.second(thick)).max())


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
