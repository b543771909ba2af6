"""A claim as data, and the judgement of one measurement.

A `Claim` says what is computed, against what, how to measure it and what is required. A requirement
is an object with `judge(measured) -> bool` and a text for the table; each is written so that NaN is
never enough. Requirements on orders follow one rule for deterministic ladders and another for noisy
ones, because a regression interval on deterministic errors is not evidence (see `rates.py`).
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from validation.rates import Ladder, NoisyLadder

HELD, FAILED, SKIPPED = "held", "FAILED", "skipped"
GROWTH_SLACK = 0.02  # rounding of pairwise orders that already sit on the theory


class Skip(Exception):
    """Raised by a measure that cannot run here (no GPU, a peer not installed): neither held nor failed."""


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
    """The observed order of a deterministic ladder is `expected`.

    At least `levels` levels; the last pairwise order within 0.1, its extrapolation within 0.05, and
    the distance of the pairwise orders to the theory not growing over the last three levels.
    """

    expected: float
    last: float = 0.1
    extrapolated: float = 0.05
    levels: int = 4

    def judge(self, measured: Ladder) -> bool:
        """All four conditions; false when an error is NaN, zero or negative."""
        orders = measured.orders
        if len(measured.errors) < self.levels or not all(error > 0 for error in measured.errors):
            return False
        away = [abs(order - self.expected) for order in orders[-2:]]
        return bool(
            away[-1] <= self.last
            and abs(measured.extrapolated - self.expected) <= self.extrapolated
            and away[-1] <= away[0] + GROWTH_SLACK
        )

    def __str__(self) -> str:
        return f"order {self.expected:g} +- {self.extrapolated:g}"


@dataclass(frozen=True)
class NoisyOrder:
    """The 95 per cent bootstrap interval of a noisy ladder's order holds `expected` and is narrow."""

    expected: float
    half_width: float = 0.25
    levels: int = 4

    def judge(self, measured: NoisyLadder) -> bool:
        """Both conditions; a wide interval is a failure, and so is one with NaN in it."""
        low, high = measured.interval
        enough = measured.errors.shape[1] >= self.levels and np.isfinite(measured.samples).all()
        return bool(enough and low <= self.expected <= high and high - low <= 2 * self.half_width)

    def __str__(self) -> str:
        return f"order {self.expected:g} (95 %)"


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
    gpu: bool = False


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

    sections(full): further markdown for the page. draw(folder, full): figures beyond the ladder plot.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    sections: Callable[[bool], list[str]] | None = None
    draw: Callable[[Path, bool], None] | None = None
