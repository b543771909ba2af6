"""Cell averages: order, exactness, mass, and the other measures landing on a grid."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

import wgf


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
