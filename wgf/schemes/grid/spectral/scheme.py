"""SpectralFokkerPlanck: linear Fokker-Planck flows by eigenfunctions, the grid schemes' second truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.errors import ConvergenceError
from wgf.measures import Density, Grid
from wgf.measures.base import NEGATIVE_TOLERANCE
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import box_refusal, initial_cells, potential_at_centers
from wgf.schemes.grid.fokker_planck.exponential import axis_potentials
from wgf.schemes.grid.spectral.axis import quadrature
from wgf.schemes.grid.spectral.energy import free_energy, mean_slope_squared
from wgf.schemes.grid.spectral.flow import CoupledFlow, ProductFlow, flow_of
from wgf.schemes.grid.spectral.quadratures import outer, tensor_points

PRODUCT_MODES = (40, 60, 80, 120, 200, 320)  # tried in turn when V is a sum over axes: a small problem each
COUPLED_MODES = {2: (20, 32, 44, 60, 80), 3: (8, 12, 16, 20)}  # otherwise: total degree
MOST_PRODUCT = {1: 1000, 2: 400, 3: 60}
MOST_COUPLED = {2: 80, 3: 20}  # 3321 and 1771 functions: a minute
MOST_CELLS = 20_000_000
PROBES = 60  # Gauss points per axis at which V is seen to be a sum over axes
SEEN = 1e-3  # L1 to which cell averages taken directly must agree: what their own quadrature is good for
ADVICE = (
    "Pass more modes (a narrow start needs them), a start no wider than exp(-V/D) and not far out in its "
    "tail, or use FokkerPlanck."
)


def _modes(name: str, value: Any, sizes: checks.Sizes) -> int | tuple[int, ...]:
    if isinstance(value, (tuple, list, np.ndarray)) and len(value):
        return tuple(checks.integer(2)(name, v.item() if isinstance(v, np.generic) else v) for v in value)
    return checks.integer(2)(name, value)


modes_kind = checks.Kind("an integer >= 2, or one per axis", _modes, (0, 1, -3, 2.5, "a", (), (8, 0)))


class SpectralState(NamedTuple):
    """rho: (*cells) cell averages of the density. series: its coefficients in the eigenfunctions."""

    rho: np.ndarray
    series: np.ndarray


class _Start(NamedTuple):
    """What is computed once for a problem: the flow, the initial measure in axis functions, its misfit."""

    flow: ProductFlow | CoupledFlow
    coefficients: np.ndarray
    misfit: float


@checks.checked(
    cells=cells_kind,
    modes=checks.optional(modes_kind),
    tol=checks.between(0.0, 1.0),
)
@final
@dataclass(frozen=True, kw_only=True)
class SpectralFokkerPlanck:
    r"""Fokker-Planck flows by the eigenfunctions of the generator: spectral in space, exact in time.

    d_t rho = D Laplace rho + div(rho grad V) is d_t u = D/pi div(pi grad u) for u = rho/pi, pi = exp(-V/D):
    symmetric in L2(pi). The Galerkin matrix of int pi D grad u . grad g in polynomials (trigonometric
    functions on periodic axes) orthonormal for pi is diagonalised once; then every coefficient decays at its
    own rate, for any dt, and mass and pi are exact in any truncation. Nothing of the discretisation is shared
    with the finite volumes, not even the boundary condition, which here is the natural one of the weak form:
    where both answer, they check each other.

    rho is returned as cell AVERAGES, by Gauss quadrature of the series in every cell: `cells` says where the
    answer is read and has no part in how accurate it is.

    modes: highest degree per axis, one number or one per axis; None tries 40 to 320 when V is a sum over
    axes (and always on a line), else 20 to 80 in the plane and 8 to 20 in space, total degree. 40 serve a
    Gaussian start half as wide as pi, 120 one a fifth as wide between two wells. tol: what the modes may
    leave out, in L1 of rho: the misfit of the initial density, and the size of the highest tenth of the
    degrees at every step (in L2(pi) of u, which bounds L1). Above tol the scheme refuses by a
    ConvergenceError: it is never silently wrong. StepInfo.residual is that size plus the error of the mass.

    When to use it: smooth V and a smooth start no wider than pi and no farther out than a few of its widths
    (rho_0^2/pi must be integrable: rounding is 1e-16 times the root of that integral), V ranging over some
    tens of D where the mass is. Then it gives ten digits from a few thousand numbers. A kink in V, a
    step in rho_0 (Uniform, Density) or an obstacle make it slow: use FokkerPlanck. A box that cuts the law at
    less than seven widths makes a layer at its walls, which the modes see and may refuse at a small tol; one
    of more than 25 widths is refused because the nodes are spread too thin.

    No theorem keeps a truncated series nonnegative: far tails are right to tol of the maximum and may be
    negative there by as much. Like every scheme it is refused below -1e-12 of the maximum, here by a
    ConvergenceError that says what to change; nothing is clipped.

    Recorded energies and the dissipation are those of the series, by quadrature at its own nodes: the
    dissipation defect falls as dt^8, to about 1e-11.

    Cost: on a line, or V a sum over axes, below a second; coupled in the plane 1 s for 50, 12 s for 80
    modes, in space 5 s for 16.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-9, 9))
    >>> run = wgf.solve(problem, SpectralFokkerPlanck(cells=180), t_end=0.5, dt=0.5)
    >>> bool(abs(run.final.mean()[0] - 1.5 * np.exp(-0.5)) < 1e-10)
    True

    Risken, The Fokker-Planck Equation, 1989, sections 5.4 and 6.6; Gautschi, 1982 (the polynomials).
    """

    cells: Any = 200
    modes: Any = None
    tol: float = 1e-9

    def supports(self, problem: Problem) -> str | None:
        """None, or why this problem has no spectral form here."""
        d = problem.dimension
        foreign = problem.energy.only("entropy", "potential")
        if foreign is not None:
            return foreign
        if problem.energy.diffusion == 0:
            return "it needs entropy() with a coefficient > 0, and the energy has none"
        if problem.energy.time_dependent:
            return "it needs a V that does not depend on time: eigenfunctions are those of one V"
        refusal = box_refusal(problem, self.cells, MOST_CELLS)
        if refusal is not None:
            return refusal
        if not hasattr(problem.initial, "pdf"):
            return f"it needs an initial measure with a density, got {type(problem.initial).__name__}"
        if isinstance(self.modes, tuple) and len(self.modes) != d:
            return f"it has modes for {len(self.modes)} axes, and the problem has {d}"
        if not np.isfinite(potential_at_centers(problem, problem.grid(self.cells))).all():
            return "it needs a finite V, and V is infinite somewhere: FokkerPlanck takes obstacles"
        if self.modes is not None:
            product = self._product(problem)
            most = (MOST_PRODUCT if product else MOST_COUPLED)[d]
            if max(np.atleast_1d(self.modes)) > most:
                kind = "V a sum over axes" if product else "a coupled V"
                return f"it takes at most {most} modes per axis in {d}-D for {kind}, got {self.modes}"
        return None

    def init(self, problem: Problem, rng: Any) -> SpectralState:
        """The series of the initial measure, scaled to mass 1 on the box; nothing is drawn."""
        start = self._start(problem)
        rho, _ = self._read(problem, start.flow, start.coefficients, "at the start")
        return SpectralState(rho, start.flow.modal(start.coefficients))

    def step(
        self, problem: Problem, state: SpectralState, dt: float, rng: Any
    ) -> tuple[SpectralState, StepInfo]:
        """The density after dt, exact in time."""
        flow = self._start(problem).flow
        series = state.series * np.exp(-dt * flow.rates)
        rho, residual = self._read(problem, flow, flow.nodal(series), "after the step")
        return SpectralState(rho, series), StepInfo(residual=residual)

    def measure(self, problem: Problem, state: SpectralState) -> Density:
        """The cell averages as a Density."""
        return Density(problem.grid(self.cells), state.rho)

    def energy(self, problem: Problem, state: SpectralState) -> float:
        """D int rho log rho + int V rho of the series itself, not of its cell averages."""
        flow = self._start(problem).flow
        return free_energy(flow, flow.nodal(state.series))

    def rates(
        self, problem: Problem, before: SpectralState, after: SpectralState, dt: float
    ) -> tuple[float, float]:
        """|rho'|^2 and |dE|^2, equal for the exact flow, averaged over the step by four instants of it."""
        both = mean_slope_squared(self._start(problem).flow, before.series, dt)
        return both, both

    def _read(
        self, problem: Problem, flow: ProductFlow | CoupledFlow, coefficients: np.ndarray, when: str
    ) -> tuple[np.ndarray, float]:
        """The cell averages of a series and how far off it may be; refused when that is too far."""
        rho = np.ascontiguousarray(flow.averages(coefficients))
        mass = float(rho.sum()) * problem.grid(self.cells).volume
        residual = flow.tail(coefficients) + abs(mass - 1)
        if not residual <= self.tol:
            raise ConvergenceError(
                f"the modes do not resolve the density {when}: what they leave out is {residual:.1e}, above "
                f"tol = {self.tol:g}. {ADVICE}"
            )
        rho /= mass
        least = float(rho.min() / rho.max())
        if not least >= -NEGATIVE_TOLERANCE:
            raise ConvergenceError(
                f"the series of the density is negative {when}, {least:.1e} of its maximum: more than "
                f"rounding. {ADVICE}"
            )
        return rho, residual

    def _start(self, problem: Problem) -> _Start:
        return problem.cached(("spectral-fokker-planck", self), lambda: self._build(problem))

    def _build(self, problem: Problem) -> _Start:
        """The flow with the modes asked for, or with the fewest of those tried that resolve the start."""
        tried, cells = self._tried(problem), initial_cells(problem, self.cells)
        for modes in tried:
            try:
                return self._resolved(problem, modes, cells)
            except ConvergenceError:
                if modes == tried[-1]:
                    raise
        raise AssertionError("no modes to try")

    def _resolved(self, problem: Problem, modes: tuple[int, ...], cells: np.ndarray) -> _Start:
        """The start with these modes, refused when they do not carry it; cells: its averages."""
        grid = problem.grid(self.cells)
        start = _expanded(problem, grid, modes, self._product(problem))
        if not start.misfit <= self.tol:
            raise ConvergenceError(
                f"{max(modes)} modes per axis resolve the initial density to {start.misfit:.1e} in L1, and "
                f"tol is {self.tol:g}. {ADVICE}"
            )
        when = f"at the start with {max(modes)} modes per axis"
        rho, _ = self._read(problem, start.flow, start.coefficients, when)
        missed = float(np.abs(rho - cells).sum()) * grid.volume
        if not missed <= SEEN:
            raise ConvergenceError(
                f"the quadrature misses {missed:.1e} of the initial measure {when}: too narrow. {ADVICE}"
            )
        return start

    def _product(self, problem: Problem) -> bool:
        """Whether V is a sum over axes."""
        if problem.dimension == 1:
            return True
        axes = [quadrature(low, high, PROBES, False)[0] for low, high in problem.bounds]
        # Not at the cell centres: sin(x) sin(y) may vanish at all of them.
        return problem.cached(
            "spectral-fokker-planck separable",
            lambda: axis_potentials(problem.energy.potential_value(tensor_points(axes))) is not None,
        )

    def _tried(self, problem: Problem) -> tuple[tuple[int, ...], ...]:
        d = problem.dimension
        if self.modes is not None:
            return (self.modes if isinstance(self.modes, tuple) else (self.modes,) * d,)
        tried = PRODUCT_MODES if self._product(problem) else COUPLED_MODES[d]
        most = (MOST_PRODUCT if self._product(problem) else MOST_COUPLED)[d]
        return tuple((n,) * d for n in tried if n <= most)


def _expanded(problem: Problem, grid: Grid, modes: tuple[int, ...], product: bool) -> _Start:
    """The flow with these modes and the initial measure in it."""
    energy = problem.energy
    with np.errstate(over="ignore", invalid="ignore"):  # functions of a pi too narrow for the nodes
        flow, q = flow_of(
            energy.potential_value, energy.potential_gradient, energy.diffusion, grid, modes, product
        )
    density = np.asarray(problem.initial.pdf(q.points), dtype=np.float64)
    weighted = density * outer(q.weights)
    inside = float(weighted.sum())
    if not inside > 0:
        return _Start(flow, density, np.inf)
    with np.errstate(over="ignore", invalid="ignore"):  # rho / sqrt(pi) of a start much wider than pi
        coefficients = flow.project(density / inside)
    if not np.isfinite(coefficients).all():
        return _Start(flow, coefficients, np.inf)
    misfit = float(np.abs(flow.rebuilt(coefficients) - weighted / inside).sum())
    return _Start(flow, coefficients, misfit)
