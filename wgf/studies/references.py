"""What a table's errors are measured against, and how far that itself is from the truth.

An exact solution has no error. A reference computed by a scheme runs at a finer time step than any row,
and its own error is estimated by a coarser run of itself (half the cells, twice the step): their
difference bounds the error of a convergent scheme of order one or more from above.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import WgfError
from wgf.measures.base import measure as measure_kind
from wgf.schemes.names import scheme_kind
from wgf.studies.labels import label, size, size_text
from wgf.studies.metrics import deviation
from wgf.studies.units import Unit, run_all

FINER = 2  # a scheme's reference runs at the rows' smallest dt over this,
FINER_VARIED = 10  # or over this when the rows are to show an order in dt


@dataclass(frozen=True)
class Reference:
    """The measure at t_end that rows are compared with.

    text: what it is, for the header. coarser: the same scheme's coarser run, None for an exact solution.
    """

    measure: Any
    text: str
    coarser: Any = None

    def error(self, metric: Any) -> float:
        """The reference's own error in this metric: 0 when exact, else an estimate from above."""
        if self.coarser is None:
            return 0.0
        return float(np.linalg.norm(deviation(self.coarser, self.measure, metric)))


def _reference(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if isinstance(value, str) or hasattr(value, "step"):
        return scheme_kind(name, value)
    if hasattr(value, "measures") and hasattr(value, "times"):
        return value
    if callable(value) and not isinstance(value, type):
        return value
    try:
        return measure_kind(name, value)
    except TypeError:
        words = "a scheme, a measure, a trajectory or a function t -> measure"
        raise checks.refuse(name, words, value, TypeError) from None


reference_kind = checks.Kind(
    "a scheme, a measure, a trajectory or a function t -> measure",
    _reference,
    (3.0, "x", float("nan"), [1.0]),
)


def coarser_scheme(scheme: Any) -> Any:
    """The scheme with half its cells (levels, particles), None when it has no size to halve."""
    found = size(scheme)
    if found is None or not dataclasses.is_dataclass(scheme):
        return None
    field, value = found
    halved = tuple(v // 2 for v in value) if isinstance(value, tuple) else value // 2
    return dataclasses.replace(scheme, **{field: halved})  # pyright: ignore[reportArgumentType]


def find(
    problem: Any, reference: Any, t_end: float, dt: float, seed: int, varied_dt: bool, **where: Any
) -> Reference:
    """The reference of a table whose smallest step is `dt`; `where` holds workers= or executor=."""
    if reference is None:
        if problem.exact is None:
            raise ValueError(
                "reference must be given, because this problem carries no exact solution, got None. "
                "Pass reference=FokkerPlanck(cells=...), a scheme much finer than the rows."
            )
        return Reference(problem.exact(t_end), "exact solution")
    if hasattr(reference, "step"):
        return _computed(problem, reference, t_end, dt, seed, varied_dt, where)
    if hasattr(reference, "measures"):
        return Reference(reference.at(t_end), f"given trajectory at t = {t_end:g}")
    if isinstance(reference, Callable):
        return Reference(reference(t_end), "given function of t")
    return Reference(reference, f"given {type(reference).__name__}")


def _computed(
    problem: Any, scheme: Any, t_end: float, dt: float, seed: int, varied_dt: bool, where: dict[str, Any]
) -> Reference:
    reason = scheme.supports(problem)
    if reason is not None:
        raise ValueError(f"reference must support the problem, got {label(scheme)}: {reason}")
    step = dt / (FINER_VARIED if varied_dt else FINER)
    units = [Unit(problem, scheme, t_end, step, seed)]
    coarser = coarser_scheme(scheme)
    if coarser is not None:
        units.append(Unit(problem, coarser, t_end, 2 * step, seed))
    results = list(run_all(units, **where))
    for result in results:
        if result.failure:
            raise WgfError(f"the reference {label(scheme)} failed: {result.failure}")
    text = f"{label(scheme)}, {size_text(scheme)}".rstrip(", ") + f", dt = {results[0].dt:g}"
    return Reference(results[0].measure, text, results[1].measure if coarser is not None else None)
