"""GaussianJKO: minimising movements of Gaussians by closed formulas, in any dimension and without a mesh."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.measures import Gaussian
from wgf.problem import Problem
from wgf.schemes.jko.gaussian import steps
from wgf.schemes.jko.gaussian.energy import NotQuadratic, QuadraticEnergy, quadratic_energy
from wgf.schemes.jko.gaussian.steps import Moved

Array = np.ndarray
STEPS_PER_SCALE = 0.1  # suggested dt: the time in which the first velocity moves a tenth of the spread
LEAST_CURVATURE = 1e-3  # suggested dt at rest is a tenth of 1 / curvature, and at most 100
SAFE_SHARE = 0.5  # suggested dt against loss of a minimiser: half of 1 / |most negative curvature|


class GaussianState(NamedTuple):
    """mean (d,) and cov (d, d); those of the step before; steps done."""

    mean: Array
    cov: Array
    previous_mean: Array
    previous_cov: Array
    count: int


@checks.checked(
    time=checks.choice("jko", "bdf2", "evbdf2", "midpoint"),
    tol=checks.between(0.0, 1.0),
    iterations=checks.integer(1),
)
@final
@dataclass(frozen=True, kw_only=True)
class GaussianJKO:
    r"""Jordan-Kinderlehrer-Otto steps of a Gaussian, exact up to rounding: the error is that of time alone.

    For E = D entropy + quadratic potential + quadratic interaction every step from a Gaussian ends in
    one, its optimal map x -> m' + P (x - m) is affine, and no covariance need commute with any other.

    When to use it: wherever the law stays Gaussian, in any dimension (a step costs d^3): to see what a rule
    in time does with no mesh in the way, and as the truth that JKO solvers on cells are held to.

    time = "jko":       argmin W2^2(., rho_n) / (2 dt) + E. Order 1; E falls by >= W2^2 / (2 dt), any dt.
    time = "midpoint":  the geodesic to the minimiser of dt / 2, extended to twice its length (2 P - I). Order
                        2, the smallest error; stiff modes are damped weakly, and from dt * a = 2 on a spread
                        far from equilibrium cannot be extended.
    time = "evbdf2":    a JKO step of 2 dt / 3 from rho_n carried along (4 id - T) / 3, T the map back to
                        rho_{n-1}. Order 2; stiff modes are damped.
    time = "bdf2":      argmin W2^2(., rho_n) / dt - W2^2(., rho_{n-1}) / (4 dt) + E. Order 2, by a few
                        rounds of a fixed point. Where all matrices commute, the same as "evbdf2".

    The two-step schemes begin with a midpoint step. Where an extrapolated map is not monotone (2 P - I or
    4 I - T has an eigenvalue <= 0) the step is a JKO step instead, reported as StepInfo(accepted=False).
    V(x, t) is taken at the new time, by "midpoint" half-way.

    tol: bound on the residual of the Euler-Lagrange equation of "bdf2", relative; iterations: its rounds,
    3 to 10 are usual. The others are closed formulas.

    Potentials: the named Quadratic, -log of a Gaussian, or any V whose gradient is affine at 18 probes
    from 0.1 to 10 spreads around the initial mean (definite or not, or none at all); W(z) = z . K z / 2
    likewise, which keeps the mean. Initial: a Gaussian with a density. The flow is that of the whole
    space: no-flux bounds are ignored, as by the exact solution.

    speed_squared is W2^2 / dt^2 of the step, slope_squared the mean of |dE|^2 along its geodesic: so
    the dissipation defect is that of the piecewise geodesic curve, >= 0, and O(dt^2) for every scheme.

    >>> import wgf
    >>> problem = wgf.problems.ornstein_uhlenbeck(A=[[2.0, 0.6], [0.6, 0.7]], mean=[2.0, 1.0])
    >>> run = wgf.solve(problem, GaussianJKO(time="midpoint"), t_end=1.0, dt=0.05)
    >>> wgf.distance(run.final, problem.exact(1.0), "w2") < 1e-3
    True

    Jordan, Kinderlehrer, Otto, 1998; Legendre, Turinici, 2017 (midpoint); Matthes, Plazotta, 2019 (BDF2);
    Gallouet, Natale, Todeschi, 2022 (extrapolated BDF2).
    """

    time: str = "jko"
    tol: float = 1e-11
    iterations: int = 100

    def supports(self, problem: Problem) -> str | None:
        """None, or why not: another initial law, a periodic box, a term that is not quadratic."""
        if "periodic" in problem.boundary:
            return "it needs the whole space, got a periodic boundary"
        initial = gaussian_of(problem.initial)
        if initial is None:
            return f"it needs a Gaussian initial measure, got {type(problem.initial).__name__}"
        if not steps.positive(initial.covariance):
            return "it needs an initial Gaussian with a density, got one of singular covariance"
        try:
            _energy(problem, problem.time)
        except NotQuadratic as reason:
            return str(reason)
        return None

    def init(self, problem: Problem, rng: np.random.Generator) -> GaussianState:
        """Mean and covariance of the initial measure; nothing is drawn."""
        initial = gaussian_of(problem.initial)
        assert initial is not None
        mean, cov = initial.mean(), initial.cov()
        return GaussianState(mean, cov, mean, cov, 0)

    def step(
        self, problem: Problem, state: GaussianState, dt: float, rng: np.random.Generator
    ) -> tuple[GaussianState, StepInfo]:
        """One step of dt from problem.time."""
        rounds, residual, accepted = 0, 0.0, True
        if self.time == "jko":
            moved = _jko(problem, state, dt)
        elif self.time == "midpoint" or state.count == 0:
            half = steps.jko(_energy(problem, problem.time + dt / 2), state.mean, state.cov, dt / 2)
            moved = steps.extended(state.mean, state.cov, half)
        else:
            energy = _energy(problem, problem.time + dt)
            if self.time == "evbdf2":
                moved = _evbdf2(energy, state, dt)
            else:
                taken = steps.bdf2(energy, *state[:4], dt, self.tol, self.iterations)
                moved, rounds, residual = (None, 0, 0.0) if taken is None else taken
            if moved is not None:
                moved = moved._replace(map=steps.optimal_map(state.cov, moved.cov))
        if moved is None:
            moved, accepted = _jko(problem, state, dt), False
        after = GaussianState(moved.mean, moved.cov, state.mean, state.cov, state.count + 1)
        stretch = moved.map - np.eye(len(state.mean))
        speed = ((moved.mean - state.mean) ** 2).sum() + np.sum((stretch @ state.cov) * stretch)
        slope = _mean_slope(problem, state, moved, dt)
        return after, StepInfo(rounds, residual, accepted, 1, float(speed) / dt**2, slope)

    def measure(self, problem: Problem, state: GaussianState) -> Gaussian:
        """The state as a Gaussian."""
        return Gaussian(state.mean, state.cov)

    def energy(self, problem: Problem, state: GaussianState) -> float:
        """E of the Gaussian, in closed form in any dimension."""
        return _energy(problem, problem.time).value(state.mean, state.cov)

    def suggest_dt(self, problem: Problem) -> float:
        """A dt that moves the initial measure by a tenth of its spread and keeps minimisers unique.

        min(0.1 std / |dE|, 0.5 / |most negative curvature|).
        """
        state = self.init(problem, np.random.default_rng(0))
        energy = _energy(problem, problem.time)
        spread = float(np.sqrt(np.trace(state.cov)))
        slope = float(np.sqrt(energy.slope_squared(state.mean, state.cov)))
        curvatures = np.linalg.eigvalsh(energy.stiffness), np.linalg.eigvalsh(energy.potential.matrix)
        steepest = float(np.abs(curvatures[0]).max())
        at_rest = STEPS_PER_SCALE / max(steepest, LEAST_CURVATURE)
        limits = [STEPS_PER_SCALE * spread / slope if slope > 0 else at_rest]
        lowest = min(float(k[0]) for k in curvatures)
        if lowest < 0:
            limits.append(SAFE_SHARE / -lowest)
        return min(limits)


def gaussian_of(measure: Any) -> Gaussian | None:
    """A measure as the Gaussian it is, None when it is not: a Mixture of one component is."""
    kind = getattr(measure, "kind", "")
    if kind == "gaussian":
        return measure
    if kind == "mixture" and (measure.weights > 0).sum() == 1:
        only = int(np.argmax(measure.weights))
        return Gaussian(measure.means[only], measure.covariances[only])
    return None


def _energy(problem: Problem, t: float) -> QuadraticEnergy:
    """The problem's energy at time t, in matrices; remembered, since a V may have to be probed."""
    moment = problem.at(t)
    initial = gaussian_of(problem.initial)
    assert initial is not None
    return problem.cached(
        ("quadratic energy", moment.time),
        lambda: quadratic_energy(moment.energy, initial.center, initial.covariance),
    )


def _jko(problem: Problem, state: GaussianState, dt: float) -> Moved:
    return steps.jko(_energy(problem, problem.time + dt), state.mean, state.cov, dt)


def _evbdf2(energy: QuadraticEnergy, state: GaussianState, dt: float) -> Moved | None:
    start = steps.extrapolated(*state[:4])
    return None if start is None else steps.jko(energy, start.mean, start.cov, 2 * dt / 3)


def _mean_slope(problem: Problem, state: GaussianState, moved: Moved, dt: float) -> float:
    """The mean of |dE|^2 over the geodesic from the state to `moved`, by Gauss quadrature."""
    shares = 0.5 * (1 + steps.SAMPLES)
    slopes = [
        steps.along(_energy(problem, problem.time + s * dt), state.mean, state.cov, moved, s) for s in shares
    ]
    return float(0.5 * steps.SHARES @ slopes)
