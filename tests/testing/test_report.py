"""Reports: what passes, what fails, and how it reads."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.testing.report import Fault, Line, NotApplicable, Report, require, run_check, within


def a_small_check(outcome):
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


@pytest.mark.parametrize(
    ("outcome", "verdict", "found"),
    [
        ("fine", "held", "fine"),
        (Fault("off by 2"), "FAILED", "off by 2"),
        (NotApplicable("no pdf"), "not applicable", "no pdf"),
        (ZeroDivisionError("oh\n dear"), "FAILED", "raised ZeroDivisionError: oh dear"),
    ],
)
def test_a_check_becomes_a_line_whatever_it_does(outcome, verdict, found):
    assert run_check("here", a_small_check, outcome) == Line("a small check", verdict, found, "here")


def test_an_excused_exception_is_not_applicable():
    line = run_check("", a_small_check, KeyError("x"), excused=(KeyError,))
    assert line.verdict == "not applicable"


def test_a_report_passes_only_if_something_held_and_nothing_failed():
    held, failed, skipped = Line("a", "held", ""), Line("b", "FAILED", ""), Line("c", "not applicable", "")
    assert Report("x", (held, skipped)).passed
    assert not Report("x", (held, failed)).passed
    assert not Report("x", (skipped,)).passed
    assert not Report("x", ()).passed
    assert Report("x", (held, failed)).failed == (failed,)


def test_a_printed_report_fits_100_columns_and_names_every_check():
    lines = tuple(Line(f"check {k}", "held", "word " * 40, f"problem {k // 2}") for k in range(4))
    text = str(Report("check_scheme(" + "A" * 60 + ")", lines))
    assert max(map(len, text.splitlines())) <= 100
    assert all(f"check {k}" in text for k in range(4))
    assert " problem 1\n" in text


def test_nan_never_holds():
    with pytest.raises(Fault):
        within(np.nan, 1.0, "error")
    with pytest.raises(Fault):
        require(np.float64(np.nan) > 0, "is nan")
