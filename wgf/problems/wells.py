r"""Double wells, level or tilted: a barrier to cross, with a reference solution of twelve digits.

V(x) = barrier (x_0^2 - 1)^2 + tilt x_0 + stiffness/2 sum_{k>=1} x_k^2. The axes do not talk to each other,
so the reference is the spectral solution on the first one times an Ornstein-Uhlenbeck flow on the
others. The barrier makes the last mode slow: `spectral_gap` is the rate every scheme must show.
"""

from __future__ import annotations

from typing import Any, final

import numpy as np

from wgf import checks
from wgf.energies import entropy, potential
from wgf.energies.named import DoubleWell
from wgf.measures import Gaussian
from wgf.measures.base import location_kind, locations
from wgf.problem import Problem
from wgf.problems.boxes import (
    Bounds,
    bounds_or_none,
    box_around,
    chosen,
    dimension_kind,
    initial_gaussian,
    mean_or_none,
    numbers_or_none,
)
from wgf.problems.spectral import LineDensity, SpectralFlow, resolved_flow

DEPTH = 44.0  # the box ends where V/D is this much above its minimum: the Gibbs density is 1e-19 there
SOURCE = "Risken, 1989, chapter 5; reference: spectral Galerkin, wgf.problems.spectral"
SCAN = np.linspace(-1.0, 1.0, 20001)
GAP_DEGREE = 240
COLDEST = 0.03  # diffusion / barrier: there the gap is 6e-15 and keeps six digits


@final
class WellDensity:
    """The product of a density on the first axis and a Gaussian on the others: a measure in R^d."""

    def __init__(self, line: LineDensity, rest: Gaussian) -> None:
        self.line, self.rest = line, rest

    @property
    def dimension(self) -> int:
        """d."""
        return 1 + self.rest.dimension

    def mean(self) -> np.ndarray:
        """The mean, (d,)."""
        return np.concatenate([self.line.mean(), self.rest.mean()])

    def cov(self) -> np.ndarray:
        """The covariance, (d, d), without correlation between the first axis and the others."""
        result = np.zeros((self.dimension, self.dimension))
        result[:1, :1], result[1:, 1:] = self.line.cov(), self.rest.cov()
        return result

    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d); rng is an int or a Generator."""
        rng = checks.rng("rng", rng)
        return np.concatenate([self.line.sample(n, rng), self.rest.sample(n, rng)], axis=1)

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        x = locations(self.dimension, x)
        return self.line.pdf(x[..., :1]) * self.rest.pdf(x[..., 1:])

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d)."""
        x = locations(self.dimension, x)
        return self.line.log_density(x[..., :1]) + self.rest.log_density(x[..., 1:])

    @checks.checked(x=location_kind)
    def score(self, x: np.ndarray) -> np.ndarray:
        """grad log pdf at x (..., d)."""
        x = locations(self.dimension, x)
        return np.concatenate([self.line.score(x[..., :1]), self.rest.score(x[..., 1:])], axis=-1)


class _Crossing:
    """The reference solution: spectral on the first axis, Ornstein-Uhlenbeck on the others."""

    def __init__(self, flow: SpectralFlow, start: Gaussian, stiffness: float, diffusion: float) -> None:
        self.flow, self.start = flow, start
        self.stiffness, self.diffusion = stiffness, diffusion

    def __call__(self, t: float) -> Any:
        line = self.flow.evolve(_first_axis(self.start), t)
        if self.start.dimension == 1:
            return line
        decay = np.exp(-self.stiffness * t)
        limit = self.diffusion / self.stiffness * np.eye(self.start.dimension - 1)
        cov = limit + (self.start.covariance[1:, 1:] - limit) * decay**2
        return WellDensity(line, Gaussian(self.start.center[1:] * decay, cov))


def _first_axis(start: Gaussian) -> Any:
    marginal = Gaussian(start.center[0], start.covariance[0, 0])
    return lambda x: marginal.pdf(x[..., None])


def _line_potential(barrier: float, tilt: float) -> Any:
    return lambda x: barrier * (x**2 - 1) ** 2 + tilt * x


def _basin(barrier: float, tilt: float, diffusion: float) -> tuple[float, float]:
    """The interval on which V - min V <= DEPTH diffusion."""
    height = _line_potential(barrier, tilt)
    # outside |x| = reach even the untilted well is higher than needed, the tilt paid for
    reach = np.sqrt(1 + np.sqrt((DEPTH * diffusion + 4 * abs(tilt) + 1) / barrier)) + abs(tilt) / barrier
    x = reach * SCAN
    low = x[height(x) - height(x).min() <= DEPTH * diffusion]
    return float(low[0]), float(low[-1])


def _wells(name: str, V: DoubleWell, diffusion: float, start: Gaussian, bounds: Bounds | None) -> Problem:
    basin = _basin(V.barrier, V.tilt, diffusion)
    width = diffusion / V.stiffness
    axes = box_around([start, Gaussian(np.zeros(start.dimension), width)])
    first = box_around([start])[0]
    first = (min(basin[0], first[0]), max(basin[1], first[1]))
    box = chosen(bounds, (first, *axes[1:]))
    # A user's wider box changes nothing: beyond `first` there is neither initial nor Gibbs mass.
    interval = (max(box[0][0], first[0]), min(box[0][1], first[1]))
    flow = resolved_flow(_first_axis(start), _line_potential(V.barrier, V.tilt), diffusion, interval)
    apart = not start.covariance[0, 1:].any()
    return Problem(
        diffusion * entropy() + potential(V),
        initial=start,
        bounds=box,
        exact=_Crossing(flow, start, V.stiffness, diffusion) if flow is not None and apart else None,
        name=name,
        reference=SOURCE,
    )


