"""Quadrature: entropies, masses and power tails of measures that a uniform mesh would get wrong."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.measures.nodes import nodes

LOG_2PIE = np.log(2 * np.pi * np.e)


@pytest.mark.parametrize(("d", "m"), [(1, 0.6), (2, 0.6), (3, 0.7), (1, 3), (2, 5), (3, 2)])
def test_internal_energy_of_barenblatt_profiles_is_the_closed_form(d, m):
    """E = d b sigma^2 / (m - 1) at t = 1 (Vazquez, 2007): heavy tails and steep edges alike."""
    profile = wgf.Barenblatt(d, m, 1.0)
    exact = profile.b * d * profile.cov()[0, 0] / (d * (m - 1))
    assert abs(wgf.internal(m).value(profile) / exact - 1) < 1e-12


@pytest.mark.parametrize("d", [1, 2])
def test_entropy_of_components_much_narrower_than_their_distance(d):
    far = np.zeros(d)
    far[0] = 5.0
    two = wgf.Mixture([0.5, 0.5], [wgf.Gaussian(-far, 1e-6), wgf.Gaussian(far, 1e-6)])
    exact = -np.log(2) - 0.5 * d * (LOG_2PIE + np.log(1e-6))
    assert abs(wgf.entropy().value(two) - exact) < 1e-9


def test_entropy_of_a_strongly_correlated_gaussian():
    cov = np.array([[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]])
    exact = -LOG_2PIE - 0.5 * np.log(np.linalg.det(cov))
    assert abs(wgf.entropy().value(wgf.Gaussian([0, 0], cov)) - exact) < 1e-6


def test_correlated_components_get_panels_of_their_conditional_width():
    component = wgf.Gaussian([1.0, 0.0], [[1.0, 0.99], [0.99, 1.0]])
    exact = -LOG_2PIE - 0.5 * np.log(np.linalg.det(component.cov()))
    assert abs(wgf.entropy().value(wgf.Mixture([0.3, 0.7], [component] * 2)) - exact) < 1e-9


def test_what_no_mesh_resolves_is_refused_with_a_way_out():
    thin = wgf.Gaussian([0, 0], [[1.0, 1 - 1e-9], [1 - 1e-9, 1.0]])
    with pytest.raises(wgf.MeasureError, match=r"quadrature.*Density\.from_measure"):
        wgf.entropy().value(wgf.Mixture([0.5, 0.5], [thin, thin]))
    with pytest.raises(wgf.MeasureError, match="dimension 4"):
        wgf.entropy().value(wgf.Uniform([(0, 1)] * 4))


class Spiky:
    """A user's density known by pdf and sample: two narrow peaks."""

    inner = wgf.Mixture([0.5, 0.5], [wgf.Gaussian(-5, 1e-6), wgf.Gaussian(5, 1e-4)])

    def pdf(self, x):
        return self.inner.pdf(x)

    def sample(self, n, rng):
        return self.inner.sample(n, rng)


def test_an_unknown_density_is_found_by_its_sample_and_halving():
    exact = wgf.entropy().value(Spiky.inner)
    assert abs(wgf.entropy().value(Spiky()) - exact) < 1e-8


@pytest.mark.parametrize("d", [1, 2, 3])
def test_nodes_carry_the_whole_mass(d):
    for measure in (wgf.Gaussian(np.zeros(d), 2.0), wgf.Barenblatt(d, 2, 0.3), wgf.Uniform([(0, 1)] * d)):
        assert abs(nodes(measure).mass.sum() - 1) < 1e-11
