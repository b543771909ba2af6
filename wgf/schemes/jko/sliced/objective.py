"""What one sliced step minimises, on densities of a grid: value, gap, curvature, and the mass-1 multiplier.

The variable is the multiplier p = U'(rho): rho = (U')^-1(p) is never negative and cells of a compact support
enter and leave by the sign of p. A wall -mu log rho may be added, which keeps every cell filled; then
densities are the variable, for U' - mu / rho has no inverse worth its price.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from wgf.energies import Energy
from wgf.kernels.sliced_grid import (
    LineTransport,
    Shadows,
    line_transport,
    sliced_adjoint,
    sliced_project,
)
from wgf.measures import Grid
from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray
EMPTY = 1e-300  # the density that an empty cell counts as where U' is -inf at 0
STIFFEST = float(np.finfo(np.float64).max)
SCALAR_ITERATIONS = 200


class Trial(NamedTuple):
    """A multiplier with its density, the objective there, and the transport of its projections.

    upper (L, bins + 1): the edges with more than half of the mass below them.
    """

    p: Array
    rho: Array
    value: float
    transport: LineTransport
    upper: Array


@dataclass(frozen=True, eq=False)
class SlicedObjective:
    """SW2^2(rho, rho_n) / (2 tau) + E(rho) on densities rho (*cells,) of mass 1.

    potential: V at the cell centres. target: projections of rho_n (L, bins). wall: mu of -mu int log rho.
    """

    energy: Energy
    internal: InternalEnergy
    grid: Grid
    potential: Array
    places: Shadows
    target: Array
    tau: float
    wall: float = 0.0

    @property
    def interior(self) -> bool:
        """Whether the minimiser fills every cell."""
        return self.internal.floor < 0 or self.wall > 0

    @property
    def volume(self) -> float:
        """Of a cell."""
        return self.grid.volume

    def project(self, masses: Array) -> Array:
        """Bin masses (L, bins) of cell masses (*cells,)."""
        return sliced_project(masses.reshape(self.places.cells), self.places)

    def adjoint(self, values: Array) -> Array:
        """The mean over directions of bin values at the cells (*cells,)."""
        total = sliced_adjoint(values, self.places)
        return total.reshape(self.grid.cells) / len(self.places.start)

    def attraction(self, rho: Array) -> Array:
        """W * rho, linear in rho; 0 without interactions."""
        parts = (c * term.on(self.grid)(rho) for c, term in self.energy.interactions)
        return sum(parts, np.zeros(self.grid.cells))

    def trial(self, p: Array) -> Trial:
        """The state of multiplier p + const with the constant that makes the mass 1; without a wall."""
        return self._trial(*normalised(self.internal, p, self.volume))

    def at(self, rho: Array) -> Trial:
        """The state of densities of mass 1."""
        p = self.internal.derivative(np.maximum(rho, EMPTY) if self.internal.floor < 0 else rho)
        return self._trial(p - self.wall / rho if self.wall else p, rho)

    def _trial(self, p: Array, rho: Array) -> Trial:
        bins = self.project(rho * self.volume)
        transport = line_transport(bins, self.target, self.places.bin)
        upper = np.zeros((len(bins), bins.shape[1] + 1), dtype=bool)
        upper[:, 1:] = np.cumsum(bins, axis=1) > 0.5
        fixed = self.potential + (0.5 * self.attraction(rho) if self.energy.interactions else 0.0)
        local = self.internal.value(rho) + rho * fixed
        energy = self.volume * float(np.sum(local - self.wall * np.log(rho) if self.wall else local))
        return Trial(p, rho, float(transport.value.mean()) / (2 * self.tau) + energy, transport, upper)

    def stiffness(self, rho: Array) -> Array:
        """dp / drho, 0 where a cell is empty."""
        filled = np.where(rho > 0, rho, 1.0)
        result = np.where(rho > 0, self.internal.second(filled), 0.0)
        return result + self.wall / filled**2 if self.wall else result

    def gap(self, trial: Trial) -> Array:
        """p + V + W * rho + phi / (2 tau): constant at the minimiser."""
        result = trial.p + self.potential + self.adjoint(trial.transport.slope) / (2 * self.tau)
        return result + self.attraction(trial.rho) if self.energy.interactions else result

    def bent(self, trial: Trial, masses: Array) -> Array:
        """H dr: what changed masses of sum 0 change in the gap beyond p."""
        bins = self.project(masses)
        steps = np.zeros((len(bins), bins.shape[1] + 1))
        # from the nearer end: rounding carried into the far tail would be divided by next to nothing
        np.cumsum(bins, axis=1, out=steps[:, 1:])
        above = np.zeros_like(steps)
        above[:, :-1] = np.cumsum(bins[:, ::-1], axis=1)[:, ::-1]
        steps = np.where(trial.upper, -above, steps)
        bend = np.minimum(trial.transport.bend, STIFFEST)  # infinite where the mass underflows
        pull = np.zeros_like(steps)
        pull[:, :-1] = bend[..., 0] * steps[:, :-1] + bend[..., 1] * steps[:, 1:]
        pull[:, 1:] += bend[..., 1] * steps[:, :-1] + bend[..., 2] * steps[:, 1:]
        # a mass moves dF at all edges to its right
        right = np.cumsum(pull[:, :0:-1], axis=1)[:, ::-1]
        result = self.adjoint(right) / self.tau
        return result + self.attraction(masses / self.volume) if self.energy.interactions else result

    @cached_property
    def diameter(self) -> float:
        """Of the box."""
        return float(np.sqrt(sum((high - low) ** 2 for low, high in self.grid.bounds)))


def normalised(internal: InternalEnergy, p: Array, volume: float) -> tuple[Array, Array]:
    """p + const and its density, of mass 1: the root of an increasing function of the constant."""
    if internal.diffusion and not internal.powers:
        top = float(p.max())
        rho = np.exp((p - top) / internal.diffusion)
        mass = volume * float(rho.sum())
        shift = -top + internal.diffusion * (1 - np.log(mass))
        return p + shift, rho / mass
    low, high, shift, rho = -np.inf, np.inf, 0.0, internal.inverse(p)
    width = max(1e-3 * float(np.ptp(p)), 1e-6)
    for _ in range(SCALAR_ITERATIONS):
        rho = internal.inverse(p + shift)
        mass = volume * float(rho.sum())
        if abs(mass - 1) <= 8 * np.finfo(float).eps:
            break
        low, high = (shift, high) if mass < 1 else (low, shift)
        growth = volume * float(internal.slope(p + shift).sum())
        newton = shift + (1 - mass) / growth if growth > 0 and np.isfinite(mass) else np.inf
        if low < newton < high and np.isfinite(newton):
            shift = newton
        elif np.isfinite(low) and np.isfinite(high):
            shift = 0.5 * (low + high)
        else:
            shift += width if mass < 1 else -width
            width *= 2
        if not low < shift < high:
            break
    return p + shift, rho / (volume * float(rho.sum()))
