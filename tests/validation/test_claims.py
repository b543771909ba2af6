"""Claims: what holds, what fails, and what a run makes of it."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from validation import __main__ as runner
from validation import report
from validation.claims import (
    FAILED,
    HELD,
    SKIPPED,
    AtLeast,
    AtMost,
    Claim,
    Order,
    OrderAtLeast,
    Skip,
    Subject,
    check,
    converges,
)
from validation.rates import Ladder

DT = (0.2, 0.1, 0.05, 0.025, 0.0125)


def claim(measure, required=None, name="made-up/claim"):
    required = AtMost(1.0) if required is None else required
    return Claim(name=name, what="a number", against="a bound", measure=measure, required=required)


def ladder(order, constant=1.0, drift=0.0):
    errors = tuple(constant * step**order * (1 + drift * step) for step in DT)
    return Ladder("made up", "dt", DT, errors)


def noisy(order, spread, seeds=24):
    rng = np.random.default_rng(3)
    steps = np.array(DT)
    samples = (steps**order)[:, None] * (1 + spread * rng.standard_normal((len(DT), seeds)))
    return Ladder.noisy("noise", "dt", DT, samples, "mean", "bias")


@pytest.mark.parametrize(
    ("value", "required", "verdict"),
    [
        (0.5, AtMost(1.0), HELD),
        (1.5, AtMost(1.0), FAILED),
        (math.nan, AtMost(1.0), FAILED),
        (math.nan, AtLeast(1.0), FAILED),
        (1.0, AtLeast(1.0), HELD),
        (0.9, AtLeast(1.0), FAILED),
        (-math.inf, AtLeast(-1e300), FAILED),
    ],
)
def test_a_number_is_judged_by_its_bound_and_nan_never_passes(value, required, verdict):
    assert check(claim(lambda full: value, required)).verdict == verdict


def test_an_order_passes_only_at_the_order_of_theory():
    assert Order(2).judge(ladder(2, drift=0.5))
    assert not Order(2).judge(ladder(1.9))
    assert not Order(1).judge(ladder(2))


@pytest.mark.parametrize("bad", [math.nan, 0.0, -1.0])
@pytest.mark.parametrize("place", range(len(DT)))
def test_an_order_with_one_broken_error_fails(bad, place):
    errors = list(ladder(2).errors)
    errors[place] = bad
    broken = Ladder("broken", "dt", DT, tuple(errors))
    assert check(claim(lambda full: broken, Order(2))).verdict == FAILED
    assert check(claim(lambda full: broken, OrderAtLeast(1))).verdict == FAILED


def test_an_order_from_three_levels_fails():
    short = Ladder("short", "dt", DT[:3], ladder(2).errors[:3])
    assert not Order(2).judge(short)
    assert not OrderAtLeast(1).judge(short)


def test_an_order_that_moves_away_from_the_theory_fails():
    orders = (2.0, 2.0, 2.02, 2.035)  # each within the other tolerances
    errors = [1.0]
    for order in orders:
        errors.append(errors[-1] * 0.5**order)
    leaving = Ladder("leaving", "dt", DT, tuple(errors))
    assert abs(leaving.order.extrapolated - 2) <= 0.05 + 1e-9
    assert not Order(2).judge(leaving)


def test_an_order_still_far_from_the_theory_fails_even_when_its_extrapolation_is_right():
    errors = [1.0]
    for order in (1.4, 1.7, 1.85):
        errors.append(errors[-1] * 0.5**order)
    slow = Ladder("slow", "dt", DT[:4], tuple(errors))
    assert abs(slow.order.extrapolated - 2) < 1e-9
    assert not Order(2).judge(slow)


def test_counts_are_steps_by_their_reciprocal():
    cells = Ladder("cells", "cells", (50, 100, 200, 400), (4e-2, 1e-2, 2.5e-3, 6.25e-4))
    np.testing.assert_allclose(cells.order.pairwise, 2.0, rtol=1e-12, atol=0)


def test_a_lowest_order_is_held_by_every_pair():
    assert OrderAtLeast(1.9).judge(ladder(1.95))
    assert not OrderAtLeast(1.9).judge(ladder(1.85))
    dented = list(ladder(1.95).errors)
    dented[2] *= 1.1  # the pair before it falls to 1.81, the one after it rises
    assert not OrderAtLeast(1.9).judge(Ladder("dented", "dt", DT, tuple(dented)))


@pytest.mark.parametrize("refinement", [1.5, 2.0, 3.0])
def test_extrapolation_finds_the_limit_whatever_the_refinement(refinement):
    """Pairwise orders 2 + s at the finer step s of each pair: halving would miss the limit by 0.02 at 1.5."""
    steps = 0.3 * refinement ** -np.arange(5.0)
    errors = [1.0]
    for step in steps[1:]:
        errors.append(errors[-1] * refinement ** -(2 + step))
    made = Ladder("made up", "dt", tuple(steps), tuple(errors))
    assert abs(made.order.pairwise[-1] - 2) > 3e-3
    np.testing.assert_allclose(made.order.extrapolated, 2.0, rtol=1e-10, atol=0)
    counted = Ladder("made up", "cells", tuple(1 / steps), tuple(errors))
    np.testing.assert_allclose(counted.order.extrapolated, 2.0, rtol=1e-10, atol=0)


def test_a_noisy_order_needs_a_narrow_interval_that_holds_the_theory():
    assert Order(1).judge(noisy(1, 0.02))
    assert not Order(2).judge(noisy(1, 0.02))
    assert not Order(1).judge(noisy(1, 3.0))
    samples = noisy(1, 0.02).samples.copy()
    samples[0, 0] = math.nan
    broken = Ladder.noisy("nan", "dt", DT, samples, "mean", "bias")
    assert check(claim(lambda full: broken, Order(1))).verdict == FAILED


def test_the_bootstrap_interval_has_the_width_of_the_noise():
    """Errors of pure noise, 24 seeds: the slope's standard error by hand is matched within a third."""
    rng = np.random.default_rng(0)
    sizes = (100, 400, 1600, 6400)
    samples = rng.standard_normal((4, 24)) / np.sqrt(sizes)[:, None]
    measured = Ladder.noisy("noise", "particles", sizes, samples, "RMS", "rms")
    low, high = measured.order.interval
    x = np.log(sizes) - np.mean(np.log(sizes))
    by_hand = 2 * 1.96 * math.sqrt(1 / (2 * 24) / (x @ x))
    assert low < 0.5 < high
    assert 2 / 3 < (high - low) / by_hand < 4 / 3


