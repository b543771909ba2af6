r"""BackAndForthJKO: minimising movements in one to three dimensions, by the dual problem and c-transforms."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import ConvergenceError
from wgf.kernels.poisson import cosine_solve, neumann_symbol
from wgf.kernels.pushforward import ordered, push, slopes
from wgf.measures import Density, Grid
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import initial_cells, potential_at_centers
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.back_and_forth.dual import Assessment, DualStep
from wgf.schemes.jko.back_and_forth.start import Whole, cascade, within

Array = np.ndarray
MOST_CELLS = 2**24
VACUUM = 1e-12  # of the largest density, in every cell where mass spreads without limit
WARM = 0.2  # mass out of place at the last potential beyond which another is sought
NEAR = 0.02  # the same at the first
FOLDED = 1e-5  # mass in cells that an extended map turns over
CALM, SPREAD = 1e-4, 3.0  # of the maximum; half a variance in cells
STEPS_PER_SCALE = 0.1  # suggested dt: the time in which the first velocity moves a tenth of the spread


class BackAndForthState(NamedTuple):
    """Densities rho (*cells); phi (*cells), whose gradient is the velocity last taken, seen from its end.

    slope: |dE|^2 at rho. count: steps done.
    """

    rho: Array
    phi: Array
    slope: float
    count: int


class Taken(NamedTuple):
    """One solved dual problem on the whole grid: density, potential, mean square of its gradient."""

    rho: Array
    phi: Array
    squared: float
    iterations: int
    residual: float


@checks.checked(
    cells=cells_kind,
    time=checks.choice("jko", "midpoint"),
    push_forward=checks.choice("splat", "jacobian"),
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class BackAndForthJKO:
    r"""Jordan-Kinderlehrer-Otto steps on a grid: the dual problem, solved to a certified distance.

    A step minimises W2^2(rho, rho_n) / (2 dt) + E(rho) by maximising its dual over potentials phi,
        J(phi) = int phi^c d rho_n - int U*(-phi - V),    phi^c(y) = min_x |x - y|^2 / (2 dt) - phi(x),
    until the density asked for, (U*)'(-phi - V), is the one brought, the image of rho_n under
    T^-1(x) = x - dt grad phi(x). The density returned is the one asked for: its mass is 1 to rounding and it
    is never negative. One iteration carries rho_n forth, shifts phi to mass 1, ascends (Newton's equation by
    conjugate gradients under a DCT) and carries phi back to a c-concave function by two c-transforms where
    the map leaves a vacuum. It starts from coarser grids, and works in a window around a compact support.

    time = "jko":       order 1 in dt, the energy falls in every step.
    time = "midpoint":  a step of dt/2, and its map extended to dt; order 2 on smooth data. The extension
    pushes the density through the grid once more, an error of h^2 per step: keep dt well above h / speed. It
    damps nothing. Where the extended map folds, the step is a JKO step, reported as StepInfo(accepted=False).

    cells: per axis, 32 to 1024; errors fall as cells^-2. push_forward: "splat" conserves the mass of every
    cell that is carried (default, and a little closer on Barenblatt profiles); "jacobian" integrates
    density times Jacobian determinant over each cell and conserves mass up to the square of the shear; in one
    dimension they agree.
    tol: goal for sqrt(2 dt gap), with the primal-dual gap of the step: no farther in W2 from the image of
    rho_n is the minimiser (convex V), in units of the way gone, or of a cell if that is more. 3e-3 leaves an
    L1 error near 3e-5; far tails and free boundaries need more iterations for every digit. What is guaranteed
    is ten times tol: a search that stops moving, or runs out of iterations, between tol and ten times tol
    ends the step, one beyond raises ConvergenceError. StepInfo.residual is what was reached: look at it.
    iterations: ascents per step at most, 2 to 15 are usual, each with 3 to 10 pairs of DCTs, 60 at most.
    Data that jump take 5 to 20 on the line, rarely 200; under entropy in the plane 40 to 200, and may fail.

    Energies: entropy, internal(m) with m > 1 and sums of them, with a potential. The box is no-flux; its
    Euclidean distance is what W2 measures. speed_squared is the mean of |grad phi|^2, W2^2 / dt^2 of the
    step; slope_squared as in QuantileJKO.

    >>> import wgf
    >>> problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian([0, 0], 1.0), bounds=[(-6, 6)] * 2)
    >>> run = wgf.solve(problem, BackAndForthJKO(cells=48, time="midpoint"), t_end=0.4, dt=0.2)
    >>> bool(abs(run.final.cov()[0, 0] - 1.8) < 0.01)
    True

    Jacobs, Lee & Leger, 2021; Jacobs & Leger, 2020; Legendre & Turinici, 2017 (midpoint).
    """

    cells: Any = 128
    time: str = "jko"
    push_forward: str = "splat"
    tol: float = 3e-3
    iterations: int = 200

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, boundary, foreign terms, no diffusion that can be inverted."""
        d = problem.dimension
        if d > 3:
            return f"it needs one to three dimensions, got {d}"
        foreign = problem.energy.only("entropy", "internal", "potential")
        if foreign is not None:
            return foreign
        internal = InternalEnergy.of(problem.energy)
        if internal.trivial:
            return "it needs entropy() or internal(m), and the energy has neither"
        if any(m < 1 for _, m in internal.powers):
            return "it needs internal(m) with m > 1: fast diffusion has no finite dual"
        if problem.bounds is None:
            return "it needs a box, and the problem has bounds None"
        if "periodic" in problem.boundary:
            return "it needs no-flux walls, got a periodic boundary: its cost is the distance in the box"
        if isinstance(self.cells, tuple) and len(self.cells) != d:
            return f"it has cells for {len(self.cells)} axes, and the problem has {d}"
        grid = problem.grid(self.cells)
        if grid.size > MOST_CELLS:
            return f"{' x '.join(map(str, grid.cells))} cells are more than {MOST_CELLS:,}; pass fewer cells"
        if not np.isfinite(potential_at_centers(problem, grid)).all():
            return "it needs a finite V: its cost is the straight distance, which passes through obstacles"
        return None

    def init(self, problem: Problem, rng: Any) -> BackAndForthState:
        """Cell averages of the initial measure; nothing is drawn."""
        rho = initial_cells(problem, self.cells)
        return BackAndForthState(rho, np.zeros_like(rho), 0.0, 0)

    def step(
        self, problem: Problem, state: BackAndForthState, dt: float, rng: Any
    ) -> tuple[BackAndForthState, StepInfo]:
        """One step of dt from problem.time."""
        if self.time == "jko":
            return self._jko(problem, state, dt)
        return self._midpoint(problem, state, dt) or self._jko(problem, state, dt, accepted=False)

    def measure(self, problem: Problem, state: BackAndForthState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def energy(self, problem: Problem, state: BackAndForthState) -> float:
        """The energy that the steps minimise: U of the cell averages, V at the cell centres."""
        grid = problem.grid(self.cells)
        value = InternalEnergy.of(problem.energy).value(state.rho)
        return float((value + potential_at_centers(problem, grid) * state.rho).sum()) * grid.volume

    def suggest_dt(self, problem: Problem) -> float:
        """The time in which the first velocity moves the initial measure by a tenth of its spread."""
        state = self.init(problem, None)
        grid = problem.grid(self.cells)
        spread = float(np.sqrt(np.trace(self.measure(problem, state).cov())))
        internal = InternalEnergy.of(problem.energy)
        floor = VACUUM * state.rho.max()
        first = internal.derivative(np.maximum(state.rho, floor)) + potential_at_centers(problem, grid)
        slope = float(np.sqrt(mean_square(first, state.rho, grid)))
        return STEPS_PER_SCALE * spread / slope if slope > 0 else STEPS_PER_SCALE * spread**2

    # ---------------------------------------------------------------------------------- the three steps

    def _jko(
        self, problem: Problem, state: BackAndForthState, dt: float, accepted: bool = True
    ) -> tuple[BackAndForthState, StepInfo]:
        taken = self._solve(problem, state.rho, state, dt, dt)
        slope = 0.5 * (taken.squared + state.slope) if state.count else taken.squared
        after = BackAndForthState(taken.rho, taken.phi, taken.squared, state.count + 1)
        return after, StepInfo(taken.iterations, taken.residual, accepted, 1, taken.squared, slope)

    def _midpoint(
        self, problem: Problem, state: BackAndForthState, dt: float
    ) -> tuple[BackAndForthState, StepInfo] | None:
        taken = self._solve(problem, state.rho, state, dt / 2, dt / 2)
        grid = problem.grid(self.cells)
        rho = extended(taken.rho, taken.phi, dt / 2, grid)
        if rho is None:
            return None
        after = BackAndForthState(rho, taken.phi, taken.squared, state.count + 1)
        return after, StepInfo(taken.iterations, taken.residual, True, 1, taken.squared, taken.squared)

    def _solve(
        self, problem: Problem, rho: Array, state: BackAndForthState, tau: float, ahead: float
    ) -> Taken:
        """argmin W2^2(., rho) / (2 tau) + E with E frozen `ahead` of the problem's time."""
        grid = problem.grid(self.cells)
        frozen = problem.at(problem.time + ahead)
        step = dual_step(frozen, grid, rho, tau, self.push_forward == "splat")
        count = 0

        def ascend(inside: DualStep, now: Assessment) -> Assessment:
            nonlocal count
            found, spent = inside.solve(now, self.tol, self.iterations)
            count += spent
            return found

        if state.count:
            first, near = state.phi.reshape(step.mu.shape), WARM
        else:  # the gradient now; all there is to find for short steps, and at equilibrium
            first, near = -(step.internal.derivative(step.mu) + step.V), NEAR
        whole = self._warm(step, step.assess(first), near, ascend)
        if whole is None:
            count = 0
            whole = self._cold(step, ascend)
        found, phi = whole.rho.reshape(grid.cells), whole.phi.reshape(grid.cells)
        residual = whole.step.residual(whole.found)
        return Taken(found, phi, mean_square(phi, found, grid), count, residual)

    def _warm(self, step: DualStep, warm: Assessment, near: float, ascend: Any) -> Whole | None:
        """The step from a potential at hand, None where it is too far off or leads nowhere."""
        if not warm.misplaced * step.volume < near:
            return None
        try:
            return within(step, warm.phi, warm.rho > 0, ascend)
        except ConvergenceError:
            return None  # the cascade is the better start

    def _cold(self, step: DualStep, ascend: Any) -> Whole:
        """The step from coarser grids; where the treatment of jumps leads nowhere, again without it."""
        try:
            return within(step, *cascade(step), ascend)
        except ConvergenceError:
            if step.shore is None:
                raise
        plain = replace(step, jumps=False)
        return within(plain, *cascade(plain), ascend)


def dual_step(problem: Problem, grid: Grid, rho: Array, tau: float, share: bool) -> DualStep:
    """The dual problem of a step of tau from rho (*cells)."""
    internal = InternalEnergy.of(problem.energy)
    shape = (1,) * (3 - grid.dimension) + grid.cells
    mu = rho.reshape(shape)
    if internal.floor == -np.inf:
        mu = mu + VACUUM * mu.max()
        mu = mu / (mu.sum() * grid.volume)
    strengths = np.zeros(3)
    strengths[3 - grid.dimension :] = tau / grid.spacing**2
    V = potential_at_centers(problem, grid).reshape(shape)
    return DualStep(np.ascontiguousarray(mu), V, internal, strengths, grid.volume, share)


def mean_square(phi: Array, rho: Array, grid: Grid) -> float:
    """int |grad phi|^2 rho from differences across faces between occupied cells."""
    total = 0.0
    for axis, h in enumerate(grid.spacing):
        value, density = np.moveaxis(phi, axis, 0), np.moveaxis(rho, axis, 0)
        squared = (np.diff(value, axis=0) / h) ** 2
        both = (density[1:] > 0) & (density[:-1] > 0)
        total += float((squared * 0.5 * (density[1:] + density[:-1]))[both].sum())
    return total * grid.volume


def extended(rho: Array, phi: Array, tau: float, grid: Grid) -> Array | None:
    """The image of rho under x + tau grad phi, cells spread conservatively; None where that map folds."""
    shape = (1,) * (3 - grid.dimension) + grid.cells
    strengths = np.zeros(3)
    strengths[3 - grid.dimension :] = tau / grid.spacing**2
    density, potential = rho.reshape(shape), phi.reshape(shape)
    moved = [_image(density, potential, float(strengths[axis]), axis) for axis in range(3)]
    sides = (moved[0], moved[1], moved[2])
    for axis, side in enumerate(sides):
        folded = np.diff(side, axis=axis) <= 0
        if not density[folded].sum() * grid.volume <= FOLDED:
            return None
        ordered(side, axis)
    image = np.empty_like(density)
    push(density, *slopes(density, sides), *sides, image)
    return _calmed(image).reshape(grid.cells)


def _image(rho: Array, phi: Array, strength: float, axis: int) -> Array:
    """Images of the faces of occupied cells under x + tau grad phi, in cells; walls stay.

    The potential says nothing about a vacuum: the outer face of a last occupied cell moves as the two
    faces before it extrapolate. Faces of empty cells are anywhere in order.
    """
    density, value = np.moveaxis(rho, axis, 0), np.moveaxis(phi, axis, 0)
    n = len(density)
    move = np.zeros((n + 1, *density.shape[1:]))
    move[1:n] = strength * np.diff(value, axis=0)
    known = np.zeros(move.shape, dtype=bool)
    known[1:n] = (density[1:] > 0) & (density[:-1] > 0)
    for near, far in ((-1, -2), (1, 2)):  # the neighbour faces below, then above
        first, second = _shifted(move, near), _shifted(move, far)
        lone, pair = _shifted(known, near), _shifted(known, near) & _shifted(known, far)
        guess = np.where(pair, 2 * first - second, first)
        move = np.where(~known & lone, guess, np.where(known | (near > 0), move, 0.0))
    move[0] = move[n] = 0.0
    places = np.arange(n + 1.0).reshape(-1, 1, 1)
    return np.ascontiguousarray(np.moveaxis(places + move, 0, axis))


def _shifted(values: Array, by: int) -> Array:
    """values[i + by] at i, zero beyond the ends."""
    result = np.zeros_like(values)
    if by < 0:
        result[-by:] = values[:by]
    else:
        result[:-by] = values[by:]
    return result


def _calmed(rho: Array) -> Array:
    """The density with what lies below CALM of its maximum smoothed over cells, conservatively.

    Where little mass is, little is asked of a potential; its extension would fold cells there, and the
    next step fail on them. A density that ends keeps its edge.
    """
    if not (rho > 0).all():
        return rho
    low = np.minimum(rho, CALM * rho.max())
    spread = [SPREAD if n > 1 else 0.0 for n in rho.shape]
    return rho + (cosine_solve(low, np.exp(-neumann_symbol(rho.shape, spread))) - low)