def _start(d: int, mean: Any, cov: Any) -> Gaussian:
    """By default in the left well, narrow, and off the axis."""
    mean = np.array([-0.6] + [0.5] * (d - 1)) if mean is None else mean
    return initial_gaussian(d, mean, np.array([0.05] + [0.1] * (d - 1)) if cov is None else cov)


@checks.checked(
    dimension=dimension_kind,
    barrier=checks.positive,
    diffusion=checks.positive,
    stiffness=checks.positive,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def double_well(
    dimension: int = 1,
    barrier: float = 1.0,
    diffusion: float = 1.0,
    stiffness: float = 4.0,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""From one well into both: Fokker-Planck with V = barrier (x_0^2 - 1)^2 + stiffness/2 sum_{k>=1} x_k^2.

    d_t rho = div(rho grad V) + D Laplace(rho).

    dimension: d. barrier > 0, at x_0 = 0 between wells at -1 and 1. diffusion: D; from 1 (one relaxation
    time) to 0.1 (rare crossings, rate `spectral_gap`). stiffness > 0 of the other axes. mean: by default
    -0.6, then 0.5 on the other axes; cov: by default 0.05, then 0.1. bounds: by default where V/D is 44
    above its minimum, wider if the initial Gaussian needs it.
    `exact` is the spectral reference on that box, with no flux through its ends (12 digits); None when
    10 digits are out of reach (an initial Gaussian too narrow, or far wider than the equilibrium) or
    when the initial covariance ties the first axis to the others.

    >>> problem = double_well(dimension=2)
    >>> (problem.exact(30.0).mean().round(6) + 0.0).tolist()
    [0.0, 0.0]

    Kramers, 1940; Risken, 1989, chapter 5.
    """
    V = DoubleWell(barrier=barrier, stiffness=stiffness)
    return _wells("double-well", V, diffusion, _start(dimension, mean, cov), bounds)


@checks.checked(
    dimension=dimension_kind,
    barrier=checks.positive,
    tilt=checks.finite,
    diffusion=checks.positive,
    stiffness=checks.positive,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def tilted_wells(
    dimension: int = 1,
    barrier: float = 1.0,
    tilt: float = 0.25,
    diffusion: float = 0.5,
    stiffness: float = 4.0,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""A double well whose two sides differ by 2 tilt: which one wins, and with how much mass?

    V = barrier (x_0^2 - 1)^2 + tilt x_0 + stiffness/2 sum_{k>=1} x_k^2. A positive tilt lowers the left well.
    Two wells remain while |tilt| < 8 barrier / (3 sqrt 3) = 1.54 barrier. The masses at equilibrium are
    `well_masses`; the other arguments and the reference are as in `double_well`.

    >>> (tilted_wells(tilt=0.0).exact(200.0).mean().round(6) + 0.0).tolist()
    [0.0]

    Risken, 1989, chapter 5.
    """
    V = DoubleWell(barrier=barrier, stiffness=stiffness, tilt=tilt)
    return _wells("tilted-wells", V, diffusion, _start(dimension, mean, cov), bounds)


def _warm(diffusion: float, barrier: float) -> None:
    if diffusion < COLDEST * barrier:
        raise ValueError(
            f"diffusion must be >= {COLDEST:g} barrier, got {diffusion:g} for barrier {barrier:g}: "
            "colder wells have a gap below 6e-15 barrier, which keeps fewer than six digits."
        )


@checks.checked(diffusion=checks.positive, barrier=checks.positive, tilt=checks.finite)
def spectral_gap(diffusion: float = 1.0, barrier: float = 1.0, tilt: float = 0.0) -> float:
    r"""The rate at which rho / pi tends to 1 in the (tilted) double well on the line.

    The smallest positive eigenvalue of -(D f'' - V' f'), V = barrier (x^2 - 1)^2 + tilt x. Absolute error
    about 1e-12, and a small gap keeps six digits. In more dimensions the gap is the smaller of this and
    the stiffness. diffusion >= 0.03 barrier: there the gap is 6e-15.

    >>> round(spectral_gap(diffusion=1.0), 9)
    0.748681672

    Risken, 1989, chapter 5; computed here by polynomials orthonormal for the Gibbs weight.
    """
    _warm(diffusion, barrier)
    interval = _basin(barrier, tilt, diffusion)
    flow = SpectralFlow(_line_potential(barrier, tilt), diffusion, interval, degree=GAP_DEGREE)
    return float(flow.rates[1])


@checks.checked(barrier=checks.positive, tilt=checks.finite, diffusion=checks.positive)
def well_masses(barrier: float = 1.0, tilt: float = 0.25, diffusion: float = 0.5) -> tuple[float, float]:
    r"""Equilibrium mass left and right of the barrier's top, the integrals of exp(-V/D)/Z.

    >>> left, right = well_masses(tilt=0.0)
    >>> round(left, 12), round(right, 12)
    (0.5, 0.5)

    Gibbs, 1902.
    """
    critical = np.polynomial.Polynomial([tilt, -4 * barrier, 0.0, 4 * barrier]).roots()
    if np.abs(critical.imag).max() > 1e-9:
        raise ValueError(f"tilt must be below 1.54 barrier in size for two wells, got {tilt:g}.")
    top = np.sort(critical.real)[1]
    interval = _basin(barrier, tilt, diffusion)
    line = SpectralFlow(_line_potential(barrier, tilt), diffusion, interval, degree=2).equilibrium
    left = float(line.cdf(np.array(top)))
    return left, 1 - left
