"""FokkerPlanck: d_t rho = div(M (D grad rho + rho grad V)) - div(rho b) + s on cells, the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import SchemeError
from wgf.measures import Density, Grid
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import box_refusal, initial_cells, obstacles, potential_at_centers
from wgf.schemes.grid.fokker_planck import equation, exponential, splitting
from wgf.schemes.grid.fokker_planck.unsplit import unsplit
from wgf.schemes.grid.rates import Rates, dissipation
from wgf.schemes.grid.sources import source_cells

TIMES = ("tr-bdf2", "strang", "backward-euler", "lie", "exponential")
UNSPLIT = ("tr-bdf2", "backward-euler")  # what can be done without going axis by axis
SEPARATE = "V = V_1(x_1) + V_2(x_2) + ... (and M_k, b_k of x_k alone)"
MOST_CELLS = 50_000_000  # about 100 bytes each with the factors of three axes: 5 GB
MOST_EXPONENTIAL = 2048  # cells per axis: two dense matrices of 34 MB and ten to twenty products
ROUNDING = 1e-13  # of the largest cell: rounding of a stiff solve, a tenth of what the loop's guard lets pass
SPREAD_PER_STEP = 0.1  # of the narrowest initial variance, added by diffusion in one suggested step


class FokkerPlanckState(NamedTuple):
    """rho: (*cells) cell averages of the density."""

    rho: np.ndarray


@checks.checked(cells=cells_kind, time=checks.choice(*TIMES))
@final
@dataclass(frozen=True, kw_only=True)
class FokkerPlanck:
    r"""Scharfetter-Gummel finite volumes for linear diffusion with drift, in one to three dimensions.

    d_t rho = div(M (D grad rho + rho grad V)) - div(rho b) + s; D > 0 the coefficient of entropy(), V the sum
    of the potential terms, and the problem's mobility M (1 by default), drift b and source s (0). In Ito's
    form of a variable M, d_i d_j (M_ij D rho) stands in the place of div(M D grad rho). Space order 2 in cell
    averages, for smooth data in L1 and L-infinity (full tensor at an oblique wall: 2 in L1, 1 in L-infinity).

    cells: cells per axis, one number or one per axis. boundary: the problem's, "noflux" (no total flux) or
    "periodic" per axis (there V, M, b should be periodic: a jump is taken as a steep face).

    time              order  positive, contracting   entropy decays   what it is
    "tr-bdf2"           2    small dt                 small dt         Strang splitting of TR-BDF2 sweeps
    "strang"            2    small dt                 small dt         the same thing under its other name
    "backward-euler"    1    any dt                   any dt           unsplit; a sparse LU beyond 1-D
    "lie"               1    any dt                   any dt           backward Euler one axis after another
    "exponential"     exact  any dt                   any dt           axes apart, <= 2048 cells each

    Fluxes. Through every face (D M/h^2) [B(w) rho_i - B(-w) rho_{i+1}], w = (V_{i+1} - V_i)/D - b h/(D M),
    M the harmonic mean of its two cells. Ito's form of a scalar or diagonal M is V + D log M_k on axis k. A
    full tensor is a sum of such fluxes along integer offsets, with the nonnegative weights of Selling's
    decomposition (2-D and 3-D; no splitting: "tr-bdf2" is then TR-BDF2 with a sparse LU, "lie", "strang" and
    "exponential" refuse); conduction that a no-flux wall would cut off is put back (see `walls`). Every
    generator has columns of sum 0 and nothing negative off the diagonal: an M-matrix in each implicit solve.
    What follows for all of them: mass is conserved to rounding; "positive, contracting" means rho >= 0,
    rho <= sigma stays, and the L1 distance of two solutions never grows. Without b and s, exp(-V/D) at the
    centres rests for every `time` and every M in Fick's form, exp(-V/D)/M for a scalar M in Ito's: to 1e-12
    while dt D M/h^2 <= 1e3, beyond that to 1e-15 dt D M/h^2 a step. With b there is no such identity; the
    steady state, a circulating one as a rule, has order 2. "Entropy decays" is meant without b, s and Ito.

    Obstacles: where V = +inf at a centre the faces are closed and the cell holds exactly no mass (an initial
    with more than 1e-12 there is refused; a source there brings nothing). Their walls are made of faces. A
    bond of a tensor may pass between two obstacle cells that touch at a corner, and over a wall thinner than
    itself; and nothing is put back at them, so a tensor has order 1 where it drives mass along an obstacle.
    Sources: cell averages by Gauss points at the middle of the step, half before and half after it: order 2
    with the schemes of order 2. The mass is then the initial one plus dt times the sum of these averages.
    Moving V, b, s are taken at the middle of the step.

    In one dimension nothing is split: "tr-bdf2" is TR-BDF2, "lie" is backward Euler. In two, "tr-bdf2" is
    X(dt/2) Y(dt) X(dt/2), in three X Y (dt/2) Z(dt) Y X (dt/2). One path has both names because one is the
    integrator's and the other the splitting's: an unsplit TR-BDF2 beyond the line needs a sparse LU,
    40 times the price of the sweeps at 256^2. No second-order scheme of rational
    functions is positive for every dt (Bolley & Crouzeix, 1978): a TR-BDF2 step that leaves a cell below
    -1e-13 of the largest, as it does for data narrower than sqrt(D dt), is replaced by two first-order steps
    of dt/2, reported as accepted=False. Smaller negative values (far tails where dt V'^2/D is large, a step
    or two after the start) are kept as they are: nothing is ever clipped, since clipping makes mass.

    When to use it: the first choice for every linear equation in up to three dimensions; AggregationDiffusion
    takes internal(m) and interactions, SpectralFokkerPlanck gives ten digits where V and start are smooth.
    Which time: "tr-bdf2" unless the data are rough or empty cells matter ("lie"); "exponential" for
    reference solutions; "backward-euler" when a split scheme's order-dt bias along the axes is unwanted:
    its LU costs about 2 s at 512^2 and does not fit three dimensions well (nor a tensor's: 6 s at 32^3).
    The LU is remembered; a V, b or s that depends on time makes a new one each step.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-6, 6))
    >>> scheme = FokkerPlanck(cells=200)
    >>> state, info = scheme.step(problem, scheme.init(problem, None), 0.05, None)
    >>> bool(abs(scheme.measure(problem, state).mean()[0] - 1.5 * np.exp(-0.05)) < 1e-4)
    True

    Scharfetter & Gummel, 1969; Bank et al., 1985 (TR-BDF2); Strang, 1968; Fehrenbach & Mirebeau, 2014
    (Selling's decomposition on grids).
    """

    extensions: ClassVar[tuple[str, ...]] = ("drift", "source", "mobility")

    cells: Any = 400
    time: str = "tr-bdf2"

    def supports(self, problem: Problem) -> str | None:
        """None, or why this problem is not a Fokker-Planck equation on this grid."""
        foreign = problem.energy.only("entropy", "potential")
        if foreign is not None:
            return foreign
        if problem.energy.diffusion == 0:
            return "it needs entropy() with a coefficient > 0, and the energy has none"
        refusal = box_refusal(problem, self.cells, MOST_CELLS)
        if refusal is not None:
            return refusal
        if self.time not in UNSPLIT and equation.full_tensor(problem):
            return (
                f'time="{self.time}" goes axis by axis, and the mobility is a full tensor: '
                'use time="tr-bdf2" or "backward-euler"'
            )
        return (
            self._exponential_refusal(problem, problem.grid(self.cells))
            if self.time == "exponential"
            else None
        )

    def _exponential_refusal(self, problem: Problem, grid: Grid) -> str | None:
        if max(grid.cells) > MOST_EXPONENTIAL:
            return (
                f'time="exponential" takes at most {MOST_EXPONENTIAL} cells per axis, got {max(grid.cells)}'
            )
        if _lines(problem, grid) is None:
            return f'time="exponential" needs {SEPARATE}, and this problem is no such sum'
        return None

    def init(self, problem: Problem, rng: Any) -> FokkerPlanckState:
        """Cell averages of the initial measure, scaled to mass 1 on the grid, exactly 0 in obstacles."""
        return FokkerPlanckState(initial_cells(problem, self.cells))

    def step(
        self, problem: Problem, state: FokkerPlanckState, dt: float, rng: Any
    ) -> tuple[FokkerPlanckState, StepInfo]:
        """The density after dt."""
        middle, rho = problem.at(problem.time + 0.5 * dt), state.rho
        if middle.energy.time_dependent:
            self._require_room(middle, rho)
        if middle.source is None:
            result, info = self._advance(middle, rho, dt, None)
            return FokkerPlanckState(result), info
        half = 0.5 * dt * source_cells(middle, middle.grid(self.cells))
        result, info = self._advance(middle, rho + half, dt, None)
        return FokkerPlanckState(result + half), info

    def measure(self, problem: Problem, state: FokkerPlanckState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def suggest_dt(self, problem: Problem) -> float:
        """A step in which diffusion adds a tenth of the narrowest initial variance (2 D M dt = var/10).

        Small enough for TR-BDF2 to stay positive on Gaussian-like data and for time errors near 1e-3. A
        mobility that depends on x counts with its largest value at 1000 points of the box.
        """
        h = problem.grid(self.cells).spacing
        variance = np.maximum(np.diag(problem.initial.cov()), h**2)
        fastest = equation.largest_mobility(problem)
        return float(SPREAD_PER_STEP * variance.min() / (2 * problem.energy.diffusion * fastest))

    def rates(
        self, problem: Problem, before: FokkerPlanckState, after: FokkerPlanckState, dt: float
    ) -> tuple[float, float]:
        """|rho'|^2 and |dE|^2 at the middle density of the step, from the fluxes the step took.

        The step is repeated to learn its fluxes; with them the continuity equation holds exactly, so
        half the sum, plus the change of the energy, is De Giorgi's functional up to the rule's dt^2. With a
        mobility in Fick's form both are taken in the metric it weighs: |dE|^2 = int rho grad xi . M grad xi.
        SchemeError for a drift, a source or Ito's form: the flow is then not steepest descent of the energy.
        """
        if not problem.gradient_flow:
            raise SchemeError(
                "the dissipation is known for the gradient flow of the energy only, and this problem has "
                f"{equation.unbalanced(problem)}."
            )
        middle = problem.at(problem.time + 0.5 * dt)
        grid, diffusion = problem.grid(self.cells), problem.energy.diffusion
        mean = 0.5 * (before.rho + after.rho)
        if self._unsplit(middle):
            bonds = equation.bonds(middle, grid)
            passed = (np.zeros(bonds.up.shape),)
            self._advance(middle, before.rho, dt, passed)
            return bonds.dissipation(mean, passed[0] / dt, grid.volume, diffusion)
        passed = tuple(np.zeros(grid.cells) for _ in grid.cells)
        self._advance(middle, before.rho, dt, passed)
        rates = equation.faces(middle, grid)
        return dissipation(mean, tuple(p / dt for p in passed), rates, grid, diffusion)

    def _unsplit(self, problem: Problem) -> bool:
        beyond = problem.dimension > 1
        return beyond and (self.time == "backward-euler" or equation.full_tensor(problem))

    def _require_room(self, problem: Problem, rho: np.ndarray) -> None:
        """Refuse an obstacle that moves onto mass: nothing could leave it."""
        caught = rho[obstacles(problem, problem.grid(self.cells))]
        if caught.any():
            raise SchemeError(
                f"V(x, t) became +inf where there is mass (density up to {caught.max():.3g}) at "
                f"t = {problem.time:g}. Let V grow to a large finite value instead: it pushes the mass away."
            )

    def _advance(
        self, problem: Problem, rho: np.ndarray, dt: float, passed: Sequence[np.ndarray] | None
    ) -> tuple[np.ndarray, StepInfo]:
        """The density after dt, sources aside; what went through the faces is added to `passed`."""
        result, least = self._solver(problem, self.time, dt).advance(rho, passed)
        floor = 0.0 if problem.source is None else min(0.0, float(rho.min()))  # what a sink took is not ours
        if self.time not in ("tr-bdf2", "strang") or least >= floor - ROUNDING * result.max():
            return result, StepInfo()
        for flux in passed or ():
            flux[...] = 0.0
        safe = self._solver(problem, "backward-euler" if self._unsplit(problem) else "lie", dt / 2)
        result, _ = safe.advance(rho, passed)
        result, _ = safe.advance(result, passed)
        return result, StepInfo(accepted=False, substeps=2)

    def _solver(self, problem: Problem, time: str, dt: float) -> Any:
        return problem.cached(
            ("fokker-planck", self.cells, time, dt), lambda: _solver(problem, self.cells, time, dt)
        )


def _lines(problem: Problem, grid: Grid) -> tuple[Rates, ...] | None:
    """The rates of one line per axis when the axes do not know of each other, else None."""
    constant = equation.plain(problem, grid)
    if constant is None:
        return exponential.axis_lines(equation.faces(problem, grid))
    profiles = exponential.axis_potentials(potential_at_centers(problem, grid))
    if profiles is None:
        return None
    rates = exponential.profile_rates(profiles, grid, problem.energy.diffusion)
    return tuple((m * up, m * down) for m, (up, down) in zip(constant, rates, strict=True))


def _solver(problem: Problem, cells: Any, time: str, dt: float) -> Any:
    """What advances a density by dt, with its factors."""
    grid = problem.grid(cells)
    if time == "exponential":
        lines = _lines(problem, grid)
        if lines is None:
            raise SchemeError(f'time="exponential" needs {SEPARATE}, not at t = {problem.time:g}.')
        return exponential.exponentials(lines, equation.faces(problem, grid), grid, dt)
    second_order = time in ("tr-bdf2", "strang")
    tensor = equation.full_tensor(problem)
    if tensor or (time == "backward-euler" and grid.dimension > 1):
        return unsplit(equation.bonds(problem, grid), grid.size, dt, second_order)
    constant = equation.plain(problem, grid)
    if constant is None:
        factors = splitting.rates_factors(equation.faces(problem, grid), grid)
    else:
        potential, diffusion = potential_at_centers(problem, grid), problem.energy.diffusion
        factors = splitting.potential_factors(potential, grid, diffusion, constant)
    return (splitting.strang if second_order else splitting.lie)(factors, grid, dt)
