"""Uniform: the flat density on a box."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from wgf import checks
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations
from wgf.measures.gaussian import on_the_line


@final
class Uniform:
    """The uniform law on a box: bounds (low, high), or one such pair per axis.

    >>> u = Uniform((0, 2))
    >>> float(u.pdf([1.0])), float(u.mean()[0]), float(u.cov()[0, 0].round(4))
    (0.5, 1.0, 0.3333)
    """

    kind = "uniform"
    mass = 1.0

    @checks.checked(bounds=checks.bounds)
    def __init__(self, bounds: Any) -> None:
        self.bounds = bounds
        self._low, self._high = frozen(bounds).T
        self._sides = self._high - self._low

    def __repr__(self) -> str:
        return f"Uniform({list(self.bounds)})"

    @property
    def dimension(self) -> int:
        """d."""
        return len(self.bounds)

    def mean(self) -> np.ndarray:
        """The centre, (d,)."""
        return 0.5 * (self._low + self._high)

    def cov(self) -> np.ndarray:
        """The covariance, (d, d): side^2 / 12 on the diagonal."""
        return np.diag(self._sides**2 / 12)

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        x = locations(self.dimension, x)
        inside = ((x >= self._low) & (x <= self._high)).all(-1)
        return inside / np.prod(self._sides)

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d); -inf outside the box."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(x))

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., d): zero."""
        return np.zeros_like(locations(self.dimension, x))

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d); rng is an int or a Generator."""
        return self._low + self._sides * rng.random((n, self.dimension))

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function on the line, x any shape."""
        on_the_line(self)
        return np.clip((x - self._low[0]) / self._sides[0], 0, 1)

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function on the line, u in [0, 1] any shape."""
        on_the_line(self)
        return self._low[0] + self._sides[0] * u

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"bounds": np.array(self.bounds)}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Uniform:
        """The inverse of `arrays`."""
        return cls(arrays["bounds"])
