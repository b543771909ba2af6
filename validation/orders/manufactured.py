"""Orders on manufactured solutions: every term alone and together, walls and torus, line and plane.

Space and time are held apart. In space: L1 distance of cell averages to the exact ones at t = 0.05, over
cells, the error in time removed by Richardson's extrapolation of runs with dt and dt / 2 (the order it rests
on is the other row). In time: on one grid, the L1 distance between runs of dt and of dt / 2, over dt, so
that no space error enters. The full matrix stands on the page; the rows where all terms act together, in
the plane, are rows of the table of orders as well.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

import wgf
from validation.claims import AtMost, Claim
from validation.orders.manufactured_cases import BOUNDARIES, Case, linear_cases, nonlinear_cases
from validation.orders.row import Row
from validation.rates import Ladder
from validation.report import markdown_table
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion

T_END = 0.05
SETTINGS = tuple((d, boundary) for d in (1, 2) for boundary in BOUNDARIES)
PLACES = {(1, "noflux"): "line", (1, "periodic"): "circle", (2, "noflux"): "square", (2, "periodic"): "torus"}
LINE = (12, 24, 48, 96, 192)  # cells of the space ladders on the line
TIME_CELLS = {1: 24, 2: 12}


@dataclass(frozen=True)
class Family:
    """The cases of one scheme of order two in space and time.

    plane: cells per axis of the space ladders in the plane (a limiter clips extrema that 12 cells hold).
    per_step: cells per step in the space ladders. first: steps of the first level in time.
    """

    scheme: str
    make: Callable[[int, bool], Any]
    cases: Callable[[int, str], tuple[Case, ...]]
    plane: tuple[int, ...]
    per_step: int
    first: int


FAMILIES = (
    Family(
        scheme="fokker-planck",
        make=lambda cells, in_time: FokkerPlanck(cells=cells),
        cases=linear_cases,
        plane=(6, 12, 24, 48, 96),
        per_step=4,
        first=3,
    ),
    Family(
        scheme="aggregation-diffusion",
        make=lambda cells, in_time: AggregationDiffusion(
            cells=cells, time="sdirk2", flux="upwind" if in_time else "limited"
        ),
        cases=nonlinear_cases,
        plane=(16, 24, 36, 54, 81),
        per_step=12,
        first=3,
    ),
)


def run(family: Family, case: Case, cells: int, steps: int, in_time: bool = False) -> np.ndarray:
    """The cell averages at T_END; a replaced step would spoil an order, so it is refused."""
    found = wgf.solve(case.problem(cells), family.make(cells, in_time), t_end=T_END, dt=T_END / steps)
    replaced = found.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return found.final.values


@functools.cache
def in_space(family: Family, case: Case, full: bool) -> Ladder:
    """Errors against the exact averages over the cells, without that in time."""
    levels = (LINE if case.dimension == 1 else family.plane)[: 5 if full else 4]
    errors = []
    for n in levels:
        steps = max(n // family.per_step, 2)
        once, twice = run(family, case, n, steps), run(family, case, n, 2 * steps)
        errors.append(case.error((4 * twice - once) / 3, T_END))
    return Ladder(f"{case.term}, space", "cells", levels, tuple(errors))


@functools.cache
def in_time(family: Family, case: Case, full: bool) -> Ladder:
    """Differences of successive dt on one grid."""
    counts = [
        family.first * 2**k for k in range(6 if full else 5)
    ]  # each but the first judges the one before
    found = [run(family, case, TIME_CELLS[case.dimension], steps, True) for steps in counts]
    gaps = [float(np.abs(a - b).mean()) for a, b in itertools.pairwise(found)]
    return Ladder(f"{case.term}, time", "dt", tuple(T_END / n for n in counts[:-1]), tuple(gaps))


@functools.cache
def cases(family: Family) -> dict[str, dict[tuple[int, str], Case]]:
    """The cases of a family by term, then by setting."""
    found: dict[str, dict[tuple[int, str], Case]] = {}
    for setting in SETTINGS:
        for case in family.cases(*setting):
            found.setdefault(case.term, {})[setting] = case
    return found


def ladders(family: Family, term: str, full: bool) -> list[Ladder]:
    """All ladders of a term: every setting, in space and in time."""
    return [
        measure(family, case, full)
        for case in cases(family)[term].values()
        for measure in (in_space, in_time)
    ]


def worst_order(family: Family, term: str, full: bool) -> float:
    """The largest distance of an extrapolated order to 2; infinite when a level was dropped."""
    orders = [ladder.order for ladder in ladders(family, term, full)]
    gaps = [abs(o.extrapolated - 2.0) if o.levels >= 4 and not o.dropped else np.inf for o in orders]
    return float(np.max(gaps))  # NaN stays NaN


def worst_error(family: Family, term: str, full: bool) -> float:
    """The largest error at the finest level in space."""
    return float(np.max([in_space(family, case, full).finest for case in cases(family)[term].values()]))


def _claims(family: Family, term: str) -> Iterator[Claim]:
    name = f"grid/made-{family.scheme}-{term.replace(',', '').replace(' = ', '').replace(' ', '-')}"
    places = ", ".join(PLACES[setting] for setting in cases(family)[term])
    yield Claim(
        name=f"{name}-order",
        what=f"{family.scheme}, manufactured solution, {term}: worst order in space and time on {places}",
        against="order 2, distance of the extrapolated order",
        measure=functools.partial(worst_order, family, term),
        required=AtMost(0.1),
    )
    yield Claim(
        name=f"{name}-error",
        what=f"{family.scheme}, manufactured solution, {term}: worst error at the finest level",
        against="exact cell averages, L1",
        measure=functools.partial(worst_error, family, term),
        required=AtMost(BOUNDS[family.scheme, term]),
    )


BOUNDS = {
    ("fokker-planck", "diffusion"): 0.0004,
    ("fokker-planck", "variable diffusion, Fick"): 0.00045,
    ("fokker-planck", "variable diffusion, Ito"): 0.0005,
    ("fokker-planck", "diagonal diffusion"): 0.00045,
    ("fokker-planck", "tensor diffusion, Fick"): 0.0006,
    ("fokker-planck", "tensor diffusion, Ito"): 0.001,
    ("fokker-planck", "potential"): 0.0003,
    ("fokker-planck", "moving potential"): 0.0003,
    ("fokker-planck", "drift"): 0.0004,
    ("fokker-planck", "all linear terms"): 0.001,
    ("aggregation-diffusion", "internal, m = 2"): 0.00024,
    ("aggregation-diffusion", "internal, m = 3"): 0.00024,
    ("aggregation-diffusion", "interaction"): 0.0003,
    ("aggregation-diffusion", "moving potential"): 0.00025,
    ("aggregation-diffusion", "all nonlinear terms"): 0.00028,
}
CLAIMS = tuple(claim for family in FAMILIES for term in cases(family) for claim in _claims(family, term))
TOGETHER = {"fokker-planck": "all linear terms", "aggregation-diffusion": "all nonlinear terms"}
FINEST = {  # by scheme and boundary: in space and in time
    ("fokker-planck", "noflux"): (3e-4, 1.3e-4),
    ("fokker-planck", "periodic"): (1e-3, 5e-4),
    ("aggregation-diffusion", "noflux"): (2e-4, 8e-8),
    ("aggregation-diffusion", "periodic"): (2.8e-4, 1e-7),
}
ROWS = tuple(
    Row(
        scheme=family.scheme,
        problem=f"manufactured on the {PLACES[2, boundary]}, {TOGETHER[family.scheme]}, {word}",
        norm="L1",
        expected=2,
        bound=FINEST[family.scheme, boundary][number],
        ladder=functools.partial(measure, family, cases(family)[TOGETHER[family.scheme]][2, boundary]),
    )
    for family in FAMILIES
    for boundary in BOUNDARIES
    for number, (word, measure) in enumerate((("space", in_space), ("time", in_time)))
)


def table(full: bool) -> str:
    """The matrix for the page: the extrapolated orders in space / in time of every term in every setting."""
    lines = []
    for family in FAMILIES:
        for term, settings in cases(family).items():
            cells = []
            for setting in SETTINGS:
                case = settings.get(setting)
                if case is None:
                    cells.append("")
                    continue
                space, time = in_space(family, case, full), in_time(family, case, full)
                cells.append(f"{space.quoted:.2f} / {time.quoted:.2f} ({space.finest:.1e})")
            lines.append((family.scheme, term, *cells))
    return markdown_table(("scheme", "terms", *(PLACES[setting] for setting in SETTINGS)), lines)
