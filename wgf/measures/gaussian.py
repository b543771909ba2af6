"""Gaussian: the measure every closed form starts from."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from scipy.special import ndtr, ndtri

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations

SYMMETRY_TOLERANCE = 1e-8  # relative; a user's covariance may carry rounding, not a mistake
LOG_2PI = float(np.log(2 * np.pi))


def _mean(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    result = np.atleast_1d(checks.as_float(name, value))
    if result.ndim != 1 or result.size == 0:
        raise ValueError(f"{name} must be a number or have shape (d,), got {np.shape(value)}.")
    sizes["d"] = result.size
    return result


def covariance_matrix(name: str, value: Any, d: int) -> np.ndarray:
    """A (d, d) covariance from a number (isotropic variance), a vector (diagonal) or a matrix."""
    result = np.asarray(checks.as_float(name, value), dtype=np.float64)
    if result.ndim == 0:
        result = np.eye(d) * result
    elif result.shape == (d,) and result.ndim == 1:
        result = np.diag(result)
    if result.shape != (d, d):
        raise ValueError(f"{name} must be a number, ({d},) or ({d}, {d}), got shape {np.shape(value)}.")
    scale = np.abs(result).max()
    if np.abs(result - result.T).max() > SYMMETRY_TOLERANCE * max(scale, 1e-300):
        raise ValueError(f"{name} must be symmetric, got {checks.shown(value)}.")
    smallest = float(np.linalg.eigvalsh(0.5 * (result + result.T))[0])
    if smallest < -SYMMETRY_TOLERANCE * scale:
        raise ValueError(f"{name} must be positive semidefinite, got the eigenvalue {smallest:.3g}.")
    return 0.5 * (result + result.T)


mean_kind = checks.Kind(
    "a number or (d,) numbers", _mean, (np.nan, np.inf, "a", None, [], [0.0, np.nan], np.ones((2, 2)))
)
cov_kind = checks.Kind(
    "a variance, (d,) variances or a (d, d) covariance",
    lambda name, value, sizes: covariance_matrix(name, value, sizes["d"]),
    (np.nan, np.inf, -1.0, "a", None, [], np.ones((3, 2)), np.ones((2, 2, 2))),
)


@final
class Gaussian:
    r"""The normal law N(mean, cov) on R^d.

    pdf(x) = (2 pi)^(-d/2) det(cov)^(-1/2) exp(-(x - mean) . cov^-1 (x - mean) / 2).

    mean: a number (d = 1) or (d,). cov: a number (isotropic variance), a vector (d,) of variances or
    a symmetric positive semidefinite matrix; a singular one can be sampled and compared but has no pdf.
    Attributes: `center` (d,), `covariance` (d, d).

    >>> g = Gaussian(mean=[0, 1], cov=[1, 4])
    >>> g.cov().tolist(), float(g.pdf([0.0, 1.0]).round(6))
    ([[1.0, 0.0], [0.0, 4.0]], 0.079577)
    """

    kind = "gaussian"
    mass = 1.0

    @checks.checked(mean=mean_kind, cov=cov_kind)
    def __init__(self, mean: Any, cov: Any) -> None:
        self.center = frozen(mean)
        self.covariance = frozen(cov)
        values, vectors = np.linalg.eigh(self.covariance)
        self._std = np.sqrt(np.clip(values, 0.0, None))
        self._vectors = vectors

    def __repr__(self) -> str:
        return f"Gaussian(mean={self.center.tolist()}, cov={self.covariance.tolist()})"

    @property
    def dimension(self) -> int:
        """d."""
        return self.center.size

    def mean(self) -> np.ndarray:
        """The mean, (d,)."""
        return self.center.copy()

    def cov(self) -> np.ndarray:
        """The covariance, (d, d)."""
        return self.covariance.copy()

    def _whiten(self, x: np.ndarray) -> np.ndarray:
        if self._std[0] <= 0:
            raise MeasureError(
                "this Gaussian has a singular covariance and so no density. Add a small variance to cov, "
                "or use Particles(measure.sample(n, rng))."
            )
        return (x - self.center) @ (self._vectors / self._std)

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d)."""
        z = self._whiten(locations(self.dimension, x))
        return -0.5 * (z**2).sum(-1) - np.log(self._std).sum() - 0.5 * self.dimension * LOG_2PI

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        return np.exp(self.log_density(x))

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., d): -cov^-1 (x - mean)."""
        return -self._whiten(locations(self.dimension, x)) @ (self._vectors / self._std).T

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d); rng is an int or a Generator."""
        z = rng.standard_normal((n, self.dimension))
        return self.center + (z * self._std) @ self._vectors.T

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function on the line, x any shape."""
        std, shift = self._line(), x - self.center[0]
        return ndtr(shift / std) if std > 0 else (shift >= 0).astype(np.float64)

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function on the line, u in [0, 1] any shape."""
        std = self._line()
        return self.center[0] + (std * ndtri(u) if std > 0 else np.zeros_like(u))

    def _line(self) -> float:
        return on_the_line(self).covariance[0, 0] ** 0.5

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"mean": self.center, "cov": self.covariance}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Gaussian:
        """The inverse of `arrays`."""
        return cls(arrays["mean"], arrays["cov"])


def on_the_line(measure: Any) -> Any:
    """`measure`, refused unless its dimension is 1 (quantiles and cdf live there)."""
    if measure.dimension != 1:
        raise MeasureError(
            f"cdf and quantile need one dimension, and this {type(measure).__name__} has "
            f"{measure.dimension}. Take a marginal, or distance(..., 'sliced_w2')."
        )
    return measure
