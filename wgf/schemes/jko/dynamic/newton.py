r"""Newton's method for the dual of a dynamic JKO step: one concave function of the terminal potential.

Of the Hessian -(W + M) the first part is taken as a secant, W = (rho_K - rho*) / (U'(rho_K) - p) between
the density rho_K that arrives and the density rho* = (U')^-1(p) that p = -psi - V asks for. It equals the
slope at the solution, so convergence stays quadratic, and away from it the step is the one that Newton's
method would take in the density: exponentials neither overflow nor creep. W >= 0 in either case, hence every
direction ascends and halving the step is all that is needed. Empty cells have W = 0, M = 0 and no
residual: they stay where they are until mass arrives.

(W + M) z = g is solved by conjugate gradients, as exactly as the residual is small; the preconditioner is
the sparse LU of W + sum_k s L_k. Where mass moves a few cells it takes 3 to 30 rounds, whatever their number.

Turned down: Newton's method on (rho, phi) of all levels at once (its LU grows like that of three-dimensional
problems, and empty cells make it singular); ADMM and primal-dual splitting (hundreds of iterations for 1e-3).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy import sparse

from wgf.errors import ConvergenceError
from wgf.kernels.sparse_lu import diagonal_lu
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.dynamic.faces import Faces
from wgf.schemes.jko.dynamic.path import Curvature, Path, densities, path

Array = np.ndarray
ARMIJO = 1e-4  # the share of the predicted rise that must be real
FLATTENED = 0.9  # below rounding of D a step is judged by its slope instead: it must have shrunk
WORSE = 1 + 1e-6  # or the mismatch must not have grown: edges of a support settle before it shrinks
SHORTEST = 2.0**-30
BIG = 1e100
THINNED = 1e-2  # of the density asked for: one iteration asks for no less, where little arrives
FLOOR = 1e-15  # of the largest slope: cells with less answer to nobody, and keep the matrix regular
ROUNDING_SLACK = 64.0  # times machine epsilon times the size of the terms of D
CG_ITERATIONS = 400
FORCING = 1e-2  # of the right-hand side: the largest residual left by conjugate gradients
EPS = float(np.finfo(float).eps)
NOISE = 8 * EPS  # of psi, V and the mass: what a sum of a few rounded terms is off by
APART = 1e-6  # relative difference of two densities from which their secant keeps ten digits


class Step(NamedTuple):
    """What is solved: rho_0 and V per cell (flat), U, the faces, tau, K."""

    rho: Array
    potential: Array
    internal: InternalEnergy
    faces: Faces
    tau: float
    substeps: int

    @property
    def inner(self) -> float:
        """s = tau / K."""
        return self.tau / self.substeps


class Point(NamedTuple):
    """An iterate: its path, p = -psi - V, rho* = (U')^-1(p), and D with the size of its terms."""

    along: Path
    multiplier: Array
    wanted: Array
    value: float
    size: float


class Maximum(NamedTuple):
    """The path, rho_1..rho_K, iterations, and the L1 mismatch per unit mass."""

    along: Path
    rhos: tuple[Array, ...]
    iterations: int
    residual: float


def maximise(step: Step, start: Array, tol: float, iterations: int) -> Maximum:
    """The maximiser of the dual from the terminal potential `start`.

    Stops when the L1 distance of the density that arrives and the density asked for is below `tol` of the
    mass, or below what rounding allows.
    """
    point = _point(step, start, (start,) * step.substeps)
    mass = float(step.rho.sum())
    residual = np.inf
    for count in range(iterations + 1):
        rhos = densities(point.along, step.rho)
        gradient = point.wanted - rhos[-1]
        residual = float(np.abs(gradient).sum()) / mass
        if residual <= max(tol, _rounding_floor(step, point) / mass):
            return Maximum(point.along, rhos, count, residual)
        if count == iterations:
            break
        moved = _ascend(step, point, rhos, gradient)
        if moved is None:
            break
        point = moved
    raise ConvergenceError(
        f"a dynamic JKO step of tau = {step.tau:.3g} stopped at the residual {residual:.1e} (tol = {tol:.1e})"
        f" after {count} of {iterations} Newton iterations. Use a smaller dt (scheme.suggest_dt(problem) "
        "gives one), more iterations=, or a larger tol=."
    )


def _point(step: Step, psi: Array, guesses: tuple[Array, ...]) -> Point:
    along = path(psi, guesses, step.faces, step.inner)
    multiplier = -psi - step.potential
    wanted = step.internal.inverse(multiplier)
    conjugate = step.internal.conjugate(multiplier)
    start = step.rho * along.levels[0].phi
    value = -float(conjugate.sum()) - float(start.sum())
    return Point(along, multiplier, wanted, value, float(np.abs(conjugate).sum() + np.abs(start).sum()))


def best_start(step: Step, candidates: list[Array]) -> Array:
    """The candidate at which the dual is largest."""
    points = [trial_point(step, psi) for psi in candidates]
    values = [-np.inf if point is None else point.value for point in points]
    return candidates[int(np.argmax(values))]


def trial_point(step: Step, psi: Array) -> Point | None:
    """The point of a first guess, None where the dual has no finite value."""
    return _trial(step, psi, (psi,) * step.substeps)


def _trial(step: Step, psi: Array, guesses: tuple[Array, ...]) -> Point | None:
    """The point of `psi`, None where it has no path that can be found or no finite value."""
    try:
        with np.errstate(over="ignore", invalid="ignore"):
            point = _point(step, psi, guesses)
    except ConvergenceError:
        return None
    return point if np.isfinite(point.value) else None


def _ascend(step: Step, point: Point, rhos: tuple[Array, ...], gradient: Array) -> Point | None:
    """The first acceptable point along Newton's direction, or None."""
    curvature = Curvature(point.along, rhos, step.faces)
    mismatch = float(np.abs(gradient).sum() / step.rho.sum())
    forcing = min(FORCING, mismatch)
    secant = _secant(step, point, rhos[-1])
    typical = float(np.minimum(secant, BIG) @ rhos[-1]) / float(rhos[-1].sum())
    direction = _direction(curvature, secant, gradient, typical, forcing)
    slope = float(gradient @ direction)
    moves = curvature.moves(direction)
    slack, alpha = ROUNDING_SLACK * EPS * point.size, 1.0
    while alpha > SHORTEST:
        guesses = tuple(at.phi + alpha * move for at, move in zip(point.along.levels, moves, strict=True))
        trial = _trial(step, point.along.psi + alpha * direction, guesses)
        if trial is None:
            alpha *= 0.5
            continue
        if trial.value >= point.value + ARMIJO * alpha * slope:
            return trial
        if trial.value >= point.value - slack:
            after = trial.wanted - densities(trial.along, step.rho)[-1]
            flatter = abs(float(after @ direction)) <= FLATTENED * abs(slope)
            if flatter or float(np.abs(after).sum()) <= WORSE * float(np.abs(gradient).sum()):
                return trial
        alpha *= 0.5
    return None


def _secant(step: Step, point: Point, arrived: Array) -> Array:
    """W between the density that arrives and the one asked for; the slope of (U')^-1 where they agree."""
    slope = step.internal.slope(point.multiplier)
    with np.errstate(invalid="ignore", divide="ignore"):
        there = step.internal.derivative(np.maximum(arrived, THINNED * point.wanted)) - point.multiplier
        secant = (arrived - point.wanted) / there
    trusted = np.isfinite(secant) & (np.abs(arrived - point.wanted) > APART * (arrived + point.wanted))
    return np.where(trusted, np.maximum(secant, 0.0), slope)


def _direction(curvature: Curvature, secant: Array, gradient: Array, typical: float, forcing: float) -> Array:
    """(W + M)^-1 gradient."""
    weight = np.clip(secant, FLOOR * typical, typical / FLOOR)
    nearby = curvature.nearby() + sparse.diags_array(weight)
    factors = diagonal_lu(nearby.tocsc())
    return conjugate_gradients(lambda v: weight * v + curvature.times(v), factors.solve, gradient, forcing)


def conjugate_gradients(
    product: Callable[[Array], Array], precondition: Callable[[Array], Array], right: Array, forcing: float
) -> Array:
    """An approximate solution whose residual is `forcing` of the first one in the preconditioner's norm."""
    x, r = np.zeros_like(right), right.copy()
    z = precondition(r)
    p, rz = z.copy(), float(r @ z)
    goal = forcing**2 * rz
    for _ in range(CG_ITERATIONS):
        if rz <= goal:
            break
        hp = product(p)
        curvature = float(p @ hp)
        if curvature <= 0:
            break
        alpha = rz / curvature
        x += alpha * p
        r -= alpha * hp
        z = precondition(r)
        rz, previous = float(r @ z), rz
        p = z + rz / previous * p
    return x


def _rounding_floor(step: Step, point: Point) -> float:
    """The mismatch that rounding psi alone produces: not small at an edge with infinite slope."""
    potential = np.where(np.isfinite(step.potential), np.abs(step.potential), 0.0)
    noise = NOISE * (np.abs(point.along.psi) + potential)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = step.internal.inverse(point.multiplier + noise) - point.wanted
    return float(np.nansum(moved)) + NOISE * float(step.rho.sum())
