"""Langevin: independent particles that drift down V and are kicked by noise. Four integrators, one state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, final

import numpy as np

from wgf import checks
from wgf.base import StepInfo
from wgf.kernels.langevin import langevin_step
from wgf.kernels.philox import ACCEPT, run_key, uniforms
from wgf.measures import Particles
from wgf.problem import Problem
from wgf.schemes.particles.walls import Walls, walls

INTEGRATORS = ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted")
DEFAULT_PARTICLES = 1000
CURVATURE_POINTS, CURVATURE_STEP = 64, 1e-4
FEWEST_POINTS, HESSIAN_ENTRIES = 4, 2**18  # of all Hessians looked at: 2 MB, and at most seconds for d = 1000
STABLE_SHARE = 0.25  # of the explicit limit 2 / curvature: the bias of Euler-Maruyama is then 1/3


class LangevinState(NamedTuple):
    """x (d, n) positions; key (4,) uint32 and step, which are the noise; w (n,), or (0,) if all are equal."""

    x: np.ndarray
    key: np.ndarray
    step: int
    w: np.ndarray


class AdjustedState(NamedTuple):
    """A LangevinState with V (n,) and its gradient (d, n) at x, and the number of accepted moves so far."""

    x: np.ndarray
    key: np.ndarray
    step: int
    w: np.ndarray
    value: np.ndarray
    gradient: np.ndarray
    accepted: int


@checks.checked(
    particles=checks.optional(checks.integer(1)),
    integrator=checks.choice(*INTEGRATORS),
    dtype=checks.choice("float64", "float32"),
    reflect=checks.boolean,
    tamed=checks.boolean,
)
@final
@dataclass(frozen=True, kw_only=True)
class Langevin:
    r"""Overdamped Langevin dynamics, dX = -grad V dt + sqrt(2 D) dW, for entropy and potential terms.

    The law of X is the gradient flow of D entropy() + potential(V). With h = dt, z standard normal:

    * "euler-maruyama": x - h grad V(x) + sqrt(2 D h) z. Weak order 1, stationary bias O(h).
    * "leimkuhler-matthews": x - h grad V(x) + sqrt(D h / 2) (z_n + z_{n+1}). The same price; weak order 1
      on the way, stationary bias O(h^2), none for a quadratic V. Choose it to sample.
    * "heun": two gradients, (grad V(x) + grad V(y)) / 2 with y the Euler-Maruyama step. Weak order 2.
      Choose it to follow the flow in time.
    * "adjusted": the Euler-Maruyama step as a Metropolis proposal (MALA). Stationary law exact for every h;
      `stats["acceptance"]` of the trajectory should be 0.4 to 0.9 (0.574 is best in high dimension).

    particles: None uses a `Particles` initial as it is and else draws 1000; a number draws with
    replacement. The statistical error is (variance / particles)^(1/2). dtype: "float32" is twice as fast.
    reflect: mirror at no-flux bounds, which are otherwise ignored; periodic bounds always wrap.
    tamed: drift h g / (1 + h |g|), keeps a V growing faster than |x|^2 from blowing up; biased O(h).

    All integrators but "adjusted" need h < 2 / (largest curvature of V); `suggest_dt` gives a quarter.
    The noise is a function of (key, step, particle): results do not depend on threads or on resuming.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(mean=[3.0], cov=0.0))
    >>> run = wgf.solve(problem, Langevin(particles=20_000), t_end=1.0, dt=0.05, seed=0)
    >>> round(float(run.final.mean()[0]), 1), round(float(run.final.cov()[0, 0]), 1)
    (1.1, 0.9)

    Leimkuhler & Matthews 2013, eq. 1.4; Roberts & Tweedie 1996 (MALA); Hutzenthaler, Jentzen & Kloeden
    2012 (taming).
    """

    particles: int | None = None
    integrator: str = "euler-maruyama"
    dtype: str = "float64"
    reflect: bool = False
    tamed: bool = False

    def supports(self, problem: Problem) -> str | None:
        """None for entropy and potential terms; "adjusted" needs noise, mirrors need bounds."""
        foreign = problem.energy.only("entropy", "potential")
        if foreign is not None:
            return foreign
        if self.reflect and problem.bounds is None:
            return "reflect=True needs bounds, and the problem has none"
        if self.integrator == "adjusted" and problem.energy.diffusion == 0:
            return "integrator='adjusted' needs an entropy() term: without noise nothing is stationary"
        if self.integrator == "leimkuhler-matthews" and walls(problem, self.reflect).mirror:
            return "'leimkuhler-matthews' shares noise between steps, which a reflection would undo"
        return None

    def init(self, problem: Problem, rng: np.random.Generator) -> LangevinState | AdjustedState:
        """The particles, then the run key."""
        initial = problem.initial
        w = np.empty(0)
        if isinstance(initial, Particles) and self.particles is None:
            points = initial.x
            w = initial.w if initial.weighted else w
        else:
            points = initial.sample(self.particles or DEFAULT_PARTICLES, rng)
        key = run_key(rng)
        x = walls(problem, self.reflect).fold(np.array(points.T, dtype=self.dtype, order="C"))
        if self.integrator != "adjusted":
            return LangevinState(x, key, 0, w)
        return AdjustedState(x, key, 0, w, _value(problem, x), self._gradient(problem, x), 0)

    def step(
        self, problem: Problem, state: Any, dt: float, rng: np.random.Generator
    ) -> tuple[LangevinState | AdjustedState, StepInfo]:
        """One step of the integrator; `rng` is not touched: the noise comes from the key."""
        sides = walls(problem, self.reflect)
        if self.integrator == "adjusted":
            return self._adjusted(problem, state, dt, sides), StepInfo()
        amplitude = float(np.sqrt(2 * problem.energy.diffusion * dt))
        fused = _fused(problem)
        if self.integrator == "heun" and (fused is None or sides.sides):
            x, finite = self._heun(problem, state, dt, amplitude, sides), None
        else:
            # a coefficient of V is a longer step of the drift alone
            c, kind, data = fused or (1.0, "given", self._gradient(problem, state.x))
            noise = (amplitude, state.key, state.step)
            x, finite = langevin_step(state.x, kind, data, c * dt, *noise, self.integrator, self.tamed)
        return state._replace(x=sides.fold(x), step=state.step + 1), StepInfo(finite=finite)

    def measure(self, problem: Problem, state: Any) -> Particles:
        """The cloud, (n, d)."""
        return Particles(state.x.T, state.w if state.w.size else None)

    def stats(self, state: Any) -> dict[str, float]:
        """`acceptance`: the share of accepted moves so far, of the adjusted integrator."""
        if not isinstance(state, AdjustedState) or state.step == 0:
            return {}
        return {"acceptance": state.accepted / (state.step * state.x.shape[1])}

    def suggest_dt(self, problem: Problem) -> float:
        """A quarter of the explicit limit 2 / (largest curvature of V at initial points), at most 1.

        The curvature at a point is the spectral norm of the Hessian, from differences of the gradient; up
        to 64 points drawn from the initial measure are looked at, 4 where d > 256. A flat V has 1.
        """
        d = problem.dimension
        count = min(CURVATURE_POINTS, max(FEWEST_POINTS, HESSIAN_ENTRIES // d**2))
        points = problem.initial.sample(count, np.random.default_rng(0)).T.astype(np.float64)
        largest = 0.0
        for point in points.T:
            around = point[:, None] + CURVATURE_STEP * np.eye(d, d + 1)  # the last column is the point itself
            slopes = _raw_gradient(problem, around)
            hessian = (slopes[:, :-1] - slopes[:, -1:]) / CURVATURE_STEP
            if np.isfinite(hessian).all():
                largest = max(largest, float(np.abs(np.linalg.eigvalsh(hessian + hessian.T)).max()) / 2)
        return min(1.0, STABLE_SHARE * 2 / largest) if largest > 0 else 1.0

    # --------------------------------------------------------------------------------- integrators

    def _gradient(self, problem: Problem, x: np.ndarray) -> np.ndarray:
        return _raw_gradient(problem, x).astype(x.dtype, copy=False)

    def _tame(self, gradient: np.ndarray, dt: float) -> np.ndarray:
        if not self.tamed:
            return gradient
        return gradient / (1 + dt * np.sqrt((gradient**2).sum(0)))

    def _heun(self, problem: Problem, state: LangevinState, dt: float, amplitude: float, sides: Walls) -> Any:
        """Heun for any V: the predictor is folded, and its gradient pulled back through the fold."""

        def euler(gradient: np.ndarray) -> np.ndarray:
            return langevin_step(
                state.x, "given", gradient, dt, amplitude, state.key, state.step, "euler-maruyama", False
            )[0]

        first = self._tame(self._gradient(problem, state.x), dt)
        there, signs = sides.fold_with_signs(euler(first))
        second = signs * self._tame(self._gradient(problem.at(problem.time + dt), there), dt)
        return euler(0.5 * (first + second))

    def _adjusted(self, problem: Problem, state: AdjustedState, dt: float, sides: Walls) -> AdjustedState:
        """Metropolis-adjusted Langevin; a proposal that is not finite, or has no finite V, is refused.

        In the unfolded space V is even across mirrors and periodic elsewhere, so that the acceptance
        ratio there is the ordinary one, and the fold of a reversible chain is reversible.
        """
        x, value, gradient = state.x, state.value, state.gradient
        if problem.energy.time_dependent:
            value, gradient = _value(problem, x), self._gradient(problem, x)
        D = problem.energy.diffusion
        drift = self._tame(gradient, dt)
        amplitude = float(np.sqrt(2 * D * dt))
        y, _ = langevin_step(x, "given", drift, dt, amplitude, state.key, state.step, "euler-maruyama", False)
        finite = np.isfinite(y).all(0)
        y = np.where(finite, y, x)
        folded, signs = sides.fold_with_signs(y)
        with np.errstate(invalid="ignore", over="ignore"):
            new_value, new_gradient = _value(problem, folded), self._gradient(problem, folded)
            forth = ((y - x + dt * drift).astype(np.float64) ** 2).sum(0)
            back = ((x - y + dt * signs * self._tame(new_gradient, dt)).astype(np.float64) ** 2).sum(0)
            log_ratio = (value - new_value) / D + (forth - back) / (4 * D * dt)
            u = uniforms(state.key, state.step, ACCEPT, x.shape[1], 1)[0]
            taken = finite & (np.log(u) < log_ratio)  # False for NaN
        return state._replace(
            x=np.where(taken, folded, x),
            value=np.where(taken, new_value, value),
            gradient=np.where(taken, new_gradient, gradient),
            step=state.step + 1,
            accepted=state.accepted + int(taken.sum()),
        )


def _fused(problem: Problem) -> tuple[float, str, np.ndarray] | None:
    """(coefficient, name, parameters) when V is one named potential the kernel knows."""
    potentials = problem.energy.potentials
    if len(potentials) != 1 or potentials[0][1].grad is not None:
        return None
    coefficient, term = potentials[0]
    known = getattr(term.V, "fused", None)
    return None if known is None else (coefficient, *known)


def _raw_gradient(problem: Problem, x: np.ndarray) -> np.ndarray:
    """grad V (d, n). Terms are asked directly: what is not finite is the loop's to report."""
    total = np.zeros(1, x.dtype)
    for c, term in problem.energy.potentials:
        total = total + c * np.asarray(term.gradient(x.T)).T
    return np.broadcast_to(total, x.shape)


def _value(problem: Problem, x: np.ndarray) -> np.ndarray:
    """V (n,) in float64: differences of it are compared with log u."""
    wide = x.T.astype(np.float64, copy=False)
    return sum((c * np.asarray(term(wide)) for c, term in problem.energy.potentials), np.zeros(x.shape[1]))
