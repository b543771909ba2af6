"""Faces: which there are, and that what passes them changes no total."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.measures import Grid
from wgf.measures.faces import at_faces, inflow, upper_faces

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("periodic", "count"), [(False, 3), (True, 4)])
def test_a_closed_axis_has_one_face_less_than_cells_and_a_circle_as_many(periodic, count):
    values = np.arange(8.0).reshape(4, 2)
    below, above = at_faces(values, 0, periodic)
    assert below.shape == above.shape == (count, 2)
    np.testing.assert_array_equal(above[:3], values[1:])
    np.testing.assert_array_equal(below[:3], values[:3])
    if periodic:
        np.testing.assert_array_equal((below[3], above[3]), (values[3], values[0]))


@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_inflow_is_what_comes_through_the_lower_face_less_what_leaves_through_the_upper(boundary):
    grid = Grid(((0.0, 1.0), (0.0, 2.0)), (3, 4), ("noflux", boundary))
    fluxes = [RNG.normal(size=at_faces(np.zeros(grid.cells), k, b == "periodic")[0].shape)
              for k, b in enumerate(grid.boundary)]  # fmt: skip
    expected = np.zeros(grid.cells)
    for axis, flux in enumerate(fluxes):
        for face in np.ndindex(flux.shape):
            above = list(face)
            above[axis] = (face[axis] + 1) % grid.cells[axis]
            expected[face] -= flux[face]
            expected[tuple(above)] += flux[face]
    found = inflow(fluxes, grid)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14)
    assert abs(found.sum()) < 1e-14


def test_the_upper_face_at_a_wall_carries_nothing():
    grid = Grid((0.0, 1.0), 3)
    np.testing.assert_array_equal(upper_faces(np.array([5.0, 7.0]), grid, 0), [5.0, 7.0, 0.0])
