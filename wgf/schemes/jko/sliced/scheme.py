r"""SlicedJKO: minimising movements in the sliced 2-Wasserstein distance, on the cells of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import SchemeError
from wgf.kernels.sliced_grid import Shadows, shadows, sliced_project
from wgf.measures import Density, Grid
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import initial_cells, potential_at_centers
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.sliced.objective import SlicedObjective
from wgf.schemes.jko.sliced.step import minimise
from wgf.transport.sliced import directions as even_directions

STEPS_PER_SCALE = 0.1  # suggested dt: the time in which the first velocity moves a tenth of the spread
MOST_AXES = 3


class SlicedState(NamedTuple):
    """Cell averages (*cells,) of mass 1; the time on the sliced clock."""

    rho: np.ndarray
    time: float


@checks.checked(
    cells=cells_kind,
    directions=checks.integer(1),
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class SlicedJKO:
    r"""Jordan-Kinderlehrer-Otto steps with the sliced 2-Wasserstein distance, minimised over cell densities.

    rho_{n+1} = argmin SW2^2(rho, rho_n) / (2 dt) + E(rho), SW2^2 the mean of W2^2 over the lines.

    The flow it tends to is NOT the Wasserstein flow. It runs on its own clock: `times` is the sliced one,
    `stats["t_w"]` = d t the Wasserstein time to compare with. Exactly the W2 flow (and, step by step,
    JKO with d dt) only for means under quadratic V, isotropic Gaussians and homotheties. Other shapes
    relax faster still: near N(0, I) with V = |x|^2/2 sizes at the rate 2 d, shears at d (d + 2), where W2
    has 2 and 2. So do not hold it to a PDE outside those cases. On the line SW2 = W2: the JKO flow.

    cells: per axis, or one number, at least two to a standard deviation; errors fall as cells^-2.
    directions: fixed for the run, equispaced in the plane, a Fibonacci spiral in space; as many as cells
    along an axis resolve all that the cells do; with fewer than half as many, patterns that no direction
    sees relax at once. tol: bound on the SW2 distance to the minimiser, in diameters of the box.
    iterations: Newton's; 3 to 8 are usual with entropy.

    Energies: entropy, internal(m), potential, interaction, with at least one of the first two: without
    diffusion minimisers are points, which no cells hold. internal(m), m > 1, without entropy is convex but
    not smooth where cells empty: 3 to 8 iterations from Barenblatt and the like, 20 to 50 (behind a wall
    -mu log rho that falls away) out of tails, some 25 s a step at 64 x 64.
    Densities are never negative and the mass is exact; E falls by at least SW2^2 / (2 dt) in every step,
    whatever dt. Cells cast shadows rather than sit as atoms at their centres, so small steps are not lost:
    there is no lower limit on dt, though steps below a thousandth of the relaxation time cost more.
    Bounds are no-flux walls. V(x, t) is taken at the new time. In 1, 2 and 3 dimensions; a step at
    64 x 64 with 64 directions is some 40 projections, there and back, of 3 ms.

    >>> import wgf
    >>> problem = wgf.problems.ornstein_uhlenbeck(dimension=2, mean=[1.0, 0.0], cov=0.5)
    >>> run = wgf.solve(problem, SlicedJKO(cells=24, directions=16), t_end=0.2, dt=0.1)
    >>> exact = problem.exact(run.stats["t_w"])
    >>> run.stats["t_w"], wgf.distance(run.final, exact, "sliced_w2", directions=8) < 0.1
    (0.4, True)

    Bonet, Courty, Septier, Drumetz, 2022 (the scheme); the clock, the shadows and the solver: here.
    """

    cells: Any = 64
    directions: int = 64
    tol: float = 1e-8
    iterations: int = 100

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, box, boundary, foreign terms, no diffusion."""
        d = problem.dimension
        if d > MOST_AXES:
            return f"it needs at most {MOST_AXES} dimensions, got {d}"
        if isinstance(self.cells, tuple) and len(self.cells) != d:
            return f"it has cells along {len(self.cells)} axes, and the problem has {d} dimensions"
        if problem.bounds is None:
            return "it needs bounds, got none"
        if "periodic" in problem.boundary:
            return "it needs no-flux walls, got a periodic boundary: a torus has no projections"
        foreign = problem.energy.only("entropy", "internal", "potential", "interaction")
        if foreign is not None:
            return foreign
        if InternalEnergy.of(problem.energy).trivial:
            return (
                "it needs entropy() or internal(m): without diffusion minimisers are points, narrower than "
                "any cell. Add a little, such as 0.05 * entropy(), or follow it with particles"
            )
        return None

    def init(self, problem: Problem, rng: np.random.Generator) -> SlicedState:
        """Cell averages of the initial measure; nothing is drawn."""
        if not np.isfinite(potential_at_centers(problem, self._grid(problem))).all():
            raise SchemeError("SlicedJKO cannot solve this problem: its potential has an obstacle (V = inf).")
        return SlicedState(initial_cells(problem, self.cells), 0.0)

    def step(
        self, problem: Problem, state: SlicedState, dt: float, rng: np.random.Generator
    ) -> tuple[SlicedState, StepInfo]:
        """One step of dt on the sliced clock, from problem.time."""
        objective = self._objective(problem, state.rho, dt)
        found = minimise(objective, state.rho, self.tol, self.iterations)
        rho = found.rho / (found.rho.sum() * objective.volume)  # the rounding of Newton's additions
        return SlicedState(rho, state.time + dt), StepInfo(found.iterations, found.residual)

    def measure(self, problem: Problem, state: SlicedState) -> Density:
        """The state as a Density."""
        return Density(self._grid(problem), state.rho)

    def stats(self, state: SlicedState) -> dict[str, float]:
        """`t_w`: the time on the Wasserstein clock, d times that on the sliced one."""
        return {"t_w": state.rho.ndim * state.time}

    def suggest_dt(self, problem: Problem) -> float:
        """A dt on the sliced clock that moves the initial measure by a tenth of its spread.

        0.1 std / (d |dE|), with the slope |dE| by central differences on the cells.
        """
        state = self.init(problem, np.random.default_rng(0))
        density = self.measure(problem, state)
        heights = problem.energy.first_variation(density)
        heights = np.where(state.rho > 0, heights, 0.0)
        slopes = np.gradient(heights, *density.grid.spacing)
        slopes = slopes if isinstance(slopes, (list, tuple)) else [slopes]
        square = sum(slope**2 for slope in slopes)
        slope = float(np.sqrt((density.cell_masses * square).sum()))
        spread = float(np.sqrt(np.trace(density.cov()) / problem.dimension))
        return STEPS_PER_SCALE * spread / (problem.dimension * max(slope, spread * 1e-3))

    def _objective(self, problem: Problem, rho: np.ndarray, dt: float) -> SlicedObjective:
        """What a step of dt from rho minimises."""
        later, grid = problem.at(problem.time + dt), self._grid(problem)
        places = self._places(problem, grid)
        masses = rho * grid.volume
        return SlicedObjective(
            later.energy,
            InternalEnergy.of(later.energy),
            grid,
            potential_at_centers(later, grid),
            places,
            sliced_project(masses.reshape(places.cells), places),
            dt,
        )

    def _grid(self, problem: Problem) -> Grid:
        return problem.grid(self.cells)

    def _places(self, problem: Problem, grid: Grid) -> Shadows:
        thetas = even_directions(problem.dimension, self.directions)
        return problem.cached(
            ("shadows", grid, self.directions), lambda: shadows(thetas, grid.spacing, grid.cells)
        )
