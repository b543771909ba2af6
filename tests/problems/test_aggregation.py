"""Quadratic aggregation: the nonlocal equation, with the convolution done by quadrature."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from numpy.testing import assert_allclose

from wgf.problems import quadratic_aggregation

NODES, WEIGHTS = hermegauss(40)


@pytest.mark.parametrize("diffusion", [0.0, 0.3, 2.0])
@pytest.mark.parametrize("t", [0.2, 0.8])
def test_the_solution_satisfies_the_nonlocal_equation(pde_residual, diffusion, t):
    problem = quadratic_aggregation(1, diffusion, mean=0.7, cov=0.5)

    def flux(x, s):
        rho = problem.exact(s)
        y = rho.mean() + np.sqrt(rho.cov()[0, 0]) * NODES
        attraction = (x[:, :1] - y) @ (WEIGHTS / WEIGHTS.sum())  # grad W * rho
        return rho.pdf(x)[:, None] * (attraction[:, None] + diffusion * rho.score(x))

    x = np.linspace(-0.3, 1.7, 21)[:, None]
    assert pde_residual(problem.exact, flux, x, t, 0.01, 0.01) < 1e-7


def test_the_mean_is_conserved_and_the_covariance_relaxes_to_the_diffusion():
    problem = quadratic_aggregation(2, 0.4, mean=[1.0, -2.0], cov=[[1.0, 0.3], [0.3, 2.0]])
    for t in (0.0, 0.5, 30.0):
        assert_allclose(problem.exact(t).mean(), [1.0, -2.0], rtol=1e-14)
    assert_allclose(problem.exact(30.0).cov(), 0.4 * np.eye(2), rtol=1e-12, atol=1e-12)
    assert_allclose(problem.exact(0.5).cov()[0, 1], 0.3 * np.exp(-1.0), rtol=1e-13)


def test_the_energy_is_half_the_double_integral():
    problem = quadratic_aggregation(1, 0.0)
    ((coefficient, term),) = problem.energy.interactions
    assert coefficient == 1.0
    assert problem.energy.diffusion == 0.0
    assert_allclose(term.W(np.array([[2.0], [3.0]])), [2.0, 4.5], rtol=1e-14)


def test_the_semigroup_property_holds():
    first = quadratic_aggregation(1, 0.3, mean=0.7, cov=0.5)
    second = quadratic_aggregation(1, 0.3, mean=0.7, cov=float(first.exact(0.4).cov()[0, 0]))
    assert_allclose(second.exact(0.6).cov(), first.exact(1.0).cov(), rtol=1e-13)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"diffusion": -1.0}, "diffusion must"),
        ({"diffusion": np.inf}, "diffusion must"),
        ({"dimension": 2, "mean": [1.0, 2.0, 3.0]}, "mean must"),
        ({"cov": [[1.0, 2.0], [2.0, 1.0]], "dimension": 2}, "cov must"),
        ({"cov": "wide"}, "cov must"),
    ],
)
def test_bad_settings_are_refused_by_name(settings, word):
    with pytest.raises((ValueError, TypeError), match=word):
        quadratic_aggregation(**settings)
