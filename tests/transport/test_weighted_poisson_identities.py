"""What weighted Poisson solutions satisfy exactly on any grid, for any density and source."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from wgf.measures import Density, Grid
from wgf.transport.weighted_poisson import MEANS, WeightedPoisson


@st.composite
def situations(draw, largest_range=8.0):
    """A grid of 1 to 3 dimensions, a positive density and two sources on it."""
    d = draw(st.integers(1, 3))
    cells = tuple(draw(st.integers(2, {1: 40, 2: 10, 3: 5}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(("noflux", "periodic"))) for _ in range(d))
    grid = Grid(tuple((-1.0, draw(st.floats(0.5, 4.0))) for _ in range(d)), cells, boundary)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rho = np.exp(draw(st.floats(0.0, largest_range)) * rng.normal(size=cells) / 3)
    return (
        grid,
        rho / (rho.sum() * grid.volume),
        rng.normal(size=(2, *cells)),
        draw(st.sampled_from(sorted(MEANS))),
    )


@settings(max_examples=200, deadline=None)
@given(situations())
def test_energy_balance_and_symmetry_hold_exactly(situation):
    grid, rho, (f, g), face = situation
    solver = WeightedPoisson(Density(grid, rho), face)
    one, other = solver.solve(f), solver.solve(g)
    scale = np.abs(one.source * one.potential).sum() * grid.volume
    assert one.residual <= 1e-12
    assert_allclose(one.energy, -one.kinetic, rtol=0, atol=1e-10 * scale)
    assert abs((rho * one.potential).sum()) <= 1e-12 * (rho * np.abs(one.potential)).sum()
    across = (one.source * other.potential).sum(), (other.source * one.potential).sum()
    assert_allclose(*across, rtol=0, atol=1e-9 * np.abs(one.source * other.potential).sum())
    assert_allclose(one.imbalance, f.sum() * grid.volume, rtol=0, atol=1e-12 * np.abs(f).sum())
    assert abs(one.source.sum()) <= 1e-12 * np.abs(f).sum()


@settings(max_examples=100, deadline=None)
@given(situations())
def test_the_potential_is_the_one_of_least_ritz_energy(situation):
    """J(phi + e) - J(phi) = 1/2 int rho |grad e|^2 >= 0 for every e, shifts of phi changing nothing."""
    grid, rho, (f, e), face = situation
    solution = WeightedPoisson(Density(grid, rho), face).solve(f)

    def ritz(phi):
        kinetic = 0.0
        for axis, mean in enumerate(solution.density):
            step = np.roll(phi, -1, axis) - phi
            step = step.take(range(mean.shape[axis]), axis) / grid.spacing[axis]
            kinetic += 0.5 * float((mean * step**2).sum())
        return (kinetic - float((solution.source * phi).sum())) * grid.volume

    least = ritz(solution.potential)
    scale = solution.kinetic + np.abs(solution.source * solution.potential).sum() * grid.volume
    assert_allclose(least, solution.energy, rtol=0, atol=1e-9 * scale)
    assert ritz(solution.potential + 0.1 * e) >= least - 1e-9 * scale
    assert_allclose(ritz(solution.potential + 7.0), least, rtol=0, atol=1e-9 * (scale + np.abs(f).sum()))


@settings(max_examples=100, deadline=None)
@given(situations(), st.floats(-3.0, 3.0))
def test_mass_given_in_proportion_to_the_density_changes_nothing(situation, amount):
    grid, rho, (f, _), face = situation
    solver = WeightedPoisson(Density(grid, rho), face)
    plain, shifted = solver.solve(f), solver.solve(f + amount * rho)
    scale = np.abs(plain.potential).max() * (1 + abs(amount))
    assert_allclose(shifted.potential, plain.potential, rtol=0, atol=1e-9 * scale)


@settings(max_examples=100, deadline=None)
@given(situations())
def test_the_mean_gradient_is_the_rate_of_the_mean(situation):
    """The constant-gain identity, by summation by parts: E[grad phi] = d/dt E[x] on no-flux axes."""
    grid, rho, (f, _), face = situation
    solution = WeightedPoisson(Density(grid, rho), face).solve(f)
    for axis, (slopes, mean) in enumerate(zip(solution.gradient, solution.density, strict=True)):
        if grid.boundary[axis] == "periodic":
            continue
        rate = (grid.centers[..., axis] * solution.source).sum()
        assert_allclose((slopes * mean).sum(), rate, rtol=0, atol=1e-10 * np.abs(f).sum() * 4)


@settings(max_examples=100, deadline=None)
@given(situations())
def test_a_dense_solver_agrees(situation):
    grid, rho, (f, _), face = situation
    solver = WeightedPoisson(Density(grid, rho), face)
    solution, columns = solver.solve(f), []
    for phi in np.eye(grid.size).reshape(-1, *grid.cells):
        slopes = []
        for axis, mean in enumerate(solution.density):
            step = np.roll(phi, -1, axis) - phi
            slopes.append(step.take(range(mean.shape[axis]), axis) / grid.spacing[axis])
        columns.append(solver._outflow(tuple(slopes)).ravel())
    matrix = np.array(columns)
    phi = np.linalg.lstsq(matrix, solution.source.ravel(), rcond=1e-13)[0]
    phi -= rho.ravel() @ phi / rho.sum()
    assert_allclose(solution.potential.ravel(), phi, rtol=0, atol=1e-7 * np.abs(phi).max() + 1e-12)
