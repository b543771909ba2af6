"""What schemes on cells share: the door, energies and slopes of cell averages."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.schemes.cells import box_refusal, cell_energy, initial_cells, mean_squared_gradient, obstacles


def walled(x):
    return np.where(x[..., 0] < 1, 0.5 * x[..., 0] ** 2, np.inf)


def problem(energy=None, initial=None, bounds=(-1.0, 2.0)):
    return wgf.Problem(
        wgf.entropy() if energy is None else energy,
        initial=wgf.Uniform((-0.5, 0.5)) if initial is None else initial,
        bounds=bounds,
    )


@pytest.mark.parametrize(
    ("bounds", "cells", "axes", "words"),
    [
        (((-1, 1),) * 3, 10, 2, "one or two dimensions, got 3"),
        (None, 10, 3, "needs a box"),
        (((-1, 1),) * 3, (10, 10), 3, "cells for 2 axes, and the problem has 3"),
        (((-1, 1),) * 3, 11, 3, "11 x 11 x 11 cells are more than 1,000"),
        (((-1, 1),) * 3, 10, 3, None),
    ],
)
def test_a_box_that_cannot_be_cut_is_refused_with_the_reason(bounds, cells, axes, words):
    p = problem(initial=wgf.Gaussian(np.zeros(3), 0.01), bounds=bounds)
    found = box_refusal(p, cells, 1000, axes)
    assert found is None if words is None else words in str(found)


def test_the_start_is_zero_in_obstacles_and_has_mass_one():
    p = problem(wgf.entropy() + wgf.potential(walled), wgf.Gaussian(0.4, 0.0064))
    rho = initial_cells(p, 30)
    np.testing.assert_array_equal(obstacles(p, p.grid(30)), np.arange(30) >= 20)
    np.testing.assert_array_equal(rho[20:], 0.0)
    assert rho.sum() * 0.1 == pytest.approx(1, abs=1e-15)


@pytest.mark.parametrize("scheme", ["fokker-planck", "aggregation-diffusion", "dynamic-jko", "entropic-jko"])
def test_every_scheme_refuses_to_start_with_mass_in_an_obstacle(scheme):
    p = problem(wgf.entropy() + wgf.potential(walled), wgf.Uniform((0.0, 1.5)))
    with pytest.raises(ValueError, match=r"initial must have no mass where V = \+inf"):
        wgf.solve(p, scheme, t_end=0.1, dt=0.1)


def test_the_energy_of_cells_is_the_sum_over_cells_and_pairs():
    W = lambda z: 0.5 * (z**2).sum(-1)  # noqa: E731
    energy = 2 * wgf.entropy() + wgf.internal(3) + wgf.potential(walled) + 3 * wgf.interaction(W)
    p = problem(energy)
    grid, rho = p.grid(30), initial_cells(p, 30)
    x, some = grid.axes[0], rho > 0
    expected = (
        0.1 * (2 * rho[some] * np.log(rho[some]) + rho[some] ** 3 / 2 + 0.5 * x[some] ** 2 * rho[some]).sum()
    )
    expected += 0.5 * 3 * 0.01 * rho @ (0.5 * (x[:, None] - x) ** 2) @ rho
    assert cell_energy(p, rho, grid) == pytest.approx(expected, rel=1e-13)


def test_the_mean_squared_gradient_of_a_plane_wave_is_exact_and_empty_cells_count_nothing():
    grid = wgf.Grid(((0.0, 1.0), (0.0, 2.0)), (5, 8))
    slope = grid.centers @ np.array([3.0, -2.0])
    rho = np.full(grid.cells, 0.5)
    assert mean_squared_gradient(slope, rho, grid) == pytest.approx(9 * 0.8 + 4 * 7 / 8, rel=1e-13)
    rho[2] = 0.0
    slope[2] = -np.inf
    assert mean_squared_gradient(slope, rho, grid) == pytest.approx(9 * 0.4 + 4 * 0.8 * 7 / 8, rel=1e-13)
