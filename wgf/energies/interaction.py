"""Interaction: half the double integral of W(x - y), on grids by FFT and on points by blocked sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from wgf.measures.averages import cell_averages, evaluate
from wgf.measures.density import Density
from wgf.measures.grid import Grid
from wgf.measures.nodes import Nodes

PAIRS = 2_000_000  # pairs per block: 16 MB of differences per axis


@final
@dataclass(frozen=True)
class Interaction:
    """Half of the double integral of W(x - y) rho(x) rho(y), W even: (..., d) -> (...).

    W may be singular at 0 on a grid (the origin cell takes the cell average) and must be finite
    elsewhere; on particles grad W(0) counts as 0.
    """

    W: Callable[[Any], Any]
    kind = "interaction"

    def __repr__(self) -> str:
        return f"interaction({getattr(self.W, '__name__', None) or repr(self.W)})"

    def probe(self, z: np.ndarray) -> None:
        """Refuse a W that returns a wrong shape for differences z (n, d), or is not even."""
        with np.errstate(all="ignore"):
            there, back = np.asarray(self.W(z)), np.asarray(self.W(-z))
        if there.shape != z.shape[:-1]:
            evaluate("W", lambda _: there, z)
        if not np.allclose(there, back, rtol=1e-6, equal_nan=True):
            where = int(np.argmax(~np.isclose(there, back, rtol=1e-6, equal_nan=True)))
            raise ValueError(
                f"W must be even, W(z) = W(-z), got {there[where]:.6g} and {back[where]:.6g} at "
                f"z = {z[where].tolist()}. Write it in abs(z) or (z**2).sum(-1)."
            )

    def value(self, nodes: Nodes) -> float:
        """Half the double sum of mass mass W over pairs; the diagonal is left out if W(0) is infinite."""
        total = 0.0
        for rows, z in _blocks(nodes.x, nodes.x):
            total += float(nodes.mass[rows] @ self._values(z)[0] @ nodes.mass)
        return 0.5 * total

    def grid_value(self, density: Density) -> float:
        """Half the sum of mass (W * mass)."""
        return 0.5 * float(np.sum(density.cell_masses * self.convolve(density)))

    def convolve(self, density: Density) -> np.ndarray:
        """W * rho at the cell centres: zero-padded FFT, or periodic along periodic axes."""
        from scipy.signal import fftconvolve  # half a second to import, and only interactions need it

        masses, grid = density.cell_masses, density.grid
        kernel = self._kernel(grid)
        result = fftconvolve(masses, kernel, mode="full")
        for axis, (n, kind) in enumerate(zip(grid.cells, grid.boundary, strict=True)):
            result = np.moveaxis(result, axis, 0)
            if kind == "periodic":
                folded = np.zeros((n, *result.shape[1:]))
                np.add.at(folded, np.arange(result.shape[0]) % n, result)
                result = folded
            else:
                result = result[n - 1 : 2 * n - 1]
            result = np.moveaxis(result, 0, axis)
        return result

    def _kernel(self, grid: Grid) -> np.ndarray:
        """W at the differences of cell centres; along a periodic axis the nearest images."""
        steps = []
        for n, h, kind in zip(grid.cells, grid.spacing, grid.boundary, strict=True):
            k = np.arange(n) if kind == "periodic" else np.arange(-(n - 1), n)
            steps.append(np.where(k > n // 2, k - n, k) * h if kind == "periodic" else k * h)
        z = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
        values, origin_is_finite = self._values(z)
        if not origin_is_finite:
            half = 0.5 * grid.spacing
            # an even number of cells keeps the Gauss nodes off the singularity
            origin = cell_averages(self.W, Grid(np.stack([-half, half], axis=1), 16)).mean()
            values = np.where((z == 0).all(-1), origin, values)
        return values

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """grad W at differences z (..., d), 0 where z = 0."""
        if hasattr(self.W, "gradient"):
            slope = self.W.gradient(z)
        else:
            from wgf.autodiff import grad

            with np.errstate(divide="ignore", invalid="ignore"):
                slope = grad(lambda y: self.W(y).sum())(z)
        return np.where((z == 0).all(-1)[..., None], 0.0, slope)

    def velocity(self, x: np.ndarray, w: np.ndarray) -> np.ndarray:
        """- sum_j w_j grad W(x_i - x_j), (n, d)."""
        result = np.empty_like(x)
        for rows, z in _blocks(x, x):
            result[rows] = -np.einsum("j,ijd->id", w, self.gradient(z))
        return result

    def _values(self, z: np.ndarray) -> tuple[np.ndarray, bool]:
        """W at differences z (..., d), 0 in place of an infinite W(0), and whether W(0) is finite."""
        at_origin = (z == 0).all(-1)
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.array(self.W(z), dtype=np.float64)
        if values.shape == at_origin.shape:
            singular = at_origin & ~np.isfinite(values)
            values[singular] = 0.0
            return evaluate("W", lambda _: values, z), not singular.any()
        return evaluate("W", lambda _: values, z), True


def _blocks(x: np.ndarray, y: np.ndarray) -> Any:
    """(rows, x[rows, None] - y) in blocks of bounded memory."""
    size = max(1, PAIRS // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        yield rows, x[rows, None, :] - y[None, :, :]
