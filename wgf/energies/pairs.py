"""Interaction energies of any measure, by the cheapest way that is accurate.

Choice: moments where W is quadratic, pairs of points where there are few, else cell averages on a grid,
whose double sum is an FFT. Turned down: pairs of quadrature nodes in the plane (1e10 of them).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.energies.interaction import Interaction
from wgf.energies.named import Quadratic
from wgf.errors import MeasureError
from wgf.measures import Density, Grid
from wgf.measures.base import require_density
from wgf.measures.nodes import nodes
from wgf.measures.quadrature import hold_mass

MOST_PAIRS = 4_000_000_000  # 63 000 particles: about a minute
FEW_PAIRS = 200_000_000  # of quadrature nodes: a few seconds
CELLS = {1: 8192, 2: 384, 3: 64}  # the fine grid of the extrapolation
REACH = 6.0  # standard deviations: a Gaussian has 1e-8 of its mass outside
RESOLVED = 2e-2  # of the interaction by |W|: two grids that differ by more are both too coarse


def interaction_value(term: Interaction, measure: Any) -> float:
    """Half the double integral of W.

    Density: the sum over its cells, which the finite-volume schemes dissipate. A named Quadratic W: exact,
    from the moments. Particles: over all pairs, MeasureError beyond 4e9. Else with a density: over pairs
    of quadrature nodes where these are few (the line, smooth W: 1e-10), or cell averages on two grids,
    extrapolated (about 1e-6 relative in the plane and 1e-4 in space for a W smooth over a twentieth of
    the box, 1e-3 for one with a kink at 0); MeasureError when the two disagree by 2 %.
    """
    if isinstance(measure, Density):
        return term.grid_value(measure)
    if isinstance(term.W, Quadratic):
        return _quadratic(term.W, measure)
    if getattr(measure, "kind", None) == "particles":
        pairs = len(measure.x) ** 2
        if pairs > MOST_PAIRS:
            raise MeasureError(
                f"{term!r} of {len(measure.x)} particles is a sum over {pairs:.1e} pairs, and at most "
                f"{MOST_PAIRS:.0e} are summed. Take a part of the particles, or "
                "Density.from_measure(particles, grid)."
            )
        return term.value(nodes(measure))
    if measure.dimension == 1:
        points = nodes(measure)
        if len(points.mass) ** 2 <= FEW_PAIRS:
            return term.value(points)
    return _on_grids(term, measure)


def _quadratic(W: Quadratic, measure: Any) -> float:
    """E W(X - Y) / 2 = tr(A cov) / 2 + c . A c / 4 for W(z) = (z - c) . A (z - c) / 2."""
    center = np.zeros(len(W.A)) if W.center is None else W.center
    mass = float(getattr(measure, "mass", 1.0))
    return mass**2 * float(0.5 * np.trace(W.A @ measure.cov()) + 0.25 * center @ W.A @ center)


def _on_grids(term: Interaction, measure: Any) -> float:
    """(4 E_h - E_2h) / 3 of cell averages on a box that holds the measure."""
    require_density(measure, "measure", "an interaction energy")
    d = measure.dimension
    if d not in CELLS:
        raise MeasureError(
            f"{term!r} of a {type(measure).__name__} in dimension {d} is not computable on a grid. "
            "Use Particles(measure.sample(n, rng))."
        )
    box = _box(measure)
    fine, coarse = (Density.from_measure(measure, Grid(box, CELLS[d] // k)) for k in (1, 2))
    hold_mass(measure, fine.mass)
    values = [term.grid_value(density.normalised()) for density in (fine, coarse)]
    size = Interaction(lambda z: np.abs(term.W(z))).grid_value(coarse)
    if not abs(values[0] - values[1]) <= RESOLVED * size:
        raise MeasureError(
            f"{term!r} of {measure!r} is not resolved: {values[1]:.6g} on {CELLS[d] // 2} cells an axis, "
            f"{values[0]:.6g} on {CELLS[d]}. Use Density.from_measure(measure, grid) on a finer grid."
        )
    return float(getattr(measure, "mass", 1.0)) ** 2 * (4 * values[0] - values[1]) / 3


def _box(measure: Any) -> Any:
    """Its own bounds or radius, else 6 standard deviations."""
    if hasattr(measure, "bounds"):
        return measure.bounds
    if getattr(measure, "kind", None) == "quantiles":
        return ((measure.edges[0], measure.edges[-1]),)
    half = np.minimum(getattr(measure, "radius", np.inf), REACH * np.sqrt(np.diag(measure.cov())))
    return np.stack((measure.mean() - half, measure.mean() + half), axis=1)
