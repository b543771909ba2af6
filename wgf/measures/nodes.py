"""Nodes: every measure as points carrying mass (and density where there is one), for energy values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf.measures.averages import NODE_WEIGHTS, NODES, gauss_offsets
from wgf.measures.base import require_density
from wgf.measures.grid import Grid

SPREAD = 10.0  # standard deviations covered: the normal tail beyond holds 1.5e-23
CELLS = {1: 2000, 2: 200, 3: 40}


class Nodes(NamedTuple):
    """x (n, d), mass (n,), rho (n,) or None: sum mass f(x) approximates the integral of f rho."""

    x: np.ndarray
    mass: np.ndarray
    rho: np.ndarray | None


def nodes(measure: Any) -> Nodes:
    """Quadrature nodes of a measure.

    Density: its cell centres (the quadrature whose energy the finite-volume schemes dissipate).
    Quantiles: 3 Gauss points a cell. Particles: the points, no density. Anything with a pdf: 3 Gauss
    points per axis and cell of a box of 10 standard deviations (its own box, if it has one), d <= 3.
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


def support_box(measure: Any) -> tuple[tuple[float, float], ...]:
    """A box holding the measure up to 1e-20: its own bounds or radius, else 10 standard deviations."""
    if hasattr(measure, "bounds"):
        return measure.bounds
    mean, std = measure.mean(), np.sqrt(np.diag(measure.cov()))
    half = np.minimum(getattr(measure, "radius", np.inf), SPREAD * std)
    return tuple((float(a), float(b)) for a, b in zip(mean - half, mean + half, strict=True))


def _quadrature(measure: Any) -> Nodes:
    require_density(measure, "measure", "an energy value")
    d = measure.dimension
    if d not in CELLS:
        raise ValueError(
            f"measure must have dimension <= 3 for quadrature, got {d}. Use Particles of a sample."
        )
    grid = Grid(support_box(measure), CELLS[d])
    offsets, weights = gauss_offsets(grid.spacing)
    x = (grid.centers.reshape(-1, 1, d) + offsets).reshape(-1, d)
    rho = measure.pdf(x)
    mass = rho * np.tile(weights * grid.volume, grid.size)
    return Nodes(x, mass, rho)
