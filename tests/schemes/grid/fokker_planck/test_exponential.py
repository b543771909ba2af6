"""One exponential per axis: against SciPy's, and what a step keeps to the last bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import expm

from wgf.measures import Grid
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.fokker_planck.exponential import (
    axis_lines,
    axis_potentials,
    exponentials,
    profile_rates,
    transition,
)
from wgf.schemes.grid.rates import face_rates

D, DT = 0.7, 0.05


def bowl(x):
    return 0.5 * (x**2).sum(-1)


def scheme_of(V, grid, dt=DT):
    profiles = axis_potentials(V)
    return exponentials(profile_rates(profiles, grid, D), face_rates(V, grid, D), grid, dt)


def line(boundary="noflux", cells=16):
    grid = Grid((-3.0, 3.0), cells, boundary)
    V = np.cos(np.pi * grid.centers[..., 0] / 3)
    return grid, V, scheme_of(V, grid)


@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_a_transition_is_the_exponential_of_the_generator(boundary):
    grid, V, scheme = line(boundary)
    expected = expm(DT * face_bonds(face_rates(V, grid, D), grid).generator(grid.size).toarray())
    np.testing.assert_allclose(scheme.matrices[0], expected, rtol=0, atol=1e-13)


def test_transitions_are_probabilities_however_long_the_time_and_steep_the_potential():
    grid = Grid((0.0, 1.0), 30)
    (rates,) = face_rates(np.linspace(0, 60 * D, 30), grid, D)
    for strength in (0.0, 1e-6, 1e2):
        matrix = transition(strength * rates[0], strength * rates[1], False)
        assert matrix.min() >= 0
        np.testing.assert_allclose(matrix.sum(axis=0), 1.0, rtol=0, atol=1e-14)


def test_a_sum_over_axes_is_recognised_and_a_coupled_potential_is_not():
    grid = Grid(((-2.0, 2.0), (-1.0, 1.0)), (9, 8))
    x, y = np.moveaxis(grid.centers, -1, 0)
    profiles = axis_potentials(x**4 + np.cos(y) + 5)
    assert profiles is not None
    rebuilt = profiles[0][:, None] + profiles[1]
    np.testing.assert_allclose(np.ptp(rebuilt - x**4 - np.cos(y)), 0, rtol=0, atol=1e-13)
    assert axis_potentials(x**4 + np.cos(y) + 1e-6 * x * y) is None


def test_axes_of_the_plane_are_advanced_each_by_its_own_exponential():
    grid = Grid(((-2.0, 2.0), (-1.0, 1.0)), (7, 6))
    V = bowl(grid.centers)
    scheme = scheme_of(V, grid)
    rho = np.random.default_rng(0).uniform(size=grid.cells)
    expected = (
        expm(DT * face_bonds(face_rates(V, grid, D), grid).generator(grid.size).toarray()) @ rho.ravel()
    )
    np.testing.assert_allclose(scheme.advance(rho)[0].ravel(), expected, rtol=0, atol=1e-13)


def test_a_negative_cell_is_kept_and_so_is_the_mass():
    """Clipping the cell that goes in at -1e-3 would make mass 1e-4; the step takes it as it is."""
    scheme = line(cells=64)[2]
    tiny = Grid((-3.0, 3.0), 64)
    short = scheme_of(np.zeros(64), tiny, 1e-9)
    rho = np.exp(-bowl(tiny.centers))
    rho[0] = -1e-3
    for one in (scheme, short):
        after, least = one.advance(rho)
        assert abs(after.sum() - rho.sum()) <= 1e-14 * rho.sum()
        assert least == after.min()
    assert least == pytest.approx(-1e-3, rel=1e-3)


def test_only_numbers_below_the_smallest_normal_one_become_zero():
    grid = Grid((-3.0, 3.0), 64)
    scheme = scheme_of(np.zeros(64), grid, 0.0)
    rho = np.zeros(64)
    rho[10:15] = 1.0, 1e-300, -1e-300, 1e-310, -1e-310
    after, _ = scheme.advance(rho)
    np.testing.assert_allclose(after[10:15], [1.0, 1e-300, -1e-300, 0.0, 0.0], rtol=1e-14, atol=0)


def test_what_passed_the_faces_is_the_trapezoidal_mean():
    grid, V, scheme = line()
    rho, passed = np.exp(-bowl(grid.centers - 1)), (np.zeros(grid.cells),)
    after, _ = scheme.advance(rho, passed)
    change = np.roll(passed[0], 1) - passed[0]
    G = face_bonds(face_rates(V, grid, D), grid).generator(grid.size)
    np.testing.assert_allclose(change, 0.5 * DT * (G @ (rho + after)), rtol=0, atol=1e-14)
    assert passed[0][-1] == 0.0


def test_rates_that_are_the_same_on_all_lines_of_an_axis_are_recognised():
    grid = Grid(((-2.0, 2.0), (-1.0, 1.0)), (9, 8), ("noflux", "periodic"))
    x, y = np.moveaxis(grid.centers, -1, 0)
    lines = axis_lines(face_rates(x**4 + np.cos(np.pi * y), grid, D))
    assert lines is not None
    assert [rate.shape for pair in lines for rate in pair] == [(8,), (8,), (8,), (8,)]
    assert axis_lines(face_rates(x**4 + 1e-6 * x * np.cos(np.pi * y), grid, D)) is None
