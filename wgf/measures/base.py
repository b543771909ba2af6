"""What a measure is, and the two doors through which users' measures come in.

A Protocol and not a base class: anything with these methods is a measure, a user's own class too.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures.user import UserMeasure, is_complete

NEGATIVE_TOLERANCE = 1e-12  # of the largest value: rounding of a solve, not a lost positivity

# Reference bad values of a measure argument; shared by every callable that takes one.
BAD_MEASURES = (3.0, "x", None, float("nan"), [1.0, float("nan")], np.zeros((0, 2)))


@runtime_checkable
class Measure(Protocol):
    """A probability measure on R^d.

    dimension: d. mean() (d,), cov() (d, d), sample(n, rng) (n, d).
    Kinds with a density have pdf(x), log_density(x): (..., d) -> (...), score(x): (..., d) -> (..., d).
    """

    @property
    def dimension(self) -> int:
        """d."""
        ...

    def mean(self) -> np.ndarray:
        """The mean, (d,)."""
        ...

    def cov(self) -> np.ndarray:
        """The covariance, (d, d)."""
        ...

    def sample(self, n: int, rng: int | np.random.Generator) -> np.ndarray:
        """n points, (n, d)."""
        ...


@runtime_checkable
class HasDensity(Protocol):
    """A measure that knows its density."""

    @property
    def dimension(self) -> int:
        """d."""
        ...

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        ...


def _measure(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if isinstance(value, type) or not (hasattr(value, "sample") or hasattr(value, "pdf")):
        raise checks.refuse(name, "a measure (Gaussian, Density, Particles, ...)", value, TypeError)
    return value if is_complete(value) else UserMeasure(value)


measure = checks.Kind("a measure", _measure, BAD_MEASURES)


def locations(dimension: int, x: Any) -> np.ndarray:
    """`x` as float points of shape (..., d), refused when the last axis is not d."""
    result = checks.as_float("x", x)
    if result.ndim == 0 or result.shape[-1] != dimension:
        raise ValueError(
            f"x must have shape (..., {dimension}), got {result.shape}."
            + (" On the line write x[:, None]." if dimension == 1 else "")
        )
    return result


def _points(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    result = checks.as_float(name, value)
    if result.ndim == 0:
        raise ValueError(f"{name} must have shape (..., d), got ().")
    return result


def _levels(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    result = checks.as_float(name, value)
    if result.size and (result.min() < 0 or result.max() > 1):
        raise ValueError(f"{name} must lie in [0, 1], got values from {result.min():g} to {result.max():g}.")
    return result


_NAN = np.array([np.nan])
# Points of a measure, whose methods hold the last axis to its dimension by `locations`.
location_kind = checks.Kind(
    "points of shape (..., d)",
    lambda name, value, sizes: value,
    (_NAN, np.array(0.0), np.zeros((2, 7)), "a", None),
)
points_kind = checks.Kind("points of shape (..., d)", _points, (_NAN, np.array(0.0), "a", None))
line_kind = checks.Kind(
    "real numbers", lambda name, value, sizes: checks.as_float(name, value), (_NAN, np.inf, "a", None)
)
level_kind = checks.Kind("probability levels in [0, 1]", _levels, (np.nan, -0.1, 1.5, "a", None))


def require_density(value: Any, name: str, purpose: str) -> HasDensity:
    """`value` when it has a density, else a MeasureError saying who needed it and the way out."""
    if not hasattr(value, "pdf"):
        raise MeasureError(
            f"{purpose} needs a density, and {name} is a {type(value).__name__}, which has none. "
            "Use Mixture.kde(x, bandwidth) or Density.from_measure(particles, grid)."
        )
    return value


def nonnegative(values: np.ndarray, name: str) -> np.ndarray:
    """Values of a density with negatives of the size of rounding as 0; a real negative one is refused."""
    smallest = float(values.min())
    if smallest < -NEGATIVE_TOLERANCE * float(values.max()):
        raise MeasureError(
            f"{name} has a negative cell ({smallest:.2e}): it is no probability measure. "
            "Take a smaller dt, or a scheme that stays positive."
        )
    return np.maximum(values, 0.0)


def frozen(x: Any) -> np.ndarray:
    """A private read-only float64 copy: measures are values."""
    result = np.array(x, dtype=np.float64)
    result.flags.writeable = False
    return result
