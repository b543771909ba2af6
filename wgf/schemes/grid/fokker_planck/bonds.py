"""Bonds: jumps between any two cells of a grid, along an axis or not, with a rate each way.

Faces are the bonds between neighbours along an axis. A full diffusion tensor needs bonds along other
integer directions too; everything a scheme keeps (mass, sign, rest) it keeps bond by bond, so one list of
bonds serves all: fluxes, the generator, the metric of the flow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from wgf.measures import Grid
from wgf.measures.faces import at_faces
from wgf.schemes.grid.rates import Rates, metric


@dataclass(frozen=True)
class Bonds:
    """below, above: (bonds,) flat cell indices; up, down: (bonds,) rates >= 0 of the jumps, 1/time."""

    below: np.ndarray
    above: np.ndarray
    up: np.ndarray
    down: np.ndarray

    def fluxes(self, rho: np.ndarray) -> np.ndarray:
        """What jumps from `below` to `above` per unit time, net, for the density rho (*cells)."""
        flat = rho.ravel()
        return self.up * flat[self.below] - self.down * flat[self.above]

    def inflow(self, fluxes: np.ndarray, cells: tuple[int, ...]) -> np.ndarray:
        """What the fluxes bring to every cell per unit time: it sums to zero to rounding."""
        size = int(np.prod(cells))
        gained = np.bincount(self.above, fluxes, size)
        gained -= np.bincount(self.below, fluxes, size)
        return gained.reshape(cells)

    def generator(self, size: int) -> sparse.csc_array:
        """The sparse G of d rho/dt = G rho: columns sum to zero, nothing off the diagonal is negative."""
        rows = np.concatenate([self.above, self.below, self.below, self.above])
        columns = np.concatenate([self.below, self.below, self.above, self.above])
        values = np.concatenate([self.up, -self.up, self.down, -self.down])
        return sparse.csc_array((values, (rows, columns)), shape=(size, size))

    def dissipation(
        self, rho: np.ndarray, passed: np.ndarray, volume: float, diffusion: float
    ) -> tuple[float, float]:
        """(speed squared, slope squared) at the density rho, as `rates.dissipation`, over all bonds."""
        flat = rho.ravel()
        speed, slope = metric(self.up * flat[self.below], self.down * flat[self.above], passed)
        return speed * volume * diffusion, slope * volume * diffusion


def face_bonds(rates: tuple[Rates, ...], grid: Grid) -> Bonds:
    """The faces of all axes as bonds."""
    cells = np.arange(grid.size).reshape(grid.cells)
    ends = [at_faces(cells, axis, b == "periodic") for axis, b in enumerate(grid.boundary)]
    return Bonds(
        np.concatenate([below.ravel() for below, _ in ends]),
        np.concatenate([above.ravel() for _, above in ends]),
        np.concatenate([up.ravel() for up, _ in rates]),
        np.concatenate([down.ravel() for _, down in rates]),
    )
