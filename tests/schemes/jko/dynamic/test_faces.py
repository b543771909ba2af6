"""One level of dynamic transport: the mobility and its adjoint belong together, and so does the dual built on them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.measures import Grid
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.dynamic.faces import (
    Faces,
    Transport,
    faces_of,
    laplacian,
    level,
    mobility,
    squared_gradient,
)  # fmt: skip
from wgf.schemes.jko.dynamic.newton import Step, _point
from wgf.schemes.jko.dynamic.path import Curvature, densities, hamilton_jacobi, kinetic_energy, path

GRIDS = [
    Grid((0.0, 1.0), 9),
    Grid((0.0, 1.0), 8, "periodic"),
    Grid([(0.0, 1.0), (0.0, 2.0)], (5, 4), ("noflux", "periodic")),
]
seeds = st.integers(0, 2**32 - 1)


def faces(grid: Grid, centring: float = 0.0) -> Faces:
    found = faces_of(grid, np.ones(grid.size, dtype=bool))
    return found._replace(centring=np.full(found.below.size, centring))


def value(phi: np.ndarray, at_faces: Faces, step: float) -> np.ndarray:
    return phi - 0.5 * step * squared_gradient(level(phi, at_faces), at_faces)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("centring", [0.0, 0.5, 0.3])
def test_the_transport_matrix_is_the_derivative_of_the_hamilton_jacobi_operator(grid, centring) -> None:
    rng, step, eps = np.random.default_rng(1), 0.02, 1e-6
    at_faces, phi, move = (
        faces(grid, centring),
        rng.standard_normal(grid.size),
        rng.standard_normal(grid.size),
    )
    slope = (value(phi + eps * move, at_faces, step) - value(phi - eps * move, at_faces, step)) / (2 * eps)
    found = Transport(level(phi, at_faces), at_faces, step).solve(slope)
    np.testing.assert_allclose(found, move, rtol=0, atol=1e-8)
    wrong = Transport(level(phi, at_faces), faces(grid, centring + 1e-3), step).solve(slope)
    assert np.abs(wrong - move).max() > 1e-6  # a mobility off by 1e-3 is seen


@pytest.mark.parametrize("grid", GRIDS, ids=str)
@pytest.mark.parametrize("centring", [0.0, 0.5])
def test_pushing_a_density_solves_continuity_and_is_the_adjoint_of_solving(grid, centring) -> None:
    rng, step = np.random.default_rng(2), 0.01
    at_faces, phi, rho = faces(grid, centring), rng.standard_normal(grid.size), rng.random(grid.size)
    at = level(phi, at_faces)
    transport = Transport(at, at_faces, step)
    after = transport.push(rho)
    flow = step * laplacian(mobility(after, at, at_faces), at_faces) @ phi
    np.testing.assert_allclose(after - flow, rho, rtol=0, atol=1e-13)
    other = rng.standard_normal(grid.size)
    np.testing.assert_allclose(after @ other, rho @ transport.solve(other), rtol=1e-12)


@settings(max_examples=200, deadline=None)
@given(seeds, st.sampled_from(GRIDS), st.floats(-6, 3), st.floats(0, 1))
def test_upwind_transport_keeps_mass_and_never_goes_below_zero(seed, grid, log_step, filled) -> None:
    rng, at_faces = np.random.default_rng(seed), faces(grid)
    rho = rng.random(grid.size) * (rng.random(grid.size) <= filled)
    phi = rng.standard_normal(grid.size) * 10 ** rng.uniform(-3, 3)
    after = Transport(level(phi, at_faces), at_faces, 10**log_step).push(rho)
    assert after.min() >= 0
    np.testing.assert_allclose(after.sum(), rho.sum(), rtol=1e-13)


@settings(max_examples=200, deadline=None)
@given(seeds, st.sampled_from(GRIDS), st.floats(-5, 1))
def test_hamilton_jacobi_levels_are_solved_bounded_and_monotone(seed, grid, log_step) -> None:
    rng, at_faces, step = np.random.default_rng(seed), faces(grid), 10**log_step
    psi = rng.standard_normal(grid.size)
    low, _ = hamilton_jacobi(psi, rng.standard_normal(grid.size), at_faces, step)
    high, _ = hamilton_jacobi(psi + rng.random(grid.size), psi, at_faces, step)
    kinetic = 0.5 * step * squared_gradient(low, at_faces)
    np.testing.assert_allclose(low.phi - kinetic, psi, rtol=0, atol=1e-9 * (1 + kinetic.max()))
    assert (low.phi >= psi).all()
    assert low.phi.max() <= psi.max() + 1e-12
    assert (high.phi >= low.phi - 1e-12).all()


def test_walls_and_obstacles_have_no_faces() -> None:
    """5 x 4 cells, periodic along the second axis: 16 + 20 faces, and 4 fewer around a closed inner cell."""
    grid = GRIDS[2]
    assert faces(grid).below.size == 4 * 4 + 5 * 4
    open_cells = np.ones(grid.size, dtype=bool)
    open_cells[6] = False
    found = faces_of(grid, open_cells)
    assert found.below.size == 36 - 4
    assert 6 not in set(found.below) | set(found.above)


def test_faces_of_a_level_point_uphill() -> None:
    found = faces_of(wgf.Grid((0.0, 1.0), 3), np.ones(3, dtype=bool))
    at = level(np.array([0.0, 2.0, 1.0]), found)
    assert at.source.tolist() == [0, 2]
    assert at.sink.tolist() == [1, 1]


# --------------------------------------------------------------------------------------- the dual


def problem_step(grid: Grid, substeps: int, seed: int = 0) -> tuple[Step, np.ndarray]:
    rng = np.random.default_rng(seed)
    step = Step(
        1 + rng.random(grid.size), rng.random(grid.size), InternalEnergy.of(wgf.entropy() + wgf.internal(2)),
        faces(grid), 0.05, substeps,
    )  # fmt: skip
    return step, -0.3 * rng.standard_normal(grid.size)


@pytest.mark.parametrize("substeps", [1, 3])
def test_the_gradient_of_the_dual_is_the_mismatch_and_its_curvature_the_hessian(substeps) -> None:
    step, psi = problem_step(GRIDS[2], substeps)
    guesses = (psi,) * substeps

    def dual(psi: np.ndarray) -> float:
        return _point(step, psi, guesses).value

    def arrived(psi: np.ndarray) -> np.ndarray:
        return densities(path(psi, guesses, step.faces, step.inner), step.rho)[-1]

    point = _point(step, psi, guesses)
    move, eps = np.random.default_rng(5).standard_normal(psi.size), 1e-5
    slope = (dual(psi + eps * move) - dual(psi - eps * move)) / (2 * eps)
    np.testing.assert_allclose((point.wanted - arrived(psi)) @ move, slope, rtol=1e-7)
    change = (arrived(psi + eps * move) - arrived(psi - eps * move)) / (2 * eps)
    curvature = Curvature(point.along, densities(point.along, step.rho), step.faces)
    np.testing.assert_allclose(curvature.times(move), change, rtol=0, atol=1e-6 * np.abs(change).max())
    assert np.abs(curvature.nearby() @ move - change).max() > 1e-4 * np.abs(change).max()  # a model only


@pytest.mark.parametrize("substeps", [1, 3])
def test_primal_and_dual_differ_by_the_gap_of_young_and_fenchel(substeps) -> None:
    """kinetic + E(rho_K) - D(psi) = sum U(rho_K) + U*(p) - rho_K p >= 0 for any psi: nothing of the path is lost."""
    step, psi = problem_step(GRIDS[2], substeps, seed=3)
    point = _point(step, psi, (psi,) * substeps)
    rhos = densities(point.along, step.rho)
    energy = step.internal.value(rhos[-1]) + step.potential * rhos[-1]
    gap = kinetic_energy(point.along, rhos, step.faces) + energy.sum() - point.value
    expected = step.internal.value(rhos[-1]) + step.internal.conjugate(point.multiplier)
    expected = float((expected - rhos[-1] * point.multiplier).sum())
    assert expected > 1e-3
    np.testing.assert_allclose(gap, expected, rtol=1e-10)
