r"""Weighted Poisson: which gradient field moves a density by a given rate of change, on a grid.

-div(rho grad phi) = f is the tangent-space equation of W2: f = d_t rho has the velocity grad phi of least
kinetic energy. Finite volumes with one density per face; on the line the faces' fluxes are sums of f, which
is exact. Turned down: point values of the log-density at the faces (a measure on a grid has only
averages) and a floor under rho (1e-8 of the peak already costs 0.2 per cent): the symmetric scaling makes
a range of 1e70 harmless.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.kernels.sparse_lu import diagonal_lu
from wgf.measures import Density, Grid
from wgf.measures.base import nonnegative
from wgf.measures.density import values_kind
from wgf.measures.faces import at_faces, inflow, upper_faces

REFINEMENTS = 2  # of the sparse solve, by its own residual: two reach rounding

Array = np.ndarray
MEANS: dict[str, Callable[[Array, Array], Array]] = {
    "geometric": lambda a, b: np.sqrt(a) * np.sqrt(b),  # a * b would underflow from 1e-154 on
    "arithmetic": lambda a, b: 0.5 * (a + b),
    "harmonic": lambda a, b: 2 / (1 / a + 1 / b),
}


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class PoissonSolution:
    """phi of -div(rho grad phi) = f on the cells of a grid, and what follows from it.

    potential: (*cells,), with mean 0 under rho, and 0 in empty cells. gradient: per axis the slope of phi at
    the faces between cells, (n_k - 1 faces, n_k on a periodic axis, the last one the seam). density: per
    axis rho at those faces. source: the f that was solved for, (*cells,). imbalance: the integral of
    the f that was given; it has been taken out in proportion to rho. residual: sum |A phi - f| / sum |f|.

    >>> from wgf.measures import Uniform
    >>> rho = Density.from_measure(Uniform((0, 1)), Grid((0, 1), 50))
    >>> solution = WeightedPoisson(rho).solve(rho.grid.axes[0] - 0.5)      # grad phi = (x - x^2)/2
    >>> round(240 * solution.kinetic, 2)
    1.0
    """

    grid: Grid
    potential: Array
    gradient: tuple[Array, ...]
    density: tuple[Array, ...]
    source: Array
    imbalance: float
    residual: float

    @property
    def kinetic(self) -> float:
        """1/2 the integral of rho |grad phi|^2: half the squared W2 speed of the change f."""
        squares = sum(float((r * g**2).sum()) for r, g in zip(self.density, self.gradient, strict=True))
        return 0.5 * squares * self.grid.volume

    @property
    def energy(self) -> float:
        """The Ritz value 1/2 int rho |grad phi|^2 - int f phi, the least over all phi; equals -kinetic."""
        return self.kinetic - float((self.source * self.potential).sum()) * self.grid.volume

    @cached_property
    def velocity(self) -> Array:
        """grad phi at the cell centres, (*cells, d): the mean over the two faces, 0 through a wall."""
        result = np.zeros((*self.grid.cells, self.grid.dimension))
        for axis, slopes in enumerate(self.gradient):
            upper = upper_faces(slopes, self.grid, axis)
            result[..., axis] = 0.5 * (upper + np.roll(upper, 1, axis))
        return result


@checks.checked(
    density=checks.instance("a Density", Density),
    face=checks.choice(*MEANS),
)
@final
@dataclass(frozen=True, eq=False)
class WeightedPoisson:
    r"""-div(rho grad phi) = f with no flux through the walls (periodic where the grid is), solved by volumes.

    Flux through a face: rho_face (phi_{i+1} - phi_i)/h, rho_face the `face` mean of the two cells:
    "geometric" (default: it follows exp(-V), and is the closest of the three for densities of that
    kind by a factor 3), "arithmetic" or "harmonic"; all are of order 2. On the line phi is summed up from
    the fluxes, exactly; a sparse factorisation, made once for a density, serves every source beyond
    (256^2 cells: about a second; three dimensions: up to about 30^3). rho may range over 1e70: rows are
    scaled symmetrically and the densest cell is held fixed. No floor is put under rho.

    Solvability needs int f = 0: f <- f - rho int f / int rho, so that no mass is asked of the void. phi is
    unique up to a constant: the mean of phi under rho is 0. Cells with rho = 0 are walls; what is left
    must hang together, and f must be 0 in them, or `solve` raises a ValueError.

    Where rho is tiny, grad phi is the ratio of two tiny numbers: judge errors in the norm weighted by rho.

    density: a Density, normalised or not. `solve(source)`: f as averages (*cells,).

    >>> from wgf.measures import Gaussian
    >>> rho = Density.from_measure(Gaussian(0, 1), Grid((-8, 8), 400))
    >>> solution = WeightedPoisson(rho).solve(rho.values * rho.grid.axes[0])      # f = rho x: phi = x
    >>> bool(abs(solution.velocity[200, 0] - 1) < 1e-3), bool(abs(2 * solution.kinetic - 1) < 1e-3)
    (True, True)

    Otto, 2001, section 4 (the metric); Yang, Mehta & Meyn, 2013 (the gain equation, the same operator).
    """

    density: Density
    face: str = "geometric"

    @checks.checked(source=values_kind)
    def solve(self, source: Array) -> PoissonSolution:
        """The solution for f = source, cell averages of shape (*cells,)."""
        grid, rho = self.density.grid, self._rho
        if source.shape != grid.cells:
            raise ValueError(f"source must have the grid's shape {grid.cells}, got {source.shape}.")
        if (source[rho == 0] != 0).any():
            raise ValueError(
                "source must be 0 where density is 0, got mass to be moved in empty cells. "
                "Widen the density or restrict the source."
            )
        total = float(source.sum())
        balanced = source - rho * (total / rho.sum())
        faces = self._faces
        if grid.dimension == 1:
            potential, gradient = self._line(balanced)
        else:
            potential = self._spread(balanced)
            gradient = tuple(
                (above - below) * alive / h
                for (below, above), alive, h in zip(
                    self._pairs(potential), self._alive, grid.spacing, strict=True
                )
            )
        gap = self._outflow(gradient) - balanced
        scale = float(np.abs(balanced).sum())
        potential = np.where(rho > 0, potential - (rho * potential).sum() / rho.sum(), 0.0)
        return PoissonSolution(
            grid=grid,
            potential=potential,
            gradient=gradient,
            density=faces,
            source=balanced,
            imbalance=total * grid.volume,
            residual=float(np.abs(gap).sum()) / scale if scale > 0 else 0.0,
        )

    # ------------------------------------------------------------------------------------ the operator

    @cached_property
    def _rho(self) -> Array:
        rho = nonnegative(self.density.values, "density")
        if not rho.any():
            raise ValueError("density must have mass, got 0 in every cell.")
        return rho

    def _pairs(self, values: Array) -> list[tuple[Array, Array]]:
        boundary = self.density.grid.boundary
        return [at_faces(values, axis, b == "periodic") for axis, b in enumerate(boundary)]

    @cached_property
    def _alive(self) -> tuple[Array, ...]:
        """Per axis which faces lie between two filled cells."""
        return tuple((below > 0) & (above > 0) for below, above in self._pairs(self._rho))

    @cached_property
    def _faces(self) -> tuple[Array, ...]:
        """Per axis rho at the faces; 0 next to an empty cell."""
        found = []
        for (below, above), alive in zip(self._pairs(self._rho), self._alive, strict=True):
            mean = np.zeros(below.shape)
            mean[alive] = MEANS[self.face](below[alive], above[alive])
            found.append(mean)
        return tuple(found)

    def _outflow(self, gradient: tuple[Array, ...]) -> Array:
        """-div(rho grad phi) from the slopes at the faces."""
        parts = zip(gradient, self._faces, self.density.grid.spacing, strict=True)
        return inflow([slopes * mean / h for slopes, mean, h in parts], self.density.grid)

    def _line(self, source: Array) -> tuple[Array, tuple[Array, ...]]:
        """phi and its slopes in one dimension, summed from the nearer end so that tails keep their digits."""
        grid, mean = self.density.grid, self._faces[0]
        filled = np.flatnonzero(self._rho)
        periodic = grid.boundary[0] == "periodic"
        inner = mean[filled[0] : filled[-1]] if not (periodic and filled.size == grid.size) else mean
        if not inner.all():
            raise _torn()
        h = float(grid.spacing[0])
        from_left = -h * np.cumsum(source)
        from_right = h * (np.cumsum(source[::-1])[::-1] - source)
        below = np.cumsum(self._rho) <= 0.5 * self._rho.sum()
        flux = np.where(below, from_left, from_right)[: mean.size]
        slopes = np.divide(flux, mean, out=np.zeros_like(mean), where=mean > 0)
        if periodic and mean.all():  # a constant current is free: phi must close on itself
            resistance = 1 / mean
            slopes = slopes - resistance * (slopes.sum() / resistance.sum())
        potential = np.concatenate([[0.0], np.cumsum(h * slopes)])[: grid.size]
        return potential, (slopes,)

    def _spread(self, source: Array) -> Array:
        """phi beyond one dimension, 0 in the densest cell, refined by its own residual."""
        scale, keep, factors, matrix = self._factors
        f = source.ravel()[keep]
        phi = scale * factors.solve(scale * f)
        for _ in range(REFINEMENTS):
            phi += scale * factors.solve(scale * (f - matrix @ phi))
        potential = np.zeros(source.size)
        potential[keep] = phi
        return potential.reshape(source.shape)

    @cached_property
    def _factors(self) -> tuple[Array, Array, Any, Any]:
        """Scaling, the cells solved for (all but the densest), factors of the scaled matrix, the matrix."""
        from scipy import sparse
        from scipy.sparse.csgraph import connected_components

        grid, size = self.density.grid, self._rho.size
        rows, columns, weights = [], [], []
        for (below, above), mean, h in zip(
            self._pairs(np.arange(size).reshape(grid.cells)), self._faces, grid.spacing, strict=True
        ):
            some = mean > 0
            rows.append(below[some])
            columns.append(above[some])
            weights.append(mean[some] / h**2)
        pairs = np.concatenate(rows), np.concatenate(columns)
        weight = np.concatenate(weights)
        links = sparse.csr_array((weight, pairs), shape=(size, size))
        links = links + links.T
        filled = self._rho.ravel() > 0
        parts, label = connected_components(links, directed=False)
        if parts > 1 and np.unique(label[filled]).size > 1:
            raise _torn()
        matrix = (sparse.diags_array(links.sum(axis=1)) - links).tocsr()
        filled[int(self._rho.argmax())] = False
        keep = np.flatnonzero(filled)
        matrix = matrix[keep][:, keep]
        scale = 1 / np.sqrt(matrix.diagonal())
        scaled = (sparse.diags_array(scale) @ matrix @ sparse.diags_array(scale)).tocsc()
        return scale, keep, diagonal_lu(scaled), matrix


def _torn() -> ValueError:
    return ValueError(
        "density must hang together, got parts with empty cells between them: no gradient moves mass across. "
        "Solve on each part, or widen the density."
    )
