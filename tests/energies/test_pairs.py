"""Interaction energies of measures that are no grid density, against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.energies import Quadratic, pairs


def gaussian_kernel(z):
    return np.exp(-(z**2).sum(-1))


@pytest.mark.parametrize(("d", "tolerance"), [(1, 1e-12), (2, 1e-6), (3, 1e-4)])
def test_a_smooth_interaction_of_a_gaussian_is_the_closed_form(d, tolerance):
    """E exp(-|X - Y|^2) = 5^(-d/2) for independent standard normals."""
    measure = wgf.Gaussian(np.full(d, 0.3), 1.0)
    assert abs(wgf.interaction(gaussian_kernel).value(measure) / (0.5 * 5 ** (-d / 2)) - 1) < tolerance


def test_a_singular_interaction_in_the_plane_is_the_closed_form():
    exact = -0.25 * (np.log(4) - np.euler_gamma)
    found = wgf.interaction(lambda z: -0.5 * np.log((z**2).sum(-1))).value(wgf.Gaussian([0, 0], 1.0))
    assert abs(found / exact - 1) < 1e-5


@pytest.mark.parametrize("measure", [
    wgf.Gaussian([1.0, 0.0], [[1.0, 0.3], [0.3, 2.0]]),
    wgf.Mixture([0.5, 0.5], [wgf.Gaussian([1.0, 0.0], 0.5), wgf.Gaussian([-1.0, 0.0], 0.5)]),
    wgf.Particles(np.random.default_rng(0).standard_normal((40, 2))),
], ids=repr)  # fmt: skip
def test_a_quadratic_interaction_comes_from_the_moments(measure):
    A, c = np.array([[2.0, 0.5], [0.5, 1.0]]), np.array([0.3, -0.2])

    def even(z):  # what interaction(Quadratic(A, c)) is without a name
        return 0.5 * (((z - c) @ A) * (z - c)).sum(-1)

    found = wgf.interaction(Quadratic(A, c)).value(measure)
    np.testing.assert_allclose(found, wgf.interaction(even).value(measure), rtol=1e-7)


def test_quadratic_moments_take_no_pairs():
    cloud = wgf.Particles(np.random.default_rng(0).standard_normal((300_000, 1)))
    found = wgf.interaction(Quadratic([[1.0]])).value(cloud)
    np.testing.assert_allclose(found, 0.5 * cloud.cov()[0, 0], rtol=1e-12)


def test_too_many_pairs_are_refused_with_a_way_out():
    cloud = wgf.Particles(np.zeros((70_000, 1)))
    with pytest.raises(wgf.MeasureError, match=r"70000 particles.*4\.9e\+09 pairs.*Density\.from_measure"):
        wgf.interaction(gaussian_kernel).value(cloud)


def test_an_interaction_finer_than_the_grid_is_refused():
    narrow = wgf.interaction(lambda z: np.exp(-(z**2).sum(-1) / 2e-4))
    with pytest.raises(wgf.MeasureError, match="not resolved"):
        narrow.value(wgf.Gaussian([0, 0], 1.0))
    assert pairs.CELLS[2] < 1000  # on a grid of a hundredth of the box a width of 1e-2 would be seen


def test_compare_in_the_plane_ends():
    problem = wgf.problems.quadratic_aggregation(dimension=2)
    assert abs(problem.energy.value(problem.exact(0.0)) - (1.0 - 0.5 * np.log(2 * np.pi * np.e))) < 1e-9
