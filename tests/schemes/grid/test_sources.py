"""Sources: how much they bring and to which order; initial mass and obstacles."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.schemes.grid import sources
from wgf.schemes.grid.fokker_planck import FokkerPlanck


def problem(source=None, potential=None, initial=None, bounds=(0.0, 2.0), boundary="noflux"):
    energy = wgf.entropy() if potential is None else wgf.entropy() + wgf.potential(potential)
    start = wgf.Uniform((0.0, 1.0)) if initial is None else initial
    return wgf.Problem(energy, initial=start, bounds=bounds, boundary=boundary, source=source)


def wall(x):
    return np.where(x[..., 0] < 1, 0.0, np.inf)


def test_a_source_on_cells_is_its_average():
    grid = wgf.Grid((0.0, 2.0), 5)
    found = sources.source_cells(problem(lambda x: x[..., 0] ** 5), grid)
    edges = grid.edges(0)
    np.testing.assert_allclose(found, np.diff(edges**6) / 6 / np.diff(edges), rtol=1e-13, atol=0)


def test_a_moving_source_is_taken_at_the_time_of_the_problem_and_never_remembered():
    p, grid = problem(lambda x, t: np.full(x.shape[:-1], 3 * t)), wgf.Grid((0.0, 2.0), 4)
    for t in (0.0, 0.5, 2.0):
        np.testing.assert_allclose(sources.source_cells(p.at(t), grid), 3 * t, rtol=1e-15, atol=1e-300)


@pytest.mark.parametrize("time", ["tr-bdf2", "backward-euler", "lie", "exponential"])
def test_the_mass_is_that_of_the_start_and_of_the_source(time):
    p = problem(lambda x, t: np.exp(x[..., 0]) * np.cos(t))
    run = wgf.solve(p, FokkerPlanck(cells=30, time=time), t_end=0.6, dt=0.1, record=["mass"])
    dt = run.stats["dt"]
    middles = np.cos(dt * (np.arange(run.stats["steps"]) + 0.5)).sum() * dt
    assert run.final.mass == pytest.approx(1 + np.expm1(2.0) * middles, abs=1e-7)  # Gauss, h^6
    coarse = wgf.Grid((0.0, 2.0), 30)
    averaged = sources.source_cells(p.at(0.0), coarse).sum() * coarse.volume
    assert run.final.mass == pytest.approx(1 + averaged * middles, rel=1e-13)


@pytest.mark.parametrize(
    ("time", "order", "bound"), [("tr-bdf2", 2, 3e-5), ("backward-euler", 1, 5e-3), ("exponential", 2, 3e-5)]
)
def test_a_source_keeps_the_order_of_the_scheme(time, order, bound):
    # rho = 1/2 + a(t) cos(pi x / 2) solves the discrete heat equation with a source on one eigenvector
    n, k = 40, np.pi / 2
    rate = 4 * (n / 2) ** 2 * np.sin(np.pi / (2 * n)) ** 2
    p = problem(
        lambda x, t: 0.4 * np.cos(k * x[..., 0]) * (np.cos(3 * t) * 3 + rate * np.sin(3 * t)),
        initial=wgf.Density(wgf.Grid((0.0, 2.0), n), np.full(n, 0.5)),
    )
    grid = p.grid(n)
    wave = np.diff(np.sin(k * grid.edges(0))) / (k * grid.spacing[0])
    errors = []
    for steps in (8, 16, 32, 64):
        run = wgf.solve(p, FokkerPlanck(cells=n, time=time), t_end=0.5, dt=0.5 / steps)
        assert run.stats["steps"] == steps
        errors.append(np.abs(run.final.values - 0.5 - 0.4 * np.sin(1.5) * wave).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(np.abs(orders - order) < 0.1)
    assert errors[-1] < bound


def test_a_source_in_an_obstacle_brings_nothing():
    p = problem(lambda x: np.ones(x.shape[:-1]), wall)
    run = wgf.solve(p, FokkerPlanck(cells=20), t_end=0.5, dt=0.05)
    np.testing.assert_array_equal(run.final.values[10:], 0.0)
    assert run.final.mass == pytest.approx(1.5, rel=1e-13)


def test_a_sink_costs_no_fallback_steps_where_the_density_stays_positive():
    p = problem(lambda x: -0.1 * np.ones(x.shape[:-1]), initial=wgf.Uniform((0.0, 2.0)))
    run = wgf.solve(p, FokkerPlanck(cells=20), t_end=1.0, dt=0.1)
    assert run.stats["fallback_steps"] == 0
    np.testing.assert_allclose(run.final.values, 0.4, rtol=1e-13, atol=0)


def test_initial_mass_in_an_obstacle_is_refused_with_amount_and_way_out():
    p = problem(potential=wall, initial=wgf.Uniform((0.0, 1.5)))
    with pytest.raises(
        ValueError, match=r"initial must have no mass where V = \+inf, got the mass 0\.333 in 5"
    ):
        FokkerPlanck(cells=20).init(p, None)


def test_a_negligible_tail_in_an_obstacle_is_left_out():
    p = problem(potential=wall, initial=wgf.Gaussian(0.4, 0.0064), bounds=(-1.0, 2.0))
    rho = FokkerPlanck(cells=30).init(p, None).rho
    np.testing.assert_array_equal(rho[20:], 0.0)
    assert rho.sum() * 0.1 == pytest.approx(1, abs=1e-15)
    p = problem(potential=wall, initial=wgf.Gaussian(0.4, 0.01), bounds=(-1.0, 2.0))
    with pytest.raises(ValueError, match="mass 9.87e-10"):
        FokkerPlanck(cells=30).init(p, None)
