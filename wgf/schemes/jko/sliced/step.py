r"""One sliced step on a grid, argmin SW2^2(rho, rho_n) / (2 tau) + E(rho): Newton's method, or behind walls.

Optimality is p + V + W * rho + phi / (2 tau) = const, p = U'(rho), phi the mean over directions of the
Kantorovich potentials. Where U' falls to -inf at 0 every cell is filled and Newton's method does it alone.
A power m > 1 leaves cells empty. Newton's method in p then finds the support in a few iterations, or not at
all: a cell that wants to empty holds back the others. Not at all is answered by a wall -mu int log rho, whose
minimisers fill every cell, mu falling until mu |box|, which bounds what the wall costs, is below tol; then
Newton's method without the wall has a last word, from the multiplier that the wall has found.
Turned down: active sets added and dropped cell by cell, and a little entropy in place of the logarithm (its
cost is bounded by nothing as simple).
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from wgf.errors import ConvergenceError
from wgf.schemes.jko.sliced.newton import Descent, descend
from wgf.schemes.jko.sliced.objective import SlicedObjective

Array = np.ndarray
TRIED = 8  # Newton iterations in p where cells may be empty, before the wall
FALL = 0.05  # of mu from wall to wall
FIRST = 0.1  # mu |box| of the first wall, times the mean departure of the gap
FILLED = 1e-3  # the share of the mass spread evenly to start at the first wall


class Minimum(NamedTuple):
    """Minimising densities, Newton iterations, the bound on the SW2 distance left over the box's diameter."""

    rho: Array
    iterations: int
    residual: float


def minimise(objective: SlicedObjective, start: Array, tol: float, iterations: int) -> Minimum:
    """The minimiser reached from `start` (*cells,).

    Stops when the residual is below tol or below what rounding allows: the root of tau times the squared
    Newton decrement (and the wall's cost), over the box's diameter: the SW2 distance left, to second order.
    """
    goal = (tol * objective.diameter) ** 2 / objective.tau
    first = objective.at(start)
    most = iterations if objective.interior else min(TRIED, iterations)
    found = descend(objective, first, goal, 0, most)
    if not found.settled and found.iterations < iterations and not objective.interior:
        found = _behind_walls(objective, found, start, goal, iterations)
    residual = float(np.sqrt(objective.tau * found.decrement)) / objective.diameter
    if found.settled:
        return Minimum(found.trial.rho, found.iterations, residual)
    raise ConvergenceError(
        f"a sliced JKO step of tau = {objective.tau:.3g} stopped at the residual {residual:.1e} "
        f"(tol = {tol:.1e}) after {found.iterations} of {iterations} Newton iterations. Use a smaller dt "
        "(scheme.suggest_dt(problem) gives one), more iterations=, a larger tol= or finer cells=."
    )


def _behind_walls(
    objective: SlicedObjective, reached: Descent, start: Array, goal: float, iterations: int
) -> Descent:
    """The minimiser by walls of falling height, then without."""
    box = start.size * objective.volume
    rho, count = (1 - FILLED) * start + FILLED / box, reached.iterations
    gap = objective.gap(objective.at(rho))
    spread = objective.volume * float((rho * np.abs(gap - objective.volume * np.vdot(rho, gap))).sum())
    last = 0.5 * goal / box
    wall = max(FIRST * spread / box, last)
    while True:
        walled = replace(objective, wall=wall)
        found = descend(walled, walled.at(rho), wall * box, count, iterations)
        rho, count = found.trial.rho, found.iterations
        if not found.settled or wall <= last:
            break
        wall = max(FALL * wall, last)
    if not found.settled:
        return found
    bare = descend(objective, objective.trial(found.trial.p), goal, count, min(count + 3, iterations))
    return bare if bare.settled else found._replace(decrement=found.decrement + wall * box)
