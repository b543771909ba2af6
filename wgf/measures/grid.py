"""Grid: a box cut into equal cells. No fields on it, no solver state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from wgf import checks

BOUNDARIES = ("noflux", "periodic")
SLAB = 2**16  # cells of one evaluation: a few MB of points and temporaries


def _cells(name: str, value: Any, sizes: checks.Sizes) -> int | tuple[int, ...]:
    if isinstance(value, (tuple, list, np.ndarray)):
        if len(value) == 0:
            raise checks.refuse(name, "an integer >= 2 or one per axis", value)
        return tuple(checks.integer(2)(name, v.item() if isinstance(v, np.generic) else v) for v in value)
    return checks.integer(2)(name, value)


def _boundary(name: str, value: Any, sizes: checks.Sizes) -> str | tuple[str, ...]:
    if isinstance(value, (tuple, list)) and value:
        return tuple(checks.choice(*BOUNDARIES)(name, v) for v in value)
    return checks.choice(*BOUNDARIES)(name, value)


cells_kind = checks.Kind("an integer >= 2, or one per axis", _cells, (0, 1, -3, 2.5, "a", None, (), (8, 0)))
boundary_kind = checks.Kind(
    "'noflux' or 'periodic', or one per axis", _boundary, ("neumann", 3, None, (), ("noflux", "wall"))
)


@checks.checked(bounds=checks.bounds, cells=cells_kind, boundary=boundary_kind)
@final
@dataclass(frozen=True)
class Grid:
    """A box in R^d (d = 1, 2, 3, ...) cut into equal cells.

    bounds: (low, high) on the line, or one such pair per axis. cells: one number for every axis, or
    one per axis. boundary: "noflux" or "periodic", for every axis or one per axis.
    Grids are values: equal when their fields are equal, hashable.

    >>> grid = Grid((-1, 1), 4)
    >>> grid.axes[0].tolist(), float(grid.spacing[0])
    ([-0.75, -0.25, 0.25, 0.75], 0.5)
    """

    bounds: Any
    cells: Any
    boundary: Any = "noflux"

    def __post_init__(self) -> None:
        d = len(self.bounds)
        for name in ("cells", "boundary"):
            value = getattr(self, name)
            per_axis = value if isinstance(value, tuple) else (value,) * d
            if len(per_axis) != d:
                raise ValueError(f"{name} must have one entry per axis ({d}), got {value!r}.")
            object.__setattr__(self, name, per_axis)

    @property
    def dimension(self) -> int:
        """Number of axes d."""
        return len(self.bounds)

    @property
    def size(self) -> int:
        """Number of cells."""
        return int(np.prod(self.cells))

    @cached_property
    def spacing(self) -> np.ndarray:
        """Cell widths h_k, shape (d,)."""
        return np.array([(b - a) / n for (a, b), n in zip(self.bounds, self.cells, strict=True)])

    @property
    def volume(self) -> float:
        """Volume of one cell."""
        return float(np.prod(self.spacing))

    @cached_property
    def axes(self) -> tuple[np.ndarray, ...]:
        """Cell centres along each axis."""
        return tuple(0.5 * (self.edges(k)[:-1] + self.edges(k)[1:]) for k in range(self.dimension))

    @property
    def centers(self) -> np.ndarray:
        """All cell centres, shape (*cells, d)."""
        return self._centers_of(self.axes)

    def _centers_of(self, axes: tuple[np.ndarray, ...]) -> np.ndarray:
        result = np.empty((*(len(axis) for axis in axes), self.dimension))
        for k, axis in enumerate(axes):  # by broadcasting: meshgrid and stack would pass thrice over it
            result[..., k] = axis.reshape([-1 if k == j else 1 for j in range(self.dimension)])
        return result

    def evaluate(self, f: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        """f at all cell centres, (*cells,), slab by slab: temporaries stay in cache, whatever the size."""
        first, *others = self.axes
        rows = max(1, SLAB // max(1, self.size // len(first)))
        slabs = [
            f(self._centers_of((first[low : low + rows], *others))) for low in range(0, len(first), rows)
        ]
        return slabs[0] if len(slabs) == 1 else np.concatenate(slabs)

    def edges(self, axis: int) -> np.ndarray:
        """The n + 1 cell faces along `axis`."""
        low, high = self.bounds[axis]
        return np.linspace(low, high, self.cells[axis] + 1)

    def indices(self, x: np.ndarray) -> tuple[tuple[np.ndarray, ...], np.ndarray]:
        """Cell index per axis of points x (..., d), and which of them lie in the box.

        Points outside get the index of the nearest cell; periodic axes wrap. The upper face belongs
        to the last cell.
        """
        found, inside = [], np.ones(x.shape[:-1], dtype=bool)
        for k, ((low, high), n) in enumerate(zip(self.bounds, self.cells, strict=True)):
            position = (x[..., k] - low) / (high - low) * n
            if self.boundary[k] == "periodic":
                index = np.floor(position).astype(np.int64) % n
            else:
                inside &= (x[..., k] >= low) & (x[..., k] <= high)
                index = np.clip(np.floor(position), 0, n - 1).astype(np.int64)
            found.append(index)
        return tuple(found), inside
