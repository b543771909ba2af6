"""Barenblatt: the self-similar profiles of the porous-medium and fast-diffusion equations."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from scipy.special import betainc, betaincinv, gammaln, stdtr, stdtrit

from wgf import checks
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations
from wgf.measures.gaussian import mean_kind, on_the_line


@final
class Barenblatt:
    r"""The Barenblatt profile of d_t rho = Laplace(rho^m) at time t0, with unit mass.

    m > 1 (porous medium):  t^-a (C - k |x|^2 t^-2b)_+^(1/(m-1)), compact support of radius `radius`.
    d/(d+2) < m < 1 (fast diffusion):  t^-a (C + k |x|^2 t^-2b)^(-1/(1-m)), finite second moment.
    a = d/(d(m-1)+2), b = a/d, k = b |m-1|/(2m), C from the mass.

    dimension: d >= 1. m: the exponent. t0: the time > 0. center: (d,), default the origin.
    Every dilation of a profile is the profile of another time, so this family is closed under
    quadratic confinement and under JKO steps.

    >>> b = Barenblatt(dimension=1, m=2, t0=1.0)
    >>> float(round(b.radius, 6)), float(b.pdf([0.0]).round(6))
    (2.080084, 0.360562)

    Barenblatt, 1952; Vazquez, The Porous Medium Equation, 2007, section 17.5.
    """

    kind = "barenblatt"
    mass = 1.0

    @checks.checked(
        dimension=checks.integer(1), m=checks.positive, t0=checks.positive, center=checks.optional(mean_kind)
    )
    def __init__(self, dimension: int, m: float, t0: float, center: Any = None) -> None:
        d = dimension
        if m == 1 or m <= d / (d + 2):
            raise ValueError(
                f"m must be > {d / (d + 2):.3g} and not 1 in dimension {d}, got {m}. For m = 1: Gaussian."
            )
        self.center = frozen(np.zeros(d) if center is None else center)
        if self.center.shape != (d,):
            raise ValueError(f"center must have shape ({d},), got {self.center.shape}.")
        self.m, self.t0 = m, t0
        self.a = d / (d * (m - 1) + 2)
        self.b = self.a / d
        self.k = self.b * abs(m - 1) / (2 * m)
        self.p = 1 / abs(m - 1)
        shape = self.p + 1 + d / 2 if m > 1 else self.p - d / 2
        upper = self.p + 1 if m > 1 else self.p
        log_c = 0.5 * d * np.log(self.k / np.pi) + (gammaln(shape) - gammaln(upper)) * (1 if m > 1 else -1)
        self.C = float(np.exp(log_c / (self.p + d / 2 if m > 1 else d / 2 - self.p)))
        # length unit: |x| = scale corresponds to C = k |x|^2 t^-2b
        self.scale = float(np.sqrt(self.C / self.k) * t0**self.b)

    def __repr__(self) -> str:
        return (
            f"Barenblatt(dimension={self.dimension}, m={self.m}, t0={self.t0}, center={self.center.tolist()})"
        )

    @property
    def dimension(self) -> int:
        """d."""
        return self.center.size

    @property
    def radius(self) -> float:
        """Radius of the support: finite for m > 1, else infinity."""
        return self.scale if self.m > 1 else float("inf")

    def mean(self) -> np.ndarray:
        """The centre, (d,)."""
        return self.center.copy()

    def cov(self) -> np.ndarray:
        """The covariance, (d, d), isotropic: second moment / d."""
        d, p = self.dimension, self.p
        denominator = d + 2 * p + 2 if self.m > 1 else 2 * p - d - 2
        return np.eye(d) * self.scale**2 / denominator

    def _shape(self, x: Any) -> tuple[np.ndarray, np.ndarray]:
        z = (locations(self.dimension, x) - self.center) / self.scale
        return z, (z**2).sum(-1)

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d); exactly 0 outside the support."""
        _, r2 = self._shape(x)
        top = self.t0**-self.a * self.C ** (self.p if self.m > 1 else -self.p)
        return top * (np.clip(1 - r2, 0, None) ** self.p if self.m > 1 else (1 + r2) ** -self.p)

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d); -inf outside the support."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(x))

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., d); 0 outside the support, where there is no density to climb."""
        z, r2 = self._shape(x)
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = -2 * self.p / (1 - r2 if self.m > 1 else 1 + r2)
        slope = np.where((r2 < 1) | (self.m < 1), slope, 0.0)
        return slope[..., None] * z / self.scale

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d): a uniform direction times a Beta (or Beta-prime) radius."""
        d = self.dimension
        direction = rng.standard_normal((n, d))
        direction /= np.linalg.norm(direction, axis=1, keepdims=True)
        if self.m > 1:
            r2 = rng.beta(d / 2, self.p + 1, size=n)
        else:
            r2 = rng.gamma(d / 2, size=n) / rng.gamma(self.p - d / 2, size=n)
        return self.center + self.scale * np.sqrt(r2)[:, None] * direction

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function on the line, x any shape."""
        z = (x - on_the_line(self).center[0]) / self.scale
        if self.m > 1:
            return betainc(self.p + 1, self.p + 1, np.clip(0.5 * (z + 1), 0, 1))
        freedom = 2 * self.p - 1  # (1 + z^2)^-p is a Student density in z sqrt(freedom)
        return stdtr(freedom, z * np.sqrt(freedom))

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function on the line, u in [0, 1] any shape."""
        center = on_the_line(self).center[0]
        if self.m > 1:
            return center + self.scale * (2 * betaincinv(self.p + 1, self.p + 1, u) - 1)
        freedom = 2 * self.p - 1
        return center + self.scale * stdtrit(freedom, u) / np.sqrt(freedom)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"m": np.array(self.m), "t0": np.array(self.t0), "center": self.center}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Barenblatt:
        """The inverse of `arrays`."""
        center = arrays["center"]
        return cls(center.size, float(arrays["m"]), float(arrays["t0"]), center)
