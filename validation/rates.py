"""Observed orders of convergence, and how to quote them.

Deterministic errors: pairwise orders log(e_i / e_(i+1)) / log(s_i / s_(i+1)) and, because they approach
the theory with an error that halves at each level, their extrapolation 2 p_last - p_before. No
regression interval: residuals of deterministic errors are systematic, and the interval rejects correct
schemes. Noisy errors: a bootstrap interval over seeds. (Roache, 1998, chapter 5, for the first;
Efron and Tibshirani, 1993, chapter 13, for the second.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

RESAMPLES = 2000
STEPS = ("dt", "z")  # parameters that are step sizes themselves; all others are counts, the step is 1/count


def pairwise_orders(steps: Sequence[float], errors: Sequence[float]) -> list[float]:
    """One order per neighbouring pair; NaN where an error is not positive.

    >>> pairwise_orders([0.2, 0.1, 0.05], [0.4, 0.1, 0.025])
    [2.0, 2.0]
    """
    pairs = zip(steps[:-1], steps[1:], errors[:-1], errors[1:], strict=True)
    return [
        math.log(e / f) / math.log(s / t) if e > 0 and f > 0 and s != t else math.nan for s, t, e, f in pairs
    ]


def extrapolate(orders: Sequence[float]) -> float:
    """2 p_last - p_before, the order that the pairwise ones tend to when their error halves per level.

    >>> extrapolate([0.98, 0.99])
    1.0
    """
    return 2 * orders[-1] - orders[-2] if len(orders) > 1 else math.nan


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """Growth exponent p of cost ~ size^p by least squares on the logarithms (at least three sizes).

    >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 12)
    1.0
    """
    if len(sizes) < 3:
        raise ValueError(f"sizes must have at least 3 entries to fit an exponent, got {len(sizes)}.")
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


@dataclass(frozen=True)
class Ladder:
    """Errors of a deterministic scheme over refinement levels, coarsest first.

    parameter: what is refined ("dt", "cells", "levels"); values: its levels; errors: one per level.
    """

    title: str
    parameter: str
    values: tuple[float, ...]
    errors: tuple[float, ...]
    norm: str = "L1"

    @property
    def steps(self) -> list[float]:
        """The small parameter: dt itself, else 1/value."""
        return [v if self.parameter in STEPS else 1 / v for v in self.values]

    @property
    def orders(self) -> list[float]:
        """Pairwise orders, one fewer than levels."""
        return pairwise_orders(self.steps, self.errors)

    @property
    def extrapolated(self) -> float:
        """The order the pairwise ones tend to."""
        return extrapolate(self.orders)

    @property
    def finest(self) -> float:
        """The error at the last level."""
        return float(self.errors[-1])

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """(value, error, pairwise order) as text, for a table."""
        orders = ["", *(f"{order:.3f}" for order in self.orders)]
        cells = zip(self.values, self.errors, orders, strict=True)
        return [(f"{value:g}", f"{error:.3e}", order) for value, error, order in cells]

    def __str__(self) -> str:
        return f"order {self.extrapolated:.3f} (last {self.orders[-1]:.3f})"


@dataclass(frozen=True)
class NoisyLadder:
    """Signed errors of a stochastic scheme, `samples` of shape (seeds, levels), coarsest level first.

    combine: "mean" for a bias (|mean over seeds|), "rms" for an error that is all noise.
    fit: "extrapolated" (a bias has pre-asymptotic terms) or "slope" (pure power of the size).
    """

    title: str
    parameter: str
    values: tuple[float, ...]
    samples: np.ndarray
    norm: str = "mean"
    combine: str = "mean"
    fit: str = "extrapolated"
    _cache: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def errors(self) -> np.ndarray:
        """Combined error per level over all seeds, shape (1, levels)."""
        return self._combined(self.samples[None])

    def _combined(self, samples: np.ndarray) -> np.ndarray:
        if self.combine == "rms":
            return np.sqrt((samples**2).mean(1))
        return np.abs(samples.mean(1))

    @property
    def steps(self) -> np.ndarray:
        """The small parameter: dt or z itself, else 1/value."""
        values = np.asarray(self.values, float)
        return values if self.parameter in STEPS else 1 / values

    def _orders(self, errors: np.ndarray) -> np.ndarray:
        """The fitted order of each row of errors (rows, levels)."""
        x, y = np.log(self.steps), np.log(errors)
        if self.fit == "slope":
            x = x - x.mean()
            return (y @ x) / (x @ x)
        pairwise = np.diff(y, axis=1) / np.diff(x)
        return 2 * pairwise[:, -1] - pairwise[:, -2]

    @property
    def value(self) -> float:
        """The observed order over all seeds."""
        return float(self._orders(self.errors)[0])

    @property
    def interval(self) -> tuple[float, float]:
        """95 per cent percentile bootstrap interval of the order, resampling whole seeds."""
        if "interval" not in self._cache:
            rng = np.random.default_rng(2024)  # the interval of the same data is always the same
            seeds = len(self.samples)
            picks = rng.integers(seeds, size=(RESAMPLES, seeds))
            orders = self._orders(self._combined(self.samples[picks]))
            low, high = np.quantile(orders, [0.025, 0.975])
            self._cache["interval"] = (float(low), float(high))
        return self._cache["interval"]

    @property
    def finest(self) -> float:
        """The combined error at the last level."""
        return float(self.errors[0, -1])

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """(value, error, standard error over seeds) as text, for a table."""
        spread = self.samples.std(0, ddof=1) / math.sqrt(len(self.samples))
        cells = zip(self.values, self.errors[0], spread, strict=True)
        return [(f"{value:g}", f"{error:.3e}", f"{noise:.1e}") for value, error, noise in cells]

    def __str__(self) -> str:
        low, high = self.interval
        return f"order {self.value:.3f} [{low:.3f}, {high:.3f}]"
