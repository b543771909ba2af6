r"""Newton's method for a sliced step, in masses r = rho * cell: where the objective's model is trusted.

Newton's equation is

    (1/s + H) dr = -R + const,   sum dr = 0,   s = dr/dp,   H = W + (1/tau) mean_l A_l' C' Q_l C A_l

with A_l the projections, C the cumulative sum and Q_l the tridiagonal second derivative of W2^2 / 2. It is
solved by conjugate gradients in the metric 1 / (1/s + kappa/r): H smooths by three orders, so its spectrum
beyond s falls fast, but in tails it grows as 1/r, and there s alone, which a power leaves constant, fails.

Along a direction three curves start: in p (exact where tails move by orders of magnitude), in r (exact where
cells are wider than the tails), and by factors that neither empty nor overfill. The lowest is taken: no
single one is right in a tail that is steeper than its cells. Turned down: exponentiated gradient descent
(the same metric, hundreds of iterations), and the projected gradient of the published codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from wgf.schemes.jko.sliced.objective import EMPTY, STIFFEST, SlicedObjective, Trial

Array = np.ndarray
ARMIJO, GOOD = 1e-4, 0.5  # shares of the predicted decrease: that must be real, that ends the comparison
SHORTEST = 2.0**-30
SLACK = 64 * np.finfo(float).eps  # times the size of the objective: its rounding
WALLED = 0.99  # of the way to the nearest empty cell
KAPPA = 0.01  # times h^2 / tau: the temperature at which entropy would be as stiff as transport between cells
CG_TOLERANCE, CG_ITERATIONS = 1e-3, 300
FLAT = 0.5  # a wall's own iterations end when a product adds less than this share of the mean decrease


class Descent(NamedTuple):
    """Where Newton's method stands: iterations in all, the squared decrement, whether it is small enough."""

    trial: Trial
    iterations: int
    decrement: float
    settled: bool


class Direction(NamedTuple):
    """Changes of p and of r (*cells,), the objective's slope along them, and the squared decrement."""

    p: Array
    masses: Array
    slope: float
    decrement: float


def descend(objective: SlicedObjective, now: Trial, goal: float, count: int, most: int) -> Descent:
    """Newton's method from `now` until the squared decrement is below goal, or what rounding allows.

    count, most: iterations so far, and allowed in all. The decrement is first bounded by the squared gap in
    the metric s, then measured by conjugate gradients, what they leave being added.
    """
    while True:
        system = _System(objective, now)
        rounding = SLACK * (abs(now.value) + float(np.abs(now.transport.value).mean()) / objective.tau)
        enough = max(goal, rounding)
        bound = system.bound()
        if bound <= enough or count >= most:
            return Descent(now, count, bound, bound <= enough)
        direction = system.solve(1e-3 * enough)
        if direction.decrement <= enough:
            return Descent(now, count, direction.decrement, True)
        moved = _lower(objective, now, direction, rounding) or _lower(
            objective, now, system.steepest(), rounding
        )
        if moved is None:
            return Descent(now, count, direction.decrement, False)
        now, count = moved, count + 1


class _System:
    """Newton's equation at a trial."""

    def __init__(self, objective: SlicedObjective, now: Trial) -> None:
        self.objective, self.now, self.full = objective, now, now.rho > 0
        heat = KAPPA * float(np.mean(objective.grid.spacing**2)) / objective.tau
        filled = np.where(self.full, now.rho * objective.volume, 1.0)
        with np.errstate(over="ignore"):  # cells of a far tail are stiff beyond doubles: nothing moves there
            self.inverse = np.minimum(objective.stiffness(now.rho) / objective.volume, STIFFEST)
            self.metric = np.where(self.full, 1 / (self.inverse + heat / filled), 0.0)
        self.gap = objective.gap(now)

    def bound(self) -> float:
        """Of the squared decrement: H is left out."""
        stiff = np.where(self.full & (self.inverse > 0), self.inverse, np.inf)
        weight = 1 / stiff
        centred = self.gap - np.vdot(weight, self.gap) / weight.sum()
        return float(np.vdot(centred, weight * centred))

    def centred(self, x: Array) -> Array:
        """x less its mean in the metric: a multiplier's constant is free."""
        return x - np.vdot(self.metric, x) / self.metric.sum()

    def steepest(self) -> Direction:
        """Descent in the metric: what is left when rounding has spoilt the products."""
        return self._direction(-self.metric * self.centred(self.gap), np.zeros_like(self.gap), 0.0)

    def solve(self, negligible: float) -> Direction:
        """Newton's direction; `negligible`: a squared decrement that matters no more."""
        masses, applied = np.zeros_like(self.gap), np.zeros_like(self.gap)
        left = -self.centred(self.gap)
        search = self.metric * left
        power, decrement = float(np.vdot(left, search)), 0.0
        goal = max(CG_TOLERANCE**2 * power, negligible)
        for k in range(1, CG_ITERATIONS + 1):
            if power <= goal:
                break
            product = self.inverse * search + self.objective.bent(self.now, search)
            curvature = float(np.vdot(search, product))
            if curvature <= 0:  # an attraction stronger than all that holds the mass apart
                if not masses.any():
                    masses = search
                break
            step = power / curvature
            masses, applied = masses + step * search, applied + step * product
            gained = step * power
            decrement += gained
            left = self.centred(left - step * product)
            ahead = self.metric * left
            power, before = float(np.vdot(left, ahead)), power
            search = ahead + power / before * search
            if self.objective.wall and k * gained <= FLAT * decrement and power <= 1e-2 * decrement:
                break
        return self._direction(masses, applied, decrement + power)

    def _direction(self, masses: Array, applied: Array, decrement: float) -> Direction:
        # where a cell is empty p follows from the others
        p = np.where(self.full, self.inverse * masses, -self.centred(self.gap + applied))
        return Direction(p, masses, float(np.vdot(self.gap, masses)), decrement)


def _lower(objective: SlicedObjective, now: Trial, along: Direction, rounding: float) -> Trial | None:
    """The lowest point of the curves along a direction, at the first share that lowers enough, or None."""
    share = 1.0
    while share > SHORTEST:
        best: Trial | None = None
        for trial in _curves(objective, now, along, share):
            if np.isfinite(trial.value) and (best is None or trial.value < best.value):
                best = trial
            if trial.value <= now.value + GOOD * share * along.slope:
                break
        allowed = rounding if share == 1 else 0.0
        if best is not None and best.value <= now.value + ARMIJO * share * along.slope + allowed:
            return best
        share *= 0.5
    return None


def _curves(objective: SlicedObjective, now: Trial, along: Direction, share: float) -> Iterator[Trial]:
    """In p, in r, by factors, all of the same tangent; the first is dear beside a power, and rare there."""
    dear = bool(objective.internal.powers) and objective.interior
    if not objective.wall and (share == 1 or not dear):
        yield objective.trial(now.p + share * along.p)
    if not objective.interior:
        return
    change = along.masses / objective.volume
    falling = change < 0
    reach = WALLED * float((-now.rho[falling] / change[falling]).min()) if falling.any() else np.inf
    yield objective.at(now.rho + min(share, reach) * change)
    ratio = share * change / np.where(now.rho > 0, now.rho, 1.0)
    rho = now.rho * np.where(ratio > 0, 1 + ratio, np.exp(np.minimum(ratio, 0.0)))
    yield objective.at(np.maximum(rho / (rho.sum() * objective.volume), EMPTY))
