"""Nodes: every measure as points carrying mass (and density where there is one), for energy values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.polynomial.legendre import leggauss

from wgf.measures.averages import NODE_WEIGHTS, NODES
from wgf.measures.base import require_density
from wgf.measures.gaussian import Gaussian
from wgf.measures.quadrature import blocks, gauss_points, hold_mass, radial_edges, tensor_mesh

NEGLIGIBLE = 1e-200  # of the largest value of a density
ANGLES = 24  # on the circle around a radial profile


class Nodes(NamedTuple):
    """x (n, d), mass (n,), rho (n,) or None: sum mass f(x) approximates the integral of f rho."""

    x: np.ndarray
    mass: np.ndarray
    rho: np.ndarray | None


def nodes(measure: Any) -> Nodes:
    """Quadrature nodes of a measure.

    Density: its cell centres (the quadrature whose energy the finite-volume schemes dissipate).
    Quantiles: 3 Gauss points a cell. Particles: the points, no density. Anything with a pdf, d <= 3:
    Gauss panels that follow the measure (`quadrature.py`), refused when they miss its mass.
    """
    kind = getattr(measure, "kind", None)
    if kind == "particles":
        return Nodes(measure.x, measure.w, None)
    if kind == "density":
        d = measure.dimension
        return Nodes(measure.grid.centers.reshape(-1, d), measure.cell_masses.ravel(), measure.values.ravel())
    if kind == "quantiles":
        middle, half = 0.5 * (measure.edges[1:] + measure.edges[:-1]), 0.5 * measure.widths
        x = middle[:, None] + half[:, None] * NODES
        mass = measure.masses[:, None] * (NODE_WEIGHTS / 2)
        rho = np.broadcast_to((measure.masses / measure.widths)[:, None], x.shape)
        return Nodes(x.reshape(-1, 1), mass.ravel(), rho.ravel())
    return _quadrature(measure)


def _quadrature(measure: Any) -> Nodes:
    require_density(measure, "measure", "an energy value")
    kind, d = getattr(measure, "kind", None), measure.dimension
    if kind == "gaussian":
        return _gaussian(measure)
    if kind == "barenblatt" and d in (2, 3):
        x, weights = _ball(measure)
        parts = [(x, weights, measure.pdf(x))]
    else:
        parts = [(x, weights, measure.pdf(x)) for x, weights in blocks(tensor_mesh((measure,)))]
    # where a density is about to underflow a user's V may overflow, and not even rho^0.1 counts there
    floor = NEGLIGIBLE * max(float(rho.max()) for _, _, rho in parts)
    parts = [(x[rho > floor], weights[rho > floor], rho[rho > floor]) for x, weights, rho in parts]
    x, weights, rho = (np.concatenate(part) for part in zip(*parts, strict=True))
    mass = rho * weights
    hold_mass(measure, float(mass.sum()))
    return Nodes(x, mass, rho)


def _gaussian(measure: Any) -> Nodes:
    """In the frame of the principal axes, where every covariance is the identity."""
    d = measure.dimension
    standard = Gaussian(np.zeros(d), 1.0)
    z, weights = (np.concatenate(part) for part in zip(*blocks(tensor_mesh((standard,))), strict=True))
    values, vectors = np.linalg.eigh(measure.covariance)
    if values[0] <= 0:
        measure.pdf(measure.center)  # says that it has no density, and the way out
    phi, std = standard.pdf(z), np.sqrt(values)
    z, weights, phi = (part[phi > NEGLIGIBLE] for part in (z, weights, phi))
    return Nodes(measure.center + (z * std) @ vectors.T, phi * weights, phi / np.prod(std))


def _ball(measure: Any) -> tuple[np.ndarray, np.ndarray]:
    """Points and weights around the centre of a radial profile: Gauss panels in the radius times a rule
    on the circle or sphere that is exact for polynomials of degree 23."""
    angle = 2 * np.pi * np.arange(ANGLES) / ANGLES
    circle = np.stack((np.cos(angle), np.sin(angle)), axis=1)
    if measure.dimension == 2:
        directions, share = circle, np.full(ANGLES, 2 * np.pi / ANGLES)
    else:
        height, area = leggauss(ANGLES // 2)
        ring = np.sqrt(1 - height**2)[:, None, None] * circle
        tops = np.broadcast_to(height[:, None, None], (*ring.shape[:2], 1))
        directions = np.concatenate((ring, tops), axis=-1).reshape(-1, 3)
        share = np.repeat(area * 2 * np.pi / ANGLES, ANGLES)
    radii, weights = gauss_points(measure.scale * radial_edges(measure.m > 1), 1)
    x = measure.center + radii[:, None, None] * directions
    total = (weights * radii ** (measure.dimension - 1))[:, None] * share
    return x.reshape(-1, measure.dimension), total.ravel()
