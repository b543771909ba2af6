"""Bonds: faces as bonds give the same fluxes, generator and metric as the faces do."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.measures.faces import inflow, upper_faces
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.rates import dissipation, face_fluxes, face_rates


@pytest.fixture(params=[("noflux", "noflux"), ("periodic", "noflux"), ("periodic", "periodic")])
def situation(request):
    grid = wgf.Grid(((0.0, 2.0), (0.0, 1.5)), (7, 5), request.param)
    rng = np.random.default_rng(0)
    rates = face_rates(rng.normal(size=grid.cells), grid, 0.7)
    return grid, rates, rng.random(grid.cells)


def test_fluxes_of_faces_and_of_bonds_bring_the_same(situation):
    grid, rates, rho = situation
    bonds = face_bonds(rates, grid)
    expected = inflow(face_fluxes(rho, rates, grid), grid)
    found = bonds.inflow(bonds.fluxes(rho), grid.cells)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-13 * np.abs(expected).max())
    assert abs(found.sum()) <= 1e-13 * np.abs(found).sum()


def test_columns_of_the_generator_are_the_inflows_from_one_filled_cell(situation):
    grid, rates, _ = situation
    found = face_bonds(rates, grid).generator(grid.size).toarray()
    for column, one in zip(found.T, np.eye(grid.size), strict=True):
        expected = inflow(face_fluxes(one.reshape(grid.cells), rates, grid), grid)
        np.testing.assert_allclose(column, expected.ravel(), rtol=1e-13, atol=1e-12)


def test_metrics_of_faces_and_of_bonds_are_one(situation):
    grid, rates, rho = situation
    bonds, fluxes = face_bonds(rates, grid), face_fluxes(0.5 + rho, rates, grid)
    passed = tuple(upper_faces(f, grid, axis) for axis, f in enumerate(fluxes))
    flat = np.concatenate([f.ravel() for f in fluxes])
    expected = dissipation(rho, passed, rates, grid, 0.7)
    found = bonds.dissipation(rho, flat, grid.volume, 0.7)
    assert found == pytest.approx(expected, rel=1e-13)
    assert found[0] != pytest.approx(found[1], rel=1e-3)
