"""Rows of the table of orders: what passes, what does not, and what every row must state."""

from __future__ import annotations

import math

import numpy as np
import pytest

from validation import orders
from validation.claims import FAILED, HELD, check
from validation.orders import dissipation, manufactured
from validation.orders.row import Found, Row
from validation.rates import Ladder


def ladder(order: float, levels: int = 4, constant: float = 1.0) -> Ladder:
    """Errors of an exact order over 10, 20, 40, ... cells."""
    cells = tuple(10 * 2**k for k in range(levels))
    return Ladder("made up", "cells", cells, tuple(constant * (10 / n) ** order for n in cells))


def row(found: Ladder, expected: float = 2.0, bound: float = 0.1, tolerance: float = 0.1) -> Row:
    """A row that finds this ladder."""
    return Row(
        scheme="made-up",
        problem="nothing, on the line",
        norm="L1",
        expected=expected,
        bound=bound,
        ladder=lambda full: found,
        tolerance=tolerance,
    )


def test_an_order_within_its_tolerance_and_bound_holds():
    assert check(row(ladder(2.0)).claim("made-up")).verdict == HELD
    assert check(row(ladder(2.09)).claim("made-up")).verdict == HELD


@pytest.mark.parametrize("order", [1.85, 2.15, 1.0])
def test_an_order_out_of_its_tolerance_fails(order):
    assert check(row(ladder(order)).claim("made-up")).verdict == FAILED


def test_a_wider_tolerance_serves_free_boundaries():
    assert row(ladder(1.88), tolerance=0.15).judge(ladder(1.88))
    assert not row(ladder(1.88)).judge(ladder(1.88))


def test_three_levels_are_too_few():
    assert not row(ladder(2.0, levels=3)).judge(ladder(2.0, levels=3))


def test_a_finest_error_above_the_bound_fails_whatever_the_order():
    assert not row(ladder(2.0, constant=100.0)).judge(ladder(2.0, constant=100.0))


def test_a_level_lost_to_rounding_fails_the_row():
    cells = (10, 20, 40, 80, 160)
    lost = Ladder("made up", "cells", cells, (1e-2, 2.5e-3, 6.25e-4, 1.5625e-4, 1e-17))
    assert lost.order.dropped
    assert not row(lost).judge(lost)


@pytest.mark.parametrize("place", range(4))
def test_an_error_that_is_nan_never_passes(place):
    errors = [(10 / n) ** 2 for n in (10, 20, 40, 80)]
    errors[place] = math.nan
    broken = Ladder("made up", "cells", (10, 20, 40, 80), tuple(errors))
    assert check(row(broken).claim("made-up")).verdict == FAILED


def test_the_table_of_claims_shows_order_and_error():
    found = Found(ladder(2.0))
    assert str(found) == "2.000, error 1.6e-02"
    assert row(ladder(2.0)).judge(found)
    assert str(row(ladder(2.0))) == "2 +- 0.1, 1.0e-01"


def test_a_ladder_is_climbed_once():
    calls = []

    def climb(full: bool) -> Ladder:
        calls.append(full)
        return ladder(2.0)

    once = Row(scheme="made-up", problem="x", norm="L1", expected=2, bound=1.0, ladder=climb)
    once.measured(False)
    check(once.claim("made-up"))
    assert calls == [False]


def test_there_are_enough_rows_and_every_one_states_its_bound():
    rows = orders.rows()
    assert len(rows) >= 24
    assert all(0 < r.bound < 0.1 and 0 < r.tolerance <= 0.15 and 0 < r.expected <= 3 for r in rows)
    assert len({r.scheme for r in rows}) >= 8


def test_claims_have_names_of_their_own_in_one_subject():
    names = [claim.name for claim in orders.claims()]
    assert len(names) == len(set(names))
    assert all(name.startswith("grid/") for name in names)


def test_every_term_is_made_alone_and_together_in_every_setting():
    linear, nonlinear = (manufactured.cases(family) for family in manufactured.FAMILIES)
    plane_only = {"diagonal diffusion", "tensor diffusion, Fick", "tensor diffusion, Ito"}
    for term, settings in {**linear, **nonlinear}.items():
        expected = manufactured.SETTINGS[2:] if term in plane_only else manufactured.SETTINGS
        assert tuple(settings) == tuple(expected)
    assert len(linear) == 10
    assert len(nonlinear) == 5


def test_a_manufactured_order_that_is_nan_fails(monkeypatch):
    family = manufactured.FAMILIES[0]
    good = ladder(2.0)
    monkeypatch.setattr(manufactured, "ladders", lambda *a: [good, good])
    assert manufactured.worst_order(family, "diffusion", False) < 1e-12
    bad = Ladder("made up", "cells", (10, 20, 40, 80), (1.0, 0.25, 0.0625, 0.02))
    monkeypatch.setattr(manufactured, "ladders", lambda *a: [good, bad])
    assert manufactured.worst_order(family, "diffusion", False) > 0.1
    short = ladder(2.0, levels=3)
    monkeypatch.setattr(manufactured, "ladders", lambda *a: [good, short])
    assert manufactured.worst_order(family, "diffusion", False) == math.inf


def test_a_manufactured_run_feels_a_wrong_source(monkeypatch):
    """A source wrong by a thousandth: the finest error is many times the bound of the right one."""
    family = manufactured.FAMILIES[0]
    case = manufactured.cases(family)["potential"][1, "noflux"]
    right = case.error(manufactured.run(family, case, 48, 48), manufactured.T_END)
    wrong = 1.02 * case.source
    monkeypatch.setitem(case.__dict__, "source", wrong)
    off = case.error(manufactured.run(family, case, 48, 48), manufactured.T_END)
    assert right < 2e-3
    assert off > 3 * right


def test_the_defect_of_a_coarse_run_is_seen():
    """The dissipation defect at the first level is no rounding: its ladder has an order to observe."""
    scheme = dissipation.CONTESTANTS[1][2]
    found = dissipation.defects(scheme, 8, False)
    assert np.min(found.errors) > 1e-7
