"""The strategies' exact answers are exact: each is held to an independent computation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings

import wgf
from wgf.testing import strategies

quick = settings(max_examples=60, deadline=None)


@quick
@given(strategies.gaussians(3))
def test_drawn_gaussians_are_regular(gaussian):
    values = np.linalg.eigvalsh(gaussian.covariance)
    assert 1 <= gaussian.dimension <= 3
    assert values[0] > 0.08
    assert values[-1] < 2.3


@quick
@given(strategies.gaussian_flows())
def test_the_moments_of_a_drawn_flow_obey_their_equations(problem):
    """m' = -grad V(m), S' = 2 D - A S - S A, by differences of the exact solution."""
    t, h, d = 0.4, 1e-4, problem.dimension
    before, now, after = (problem.exact(s) for s in (t - h, t, t + h))
    stiffness = problem.energy.potential_gradient(np.eye(d))
    mean_rate = (after.mean() - before.mean()) / (2 * h)
    np.testing.assert_allclose(
        mean_rate, -problem.energy.potential_gradient(now.mean()), rtol=1e-6, atol=1e-7
    )
    expected = 2 * problem.energy.diffusion * np.eye(d) - stiffness @ now.cov() - now.cov() @ stiffness
    np.testing.assert_allclose((after.cov() - before.cov()) / (2 * h), expected, rtol=1e-6, atol=1e-6)


@quick
@given(strategies.gaussian_flows())
def test_a_drawn_flow_starts_where_it_says(problem):
    np.testing.assert_allclose(problem.exact(0.0).mean(), problem.initial.mean(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(problem.exact(0.0).cov(), problem.initial.cov(), rtol=0, atol=1e-12)
    for (low, high), m, s in zip(
        problem.bounds, problem.initial.mean(), np.diag(problem.initial.cov()), strict=True
    ):
        assert low < m - 5 * np.sqrt(s)
        assert m + 5 * np.sqrt(s) < high


@quick
@given(strategies.aggregations())
def test_the_variance_of_a_drawn_aggregation_obeys_its_equation(problem):
    """s' = 2 D - 2 k s with k the curvature of the interaction (its mean never moves)."""
    t, h = 0.3, 1e-4
    before, now, after = (problem.exact(s) for s in (t - h, t, t + h))
    ((c, term),) = problem.energy.interactions
    k = c * float(term.gradient(np.array([[1.0]]))[0, 0])
    rate = (after.cov()[0, 0] - before.cov()[0, 0]) / (2 * h)
    np.testing.assert_allclose(
        rate, 2 * problem.energy.diffusion - 2 * k * now.cov()[0, 0], rtol=1e-6, atol=1e-6
    )
    np.testing.assert_allclose(now.mean(), problem.initial.mean(), rtol=0, atol=1e-12)


def brute_force(a, b):
    """W2 of two clouds of equally many points by trying every pairing."""
    costs = ((a.x[:, None] - b.x[None]) ** 2).sum(-1)
    n = len(a.x)
    return min(np.mean([costs[i, p[i]] for i in range(n)]) for p in itertools.permutations(range(n))) ** 0.5


@pytest.mark.parametrize("strategy", [strategies.translations, strategies.dilations, strategies.permutations])
def test_the_distance_of_a_drawn_pair_is_the_best_of_all_pairings(strategy):
    @quick
    @given(strategy())
    def holds(pair):
        if len(pair.a.x) <= 6:
            np.testing.assert_allclose(brute_force(pair.a, pair.b), pair.w2, rtol=1e-9, atol=1e-7)

    holds()


@pytest.mark.parametrize(
    "strategy",
    [strategies.translations, strategies.dilations, strategies.permutations, strategies.diracs],
)
def test_our_distance_gives_the_exact_answer_of_a_drawn_pair(strategy):
    @settings(max_examples=200, deadline=None)
    @given(strategy())
    def holds(pair):
        np.testing.assert_allclose(wgf.distance(pair.a, pair.b, "w2"), pair.w2, rtol=1e-9, atol=1e-7)

    holds()


@quick
@given(strategies.smooth_potentials())
def test_the_slope_of_a_drawn_potential_is_its_derivative(drawn):
    x, h = np.linspace(-3, 3, 9)[:, None], 1e-5
    np.testing.assert_allclose(
        (drawn.V(x + h) - drawn.V(x - h)) / (2 * h), drawn.slope(x)[:, 0], rtol=1e-7, atol=1e-8
    )
    np.testing.assert_allclose(
        drawn.problem.energy.potential_gradient(x), drawn.slope(x), rtol=1e-12, atol=1e-12
    )


def test_a_wrong_answer_would_be_seen():
    a, b = wgf.Particles([[0.0], [1.0]]), wgf.Particles([[0.5], [1.5]])
    assert abs(brute_force(a, b) - 0.5) < 1e-12
    assert abs(brute_force(a, b) - 0.5005) > 1e-4
