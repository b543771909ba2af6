"""Unsplit backward Euler: against a dense solve, and what a step keeps."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.kernels.tridiagonal import AHEAD, STAGE
from wgf.measures import Grid
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.fokker_planck.unsplit import unsplit
from wgf.schemes.grid.rates import face_rates

D = 0.6


def plane(boundary="noflux", dt=0.2, second_order=False):
    grid = Grid(((-2.0, 2.0), (-1.0, 2.0)), (9, 8), boundary)
    x, y = np.moveaxis(grid.centers, -1, 0)
    V = np.cos(np.pi * x / 2) + np.sin(2 * np.pi * y / 3) * np.cos(np.pi * x / 2)
    bonds = face_bonds(face_rates(V, grid, D), grid)
    return grid, V, unsplit(bonds, grid.size, dt, second_order)


def cloud(grid):
    return np.random.default_rng(0).uniform(size=grid.cells)


@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_a_step_solves_backward_euler_of_the_whole_generator(boundary):
    grid, V, scheme = plane(boundary)
    G = face_bonds(face_rates(V, grid, D), grid).generator(grid.size).toarray()
    expected = np.linalg.solve(np.eye(grid.size) - 0.2 * G, cloud(grid).ravel())
    np.testing.assert_allclose(scheme.advance(cloud(grid))[0].ravel(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_a_step_of_second_order_is_tr_bdf2_of_the_whole_generator(boundary):
    grid, V, scheme = plane(boundary, second_order=True)
    G, rho, one = (
        face_bonds(face_rates(V, grid, D), grid).generator(grid.size).toarray(),
        cloud(grid).ravel(),
        np.eye(grid.size),
    )
    a = 0.2 * STAGE
    stage = np.linalg.solve(one - a * G, rho + a * G @ rho)
    expected = np.linalg.solve(one - a * G, AHEAD * stage + (1 - AHEAD) * rho)
    np.testing.assert_allclose(scheme.advance(cloud(grid))[0].ravel(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize("second_order", [False, True])
def test_the_gibbs_density_rests_and_mass_stays_for_a_long_step(second_order):
    grid, V, scheme = plane(dt=100.0, second_order=second_order)
    gibbs = np.exp(-V / D)
    np.testing.assert_allclose(scheme.advance(gibbs)[0], gibbs, rtol=1e-12, atol=0)
    after, least = scheme.advance(cloud(grid))
    assert abs(after.sum() - cloud(grid).sum()) < 1e-13 * after.sum()
    assert least == after.min()
    assert second_order or least > 0


def test_a_negative_cell_is_kept_and_so_is_the_mass():
    grid, _, scheme = plane(dt=1e-9)
    rho = cloud(grid)
    rho[0, 0] = -1e-3
    after, least = scheme.advance(rho)
    assert least == pytest.approx(-1e-3, rel=1e-3)
    assert abs(after.sum() - rho.sum()) < 1e-14 * rho.sum()


@pytest.mark.parametrize("second_order", [False, True])
def test_what_passed_the_bonds_is_what_the_cells_gained(second_order):
    grid, _, scheme = plane(second_order=second_order)
    rho, passed = cloud(grid), np.zeros(scheme.bonds.up.shape)
    after, _ = scheme.advance(rho, (passed,))
    gained = scheme.bonds.inflow(passed, grid.cells)
    np.testing.assert_allclose(after - rho, gained, rtol=0, atol=1e-13)


@pytest.mark.parametrize("second_order", [False, True])
def test_an_empty_grid_stays_empty(second_order):
    grid, _, scheme = plane(second_order=second_order)
    after, least = scheme.advance(np.zeros(grid.cells))
    np.testing.assert_array_equal(after, 0.0)
    assert least == 0