def test_an_exception_is_a_failed_claim_that_says_where():
    def broken(full):
        raise ValueError("no such cell")

    result = check(claim(broken))
    assert result.verdict == FAILED
    assert "no such cell" in result.note
    assert "broken" in result.note


def test_a_skip_is_neither_held_nor_failed():
    def absent(full):
        raise Skip("torch not installed (pip install wgf[peers])")

    result = check(claim(absent))
    assert result.verdict == SKIPPED
    assert result.note == "torch not installed (pip install wgf[peers])"


def test_an_order_comes_with_a_bound_on_the_same_ladder():
    order, bound = converges("made-up/x", "x", "y", lambda full: ladder(2), Order(2), 1e-6)
    assert check(order).verdict == HELD
    result = check(bound)
    assert result.verdict == FAILED
    np.testing.assert_allclose(result.measured, DT[-1] ** 2, rtol=1e-12)


@pytest.fixture
def stage(monkeypatch, tmp_path):
    """Put made-up claims in the place of the subject "grid"; returns run(claims, *words) -> exit code."""

    def run(claims, *words):
        subject = Subject(name="grid", title="Made up", claims=tuple(claims))
        monkeypatch.setattr(runner, "load", lambda name: subject)
        return runner.main([*(words or ("grid",)), "--results", str(tmp_path)])

    return run


def test_a_run_of_held_claims_ends_with_exit_code_0_and_writes_its_page(stage, tmp_path, capsys):
    assert stage([claim(lambda full: 0.5), claim(lambda full: ladder(2), Order(2), "grid/order")]) == 0
    page = (tmp_path / "grid.md").read_text()
    assert "python -m validation grid" in page
    assert "| 0.0125 |" in page
    assert "Error (L1) of: a number. Compared with: a bound." in page
    assert "](grid.png)" in page
    assert report.machine() in page
    assert (tmp_path / "grid.png").stat().st_size > 0
    assert "2 of 2 claims held, 0 failed, 0 skipped" in capsys.readouterr().out


@pytest.mark.parametrize("value", [2.0, math.nan])
def test_one_failing_claim_gives_exit_code_1(stage, value):
    assert stage([claim(lambda full: 0.5), claim(lambda full: value)]) == 1


def test_a_crashing_measure_gives_exit_code_1_and_its_reason(stage, capsys):
    assert stage([claim(lambda full: 1 / 0)]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().out


def test_skipped_claims_alone_give_exit_code_0(stage, capsys):
    def absent(full):
        raise Skip("no peer")

    assert stage([claim(absent)]) == 0
    assert "no peer" in capsys.readouterr().out


def test_asking_for_gpu_claims_says_that_there_are_none_and_measures_nothing(stage, capsys):
    assert stage([claim(lambda full: 1 / 0)], "grid", "--gpu") == 0
    assert capsys.readouterr().out == "This version makes no claim about a GPU: nothing to measure.\n"


def test_a_reader_that_leaves_ends_the_list_quietly():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "validation", "--list", "jko"]
    root = Path(runner.__file__).parents[1]
    with os.fdopen(writing, "w") as closed:
        found = subprocess.run(command, stdout=closed, stderr=subprocess.PIPE, text=True, cwd=root)
    assert found.stderr == ""
    assert found.returncode == runner.UNREAD


def test_part_of_a_subject_never_overwrites_its_page(stage, tmp_path):
    claims = [claim(lambda full: 0.5, name="grid/a"), claim(lambda full: 0.5, name="grid/b")]
    assert stage(claims, "grid/a") == 0
    assert not (tmp_path / "grid.md").exists()


def test_full_reaches_the_measure(stage):
    assert stage([claim(lambda full: 0.0 if full else 2.0)], "grid", "--full") == 0


@pytest.mark.parametrize("word", ["gird", "grid/nothing"])
def test_an_unknown_name_is_wrong_usage(stage, word, capsys):
    assert stage([claim(lambda full: 0.5, name="grid/a")], word) == 2
    assert "grid" in capsys.readouterr().err


def test_the_list_names_claims_and_measures_nothing(stage, capsys):
    assert stage([claim(lambda full: 1 / 0, name="grid/a")], "grid", "--list") == 0
    assert "grid/a" in capsys.readouterr().out


def test_the_table_fits_100_columns_whatever_the_claims():
    long = claim(lambda full: noisy(1, 0.02), Order(1), "subject/" + "very-long-name-" * 8)
    claims = [long, claim(lambda full: -1.23456789e-300)]
    table = report.SummaryTable(claims)
    lines = [*table.header.split("\n"), *(table.row(check(c)) for c in claims)]
    assert max(map(len, lines)) <= report.WIDTH
    assert len({len(line) for line in lines}) == 1


def test_bars_inside_a_cell_do_not_end_it():
    assert report.markdown_table(("a",), [("|x|",)]).splitlines()[-1] == "| \\|x\\| |"
