"""Bonds of a full tensor: consistent, nonnegative, in detailed balance, closed where they should be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.fokker_planck.tensor import tensor_bonds
from wgf.schemes.grid.rates import face_rates

D = 0.6
PLANE = np.array([[1.0, 0.55], [0.55, 0.7]])
SPACE = np.array([[1.0, 0.4, -0.2], [0.4, 0.8, 0.3], [-0.2, 0.3, 0.9]])


@st.composite
def situations(draw):
    """A small grid, a potential, a positive definite tensor per cell, a drift."""
    d = draw(st.sampled_from((2, 3)))
    cells = tuple(draw(st.integers(2, {2: 9, 3: 5}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(("noflux", "periodic"))) for _ in range(d))
    grid = wgf.Grid(tuple((0.0, draw(st.floats(0.5, 4.0))) for _ in range(d)), cells, boundary)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    turned = np.linalg.qr(rng.normal(size=(*cells, d, d)))[0]
    M = np.einsum("...ij,...j,...kj->...ik", turned, 10 ** rng.uniform(-0.7, 0.7, (*cells, d)), turned)
    potential = D * draw(st.floats(0.01, 20.0)) * rng.normal(size=cells)
    return grid, potential, 0.5 * (M + M.swapaxes(-1, -2)), rng.normal(size=(*cells, d))


@settings(max_examples=200, deadline=None)
@given(situations(), st.booleans())
def test_the_generator_is_nonnegative_off_the_diagonal_and_keeps_mass(situation, drifting):
    grid, potential, M, drift = situation
    matrix = tensor_bonds(potential, grid, D, M, drift if drifting else None).generator(grid.size).toarray()
    scale = np.abs(matrix).max()
    off = matrix - np.diag(np.diag(matrix))
    assert off.min() >= 0
    assert np.abs(matrix.sum(axis=0)).max() <= 1e-13 * scale


@settings(max_examples=200, deadline=None)
@given(situations())
def test_every_bond_balances_in_detail_without_a_drift(situation):
    grid, potential, M, _ = situation
    bonds = tensor_bonds(potential, grid, D, M)
    v = potential.ravel() / D
    open_ = (bonds.up > 1e-290) & (bonds.down > 1e-290)
    gap = np.log(bonds.up) - v[bonds.below] - np.log(bonds.down) + v[bonds.above]
    assert np.abs(gap[open_]).max(initial=0.0) <= 1e-12 * (1 + np.abs(v).max())


@settings(max_examples=100, deadline=None)
@given(situations())
def test_the_spectrum_is_real_nonpositive_with_a_simple_zero(situation):
    grid, potential, M, _ = situation
    potential = np.clip(potential, -4 * D, 4 * D)
    weight = np.exp(potential.ravel() / D / 2)
    matrix = tensor_bonds(potential, grid, D, M).generator(grid.size).toarray()
    symmetric = weight[:, None] * matrix / weight
    scale = np.abs(symmetric).max()
    np.testing.assert_allclose(symmetric, symmetric.T, rtol=0, atol=1e-12 * scale)
    values = np.linalg.eigvalsh(0.5 * (symmetric + symmetric.T))
    assert abs(values[-1]) <= 1e-12 * scale
    assert values[-2] < -1e-9 * scale


@pytest.mark.parametrize("M", [PLANE, SPACE, np.array([[1.0, -0.93], [-0.93, 0.9]])])
def test_a_constant_tensor_is_exact_on_quadratic_densities_away_from_walls(M):
    d = len(M)
    grid = wgf.Grid(tuple((-1.0, 1.0 + 0.3 * k) for k in range(d)), (13, 12, 11)[:d])
    H = np.arange(1.0, d * d + 1).reshape(d, d)
    rho = 40 + np.einsum("...i,ij,...j->...", grid.centers, H, grid.centers)
    bonds = tensor_bonds(np.zeros(grid.cells), grid, D, M)
    inside = (slice(4, -4),) * d
    found = bonds.inflow(bonds.fluxes(rho), grid.cells)[inside]
    np.testing.assert_allclose(found, D * np.sum(M * (H + H.T)), rtol=1e-10, atol=0)


def test_a_constant_drift_moves_a_linear_density_as_it_should():
    grid, b = wgf.Grid(((-1.0, 1.0), (-1.0, 1.2)), (12, 11)), np.array([0.4, -0.7])
    rho = 5 + grid.centers @ np.array([1.0, 2.0])
    bonds = tensor_bonds(np.zeros(grid.cells), grid, D, PLANE, np.broadcast_to(b, (*grid.cells, 2)))
    found = bonds.inflow(bonds.fluxes(rho), grid.cells)[2:-2, 2:-2]
    np.testing.assert_allclose(found, -(b @ [1.0, 2.0]), rtol=1e-11, atol=0)


def test_a_diagonal_tensor_gives_the_faces():
    grid = wgf.Grid(((0.0, 1.0), (0.0, 2.0)), (5, 6), ("noflux", "periodic"))
    potential = np.random.default_rng(0).normal(size=grid.cells)
    found = tensor_bonds(potential, grid, D, np.eye(2)).generator(grid.size).toarray()
    expected = face_bonds(face_rates(potential, grid, D), grid).generator(grid.size).toarray()
    np.testing.assert_allclose(found, expected, rtol=1e-13, atol=1e-12)


def test_bonds_into_an_obstacle_and_out_of_the_box_are_left_out():
    grid = wgf.Grid(((0.0, 1.0), (0.0, 1.0)), (6, 6))
    potential = np.zeros(grid.cells)
    potential[2:4, 3] = np.inf
    bonds = tensor_bonds(potential, grid, D, np.broadcast_to(PLANE, (6, 6, 2, 2)))
    blocked = np.flatnonzero(np.isinf(potential.ravel()))
    assert not np.isin(bonds.below, blocked).any()
    assert not np.isin(bonds.above, blocked).any()
    assert np.isfinite(bonds.up).all()
    reach = np.stack(np.unravel_index(bonds.above, (6, 6))) - np.stack(np.unravel_index(bonds.below, (6, 6)))
    assert np.abs(reach).max() == 1  # nothing wraps around
