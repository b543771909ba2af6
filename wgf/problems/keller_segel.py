r"""Keller-Segel in the plane: diffusion against logarithmic attraction, and the mass that decides.

For cells of total mass M, d_t rho = Laplace(rho) - div(rho grad c), c = -(1/2pi) log|.| * rho. Written
for the probability density rho / M it is the gradient flow of int rho log rho plus the interaction
W(z) = M/(2pi) log|z|, -M times the free-space Green function. No solution in closed form, but an exact law
for the second moment.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.energies import entropy, interaction
from wgf.energies.kernels import Newtonian
from wgf.problem import Problem
from wgf.problems.boxes import (
    DEVIATIONS,
    bounds_or_none,
    chosen,
    initial_gaussian,
    mean_or_none,
    numbers_or_none,
)

CRITICAL_MASS = 8 * np.pi
HORIZON = 1.0  # the box holds 7 standard deviations until then


@checks.checked(mass=checks.positive, mean=mean_or_none, cov=numbers_or_none, bounds=bounds_or_none)
def keller_segel(mass: float = 4 * np.pi, mean: Any = None, cov: Any = None, bounds: Any = None) -> Problem:
    r"""Chemotaxis in the plane for cells of total mass M, as a flow of the normalised density.

    d_t rho = Laplace(rho) - M div(rho grad c), c = -(1/2pi) log|.| * rho, int rho = 1;
    E = int rho log rho + M/(4pi) double int log|x - y| rho rho.

    mass: M > 0. Below 8 pi = 25.13 the cells spread for ever; above, the density becomes infinite no
    later than `keller_segel_blow_up_time`; at 8 pi the variance stands still. mean: origin by default.
    cov: 0.25 by default. bounds: 7 standard deviations of the moment law until t = 1; on a box the law
    holds until mass reaches the wall. Compare with `keller_segel_second_moment`. A grid stays finite after
    blow-up: AggregationDiffusion(peak=0.5 * 8 pi / M) ends the run where the mass stands in a few cells.

    >>> problem = keller_segel(mass=8 * np.pi)
    >>> problem.dimension, problem.exact is None
    (2, True)

    Keller & Segel, 1970; Blanchet, Dolbeault & Perthame, 2006.
    """
    start = initial_gaussian(2, 0.0 if mean is None else mean, 0.25 if cov is None else cov)
    spread = float(np.trace(start.covariance))
    widest = max(
        spread,
        keller_segel_second_moment(HORIZON, mass, spread),
        2 * start.covariance.max(),
    )
    reach = DEVIATIONS * np.sqrt(widest / 2)
    return Problem(
        entropy() + interaction(Newtonian(2, strength=-mass)),
        initial=start,
        bounds=chosen(bounds, tuple((float(c - reach), float(c + reach)) for c in start.center)),
        name="keller-segel",
        reference="Blanchet, Dolbeault & Perthame, 2006",
    )


@checks.checked(t=checks.nonnegative, mass=checks.positive, second_moment=checks.positive)
def keller_segel_second_moment(t: float, mass: float, second_moment: float) -> float:
    r"""int |x - mean|^2 rho at time t, rho normalised: m2(0) + 4 (1 - M/(8 pi)) t.

    Exact for any initial density in the whole plane, as long as the solution exists.
    t: time. mass: M. second_moment: the trace of the initial covariance. May be negative after
    blow-up, which is how one sees that there must be one.

    >>> keller_segel_second_moment(0.5, 4 * np.pi, 0.5)
    1.5

    Blanchet, Dolbeault & Perthame, 2006.
    """
    return second_moment + 4 * (1 - mass / CRITICAL_MASS) * t


@checks.checked(mass=checks.positive, second_moment=checks.positive)
def keller_segel_blow_up_time(mass: float, second_moment: float) -> float:
    r"""The latest time at which the solution can still exist: m2(0) / (4 (M/(8 pi) - 1)).

    Infinity for M <= 8 pi. The true blow-up may come earlier.

    >>> float(round(keller_segel_blow_up_time(16 * np.pi, 0.5), 12))
    0.125

    Blanchet, Dolbeault & Perthame, 2006.
    """
    if mass <= CRITICAL_MASS:
        return float("inf")
    return second_moment / (4 * (mass / CRITICAL_MASS - 1))
