r"""Observed orders of convergence: what they are, and when a level may be left out.

An error e(h) = C h^p (1 + O(h)) seen at several h gives the order p. Two kinds of rows need two kinds
of evidence. Deterministic errors lie on a smooth curve: their pairwise orders move towards p in a
regular way, so the extrapolated order is the evidence. A regression interval is not: the residuals
are systematic, and the interval of a correct first-order scheme excludes 1 (it is a test of this
room). Errors over random seeds scatter: there the slope with a bootstrap interval over the seeds is
the evidence.

Levels are dropped only by the rules of `drops`, fixed in advance, never by eye.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.special import ndtr, stdtrit

from wgf import checks

EPS = float(np.finfo(np.float64).eps)
ROUND_OFF = 1e3 * EPS  # below it an error is rounding, not discretisation
REFERENCE_MARGIN = 10.0  # an error must be this many times the reference's own
NOISE_MARGIN = 5.0  # ... and this many times its Monte-Carlo floor
CONFIDENCE = 0.95
RESAMPLES = 4000  # the percentiles then move by about 1 % of the interval's width
PAIR_TOLERANCE = 0.1  # `Order.agrees`: the last pairwise order,
LIMIT_TOLERANCE = 0.05  # the extrapolated one,
GROWTH_TOLERANCE = 0.02  # the distance to the theory, below which its growth means nothing,
HALF_WIDTH = 0.25  # and the half width of an interval still called evidence


@dataclass(frozen=True)
class Order:
    """An observed order of convergence and the evidence for it.

    value: the last pairwise order (deterministic) or the slope over the kept levels (over seeds).
    extrapolated: the limit of the pairwise orders, NaN with fewer than two of them.
    pairwise: the order between each kept level and the next.
    interval: the 95 per cent bootstrap interval over the seeds, None for a deterministic row.
    levels: how many levels were kept; dropped: (level, why) of the others, levels counted from 0.

    >>> found = observed_order([0.4, 0.2, 0.1], [0.16, 0.04, 0.0])
    >>> round(found.value, 6), found.dropped
    (2.0, ((2, 'round-off: error below 1e3 eps'),))

    Roache, 1998, chapter 5.
    """

    value: float
    extrapolated: float
    pairwise: tuple[float, ...]
    interval: tuple[float, float] | None
    levels: int
    dropped: tuple[tuple[int, str], ...] = ()
    abscissa: str = "h"

    def agrees(self, expected: float) -> bool:
        """Whether the evidence supports the order `expected`.

        Deterministic: the last pairwise order within 0.1, the extrapolated one within 0.05, and the
        distances to `expected` not growing. Over seeds: the interval holds `expected` and is at most
        0.5 wide; a wide interval is a failure too.

        >>> observed_order([0.1, 0.05, 0.025], [1e-2, 2.5e-3, 6.25e-4]).agrees(2.0)
        True
        """
        if self.interval is not None:
            low, high = self.interval
            return bool(low <= expected <= high and high - low <= 2 * HALF_WIDTH)
        if len(self.pairwise) < 2:
            return False
        before, last = abs(self.pairwise[-2] - expected), abs(self.pairwise[-1] - expected)
        steady = last <= max(before, GROWTH_TOLERANCE)
        limit = abs(self.extrapolated - expected)
        return bool(last <= PAIR_TOLERANCE and limit <= LIMIT_TOLERANCE and steady)

    def __str__(self) -> str:
        """One sentence to print below a table."""
        if self.levels < 2:
            text = f"no order in {self.abscissa}: {self.levels} of the levels can be used"
        elif self.interval is not None:
            low, high = self.interval
            text = (
                f"order {self.value:.2f} in {self.abscissa} over {self.levels} levels, "
                f"95 % bootstrap interval [{low:.2f}, {high:.2f}]"
            )
        else:
            text = f"order in {self.abscissa}: pairwise " + " ".join(f"{p:.3f}" for p in self.pairwise)
            if math.isfinite(self.extrapolated):
                text += f", extrapolated {self.extrapolated:.3f}"
            text += f", {self.levels} levels"
        if self.dropped:
            text += "; dropped " + ", ".join(f"level {k + 1} ({why})" for k, why in self.dropped)
        return text + "."


def _seeds(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    result = checks.as_float(name, value)
    if result.ndim == 2:
        result = result[:, :, None]
    if result.ndim != 3 or result.shape[1] < 2 or result.size == 0:
        raise ValueError(
            f"{name} must have shape (levels, seeds) or (levels, seeds, k) with at least 2 seeds, "
            f"got {result.shape}."
        )
    if result.shape[0] != sizes.setdefault("levels", result.shape[0]):
        raise ValueError(f"{name} must have {sizes['levels']} levels, got {result.shape[0]}.")
    return result


samples_kind = checks.Kind(
    "deviations of shape (levels, seeds) or (levels, seeds, k)",
    _seeds,
    (np.ones(3), np.ones((3, 1)), np.zeros((0, 2)), np.full((3, 4), np.nan), "a", None),
)


def aggregate(samples: np.ndarray, how: Literal["rms", "bias"] = "rms") -> np.ndarray:
    """One error per level from deviations (levels, seeds, k): their RMS or the size of their mean.

    "rms" is sqrt(mean over seeds of |deviation|^2), bias and noise together; "bias" is the norm of the
    mean deviation, what is left of the noise being a standard error (`floors`). Returns (levels,).
    """
    if how == "rms":
        return np.sqrt(np.mean(np.sum(samples**2, axis=-1), axis=-1))
    return np.linalg.norm(samples.mean(axis=-2), axis=-1)


def floors(samples: np.ndarray, how: Literal["rms", "bias"] = "rms") -> np.ndarray:
    """The Monte-Carlo floor of each level's `aggregate`: the noise in it. Returns (levels,).

    The spread of one seed's deviation for "rms" (an RMS never falls below it), divided by the root of
    the number of seeds for "bias".
    """
    spread = np.sqrt(np.sum(samples.var(axis=-2, ddof=1), axis=-1))
    return spread if how == "rms" else spread / math.sqrt(samples.shape[-2])


def pairwise_orders(h: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """log(e_i / e_(i+1)) / log(h_i / h_(i+1)) for neighbouring levels. Shape (levels - 1,)."""
    return np.log(errors[:-1] / errors[1:]) / np.log(h[:-1] / h[1:])


def extrapolate(h: np.ndarray, pairwise: np.ndarray) -> float:
    """The limit of pairwise orders whose distance to it shrinks in proportion to h.

    For halved h this is 2 p_last - p_before. NaN with fewer than two pairwise orders.
    """
    if len(pairwise) < 2:
        return math.nan
    ratio = h[-2] / h[-1]
    return float(pairwise[-1] + (pairwise[-1] - pairwise[-2]) / (ratio - 1))


def drops(
    h: np.ndarray, errors: np.ndarray, reference_error: float, floor: np.ndarray | None
) -> tuple[tuple[int, str], ...]:
    """Which levels the rules leave out, and why: round-off, the reference, the Monte-Carlo floor.

    A level whose h an earlier one has (two dt that `solve` shrinks to the same) goes as well.
    """
    found: list[tuple[int, str]] = []
    for k, error in enumerate(errors):
        if h[k] in h[:k]:
            found.append((k, "same step as an earlier level"))
        elif error < ROUND_OFF:
            found.append((k, "round-off: error below 1e3 eps"))
        elif error < REFERENCE_MARGIN * reference_error:
            found.append((k, "error below 10 times the reference's own"))
        elif floor is not None and error < NOISE_MARGIN * floor[k]:
            found.append((k, "error below 5 times its Monte-Carlo floor"))
    return tuple(found)


def slope(h: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Least-squares slope of log(errors) over log(h), levels along the last axis."""
    x = np.log(h) - np.log(h).mean()
    return np.log(errors) @ x / (x @ x)


