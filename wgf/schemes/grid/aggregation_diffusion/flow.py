"""The space-discrete aggregation-diffusion flow: first variation, faces, energy, dissipation.

What the explicit and the implicit schemes share. xi = D log rho + zeta with zeta = U_m'(rho) + V + W * rho
at the cell centres; the fluxes are those of `wgf.kernels.aggregation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy import sparse

from wgf.energies.convolution import Convolution
from wgf.kernels.aggregation import aggregation_flux, face_ratios
from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.measures import Grid
from wgf.problem import Problem
from wgf.schemes.cells import potential_at_centers
from wgf.schemes.grid.rates import NEGLIGIBLE, metric
from wgf.schemes.grid.sources import source_cells
from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray


@dataclass(frozen=True)
class Faces:
    """All open faces of a grid, those of every axis in one list.

    low, high: flat indices of the cells below and above. scale: 1/h^2. lift: what is added to the
    difference of zeta. balance: sparse (cells, faces), -1 for the cell below, +1 for the one above, so that
    balance @ flux is what the cells gain and balance.T @ zeta are the differences.
    """

    low: Array
    high: Array
    scale: Array
    lift: Array
    balance: sparse.csr_array
    axes: tuple[int, ...]

    def split(self, values: Array) -> list[Array]:
        """A list over all faces cut into one part per axis."""
        return np.split(values, np.cumsum(self.axes)[:-1])


@dataclass(frozen=True)
class Flow:
    """A problem on a grid, frozen at a time.

    diffusion: D. internal: the internal terms, without the entropy. potential: V, 0 on blocked cells. pulls:
    (coefficient, W *). lifts: per axis what the upper face of a cell adds to the difference of zeta: -h times
    a drift, +inf where the face is closed by an obstacle; empty when there is neither. source: per cell, or
    None. memory: what is built when first asked for, common to copies that differ in the source.
    """

    grid: Grid
    diffusion: float
    internal: InternalEnergy
    potential: Array
    blocked: Array | None
    pulls: tuple[tuple[float, Convolution], ...]
    lifts: tuple[Array, ...]
    source: Array | None = None
    memory: dict[str, Faces] = field(default_factory=dict)

    def pull(self, rho: Array) -> Array:
        """W * rho, the sum over the interaction terms."""
        return sum((c * W(rho) for c, W in self.pulls), np.zeros(rho.shape))

    def zeta(self, rho: Array, pull: Array) -> Array:
        """The first variation without the entropy's part."""
        return self.internal.derivative(rho) + self.potential + pull

    def balance(self, rho: Array, limited: bool, kept: bool = False) -> tuple[list[Array], Array, Array]:
        """Per axis F/h through upper faces if `kept`; what cells gain, the rate at which they are left."""
        zeta = self.zeta(rho, self.pull(rho))
        fluxes, inflow, leaving = [], np.zeros_like(rho), np.zeros_like(rho)
        for axis, h in enumerate(self.grid.spacing):
            flux = np.empty_like(rho) if kept else np.zeros(0)
            periodic = self.grid.boundary[axis] == "periodic"
            aggregation_flux(
                rho, zeta, self.lifts[axis], self.diffusion, float(h), axis, periodic, limited,
                flux, inflow, leaving,
            )  # fmt: skip
            fluxes.append(flux)
        return fluxes, inflow, leaving

    def ratios(self, rho: Array, pull: Array, limited: bool) -> tuple[Array, Array]:
        """(p, q) of `face_ratios` on the list of faces, or two ones when the flux is not limited."""
        if not limited:
            return np.ones(1), np.ones(1)
        zeta, found = self.zeta(rho, pull), []
        for axis, (boundary, low) in enumerate(
            zip(self.grid.boundary, self.faces.split(self.faces.low), strict=True)
        ):
            with np.errstate(invalid="ignore"):  # fast diffusion in two empty cells: inf - inf
                w = np.roll(zeta, -1, axis) - zeta
            if self.lifts[axis].size:
                w = w + self.lifts[axis]
            pair = face_ratios(rho, w, self.diffusion, axis, boundary == "periodic")
            found.append([values.ravel()[low] for values in pair])
        p, q = (np.concatenate(part) for part in zip(*found, strict=True))
        return p, q

    def stiffness(self, rho: Array) -> float:
        """A bound on the fastest rate of the linearised flow by which differences of cells decay, 1/time."""
        spread = self.diffusion + float((rho * _finite(self.internal.second(rho))).max())
        nonlocal_part = sum(c * W.steepest for c, W in self.pulls) * float(rho.max())
        return 4 * spread * float((1 / self.grid.spacing**2).sum()) + nonlocal_part

    def energy(self, rho: Array) -> float:
        """volume * sum of U(rho) + V rho + rho (W * rho)/2."""
        whole = InternalEnergy(self.diffusion, self.internal.powers)
        density = whole.value(rho) + rho * (self.potential + 0.5 * self.pull(rho))
        return float(density.sum() * self.grid.volume)

    def dissipation(self, rho: Array, passed: list[Array], limited: bool) -> tuple[float, float]:
        """(speed squared, slope squared) at rho in the metric of the scheme's own mobility.

        slope^2 = sum over faces of theta |difference of xi / h|^2 and speed^2 = sum of J^2 / theta with theta
        the mobility of the kernel's flux and J the flux that was. passed: per axis J/h on upper faces. A face
        between two empty cells counts nothing; next to one empty cell, that cell counts as 1e-300.
        Maas, 2011; Mielke, 2011.
        """
        pull = self.pull(rho)
        p, q = self.ratios(rho, pull, limited)
        zeta, faces, flat = self.zeta(rho, pull).ravel(), self.faces, rho.ravel()
        parts = zip(passed, faces.split(faces.low), strict=True)
        fluxes = np.concatenate([flux.ravel()[low] for flux, low in parts])
        below, above = p * flat[faces.low], q * flat[faces.high]
        w = zeta[faces.high] - zeta[faces.low] + faces.lift
        if self.diffusion > 0:
            rate = self.diffusion * faces.scale
            up, down = bernoulli(w / self.diffusion + np.log(p / q))
            speed, slope = metric(rate * up * below, rate * down * above, fluxes)
            return speed * self.grid.volume * self.diffusion, slope * self.grid.volume * self.diffusion
        theta = faces.scale * np.where(w < 0, below, above)
        moving = theta > NEGLIGIBLE
        speed = float((fluxes[moving] ** 2 / theta[moving]).sum())
        slope = float((theta[moving] * w[moving] ** 2).sum())
        return speed * self.grid.volume, slope * self.grid.volume

    @property
    def faces(self) -> Faces:
        """The open faces as one list, which only implicit steps need."""
        if "faces" not in self.memory:
            self.memory["faces"] = self._faces()
        return self.memory["faces"]

    def _faces(self) -> Faces:
        cells = np.arange(self.grid.size).reshape(self.grid.cells)
        low, high, scale, lift, counts = [], [], [], [], []
        for axis, h in enumerate(self.grid.spacing):
            above, is_open = np.roll(cells, -1, axis), np.ones(self.grid.cells, dtype=bool)
            if self.grid.boundary[axis] != "periodic":
                is_open[(slice(None),) * axis + (slice(-1, None),)] = False
            lifts = self.lifts[axis] if self.lifts[axis].size else np.zeros(self.grid.cells)
            is_open &= np.isfinite(lifts)
            low.append(cells[is_open])
            high.append(above[is_open])
            lift.append(lifts[is_open])
            scale.append(np.full(len(low[-1]), 1 / h**2))
            counts.append(len(low[-1]))
        below, over = np.concatenate(low), np.concatenate(high)
        number = np.arange(len(below))
        signs = np.concatenate([-np.ones(len(below)), np.ones(len(below))])
        entries = (signs, (np.concatenate([below, over]), np.concatenate([number, number])))
        balance = sparse.csr_array(entries, shape=(self.grid.size, len(below)))
        return Faces(below, over, np.concatenate(scale), np.concatenate(lift), balance, tuple(counts))


