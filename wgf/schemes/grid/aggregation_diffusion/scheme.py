"""AggregationDiffusion: the gradient flow of any internal + potential + interaction energy on cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import DivergedError
from wgf.measures import Density
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import box_refusal, initial_cells
from wgf.schemes.grid.aggregation_diffusion.explicit import explicit, explicit_limit
from wgf.schemes.grid.aggregation_diffusion.flow import Flow, flow_of
from wgf.schemes.grid.aggregation_diffusion.implicit import Implicit, Taken

Array = np.ndarray
TIMES = ("implicit", "sdirk2", "ssp-rk3")
FLUXES = ("limited", "upwind")
MOST_CELLS = 50_000_000  # explicit: about 200 bytes each with the padded transform of three axes
MOST_FACTORED = {1: 2_000_000, 2: 600_000, 3: 150_000}  # implicit, by dimension: a sparse LU of some 4 GB
SHARE_PER_STEP = 0.1  # of its mass is what a cell exchanges on average in a suggested step


class AggregationState(NamedTuple):
    """rho: (*cells) cell averages of the density."""

    rho: np.ndarray


@checks.checked(
    cells=cells_kind,
    time=checks.choice(*TIMES),
    flux=checks.choice(*FLUXES),
    peak=checks.optional(checks.between(0.0, 1.0)),
    tol=checks.between(0.0, 1e-3),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class AggregationDiffusion:
    r"""Finite volumes for every sum of entropy, internal, potential and interaction terms, in 1-3 dimensions.

    d_t rho = div(rho grad xi), xi = U'(rho) + V + W * rho. The flux through a face is -theta (jump of xi)/h
    with a mobility theta >= 0 (limited Scharfetter-Gummel; see `wgf.kernels.aggregation`): the discrete
    energy `energy(problem, state)` of the semi-discrete flow can only fall, mass is conserved, and densities
    with xi constant on every component of their support, and no lower beyond it, are at rest.

    time        order  positive  energy falls      what it is
    "implicit"    1    any dt    any dt            xi at the new time, W * (old + new)/2, by Newton's method
    "sdirk2"      2    small dt  small dt          two such stages, L-stable (Alexander, 1977)
    "ssp-rk3"     3    any dt    small sub-steps   explicit; sub-steps under the CFL limit, `substeps` tells

    flux        space order, smooth positive data        at free boundaries (m = 2, L1)
    "limited"     2, any cell Peclet number              1.5 to 2
    "upwind"      2 where entropy dominates h |grad xi|  1
                  (it is Scharfetter-Gummel), else 1

    Why the energy of "implicit" falls for every dt: U is convex, so U(new) - U(old) <= U'(new) (new - old);
    the interaction is exact at the midpoint, K being symmetric; V is linear. Summed by parts,
    E(new) - E(old) <= -dt sum theta (jump of xi)^2/h^2. It needs theta >= 0 and nothing else, so the limited
    reconstruction (its ratios taken from the old density) keeps it (Bailo, Carrillo & Hu, 2020, for the
    upwind mobility). Where Newton's method fails the step is halved, which keeps every promise: substeps.
    "sdirk2" extrapolates between its stages: a step that would leave a cell negative, or does not converge,
    is replaced by two "implicit" ones and reported as accepted=False. Nothing is ever clipped.

    When to use it: nonlinear or nonlocal equations in up to three dimensions. JKO schemes solve the same
    flows by minimisers, order 1 in time as a rule; FokkerPlanck is cheaper where E is entropy and potential.
    Which time: "implicit" for long times, equilibria, stiff powers; "sdirk2" when dt resolves the flow and
    two orders are wanted; "ssp-rk3" for transport and aggregation without much diffusion, in 3-D, and where
    an interaction is stiff. Fast diffusion (m < 1) needs the implicit ones, which for m below about 0.7 want
    tails that the cells resolve (from empty cells they refuse to start). The implicit ones factorise sparse
    matrices: a step takes 0.1 s at 128^2 cells, 0.6 s at 256^2 and at 32^3, and in 3-D more than 50^3 is for
    "ssp-rk3", whose memory is linear. A front that crosses hundreds of cells in one implicit step costs as
    many halvings: on fine lines take dt of the order of the cells, or "ssp-rk3".

    Blow-up. On a grid the density stays finite: its sign is mass that gathers in single cells however many
    there are. `concentration(problem, state)` is the largest share of mass in a block of two cells per axis;
    with peak=p the run ends with DivergedError once it exceeds p. For Keller-Segel, at least 8 pi / M of the
    mass collapses, so peak = 0.5 * 8 pi / M is a clear sign; below 8 pi it stays O(h^2). Halve h to confirm.

    cells: per axis, one number or one each. tol: the last Newton step over the mass. iterations: Newton's.
    A source changes the mass by its own, and under sources, drifts and a moving V the energy may rise;
    densities stay positive for sources >= 0.

    >>> import wgf
    >>> problem = wgf.problems.barenblatt(dimension=1, m=2)
    >>> run = wgf.solve(problem, AggregationDiffusion(cells=100), t_end=1.0, dt=0.05, record=["energy"])
    >>> wgf.distance(run.final, problem.exact(1.0), "l1") < 0.02, bool(np.diff(run.record["energy"]) < 0)
    (True, True)

    Bailo, Carrillo & Hu, 2020; Carrillo, Chertock & Huang, 2015; Bessemoulin-Chatard, 2012.
    """

    cells: Any = 200
    time: str = "implicit"
    flux: str = "limited"
    peak: float | None = None
    tol: float = 1e-11
    iterations: int = 40

    extensions: ClassVar[tuple[str, ...]] = ("drift", "source")

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: dimension, no box, foreign terms, fast diffusion with explicit steps."""
        foreign = problem.energy.only("entropy", "internal", "potential", "interaction")
        if foreign is not None:
            return foreign
        refusal = box_refusal(problem, self.cells, MOST_CELLS)
        if refusal is not None:
            return refusal
        size = problem.grid(self.cells).size
        most = MOST_CELLS if self.time == "ssp-rk3" else MOST_FACTORED[problem.dimension]
        if size > most:
            return (
                f"{size:,} cells are more than the {most:,} that time={self.time!r} takes; pass fewer cells"
            )
        if self.time == "ssp-rk3" and any(m < 1 for _, m in problem.energy.powers):
            return 'explicit steps cannot follow internal(m) with m < 1 into empty cells: use time="implicit"'
        return None

    def init(self, problem: Problem, rng: Any) -> AggregationState:
        """Cell averages of the initial measure, scaled to mass 1 on the grid, 0 where V = +inf."""
        return AggregationState(initial_cells(problem, self.cells))

    def step(
        self, problem: Problem, state: AggregationState, dt: float, rng: Any
    ) -> tuple[AggregationState, StepInfo]:
        """The density after dt."""
        taken = self._advance(problem, state.rho, dt, None)
        after = AggregationState(taken.rho)
        if self.peak is not None:
            self._refuse_peak(problem, after, self.peak)
        info = StepInfo(taken.iterations, taken.residual, taken.accepted, taken.substeps)
        return after, info

    def measure(self, problem: Problem, state: AggregationState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def energy(self, problem: Problem, state: AggregationState) -> float:
        """volume * sum of U(rho) + V rho + rho (W * rho)/2 at the cell centres: what the steps lower."""
        return flow_of(problem, self.cells).energy(state.rho)

    def concentration(self, problem: Problem, state: AggregationState) -> float:
        """The largest share of the mass in a block of two cells per axis: near 1 after a blow-up.

        >>> import wgf
        >>> problem = wgf.problems.keller_segel(mass=16 * np.pi)
        >>> scheme = AggregationDiffusion(cells=32)
        >>> round(scheme.concentration(problem, scheme.init(problem, None)), 2)
        0.11
        """
        block = state.rho
        for axis in range(block.ndim):
            block = block + np.roll(block, -1, axis)
            if problem.boundary[axis] != "periodic":
                block = block.take(range(block.shape[axis] - 1), axis)
        return float(block.max() / state.rho.sum())

    def suggest_dt(self, problem: Problem) -> float:
        """A step in which the initial flow moves a tenth of the mass between cells of a tenth of its spread.

        For "ssp-rk3" any dt is safe; it is the step between two looks.
        """
        flow, rho = flow_of(problem, self.cells), self.init(problem, None).rho
        _, _, leaving = flow.balance(rho, self.flux == "limited")
        widest = np.sqrt(np.maximum(np.diag(problem.initial.cov()), flow.grid.spacing**2)).min()
        slowed = float((flow.grid.spacing / widest).max())
        rate = float((leaving * rho).sum() / rho.sum()) * min(slowed, 1.0)
        if rate > 0:
            return SHARE_PER_STEP / rate
        # at rest: what diffusion of unit strength would take, unless the cells ask for less
        return min(explicit_limit(flow, rho, leaving), SHARE_PER_STEP * float(widest) ** 2)

    def rates(
        self, problem: Problem, before: AggregationState, after: AggregationState, dt: float
    ) -> tuple[float | None, float | None]:
        """|rho'|^2 and |dE|^2 at the middle density of the step, from the fluxes the step took.

        The step is repeated to learn them. None under a drift or a source: then it is no gradient flow.
        """
        if not problem.gradient_flow:
            return None, None
        passed = [np.zeros_like(before.rho) for _ in range(before.rho.ndim)]
        self._advance(problem, before.rho, dt, passed)
        flow = flow_of(problem.at(problem.time + 0.5 * dt), self.cells)
        mean = 0.5 * (before.rho + after.rho)
        return flow.dissipation(mean, [p / dt for p in passed], self.flux == "limited")

    def _advance(self, problem: Problem, rho: Array, dt: float, passed: list[Array] | None) -> Taken:
        """The density after dt; what went through the faces is added to `passed`."""

        def flow_at(later: float) -> Flow:
            return flow_of(problem.at(problem.time + later) if later else problem, self.cells)

        limited = self.flux == "limited"
        if self.time == "ssp-rk3":
            result, substeps = explicit(flow_at, rho, dt, limited, passed)
            return Taken(result, substeps=substeps)
        implicit = Implicit(flow_at, limited, self.tol, self.iterations)
        return (implicit.sdirk2 if self.time == "sdirk2" else implicit.euler)(rho, dt, passed)

    def _refuse_peak(self, problem: Problem, state: AggregationState, peak: float) -> None:
        share = self.concentration(problem, state)
        if share > peak:
            cell = tuple(int(k) for k in np.unravel_index(int(state.rho.argmax()), state.rho.shape))
            raise DivergedError(
                f"the share {share:.3g} of the mass stands in one block of {' x '.join('2' * len(cell))} "
                f"cells around {cell}, more than peak = {peak:g}: the density concentrates beyond what the "
                "grid resolves. If more cells do not delay it, the solution blows up."
            )