def bootstrap_interval(
    h: np.ndarray, samples: np.ndarray, how: Literal["rms", "bias"] = "rms", seed: int = 0
) -> tuple[float, float]:
    """The 95 per cent interval of the slope, resampling the seeds.

    A seed is drawn with all its levels, so common random numbers across levels are respected. Plain
    percentiles are too narrow for few seeds, by a factor of about sqrt((n - 1)/n) times the ratio of
    the normal to the Student quantile; the levels of the percentiles are widened accordingly
    (expanded percentiles: Hesterberg, The American Statistician 2015, section 5.2).
    """
    seeds = samples.shape[1]
    chosen = np.random.default_rng(seed).integers(0, seeds, size=(RESAMPLES, seeds))
    cells = chosen + seeds * np.arange(RESAMPLES)[:, None]
    shares = np.bincount(cells.ravel(), minlength=RESAMPLES * seeds).reshape(RESAMPLES, seeds) / seeds
    slopes = slope(h, np.stack([_resampled(level, shares, how) for level in samples], axis=-1))
    tail = 0.5 * (1 - CONFIDENCE)
    tail = ndtr(math.sqrt(seeds / (seeds - 1)) * stdtrit(seeds - 1, tail))
    low, high = np.quantile(slopes, [tail, 1 - tail])
    return float(low), float(high)


