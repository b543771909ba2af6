"""The step lattice and the steps at which it saves."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.loop.lattice import MOST_STEPS, save_at_kind, save_steps, steps_of


@pytest.mark.parametrize(
    ("t_end", "dt", "steps"), [(1.0, 0.1, 10), (1.0, 0.3, 4), (0.3, 0.1, 3), (0.7, 0.1, 7), (1.0, 5.0, 1)]
)
def test_steps_are_the_fewest_that_dt_allows(t_end, dt, steps):
    found, run = steps_of(t_end, dt)
    assert found == steps
    assert abs(run - t_end / steps) < 1e-16


def test_zero_time_has_no_step_and_keeps_dt():
    assert steps_of(0.0, 0.1) == (0, 0.1)


def test_too_many_steps_are_refused_with_the_value():
    with pytest.raises(ValueError, match=r"^dt must give at most 1e\+10 steps to t_end = 1, got 1e-12"):
        steps_of(1.0, 1e-12)
    assert steps_of(1.0, 1 / MOST_STEPS)[0] == MOST_STEPS


def test_both_ends_are_always_saved():
    for save_at in (None, [0.5], np.array([0.26]), 0.4):
        assert {0, 10} <= save_steps(save_at, 1.0, 10, 0.1)


def test_a_spacing_that_misses_the_lattice_is_served_by_the_nearest_steps():
    assert save_steps(0.26, 1.0, 10, 0.1) == {0, 3, 5, 8, 10}


@pytest.mark.parametrize(
    ("save_at", "words"),
    [
        ([0.5, 1.1], r"save_at must lie in \[0, t_end = 1\], got 1.1"),
        ([-0.1, 0.5], r"save_at must lie in \[0, t_end = 1\], got -0.1"),
        (2.0, "save_at must not exceed t_end = 1, got the spacing 2"),
    ],
)
def test_save_times_outside_the_run_are_refused(save_at, words):
    with pytest.raises(ValueError, match=words):
        save_steps(save_at, 1.0, 10, 0.1)


def test_the_kind_takes_a_spacing_times_or_none():
    assert save_at_kind("save_at", None) is None
    assert save_at_kind("save_at", 1) == 1.0
    assert save_at_kind("save_at", (0, 1)).tolist() == [0.0, 1.0]
    for bad in save_at_kind.bad:
        with pytest.raises((TypeError, ValueError), match="save_at"):
            save_at_kind("save_at", bad)
