r"""Diffusion with a full tensor on a nonnegative stencil: bonds along the offsets of Selling's decomposition.

In units of the spacing M = sum of a_e e e^T with a_e >= 0 at every cell, so div(M (D grad rho + rho (grad V -
M^-1 b))) is a sum of one-dimensional Scharfetter-Gummel operators along the integer offsets e. A bond from x
to x + e has the mean of its cells' weights (not the harmonic one: a_e vanishes where the stencil turns), and
exp(-V/D) at the centres has no flux through any bond: it rests exactly, whatever M.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.measures import Grid
from wgf.schemes.grid.fokker_planck.bonds import Bonds
from wgf.schemes.grid.fokker_planck.selling import selling
from wgf.schemes.grid.fokker_planck.walls import wall_tensors


def tensor_bonds(
    potential: np.ndarray,
    grid: Grid,
    diffusion: float,
    mobility: np.ndarray,
    drift: np.ndarray | None = None,
) -> Bonds:
    """The bonds of d_t rho = div(M (D grad rho + rho grad V)) - div(rho b).

    potential: (*cells), +inf in obstacles. mobility: (d, d) or (*cells, d, d). drift: b at the cell centres,
    (*cells, d), or None. Bonds that leave a no-flux box, and those with an end in an obstacle, are left out.
    """
    d = grid.dimension
    values = mobility.reshape(-1, d, d)
    force = None
    if drift is not None:
        force = np.linalg.solve(values, drift.reshape(-1, d, 1))[..., 0] * grid.spacing
    index = np.stack(np.unravel_index(np.arange(grid.size), grid.cells), axis=-1)
    v, parts = potential.ravel(), []
    for offset, weights in _stencil(values / (grid.spacing[:, None] * grid.spacing), index, grid):
        below, above, weight = _along(offset, weights, index, grid)
        passable = np.isfinite(v[below]) & np.isfinite(v[above])
        below, above, weight = below[passable], above[passable], weight[passable]
        w = v[above] - v[below]
        if force is not None:
            w -= 0.5 * ((force[below] + force[above]) @ offset)
        up, down = bernoulli(w / diffusion)
        parts.append((below, above, diffusion * weight * up, diffusion * weight * down))
    return Bonds(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _stencil(matrices: np.ndarray, index: np.ndarray, grid: Grid) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(offset (d,), weight per cell (size,)): Selling's inside, completed along no-flux walls.

    matrices: (size or 1, d, d) in units of the spacing. index: (size, d) of the cells.
    """
    weights, offsets = selling(matrices)
    closed = [axis for axis, boundary in enumerate(grid.boundary) if boundary == "noflux"]
    walls = {axis: (index[:, axis] == 0) | (index[:, axis] == grid.cells[axis] - 1) for axis in closed}
    for offset, found in _by_offset(weights, offsets):
        inside = np.broadcast_to(found, len(index)).copy()
        for axis in closed:
            if offset[axis] == 0:
                inside[walls[axis]] = 0.0
        yield offset, inside
    for axis in closed:
        cells = np.flatnonzero(walls[axis])
        rows = cells if len(matrices) > 1 else np.zeros(1, dtype=np.int64)
        tangential = selling(wall_tensors(matrices[rows], weights[rows], offsets[rows], axis))
        for offset, found in _by_offset(*tangential):
            beside = np.zeros(len(index))
            beside[cells] = found
            yield np.insert(offset, axis, 0), beside


def _by_offset(weights: np.ndarray, offsets: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Every distinct offset with the weight (n,) it has in each decomposition."""
    for offset in np.unique(offsets[weights > 0], axis=0):
        yield offset, np.where((offsets == offset).all(axis=2), weights, 0.0).sum(axis=1)


def _along(
    offset: np.ndarray, weights: np.ndarray, index: np.ndarray, grid: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(below, above, weight) of the bonds along one offset; weights: per cell."""
    target = index + offset
    inside = np.ones(len(index), dtype=bool)
    for axis, (n, boundary) in enumerate(zip(grid.cells, grid.boundary, strict=True)):
        if boundary == "periodic":
            target[:, axis] %= n
        else:
            inside &= (target[:, axis] >= 0) & (target[:, axis] < n)
    below = np.flatnonzero(inside)
    above = np.arange(len(index)).reshape(grid.cells)[tuple(target[inside].T)]
    weight = 0.5 * (weights[below] + weights[above])
    used = weight > 0
    return below[used], above[used], weight[used]