def _resampled(level: np.ndarray, shares: np.ndarray, how: Literal["rms", "bias"]) -> np.ndarray:
    """The aggregate of one level (seeds, k), each seed counted by its share in every resample (B, seeds)."""
    if how == "rms":
        return np.sqrt(shares @ np.sum(level**2, axis=-1))
    return np.linalg.norm(shares @ level, axis=-1)


@checks.checked(
    h=checks.array("levels"),
    errors=checks.array("levels"),
    reference_error=checks.nonnegative,
    samples=checks.optional(samples_kind),
    how=checks.choice("rms", "bias"),
    noise_is_error=checks.boolean,
    abscissa=checks.text,
    seed=checks.integer(0),
)
def observed_order(
    h: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
    *,
    reference_error: float = 0.0,
    samples: np.ndarray | None = None,
    how: Literal["rms", "bias"] = "rms",
    noise_is_error: bool = False,
    abscissa: str = "h",
    seed: int = 0,
) -> Order:
    """The order p in errors = C h^p, with the evidence that the kind of errors allows.

    h, errors: (levels,) positive step (or 1/cells, 1/particles) and error of each level, in any order;
    pairwise orders run from coarse to fine. Of levels with the same h the first counts.
    reference_error: the error of what the errors were measured against; 0 for an exact solution.
    samples: (levels, seeds) or (levels, seeds, k) deviations per seed, from which `errors` came by
    `aggregate(samples, how)`; without them the errors are taken as deterministic.
    noise_is_error: True when the noise itself is what refinement shrinks (an order in 1/particles), so
    that the Monte-Carlo floor drops nothing.

    >>> print(observed_order([0.1, 0.05, 0.025], [4e-2, 1e-2, 2.5e-3], abscissa="dt"))
    order in dt: pairwise 2.000 2.000, extrapolated 2.000, 3 levels.
    """
    steps, values = np.asarray(h), np.asarray(errors)
    if not (steps > 0).all():
        raise ValueError(f"h must be > 0 at every level, got {steps.min():g}.")
    if (values < 0).any():
        raise ValueError(f"errors must be >= 0, got {values.min():g}.")
    floor = None if samples is None or noise_is_error else floors(samples, how)
    dropped = drops(steps, values, reference_error, floor)
    left = {k for k, _ in dropped}
    kept = np.array([k for k in np.argsort(-steps, kind="stable") if k not in left], dtype=int)
    if len(kept) < 2:
        return Order(math.nan, math.nan, (), None, len(kept), dropped, abscissa)
    pairs = pairwise_orders(steps[kept], values[kept])
    limit = extrapolate(steps[kept], pairs)
    value, interval = float(pairs[-1]), None
    if samples is not None:
        value = float(slope(steps[kept], values[kept]))
        interval = bootstrap_interval(steps[kept], samples[kept], how, seed)
    return Order(value, limit, tuple(pairs.tolist()), interval, len(kept), dropped, abscissa)
