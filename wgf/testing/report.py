"""What a conformance suite says: one line per check, printable, and how checks are run."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

HELD, FAILED, SKIPPED = "held", "FAILED", "not applicable"
WIDTH = 100


class Fault(Exception):
    """Raised by a check that does not hold; the text says what was found and what was allowed."""


class NotApplicable(Exception):
    """Raised by a check that cannot be asked here; the text says why."""


class Line(NamedTuple):
    """One check: its name, "held", "FAILED" or "not applicable", what was found, and on which problem."""

    name: str
    verdict: str
    found: str
    where: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome of a conformance suite; print it.

    subject: what was checked. lines: one `Line` per check. passed: no line failed and at least one
    held, so that a subject to which nothing applies does not pass unseen.

    >>> report = Report("check_scheme(MyScheme())", (Line("mass is kept", "held", "drift 1e-16"),))
    >>> report.passed, len(report.failed)
    (True, 0)
    """

    subject: str
    lines: tuple[Line, ...]

    @property
    def passed(self) -> bool:
        """True when at least one check held and none failed."""
        return not self.failed and any(line.verdict == HELD for line in self.lines)

    @property
    def failed(self) -> tuple[Line, ...]:
        """The lines that failed."""
        return tuple(line for line in self.lines if line.verdict == FAILED)

    def __str__(self) -> str:
        counts = {v: sum(line.verdict == v for line in self.lines) for v in (HELD, FAILED, SKIPPED)}
        verdict = "passed" if self.passed else "FAILED"
        head = f"{self.subject}: {verdict} ({', '.join(f'{n} {v}' for v, n in counts.items())})"
        rows = [textwrap.fill(head, WIDTH, subsequent_indent="    ")]
        width = max((len(line.name) for line in self.lines), default=0)
        where = ""
        for line in self.lines:
            if line.where != where:
                where = line.where
                rows.append(f" {where}")
            start = f"  {line.verdict:<{len(SKIPPED)}}  {line.name:<{width}}  "
            found = line.found or "-"
            rows.append(textwrap.fill(found, WIDTH, initial_indent=start, subsequent_indent=" " * len(start)))
        return "\n".join(rows)


def run_check(
    where: str, check: Callable[..., str], *args: Any, excused: tuple[type[Exception], ...] = ()
) -> Line:
    """The line of one check: what it returns when it holds, else what it raised.

    The subject is somebody else's code, so an exception of any kind is a finding and not a crash; `excused`
    ones say that the question cannot be asked (the entropy of a cloud).
    """
    name = check.__name__.replace("_", " ")
    try:
        return Line(name, HELD, check(*args), where)
    except (NotApplicable, *excused) as reason:
        return Line(name, SKIPPED, str(reason).split(". ")[0], where)
    except Fault as fault:
        return Line(name, FAILED, str(fault), where)
    except Exception as error:
        return Line(name, FAILED, f"raised {type(error).__name__}: {' '.join(str(error).split())}", where)


def require(holds: Any, sentence: str) -> None:
    """Raise a Fault with this sentence unless `holds` is true (a comparison with NaN never is)."""
    if not bool(holds):
        raise Fault(sentence)


def within(found: Any, allowed: Any, what: str) -> str:
    """Hold a nonnegative number to a bound and say both."""
    sentence = f"{what} {float(found):.2g}, allowed {float(allowed):.2g}"
    require(found <= allowed, sentence)
    return sentence
