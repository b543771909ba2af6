r"""Newton's method for one JKO step on the line: tridiagonal, globalised, with the box as an obstacle.

The objective is smooth inside the cone of ordered edges and grows to infinity at its border, so steps
are cut to keep every cell open and then halved until they decrease the objective (Armijo). A support
may touch the ends of its box: X_0 >= low and X_N <= high are obstacles, an end being held where it
pushes outwards. The answer carries a certificate: J is 1/tau-strongly convex in L2, hence Newton's
decrement g . H^-1 g bounds the W2 distance to the minimiser by sqrt(tau g . H^-1 g).

With an interaction the Hessian is dense; its product with a vector is all that conjugate gradients
need, preconditioned by the tridiagonal with W averaged: a quadratic W converges in two rounds.
Turned down: scipy's general minimisers (they know neither the cone nor the bands: 100 times slower).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.linalg import LinAlgError, solveh_banded

from wgf.errors import ConvergenceError
from wgf.schemes.jko.quantile.functional import StepHessian, StepObjective
from wgf.schemes.jko.quantile.mass import mass_matrix

Array = np.ndarray
ARMIJO = 1e-4  # the share of the predicted decrease that must be real
FRACTION = 0.9  # how much of the way to the first closing cell a step may go
FLATTENED = 0.9  # below rounding of J a step is judged by its slope instead: it must have shrunk
SHORTEST = 2.0**-40
AT_WALL = 1e-13  # of the length of the support
FIRST_SHIFT, SHIFT_GROWTH = 0.1, 2.5  # the first in units of 1 / tau
CG_TOLERANCE, CG_ITERATIONS = 1e-5, 60
ROUNDING_SLACK = 32.0  # times machine epsilon times the size of J


class Minimum(NamedTuple):
    """The minimising edges, Newton iterations spent, and the bound on the W2 distance left / length."""

    edges: Array
    iterations: int
    residual: float


def minimise(
    objective: StepObjective, start: Array, walls: tuple[float, float], tol: float, iterations: int
) -> Minimum:
    """The minimiser of `objective` between the walls (possibly infinite), from ordered edges `start`.

    Stops when the certificate, in units of the length of the support, is below `tol` or below what
    rounding allows. At least one Newton step is taken, so a vanishing tau still moves the state.
    """
    edges = _on_walls(start, walls)
    value, gradient = objective.value(edges), objective.gradient(edges)
    slack = ROUNDING_SLACK * objective.rounding(edges)
    residual = np.inf
    for count in range(iterations + 1):
        direction, free, diagonal = _direction(objective, edges, gradient, walls)
        slope = float(free @ direction)
        length = edges[-1] - edges[0]
        residual = float(np.sqrt(objective.tau * max(-slope, 0.0))) / length
        if count and residual <= max(tol, _rounding_floor(objective, edges, diagonal, length)):
            return Minimum(edges, count, residual)
        if slope >= 0:  # also the exact zero of an equilibrium
            return Minimum(edges, count, residual)
        if count == iterations:
            break
        moved = _line_search(objective, edges, direction, slope, value, slack, walls)
        if moved is None:
            break
        edges, value, gradient = moved
    raise ConvergenceError(
        f"a JKO step of tau = {objective.tau:.3g} stopped at the residual {residual:.1e} (tol = {tol:.1e}) "
        f"after {count} of {iterations} Newton iterations; the narrowest cell is {np.diff(edges).min():.1e}. "
        "Use a smaller dt (scheme.suggest_dt(problem) gives one), more iterations= or a larger tol=. A "
        "potential with kinks, or attraction without diffusion, has no smooth minimiser."
    )


def _on_walls(edges: Array, walls: tuple[float, float]) -> Array:
    """Edges with an end a rounding error off its wall put onto it: it would cut every step to nothing."""
    near = AT_WALL * (edges[-1] - edges[0])
    low = edges[0] - walls[0] < near
    high = walls[1] - edges[-1] < near
    if low or high:
        edges = edges.copy()
        edges[0], edges[-1] = walls[0] if low else edges[0], walls[1] if high else edges[-1]
    return edges


def _direction(
    objective: StepObjective, edges: Array, gradient: Array, walls: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """The Newton direction, the gradient on the free edges (0 on held ones), the Hessian's diagonal.

    An end at its wall is held when the direction would push it through.
    """
    held = np.zeros(edges.size, dtype=bool)
    hessian = objective.hessian(edges)
    while True:
        free = np.where(held, 0.0, gradient)
        direction, diagonal = _solve(hessian, objective, free, held)
        outwards = np.zeros_like(held)
        outwards[0] = edges[0] <= walls[0] and direction[0] < 0
        outwards[-1] = edges[-1] >= walls[1] and direction[-1] > 0
        if not outwards.any():
            return direction, free, diagonal
        held |= outwards


def _solve(hessian: StepHessian, objective: StepObjective, free: Array, held: Array) -> tuple[Array, Array]:
    """-H^-1 free with the held edges at rest, and the diagonal that was used.

    Where a concave V makes H indefinite, multiples of the mass matrix are added until it is not: the
    path of Newton's method changes, its end does not. (Raising V'' cell by cell instead took ten times
    as many iterations on a double well.)
    """
    banded, shift = np.zeros((2, free.size)), 0.0
    mass_diagonal, mass_beside = mass_matrix(objective.energy.masses)
    moves = ~held

    def precondition(r: Array) -> Array:
        return solveh_banded(banded, r, check_finite=False)

    def product(v: Array) -> Array:
        assert hessian.product is not None
        return moves * hessian.product(v)

    while True:
        diagonal = hessian.diagonal + shift * mass_diagonal
        banded[0, 1:] = moves[:-1] * moves[1:] * (hessian.beside + shift * mass_beside)
        banded[1] = np.where(held, 1.0, diagonal)
        try:
            if hessian.product is None:
                return precondition(-free), diagonal
            return conjugate_gradients(product, precondition, -free), diagonal
        except LinAlgError:
            if not np.isfinite(diagonal).all():  # V'' is not a number here: no shift cures that
                return np.full_like(free, np.nan), diagonal
            shift = max(SHIFT_GROWTH * shift, FIRST_SHIFT / objective.tau)


def conjugate_gradients(
    product: Callable[[Array], Array], precondition: Callable[[Array], Array], right: Array
) -> Array:
    """H^-1 right, or the best so far when H shows a direction of negative curvature.

    The first direction is the preconditioned gradient, so what comes back is always one of descent.
    """
    x, r = np.zeros_like(right), right.copy()
    z = precondition(r)
    p, rz = z.copy(), float(r @ z)
    goal = CG_TOLERANCE**2 * rz
    for count in range(CG_ITERATIONS):
        if rz <= goal:
            break
        hp = product(p)
        curvature = float(p @ hp)
        if curvature <= 0:
            return x if count else z
        alpha = rz / curvature
        x += alpha * p
        r -= alpha * hp
        z = precondition(r)
        rz, previous = float(r @ z), rz
        p = z + rz / previous * p
    return x


def _line_search(
    objective: StepObjective,
    edges: Array,
    direction: Array,
    slope: float,
    value: float,
    slack: float,
    walls: tuple[float, float],
) -> tuple[Array, float, Array] | None:
    """The first acceptable point along the direction with its value and gradient, or None."""
    alpha = _longest(edges, direction, walls)
    while alpha > SHORTEST:
        trial = _on_walls(edges + alpha * direction, walls)
        trial_value = objective.value(trial)
        if trial_value <= value + ARMIJO * alpha * slope:
            return trial, trial_value, objective.gradient(trial)
        if trial_value <= value + slack:
            gradient = objective.gradient(trial)
            if abs(float(gradient @ direction)) <= FLATTENED * abs(slope) or -slope * alpha <= slack:
                return trial, trial_value, gradient
        alpha *= 0.5
    return None


def _longest(edges: Array, direction: Array, walls: tuple[float, float]) -> float:
    """The longest step, at most 1, that keeps every cell open and both ends between the walls."""
    width, closing = np.diff(edges), -np.diff(direction)
    shrinks = closing > 0
    alpha = 1.0
    if shrinks.any():
        alpha = min(alpha, FRACTION * float((width[shrinks] / closing[shrinks]).min()))
    if direction[0] < 0 and edges[0] > walls[0]:
        alpha = min(alpha, (edges[0] - walls[0]) / -direction[0])
    if direction[-1] > 0 and edges[-1] < walls[1]:
        alpha = min(alpha, (walls[1] - edges[-1]) / direction[-1])
    return float(alpha)


def _rounding_floor(objective: StepObjective, edges: Array, diagonal: Array, length: float) -> float:
    """The residual that the rounding of the gradient alone produces."""
    noise = objective.gradient_rounding(edges)
    return float(np.sqrt(objective.tau * (noise**2 / diagonal).sum())) / length
