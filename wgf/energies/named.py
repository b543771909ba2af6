"""Named potentials: V in plain NumPy, its gradient in closed form, and what a compiled kernel needs to know.

Each is an object V with V(x), V.gradient(x), x of shape (..., d), and `V.fused`: None, or the name and
parameters under which `wgf.kernels.langevin` knows the gradient, so that a particle step is one sweep.
The call works on anything that obeys NumPy's protocols (autodiff tensors, device arrays). They are
compared by identity: an array-valued potential has no cheaper notion of equality that is right.

Turned down: recognising a lambda by its values (a guess) and compiling user functions (a second language).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, final

import numpy as np
from scipy.special import expit

from wgf import checks
from wgf.measures.base import frozen, measure, points_kind, require_density

Fused = tuple[str, np.ndarray] | None
ROWS = 2**22  # points x data rows of one sweep of `Logistic`: bounds its memory to some 100 MB


def _points(x: Any, d: int | None = None, name: str = "x") -> Any:
    """float32 stays float32; what is not an array of numbers yet becomes one; the last axis must be d."""
    x = x if hasattr(x, "shape") else np.asarray(x, dtype=np.float64)
    if d is not None and (len(x.shape) == 0 or x.shape[-1] != d):
        raise ValueError(f"{name} must have shape (..., {d}), got {x.shape}.")
    return x


def _matrix(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    words = "a symmetric (d, d) matrix, its diagonal (d,), or a number"
    matrix = checks.as_float(name, value).astype(np.float64)
    matrix = np.atleast_2d(matrix) if matrix.ndim == 0 else np.diag(matrix) if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or matrix.size == 0:
        raise checks.refuse(name, words, np.asarray(value))
    if not np.allclose(matrix, matrix.T, rtol=1e-12, atol=0):
        raise ValueError(
            f"{name} must be {words}, got an asymmetric one. Its symmetric part is (A + A.T) / 2."
        )
    sizes.setdefault("d", matrix.shape[0])
    return 0.5 * (matrix + matrix.T)


_BAD_MATRICES = (
    np.ones((2, 3)),
    np.array([[1.0, 2.0], [0.0, 1.0]]),
    np.eye(2) * np.nan,
    np.zeros((0, 0)),
    "a",
    None,
)
matrix_kind = checks.Kind("a symmetric matrix", _matrix, _BAD_MATRICES)


@final
class Quadratic:
    r"""V(x) = (x - center) . A (x - center) / 2, gradient A (x - center).

    A: symmetric (d, d), or its diagonal (d,), or a number on the line; not necessarily positive.
    center: (d,), default the origin. Attributes: `A` (d, d), `center` (d,) or None, `isotropic`.

    >>> Quadratic([[2.0, 0.0], [0.0, 1.0]])(np.array([1.0, 2.0])).item()
    3.0
    """

    @checks.checked(A=matrix_kind, center=checks.optional(checks.array("d")))
    def __init__(self, A: Any, center: Any = None) -> None:
        self.A = frozen(A)
        self.center = None if center is None else frozen(center)

    def __repr__(self) -> str:
        shift = "" if self.center is None else f", center={self.center.tolist()}"
        return f"Quadratic({self.A.tolist()}{shift})"

    @property
    def isotropic(self) -> float | None:
        """a when A = a I, else None."""
        a = self.A[0, 0]
        return float(a) if np.array_equal(self.A, a * np.eye(len(self.A))) else None

    @property
    def fused(self) -> Fused:
        """Rows: center, then the diagonal of A, or A."""
        center = np.zeros(len(self.A)) if self.center is None else self.center
        diagonal = np.diag(self.A)
        if np.array_equal(self.A, np.diag(diagonal)):
            return "quadratic-diagonal", np.stack([center, diagonal])
        return "quadratic", np.concatenate([center[None], self.A])

    def _shifted(self, x: Any) -> Any:
        x = _points(x, len(self.A))
        return x if self.center is None else x - self.center.astype(_dtype(x), copy=False)

    def __call__(self, x: Any) -> Any:
        """V at x (..., d)."""
        y = self._shifted(x)
        return 0.5 * ((y @ self.A.astype(_dtype(y), copy=False)) * y).sum(-1)

    @checks.checked(x=points_kind)
    def gradient(self, x: Any) -> Any:
        """grad V at x (..., d)."""
        y = self._shifted(x)
        return y @ self.A.astype(_dtype(y), copy=False)


def _dtype(x: Any) -> Any:
    return np.float32 if getattr(x, "dtype", None) == np.float32 else np.float64


@final
class DoubleWell:
    r"""V(x) = barrier (x_0^2 - 1)^2 + tilt x_0 + stiffness/2 sum_{k >= 1} x_k^2.

    Wells at x_0 = -1 and 1 (without tilt), `barrier` high between them; harmonic across. The larger
    barrier / D, the rarer the crossings: the gap closes like exp(-barrier / D). tilt > 0 favours -1.

    >>> DoubleWell(barrier=2.0)(np.array([[0.0], [1.0]])).tolist()
    [2.0, 0.0]
    """

    @checks.checked(barrier=checks.positive, stiffness=checks.positive, tilt=checks.finite)
    def __init__(self, barrier: float = 1.0, stiffness: float = 1.0, tilt: float = 0.0) -> None:
        self.barrier, self.stiffness, self.tilt = barrier, stiffness, tilt

    def __repr__(self) -> str:
        return f"DoubleWell(barrier={self.barrier:g}, stiffness={self.stiffness:g}, tilt={self.tilt:g})"

    @property
    def fused(self) -> Fused:
        """barrier, stiffness, tilt."""
        return "double-well", np.array([self.barrier, self.stiffness, self.tilt])

    def __call__(self, x: Any) -> Any:
        """V at x (..., d)."""
        x = _points(x)
        along = x[..., 0]
        across = (x[..., 1:] ** 2).sum(-1)
        return self.barrier * (along**2 - 1) ** 2 + self.tilt * along + 0.5 * self.stiffness * across

    @checks.checked(x=points_kind)
    def gradient(self, x: Any) -> Any:
        """grad V at x (..., d)."""
        x = _points(x)
        along = x[..., :1]
        first = 4 * self.barrier * along * (along**2 - 1) + self.tilt
        return np.concatenate([first, self.stiffness * x[..., 1:]], axis=-1)


@final
class Ring:
    r"""V(x) = stiffness/4 (|x|^2 - radius^2)^2: least on the sphere of that radius, a circle in the plane.

    Across the ring V is nearly harmonic, with second derivative 2 stiffness radius^2.

    >>> Ring(radius=2.0).gradient(np.array([2.0, 0.0])).tolist()
    [0.0, 0.0]
    """

    @checks.checked(radius=checks.positive, stiffness=checks.positive)
    def __init__(self, radius: float = 1.0, stiffness: float = 1.0) -> None:
        self.radius, self.stiffness = radius, stiffness

    def __repr__(self) -> str:
        return f"Ring(radius={self.radius:g}, stiffness={self.stiffness:g})"

    @property
    def fused(self) -> Fused:
        """radius squared, stiffness."""
        return "ring", np.array([self.radius**2, self.stiffness])

    def __call__(self, x: Any) -> Any:
        """V at x (..., d)."""
        return 0.25 * self.stiffness * ((_points(x) ** 2).sum(-1) - self.radius**2) ** 2

    @checks.checked(x=points_kind)
    def gradient(self, x: Any) -> Any:
        """grad V at x (..., d)."""
        x = _points(x)
        return self.stiffness * ((x**2).sum(-1)[..., None] - self.radius**2) * x


def _labels(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    labels = checks.array("n")(name, value, sizes)
    classes = np.unique(labels)
    if len(classes) != 2:
        raise ValueError(f"{name} must hold exactly two different numbers, got {len(classes)}.")
    return np.where(labels == classes[1], 1.0, 0.0)


labels_kind = checks.Kind(
    "(n,) numbers of two values", _labels, (np.zeros(3), np.array([0, 1, 2]), "a", None, np.zeros(0))
)


@final
class Logistic:
    r"""Minus the log posterior of logistic regression, up to a constant.

    V(theta) = sum_i log(1 + exp(-y_i theta . f_i)) + |theta|^2 / (2 prior_variance), y_i = +-1

    features: (n, d) rows f_i; add a column of ones for an intercept. labels: (n,) of two values, the
    larger one being y = +1. V is strongly convex with constant 1/prior_variance.

    >>> Logistic([[1.0], [2.0]], [0, 1]).gradient(np.zeros(1)).tolist()
    [-0.5]

    Bishop, 2006, section 4.5.
    """

    fused: Fused = None

    @checks.checked(features=checks.points, labels=labels_kind, prior_variance=checks.positive)
    def __init__(self, features: Any, labels: Any, prior_variance: float = 1.0) -> None:
        self.features, self.labels, self.prior_variance = frozen(features), frozen(labels), prior_variance
        self._signed = frozen(self.features * (2 * self.labels - 1)[:, None])

    def __repr__(self) -> str:
        n, d = self.features.shape
        return f"Logistic({n} rows of {d} features, prior_variance={self.prior_variance:g})"

    def __call__(self, theta: Any) -> Any:
        """V at theta (..., d)."""
        theta = _points(theta, self._signed.shape[1], "theta")
        if isinstance(theta, np.ndarray) and theta.ndim > 1:
            flat = theta.reshape(-1, theta.shape[-1])
            losses = np.concatenate([self._losses(flat[part]) for part in self._parts(len(flat))])
            losses = losses.reshape(theta.shape[:-1])
        else:
            losses = self._losses(theta)
        return losses + 0.5 * (theta**2).sum(-1) / self.prior_variance

    def _losses(self, theta: Any) -> Any:
        return np.logaddexp(0.0, -(theta @ self._signed.T)).sum(-1)

    def _parts(self, points: int) -> Iterator[slice]:
        rows = max(1, ROWS // len(self.features))
        return (slice(lo, lo + rows) for lo in range(0, max(points, 1), rows))

    @checks.checked(theta=points_kind)
    def gradient(self, theta: Any) -> Any:
        """grad V at theta (..., d)."""
        theta = _points(theta, self._signed.shape[1], "theta")
        flat = theta.reshape(-1, theta.shape[-1])
        result = flat / self.prior_variance
        for part in self._parts(len(flat)):
            result[part] -= expit(-(flat[part] @ self._signed.T)) @ self._signed
        return result.reshape(theta.shape)


@final
class NegativeLogDensity:
    r"""V = -log of a measure's density, gradient minus its score: what `wgf.kl(target)` adds to the entropy.

    A Mixture, hence a kernel density estimate, has a compiled score.

    >>> import wgf
    >>> NegativeLogDensity(wgf.Gaussian(0, 2)).gradient(np.array([1.0])).round(12).tolist()
    [0.5]
    """

    fused: Fused = None

    @checks.checked(measure=measure)
    def __init__(self, measure: Any) -> None:
        self.measure = require_density(measure, "measure", "NegativeLogDensity")

    def __repr__(self) -> str:
        return f"NegativeLogDensity({self.measure!r})"

    def __call__(self, x: Any) -> Any:
        """V at x (..., d)."""
        log_density = getattr(self.measure, "log_density", None)
        return -np.log(self.measure.pdf(x)) if log_density is None else -log_density(x)

    @checks.checked(x=points_kind)
    def gradient(self, x: Any) -> Any:
        """grad V at x (..., d)."""
        score = getattr(self.measure, "score", None)
        if score is not None:
            return -score(x)
        from wgf.autodiff import grad

        return grad(lambda y: self(y).sum())(x)
