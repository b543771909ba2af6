"""Problem: an energy, an initial measure and a domain. The one definition, and no scheme in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, final

import numpy as np

from wgf import checks
from wgf.energies.energy import Energy
from wgf.measures.base import measure as measure_kind
from wgf.measures.grid import Grid, boundary_kind, cells_kind

T = TypeVar("T")
PROBE_SHIFT = 0.1  # keeps probed differences off 0, where W may be infinite
REMEMBERED = 6  # factorisations kept per problem: a study's neighbours, not a leak


@checks.checked(
    energy=checks.instance("an Energy such as entropy() + potential(V)", Energy),
    initial=measure_kind,
    bounds=checks.optional(checks.bounds),
    boundary=boundary_kind,
    exact=checks.optional(checks.function),
    name=checks.text,
    source=checks.text,
)
@final
@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be solved: the gradient flow of `energy` from `initial`.

    energy: an Energy. initial: a Measure of dimension d. bounds: (low, high) or one pair per axis, the
    box of grid schemes (particles ignore it unless they reflect or the boundary is periodic).
    boundary: "noflux" or "periodic", for all axes or one per axis. exact: t -> Measure, the exact
    solution where known. name, source: shown by tables.

    >>> import wgf
    >>> Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-8, 8)).dimension
    1
    """

    energy: Energy
    initial: Any
    bounds: Any = None
    boundary: Any = "noflux"
    exact: Callable[[float], Any] | None = None
    name: str = ""
    source: str = ""
    time: float = field(default=0.0, init=False)
    _memory: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict, init=False, repr=False)

    def __post_init__(self) -> None:
        d = self.dimension
        if self.bounds is not None and len(self.bounds) != d:
            raise ValueError(f"bounds must have one pair per axis of initial ({d}), got {len(self.bounds)}.")
        per_axis = self.boundary if isinstance(self.boundary, tuple) else (self.boundary,) * d
        if len(per_axis) != d:
            raise ValueError(f"boundary must have one entry per axis ({d}), got {self.boundary!r}.")
        if "periodic" in per_axis and self.bounds is None:
            raise ValueError("bounds must be given for a periodic boundary, got None.")
        object.__setattr__(self, "boundary", per_axis)
        points = self.probes(d + 3)  # not d points: n = d would hide a V that sums over the wrong axis
        for _, term in self.energy.potentials:
            term.probe(points)
        for _, term in self.energy.interactions:
            term.probe(points - points[::-1] + PROBE_SHIFT)

    def probes(self, n: int) -> np.ndarray:
        """n fixed points (n, d) where V must make sense: inside the box, else around the initial measure."""
        rng = np.random.default_rng(0)
        if self.bounds is not None:
            low, high = np.array(self.bounds).T
            return low + (high - low) * rng.random((n, self.dimension))
        scale = np.sqrt(np.abs(np.diag(self.initial.cov()))) + 1e-3
        return self.initial.mean() + 2 * scale * rng.standard_normal((n, self.dimension))

    def __getstate__(self) -> dict[str, Any]:
        """What travels to another process: all but the remembered factorisations, which it rebuilds."""
        return {**self.__dict__, "_memory": OrderedDict()}

    @property
    def dimension(self) -> int:
        """d, the dimension of the initial measure."""
        return self.initial.dimension

    @checks.checked(t=checks.finite)
    def at(self, t: float) -> Problem:
        """The problem with every V(x, t) frozen at t; itself when nothing depends on time.

        `time` says at which t it is frozen; a frozen problem can be moved again.
        """
        if not self.energy.time_dependent:
            return self
        frozen = replace(self, energy=self.energy.at(t))
        object.__setattr__(frozen, "time", float(t))
        return frozen

    @checks.checked(cells=cells_kind)
    def grid(self, cells: int | tuple[int, ...]) -> Grid:
        """The problem's box cut into cells; ValueError when there is no box."""
        if self.bounds is None:
            raise ValueError(
                "bounds must be given for a grid scheme, got None. Write Problem(..., bounds=(low, high))."
            )
        return Grid(self.bounds, cells, self.boundary)

    def cached(self, key: Hashable, build: Callable[[], T]) -> T:
        """What `build` returns, remembered under `key`: factorisations that depend on the problem alone.

        It changes speed and nothing else; the key must hold all that `build` uses besides the problem.
        """
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        value = self._memory[key] = build()
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return value
