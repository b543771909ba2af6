"""Tests of effective sample size, autocorrelation time and R-hat against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.studies.sampling import autocorrelation_time, effective_sample_size, r_hat


def ar1(phi, chains, draws, seed):
    """x_{t+1} = phi x_t + sqrt(1 - phi^2) z, started in its stationary law: tau = (1 + phi) / (1 - phi)."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((chains, draws))
    x = np.empty((chains, draws))
    x[:, 0] = z[:, 0]
    for t in range(1, draws):
        x[:, t] = phi * x[:, t - 1] + np.sqrt(1 - phi**2) * z[:, t]
    return x


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_the_autocorrelation_time_of_ar1_is_its_closed_form(phi):
    """Sampling error of tau is about tau sqrt(4 (2 window + 1) / draws) < 3 %; 15 % is beyond 5 sigma (< 1e-6)."""
    x = ar1(phi, 8, 20_000, 0)
    np.testing.assert_allclose(autocorrelation_time(x), (1 + phi) / (1 - phi), rtol=0.15)


def test_the_effective_size_predicts_the_variance_of_the_mean():
    """Over 2000 independent chains the variance of the mean has 3.2 % error; 25 % is beyond 7 sigma."""
    x = ar1(0.8, 2000, 500, 1)
    observed = x.mean(1).var()
    predicted = 1 / (effective_sample_size(x) / 2000)
    np.testing.assert_allclose(observed, predicted, rtol=0.25)


def test_independent_draws_are_worth_their_number():
    """16 sigma of the estimate (about 1 %)."""
    x = np.random.default_rng(2).standard_normal((4, 10_000))
    np.testing.assert_allclose(effective_sample_size(x), 40_000, rtol=0.1)


def test_coordinates_are_treated_one_by_one():
    x = np.stack([ar1(0.0, 4, 2000, 3), ar1(0.9, 4, 2000, 4)], axis=-1)
    for function in (autocorrelation_time, effective_sample_size, r_hat):
        together = function(x)
        assert together.shape == (2,)
        np.testing.assert_array_equal(together, [function(x[:, :, 0]), function(x[:, :, 1])])
    assert effective_sample_size(x)[1] < 0.2 * effective_sample_size(x)[0]


def test_anticorrelated_draws_are_capped():
    x = np.tile([1.0, -1.0], (2, 500)) + 1e-9 * np.random.default_rng(5).standard_normal((2, 1000))
    np.testing.assert_allclose(effective_sample_size(x), 2000 * np.log10(2000), rtol=1e-12)


def test_r_hat_of_agreeing_chains_is_one_and_of_others_is_not():
    rng = np.random.default_rng(6)
    z = rng.standard_normal((4, 2000))
    assert 0.99 < r_hat(z) < 1.01
    assert r_hat(z + 0.5 * np.arange(4)[:, None]) > 1.1
    assert r_hat(z * (1 + np.arange(4)[:, None])) > 1.1  # scale: only the folded ranks see it
    assert r_hat(z + np.linspace(0, 3, 2000)) > 1.1  # a drift: only the halves see it


def test_r_hat_depends_on_ranks_alone():
    z = np.random.default_rng(7).standard_normal((4, 500)) + 0.2 * np.arange(4)[:, None]
    shifted = z - np.median(z)
    np.testing.assert_allclose(r_hat(np.sign(shifted) * np.abs(shifted) ** 3), r_hat(shifted), rtol=1e-12)


def test_r_hat_by_hand_on_a_small_array():
    """The definition written out: normal scores of the split chains, W and B by loops."""
    from scipy.stats import norm, rankdata

    x = np.random.default_rng(8).standard_normal((3, 10)) + np.array([0.0, 0.3, 1.0])[:, None]

    def scores(v):
        return norm.ppf((rankdata(v).reshape(v.shape) - 3 / 8) / (v.size + 1 / 4))

    def plain(v):
        n = v.shape[1]
        within = np.mean([np.sum((c - c.mean()) ** 2) / (n - 1) for c in v])
        between = n * np.sum((v.mean(1) - v.mean()) ** 2) / (len(v) - 1)
        return np.sqrt(((n - 1) / n * within + between / n) / within)

    split = np.concatenate([x[:, :5], x[:, 5:]])
    expected = max(plain(scores(split)), plain(scores(np.abs(split - np.median(split)))))
    np.testing.assert_allclose(r_hat(x), expected, rtol=1e-12)


@pytest.mark.parametrize(
    "bad", [np.zeros((2, 20)), np.ones((2, 3)), np.full((2, 20), np.nan), np.arange(20.0)]
)
def test_what_is_no_set_of_chains_is_refused_by_name(bad):
    for function in (autocorrelation_time, effective_sample_size, r_hat):
        with pytest.raises(ValueError, match="x must"):
            function(bad)
