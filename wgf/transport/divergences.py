"""L1 and KL: comparisons of densities, on a grid when one of the two lives on a grid.

Choice: with a Density the CELL AVERAGES are compared on its grid, because that is what it holds: against
point values a perfect scheme would show an error h^2/24 Laplace(rho). Without a grid the integral is
done by Gauss panels on the box that holds both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import rel_entr

from wgf.errors import MeasureError
from wgf.measures.density import Density
from wgf.measures.nodes import support_box
from wgf.transport.lines import nonnegative

PANELS = {1: 4000, 2: 160, 3: 24}  # per axis; 6 Gauss points each
NODES, GAUSS = np.polynomial.legendre.leggauss(6)
BLOCK = 1 << 18  # points evaluated at a time


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
    grid = common_grid(a, b)
    values = [nonnegative(Density.from_measure(m, grid).values, name) for name, m in (("a", a), ("b", b))]
    return total(*values) * grid.volume


def common_grid(a: Any, b: Any) -> Any:
    """The grid to compare on: the one there is, or the coarser of two nested ones with the same bounds."""
    grids = [m.grid for m in (a, b) if isinstance(m, Density)]
    if len(grids) == 1:
        return grids[0]
    coarse, fine = sorted(grids, key=lambda g: g.size)
    nested = all(f % c == 0 for f, c in zip(fine.cells, coarse.cells, strict=True))
    if not np.allclose(coarse.bounds, fine.bounds, rtol=1e-12, atol=0) or not nested:
        raise MeasureError(
            f"a and b live on grids that are not nested: {a.grid.cells} cells on {a.grid.bounds} and "
            f"{b.grid.cells} cells on {b.grid.bounds}. Bring both to one: Density.from_measure(a, grid)."
        )
    return coarse


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
    with np.errstate(invalid="ignore"):
        return np.where(log_a == -np.inf, 0.0, np.exp(log_a) * (log_a - log_b))


def _breaks(a: Any, b: Any, axis: int, panels: int) -> np.ndarray:
    """Panel edges along an axis of a box that holds both, meeting the ends of each support."""
    ends = np.array([support_box(m)[axis] for m in (a, b)]).ravel()
    special = [m.edges for m in (a, b) if getattr(m, "kind", "") == "quantiles"]
    return np.unique(np.concatenate((np.linspace(ends.min(), ends.max(), panels + 1), ends, *special)))


def _quadrature(a: Any, b: Any, integrand: Callable[..., np.ndarray]) -> float:
    """Tensor Gauss panels. Smooth densities: to rounding; a sign change of a - b inside a panel, or a
    support with a curved edge, leaves an error of second order in the panel (1e-7 in 1-D, 1e-4 in 2-D)."""
    d = a.dimension
    if d not in PANELS:
        raise MeasureError(
            f"a and b have dimension {d}: densities are integrated up to 3. Use kind='sliced_w2'."
        )
    points, weights = [], []
    for axis in range(d):
        edges = _breaks(a, b, axis, PANELS[d])
        half = 0.5 * np.diff(edges)
        points.append(((edges[:-1] + half)[:, None] + half[:, None] * NODES).ravel())
        weights.append((half[:, None] * GAUSS).ravel())
    rest = int(np.prod([p.size for p in points[1:]]))
    rows, total = max(1, BLOCK // rest), 0.0
    for first in range(0, points[0].size, rows):
        block = [points[0][first : first + rows], *points[1:]]
        x = np.stack(np.meshgrid(*block, indexing="ij"), axis=-1)
        values = integrand(_log_density(a, x), _log_density(b, x))
        for w in reversed([weights[0][first : first + rows], *weights[1:]]):
            values = values @ w
        total += float(values)
    return total


def _log_density(measure: Any, x: np.ndarray) -> np.ndarray:
    if hasattr(measure, "log_density"):
        return measure.log_density(x)
    with np.errstate(divide="ignore"):
        return np.log(measure.pdf(x))
