"""Interaction: half the double integral of W(x - y), on grids by FFT and on points by blocked sums."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from wgf.energies.convolution import Convolution, kernel_values
from wgf.measures.averages import evaluate
from wgf.measures.density import Density
from wgf.measures.grid import Grid
from wgf.measures.nodes import Nodes

REMEMBERED = 2  # grids whose transform is kept: a run needs one, a pair of resolutions two
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
            total += float(nodes.mass[rows] @ kernel_values(self.W, z)[0] @ nodes.mass)
        return 0.5 * total

    def grid_value(self, density: Density) -> float:
        """Half the sum of mass (W * mass)."""
        return 0.5 * float(np.sum(density.cell_masses * self.convolve(density)))

    def convolve(self, density: Density) -> np.ndarray:
        """W * rho at the cell centres, without wrap-around, or periodic along periodic axes."""
        return self.on(density.grid)(density.values)

    def on(self, grid: Grid) -> Convolution:
        """W * on this grid, with the kernel's transform; the last few grids are remembered."""
        plans = self.__dict__.setdefault("_plans", {})
        plan = plans.pop(grid, None) or Convolution(self.W, grid)
        plans[grid] = plan
        while len(plans) > REMEMBERED:
            del plans[next(iter(plans))]
        return plan

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: all but the remembered transforms."""
        return {name: value for name, value in self.__dict__.items() if name != "_plans"}

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


def _blocks(x: np.ndarray, y: np.ndarray) -> Any:
    """(rows, x[rows, None] - y) in blocks of bounded memory."""
    size = max(1, PAIRS // len(y))
    for start in range(0, len(x), size):
        rows = slice(start, start + size)
        yield rows, x[rows, None, :] - y[None, :, :]