def _finite(values: Array) -> Array:
    return np.where(np.isfinite(values), values, 0.0)


def flow_of(problem: Problem, cells: Any) -> Flow:
    """The flow of a problem frozen at its time, remembered up to the source, which may move alone."""
    flow = problem.cached(("aggregation-diffusion", cells), lambda: _flow(problem, problem.grid(cells)))
    return flow if problem.source is None else replace(flow, source=source_cells(problem, flow.grid))


def _flow(problem: Problem, grid: Grid) -> Flow:
    energy = problem.energy
    potential = potential_at_centers(problem, grid) if energy.has_potential else np.zeros(grid.cells)
    blocked = ~np.isfinite(potential)
    some = bool(blocked.any())
    return Flow(
        grid=grid,
        diffusion=energy.diffusion,
        internal=InternalEnergy(0.0, InternalEnergy.of(energy).powers),
        potential=np.where(blocked, 0.0, potential) if some else potential,
        blocked=blocked if some else None,
        pulls=tuple((c, term.on(grid)) for c, term in energy.interactions),
        lifts=tuple(_lift(problem, grid, axis, blocked if some else None) for axis in range(grid.dimension)),
    )


def _lift(problem: Problem, grid: Grid, axis: int, blocked: Array | None) -> Array:
    """-h b at the upper faces of the cells along an axis, +inf where an obstacle closes them; or empty."""
    if problem.drift is None and blocked is None:
        return np.zeros(0)
    lift = np.zeros(grid.cells)
    if problem.drift is not None:
        shift = 0.5 * grid.spacing * (np.arange(grid.dimension) == axis)
        lift -= grid.spacing[axis] * grid.evaluate(lambda x: problem.drift_value(x + shift)[..., axis])
    if blocked is not None:
        lift[blocked | np.roll(blocked, -1, axis)] = np.inf
    return lift
