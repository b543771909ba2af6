"""The clock of the performance tables: what it measures, and what it says when a peer is missing."""

from __future__ import annotations

import time

import numba
import numpy as np
import pytest
from threadpoolctl import threadpool_info

from validation.claims import Skip
from validation.performance import harness
from validation.rates import exponent


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_the_exponent_of_a_power_law_is_its_power(power):
    sizes = np.array([1e4, 3e4, 1e5, 1e6])
    np.testing.assert_allclose(exponent(sizes, 3e-9 * sizes**power), power, rtol=1e-12)


def test_the_exponent_sees_a_growth_of_n_log_n():
    sizes = np.array([1e4, 1e5, 1e6])
    assert 1.05 < exponent(sizes, sizes * np.log(sizes)) < 1.15


def test_two_sizes_are_not_enough_for_an_exponent():
    with pytest.raises(ValueError, match="sizes must have at least 3 entries"):
        exponent([1, 2], [1, 2])


def test_a_missing_peer_says_how_to_install_it():
    with pytest.raises(Skip, match=r"no_such_peer not installed \(pip install wgf\[peers\]\)"):
        harness.peer("no_such_peer")


def test_every_contestant_is_warmed_and_repeated_in_turn():
    calls = []
    runs = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}
    timings = harness.race(runs, repeats=3)
    assert calls == ["a", "a", "b", "b"] + ["a", "b"] * 3
    assert all(t.repeats == 3 and t.threads == 1 for t in timings.values())


def test_sleeping_costs_wall_time_and_no_processor_time():
    timing = harness.race({"sleep": lambda: time.sleep(0.02)}, repeats=3)["sleep"]
    assert timing.wall >= 0.02
    assert timing.cpu < timing.wall


def test_the_median_ignores_one_slow_repeat():
    pauses = iter([0.0, 0.0, 0.2, 0.001, 0.001])
    timing = harness.race({"uneven": lambda: time.sleep(next(pauses))}, repeats=3)["uneven"]
    assert timing.wall < 0.2


def test_peak_memory_holds_what_a_run_allocates_at_once():
    size = 40
    timing = harness.race({"fill": lambda: np.ones(size * 2**17).sum()}, repeats=1)["fill"]
    if np.isnan(timing.peak):
        pytest.skip("this system publishes no peak memory")
    assert 0.9 * size < timing.peak < 3 * size


def test_threads_are_set_inside_and_restored_outside():
    before = numba.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]
    with harness.threads(1):
        assert numba.get_num_threads() == 1
        assert all(pool["num_threads"] == 1 for pool in threadpool_info())
    assert (numba.get_num_threads(), [pool["num_threads"] for pool in threadpool_info()]) == before
