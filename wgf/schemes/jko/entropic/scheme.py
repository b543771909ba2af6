"""EntropicJKO: minimising movements by entropic transport on cells, debiased or plain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.measures import Density, Grid
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import (
    box_refusal,
    cell_energy,
    initial_cells,
    mean_squared_gradient,
    potential_at_centers,
    suggested_dt,
)
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.entropic.kernel import GaussianKernel
from wgf.schemes.jko.entropic.prox import Proximal
from wgf.schemes.jko.entropic.rates import (
    expectation,
    mean_variation,
    spread,
    steepest_pressure,
)
from wgf.schemes.jko.entropic.scaling import difference, relaxation, scale, self_scaling

Array = np.ndarray
MOST_PER_AXIS = 4096  # a dense matrix of 134 MB
MOST_CELLS = 20_000_000
RESOLVED = 0.999  # of h^2: the least epsilon, up to the user's own rounding of h^2
STIFFEST = 200.0  # dt p' / epsilon with the default epsilon, debiased: sweeps grow like its root
STIFFEST_PLAIN = 2000.0  # the same where the error is of order epsilon, and a wider kernel costs more
STEEP = 500.0  # of dt (U' + V) / epsilon: beyond, what K a holds below e^-667 of its largest is not nothing


class EntropicState(NamedTuple):
    """rho (*cells); log d - log rho of its self scaling d, 0 on empty cells; the last |dE|^2; steps done."""

    rho: Array
    own: Array
    slope: float
    count: int


@checks.checked(
    cells=cells_kind,
    epsilon=checks.optional(checks.positive),
    debiased=checks.boolean,
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class EntropicJKO:
    r"""Jordan-Kinderlehrer-Otto steps on cells by entropic transport, in one to three dimensions.

    debiased = True:   rho' minimises S(rho_n, rho') / dt + E(rho'),   S(mu, rho) = OT(mu, rho)
                       - OT(mu, mu)/2 - OT(rho, rho)/2,  the Sinkhorn divergence, S = W2^2/2 + O(epsilon^2);
    debiased = False:  Peyre's scheme, rho' minimises [min over plans of int c dgamma + epsilon int gamma
                       log gamma] / dt + E(rho'),  which is W2^2/2 + epsilon/2 int rho log rho + ... ;

    c = |x - y|^2 / 2, OT the least int c dgamma + epsilon KL(gamma | mu x rho). So the plain step diffuses by
    epsilon / (2 dt) per unit time too much: its error is O(epsilon), as dt -> 0 it blurs rho_n by a
    variance of epsilon, its energy may rise, and it tends to the flow only if epsilon |log epsilon| =
    O(dt^2) (Carlier et al., 2017). The debiased step has an error of O(epsilon^2), returns rho_n as
    dt -> 0 for any epsilon, rests exactly at the discrete equilibrium, and since S >= 0 = S(mu, mu) its
    energy never rises: E(rho') + S / dt <= E(rho_n) up to tol epsilon / dt. Both problems are convex.
    For Gaussians the steps have closed forms: dt (D - k v) = v - s sqrt(v) becomes 2 dt (D - k v) =
    sqrt(epsilon^2 + 4 v^2) - sqrt(epsilon^2 + 4 s^2 v), v the new, s^2 the old variance (debiased).

    cells: per axis, one number or one per axis, up to 4096. Space order 2 for smooth data.
    epsilon: variance of the kernel, at least h^2 (coarser cells would not resolve it), or None for
      debiased   max(2 h^2, dt p'/200)     plain   max(h^2, dt p'/2000),      p' = max rho U''(rho):
    as narrow as the cells allow, unless the step is long, where a wider one saves sweeps and costs a
    relative error below 1e-6 (debiased) or 3e-4 (plain). L1 errors of a porous-medium step of 1.5 cells at
    128^2, against the exact minimiser, at 128^2, 256^2 and 512^2: debiased 3.8e-4, 1.2e-4 and 3.1e-5, nearly
    the same for any epsilon between h^2 and 8 h^2; plain 4.8e-3 and 1.2e-3 at h^2, proportional to epsilon.
    tol: L1 mismatch of the marginals at which a step ends; 1e-6 leaves 5 per cent of that error at 128^2, at
    1e-12 rounding takes over. Sweeps grow like sqrt(dt p' / epsilon), 20 to 100 are usual; edges of compact
    supports on few cells (a radius of 8 h) may take 500, and debiased steps of dt p' << epsilon from data
    rougher than the kernel, thousands (a larger tol serves there). iterations: the most sweeps.

    When to use it: entropy, internal energies (fast diffusion, m < 1, too) and V in up to three dimensions,
    by sweeps that need no good start. For a certified distance to the minimiser take BackAndForthJKO, for
    interactions, periodic boxes and obstacles that nothing passes DynamicJKO, on a line QuantileJKO.

    What comes back is the second marginal of the plan whose first marginal is rho_n exactly: its mass is that
    of rho_n to rounding, whatever tol is, and it is positive wherever it does not underflow; nothing is
    clipped. Energies: entropy, internal(m), potential and sums; V = +inf marks cells that stay empty, but
    transport sees straight through them, so a barrier must be wider than the kernel and the step. V(x, t) is
    taken at the end of the step.

    speed_squared is 2 S / dt^2, W2^2 / dt^2 to O(epsilon^2) whether or not the step was debiased;
    slope_squared is |dE|^2 from the potentials, the mean of the old and the new state (the new one in the
    first step), by differences over faces. The dissipation defect is O(dt^2 + h^2 + epsilon^2) when debiased;
    plain, it holds the price of the blur, which grows like epsilon / dt.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(1.0, 0.25), bounds=(-5, 5))
    >>> run = wgf.solve(problem, EntropicJKO(cells=200), t_end=0.1, dt=0.1)
    >>> bool(abs(run.final.mean()[0] - 1 / 1.1) < 1e-5)
    True

    Peyre, 2015; Carlier, Duval, Peyre & Schmitzer, 2017; Feydy et al., 2019 (Sinkhorn divergence);
    Janati, Cuturi & Gramfort, 2020 (debiased scalings).
    """

    cells: Any = 128
    epsilon: float | None = None
    debiased: bool = True
    tol: float = 1e-6
    iterations: int = 5000

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, box, boundary, foreign terms, an epsilon below h^2."""
        foreign = problem.energy.only("entropy", "internal", "potential")
        if foreign is not None:
            return foreign
        refusal = box_refusal(problem, self.cells, MOST_CELLS)
        if refusal is not None:
            return refusal
        if "periodic" in problem.boundary:
            return "it needs no-flux walls, got a periodic boundary: its kernel does not wrap"
        grid = problem.grid(self.cells)
        if max(grid.cells) > MOST_PER_AXIS:
            return f"it takes at most {MOST_PER_AXIS} cells per axis, got {max(grid.cells)}"
        finest = float((grid.spacing**2).max())
        if self.epsilon is not None and self.epsilon < RESOLVED * finest:
            return (
                f"it needs epsilon >= h^2 = {finest:.3g}, got {self.epsilon:.3g}: the cells do not resolve a "
                "narrower kernel. Pass more cells or a larger epsilon"
            )
        return None

    def init(self, problem: Problem, rng: Any) -> EntropicState:
        """Cell averages of the initial measure, scaled to mass 1 on the grid, 0 where V = +inf."""
        rho = initial_cells(problem, self.cells)
        with np.errstate(divide="ignore"):  # d = sqrt(rho) where the kernel is narrow: K d is d then
            own = np.where(rho > 0, -0.5 * np.log(rho), 0.0)
        return EntropicState(rho, own, 0.0, 0)

    def measure(self, problem: Problem, state: EntropicState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def step(
        self, problem: Problem, state: EntropicState, dt: float, rng: Any
    ) -> tuple[EntropicState, StepInfo]:
        """The minimiser of the step, V(x, t) taken at its end."""
        later = problem.at(problem.time + dt)
        grid, energy = problem.grid(self.cells), InternalEnergy.of(problem.energy)
        potential = potential_at_centers(later, grid)
        stiffness = dt * steepest_pressure(energy, state.rho)
        epsilon = self._epsilon(grid, stiffness)
        kernel = problem.cached(("entropic kernel", grid, epsilon), lambda: GaussianKernel(grid, epsilon))
        ratio = dt / epsilon

        with np.errstate(divide="ignore"):
            log_mu = np.log(state.rho)
        own = self_scaling(kernel, log_mu, log_mu + state.own)
        found = scale(
            kernel,
            log_mu,
            Proximal(energy, potential, ratio),
            self._start(kernel, log_mu, own, ratio * mean_variation(energy, potential, state.rho)),
            self.debiased,
            ratio * spread(energy, potential, state.rho) > STEEP,
            relaxation(stiffness / epsilon),
            self.tol,
            self.iterations,
        )
        rho = np.exp(found.rho)
        rho *= state.rho.sum() / rho.sum()  # the plan keeps all mass; this is what its logarithms rounded off
        after = self_scaling(kernel, found.rho, found.d if self.debiased else found.rho + state.own)
        force = difference(found.b, found.d, rho > 0)
        slope = mean_squared_gradient((epsilon / dt) * force, rho, grid)
        cost = expectation(state.rho, found.a, own) + expectation(rho, found.b, after)
        speed = 2 * epsilon * grid.volume * cost / dt**2
        mean_slope = 0.5 * (slope + state.slope) if state.count else slope
        info = StepInfo(found.sweeps, found.residual, True, 1, speed, mean_slope)
        shape = np.where(rho > 0, difference(after, found.rho, rho > 0), 0.0)
        return EntropicState(rho, shape, slope, state.count + 1), info

    def energy(self, problem: Problem, state: EntropicState) -> float:
        """The energy that the steps minimise: U(rho) + V rho summed over the cells, V at their centres."""
        return cell_energy(problem, state.rho, problem.grid(self.cells))

    def suggest_dt(self, problem: Problem) -> float:
        """A dt in which the first velocity moves a tenth of the spread of the initial measure."""
        grid, energy = problem.grid(self.cells), InternalEnergy.of(problem.energy)
        potential = potential_at_centers(problem, grid)
        rho = self.init(problem, None).rho
        xi = energy.derivative(rho) + np.where(potential < np.inf, potential, 0.0)
        width = np.maximum(np.sqrt(np.diag(problem.initial.cov()).min()), grid.spacing.min())
        return suggested_dt(float(width), float(np.sqrt(mean_squared_gradient(xi, rho, grid))))

    def _epsilon(self, grid: Grid, stiffness: float) -> float:
        finest = float((grid.spacing**2).max())
        if self.epsilon is not None:
            return self.epsilon
        if self.debiased:
            return max(2 * finest, stiffness / STIFFEST)
        return max(finest, stiffness / STIFFEST_PLAIN)

    def _start(self, kernel: GaussianKernel, log_mu: Array, own: Array, shift: float) -> tuple[Array, Array]:
        """log a and log d of the step that goes nowhere, in the gauge in which it is right at equilibrium.

        Empty cells take d from their neighbours: there it can grow or shrink to what it must be.
        """
        if not self.debiased:
            return log_mu + shift, np.zeros_like(log_mu)
        d = np.where(log_mu > -np.inf, own, kernel.log_apply(own, np.full(own.shape, True)))
        return own + shift, d
