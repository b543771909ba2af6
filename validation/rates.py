"""Ladders: errors over refinement levels, as claims measure them and result pages show them.

The order of a ladder is what `wgf.studies.observed_order` says of it: pairwise and extrapolated orders of
deterministic errors, the slope with a bootstrap interval over seeds of noisy ones. One arithmetic of
orders serves the package and its claims; `tests/validation/test_claims.py` holds it to ladders made by
hand.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from wgf.studies import Order, observed_order
from wgf.studies.orders import aggregate, slope


def exponent(sizes: Sequence[float] | np.ndarray, costs: Sequence[float] | np.ndarray) -> float:
    """Growth exponent p of cost ~ size^p by least squares on the logarithms (at least three sizes).

    >>> round(exponent([10, 100, 1000], [2.0, 20.0, 200.0]), 12)
    1.0
    """
    if len(sizes) < 3:
        raise ValueError(f"sizes must have at least 3 entries to fit an exponent, got {len(sizes)}.")
    return float(slope(np.asarray(sizes, float), np.asarray(costs, float)))


@dataclass(frozen=True, eq=False)
class Ladder:
    """Errors over refinement levels, coarsest first.

    parameter: what is refined: "dt", else a count ("cells", "levels", "particles"), whose step is 1/count.
    values: its levels; errors: one per level. samples: (levels, seeds) signed deviations per seed, for an
    error that is noisy (`noisy`); how: how they were combined, "bias" or "rms".
    """

    title: str
    parameter: str
    values: Sequence[float]
    errors: Sequence[float] | np.ndarray
    norm: str = "L1"
    samples: np.ndarray | None = None
    how: Literal["rms", "bias"] = "rms"

    @classmethod
    def noisy(
        cls,
        title: str,
        parameter: str,
        values: Sequence[float],
        samples: np.ndarray,
        norm: str,
        how: Literal["rms", "bias"],
    ) -> Ladder:
        """The ladder of a stochastic scheme from its deviations (levels, seeds).

        how: "bias" for the size of the mean deviation, "rms" for an error that is all noise.
        """
        return cls(title, parameter, values, aggregate(samples[:, :, None], how), norm, samples, how)

    @property
    def steps(self) -> np.ndarray:
        """The small parameter: dt itself, else 1/value."""
        values = np.asarray(self.values, float)
        return values if self.parameter == "dt" else 1 / values

    @functools.cached_property
    def order(self) -> Order:
        """The observed order; raises ValueError for an error that is negative or not finite."""
        return observed_order(
            self.steps,
            self.errors,
            samples=self.samples,
            how=self.how,
            noise_is_error=self.how == "rms",
            abscissa="dt" if self.parameter == "dt" else f"1/{self.parameter}",
        )

    @property
    def quoted(self) -> float:
        """The one number for the order: extrapolated, or the slope of a noisy ladder."""
        return self.order.extrapolated if self.samples is None else self.order.value

    @property
    def finest(self) -> float:
        """The error at the last level."""
        return float(self.errors[-1])

    @property
    def rows(self) -> list[tuple[str, str, str]]:
        """(value, error, pairwise order or standard error over seeds) as text, for a table."""
        if self.samples is not None:
            spread = self.samples.std(axis=1, ddof=1) / math.sqrt(self.samples.shape[1])
            last = [f"{noise:.1e}" for noise in spread]
        else:
            kept = iter(("", *(f"{order:.3f}" for order in self.order.pairwise)))
            why = dict(self.order.dropped)
            last = [f"dropped: {why[k]}" if k in why else next(kept, "") for k in range(len(self.values))]
        cells = zip(self.values, self.errors, last, strict=True)
        return [(f"{value:g}", f"{error:.3e}", text) for value, error, text in cells]

    def __str__(self) -> str:
        order = self.order
        if order.levels < 2:
            return "no order"
        if order.interval is not None:
            low, high = order.interval
            return f"order {self.quoted:.3f} [{low:.3f}, {high:.3f}]"
        return f"order {self.quoted:.3f} (last {order.value:.3f})"
