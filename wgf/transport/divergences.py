"""L1 and KL: comparisons of densities, on a grid when one of the two lives on a grid.

Choice: with a Density the CELL AVERAGES are compared on its grid, because that is what it holds: against
point values a perfect scheme would show an error h^2/24 Laplace(rho). Without a grid the integral is
done by Gauss panels that follow both (`wgf/measures/quadrature.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import rel_entr

from wgf.errors import MeasureError
from wgf.measures.averages import average_density
from wgf.measures.base import nonnegative
from wgf.measures.density import Density
from wgf.measures.quadrature import blocks, gauss_points, hold_mass, tensor_mesh

BISECTIONS = 60
UNDERFLOW = 1e-200  # a density below this does not count where a pdf underflows to log b = -inf
CUTS = {2: 3, 3: 1}  # of the panels where |a - b| has a kink along a curve
LOST = 1e-12  # relative: mass outside a box below this is rounding
TAIL = 1e-3  # and below this a smooth measure's tail, as for the initial measure of a grid scheme


def l1(a: Any, b: Any) -> float:
    """The integral of |a - b|."""
    return _on_grid(a, b, _l1_sum) if _gridded(a, b) else _quadrature(a, b, _l1_points)


def kl(a: Any, b: Any) -> float:
    """The integral of a log(a / b); +inf where a has mass and b has none."""
    if _gridded(a, b):
        return _on_grid(a, b, _kl_sum)
    if getattr(a, "kind", "") == getattr(b, "kind", "") == "gaussian":
        return _kl_gaussians(a, b)
    return _quadrature(a, b, _kl_points)


def _gridded(a: Any, b: Any) -> bool:
    for name, measure in (("a", a), ("b", b)):
        if not hasattr(measure, "pdf"):
            raise MeasureError(
                f"{name} is a {type(measure).__name__}, which has no density to compare. "
                "Use Mixture.kde(x, bandwidth), Density.from_measure(particles, grid), or kind='w2'."
            )
    return isinstance(a, Density) or isinstance(b, Density)


def _on_grid(a: Any, b: Any, total: Callable[..., float]) -> float:
    """Both as cell averages on one grid, and what either holds outside its box, where the other has nothing.

    A smooth measure's tail of less than 1e-3 outside is left out: a grid is never the whole space.
    """
    grid = common_grid(a, b)
    values = [nonnegative(average_density(m, grid), name) for m, name in ((a, "a"), (b, "b"))]
    outside = []
    for measure, inside in zip((a, b), values, strict=True):
        mass = getattr(measure, "mass", 1.0)
        lost = mass - float(inside.sum() * grid.volume)
        outside.append(lost if lost > (LOST if isinstance(measure, Density) else TAIL) * mass else 0.0)
    apart = total(np.array(outside[0]), np.array(0.0)) + total(np.array(0.0), np.array(outside[1]))
    return total(*values) * grid.volume + apart


def common_grid(a: Any, b: Any) -> Any:
    """The grid to compare on: the one there is, or that of two with the larger cells."""
    grids = [m.grid for m in (a, b) if isinstance(m, Density)]
    return max(grids, key=lambda g: (g.volume, -g.size))


def _l1_sum(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a - b).sum())


def _kl_sum(a: np.ndarray, b: np.ndarray) -> float:
    return float(rel_entr(a, b).sum())


def _kl_gaussians(a: Any, b: Any) -> float:
    """Half of tr(C) - d - log det(C) + (m - n) . B^-1 (m - n), by the eigenvalues of C = B^-1/2 A B^-1/2."""
    values, vectors = np.linalg.eigh(b.covariance)
    if values[0] <= 0:
        return 0.0 if _same_gaussian(a, b) else float("inf")
    whiten = vectors / np.sqrt(values)
    ratio = np.clip(np.linalg.eigvalsh(whiten.T @ a.covariance @ whiten), 0, None)
    if ratio[0] == 0:
        return float("inf")
    shift = whiten.T @ (a.center - b.center)
    excess = ratio - 1  # r - 1 - log r by log1p: no cancellation for nearly equal covariances
    return float(0.5 * ((excess - np.log1p(excess)).sum() + shift @ shift))


def _same_gaussian(a: Any, b: Any) -> bool:
    return np.array_equal(a.center, b.center) and np.array_equal(a.covariance, b.covariance)


def _l1_points(log_a: np.ndarray, log_b: np.ndarray) -> np.ndarray:
    return np.abs(np.exp(log_a) - np.exp(log_b))


def _kl_points(log_a: np.ndarray, log_b: np.ndarray) -> np.ndarray:
    rho = np.exp(log_a)
    with np.errstate(invalid="ignore"):
        return np.where(rho < UNDERFLOW, 0.0, rho * (log_a - log_b))


def _quadrature(a: Any, b: Any, integrand: Callable[..., np.ndarray]) -> float:
    """Tensor Gauss panels that follow both measures; refused when they miss the mass of either.

    Smooth densities: to rounding. On the line the panels meet the places where a = b, so that |a - b| is
    smooth on each (1e-10). In more dimensions such a crossing, like a support with a curved edge, leaves
    an error of second order in the panel (l1 of Gaussians: 1e-4 in 2-D, 2e-3 in 3-D).
    """
    axes = tensor_mesh((a, b))
    if integrand is _l1_points:
        axes = (_crossed(axes[0], a, b),) if len(axes) == 1 else tuple(_cut(e, len(axes)) for e in axes)
    total, mass_a, mass_b = 0.0, 0.0, 0.0
    for x, weights in blocks(axes):
        log_a, log_b = _log_density(a, x), _log_density(b, x)
        total += float(integrand(log_a, log_b) @ weights)
        mass_a, mass_b = mass_a + float(np.exp(log_a) @ weights), mass_b + float(np.exp(log_b) @ weights)
    hold_mass(a, mass_a)
    hold_mass(b, mass_b)
    return total


def _cut(edges: np.ndarray, d: int) -> np.ndarray:
    """Every panel cut into CUTS[d]."""
    part = np.arange(CUTS[d]) / CUTS[d]
    inner = (edges[:-1, None] + np.diff(edges)[:, None] * part).ravel()
    return np.append(inner, edges[-1])


def _crossed(edges: np.ndarray, a: Any, b: Any) -> np.ndarray:
    """The edges with the places added where the densities cross, by bisection."""

    def above(x: np.ndarray) -> np.ndarray:
        return _log_density(a, x[:, None]) > _log_density(b, x[:, None])

    x = np.unique(np.concatenate((edges, gauss_points(edges, 1)[0])))
    side = above(x)
    change = np.flatnonzero(side[1:] != side[:-1])
    low, high, start = x[change], x[change + 1], side[change]
    for _ in range(BISECTIONS):
        middle = 0.5 * (low + high)
        before = above(middle) == start
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.unique(np.concatenate((edges, high)))


def _log_density(measure: Any, x: np.ndarray) -> np.ndarray:
    if hasattr(measure, "log_density"):
        return measure.log_density(x)
    with np.errstate(divide="ignore"):
        return np.log(measure.pdf(x))
