"""A claim as data, and the judgement of one measurement.

A `Claim` says what is computed, against what, how to measure it and what is required. A requirement
is an object with `judge(measured) -> bool` and a text for the table; each is written so that NaN is
never enough. Requirements on orders are judged by `wgf.studies` (see `rates.py`).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from validation.rates import Ladder

HELD, FAILED, SKIPPED = "held", "FAILED", "skipped"


class Skip(Exception):
    """Raised by a measure that cannot run here (a peer is not installed): neither held nor failed."""


class Requirement(Protocol):
    """What a measurement must satisfy; `str()` of it is the table's "required" column."""

    def judge(self, measured: Any) -> bool:
        """True only when the requirement is met; NaN never meets one."""
        ...


@dataclass(frozen=True)
class AtMost:
    """measured <= bound."""

    bound: float

    def judge(self, measured: float) -> bool:
        """Compare; false for NaN."""
        return bool(measured <= self.bound)

    def __str__(self) -> str:
        return f"<= {self.bound:.3g}"


@dataclass(frozen=True)
class AtLeast:
    """measured >= bound."""

    bound: float

    def judge(self, measured: float) -> bool:
        """Compare; false for NaN."""
        return bool(measured >= self.bound)

    def __str__(self) -> str:
        return f">= {self.bound:.3g}"


@dataclass(frozen=True)
class Order:
    """The observed order of a ladder is `expected` by the rules of `wgf.studies`.

    Deterministic: the last pairwise order within 0.1, the extrapolated one within 0.05, the distance to
    the theory not growing. Noisy: the 95 per cent bootstrap interval holds `expected` and is narrow. The
    levels of a claim are chosen beforehand, so at least `levels` of them are needed and none may be dropped.
    """

    expected: float
    levels: int = 4

    def judge(self, measured: Ladder) -> bool:
        """All conditions; an error that is NaN or negative raises, which fails the claim and says why."""
        order = measured.order
        return order.levels >= self.levels and not order.dropped and order.agrees(self.expected)

    def __str__(self) -> str:
        return f"order {self.expected:g}"


@dataclass(frozen=True)
class OrderAtLeast:
    """No pairwise order of a ladder is below `bound`, for rates that a logarithm keeps from settling."""

    bound: float
    levels: int = 4

    def judge(self, measured: Ladder) -> bool:
        """The lowest pairwise order of at least `levels` levels, none of them dropped."""
        order = measured.order
        enough = order.levels >= self.levels and not order.dropped
        return enough and bool(np.min(order.pairwise) >= self.bound)

    def __str__(self) -> str:
        return f"order >= {self.bound:g}"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One promise: `measure(full)` gives a number or a ladder, `required` judges it.

    name: "subject/short-name", unique. what: what is computed, in words. against: what it is held
    to. `full` asks the measure for more levels. Several claims may share one cached measurement.
    """

    name: str
    what: str
    against: str
    measure: Callable[[bool], Any]
    required: Requirement


@dataclass(frozen=True)
class Result:
    """A claim with its measurement, verdict and wall seconds; `note` says why it failed or was skipped."""

    claim: Claim
    measured: Any
    verdict: str
    seconds: float
    note: str = ""

    @property
    def text(self) -> str:
        """The measurement as the table shows it."""
        if self.measured is None:
            return "-"
        return f"{self.measured:.3g}" if isinstance(self.measured, int | float) else str(self.measured)


def check(claim: Claim, full: bool = False) -> Result:
    """Measure and judge one claim. An exception in the measure is a failed claim, not a crashed run."""
    start = time.perf_counter()
    try:
        measured = claim.measure(full)
        held = claim.required.judge(measured)
    except Skip as reason:
        return Result(claim, None, SKIPPED, time.perf_counter() - start, str(reason))
    except Exception as error:  # the runner's border: whatever a scheme raises becomes a line of the table
        where = traceback.extract_tb(error.__traceback__)[-1]
        note = f"{type(error).__name__}: {error} ({where.name}, line {where.lineno})"
        return Result(claim, None, FAILED, time.perf_counter() - start, note)
    return Result(claim, measured, HELD if held else FAILED, time.perf_counter() - start)


def converges(
    name: str, what: str, against: str, ladder: Callable[[bool], Any], required: Requirement, bound: float
) -> tuple[Claim, Claim]:
    """The two claims every order carries: the order itself, and an absolute bound on the smallest error."""

    def finest(full: bool) -> float:
        return ladder(full).finest

    return (
        Claim(name=f"{name}-order", what=what, against=against, measure=ladder, required=required),
        Claim(name=f"{name}-error", what=what, against=against, measure=finest, required=AtMost(bound)),
    )


def failures(results: Iterable[Result]) -> list[Result]:
    """The results that make a run end with exit code 1."""
    return [result for result in results if result.verdict == FAILED]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """The claims of one subject, and what its result page shows beside them.

    sections(full): further markdown for the page. body(folder, full): the page's own text, which then comes
    before the claims and shows the figures it writes to the folder. draw(folder, full): writes figures
    beyond the ladder plot and returns (file name, what it shows) of each.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    body: Callable[[Path, bool], list[str]] | None = None
    sections: Callable[[bool], list[str]] | None = None
    draw: Callable[[Path, bool], list[tuple[str, str]]] | None = None
