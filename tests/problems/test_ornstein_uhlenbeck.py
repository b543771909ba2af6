"""Ornstein-Uhlenbeck and heat: moments and densities held against the equation itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy.integrate import quad_vec
from scipy.linalg import expm

from wgf.problems import (
    heat,
    ornstein_uhlenbeck,
    ornstein_uhlenbeck_moments,
    ornstein_uhlenbeck_path,
    whitened_ornstein_uhlenbeck,
)

SYMMETRIC = np.array([[1.5, 0.5], [0.5, 1.0]])
TURNING = np.array([[1.2, 2.0], [-1.5, 0.4]])
TENSOR = np.array([[0.9, 0.3], [0.3, 0.4]])
COV = np.array([[0.4, 0.1], [0.1, 0.2]])
POINTS = np.random.default_rng(0).normal(size=(40, 2)) * 0.7 + [0.5, -0.3]


@pytest.mark.parametrize("A", [SYMMETRIC, TURNING, np.zeros((2, 2)), np.diag([1.0, -0.5])])
@pytest.mark.parametrize("D", [np.eye(2), TENSOR])
@pytest.mark.parametrize("t", [0.3, 0.9])
def test_the_path_satisfies_the_equation_for_any_drift_and_tensor(pde_residual, A, D, t):
    path = ornstein_uhlenbeck_path(A, D, [1.5, -1.0], COV)

    def flux(x, s):
        return path(s).pdf(x)[:, None] * (x @ A.T + path(s).score(x) @ D.T)

    assert pde_residual(path, flux, POINTS, t) < 1e-8


@pytest.mark.parametrize("t", [1e-6, 0.1, 2.0, 30.0])
def test_the_moments_are_the_integral_they_claim_to_be(t):
    def integrand(s):
        return expm(-TURNING * s) @ (2 * TENSOR) @ expm(-TURNING.T * s)

    gained, _ = quad_vec(integrand, 0, t, epsabs=1e-13, epsrel=1e-13, limit=2000)
    decay = expm(-TURNING * t)
    mean, cov = ornstein_uhlenbeck_moments(t, TURNING, TENSOR, [1.5, -1.0], COV)
    assert_allclose(mean, decay @ [1.5, -1.0], rtol=1e-11, atol=1e-13)
    assert_allclose(cov, decay @ COV @ decay.T + gained, rtol=1e-11, atol=1e-13)


def test_a_very_long_time_gives_the_stationary_covariance_and_no_overflow():
    _, cov = ornstein_uhlenbeck_moments(1e4, TURNING, TENSOR, [1.5, -1.0], COV)
    assert_allclose(TURNING @ cov + cov @ TURNING.T, 2 * TENSOR, rtol=1e-11, atol=1e-11)


@settings(max_examples=200, deadline=None)
@given(
    entries=st.lists(st.floats(-2, 2), min_size=9, max_size=9),
    s=st.floats(0.001, 1.5),
    t=st.floats(0.001, 1.5),
)
def test_two_stretches_of_time_equal_their_sum(entries, s, t):
    A, D = np.array(entries).reshape(3, 3), np.diag([1.0, 0.5, 2.0])
    middle = ornstein_uhlenbeck_moments(s, A, D, [1.0, 0.0, -1.0], [1.0, 0.2, 0.5])
    whole = ornstein_uhlenbeck_moments(s + t, A, D, [1.0, 0.0, -1.0], [1.0, 0.2, 0.5])
    stepped = ornstein_uhlenbeck_moments(t, A, D, *middle)
    scale = np.abs(whole[1]).max()
    assert_allclose(stepped[0], whole[0], rtol=0, atol=1e-11 * (1 + np.abs(whole[0]).max()))
    assert_allclose(stepped[1], whole[1], rtol=0, atol=1e-11 * scale)


def test_the_problem_has_the_energy_of_its_equation():
    problem = ornstein_uhlenbeck(A=SYMMETRIC, diffusion=0.7, mean=[1.5, -1.0], cov=0.4)
    x = np.array([[0.3, -0.4], [1.0, 2.0]])
    assert problem.dimension == 2
    assert problem.energy.diffusion == 0.7
    assert_allclose(problem.energy.potential_gradient(x), x @ SYMMETRIC, rtol=1e-14)
    assert_allclose(problem.exact(60.0).cov(), 0.7 * np.linalg.inv(SYMMETRIC), rtol=1e-12)
    assert_allclose(problem.initial.mean(), [1.5, -1.0])


def test_the_textbook_case_in_one_dimension():
    exact = ornstein_uhlenbeck().exact(0.5)
    assert_allclose(exact.mean(), [1.5 * np.exp(-0.5)], rtol=1e-13)
    assert_allclose(exact.cov(), [[1 - 0.75 * np.exp(-1.0)]], rtol=1e-13)


@pytest.mark.parametrize("A", [SYMMETRIC, 3.0, np.diag([2.0, 0.0])])
def test_the_box_holds_the_mass_at_every_time(A):
    problem = ornstein_uhlenbeck(dimension=2, A=A)
    for t in np.linspace(0, 1.0, 11):
        measure = problem.exact(t)
        for (low, high), mean, deviation in zip(
            problem.bounds, measure.mean(), np.sqrt(np.diag(measure.cov())), strict=True
        ):
            assert low <= mean - 6.9 * deviation
            assert high >= mean + 6.9 * deviation


def test_a_reversible_flow_with_a_tensor_is_ordinary_in_whitened_coordinates():
    A = TENSOR @ SYMMETRIC  # then D^-1 A is symmetric
    problem = whitened_ornstein_uhlenbeck(A, TENSOR, mean=[1.5, -1.0], cov=COV)
    values, vectors = np.linalg.eigh(TENSOR)
    root = (vectors * np.sqrt(values)) @ vectors.T
    path = ornstein_uhlenbeck_path(A, TENSOR, [1.5, -1.0], COV)
    for t in (0.0, 0.4, 3.0):
        assert_allclose(root @ problem.exact(t).mean(), path(t).mean(), rtol=1e-11, atol=1e-13)
        assert_allclose(root @ problem.exact(t).cov() @ root, path(t).cov(), rtol=1e-11, atol=1e-13)


def test_heat_spreads_every_axis_by_two_d_t():
    problem = heat(dimension=3, diffusion=0.3, cov=[0.1, 0.2, 0.3])
    assert_allclose(problem.exact(2.0).cov(), np.diag([1.3, 1.4, 1.5]), rtol=1e-13)
    assert not problem.energy.has_potential


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: ornstein_uhlenbeck(A=TURNING), "ornstein_uhlenbeck_path"),
        (lambda: ornstein_uhlenbeck(A=TENSOR @ SYMMETRIC, diffusion=TENSOR), "whitened_ornstein_uhlenbeck"),
        (lambda: ornstein_uhlenbeck(A=SYMMETRIC, diffusion=TENSOR), "symmetric"),
        (lambda: whitened_ornstein_uhlenbeck(SYMMETRIC, TENSOR), "symmetric"),
        (lambda: ornstein_uhlenbeck(dimension=3, A=SYMMETRIC), "A must be"),
        (lambda: ornstein_uhlenbeck(dimension=2, mean=[1.0, 2.0, 3.0]), "mean must"),
        (lambda: ornstein_uhlenbeck(cov=-1.0), "cov must"),
        (lambda: ornstein_uhlenbeck(cov=0.0), "cov must"),
        (lambda: ornstein_uhlenbeck(diffusion=-1.0), "diffusion must"),
        (lambda: ornstein_uhlenbeck(diffusion=np.nan), "diffusion must"),
        (lambda: ornstein_uhlenbeck(dimension=0), "dimension must"),
        (lambda: ornstein_uhlenbeck(bounds=[(0, 1), (0, 1)]), "bounds must"),
        (lambda: ornstein_uhlenbeck_moments(-1.0), "t must"),
        (lambda: heat(diffusion=0.0), "diffusion must"),
    ],
)
def test_what_cannot_be_is_refused_by_name_with_a_way_out(call, word):
    with pytest.raises(ValueError, match=word):
        call()
