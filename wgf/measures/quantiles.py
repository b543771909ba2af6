"""Quantiles: a measure on the line as edges carrying fixed masses (a piecewise linear quantile function)."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from wgf import checks
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations


@final
class Quantiles:
    """Cells [edges_i, edges_{i+1}] of masses_i, density masses / width constant in each.

    edges: (N + 1,) strictly increasing. masses: (N,) >= 0 summing to 1.

    >>> q = Quantiles([0.0, 1.0, 3.0], [0.5, 0.5])
    >>> float(q.mean()[0]), float(q.quantile(0.75))
    (1.25, 2.0)
    """

    kind = "quantiles"
    dimension = 1

    @checks.checked(edges=checks.array("edges"), masses=checks.weights("cells"))
    def __init__(self, edges: Any, masses: Any) -> None:
        if edges.size != masses.size + 1:
            raise ValueError(f"edges must be one more than the {masses.size} masses, got {edges.size}.")
        if not (np.diff(edges) > 0).all():
            where = int(np.argmin(np.diff(edges)))
            raise ValueError(f"edges must increase strictly, got {edges[where]} then {edges[where + 1]}.")
        self._set(edges, masses)

    def _set(self, edges: Any, masses: Any) -> None:
        self.edges, self.masses = frozen(edges), frozen(masses)
        self._cumulative = np.concatenate([[0.0], np.cumsum(self.masses)])

    def __repr__(self) -> str:
        return f"Quantiles({len(self.masses)} cells on [{self.edges[0]:g}, {self.edges[-1]:g}])"

    @property
    def mass(self) -> float:
        """Sum of the masses: 1 up to rounding."""
        return float(self.masses.sum())

    @property
    def widths(self) -> np.ndarray:
        """Cell widths, (N,)."""
        return np.diff(self.edges)

    def mean(self) -> np.ndarray:
        """The mean, (1,)."""
        return np.array([self.masses @ (0.5 * (self.edges[:-1] + self.edges[1:]))])

    def cov(self) -> np.ndarray:
        """The variance, (1, 1), exact for the piecewise constant density."""
        middle = 0.5 * (self.edges[:-1] + self.edges[1:]) - self.mean()
        return np.array([[self.masses @ (middle**2 + self.widths**2 / 12)]])

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., 1): constant in each cell, 0 outside."""
        point = locations(1, x)[..., 0]
        index = np.searchsorted(self.edges, point, side="right") - 1
        inside = (point >= self.edges[0]) & (point <= self.edges[-1])
        index = np.clip(index, 0, len(self.masses) - 1)
        return np.where(inside, (self.masses / self.widths)[index], 0.0)

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., 1); -inf outside."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(x))

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, 1); rng is an int or a Generator."""
        return self.quantile(rng.random(n))[:, None]

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function, x any shape: piecewise linear."""
        return np.interp(x, self.edges, self._cumulative)

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function, u in [0, 1] any shape."""
        return np.interp(u * self._cumulative[-1], self._cumulative, self.edges)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"edges": self.edges, "masses": self.masses}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Quantiles:
        """The inverse of `arrays`, without renormalising: bits are kept."""
        result = cls.__new__(cls)
        result._set(arrays["edges"], arrays["masses"])
        return result
