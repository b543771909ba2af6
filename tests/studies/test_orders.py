"""Observed orders on errors whose order is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from wgf.studies import observed_order
from wgf.studies.orders import aggregate, bootstrap_interval, floors

# The mean's error of a correct first-order implicit scheme at dt 0.1 / 2^k (reliability.md): its
# pairwise orders are these, and the 95 % regression interval of its slope does not contain 1.
TRAP_ORDERS = (0.963, 0.980, 0.989, 0.993)


def trap():
    h = 0.1 / 2.0 ** np.arange(5)
    errors = [1e-2]
    for p in TRAP_ORDERS:
        errors.append(errors[-1] / 2**p)
    return h, np.array(errors)


def test_a_correct_scheme_that_the_regression_interval_rejects_is_accepted():
    h, errors = trap()
    fit = stats.linregress(np.log(h), np.log(errors))
    assert fit.slope + stats.t.ppf(0.975, 3) * fit.stderr < 1  # the trap is one
    order = observed_order(h, errors)
    np.testing.assert_allclose(order.pairwise, TRAP_ORDERS, rtol=0, atol=1e-9)
    np.testing.assert_allclose(order.extrapolated, 0.997, rtol=0, atol=1e-9)
    assert order.agrees(1.0)
    assert not order.agrees(1.2)
    assert not order.agrees(0.8)
    assert order.interval is None


@given(
    p=st.floats(0.5, 4),
    constant=st.floats(0.1, 10),
    correction=st.floats(-1, 1),
    ratio=st.floats(1.4, 3),
)
@settings(max_examples=200, deadline=None)
def test_the_extrapolated_order_removes_the_first_correction(p, constant, correction, ratio):
    h = 0.02 * ratio ** -np.arange(5.0)
    order = observed_order(h, constant * h**p * (1 + correction * h), reference_error=0.0)
    if order.levels == 5:
        assert abs(order.extrapolated - p) <= 0.2 * abs(order.pairwise[-1] - p) + 1e-4


def test_levels_are_sorted_from_coarse_to_fine_before_orders_are_taken():
    h, errors = trap()
    assert observed_order(h[::-1], errors[::-1]).pairwise == observed_order(h, errors).pairwise


def test_round_off_and_the_reference_drop_levels_by_rule():
    h = 10.0 ** -np.arange(1, 9)
    order = observed_order(h, h**2)
    assert [k for k, _ in order.dropped] == [6, 7]  # 1e-14 and 1e-16 lie below 1e3 eps = 2.2e-13
    assert "round-off" in order.dropped[0][1]
    order = observed_order(h[:4], h[:4] ** 2, reference_error=1.1e-7)
    assert [k for k, _ in order.dropped] == [2, 3]
    assert "reference" in order.dropped[0][1]
    kept = observed_order(h[:4], h[:4] ** 2, reference_error=0.9e-9)
    assert kept.dropped == ()


def test_a_level_with_the_same_step_is_dropped_and_too_few_levels_give_no_order():
    order = observed_order([0.1, 0.1, 0.05], [1.0, 1.0, 0.5])
    assert order.levels == 2
    assert order.value == pytest.approx(1)
    assert math.isnan(order.extrapolated)
    assert not order.agrees(1.0)  # two levels are no evidence
    none = observed_order([0.1, 0.05], [1.0, 1e-15])
    assert math.isnan(none.value)
    assert not none.agrees(1.0)
    assert "no order" in str(none)


def test_growing_distances_to_the_theory_are_a_failure():
    h = 0.5 ** np.arange(4)
    errors = np.cumprod([1.0, 0.5**1.0, 0.5**1.02, 0.5**1.045])
    order = observed_order(h, errors)
    assert abs(order.pairwise[-1] - 1) < 0.1
    assert not order.agrees(1.0)


def test_aggregates_separate_bias_from_noise():
    samples = np.array([[[1.0, 0.0], [3.0, 0.0], [2.0, 3.0], [2.0, -3.0]]])
    np.testing.assert_allclose(aggregate(samples, "rms"), math.sqrt((1 + 9 + 13 + 13) / 4), rtol=1e-14)
    np.testing.assert_allclose(aggregate(samples, "bias"), 2.0, rtol=1e-14)
    spread = math.sqrt(2 / 3 + 18 / 3)
    np.testing.assert_allclose(floors(samples, "rms"), spread, rtol=1e-14)
    np.testing.assert_allclose(floors(samples, "bias"), spread / 2, rtol=1e-14)


def test_the_monte_carlo_floor_drops_levels_only_where_noise_is_not_the_error():
    rng = np.random.default_rng(0)
    h = np.array([0.1, 0.05, 0.025])
    samples = h[:, None] + 0.007 * rng.standard_normal((3, 40))
    kept = observed_order(h, aggregate(samples[..., None]), samples=samples)
    assert [k for k, _ in kept.dropped] == [2]  # 0.025 < 5 * 0.007 < 0.05
    bias = observed_order(h, aggregate(samples[..., None], "bias"), samples=samples, how="bias")
    assert bias.levels == 3
    assert bias.agrees(1.0)
    noise = observed_order(h, aggregate(samples[..., None]), samples=samples, noise_is_error=True)
    assert noise.levels == 3


def test_the_bootstrap_interval_covers_the_true_order_as_often_as_it_says():
    """4 levels, 20 independent seeds, Gaussian noise / sqrt(n); 95 % intervals.

    2000 draws measured 0.936 (expanded percentiles; plain ones 0.918). Over 400 draws a true coverage
    of 0.94 gives less than 0.87 or more than 0.99 with probability below 1e-6 (binomial).
    """
    n = np.array([1000.0, 4000.0, 16000.0, 64000.0])
    rng = np.random.default_rng(1)
    hits = 0
    for k in range(400):
        samples = rng.standard_normal((4, 20, 1)) / np.sqrt(n)[:, None, None]
        low, high = bootstrap_interval(1 / n, samples, seed=k)
        hits += low <= 0.5 <= high
    assert 0.87 <= hits / 400 <= 0.99


def test_an_interval_that_misses_or_is_wide_is_a_failure():
    """One draw of 20 seeds with sigma of the slope 0.05; 0.7 lies 4 sigma off. Seeded, so exact."""
    n = np.array([1000.0, 4000.0, 16000.0, 64000.0])
    samples = np.random.default_rng(3).standard_normal((4, 20)) / np.sqrt(n)[:, None]
    order = observed_order(1 / n, aggregate(samples[..., None]), samples=samples, noise_is_error=True)
    assert order.interval is not None
    low, high = order.interval
    assert low < order.value < high
    assert order.agrees(0.5)
    assert not order.agrees(0.75)
    wide = np.random.default_rng(3).standard_normal((2, 4)) / np.sqrt(n[:2])[:, None]
    order = observed_order(1 / n[:2], aggregate(wide[..., None]), samples=wide, noise_is_error=True)
    assert order.interval is not None
    assert order.interval[1] - order.interval[0] > 0.5
    assert not order.agrees(0.5)


def test_the_bootstrap_is_the_same_for_the_same_seed_and_respects_common_random_numbers():
    n = np.array([100.0, 400.0, 1600.0])
    z = np.random.default_rng(0).standard_normal(20)
    samples = (z[None] / np.sqrt(n)[:, None])[..., None]  # one stream at every level
    low, high = bootstrap_interval(1 / n, samples, seed=5)
    assert (low, high) == bootstrap_interval(1 / n, samples, seed=5)
    np.testing.assert_allclose([low, high], 0.5, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"h": [0.1, -0.1], "errors": [1.0, 1.0]}, "h must be > 0"),
        ({"h": [0.1, 0.05], "errors": [1.0, -1.0]}, "errors must be >= 0"),
        ({"h": [0.1, 0.05], "errors": [1.0, math.nan]}, "errors must be finite"),
        ({"h": [0.1, 0.05], "errors": [1.0]}, "errors must have shape"),
        ({"h": [0.1, 0.05], "errors": [1.0, 0.5], "samples": np.ones((3, 4))}, "samples must have 2 levels"),
        ({"h": [0.1, 0.05], "errors": [1.0, 0.5], "samples": np.ones((2, 1))}, "at least 2 seeds"),
        ({"h": [0.1, 0.05], "errors": [1.0, 0.5], "how": "mean"}, "how must be"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, word):
    with pytest.raises(ValueError, match=word.replace("(", r"\(")):
        observed_order(**arguments)
