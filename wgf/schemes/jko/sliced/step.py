r"""One sliced step on a grid: argmin SW2^2(rho, rho_n) / (2 tau) + E(rho) by Newton's method in U'(rho).

The variable is the multiplier p = U'(rho), so rho = (U')^-1(p) is never negative, cells of a compact
support enter and leave by the sign of p, and the tails of an entropy move by what p says rather than by
what their mass allows. Optimality is p + V + W * rho + phi / (2 tau) = const, phi the mean over directions
of the Kantorovich potentials. Newton's equation, in masses r = rho * cell,

    (1/s + H) dr = -R + const,   sum dr = 0,   s = dr/dp,   H = W + (1/tau) mean_l A_l' C' Q_l C A_l

with A_l the projections, C the cumulative sum and Q_l the tridiagonal second derivative of W2^2 / 2, is
solved by conjugate gradients preconditioned by s, which is the metric of exponentiated gradient descent:
H smooths by three orders, so its spectrum beyond s falls fast and 10 to 30 products suffice.
Turned down: exponentiated gradient descent itself (the same metric, hundreds of iterations) and the
projected gradient of the published codes (no positive densities, so no entropy).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from wgf.energies import Energy
from wgf.errors import ConvergenceError
from wgf.kernels.sliced_grid import (
    LineTransport,
    Shadows,
    line_transport,
    sliced_adjoint,
    sliced_project,
)
from wgf.measures import Density, Grid
from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray
ARMIJO = 1e-4  # the share of the predicted decrease that must be real
SHORTEST = 2.0**-30
SLACK = 64 * np.finfo(float).eps  # times the size of the objective: its rounding
EMPTY = 1e-300  # the density that an empty cell counts as where U' is -inf at 0
CG_TOLERANCE, CG_ITERATIONS = 1e-3, 300
SCALAR_ITERATIONS = 200


class Minimum(NamedTuple):
    """Minimising densities, Newton iterations, the bound on the SW2 distance left over the box's diameter."""

    rho: Array
    iterations: int
    residual: float


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

    potential: V at the cell centres. target: projections of rho_n (L, bins).
    """

    energy: Energy
    internal: InternalEnergy
    grid: Grid
    potential: Array
    places: Shadows
    target: Array
    tau: float

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
        density = Density(self.grid, rho)
        parts = (c * term.convolve(density) for c, term in self.energy.interactions)
        return sum(parts, np.zeros(self.grid.cells))

    def trial(self, p: Array) -> Trial:
        """The state of multiplier p + const with the constant that makes the mass 1."""
        p, rho = normalised(self.internal, p, self.volume)
        bins = self.project(rho * self.volume)
        transport = line_transport(bins, self.target, self.places.bin)
        upper = np.zeros((len(bins), bins.shape[1] + 1), dtype=bool)
        upper[:, 1:] = np.cumsum(bins, axis=1) > 0.5
        fixed = self.potential + (0.5 * self.attraction(rho) if self.energy.interactions else 0.0)
        energy = self.volume * float(np.sum(self.internal.value(rho)) + np.sum(rho * fixed))
        return Trial(p, rho, float(transport.value.mean()) / (2 * self.tau) + energy, transport, upper)

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
        bend = trial.transport.bend
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


def minimise(objective: SlicedObjective, start: Array, tol: float, iterations: int) -> Minimum:
    """The minimiser near `start` (*cells,), whose objective is never above that of `start`.

    Stops when the residual is below tol or below what rounding allows: the root of tau times the squared
    gap in the metric s, over the box's diameter. It bounds Newton's decrement and so the SW2 distance left.
    """
    internal = objective.internal
    now = objective.trial(internal.derivative(np.maximum(start, EMPTY) if internal.floor < 0 else start))
    residual, count = np.inf, 0
    while True:
        system = _System(objective, now)
        rounding = SLACK * (abs(now.value) + float(np.abs(now.transport.value).mean()) / objective.tau)
        residual = float(np.sqrt(objective.tau * system.power)) / objective.diameter
        if residual <= tol or system.power <= rounding:
            return Minimum(now.rho, count, residual)
        if count == iterations:
            break
        direction, slope = system.solve(rounding)
        moved = _line_search(objective, now, direction, slope, rounding)
        if moved is None:
            break
        now, count = moved, count + 1
    raise ConvergenceError(
        f"a sliced JKO step of tau = {objective.tau:.3g} stopped at the residual {residual:.1e} "
        f"(tol = {tol:.1e}) after {count} of {iterations} Newton iterations. Use a smaller dt "
        "(scheme.suggest_dt(problem) gives one), more iterations= or a larger tol=. internal(m), m > 1, "
        "without entropy needs an initial measure without tails: add 0.1 * entropy(), or cut them."
    )


class _System:
    """Newton's equation at a trial; `power` is the squared gap in the metric s."""

    def __init__(self, objective: SlicedObjective, now: Trial) -> None:
        self.objective, self.now = objective, now
        self.metric = objective.volume * objective.internal.slope(now.p)
        self.gap = objective.gap(now)
        self.left = -self.centred(self.gap)
        self.power = float(np.vdot(self.left, self.metric * self.left))

    def centred(self, x: Array) -> Array:
        """x less its mean in the metric: a multiplier's constant is free."""
        return x - np.vdot(self.metric, x) / self.metric.sum()

    def solve(self, rounding: float) -> tuple[Array, float]:
        """The Newton direction of p, and the slope of the objective along it."""
        full = self.metric > 0
        inverse = np.where(full, 1 / np.where(full, self.metric, 1.0), 0.0)
        masses, applied = np.zeros_like(self.gap), np.zeros_like(self.gap)
        left, power = self.left, self.power
        search = self.metric * left
        goal = max(CG_TOLERANCE**2 * power, 1e-3 * rounding)
        for _ in range(CG_ITERATIONS):
            if power <= goal:
                break
            product = inverse * search + self.objective.bent(self.now, search)
            curvature = float(np.vdot(search, product))
            if curvature <= 0:  # an attraction stronger than all that holds the mass apart
                if not masses.any():
                    masses = search
                break
            step = power / curvature
            masses, applied = masses + step * search, applied + step * product
            left = self.centred(left - step * product)
            ahead = self.metric * left
            power, before = float(np.vdot(left, ahead)), power
            search = ahead + power / before * search
        # where a cell is empty p follows from the others
        direction = np.where(full, inverse * masses, -self.centred(self.gap + applied))
        return direction, float(np.vdot(self.gap, masses))


def _line_search(
    objective: SlicedObjective, now: Trial, direction: Array, slope: float, rounding: float
) -> Trial | None:
    """The first point along the direction that lowers the objective enough, or None."""
    share = 1.0
    while share > SHORTEST:
        trial = objective.trial(now.p + share * direction)
        if trial.value <= now.value + ARMIJO * share * slope + (rounding if share == 1 else 0.0):
            return trial
        share *= 0.5
    return None


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
