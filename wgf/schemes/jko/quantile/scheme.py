r"""QuantileJKO: minimising movements on the line, exactly, in the coordinates where W2 is flat."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.measures import Quantiles
from wgf.problem import Problem
from wgf.schemes.jko.quantile.functional import QuantileEnergy, StepObjective
from wgf.schemes.jko.quantile.mass import lumped, squared_norm
from wgf.schemes.jko.quantile.mesh import initial_cells
from wgf.schemes.jko.quantile.newton import minimise

Array = np.ndarray
STEPS_PER_SCALE = 0.1  # suggested dt: the time in which the first velocity moves a tenth of the spread
NEGLIGIBLE = 1e-8  # mass whose cells may be extrapolated more roughly: tails of 1e-12 that meet a wall
MASS_TOLERANCE = 1e-3  # tails a grid cuts off are made up by normalising; more is another problem
LEAST_CURVATURE = 1e-3  # suggested dt at rest is a tenth of 1 / curvature, and at most 100
SAFE_SHARE = 0.5  # suggested dt against loss of uniqueness: half of 1 / |most negative curvature|


class QuantileState(NamedTuple):
    """Edges X (N + 1,) carrying masses (N,); the edges before; the velocity dX/dt last taken; steps done."""

    edges: Array
    masses: Array
    previous: Array
    velocity: Array
    count: int


@checks.checked(
    levels=checks.integer(2),
    time=checks.choice("jko", "bdf2", "midpoint"),
    mesh=checks.choice("graded", "equal"),
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class QuantileJKO:
    r"""Jordan-Kinderlehrer-Otto steps in one dimension, minimised exactly over piecewise linear quantiles.

    time = "jko":       X' minimises |X - X_n|^2 / (2 dt) + E(X), implicit Euler: order 1, energy falls by
                        at least W2^2 / (2 dt) in every step, whatever dt.
    time = "bdf2":      the same from (4 X_n - X_{n-1}) / 3 with 2 dt / 3; the first step is a midpoint step.
    time = "midpoint":  Z minimises with dt / 2, then X' = 2 Z - X_n: order 2, the smallest error.

    On the line W2 is the L2 distance of quantile functions, so these are the classical methods of a
    Hilbert space. Where the order 2 extrapolations would cross cells, the step is replaced by a
    JKO step and reported as StepInfo(accepted=False). Of the two "bdf2" damps (any dt), "midpoint" does
    not: for dt beyond the slowest time scale its energy may rise. V(x, t) is taken at the new time
    ("jko", "bdf2") or half-way ("midpoint").

    When to use it: any energy on a line, the first choice there among JKO schemes and the one that those on
    cells are held to; GaussianJKO, without a mesh, where the law stays Gaussian.

    levels: cells, 100 to 1e5; errors fall as levels^-2. mesh: "graded" fits the initial density (default);
    "equal" gives every cell the same mass: order 1, but 7 times closer with 100 levels (and 0.7 times with
    400) when a narrow start on a saddle spreads over two wells.
    tol: bound on the W2 distance to the minimiser in units of the support, per step; rounding ends near
    1e-13 * sqrt(levels). iterations: Newton's; 2 to 10 are usual, 90 were seen where dt V'' < -5.

    Energies: entropy, internal(m) for every m > 0, potential, interaction (a named Quadratic costs O(N)
    a step, any other W O(N^2)). bounds are obstacles: mass may touch them and never leaves. The
    minimiser is unique while dt * (smallest V'') > -1; `suggest_dt` keeps clear of that. For larger dt
    a step finds a local minimiser that still lowers the energy.

    speed_squared of a step is W2^2 / dt^2. slope_squared is |dE|^2 as optimality gives it, half-way for
    "midpoint", else the mean of the old and the new state (the new one in the first step): then the
    dissipation defect is O(dt^2).

    >>> import wgf
    >>> problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1))
    >>> run = wgf.solve(problem, QuantileJKO(levels=200, time="midpoint"), t_end=0.5, dt=0.1)
    >>> round(float(run.final.cov()[0, 0]), 2)
    2.0

    Jordan, Kinderlehrer, Otto, 1998; Matthes, Plazotta, 2019 (BDF2); Legendre, Turinici, 2017 (midpoint).
    """

    levels: int = 400
    time: str = "jko"
    mesh: str = "graded"
    tol: float = 1e-10
    iterations: int = 100

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, boundary, foreign terms, an initial measure without density."""
        if problem.dimension != 1:
            return f"it needs one dimension, got {problem.dimension}"
        if "periodic" in problem.boundary:
            return "it needs no-flux ends, got a periodic boundary: a circle has no quantile function"
        foreign = problem.energy.only("entropy", "internal", "potential", "interaction")
        if foreign is not None:
            return foreign
        if not (hasattr(problem.initial, "pdf") or hasattr(problem.initial, "cdf")):
            return (
                f"it needs an initial measure with a density, got {type(problem.initial).__name__}: "
                "a cloud has none, Mixture.kde(x, bandwidth) gives it one"
            )
        mass = float(getattr(problem.initial, "mass", 1.0))
        if abs(mass - 1) > MASS_TOLERANCE:
            return f"it needs an initial measure of mass 1, got {mass:.6g}"
        return None

    def init(self, problem: Problem, rng: np.random.Generator) -> QuantileState:
        """Cells of the initial measure; nothing is drawn."""
        bounds = None if problem.bounds is None else problem.bounds[0]
        edges, masses = initial_cells(problem.initial, self.levels, self.mesh, bounds)
        problem.energy.potential_value((0.5 * (edges[:-1] + edges[1:]))[:, None])  # refuses a malformed V
        return QuantileState(edges, masses, edges, np.zeros_like(edges), 0)

    def step(
        self, problem: Problem, state: QuantileState, dt: float, rng: np.random.Generator
    ) -> tuple[QuantileState, StepInfo]:
        """One step of dt from problem.time."""
        if self.time == "midpoint" or (self.time == "bdf2" and state.count == 0):
            taken = self._midpoint(problem, state, dt)
        elif self.time == "bdf2":
            taken = self._bdf2(problem, state, dt)
        else:
            taken = self._jko(problem, state, dt)
        return taken or self._jko(problem, state, dt, accepted=False)

    def measure(self, problem: Problem, state: QuantileState) -> Quantiles:
        """The state as Quantiles."""
        return Quantiles.from_arrays({"edges": state.edges, "masses": state.masses})

    def energy(self, problem: Problem, state: QuantileState) -> float:
        """The energy that the steps minimise: exact for the piecewise constant density."""
        return QuantileEnergy(problem.energy, state.masses).value(state.edges)

    def suggest_dt(self, problem: Problem) -> float:
        """A dt that moves the initial measure by a tenth of its spread and keeps minimisers unique.

        min(0.1 std / |dE|, 0.5 / |most negative curvature of V, and of W on average|).
        """
        state = self.init(problem, np.random.default_rng(0))
        energy = QuantileEnergy(problem.energy, state.masses)
        spread = float(np.sqrt(self.measure(problem, state).cov()[0, 0]))
        slope = float(np.sqrt((energy.gradient(state.edges) ** 2 / lumped(state.masses)).sum()))
        curvature = energy.confining_curvature(state.edges)
        steepest = float(np.abs(curvature).max())
        at_rest = STEPS_PER_SCALE / max(steepest, LEAST_CURVATURE)
        limits = [STEPS_PER_SCALE * spread / slope if slope > 0 else at_rest]
        lowest = float(curvature.min())
        if lowest < 0:
            limits.append(SAFE_SHARE / -lowest)
        return min(limits)

    # ---------------------------------------------------------------------------------- the three steps

    def _solve(
        self, problem: Problem, state: QuantileState, target: Array, tau: float, later: float
    ) -> tuple[Array, int, float]:
        """argmin |X - target|^2 / (2 tau) + E(X) with E frozen `later` after the problem's time."""
        energy = QuantileEnergy(problem.at(problem.time + later).energy, state.masses)
        objective = StepObjective(energy, target, tau)
        return minimise(objective, state.edges, _walls(problem), self.tol, self.iterations)

    def _jko(
        self, problem: Problem, state: QuantileState, dt: float, accepted: bool = True
    ) -> tuple[QuantileState, StepInfo]:
        edges, iterations, residual = self._solve(problem, state, state.edges, dt, dt)
        velocity = (edges - state.edges) / dt
        speed = squared_norm(state.masses, velocity)
        after = QuantileState(edges, state.masses, state.edges, velocity, state.count + 1)
        return after, StepInfo(iterations, residual, accepted, 1, speed, _mean_slope(state, velocity))

    def _midpoint(
        self, problem: Problem, state: QuantileState, dt: float
    ) -> tuple[QuantileState, StepInfo] | None:
        middle, iterations, residual = self._solve(problem, state, state.edges, dt / 2, dt / 2)
        low, high = _walls(problem)
        edges = _turned_back(2 * middle - state.edges, middle, state.masses, low)
        edges = -_turned_back(-edges[::-1], -middle[::-1], state.masses[::-1], -high)[::-1]
        if not (np.diff(edges) > 0).all():
            return None
        velocity = (edges - state.edges) / dt
        speed = squared_norm(state.masses, velocity)
        after = QuantileState(edges, state.masses, state.edges, velocity, state.count + 1)
        return after, StepInfo(iterations, residual, True, 1, speed, speed)

    def _bdf2(
        self, problem: Problem, state: QuantileState, dt: float
    ) -> tuple[QuantileState, StepInfo] | None:
        target = (4 * state.edges - state.previous) / 3
        if state.masses[np.diff(target) <= 0].sum() > NEGLIGIBLE:
            return None
        edges, iterations, residual = self._solve(problem, state, target, 2 * dt / 3, dt)
        velocity = (edges - target) / (2 * dt / 3)
        speed = squared_norm(state.masses, edges - state.edges) / dt**2
        after = QuantileState(edges, state.masses, state.edges, velocity, state.count + 1)
        return after, StepInfo(iterations, residual, True, 1, speed, _mean_slope(state, velocity))


def _walls(problem: Problem) -> tuple[float, float]:
    """The ends of the box, infinite when there is none."""
    return (-np.inf, np.inf) if problem.bounds is None else problem.bounds[0]


def _turned_back(edges: Array, middle: Array, masses: Array, low: float) -> Array:
    """Edges that an extrapolation carried below `low`, back between `low` and the first edge that stayed.

    They take the proportions of the minimiser `middle`. Only tails of negligible mass: others are left
    out of order at `low`, for the caller to refuse.
    """
    edges = np.maximum(edges, low)
    outside = int(np.argmax(edges > low))
    if outside <= 1 or masses[:outside].sum() > NEGLIGIBLE:
        return edges
    share = (edges[outside] - low) / (middle[outside] - low)
    edges[:outside] = low + share * (middle[:outside] - low)
    return edges


def _mean_slope(state: QuantileState, velocity: Array) -> float:
    """|dE|^2 averaged over the old and the new state, both by optimality; only the new one at the start."""
    new = squared_norm(state.masses, velocity)
    return 0.5 * (new + squared_norm(state.masses, state.velocity)) if state.count else new
