"""Bounds of gallery problems, and the kinds of their arguments: what several families share.

A box is chosen so that a grid scheme works out of the box: it holds the mass at every time up to
equilibrium (or to t = 1 where there is none) with at most 1e-10 outside, and little more than that.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.measures import Gaussian
from wgf.measures.gaussian import covariance_matrix, mean_kind

Bounds = tuple[tuple[float, float], ...]

DEVIATIONS = 7.0  # of a Gaussian, to each side: 3e-12 of the mass lies outside

numbers = checks.Kind(
    "a number or an array of numbers",
    lambda name, value, sizes: checks.as_float(name, value),
    (np.nan, np.inf, "a", [0.0, np.nan]),
)
dimension_kind = checks.integer(1)
mean_or_none = checks.optional(mean_kind)
numbers_or_none = checks.optional(numbers)
bounds_or_none = checks.optional(checks.bounds)


def initial_gaussian(dimension: int, mean: Any, cov: Any) -> Gaussian:
    """The Gaussian with this mean and cov, refused with a sentence when it is not of `dimension`."""
    center = np.broadcast_to(np.asarray(mean, dtype=float), (dimension,)) if np.size(mean) == 1 else mean
    if np.shape(center) != (dimension,):
        raise ValueError(f"mean must be a number or have shape ({dimension},), got {np.shape(mean)}.")
    covariance = covariance_matrix("cov", cov, dimension)
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        raise ValueError(f"cov must be positive definite, got {checks.shown(cov)}.")
    return Gaussian(center, covariance)


def box_around(measures: list[Any], deviations: float = DEVIATIONS) -> Bounds:
    """The smallest box holding every measure's mean +- `deviations` standard deviations."""
    means = np.array([measure.mean() for measure in measures])
    spreads = deviations * np.sqrt(np.array([np.diag(measure.cov()) for measure in measures]))
    low, high = (means - spreads).min(axis=0), (means + spreads).max(axis=0)
    return tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))


def chosen(bounds: Bounds | None, proposed: Bounds) -> Bounds:
    """The user's box when there is one (one pair serves every axis), else the proposed one."""
    if bounds is None:
        return proposed
    if len(bounds) == 1:
        return bounds * len(proposed)
    if len(bounds) != len(proposed):
        raise ValueError(f"bounds must be one pair or one per axis ({len(proposed)}), got {bounds!r}.")
    return bounds
