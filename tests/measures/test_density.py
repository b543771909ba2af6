"""Cell averages: order, exactness, mass, and the other measures landing on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import wgf
from wgf.measures.averages import initial_density


def test_cell_averages_of_a_gaussian_are_exact_to_round_off():
    grid = wgf.Grid((-5, 6), 300)
    exact = np.diff(ndtr((grid.edges(0) - 0.3) / 0.7)) / grid.spacing[0]
    found = wgf.Density.from_measure(wgf.Gaussian(0.3, 0.49), grid).values
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-10)


def test_cell_averages_cut_by_the_edge_of_a_support_keep_the_mass():
    for cells in (37, 64):
        ring = wgf.Density.from_measure(wgf.Barenblatt(2, 2, 1.0), wgf.Grid([(-3, 3)] * 2, cells))
        assert abs(ring.mass - 1) < 2e-5
        flat = wgf.Density.from_measure(wgf.Uniform((-1.02, 0.97)), wgf.Grid((-3, 3), cells))
        assert abs(flat.mass - 1) < 2e-2 * 6 / cells


def test_particles_land_in_their_cells_with_their_weights():
    grid = wgf.Grid((0, 1), 4)
    cloud = wgf.Particles([[0.1], [0.1], [0.9], [1.0]], [0.25, 0.25, 0.4, 0.1])
    assert wgf.Density.from_measure(cloud, grid).values.tolist() == [2.0, 0.0, 0.0, 2.0]


@settings(max_examples=200, deadline=None)
@given(st.integers(2, 40), st.integers(2, 40), st.integers(0, 2**31))
def test_changing_the_grid_keeps_mass_and_mean(coarse, fine, seed):
    rng = np.random.default_rng(seed)
    density = wgf.Density(wgf.Grid([(0, 1), (0, 2)], (coarse, 5)), rng.random((coarse, 5)) + 0.1)
    moved = wgf.Density.from_measure(density, wgf.Grid([(0, 1), (0, 2)], (fine, 7)))
    assert abs(moved.mass - density.mass) < 1e-12
    np.testing.assert_allclose(moved.mean(), density.mean(), rtol=0, atol=0.6 / min(coarse, fine, 5) ** 1)


def test_covariance_counts_the_spread_inside_cells():
    density = wgf.Density(wgf.Grid((0, 1), 2), [1.0, 1.0])
    assert abs(density.cov()[0, 0] - 1 / 12) < 1e-15


def test_empty_grid_names_bounds_and_pdf():
    with pytest.raises(ValueError, match=r"every one of the 400 cells.*Widen `bounds`"):
        wgf.Density.from_measure(wgf.Uniform((20, 21)), wgf.Grid((-6, 6), 400))


def test_function_of_the_wrong_shape_is_named():
    with pytest.raises(ValueError, match="must return shape"):
        wgf.Density.from_function(lambda x: x**2, wgf.Grid((0, 1), 4))


def test_sampling_is_uniform_inside_cells():
    """Mean within 6 standard errors: false-alarm probability 2e-9."""
    density = wgf.Density.from_measure(wgf.Gaussian(0.4, 0.2), wgf.Grid((-3, 3), 60)).normalised()
    x = density.sample(200_000, 3)
    assert abs(x.mean() - density.mean()[0]) < 6 * np.sqrt(density.cov()[0, 0] / 200_000)
    assert abs(x.var() - density.cov()[0, 0]) < 6 * np.sqrt(2 / 200_000) * density.cov()[0, 0]


def test_grid_wraps_periodic_axes_and_rejects_points_outside_others():
    grid = wgf.Grid([(0, 1), (0, 1)], 4, ("periodic", "noflux"))
    (i, j), inside = grid.indices(np.array([[1.1, 0.5], [0.5, 1.1], [-0.1, 1.0]]))
    assert i.tolist() == [0, 2, 3]
    assert j.tolist() == [2, 3, 3]
    assert inside.tolist() == [True, False, True]


@pytest.mark.parametrize("center", [0.0, 0.013, 0.1199, 2.4])
def test_a_peak_narrower_than_a_cell_keeps_its_mass(center):
    line = wgf.Density.from_measure(wgf.Gaussian(center, 1e-6), wgf.Grid((-6, 6), 50))
    assert abs(line.mass - 1) < 1e-14
    for d, cells in ((2, 50), (3, 12)):
        box = wgf.Grid([(-6, 6)] * d, cells)
        assert abs(wgf.Density.from_measure(wgf.Gaussian([center] * d, 1e-6), box).mass - 1) < 5e-4
    pair = wgf.Mixture([0.5, 0.5], [wgf.Gaussian([center, 0.2], 1e-8), wgf.Gaussian([0, 0], 1.0)])
    assert abs(wgf.Density.from_measure(pair, wgf.Grid([(-6, 6)] * 2, 50)).mass - 1) < 5e-4


def test_a_strongly_correlated_gaussian_is_resolved_inside_its_cells():
    thin = wgf.Gaussian([0, 0], [[1.0, 0.999], [0.999, 1.0]])
    assert abs(wgf.Density.from_measure(thin, wgf.Grid([(-6, 6)] * 2, 40)).mass - 1) < 1e-3


def test_far_tails_on_the_line_are_positive_and_keep_relative_accuracy_on_both_sides():
    values = wgf.Density.from_measure(wgf.Gaussian(0, 0.1), wgf.Grid((-10, 10), 400)).values
    assert values.min() > 0
    np.testing.assert_allclose(values, values[::-1], rtol=1e-10, atol=0)
    exact = ndtr(-9.95 / np.sqrt(0.1)) - ndtr(-10 / np.sqrt(0.1))
    np.testing.assert_allclose(values[[0, -1]] * 0.05, exact, rtol=1e-9, atol=0)


class Box:
    """A user's uniform density, known by pdf alone."""

    dimension, mass = 2, 1.0

    def mean(self):
        return np.zeros(2)

    def cov(self):
        return np.eye(2)

    def sample(self, n, rng):
        return rng.random((n, 2))

    def pdf(self, x):
        return ((x[..., 0] > -1.02) & (x[..., 0] < 0.97) & (np.abs(x[..., 1]) < 0.5)) / 1.99


