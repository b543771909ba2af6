"""How far a noisy answer may be from the truth, with a stated false-alarm probability.

A stochastic scheme is run with several independent seeds. The spread between the runs measures the noise
of whatever the scheme does, correlated particles included, so no sampling formula is assumed; the mean of the
runs is then held to the truth within a deterministic allowance plus t times its standard error.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.stats import t as student

FALSE_ALARM = 1e-6  # probability that a right scheme fails one statistical check
SEEDS = 16  # below 8 the t quantile at 1e-6 explodes, beyond 32 little is gained


def quantile(comparisons: int, freedom: float, sides: int = 2) -> float:
    """The t quantile that `comparisons` right means together exceed with probability FALSE_ALARM."""
    return float(student.isf(FALSE_ALARM / (sides * comparisons), freedom))


def mean_bound(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean over the replicates (first axis) of a vector, and the noise it may carry, each component."""
    samples = np.asarray(samples, dtype=float)
    replicates = len(samples)
    factor = quantile(max(samples[0].size, 1), replicates - 1)
    return samples.mean(axis=0), factor * samples.std(axis=0, ddof=1) / np.sqrt(replicates)


def difference_bound(first: Any, second: Any) -> tuple[float, float]:
    """Difference of the means of two samples and its one-sided noise allowance (Welch)."""
    a, b = np.asarray(first, dtype=float), np.asarray(second, dtype=float)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    if va + vb == 0:
        return float(a.mean() - b.mean()), 0.0
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    return float(a.mean() - b.mean()), quantile(1, freedom, sides=1) * float(np.sqrt(va + vb))
