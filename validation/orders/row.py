"""One row of the table of observed orders: a scheme on a problem in a norm, over one refinement.

A row says beforehand which order theory gives, how far the extrapolated order may be from it, and how
small the error at the finest level must be; it is the requirement of one claim of `python -m validation`.
The arithmetic of orders is that of `wgf.studies` (see `rates.py`).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from dataclasses import dataclass

from validation.claims import Claim
from validation.rates import Ladder

LEVELS = 4
WORDS = 6  # of a problem's text that go into the name of its claim


@dataclass(frozen=True)
class Found:
    """A measured ladder as the table of claims shows it: the extrapolated order and the finest error."""

    ladder: Ladder

    def __str__(self) -> str:
        return f"{self.ladder.quoted:.3f}, error {self.ladder.finest:.1e}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """An observed order and what is required of it.

    scheme: its name, as `wgf.solve` takes it; problem: the problem in words, with the expected order's
    reason where it is not the scheme's own (a free boundary); norm: "L1", "W2", ... expected: the order of
    theory; tolerance: how far the extrapolated order may be from it (0.1; 0.15 at free boundaries).
    bound: the finest error is at most this. ladder(full): the errors, at least 4 levels, none of them
    dropped; a measure refuses runs with replaced steps itself.
    """

    scheme: str
    problem: str
    norm: str
    expected: float
    bound: float
    ladder: Callable[[bool], Ladder]
    tolerance: float = 0.1

    def judge(self, measured: Found | Ladder) -> bool:
        """Whether the order settles where it should and the finest error is small; NaN never passes."""
        ladder = measured.ladder if isinstance(measured, Found) else measured
        order = ladder.order
        enough = order.levels >= LEVELS and not order.dropped
        settled = bool(abs(order.extrapolated - self.expected) <= self.tolerance)
        return enough and settled and bool(ladder.finest <= self.bound)

    def __str__(self) -> str:
        return f"{self.expected:g} +- {self.tolerance:g}, {self.bound:.1e}"

    def measured(self, full: bool) -> Ladder:
        """The ladder, climbed once."""
        return _climbed(self, full)

    @property
    def slug(self) -> str:
        """The scheme and the first words of the problem, as a claim's name has them."""
        words = re.findall(r"[a-z0-9.]+", self.problem.lower())[:WORDS]
        return "-".join([self.scheme, *words])

    def claim(self, name: str) -> Claim:
        """The row as a claim: order and finest error in one."""
        return Claim(
            name=name,
            what=f"{self.scheme}: {self.problem}; order and finest error",
            against=f"theory and a bound, {self.norm}",
            measure=lambda full: Found(self.measured(full)),
            required=self,
        )


@functools.cache
def _climbed(row: Row, full: bool) -> Ladder:
    return row.ladder(full)
