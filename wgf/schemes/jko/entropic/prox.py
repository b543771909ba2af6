r"""The pointwise step of entropic JKO: the density that trades distance to z in KL against energy.

prox(z) = argmin over rho > 0 of rho (log(rho / z) - 1) + r (U(rho) + V rho), that is
log rho + r (U'(rho) + V) = log z. In y = log rho the left side increases with a slope of at least 1, so
there is one root for every z > 0; logarithms keep it exact where z or rho would underflow.

Entropy D and at most one power, U' = D (log rho + 1) + c m/(m-1) rho^(m-1), has a closed form: with
k = 1 + r D, q = log z - r (V + D) and w = (r c m / k) rho^(m-1) it is w + log w = (m-1) q / k +
log(r c m / k), whose root w is the Wright omega function (Lambert's W of the exponential, which alone
would overflow). Sums of several powers take Newton's method on y.

Peyre, 2015 (entropic gradient flows by scaling); Corless & Jeffrey, 2002 (Wright omega).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import wrightomega

from wgf.schemes.internal_energy import InternalEnergy

Array = np.ndarray
SETTLED = 1e-15  # relative change of log rho at which Newton's method has nothing left to add
NEWTON = 100  # it needs 4 to 8; halving alone reaches rounding in 60
LARGE = 1.0  # of w: beyond, log rho is read from log w; below, from the equation itself


@dataclass(frozen=True, eq=False)
class Proximal:
    """The pointwise step of one JKO step: U, V at the cells (+inf in obstacles) and r = dt / epsilon.

    >>> import wgf
    >>> step = Proximal(InternalEnergy.of(wgf.internal(2)), 1.0, 3.0)
    >>> y = step.log_density(np.array([0.5]))
    >>> bool(abs(y[0] + 3.0 * (2 * np.exp(y[0]) + 1.0) - 0.5) < 1e-14)
    True
    """

    energy: InternalEnergy
    potential: Array | float
    ratio: float

    def log_density(self, log_z: Array) -> Array:
        """log rho of the minimiser; -inf where z is empty or V = +inf."""
        k = 1 + self.ratio * self.energy.diffusion
        q = (log_z - self.ratio * (self.potential + self.energy.diffusion)) / k
        if not self.energy.powers:
            return q
        result = np.full_like(q, -np.inf)
        filled = q > -np.inf
        solve = _one_power if len(self.energy.powers) == 1 else _newton
        result[filled] = solve(q[filled], tuple((self.ratio * c / k, m) for c, m in self.energy.powers))
        return result

    def response(self, log_rho: Array) -> Array:
        """d log rho / d log z = 1 / (1 + r p'(rho)), p' = D + sum c m rho^(m-1)."""
        steepness = np.full_like(log_rho, self.energy.diffusion)
        for c, m in self.energy.powers:
            steepness += c * m * np.exp((m - 1) * log_rho)
        return 1 / (1 + self.ratio * steepness)


def _one_power(q: Array, powers: tuple[tuple[float, float], ...]) -> Array:
    """y of y + c m/(m-1) exp((m-1) y) = q."""
    ((c, m),) = powers
    start = (m - 1) * q
    shift = np.log(c * m)
    w = wrightomega(start + shift)
    with np.errstate(divide="ignore"):
        return np.where(w > LARGE, np.log(w) - shift, start - w) / (m - 1)


def _newton(q: Array, powers: tuple[tuple[float, float], ...]) -> Array:
    """y of y + sum of c m/(m-1) exp((m-1) y) = q: Newton's method, halving its bracket where it is slow.

    The left side rises at least like y, so a residual f at y brackets the root between y - f and y. The
    start, the root with slow (m > 1) or with fast (m < 1) terms alone, is one where nothing overflows.
    """
    slow = [_one_power(q, (p,)) for p in powers if p[1] > 1]
    fast = [_one_power(q, (p,)) for p in powers if p[1] < 1]
    upper = np.min(slow, axis=0) if slow else np.max(fast, axis=0)
    lower = np.max(fast, axis=0) if fast else upper
    y = np.where(q > 0, upper, lower)
    value, slope = _residual(y, q, powers)
    low, high = y - np.maximum(value, 0.0), y - np.minimum(value, 0.0)
    for _ in range(NEWTON):
        newton = y - value / slope
        inside = (newton >= low) & (newton <= high)
        new = np.where(inside, newton, 0.5 * (low + high))
        move, y = new - y, new
        if (np.abs(move) <= SETTLED * np.maximum(1.0, np.abs(y))).all():
            break
        value, slope = _residual(y, q, powers)
        low, high = np.where(value <= 0, y, low), np.where(value >= 0, y, high)
    return y


def _residual(y: Array, q: Array, powers: tuple[tuple[float, float], ...]) -> tuple[Array, Array]:
    value, slope = y - q, np.ones_like(y)
    for c, m in powers:
        term = c * m * np.exp((m - 1) * y)
        value += term / (m - 1)
        slope += term
    return value, slope
