"""Mixtures of Gaussians on the line: distribution function, density and quantile with accurate tails.

One place for `Mixture` and for the transport code, which works on each upper tail as the lower tail of
the mirrored law. Turned down: a general root finder, which solves cdf(y) = u to an absolute tolerance
and so loses the tails.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.special import ndtr, ndtri

NEWTON_STEPS = 100
SPENT = 4e-16  # relative to the place and its bracket: a Newton step below this is rounding


def mixture_cdf(y: np.ndarray, weights: np.ndarray, means: np.ndarray, stds: np.ndarray) -> np.ndarray:
    """sum_k weights_k Phi((y - means_k) / stds_k), y any shape; a component of width 0 is a step."""
    total = np.zeros_like(y)
    for w, m, s in zip(weights, means, stds, strict=True):
        total += w * (ndtr((y - m) / s) if s > 0 else y >= m)
    return total


def mixture_pdf(y: np.ndarray, weights: np.ndarray, means: np.ndarray, stds: np.ndarray) -> np.ndarray:
    """sum_k weights_k N(y; means_k, stds_k^2), y any shape, stds > 0."""
    total = np.zeros_like(y)
    for w, m, s in zip(weights, means, stds, strict=True):
        total += (w / s) * np.exp(-0.5 * ((y - m) / s) ** 2)
    return total / np.sqrt(2 * np.pi)


def mixture_quantile(u: np.ndarray, weights: np.ndarray, means: np.ndarray, stds: np.ndarray) -> np.ndarray:
    """The inverse of `mixture_cdf` for levels u (n,) in [0, 1] and stds > 0, infinite at 0 and 1.

    To full relative accuracy of u below the median; above it u itself carries 1e-16.
    """
    if weights.size == 1:
        return means[0] + stds[0] * ndtri(u)
    result = np.where(u <= 0, -np.inf, np.inf)
    inner = (u > 0) & (u < 1)
    low, high = _bracket(u[inner], means, stds)
    result[inner] = invert(
        u[inner],
        lambda y: mixture_cdf(y, weights, means, stds),
        lambda y: mixture_pdf(y, weights, means, stds),
        low,
        high,
    )
    return result


def _bracket(u: np.ndarray, means: np.ndarray, stds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The quantile of a mixture lies between the least and the greatest of its components'."""
    z = ndtri(u)
    low, high = np.full(u.shape, np.inf), np.full(u.shape, -np.inf)
    for m, s in zip(means, stds, strict=True):
        np.minimum(low, m + s * z, out=low)
        np.maximum(high, m + s * z, out=high)
    return low, high


def invert(
    u: np.ndarray,
    cdf: Callable[[np.ndarray], np.ndarray],
    pdf: Callable[[np.ndarray], np.ndarray],
    low: np.ndarray,
    high: np.ndarray,
) -> np.ndarray:
    """Solve cdf(y) = u in [low, high]: Newton on log cdf (nearly straight in a tail), else bisection."""
    y, todo = 0.5 * (low + high), np.arange(u.size)
    for _ in range(NEWTON_STEPS):
        here = y[todo]
        value = cdf(here)
        above = value > u[todo]
        high[todo] = np.where(above, here, high[todo])
        low[todo] = np.where(above, low[todo], here)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            step = here - (np.log(value) - np.log(u[todo])) * value / pdf(here)
        a, b = low[todo], high[todo]
        step = np.where((step >= a) & (step <= b), step, 0.5 * (a + b))
        y[todo] = step
        moved = np.abs(step - here) > SPENT * (np.abs(here) + b - a)
        todo = todo[moved & (b > a)]
        if todo.size == 0:
            break
    return y
