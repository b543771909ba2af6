"""Density: cell averages on a Grid, and how other measures become one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.measures.averages import average_density, cell_averages, require_mass
from wgf.measures.base import frozen, level_kind, line_kind, location_kind, locations, nonnegative
from wgf.measures.base import measure as measure_kind
from wgf.measures.gaussian import on_the_line
from wgf.measures.grid import Grid
from wgf.measures.quantiles import Quantiles

grid_kind = checks.instance("a Grid", Grid)


def _values(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    result = checks.as_float(name, value)
    if result.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {result.shape}.")
    return result


values_kind = checks.Kind(
    "finite cell averages",
    _values,
    (np.array([np.nan, 1.0]), np.array([np.inf]), np.zeros(0), "a", None, 1.0),
)


@final
class Density:
    """A density on a box, as cell AVERAGES on a uniform grid (piecewise constant in between).

    grid: a Grid. values: (*cells,) averages; they need not be normalised, and a solver's tiny negative
    values are kept as they are. Compare with averages of a reference, never with its point values:
    the difference is h^2/24 Laplace(rho), as large as a second-order scheme's error.
    Attributes: `grid`, `values`, `mass` (integral).

    >>> d = Density(Grid((0, 1), 4), [0.0, 2.0, 2.0, 0.0])
    >>> d.mass, float(d.mean()[0])
    (1.0, 0.5)
    """

    kind = "density"

    @checks.checked(grid=grid_kind, values=values_kind)
    def __init__(self, grid: Grid, values: Any) -> None:
        if values.shape != grid.cells:
            raise ValueError(f"values must have the grid's shape {grid.cells}, got {values.shape}.")
        self.grid, self.values = grid, frozen(values)

    @classmethod
    @checks.checked(f=checks.function, grid=grid_kind)
    def from_function(cls, f: Callable[[np.ndarray], np.ndarray], grid: Grid) -> Density:
        """Cell averages of f: (..., d) -> (...) by Gauss quadrature, 3 points per axis.

        Cells cut by the edge of the support (nodes both zero and positive) and cells in which f varies
        strongly are halved until they do not matter. The values are not normalised.
        """
        return cls(grid, cell_averages(f, grid))

    @classmethod
    @checks.checked(measure=measure_kind, grid=grid_kind)
    def from_measure(cls, measure: Any, grid: Grid) -> Density:
        """Cell averages of any measure: exact for Particles, Quantiles, Density and laws with cdf on
        the line, else by quadrature that also sees peaks narrower than a cell.

        Mass outside the box is left out, so `mass` says how much of the measure the grid holds.
        Raises ValueError when every cell is zero, MeasureError when the measure has no density.
        """
        if isinstance(measure, Density) and measure.grid == grid:
            return measure
        if measure.dimension != grid.dimension:
            raise ValueError(
                f"measure must have the grid's dimension {grid.dimension}, got {measure.dimension}."
            )
        return cls(grid, require_mass(average_density(measure, grid), grid))

    def __repr__(self) -> str:
        return f"Density({' x '.join(map(str, self.grid.cells))} cells, mass {self.mass:.6g})"

    @property
    def dimension(self) -> int:
        """d."""
        return self.grid.dimension

    @property
    def mass(self) -> float:
        """Integral over the box."""
        return float(self.values.sum() * self.grid.volume)

    @property
    def cell_masses(self) -> np.ndarray:
        """Mass of every cell, (*cells,)."""
        return self.values * self.grid.volume

    def normalised(self) -> Density:
        """The same density scaled to mass 1."""
        return Density(self.grid, self.values / self.mass)

    def mean(self) -> np.ndarray:
        """The mean of the normalised density, (d,)."""
        axes = [self._marginal(k) @ centers for k, centers in enumerate(self.grid.axes)]
        return np.array(axes) / self.values.sum()

    def _marginal(self, axis: int) -> np.ndarray:
        return self.values.sum(axis=tuple(k for k in range(self.dimension) if k != axis))

    def cov(self) -> np.ndarray:
        """The covariance, (d, d), exact for the piecewise constant density (h^2/12 per cell included)."""
        d, mean = self.dimension, self.mean()
        result = np.diag(self.grid.spacing**2 / 12)
        for i in range(d):
            for j in range(i, d):
                others = tuple(k for k in range(d) if k not in (i, j))
                joint = self.values.sum(axis=others)
                left, right = self.grid.axes[i] - mean[i], self.grid.axes[j] - mean[j]
                moment = joint @ left**2 if i == j else left @ joint @ right
                result[i, j] += moment / self.values.sum()
                result[j, i] = result[i, j]
        return result

    @checks.checked(x=location_kind)
    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d): constant in each cell, 0 outside the box."""
        index, inside = self.grid.indices(locations(self.dimension, x))
        return np.where(inside, self.values[index], 0.0)

    @checks.checked(x=location_kind)
    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log pdf at x (..., d); -inf where there is no mass."""
        with np.errstate(divide="ignore"):
            return np.log(self.pdf(x))

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n independent points (n, d): a cell by its mass, then uniform inside it."""
        masses = nonnegative(self.values, "this Density").ravel()
        chosen = rng.choice(masses.size, size=n, p=masses / masses.sum())
        index = np.stack(np.unravel_index(chosen, self.grid.cells), axis=-1)
        low = np.array(self.grid.bounds)[:, 0]
        return low + (index + rng.random(index.shape)) * self.grid.spacing

    def to_quantiles(self) -> Quantiles:
        """The same measure on the line as Quantiles."""
        values = nonnegative(on_the_line(self).values, "this Density")
        return Quantiles(self.grid.edges(0), values / values.sum())

    @checks.checked(x=line_kind)
    def cdf(self, x: np.ndarray) -> np.ndarray:
        """The distribution function on the line, x any shape."""
        return self.to_quantiles().cdf(x)

    @checks.checked(u=level_kind)
    def quantile(self, u: np.ndarray) -> np.ndarray:
        """The quantile function on the line, u in [0, 1] any shape."""
        return self.to_quantiles().quantile(u)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        periodic = np.array([b == "periodic" for b in self.grid.boundary])
        return {"values": self.values, "bounds": np.array(self.grid.bounds), "periodic": periodic}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Density:
        """The inverse of `arrays`."""
        boundary = tuple("periodic" if p else "noflux" for p in arrays["periodic"])
        values = arrays["values"]
        return cls(Grid(arrays["bounds"], values.shape, boundary), values)
