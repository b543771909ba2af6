r"""A ring in the plane: a target on a circle, filled from its centre.

V(x) = stiffness/4 (|x|^2 - radius^2)^2. In s = |x|^2 a rotation-symmetric flow is one-dimensional, with
mobility 4 s and the Gibbs weight in s a Gaussian cut at 0: the spectral reference of
`wgf.problems.spectral` serves it with ten digits and no boundary condition at the centre.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np
from scipy.special import log_ndtr

from wgf import checks
from wgf.energies import entropy, potential
from wgf.energies.named import Ring
from wgf.measures.base import location_kind, locations
from wgf.problem import Problem
from wgf.problems.boxes import (
    bounds_or_none,
    box_around,
    chosen,
    initial_gaussian,
    mean_or_none,
    numbers_or_none,
)
from wgf.problems.spectral import LineDensity, SpectralFlow, resolved_flow

DEPTH = 44.0  # the box ends where V/D is this large: the Gibbs density is 1e-19 there


@final
class RadialDensity:
    """The rotation-symmetric measure in the plane whose |x|^2 has the given density on the line."""

    dimension = 2

    def __init__(self, squared_radius: LineDensity) -> None:
        self.squared_radius = squared_radius

    def mean(self) -> np.ndarray:
        """The origin, (2,)."""
        return np.zeros(2)

    def cov(self) -> np.ndarray:
        """The covariance, (2, 2): half the mean of |x|^2 on each axis."""
        return 0.5 * self.squared_radius.moment(1) * np.eye(2)

    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, 2); rng is an int or a Generator."""
        rng = checks.rng("rng", rng)
        radius = np.sqrt(self.squared_radius.sample(n, rng)[:, 0])
        angle = 2 * np.pi * rng.random(n)
        return radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., 2); area is pi d(|x|^2)."""
        return self.squared_radius.pdf((locations(2, x) ** 2).sum(-1, keepdims=True)) / np.pi

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., 2)."""
        return self.squared_radius.log_density((locations(2, x) ** 2).sum(-1, keepdims=True)) - np.log(np.pi)

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., 2)."""
        x = locations(2, x)
        return 2 * x * self.squared_radius.score((x**2).sum(-1, keepdims=True))


class _Filling:
    """The rotation-symmetric reference solution at each time."""

    def __init__(self, flow: SpectralFlow, variance: float) -> None:
        self.flow, self.variance = flow, variance

    def __call__(self, t: float) -> RadialDensity:
        return RadialDensity(self.flow.evolve(_exponential(self.variance), t))


def _exponential(variance: float) -> Any:
    """The density of |x|^2 under N(0, variance I) in the plane."""
    return lambda s: np.exp(-s / (2 * variance)) / (2 * variance)


def _height(radius: float, stiffness: float) -> Any:
    return lambda s: 0.25 * stiffness * (s - radius**2) ** 2


@checks.checked(
    radius=checks.positive,
    stiffness=checks.positive,
    diffusion=checks.positive,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def ring(
    radius: float = 1.0,
    stiffness: float = 4.0,
    diffusion: float = 0.2,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""From a blob onto a ring: Fokker-Planck in the plane with V = stiffness/4 (|x|^2 - radius^2)^2.

    radius > 0. stiffness > 0: the ring's width is about sqrt(D / (2 stiffness)) / radius. diffusion: D.
    mean: the origin by default; cov: 0.05 by default. bounds: by default the square around the disc
    on which V/D <= 44, wider if the initial Gaussian needs it.
    `exact` is the spectral reference when the initial Gaussian is centred and isotropic and 10 digits
    are within reach (not far wider than the ring); else None. The equilibrium is `ring_equilibrium`.

    >>> ring().exact(0.0).cov().round(9).tolist()
    [[0.05, 0.0], [0.0, 0.05]]

    Rotation-symmetric reduction: s = |x|^2, d_t g = D d_s(4 s pi d_s(g / pi)).
    """
    start = initial_gaussian(2, 0.0 if mean is None else mean, 0.05 if cov is None else cov)
    far = _end(radius, stiffness, diffusion)
    reach = np.sqrt(far)
    around = box_around([start])
    box = tuple((min(-reach, a), max(reach, b)) for a, b in around)
    exact = None
    if not start.center.any() and np.ptp(np.diag(start.covariance)) == 0 and start.covariance[0, 1] == 0:
        variance = float(start.covariance[0, 0])
        interval = (0.0, max(far, DEPTH * variance))
        height = _height(radius, stiffness)
        flow = resolved_flow(_exponential(variance), height, diffusion, interval, lambda s: 4 * s)
        exact = None if flow is None else _Filling(flow, variance)
    return Problem(
        diffusion * entropy() + potential(Ring(radius=radius, stiffness=stiffness)),
        initial=start,
        bounds=chosen(bounds, box),
        exact=exact,
        name="ring",
        reference="reference: spectral Galerkin in |x|^2, wgf.problems.spectral",
    )


def _end(radius: float, stiffness: float, diffusion: float) -> float:
    """The |x|^2 beyond which V/D exceeds DEPTH."""
    return radius**2 + float(np.sqrt(4 * DEPTH * diffusion / stiffness))


@checks.checked(radius=checks.positive, stiffness=checks.positive, diffusion=checks.positive)
def ring_equilibrium(radius: float = 1.0, stiffness: float = 4.0, diffusion: float = 0.2) -> RadialDensity:
    """The Gibbs measure exp(-V/D)/Z of the ring: |x|^2 is a Gaussian around radius^2, cut at 0.

    >>> ring_equilibrium(radius=2.0, diffusion=0.01).cov().round(3).tolist()
    [[2.0, 0.0], [0.0, 2.0]]

    Gibbs, 1902.
    """
    interval = (0.0, _end(radius, stiffness, diffusion))
    flow = SpectralFlow(_height(radius, stiffness), diffusion, interval, degree=2)
    return RadialDensity(flow.equilibrium)


@checks.checked(radius=checks.positive, stiffness=checks.positive, diffusion=checks.positive)
def ring_least_energy(radius: float = 1.0, stiffness: float = 4.0, diffusion: float = 0.2) -> float:
    r"""The least value of the ring's energy, -D log Z in closed form.

    Z = pi int_0^inf exp(-stiffness (s - radius^2)^2 / (4D)) ds = pi sigma sqrt(2 pi) Phi(radius^2 / sigma),
    sigma^2 = 2 D / stiffness, Phi the normal distribution function.

    >>> round(ring_least_energy(radius=3.0, stiffness=2 * np.pi, diffusion=1.0), 9)  # Z = pi sqrt(2)
    -1.491303476

    Gibbs, 1902.
    """
    sigma = np.sqrt(2 * diffusion / stiffness)
    log_z = np.log(np.pi * sigma) + 0.5 * np.log(2 * np.pi) + log_ndtr(radius**2 / sigma)
    return float(-diffusion * log_z)
