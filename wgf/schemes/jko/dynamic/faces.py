r"""One implicit time level of dynamic optimal transport on cells: faces, mobility and its exact adjoint.

Mass moves through a face by the flux theta d, d the difference of the potential phi across it, uphill.
theta = (1 - c) rho_source + c rho_sink, the source being the cell of lower phi and c >= 0 fixed beforehand:
c = 0 is upwind, c = 1/2 centred. The two functions of a level,

    continuity     A(phi)^T rho = rho_before,          rho + s div(theta grad phi) = rho_before
    value          H(phi) = phi - s/2 |grad phi|^2     with |grad phi|^2 the adjoint of theta in rho

belong together: A is the derivative of H. That is the discrete duality on which the decay of the energy and
the certificate of the minimiser rest (`path.py`). H is concave. Upwind, its inverse is monotone and A
an M-matrix with row sums 1, triangular once the cells are sorted by phi: continuity can neither lose
mass nor make any cell negative, whatever s.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from wgf.kernels.sparse_lu import diagonal_lu
from wgf.measures import Grid
from wgf.measures.faces import at_faces

Array = np.ndarray


class Faces(NamedTuple):
    """The faces of a grid: cells below and above, 1/h^2, the sink's share c, each (f,); number of cells."""

    below: Array
    above: Array
    weight: Array
    centring: Array
    cells: int


def faces_of(grid: Grid, open_cells: Array) -> Faces:
    """All faces between open cells, upwind; closed are the walls of the box and those of an obstacle."""
    cells = np.arange(grid.size).reshape(grid.cells)
    below, above, weight = [], [], []
    for axis, (h, boundary) in enumerate(zip(grid.spacing, grid.boundary, strict=True)):
        low, high = at_faces(cells, axis, boundary == "periodic")
        below.append(low.ravel())
        above.append(high.ravel())
        weight.append(np.full(low.size, h**-2.0))
    low, high, weights = (np.concatenate(parts) for parts in (below, above, weight))
    passable = open_cells[low] & open_cells[high]
    low, high, weights = low[passable], high[passable], weights[passable]
    return Faces(low, high, weights, np.zeros(low.size), grid.size)


class Level(NamedTuple):
    """A potential on one time level: per face the source, the sink, and difference^2 / h^2 and |d| / h^2."""

    phi: Array
    source: Array
    sink: Array
    squared: Array
    slope: Array


def level(phi: Array, faces: Faces) -> Level:
    """The faces as `phi` directs them: mass moves from the source to the sink, where phi is higher."""
    difference = phi[faces.above] - phi[faces.below]
    upwards = difference > 0
    source = np.where(upwards, faces.below, faces.above)
    sink = np.where(upwards, faces.above, faces.below)
    return Level(phi, source, sink, faces.weight * difference**2, faces.weight * np.abs(difference))


def squared_gradient(at: Level, faces: Faces) -> Array:
    """|grad phi|^2 in every cell: the derivative of sum theta |d|^2 / h^2 with respect to rho."""
    from_source = np.bincount(at.source, (1 - faces.centring) * at.squared, faces.cells)
    return from_source + np.bincount(at.sink, faces.centring * at.squared, faces.cells)


def mobility(rho: Array, at: Level, faces: Faces) -> Array:
    """theta of every face."""
    return (1 - faces.centring) * rho[at.source] + faces.centring * rho[at.sink]


def laplacian(theta: Array, faces: Faces) -> sparse.csc_array:
    """The matrix of phi -> -div(theta grad phi), symmetric, with row sums 0."""
    entry = theta * faces.weight
    diagonal = np.bincount(faces.below, entry, faces.cells) + np.bincount(faces.above, entry, faces.cells)
    cells = np.arange(faces.cells)
    rows = np.concatenate((faces.below, faces.above, cells))
    columns = np.concatenate((faces.above, faces.below, cells))
    return sparse.csc_array((np.concatenate((-entry, -entry, diagonal)), (rows, columns)))


class Transport:
    """The matrix A(phi) = H'(phi) of a level, factorised: `solve` for values, `push` for densities.

    Upwind, the factors are A itself with its cells in the order of phi: no fill, and `push` of a nonnegative
    density adds nonnegative numbers only.
    """

    def __init__(self, at: Level, faces: Faces, step: float) -> None:
        out, back = (1 - faces.centring) * at.slope * step, faces.centring * at.slope * step
        diagonal = 1.0 + np.bincount(at.source, out, faces.cells) - np.bincount(at.sink, back, faces.cells)
        cells = np.arange(faces.cells)
        upwind = not faces.centring.any()
        moving = at.slope > 0
        source, sink, out, back = at.source[moving], at.sink[moving], out[moving], back[moving]
        rows, columns, values = [source, cells], [sink, cells], [-out, diagonal]
        if not upwind:
            rows, columns, values = [*rows, sink], [*columns, source], [*values, back]
        self.order = np.argsort(at.phi, kind="stable") if upwind else cells
        rank = np.empty_like(cells)
        rank[self.order] = cells
        index = rank[np.concatenate(rows)], rank[np.concatenate(columns)]
        matrix = sparse.csc_array((np.concatenate(values), index), shape=(faces.cells,) * 2)
        self.factors = diagonal_lu(matrix, natural=upwind)

    def solve(self, value: Array) -> Array:
        """A^-1 value."""
        return self._solved(value, "N")

    def push(self, rho: Array) -> Array:
        """A^-T rho: the density at the end of the level."""
        return self._solved(rho, "T")

    def _solved(self, right: Array, trans: str) -> Array:
        result = np.empty_like(right)
        result[self.order] = self.factors.solve(right[self.order], trans)
        return result
