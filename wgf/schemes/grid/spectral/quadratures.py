"""Where a spectral flow is integrated and where its cell averages are read: nodes, weights, Gibbs masses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from wgf.measures import Grid
from wgf.schemes.grid.spectral.axis import (
    Array,
    Polynomials,
    Trigonometric,
    basis_of,
    in_cells,
    quadrature,
)

READING = {1: 8, 2: 4, 3: 3}  # Gauss points per axis and cell, more where the cells are few
PER_CELL = 3.0  # Gauss points a cell gets for every function there is to a cell
RULES = {1: (4, 80), 2: (3, 60), 3: (3, 36)}  # nodes per axis: so many per function and some
Function = Callable[[Array], Array]


def outer(factors: Sequence[Array]) -> Array:
    """The product of one array per axis, (n_1, ..., n_d)."""
    return functools.reduce(np.multiply.outer, factors)


def tensor_points(axes: Sequence[Array]) -> Array:
    """All points of a product of axes, (n_1, ..., n_d, d)."""
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


class Quadratures:
    """Nodes of a box, the normalised Gibbs masses there, and the points at which cells are averaged."""

    def __init__(
        self,
        potential: Function,
        diffusion: float,
        grid: Grid,
        modes: Sequence[int],
    ) -> None:
        self.grid, self.diffusion, self.modes = grid, diffusion, tuple(modes)
        self.periodic = [b == "periodic" for b in grid.boundary]
        each, spare = RULES[grid.dimension]
        rules = [
            quadrature(low, high, each * degree + spare, periodic)
            for (low, high), degree, periodic in zip(grid.bounds, modes, self.periodic, strict=True)
        ]
        self.nodes, self.weights = [r[0] for r in rules], [r[1] for r in rules]
        self.points = tensor_points(self.nodes)
        self._potential = potential
        self.height = potential(self.points) / diffusion
        self.floor = float(self.height.min())
        masses = np.exp(self.floor - self.height) * outer(self.weights)
        self.total = float(masses.sum())
        self.masses = masses / self.total
        inside = [
            in_cells(low, high, n, int(np.ceil(READING[grid.dimension] + PER_CELL * degree / n)))
            for (low, high), n, degree in zip(grid.bounds, grid.cells, modes, strict=True)
        ]
        self.reading, self.shares = [r[0] for r in inside], [r[1] for r in inside]

    def marginal(self, axis: int) -> Array:
        """The marginal density of pi at the reading points of an axis."""
        axes = [x if k != axis else self.reading[axis] for k, x in enumerate(self.nodes)]
        weights = [w if k != axis else np.ones(self.reading[axis].size) for k, w in enumerate(self.weights)]
        others = tuple(k for k in range(len(axes)) if k != axis)
        return (self.gibbs(tensor_points(axes)) * outer(weights)).sum(axis=others)

    def gibbs(self, points: Array) -> Array:
        """pi at points (..., d)."""
        return np.exp(self.floor - self._potential(points) / self.diffusion) / self.total

    def line_gibbs(self, axis: int, x: Array) -> Array:
        """pi_k at the places x of an axis, normalised, when pi is a product."""
        lowest = np.unravel_index(int(self.height.argmin()), self.height.shape)
        line = self.height[tuple(slice(None) if k == axis else i for k, i in enumerate(lowest))]
        points = np.tile(self.points[lowest], (x.size, 1))
        points[:, axis] = x
        scale = self.weights[axis] @ np.exp(self.floor - line)
        return np.exp(self.floor - self._potential(points) / self.diffusion) / scale

    def axis_basis(self, axis: int, root: Array) -> Polynomials | Trigonometric:
        """Functions of an axis, orthonormal for the masses root^2."""
        return basis_of(self.nodes[axis], root, self.modes[axis], self.grid.bounds[axis], self.periodic[axis])

    def averaged(self, values: Array) -> Array:
        """Cell averages of values at the points of reading."""
        for axis, (n, share) in enumerate(zip(self.grid.cells, self.shares, strict=True)):
            split = (*values.shape[:axis], n, share.size, *values.shape[axis + 1 :])
            values = np.moveaxis(values.reshape(split), axis + 1, -1) @ share
        return values