@pytest.mark.parametrize("cells", [20, 37, 64, 70])
def test_an_edge_of_a_support_between_gauss_points_and_face_is_found(cells):
    assert abs(wgf.Density.from_measure(Box(), wgf.Grid([(-3, 3)] * 2, cells)).mass - 1) < 3e-4


def test_initial_densities_are_normalised_unless_their_mass_is_outside():
    box = wgf.Grid([(-4, 4)] * 2, 40)
    values = initial_density(wgf.Gaussian([0, 0], 1.0), box)  # 1.3e-4 is outside
    assert abs(values.sum() * box.volume - 1) < 1e-14
    with pytest.raises(ValueError, match=r"initial .*\[-4, 4\] x \[-4, 4\].*0\.5 inside\. Widen `bounds`"):
        initial_density(wgf.Gaussian([4.0, 0], 0.1), box)


def test_negatives_of_the_size_of_rounding_are_sampled_as_zero_and_others_refused():
    grid = wgf.Grid((0, 1), 4)
    x = wgf.Density(grid, [2.0, -1e-13, 2.0, 0.0]).sample(1000, 0)
    assert not ((x > 0.25) & (x < 0.5)).any()
    for act in (lambda d: d.sample(10, 0), lambda d: d.quantile(0.5), lambda d: wgf.distance(d, d)):
        with pytest.raises(wgf.MeasureError, match="negative cell"):
            act(wgf.Density(grid, [2.0, -1e-9, 2.0, 0.0]))


@pytest.mark.parametrize("cells", [(30, 24), (31, 24), (7, 5)])
def test_a_uniform_law_lands_on_cells_exactly_wherever_its_edges_lie(cells):
    law = wgf.Uniform([(1.0, 4.0), (-0.5, 0.5)])
    grid = wgf.Grid([(0.0, 2 * np.pi), (-1.0, 1.0)], cells)
    found = wgf.Density.from_measure(law, grid)
    shares = [
        np.diff(np.clip(grid.edges(k), low, high)) / (high - low) for k, (low, high) in enumerate(law.bounds)
    ]
    np.testing.assert_allclose(found.cell_masses, np.multiply.outer(*shares), rtol=1e-13, atol=1e-16)
    np.testing.assert_allclose(found.mass, 1.0, rtol=1e-14)
