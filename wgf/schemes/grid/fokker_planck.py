"""FokkerPlanck: d_t rho = div(D grad rho + rho grad V) on cells, the grid's ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import SchemeError
from wgf.measures import Density, Grid
from wgf.measures.averages import initial_density
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.grid import exponential, splitting
from wgf.schemes.grid.rates import dissipation, face_rates
from wgf.schemes.grid.unsplit import unsplit

TIMES = ("tr-bdf2", "strang", "backward-euler", "lie", "exponential")
MOST_CELLS = 50_000_000  # about 100 bytes each with the factors of three axes: 5 GB
MOST_EXPONENTIAL = 2048  # cells per axis: two dense matrices of 34 MB and ten to twenty products
ROUNDING = 1e-13  # of the largest cell: rounding of a stiff solve, a tenth of what the loop's guard lets pass
SPREAD_PER_STEP = 0.1  # of the narrowest initial variance, added by diffusion in one suggested step


class State(NamedTuple):
    """rho: (*cells) cell averages of the density."""

    rho: np.ndarray


@checks.checked(cells=cells_kind, time=checks.choice(*TIMES))
@final
@dataclass(frozen=True, kw_only=True)
class FokkerPlanck:
    r"""Scharfetter-Gummel finite volumes for entropy and potential terms, in one to three dimensions.

    d_t rho = D Laplace rho + div(rho grad V), D > 0 the coefficient of entropy(), V the sum of the
    potential terms; space order 2 in cell averages for smooth V. With (D/h) [B(w) rho_i - B(-w) rho_{i+1}]
    through every face, w = (V_{i+1} - V_i)/D, mass is conserved and exp(-V/D) at the cell centres is at
    rest for every `time` below: to 1e-12 while dt D/h^2 <= 1e3, beyond that to 1e-15 dt D/h^2 a step.

    cells: cells per axis, one number or one per axis. boundary: the problem's, "noflux" or "periodic" per
    axis (on a periodic axis V should be periodic: a jump is taken as a steep face).

    time              order  positive, contracting   entropy decays   what it is
    "tr-bdf2"           2    small dt                 small dt         Strang splitting of TR-BDF2 sweeps
    "strang"            2    small dt                 small dt         the same thing under its other name
    "backward-euler"    1    any dt                   any dt           unsplit; a sparse LU beyond 1-D
    "lie"               1    any dt                   any dt           backward Euler one axis after another
    "exponential"     exact  any dt                   any dt           V a sum over axes, <= 2048 cells each

    "Positive, contracting": rho >= 0, rho <= sigma stays, the L1 distance of two solutions never grows. In
    one dimension nothing is split: "tr-bdf2" is TR-BDF2, "lie" is backward Euler. In two, "tr-bdf2" is
    X(dt/2) Y(dt) X(dt/2), in three X Y (dt/2) Z(dt) Y X (dt/2). One path has both names because one is the
    integrator's and the other the splitting's: an unsplit TR-BDF2 beyond the line would need a sparse LU,
    40 times the price of the sweeps at 256^2. No second-order scheme of rational
    functions is positive for every dt (Bolley & Crouzeix, 1978): a TR-BDF2 step that leaves a cell below
    -1e-13 of the largest, as it does for data narrower than sqrt(D dt), is replaced by two "lie" steps of
    dt/2, reported as accepted=False. Smaller negative values (far tails where dt V'^2/D is large, a step or
    two after the start) are kept as they are: nothing is ever clipped, since clipping makes mass. V(x, t)
    is taken at the middle of the step.

    How to choose: "tr-bdf2" unless the data are rough or empty cells matter ("lie"); "exponential" for
    reference solutions; "backward-euler" when a split scheme's order-dt bias along the axes is unwanted:
    its LU costs about 2 s at 512^2 and does not fit three dimensions well.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-6, 6))
    >>> scheme = FokkerPlanck(cells=200)
    >>> state, info = scheme.step(problem, scheme.init(problem, None), 0.05, None)
    >>> bool(abs(scheme.measure(problem, state).mean()[0] - 1.5 * np.exp(-0.05)) < 1e-4)
    True

    Scharfetter & Gummel, 1969; Bank et al., 1985 (TR-BDF2); Strang, 1968.
    """

    cells: Any = 400
    time: str = "tr-bdf2"

    def supports(self, problem: Problem) -> str | None:
        """None, or why this problem is not a Fokker-Planck equation on this grid."""
        d = problem.dimension
        foreign = problem.energy.only("entropy", "potential")
        if foreign is not None:
            return foreign
        if problem.energy.diffusion == 0:
            return "it needs entropy() with a coefficient > 0, and the energy has none"
        if d > 3:
            return f"it needs one to three dimensions, got {d}"
        if problem.bounds is None:
            return "it needs a box, and the problem has bounds None"
        if isinstance(self.cells, tuple) and len(self.cells) != d:
            return f"it has cells for {len(self.cells)} axes, and the problem has {d}"
        grid = problem.grid(self.cells)
        if grid.size > MOST_CELLS:
            return f"{' x '.join(map(str, grid.cells))} cells are more than {MOST_CELLS:,}; pass fewer cells"
        return self._exponential_refusal(problem, grid) if self.time == "exponential" else None

    def _exponential_refusal(self, problem: Problem, grid: Grid) -> str | None:
        if max(grid.cells) > MOST_EXPONENTIAL:
            return (
                f'time="exponential" takes at most {MOST_EXPONENTIAL} cells per axis, got {max(grid.cells)}'
            )
        if exponential.axis_potentials(_potential(problem, grid)) is None:
            return 'time="exponential" needs V = V_1(x_1) + V_2(x_2) + ..., and this V is no such sum'
        return None

    def init(self, problem: Problem, rng: Any) -> State:
        """Cell averages of the initial measure, scaled to mass 1 on the grid."""
        values = initial_density(problem.initial, problem.grid(self.cells))
        return State(np.ascontiguousarray(values, dtype=np.float64))

    def step(self, problem: Problem, state: State, dt: float, rng: Any) -> tuple[State, StepInfo]:
        """The density after dt."""
        rho, info = self._advance(problem.at(problem.time + 0.5 * dt), state.rho, dt, None)
        return State(rho), info

    def measure(self, problem: Problem, state: State) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def suggest_dt(self, problem: Problem) -> float:
        """A step in which diffusion adds a tenth of the narrowest initial variance (2 D dt = var/10).

        Small enough for TR-BDF2 to stay positive on Gaussian-like data and for time errors near 1e-3.
        """
        h = problem.grid(self.cells).spacing
        variance = np.maximum(np.diag(problem.initial.cov()), h**2)
        return float(SPREAD_PER_STEP * variance.min() / (2 * problem.energy.diffusion))

    def rates(self, problem: Problem, before: State, after: State, dt: float) -> tuple[float, float]:
        """|rho'|^2 and |dE|^2 at the middle density of the step, from the fluxes the step took.

        The step is repeated to learn its fluxes; with them the continuity equation holds exactly, so
        half the sum, plus the change of the energy, is De Giorgi's functional up to the rule's dt^2.
        """
        middle = problem.at(problem.time + 0.5 * dt)
        grid, diffusion = problem.grid(self.cells), problem.energy.diffusion
        passed = tuple(np.zeros(grid.cells) for _ in grid.cells)
        self._advance(middle, before.rho, dt, passed)
        rates = face_rates(_potential(middle, grid), grid, diffusion)
        mean = 0.5 * (before.rho + after.rho)
        return dissipation(mean, tuple(p / dt for p in passed), rates, grid, diffusion)

    def _advance(
        self, problem: Problem, rho: np.ndarray, dt: float, passed: Sequence[np.ndarray] | None
    ) -> tuple[np.ndarray, StepInfo]:
        """The density after dt; what went through the faces is added to `passed`."""
        result, least = self._solver(problem, self.time, dt).advance(rho, passed)
        if self.time not in ("tr-bdf2", "strang") or least >= -ROUNDING * result.max():
            return result, StepInfo()
        for flux in passed or ():
            flux[...] = 0.0
        safe = self._solver(problem, "lie", dt / 2)
        result, _ = safe.advance(rho, passed)
        result, _ = safe.advance(result, passed)
        return result, StepInfo(accepted=False, substeps=2)

    def _solver(self, problem: Problem, time: str, dt: float) -> Any:
        return problem.cached(
            ("fokker-planck", self.cells, time, dt), lambda: _solver(problem, self.cells, time, dt)
        )


def _potential(problem: Problem, grid: Grid) -> np.ndarray:
    """V at the cell centres."""
    return problem.cached(
        ("fokker-planck potential", grid), lambda: grid.evaluate(problem.energy.potential_value)
    )


def _solver(problem: Problem, cells: Any, time: str, dt: float) -> Any:
    """What advances a density by dt, with its factors."""
    grid = problem.grid(cells)
    potential, diffusion = _potential(problem, grid), problem.energy.diffusion
    if time == "exponential":
        profiles = exponential.axis_potentials(potential)
        if profiles is None:
            raise SchemeError(
                f'time="exponential" needs V = V_1(x_1) + V_2(x_2) + ..., not at t = {problem.time:g}.'
            )
        return exponential.exponentials(profiles, potential, grid, diffusion, dt)
    if time == "backward-euler" and grid.dimension > 1:
        return unsplit(potential, grid, diffusion, dt)
    build = splitting.strang if time in ("tr-bdf2", "strang") else splitting.lie
    return build(potential, grid, diffusion, dt)
