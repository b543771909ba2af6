"""Energy and slope of a spectral density, by quadrature at its own nodes: a certificate to ten digits."""

from __future__ import annotations

import numpy as np

from wgf.schemes.grid.spectral.axis import Array
from wgf.schemes.grid.spectral.flow import CoupledFlow, ProductFlow
from wgf.schemes.grid.spectral.quadratures import outer

SEEN = 1e-13  # of the largest mass of a node: below it a series is rounding, and so is what flows there
GAUSS = np.polynomial.legendre.leggauss(4)  # instants of a step: order 8 in dt


def free_energy(flow: ProductFlow | CoupledFlow, coefficients: Array) -> float:
    """The integral of D rho log rho + V rho."""
    q, mass = flow.q, flow.rebuilt(coefficients)
    some = mass > SEEN * mass.max()
    rho = mass[some] / outer(q.weights)[some]
    return float(mass[some] @ (q.diffusion * (np.log(rho) + q.height[some])))


def slope_squared(flow: ProductFlow | CoupledFlow, coefficients: Array) -> float:
    """|dE|^2, the integral of rho |grad(D log rho + V)|^2 = |D pi grad u|^2/rho."""
    mass = flow.rebuilt(coefficients)
    some = mass > SEEN * mass.max()
    return sum(float((c[some] ** 2 / mass[some]).sum()) for c in flow.currents(coefficients))


def mean_slope_squared(flow: ProductFlow | CoupledFlow, series: Array, dt: float) -> float:
    """The mean of |dE|^2 over a step from the modal series, by Gauss quadrature in time."""
    instants, weights = 0.5 * dt * (GAUSS[0] + 1), 0.5 * GAUSS[1]
    states = (flow.nodal(series * np.exp(-t * flow.rates)) for t in instants)
    return float(sum(w * slope_squared(flow, state) for w, state in zip(weights, states, strict=True)))
