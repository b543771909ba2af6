"""The noise bounds: right means pass, wrong ones do not, and the stated probability is what it says."""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from wgf.testing.statistics import FALSE_ALARM, difference_bound, mean_bound, quantile


def test_the_quantile_has_the_stated_tail():
    assert abs(2 * 5 * student.sf(quantile(5, 15), 15) / FALSE_ALARM - 1) < 1e-9
    assert abs(student.sf(quantile(1, 9, sides=1), 9) / FALSE_ALARM - 1) < 1e-9


def test_a_right_mean_is_within_its_bound_and_a_shifted_one_is_not():
    """2000 repetitions at a quantile inflated from 1e-6: the chance of one alarm is 0.2 %; the seed is fixed."""
    rng = np.random.default_rng(0)
    for _ in range(2000):
        mean, noise = mean_bound(rng.normal(size=(16, 2)))
        assert (np.abs(mean) <= noise).all()
    mean, noise = mean_bound(rng.normal(size=(16, 2)) + 10.0)
    assert (np.abs(mean) > noise).all()


def test_the_coverage_of_the_bound_is_that_of_student():
    """At the 5 % level the same formula must alarm in 5 % of 4000 repetitions, within 5 sigma (6e-7)."""
    rng = np.random.default_rng(1)
    factor = student.isf(0.025, 15) / quantile(1, 15)
    alarms = 0
    for _ in range(4000):
        mean, noise = mean_bound(rng.normal(size=(16, 1)))
        alarms += bool(np.abs(mean)[0] > factor * noise[0])
    assert abs(alarms / 4000 - 0.05) < 5 * np.sqrt(0.05 * 0.95 / 4000)


def test_the_difference_of_two_samples_is_bounded_by_their_noise():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=16), rng.normal(size=16)
    difference, noise = difference_bound(a, b)
    assert abs(difference) < noise
    difference, noise = difference_bound(a + 10, b)
    assert difference > noise
    assert difference_bound([1.0, 1.0], [0.5, 0.5]) == (0.5, 0.0)
