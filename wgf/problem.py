"""Problem: an energy, an initial measure and a domain. The one definition, and no scheme in it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from copy import copy
from dataclasses import dataclass, field
from typing import Any, TypeVar, final

import numpy as np

from wgf import checks
from wgf.energies.energy import Energy
from wgf.energies.terms import takes_time
from wgf.measures.averages import evaluate
from wgf.measures.base import measure as measure_kind
from wgf.measures.base import points_kind
from wgf.measures.grid import Grid, boundary_kind, cells_kind
from wgf.mobility import Mobility

T = TypeVar("T")
PROBE_SHIFT = 0.1  # keeps probed differences off 0, where W may be infinite
EXTENSIONS = ("drift", "source", "mobility")
REMEMBERED = 8  # factorisations kept per problem: a study's neighbours, not a leak


@checks.checked(
    energy=checks.instance("an Energy such as entropy() + potential(V)", Energy),
    initial=measure_kind,
    bounds=checks.optional(checks.bounds),
    boundary=boundary_kind,
    exact=checks.optional(checks.function),
    name=checks.text,
    reference=checks.text,
    drift=checks.optional(checks.function),
    source=checks.optional(checks.function),
    mobility=checks.optional(checks.instance("a Mobility(M, form=...)", Mobility)),
)
@final
@dataclass(frozen=True, eq=False)
class Problem:
    """What is to be solved: the gradient flow of `energy` from `initial`, and what may be added to it.

    d_t rho = div(M rho grad dE/drho) - div(rho b) + s, with M = 1, b = 0, s = 0 unless given; in Ito's form
    of a variable M, d_i d_j (M_ij D rho) stands in the place of the entropy's div(M D grad rho).

    energy: an Energy. initial: a Measure of dimension d. bounds: (low, high) or one pair per axis, the
    box of grid schemes (particles ignore it unless they reflect or the boundary is periodic).
    boundary: "noflux" or "periodic", for all axes or one per axis. exact: t -> Measure, the exact
    solution where known. name, reference: shown by tables.
    drift: b(x) or b(x, t), (..., d) to (..., d), a velocity that need not be a gradient. source: s(x) or
    s(x, t), (..., d) to (...), density created per unit time (the mass is then no longer 1). mobility: a
    `Mobility`. `solve` refuses them with schemes that cannot follow them: `Scheme.extensions` says which can.

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
    reference: str = ""
    drift: Callable[..., Any] | None = None
    source: Callable[..., Any] | None = None
    mobility: Mobility | None = None
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
        if self.mobility is not None:
            self.mobility.probe(points)
        self._probe_drift(points)
        if self.source is not None:
            evaluate("source", lambda x: self._call(self.source, x), points)

    def _probe_drift(self, x: np.ndarray) -> None:
        """Refuse a drift whose values at points x (n, d) have another shape than x."""
        if self.drift is None:
            return
        values = np.asarray(self._call(self.drift, x))
        if values.shape != x.shape:
            raise ValueError(
                f"drift must return shape {x.shape} for points of that shape, got {values.shape}."
            )

    def _call(self, f: Any, x: np.ndarray) -> Any:
        """f(x), or f(x, t) at the time this problem is frozen at."""
        return f(x, self.time) if takes_time(f) else f(x)

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
    def extensions(self) -> tuple[str, ...]:
        """Which of "drift", "source" and "mobility" the problem has."""
        return tuple(name for name in EXTENSIONS if getattr(self, name) is not None)

    @property
    def gradient_flow(self) -> bool:
        """True without drift and source and with a mobility, if any, in Fick's form: the energy decays."""
        moved = self.drift is not None or self.source is not None
        return not moved and (self.mobility is None or self.mobility.constant or self.mobility.form == "fick")

    @property
    def time_dependent(self) -> bool:
        """True when V, the drift or the source depends on t."""
        moving = (f for f in (self.drift, self.source) if f is not None)
        return self.energy.time_dependent or any(takes_time(f) for f in moving)

    @checks.checked(x=points_kind)
    def drift_value(self, x: np.ndarray) -> np.ndarray:
        """The drift b at x (..., d), (..., d), at the time the problem is frozen at; zeros without one."""
        if self.drift is None:
            return np.zeros(x.shape)
        return np.asarray(self._call(self.drift, x), dtype=np.float64)

    @checks.checked(x=points_kind)
    def source_value(self, x: np.ndarray) -> np.ndarray:
        """The source s at x (..., d), (...), at the time the problem is frozen at; zeros without one."""
        if self.source is None:
            return np.zeros(x.shape[:-1])
        return evaluate("source", lambda y: self._call(self.source, y), x)

    @property
    def dimension(self) -> int:
        """d, the dimension of the initial measure."""
        return self.initial.dimension

    @checks.checked(t=checks.finite)
    def at(self, t: float) -> Problem:
        """The problem with V(x, t), drift and source frozen at t; itself when nothing depends on time.

        `time` says at which t it is frozen; a frozen problem can be moved again.
        """
        if not self.time_dependent:
            return self
        frozen = copy(self)  # checked once, at the door; its memory is its own
        object.__setattr__(frozen, "energy", self.energy.at(t))
        object.__setattr__(frozen, "time", float(t))
        if not self.energy.time_dependent and not (self.drift is not None and takes_time(self.drift)):
            object.__setattr__(frozen, "_memory", self._memory)
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

        It changes speed and nothing else; the key must hold all that `build` uses besides the problem, and
        what is built must not contain a moving source: a problem in which only the source moves keeps its
        memory from one time to the next.
        """
        if key in self._memory:
            self._memory.move_to_end(key)
            return self._memory[key]
        value = self._memory[key] = build()
        while len(self._memory) > REMEMBERED:
            self._memory.popitem(last=False)
        return value
