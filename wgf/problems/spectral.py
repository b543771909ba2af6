r"""Reference solutions of linear Fokker-Planck equations on an interval, exact in practice.

Polynomials orthonormal for the Gibbs weight pi = exp(-V/D) diagonalise nothing, but nearly: the
Galerkin matrix of the generator in them is small, symmetric, has eigenvalue 0 exactly, and its
natural boundary condition is the no-flux one. With degree 120 to 200 the double well's spectrum and
densities carry 12 digits. Turned down: sine and Legendre bases, which lose digits to the size of their
largest eigenvalues (N^2 and N^4); finite volumes, which are second order and cannot referee themselves.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, final

import numpy as np
from numpy.polynomial import legendre

from wgf import checks
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations
from wgf.schemes.grid.spectral.axis import NODES, ORDER, WEIGHTS, Polynomials, panels

Function = Callable[[np.ndarray], np.ndarray]

PANELS = 60  # of the interval; their 1200 nodes resolve products of polynomials up to DEGREES[-1]
DEGREES = (120, 200, 320)  # tried in turn until the initial density is resolved
RESOLVED = 1e-10  # relative error of the densities below which a reference deserves the name
BISECTIONS = 60  # halvings of a panel: to rounding

# Values at the nodes of a panel -> Legendre coefficients there (discrete orthogonality, exact).
TO_SERIES = (np.arange(ORDER) + 0.5)[:, None] * legendre.legvander(NODES, ORDER - 1).T * WEIGHTS


@final
class LineDensity:
    """A density on an interval, as one Legendre series per panel: a measure with 15 digits.

    edges: (p + 1,) increasing; values: (p, 20) densities at the Gauss points of each panel. Outside the
    interval the density is 0. It is normalised to mass 1.
    """

    kind = "line-density"
    dimension = 1

    def __init__(self, edges: np.ndarray, values: np.ndarray) -> None:
        self.edges = frozen(edges)
        half = 0.5 * np.diff(self.edges)
        total = (half[:, None] * WEIGHTS * values).sum()
        self.values = frozen(values / total)
        self._half = half
        self._series = (self.values @ TO_SERIES.T).T
        self._slope = legendre.legder(self._series)
        primitive = legendre.legint(self._series, lbnd=-1) * half
        self._below = np.concatenate([[0.0], np.cumsum(legendre.legval(1.0, primitive))])
        self._primitive = primitive

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"edges": self.edges, "values": self.values}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> LineDensity:
        """The inverse of `arrays`."""
        return cls(arrays["edges"], arrays["values"])

    def _evaluate(self, series: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The panel of every x (any shape) and the panel's series there."""
        panel = np.clip(np.searchsorted(self.edges, x, side="right") - 1, 0, len(self._half) - 1)
        local = (x - self.edges[panel]) / self._half[panel] - 1
        return panel, legendre.legval(np.clip(local, -1, 1), series[:, panel], tensor=False)

    def _density(self, x: np.ndarray) -> np.ndarray:
        inside = (x >= self.edges[0]) & (x <= self.edges[-1])
        # Where the true density is below 1e-17 of its maximum, rounding may have the wrong sign.
        return np.where(inside, np.maximum(self._evaluate(self._series, x)[1], 0.0), 0.0)

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., 1)."""
        return self._density(locations(1, x)[..., 0])

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., 1); -inf outside the interval."""
        with np.errstate(divide="ignore"):
            return np.log(self._density(locations(1, x)[..., 0]))

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """(log pdf)' at x (..., 1); meaningful where the density is above 1e-12 of its maximum."""
        line = locations(1, x)
        panel, slope = self._evaluate(self._slope, line)
        with np.errstate(divide="ignore", invalid="ignore"):
            return slope / self._half[panel] / self._density(line)

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function, x any shape."""
        panel, part = self._evaluate(self._primitive, checks.as_float("x", x))
        return np.clip(self._below[panel] + part, 0.0, 1.0)

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function, u in [0, 1] any shape, by bisection inside the panel."""
        u = checks.as_float("u", u)
        if u.size and (u.min() < 0 or u.max() > 1):
            raise ValueError(f"u must lie in [0, 1], got values from {u.min():g} to {u.max():g}.")
        panel = np.clip(np.searchsorted(self._below, u, side="right") - 1, 0, len(self._half) - 1)
        series, rest = self._primitive[:, panel], u - self._below[panel]
        low, high = np.full(u.shape, -1.0), np.ones(u.shape)
        for _ in range(BISECTIONS):
            middle = 0.5 * (low + high)
            beyond = legendre.legval(middle, series, tensor=False) > rest
            low, high = np.where(beyond, low, middle), np.where(beyond, middle, high)
        return self.edges[panel] + (0.5 * (low + high) + 1) * self._half[panel]

    def moment(self, power: int) -> float:
        """The integral of x^power times the density."""
        x = self.edges[:-1, None] + self._half[:, None] * (NODES + 1)
        return float((self._half[:, None] * WEIGHTS * self.values * x**power).sum())

    def mean(self) -> np.ndarray:
        """The mean, (1,)."""
        return np.array([self.moment(1)])

    def cov(self) -> np.ndarray:
        """The variance as a (1, 1) matrix."""
        return np.array([[self.moment(2) - self.moment(1) ** 2]])

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, 1), by the quantile function; rng is an int or a Generator."""
        return self.quantile(rng.random(n))[:, None]


@final
class SpectralFlow:
    r"""d_t rho = d_x( k(x) pi d_x(rho / pi) ) D on an interval without flux, pi = exp(-V/D).

    potential: V of x (any shape). diffusion: D > 0. interval: (low, high). mobility: k, 1 by default; a
    mobility that vanishes at an end (k = 4 s, s = |x|^2, in the plane) needs no condition there. degree:
    highest polynomial; 80 gives the slow rates, narrow initial densities need more (`unresolved` says).

    >>> flow = SpectralFlow(lambda x: 0.5 * x**2, 1.0, (-9.0, 9.0), degree=60)
    >>> flow.rates[:4].round(9).tolist()                # Hermite: the integers
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(
        self,
        potential: Function,
        diffusion: float,
        interval: tuple[float, float],
        mobility: Function | None = None,
        degree: int = DEGREES[0],
    ) -> None:
        self.edges, self.nodes, self._weights = panels(*interval, PANELS)
        height = potential(self.nodes) / diffusion
        self._root = np.sqrt(self._weights * np.exp(height.min() - height))
        polynomials = Polynomials(self.nodes, self._root, degree)
        speed = diffusion if mobility is None else diffusion * mobility(self.nodes)
        # Singular values of the gradient, not eigenvalues of its square: small rates keep their digits.
        vectors, gradients, _ = np.linalg.svd(polynomials.slopes * np.sqrt(speed), full_matrices=False)
        self.rates = gradients[::-1] ** 2
        self._basis = polynomials.values
        self._modes = vectors[:, ::-1].T @ polynomials.values

    def unresolved(self, density: Function) -> float:
        """Relative error to expect from an initial density; infinite when it cannot be expanded.

        Its last coefficients (too narrow for the degree), and the rounding of its largest one: a
        density much wider than pi has huge coefficients that must cancel.
        """
        with np.errstate(all="ignore"):
            series = np.abs(self._basis @ (density(self.nodes) * self._weights / self._root))
        if not np.isfinite(series).all():
            return float("inf")
        return float((series[-6:].max() + np.finfo(float).eps * series.max()) / series[0])

    def evolve(self, density: Function, t: float) -> LineDensity:
        """The solution at time t from an initial density (of x, any shape), which is normalised."""
        if t == 0:
            return self._line(density(self.nodes))
        parts = self._modes @ (density(self.nodes) * self._weights / self._root)
        return self._line(((np.exp(-self.rates * t) * parts) @ self._modes) * self._root / self._weights)

    @cached_property
    def equilibrium(self) -> LineDensity:
        """pi, normalised."""
        return self._line(self._root**2 / self._weights)

    def _line(self, values: np.ndarray) -> LineDensity:
        return LineDensity(self.edges, values.reshape(PANELS, ORDER))


def resolved_flow(
    density: Function,
    potential: Function,
    diffusion: float,
    interval: tuple[float, float],
    mobility: Function | None = None,
) -> SpectralFlow | None:
    """The smallest of the tried degrees that resolves `density` to 10 digits; None when none does."""
    for degree in DEGREES:
        flow = SpectralFlow(potential, diffusion, interval, mobility, degree)
        if flow.unresolved(density) < RESOLVED:
            return flow
    return None
