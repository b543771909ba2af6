"""Mixture: weighted Gaussians, and kernel density estimates, which are the same thing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.kernels import mixture as kernels
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations
from wgf.measures.gaussian import LOG_2PI, Gaussian, on_the_line
from wgf.measures.inversion import mixture_cdf, mixture_quantile


def _components(name: str, value: Any, sizes: checks.Sizes) -> tuple[Gaussian, ...]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence) or not value:
        raise checks.refuse(name, "a nonempty sequence of Gaussians", value, TypeError)
    for item in value:
        if not isinstance(item, Gaussian):
            raise checks.refuse(name, "a sequence of Gaussians", item, TypeError)
        if item.dimension != value[0].dimension:
            raise ValueError(f"{name} must share one dimension, got {item.dimension}.")
    if len(value) != sizes.setdefault("components", len(value)):
        raise ValueError(f"{name} must be as many as the weights, got {len(value)}.")
    return tuple(value)


def _bandwidth(name: str, value: Any, sizes: checks.Sizes) -> float | str:
    if isinstance(value, str):
        return checks.choice("scott")(name, value)
    return checks.positive(name, value)


components_kind = checks.Kind("Gaussians", _components, ((), "a", None, 3.0, (1.0, 2.0), np.ones(2)))
bandwidth_kind = checks.Kind(
    "a standard deviation > 0 or 'scott'", _bandwidth, (0.0, -1.0, np.nan, "silver", None)
)

SINGULAR = "a component has a singular covariance. Add a small variance: Gaussian(mean, cov + 1e-12)."


@final
class Mixture:
    r"""A finite mixture of Gaussians, pdf(x) = sum_k weights_k N(x; means_k, covariances_k).

    weights: (K,) summing to 1. components: K Gaussians of one dimension.
    Attributes: `weights` (K,), `means` (K, d), `covariances` (K, d, d). Density and score are
    log-sum-exp sums in a compiled kernel: finite however far x is from every component.

    >>> two = Mixture([0.5, 0.5], [Gaussian(-1, 0.25), Gaussian(1, 0.25)])
    >>> float(two.mean()[0]), float(two.cov()[0, 0])
    (0.0, 1.25)
    """

    kind = "mixture"
    mass = 1.0

    @checks.checked(weights=checks.weights("components"), components=components_kind)
    def __init__(self, weights: Any, components: Sequence[Gaussian]) -> None:
        covariances = np.stack([c.covariance for c in components])
        shared = covariances[0] if (covariances == covariances[0]).all() else None
        self._set(weights, np.stack([c.center for c in components]), covariances, shared)

    def _set(self, weights: Any, means: Any, covariances: np.ndarray, shared: np.ndarray | None) -> None:
        self.weights, self.means, self._shared = frozen(weights), frozen(means), shared
        self.covariances = covariances.view()
        self.covariances.flags.writeable = False
        values, vectors = np.linalg.eigh(covariances if shared is None else shared)
        self._degenerate = bool(values.min() <= 0)
        if self._degenerate:
            return
        with np.errstate(divide="ignore"):
            log_weights = np.log(self.weights)
        half_log_det = 0.5 * np.log(values).sum(-1)
        self._log_weights = log_weights - half_log_det - 0.5 * self.dimension * LOG_2PI
        if shared is None:
            self._precisions = np.einsum("kij,kj,klj->kil", vectors, 1 / values, vectors)
        else:  # one covariance for all: whiten the space once, then every kernel is isotropic
            self._whiten = vectors / np.sqrt(values)
            self._white_means = np.ascontiguousarray(self.means @ self._whiten)

    @classmethod
    @checks.checked(data=checks.cloud(), bandwidth=bandwidth_kind)
    def kde(cls, data: Any, bandwidth: float | str = "scott") -> Mixture:
        r"""The Gaussian kernel density estimate of data (n, d).

        bandwidth: the kernels' standard deviation, in the unit of the data, or "scott": covariance of
        the data times n^(-2/(d+4)) (Scott, 1992). Small ones show single points, large ones blur.

        >>> Mixture.kde([[0.0], [2.0]], bandwidth=1.0).cov().item()
        2.0
        """
        n, d = data.shape
        if isinstance(bandwidth, str):
            if n < 2:
                raise ValueError("data must hold at least 2 points for bandwidth='scott', got 1.")
            shared = np.atleast_2d(np.cov(data.T)) * n ** (-2.0 / (d + 4))
            if np.linalg.eigvalsh(shared)[0] <= 0:
                raise ValueError("data must not lie on a hyperplane for bandwidth='scott'; give a number.")
        else:
            shared = np.eye(d) * bandwidth**2
        result = cls.__new__(cls)
        result._set(np.full(n, 1.0 / n), data, np.broadcast_to(shared, (n, d, d)), shared)
        return result

    def __repr__(self) -> str:
        return f"Mixture({len(self.weights)} Gaussians in dimension {self.dimension})"

    @property
    def dimension(self) -> int:
        """d."""
        return self.means.shape[1]

    @property
    def components(self) -> tuple[Gaussian, ...]:
        """The Gaussians."""
        return tuple(Gaussian(m, c) for m, c in zip(self.means, self.covariances, strict=True))

    def mean(self) -> np.ndarray:
        """The mean, (d,)."""
        return self.weights @ self.means

    def cov(self) -> np.ndarray:
        """The covariance, (d, d): within plus between the components."""
        spread = self.means - self.mean()
        within = self._shared if self._shared is not None else np.tensordot(self.weights, self.covariances, 1)
        return within + (spread.T * self.weights) @ spread

    def _flat(self, x: Any) -> tuple[np.ndarray, tuple[int, ...]]:
        if self._degenerate:
            raise MeasureError(f"this Mixture has no density: {SINGULAR}")
        points = locations(self.dimension, x)
        return np.ascontiguousarray(points.reshape(-1, self.dimension)), points.shape

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d)."""
        flat, shape = self._flat(x)
        if self._shared is not None:
            white = np.ascontiguousarray(flat @ self._whiten)
            values = kernels.mixture_log_density_isotropic(white, self._log_weights, self._white_means, 1.0)
        else:
            values = kernels.mixture_log_density(flat, self._log_weights, self.means, self._precisions)
        return values.reshape(shape[:-1])

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        return np.exp(self.log_density(x))

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., d)."""
        flat, shape = self._flat(x)
        if self._shared is not None:
            white = np.ascontiguousarray(flat @ self._whiten)
            values = kernels.mixture_score_isotropic(white, self._log_weights, self._white_means, 1.0)
            values = values @ self._whiten.T
        else:
            values = kernels.mixture_score(flat, self._log_weights, self.means, self._precisions)
        return values.reshape(shape)

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d); rng is an int or a Generator."""
        chosen = rng.choice(len(self.weights), size=n, p=self.weights)
        z = rng.standard_normal((n, self.dimension))
        values, vectors = np.linalg.eigh(self._shared if self._shared is not None else self.covariances)
        roots = vectors * np.sqrt(np.clip(values, 0.0, None))[..., None, :]
        if self._shared is not None:
            return self.means[chosen] + z @ roots.T
        return self.means[chosen] + np.einsum("nij,nj->ni", roots[chosen], z)

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function on the line, x any shape."""
        return mixture_cdf(x.astype(np.float64, copy=False), *on_the_line(self)._line())

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function on the line by safeguarded Newton steps, u in [0, 1] any shape."""
        weights, means, stds = on_the_line(self)._line()
        if (stds <= 0).any():
            raise MeasureError(f"quantiles of this Mixture are not known: {SINGULAR}")
        levels = u.astype(np.float64).ravel()
        above = levels > 0.5  # the upper half in the mirror, where 1 - u is exact
        result = mixture_quantile(np.where(above, 1 - levels, levels), weights, means, stds)
        result[above] = -mixture_quantile(1 - levels[above], weights, -means, stds)
        return result.reshape(u.shape)

    def _line(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights, means and standard deviations (K,) of the components that carry mass, on the line."""
        some = self.weights > 0
        return self.weights[some], self.means[some, 0], np.sqrt(self.covariances[some, 0, 0])

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        shared = self.covariances if self._shared is None else self._shared[None]
        return {"weights": self.weights, "means": self.means, "covariances": shared}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Mixture:
        """The inverse of `arrays`."""
        result = cls.__new__(cls)
        means, covariances = arrays["means"], arrays["covariances"]
        shared = covariances[0] if len(covariances) == 1 else None
        whole = np.broadcast_to(covariances, (len(means), *covariances.shape[1:]))
        result._set(arrays["weights"], means, whole, shared)
        return result
