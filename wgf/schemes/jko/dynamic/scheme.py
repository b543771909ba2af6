"""DynamicJKO: minimising movements by the Benamou-Brenier formula, on cells, with a dual Newton method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.measures import Density, Grid
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import box_refusal, cell_energy, initial_cells, obstacles, suggested_dt
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.dynamic.faces import Faces, faces_of, level, mobility
from wgf.schemes.jko.dynamic.step import JKOStep, Settings, jko_step, terminal_guesses

Array = np.ndarray
MOST_CELLS = 1_000_000  # about 2 kB each with the factors of one sub-step
SPREADING = 0.01  # of the variance: the time after which a start with empty cells is looked at


class DynamicState(NamedTuple):
    """rho: (*cells) cell averages. slope_squared: |dE|^2 as the last step found it. count: steps done."""

    rho: Array
    slope_squared: float
    count: int


@checks.checked(
    cells=cells_kind,
    substeps=checks.integer(1),
    mobility=checks.choice("upwind", "centred"),
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class DynamicJKO:
    r"""Jordan-Kinderlehrer-Otto steps on cells, the W2 distance by K steps of dynamic optimal transport.

    A step minimises, over densities rho_1..rho_K and fluxes m_1..m_K with s = dt / K,

        sum_k s/2 int |m_k|^2 / rho_k + E(rho_K),     rho_k + s div m_k = rho_{k-1},   rho_0 = rho_n,

    whose first sum tends to W2^2 / (2 dt) like 1/K. K = 1 (the default) is the scheme called LJKO: as a
    scheme for the PDE it has the order of JKO, 1 in dt, but other minimisers; use larger K where the
    minimiser itself is wanted. Mass is kept to rounding and E never rises, for any dt, K and mobility,
    because standing still is admissible.

    When to use it: interactions, periodic boxes and obstacles in the plane, which BackAndForthJKO and
    EntropicJKO do not take; with K = 1 as a scheme for the PDE whose energy cannot rise. Where the minimiser
    itself is wanted, QuantileJKO on a line and BackAndForthJKO in the plane have no K to refine.

    The step is solved by Newton's method on the dual: one concave function of the terminal potential, a
    Hamilton-Jacobi sweep backwards and a continuity sweep forwards in the inner time. Where mass crosses many
    cells in a step, coarser grids give the first guess.

    mobility = "upwind":   the density in |m|^2 / rho of a face is that of the cell the mass comes from. The
                           discrete minimiser is nonnegative for every dt; order 1 in space.
    mobility = "centred":  the mean of both cells where rho_n is smooth and positive, upwind at the edge of
                           its support (where one cell has less than half of its neighbour the share falls
                           off, frozen during the step): order 2 in space for smooth positive densities.
                           Should a cell come out negative, its faces are made upwind and the step is
                           solved again; nothing is clipped. A step that had to be all upwind is
                           reported as StepInfo(accepted=False).

    cells: per axis, one number or one per axis. substeps: K, 1 to 64; the cost is proportional to it.
    tol: L1 distance, per unit mass, between the density that arrives and the one that its potential asks for
    (0 at the minimiser, where the two are one). iterations: Newton's; 5 to 10 are usual.

    Energies: entropy and internal(m) (at least one of them), potential, interaction. One or two dimensions,
    no-flux or periodic; cells where V = +inf are obstacles. An interaction enters by fixed-point iteration on
    W * rho: it converges, and to a minimiser, while dt is small against the attraction or repulsion;
    where it does not, the step raises ConvergenceError.

    speed_squared of a step is W2^2 / dt^2, the action of the path found. slope_squared is
    int rho |grad psi|^2 with psi = -dE/drho by optimality, the mean of the old and the new state (the
    new one in the first step): then the dissipation defect is O(dt^2), for any K.

    >>> import wgf
    >>> start = wgf.problems.barenblatt(dimension=1, m=2).initial
    >>> problem = wgf.Problem(wgf.internal(2), initial=start, bounds=(-3, 3))
    >>> run = wgf.solve(problem, DynamicJKO(cells=120, substeps=4), t_end=0.2, dt=0.1)
    >>> exact = wgf.problems.barenblatt(dimension=1, m=2).exact(0.2)
    >>> wgf.distance(run.final, exact, "l1") < 0.01
    True

    Benamou, Brenier, 2000; Benamou, Carlier, Laborde, 2016; Cances, Gallouet, Todeschi, 2020 (LJKO).
    """

    cells: Any = 200
    substeps: int = 1
    mobility: str = "centred"
    tol: float = 1e-10
    iterations: int = 100

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, box, foreign terms, no pressure."""
        foreign = problem.energy.only("entropy", "internal", "potential", "interaction")
        if foreign is not None:
            return foreign
        if InternalEnergy.of(problem.energy).trivial:
            return "it needs entropy() or internal(m), and the energy has neither"
        return box_refusal(problem, self.cells, MOST_CELLS, most_axes=2)

    def init(self, problem: Problem, rng: Any) -> DynamicState:
        """Cell averages of the initial measure, 0 in obstacles; nothing is drawn."""
        return DynamicState(initial_cells(problem, self.cells), 0.0, 0)

    def step(
        self, problem: Problem, state: DynamicState, dt: float, rng: Any
    ) -> tuple[DynamicState, StepInfo]:
        """One step of dt from problem.time; V(x, t) is taken at its end."""
        later, grid = problem.at(problem.time + dt), problem.grid(self.cells)
        faces = self._faces(later, grid)
        settings = Settings(self.substeps, self.mobility, self.tol, self.iterations)
        taken = jko_step(later, grid, faces, state.rho.ravel(), dt, settings)
        slope = _slope_squared(taken, grid)
        after = DynamicState(taken.rho.reshape(grid.cells), slope, state.count + 1)
        mean_slope = 0.5 * (slope + state.slope_squared) if state.count else slope
        speed = taken.action * grid.volume / dt
        return after, StepInfo(
            taken.iterations, taken.residual, taken.accepted, self.substeps, speed, mean_slope
        )

    def measure(self, problem: Problem, state: DynamicState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def energy(self, problem: Problem, state: DynamicState) -> float:
        """The energy that the steps minimise: U and V at the cell averages and centres; it never rises."""
        return cell_energy(problem, state.rho, problem.grid(self.cells))

    def suggest_dt(self, problem: Problem) -> float:
        """A dt that moves the initial measure by a tenth of its spread: 0.1 std / |dE|."""
        grid = problem.grid(self.cells)
        rho = initial_cells(problem, self.cells)
        spread = float(np.sqrt(np.diag(Density(grid, rho).cov()).min()))
        faces = self._faces(problem, grid)
        psi = terminal_guesses(problem, grid, faces, rho.ravel(), SPREADING * spread**2)[0]
        at = level(psi, faces)
        slope = float(np.sqrt(mobility(rho.ravel(), at, faces) @ at.squared * grid.volume))
        return suggested_dt(spread, slope)

    def _faces(self, problem: Problem, grid: Grid) -> Faces:
        """The faces between open cells."""

        def build() -> Faces:
            return faces_of(grid, ~obstacles(problem, grid).ravel())

        return problem.cached(("dynamic faces", grid), build)


def _slope_squared(taken: JKOStep, grid: Grid) -> float:
    """int rho |grad psi|^2 at the new density."""
    at = level(taken.psi, taken.faces)
    return float(mobility(taken.rho, at, taken.faces) @ at.squared) * grid.volume
