"""Projections: a density's shadow has the exact moments, and the exact law along an axis."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.errors import MeasureError
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Uniform
from wgf.transport import directions
from wgf.transport.lines import Pieces, line
from wgf.transport.project import projector
from wgf.transport.w2_1d import between_lines


def moments(pieces: Pieces) -> tuple[float, float]:
    mass = pieces.mass / pieces.mass.sum()
    middle, width = 0.5 * (pieces.left + pieces.right), pieces.right - pieces.left
    mean = mass @ middle
    return mean, mass @ ((middle - mean) ** 2 + width**2 / 12)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 3), st.booleans())
def test_a_density_keeps_mass_mean_and_variance_in_every_direction(seed, d, on_axis):
    rng = np.random.default_rng(seed)
    grid = Grid([(-1.0, 2.0), (0.0, 1.0), (-3.0, 3.0)][:d], tuple(int(k) for k in rng.integers(2, 7, size=d)))
    density = Density(grid, rng.random(grid.cells) * (rng.random(grid.cells) < 0.7) + 1e-3)
    theta = np.eye(d)[seed % d] if on_axis else rng.normal(size=d)
    theta /= np.linalg.norm(theta)
    shadow = projector(density, "a")(theta)
    mean, variance = moments(shadow)
    step = (shadow.right - shadow.left).max()
    np.testing.assert_allclose(shadow.mass.sum(), density.values.sum(), rtol=1e-12)
    # exact bin masses: the mean and variance are those of the density up to the spread within a bin
    np.testing.assert_allclose(mean, theta @ density.mean(), atol=0.02 * step)
    np.testing.assert_allclose(variance, theta @ density.cov() @ theta, rtol=0.01, atol=step**2 / 6)


@pytest.mark.parametrize("d", [2, 3])
def test_a_shadow_on_an_axis_is_the_marginal(d):
    rng = np.random.default_rng(d)
    density = Density(Grid([(-1.0, 2.0)] * d, 12), rng.random((12,) * d))
    for axis in range(d):
        marginal = density.values.sum(axis=tuple(k for k in range(d) if k != axis))
        truth = line(Density(Grid((-1.0, 2.0), 12), marginal), "b")
        assert between_lines(projector(density, "a")(np.eye(d)[axis]), truth) < (0.25 / 3) ** 2 * 0.25 / 12
        np.testing.assert_allclose(
            between_lines(projector(density, "a")(-np.eye(d)[axis]), truth.mirrored()), 0, atol=2e-4
        )


def test_the_diagonal_shadow_of_a_square_is_a_triangle():
    shadow = projector(Uniform([(0, 1), (0, 1)]), "a")(np.array([1.0, 1.0]))
    edges, level = shadow.right, np.cumsum(shadow.mass)
    truth = np.where(edges < 1, 0.5 * edges**2, 1 - 0.5 * np.clip(2 - edges, 0, None) ** 2)
    np.testing.assert_allclose(level, truth, rtol=0, atol=1e-13)


def test_slabs_of_a_large_grid_give_the_same_shadow(monkeypatch):
    density = Density(Grid([(-1.0, 2.0)] * 2, 30), np.random.default_rng(1).random((30, 30)))
    theta = directions(2, 7)[2]
    whole = projector(density, "a")(theta)
    monkeypatch.setattr("wgf.transport.project.BLOCK", 100)
    np.testing.assert_allclose(projector(density, "a")(theta).mass, whole.mass, rtol=1e-12)


def test_gaussians_and_mixtures_project_to_gaussians_and_mixtures():
    g = Gaussian([1.0, -1.0], [[2.0, 0.5], [0.5, 1.0]])
    theta = np.array([0.6, 0.8])
    truth = Gaussian(g.center @ theta, theta @ g.covariance @ theta)
    assert between_lines(projector(g, "a")(theta), line(truth, "b")) < 1e-28
    twice = Mixture([0.4, 0.6], [g, g])
    assert between_lines(projector(twice, "a")(theta), line(truth, "b")) < (2e-5) ** 2


def test_a_second_order_gap_separates_a_density_from_its_gaussian():
    g = Gaussian([0.3, -0.2], [[1.0, 0.4], [0.4, 0.5]])
    thetas = directions(2, 16)

    def gap(cells):
        shadow, exact = projector(Density.from_measure(g, Grid([(-6, 6)] * 2, cells)), "a"), projector(g, "b")
        return np.mean([between_lines(shadow(t), exact(t)) for t in thetas]) ** 0.5

    coarse, fine = gap(48), gap(96)
    assert fine < 2e-3
    assert 3.6 < coarse / fine < 4.4  # atoms at cell centres would give 2


def test_weights_of_particles_are_kept_and_strangers_are_refused():
    shadow = projector(Particles([[0.0, 1.0], [1.0, 0.0]], [0.25, 0.75]), "a")(np.array([1.0, 0.0]))
    assert shadow.mass.tolist() == [0.25, 0.75]
    assert shadow.left.tolist() == [0.0, 1.0]
    with pytest.raises(MeasureError, match="a is a Barenblatt.*not sampled silently"):
        projector(Barenblatt(2, 2.0, 1.0), "a")
