r"""Porous-medium and fast-diffusion flows from a Barenblatt profile, free or confined.

d_t rho = Laplace(rho^m) + kappa div(rho (x - center)). Quadratic confinement only dilates, and every
dilation of a Barenblatt profile is the Barenblatt profile of another time: so one measure kind
serves all four cases, and the confined solution is a change of clock.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import betaincinv

from wgf import checks
from wgf.energies import internal, potential
from wgf.energies.named import Quadratic
from wgf.measures import Barenblatt
from wgf.problem import Problem
from wgf.problems.boxes import (
    Bounds,
    bounds_or_none,
    chosen,
    dimension_kind,
    mean_or_none,
)

MARGIN = 1.2  # of the support's radius: the front must not feel the wall
AGES = 4.0  # the box holds the free profile until its age is this many t0
TAIL = 1e-4  # mass outside the box for fast diffusion, whose tails are algebraic


class _Spreading:
    """The Barenblatt profile at each time after the start, by its own clock."""

    def __init__(self, start: Barenblatt, confinement: float) -> None:
        self.start, self.confinement = start, confinement

    def age(self, t: float) -> float:
        """The self-similar time of the solution at time t: t0 + t without confinement.

        Confined: t0 e^(-kappa t / b) + (1 - e^(-kappa t / b)) b / kappa, which tends to b / kappa.
        """
        rate = self.confinement / self.start.b
        if rate == 0:
            return self.start.t0 + t
        return self.start.t0 * np.exp(-rate * t) - np.expm1(-rate * t) / rate

    def __call__(self, t: float) -> Barenblatt:
        return Barenblatt(self.start.dimension, self.start.m, float(self.age(t)), self.start.center)

    def box(self) -> Bounds:
        oldest = AGES * self.start.t0
        if self.confinement > 0:
            oldest = max(self.start.t0, self.start.b / self.confinement)
        reach = _reach(Barenblatt(self.start.dimension, self.start.m, oldest))
        return tuple((float(c - reach), float(c + reach)) for c in self.start.center)


def _reach(profile: Barenblatt) -> float:
    """Half width of a box for the profile."""
    if profile.m > 1:
        return MARGIN * profile.radius
    # |x|^2 / scale^2 = (1 - Y) / Y with Y of law Beta(p - d/2, d/2): the tail in |x| is Y near 0.
    part = betaincinv(profile.p - profile.dimension / 2, profile.dimension / 2, TAIL)
    return float(profile.scale * np.sqrt((1 - part) / part))


@checks.checked(
    dimension=dimension_kind,
    m=checks.positive,
    t0=checks.positive,
    center=mean_or_none,
    confinement=checks.nonnegative,
    bounds=bounds_or_none,
)
def barenblatt(
    dimension: int = 1,
    m: float = 2,
    t0: float = 1.0,
    center: Any = None,
    confinement: float = 0.0,
    bounds: Any = None,
) -> Problem:
    r"""Porous medium (m > 1) or fast diffusion (d/(d+2) < m < 1) from the Barenblatt profile of age t0.

    d_t rho = Laplace(rho^m) + kappa div(rho (x - center));
    E = int rho^m / (m - 1) + kappa/2 int |x - center|^2 rho.

    dimension: d. m: the exponent, not 1. t0 > 0: age of the initial profile; it starts as a point mass
    at age 0, and small t0 is steep. center: (d,), the origin by default. confinement: kappa >= 0.
    bounds: by default 1.2 radii at age 4 t0 (confined: at the oldest age); for fast diffusion, whose
    tails are algebraic, the box leaves 1e-4 of the mass outside, and that limits what a grid can show.

    >>> problem = barenblatt(dimension=1, m=2)
    >>> float(round(problem.initial.radius, 6)), float(round(problem.exact(7.0).radius, 6))
    (2.080084, 4.160168)

    Barenblatt, 1952; Otto, 2001; confined: Carrillo & Toscani, 2000.
    """
    start = Barenblatt(dimension, m, t0, center)
    flow = _Spreading(start, confinement)
    energy = internal(m)
    if confinement > 0:
        energy = energy + potential(Quadratic(confinement * np.eye(dimension), start.center))
    return Problem(
        energy,
        initial=start,
        bounds=chosen(bounds, flow.box()),
        exact=flow,
        name="barenblatt",
        reference="Barenblatt, 1952; Vazquez, 2007, section 17.5",
    )
