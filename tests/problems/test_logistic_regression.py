"""Bayesian logistic regression: the posterior by brute force, the mode, the files."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.optimize import minimize

from wgf.errors import CheckpointError
from wgf.problems import bayesian_logistic_regression, laplace, logistic_regression_of_file

RNG = np.random.default_rng(5)
FEATURES = np.column_stack([np.ones(60), RNG.normal(size=60)])
LABELS = (RNG.random(60) < 1 / (1 + np.exp(-(0.3 + 1.2 * FEATURES[:, 1])))).astype(int)


def _minus_log_posterior(theta, variance):
    chance = 1 / (1 + np.exp(-(FEATURES @ theta)))
    likelihood = LABELS * np.log(chance) + (1 - LABELS) * np.log(1 - chance)
    return -likelihood.sum() + theta @ theta / (2 * variance)


def _posterior_moments(problem, cells):
    """Mean and covariance of exp(-V)/Z on a grid of the problem's box: spectral for smooth bells."""
    x = problem.grid(cells).centers.reshape(-1, problem.dimension)
    height = problem.energy.potential_value(x)
    weight = np.exp(height.min() - height)
    weight /= weight.sum()
    mean = weight @ x
    return mean, ((x - mean).T * weight) @ (x - mean)


def test_the_energy_is_minus_the_log_posterior():
    problem = bayesian_logistic_regression(FEATURES, LABELS, prior_variance=2.0)
    theta = RNG.normal(size=(5, 2))
    expected = [_minus_log_posterior(row, 2.0) for row in theta]
    assert_allclose(problem.energy.potential_value(theta), expected, rtol=1e-12)
    assert problem.energy.diffusion == 1.0
    assert_allclose(problem.initial.cov(), 2 * np.eye(2))


def test_labels_may_be_any_two_numbers():
    theta = np.array([[0.4, -0.2]])
    values = [
        bayesian_logistic_regression(FEATURES, labels).energy.potential_value(theta)
        for labels in (LABELS, 2 * LABELS - 1, 3 + 4.0 * LABELS)
    ]
    assert_allclose(values[1:], values[:1] * 2, rtol=1e-15)


def test_the_laplace_mode_is_the_posteriors_mode_and_its_covariance_the_inverse_curvature():
    best = minimize(_minus_log_posterior, np.zeros(2), args=(2.0,), method="BFGS", options={"gtol": 1e-9})
    found = laplace(FEATURES, LABELS, 2.0)
    assert_allclose(found.mean(), best.x, rtol=0, atol=1e-6)
    step = 1e-4 * np.eye(2)
    curvature = np.array(
        [
            [
                _minus_log_posterior(found.mean() + a + b, 2.0)
                - _minus_log_posterior(found.mean() + a - b, 2.0)
                - _minus_log_posterior(found.mean() - a + b, 2.0)
                + _minus_log_posterior(found.mean() - a - b, 2.0)
                for b in step
            ]
            for a in step
        ]
    ) / (4e-8)
    assert_allclose(np.linalg.inv(found.cov()), curvature, rtol=1e-4)


def test_the_posterior_on_a_grid_is_near_the_laplace_approximation_and_in_the_box():
    problem = bayesian_logistic_regression(FEATURES, LABELS, prior_variance=1.0)
    mean, cov = _posterior_moments(problem, 120)
    close = laplace(FEATURES, LABELS, 1.0)
    assert_allclose(mean, close.mean(), rtol=0, atol=0.1)
    assert_allclose(cov, close.cov(), rtol=0.25, atol=0.01)


def test_without_data_it_asks_old_faithful():
    problem = bayesian_logistic_regression()
    assert problem.dimension == 2
    mean, _ = _posterior_moments(problem, 100)
    assert mean[1] > 2  # long waits, long eruptions


def test_a_file_gives_standardised_features_and_an_intercept(tmp_path):
    path = tmp_path / "table.csv"
    rows = "\n".join(f"{x},{2 * x + 1 + (x % 3)},{'yes' if x > 4 else 'no'}" for x in range(10))
    path.write_text(f"first,second,answer\n{rows}\n")
    problem = logistic_regression_of_file(path, "answer")
    assert problem.dimension == 3
    ((_, term),) = problem.energy.potentials
    assert_allclose(term.V.features.mean(axis=0), [1, 0, 0], atol=1e-14)
    assert_allclose(term.V.features.std(axis=0), [0, 1, 1], atol=1e-14)
    assert_allclose(term.V.labels, [0] * 5 + [1] * 5)
    assert logistic_regression_of_file(path, "answer", ["second"]).dimension == 2


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"features": FEATURES, "labels": None}, "labels must"),
        ({"features": None, "labels": LABELS}, "features must"),
        ({"features": FEATURES, "labels": LABELS[:-1]}, "labels must"),
        ({"features": FEATURES, "labels": np.zeros(60)}, "labels must"),
        ({"features": FEATURES * np.nan, "labels": LABELS}, "features must"),
        ({"features": FEATURES, "labels": LABELS, "prior_variance": 0.0}, "prior_variance must"),
    ],
)
def test_bad_data_are_refused_by_name(settings, word):
    with pytest.raises((ValueError, TypeError), match=word):
        bayesian_logistic_regression(**settings)


def test_bad_files_are_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match="path"):
        logistic_regression_of_file(tmp_path / "none.csv", "kind")
    path = tmp_path / "table.csv"
    path.write_text("a,b,c\n1,2,x\n2,3,y\n3,1,z\n")
    with pytest.raises(ValueError, match="label must"):
        logistic_regression_of_file(path, "kind")
    with pytest.raises(ValueError, match="label must be a column of two"):
        logistic_regression_of_file(path, "c")
