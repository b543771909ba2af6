r"""Bayesian logistic regression: the posterior of a data set as the target of a flow from the prior.

V(theta) = sum_i log(1 + exp(-y_i theta.f_i)) + |theta|^2 / (2 prior_variance), y_i = +-1, so that
exp(-V)/Z is the posterior under the prior N(0, prior_variance). V is strongly convex: the flow approaches it
at rate 1/prior_variance or faster. No closed form; for d <= 3 a grid gives it, elsewhere `laplace` is close.
"""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np
from scipy.special import expit

from wgf import checks
from wgf.energies import entropy, potential
from wgf.energies.named import Logistic, labels_kind
from wgf.measures import Gaussian
from wgf.problem import Problem
from wgf.problems.boxes import bounds_or_none, box_around, chosen
from wgf.problems.tables import columns_kind, read_label, read_numbers, standardised

NEWTON_STEPS = 50  # it needs about 8; V is convex and damped steps always descend
LONG = 3.0  # minutes: the valley between short and long eruptions
SHORTEST = 1e-8  # of a Newton step: below it only rounding is left to gain
STATIONARY = 1e-12  # norm of the gradient relative to the data's size
SOURCE = "Bishop, 2006, section 4.5"


def _hessian(V: Logistic, theta: np.ndarray) -> np.ndarray:
    chance = expit(V.features @ theta)
    weights = chance * (1 - chance)
    return (V.features.T * weights) @ V.features + np.eye(theta.size) / V.prior_variance


def _eruptions() -> tuple[np.ndarray, np.ndarray]:
    """Old Faithful: intercept and standardised waiting time; whether the eruption is long."""
    table = read_numbers(str(files("wgf.problems") / "data" / "geyser.csv"), ["duration", "waiting"])
    waiting = standardised(table[:, 1:])
    return np.column_stack([np.ones(len(table)), waiting]), (table[:, 0] > LONG).astype(float)


@checks.checked(features=checks.points, labels=labels_kind, prior_variance=checks.positive)
def laplace(features: Any, labels: Any, prior_variance: float = 1.0) -> Gaussian:
    r"""The Gaussian at the posterior's mode with the inverse Hessian there as covariance.

    features: (n, d). labels: (n,) of two values, the larger one counting as 1. prior_variance: of
    every weight. The mode is exact to rounding (damped Newton on a convex V); the covariance is right
    up to O(1/n).

    >>> laplace([[1.0], [-1.0]], [1, 0]).mean().round(6).tolist()
    [0.674832]

    Bishop, 2006, section 4.5.1.
    """
    V = Logistic(features, labels, prior_variance)
    theta = np.zeros(features.shape[1])
    for _ in range(NEWTON_STEPS):
        gradient = V.gradient(theta)
        if np.linalg.norm(gradient) <= STATIONARY * (1 + np.abs(features).sum()):
            break
        step, length = np.linalg.solve(_hessian(V, theta), gradient), 1.0
        while V(theta - length * step) > V(theta) and length > SHORTEST:
            length *= 0.5
        theta = theta - length * step
    covariance = np.linalg.inv(_hessian(V, theta))
    return Gaussian(theta, 0.5 * (covariance + covariance.T))


@checks.checked(
    features=checks.optional(checks.points),
    labels=checks.optional(labels_kind),
    prior_variance=checks.positive,
    bounds=bounds_or_none,
)
def bayesian_logistic_regression(
    features: Any = None,
    labels: Any = None,
    prior_variance: float = 1.0,
    bounds: Any = None,
) -> Problem:
    r"""From the prior of a logistic regression to its posterior.

    d_t rho = div(rho grad V) + Laplace(rho),
    V(theta) = sum_i log(1 + exp(-y_i theta.f_i)) + |theta|^2 / (2 prior_variance).

    features: (n, d); add a column of ones for an intercept, and standardise the others, or one prior
    variance cannot suit all. labels: (n,) of two values, the larger one counting as 1. Without data:
    Old Faithful: an intercept and a slope for the chance that an eruption of over 3 minutes goes with
    a waiting time.
    prior_variance > 0: the initial measure is the prior N(0, prior_variance). bounds: by default the prior
    and the Laplace approximation, 7 standard deviations each. In d <= 3 `energy.minimum(problem)` is
    the posterior.

    >>> bayesian_logistic_regression().dimension
    2

    Bishop, 2006, section 4.5.
    """
    if (features is None) != (labels is None):
        missing = "features" if features is None else "labels"
        raise ValueError(f"{missing} must be given together with the other of features and labels, got None.")
    if features is None:
        features, labels = _eruptions()
    prior = Gaussian(np.zeros(features.shape[1]), prior_variance)
    box = box_around([prior, laplace(features, labels, prior_variance)])
    return Problem(
        entropy() + potential(Logistic(features, labels, prior_variance)),
        initial=prior,
        bounds=chosen(bounds, box),
        name="bayesian-logistic-regression",
        reference=SOURCE,
    )


@checks.checked(
    path=checks.path,
    label=checks.text,
    columns=checks.optional(columns_kind),
    prior_variance=checks.positive,
    bounds=bounds_or_none,
)
def logistic_regression_of_file(
    path: str,
    label: str,
    columns: Any = None,
    prior_variance: float = 1.0,
    bounds: Any = None,
) -> Problem:
    """Bayesian logistic regression on a comma-separated file with a header line.

    label: the name of the column to predict; it holds two different numbers or words, sorted, the first
    counting as 0. columns: names of the features, by default every other column of numbers; they are
    standardised, and a column of ones is put first. Other arguments as in `bayesian_logistic_regression`.

    >>> geyser = str(files("wgf.problems") / "data" / "geyser.csv")
    >>> logistic_regression_of_file(geyser, "kind", ["duration", "waiting"]).dimension
    3

    Bishop, 2006, section 4.5.
    """
    labels = read_label(path, label)
    numbers = read_numbers(path, columns, without=label)
    features = np.column_stack([np.ones(len(numbers)), standardised(numbers)])
    return bayesian_logistic_regression(features, labels, prior_variance, bounds)
