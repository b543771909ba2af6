"""UserMeasure: a user's own object with `pdf` and `sample`, brought to the protocol once at the door.

What the object offers itself is used as it is; dimension, moments, log density and score are worked out
when it does not say them. Turned down: asking users to derive from a base class of ours.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, final

import numpy as np

from wgf import checks

MOMENT_POINTS = 1 << 17  # moments of a user's measure: right to 3e-3 standard deviations
MOMENT_SEED = 0
DIFFERENCE = 1e-6  # relative step of the score where pdf cannot be differentiated automatically


def is_complete(given: Any) -> bool:
    """True when `given` knows its dimension, mass and moments itself."""
    moments = callable(getattr(given, "mean", None)) and callable(getattr(given, "cov", None))
    return moments and hasattr(given, "dimension") and hasattr(given, "mass")


@final
class UserMeasure:
    """An object with `pdf(x)`, x (n, d) -> (n,), and `sample(n, rng)` -> (n, d), as a measure.

    given: the object; rng will be a numpy.random.Generator. Its `dimension`, `mass`, `mean()`, `cov()`,
    `log_density`, `score`, `cdf`, `quantile` are used where it has them. Otherwise: d from one sample;
    mass 1; moments from 2^17 samples of a fixed seed (right to 3e-3 standard deviations); the score by
    automatic differentiation of log pdf, else by differences (1e-8 relative); 0 where pdf is 0.

    >>> class Exponential:
    ...     def pdf(self, x): return np.where(x[..., 0] > 0, np.exp(-x[..., 0]), 0.0)
    ...     def sample(self, n, rng): return rng.exponential(size=(n, 1))
    >>> measure = UserMeasure(Exponential())
    >>> measure.dimension, float(measure.mean()[0].round(2)), measure.score([[2.0]]).tolist()
    (1, 1.0, [[-1.0]])
    """

    kind = "user"

    def __init__(self, given: Any) -> None:
        self.given = given
        self.mass = float(getattr(given, "mass", 1.0))

    def __repr__(self) -> str:
        return repr(self.given)

    def __getattr__(self, name: str) -> Any:
        """What the object offers besides (pdf, cdf, quantile, ...), and what follows from its pdf."""
        if name.startswith("__") or name == "given":  # an empty shell while unpickling
            raise AttributeError(name)
        if not hasattr(self.given, name) and hasattr(self.given, "pdf"):
            if name == "log_density":
                return self._log_density
            if name == "score":
                return self._score
        if name == "pdf" and hasattr(self.given, "pdf"):
            return self._pdf
        return getattr(self.given, name)

    @cached_property
    def dimension(self) -> int:
        """d: what the object says, else the width of one sample."""
        if hasattr(self.given, "dimension"):
            return int(self.given.dimension)
        return self._drawn(1, MOMENT_SEED, None).shape[1]

    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n points (n, d); rng is an int or a Generator."""
        return self._drawn(checks.integer(1)("n", n), rng, self.dimension)

    def _drawn(self, n: int, rng: Any, d: int | None) -> np.ndarray:
        if not hasattr(self.given, "sample"):
            raise TypeError(
                f"a measure must have sample(n, rng), and a {type(self.given).__name__} has none. "
                "Write it, or use Density.from_function(pdf, grid)."
            )
        x = checks.as_float("sample(n, rng)", self.given.sample(n, checks.rng("rng", rng)))
        if x.ndim != 2 or x.shape != (n, d or x.shape[1]):
            raise ValueError(f"sample({n}, rng) must have shape ({n}, {d or 'd'}), got {x.shape}.")
        return x

    def mean(self) -> np.ndarray:
        """The mean, (d,)."""
        return self._moments[0].copy()

    def cov(self) -> np.ndarray:
        """The covariance, (d, d)."""
        return self._moments[1].copy()

    @cached_property
    def _moments(self) -> tuple[np.ndarray, np.ndarray]:
        mean, cov = getattr(self.given, "mean", None), getattr(self.given, "cov", None)
        d = self.dimension
        if callable(mean) and callable(cov):
            return np.reshape(np.asarray(mean()), d), np.reshape(np.asarray(cov()), (d, d))
        x = self._drawn(MOMENT_POINTS, MOMENT_SEED, d)
        return x.mean(0), np.cov(x.T, ddof=0).reshape(d, d)

    def _pdf(self, x: Any) -> Any:
        points = x if hasattr(x, "shape") else np.asarray(x, dtype=np.float64)
        d = points.shape[-1]
        values = self.given.pdf(points.reshape(-1, d))
        if np.shape(values) != (int(np.prod(points.shape[:-1])),):
            raise ValueError(
                f"pdf must return shape (n,) for points of shape (n, {d}), "
                f"got {np.shape(values)}. Sum over the last axis: (x**2).sum(-1)."
            )
        return values.reshape(points.shape[:-1])

    def _log_density(self, x: Any) -> Any:
        with np.errstate(divide="ignore"):
            return np.log(self._pdf(x))

    def _score(self, x: Any) -> np.ndarray:
        from wgf.autodiff import grad

        points = np.asarray(x, dtype=np.float64)
        flat = points.reshape(-1, points.shape[-1])
        rho = self._pdf(flat)
        result, full = np.zeros_like(flat), rho > 0
        if full.any():
            try:
                slope = grad(lambda y: self._pdf(y).sum())(flat[full])
            except TypeError:
                slope = self._differences(flat[full])
            result[full] = slope / rho[full][:, None]
        return result.reshape(points.shape)

    def _differences(self, x: np.ndarray) -> np.ndarray:
        steps = DIFFERENCE * np.diag(np.sqrt(np.diag(self.cov())))
        return np.stack([(self._pdf(x + s) - self._pdf(x - s)) / (2 * s.max()) for s in steps], axis=-1)
