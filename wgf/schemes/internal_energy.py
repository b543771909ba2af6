"""The pointwise part of an energy, U(rho): its derivatives, its inverse and its convex conjugate.

Grid and JKO schemes meet the entropy and internal energies only through these functions of one number.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wgf.energies import Energy

Array = np.ndarray
LEAST_LOG, MOST_LOG = -700.0, 300.0  # of a density looked for by Newton: beyond, doubles end
NEWTON = 80  # iterations at most; halving the bracket alone takes 62
SETTLED = 4e-16  # relative change of log rho at which Newton's method has nothing left to add


@dataclass(frozen=True)
class InternalEnergy:
    """U(rho) = D rho log rho + sum over terms of c rho^m / (m - 1), convex, U(0) = 0.

    diffusion: D >= 0. powers: pairs (c, m), c > 0, m > 0, m != 1. All methods are elementwise.

    >>> import wgf
    >>> energy = InternalEnergy.of(wgf.internal(2))
    >>> energy.derivative(np.array([0.5])).tolist(), energy.inverse(np.array([1.0, -3.0])).tolist()
    ([1.0], [0.5, 0.0])

    McCann, 1997 (pressures and displacement convexity).
    """

    diffusion: float
    powers: tuple[tuple[float, float], ...]

    @classmethod
    def of(cls, energy: Energy) -> InternalEnergy:
        """The entropy and internal terms of an energy; terms of the same power are one."""
        total: dict[float, float] = {}
        for c, m in energy.powers:
            total[m] = total.get(m, 0.0) + c
        return cls(energy.diffusion, tuple((c, m) for m, c in total.items()))

    @property
    def trivial(self) -> bool:
        """True when U = 0."""
        return not self.diffusion and not self.powers

    @cached_property
    def floor(self) -> float:
        """U'(0+): below this value of the multiplier a point is empty; -inf when mass is everywhere."""
        singular = self.diffusion or any(m < 1 for _, m in self.powers)
        return -np.inf if singular else 0.0

    @cached_property
    def ceiling(self) -> float:
        """The supremum of U': inf, but 0 for fast diffusion alone."""
        bounded = not self.diffusion and all(m < 1 for _, m in self.powers)
        return 0.0 if bounded and self.powers else np.inf

    def value(self, rho: Array) -> Array:
        """U(rho), 0 at 0 and below: what rounding leaves negative has no energy."""
        full = np.maximum(rho, 0.0)
        result = np.zeros_like(full)
        if self.diffusion:
            result += self.diffusion * full * np.log(np.where(full > 0, full, 1.0))
        for c, m in self.powers:
            result += c / (m - 1) * full**m
        return result

    def derivative(self, rho: Array) -> Array:
        """U'(rho) = D (log rho + 1) + sum c m/(m-1) rho^(m-1); at 0 its limit, perhaps -inf."""
        result = np.zeros_like(rho)
        with np.errstate(divide="ignore"):
            if self.diffusion:
                result += self.diffusion * (np.log(rho) + 1)
            for c, m in self.powers:
                result += c * m / (m - 1) * (rho if m == 2 else rho ** (m - 1))
        return result

    def second(self, rho: Array) -> Array:
        """U''(rho) = D/rho + sum c m rho^(m-2); at 0 its limit, perhaps inf."""
        result = np.zeros_like(rho)
        with np.errstate(divide="ignore", over="ignore"):
            if self.diffusion:
                result += self.diffusion / rho
            for c, m in self.powers:
                result += 2 * c if m == 2 else c * m * rho ** (m - 2)
        return result

    def pressure(self, rho: Array) -> Array:
        """p = rho U' - U = D rho + sum c rho^m: grad p is the force of diffusion."""
        result = self.diffusion * rho
        for c, m in self.powers:
            result = result + c * rho**m
        return result

    def inverse(self, p: Array) -> Array:
        """The density at which U' = p, 0 where p <= U'(0+), inf where p reaches the supremum of U'."""
        if self.diffusion and not self.powers:
            with np.errstate(over="ignore"):
                return np.exp(p / self.diffusion - 1)
        if len(self.powers) == 1 and not self.diffusion:
            return self._power_inverse(p, *self.powers[0])
        return self._newton_inverse(np.asarray(p, dtype=np.float64))

    def slope(self, p: Array) -> Array:
        """The derivative of `inverse`: 1 / U'' on the support, 0 off it."""
        rho = self.inverse(p)
        with np.errstate(divide="ignore"):
            return np.where(rho > 0, 1 / self.second(np.where(rho > 0, rho, 1.0)), 0.0)

    def conjugate(self, p: Array) -> Array:
        """U*(p) = sup over rho >= 0 of p rho - U(rho), the pressure at the density `inverse(p)`."""
        return self.pressure(self.inverse(p))

    def _power_inverse(self, p: Array, c: float, m: float) -> Array:
        if m == 2:
            return np.maximum(p, 0.0) / (2 * c)
        scaled = np.maximum(p * ((m - 1) / (c * m)), 0.0)
        with np.errstate(divide="ignore", over="ignore"):
            return scaled ** (1 / (m - 1))

    def _newton_inverse(self, p: Array) -> Array:
        """Newton's method on y = log rho, in which U' increases; where it is slow the bracket is halved."""
        result = np.zeros_like(p)
        inside = (p > self.floor) & (p < self.ceiling)
        result[p >= self.ceiling] = np.inf
        goal = p[inside]
        low, high = np.full_like(goal, LEAST_LOG), np.full_like(goal, MOST_LOG)
        y = self._first_guess(goal)
        last = high - low
        for _ in range(NEWTON):
            rho = np.exp(y)
            with np.errstate(over="ignore", invalid="ignore"):  # a first guess may be astronomically large
                gap = self.derivative(rho) - goal
                newton = -gap / (rho * self.second(rho))
            low, high = np.where(gap <= 0, y, low), np.where(gap >= 0, y, high)
            fast = (y + newton > low) & (y + newton < high) & (np.abs(newton) <= 0.5 * np.abs(last))
            move = np.where(fast | (gap == 0), newton, 0.5 * (low + high) - y)
            y, last = y + move, move
            if (np.abs(move) <= SETTLED * np.maximum(1.0, np.abs(y))).all():
                break
        result[inside] = np.exp(y)
        return result

    def _first_guess(self, goal: Array) -> Array:
        """The least log rho that one term alone would give."""
        parts = [InternalEnergy(self.diffusion, ())] if self.diffusion else []
        parts += [InternalEnergy(0.0, (term,)) for term in self.powers]
        with np.errstate(divide="ignore"):
            logs = np.array([np.log(part.inverse(goal)) for part in parts])
        return np.clip(np.min(logs, axis=0), LEAST_LOG + 1, MOST_LOG - 1)
