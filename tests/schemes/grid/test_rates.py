"""Face rates and what is built from them: balance, the generator, the discrete Wasserstein metric."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.measures.faces import inflow
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.rates import dissipation, face_fluxes, face_rates, logarithmic_mean

BOUNDARIES = ("noflux", "periodic")


@st.composite
def situations(draw):
    """A small grid of 1 to 3 dimensions, a potential on it, D, and a positive density."""
    d = draw(st.integers(1, 3))
    cells = tuple(draw(st.integers(2, {1: 30, 2: 9, 3: 5}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(BOUNDARIES)) for _ in range(d))
    grid = wgf.Grid(tuple((0.0, draw(st.floats(0.5, 4.0))) for _ in range(d)), cells, boundary)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    diffusion = draw(st.floats(1e-3, 10.0))
    potential = diffusion * draw(st.floats(0.01, 50.0)) * rng.normal(size=cells)
    return grid, potential, diffusion, np.exp(rng.normal(size=cells))


@settings(max_examples=200, deadline=None)
@given(situations())
def test_generator_balances_in_detail_and_keeps_mass(situation):
    grid, potential, diffusion, _ = situation
    matrix = face_bonds(face_rates(potential, grid, diffusion), grid).generator(grid.size).toarray()
    scale = np.abs(matrix).max()
    off = matrix - np.diag(np.diag(matrix))
    assert off.min() >= 0
    assert np.abs(matrix.sum(axis=0)).max() <= 1e-14 * scale * grid.dimension
    # G_ij pi_j = G_ji pi_i, in logarithms since pi spans hundreds of decades
    i, j = np.nonzero((off > 1e-290) & (off.T > 1e-290))
    v = potential.ravel() / diffusion
    gap = np.log(off[i, j]) - v[j] - np.log(off[j, i]) + v[i]
    assert np.abs(gap).max(initial=0.0) <= 1e-12 * (1 + np.abs(v).max())


@settings(max_examples=200, deadline=None)
@given(situations())
def test_generator_has_a_real_nonpositive_spectrum_with_a_simple_zero(situation):
    grid, potential, diffusion, _ = situation
    rates = face_rates(np.clip(potential, -5 * diffusion, 5 * diffusion), grid, diffusion)
    matrix = face_bonds(rates, grid).generator(grid.size)
    weight = np.exp(np.clip(potential / diffusion, -5, 5).ravel() / 2)
    symmetric = weight[:, None] * matrix.toarray() / weight
    scale = np.abs(symmetric).max()
    np.testing.assert_allclose(symmetric, symmetric.T, rtol=0, atol=1e-12 * scale)
    values = np.linalg.eigvalsh(0.5 * (symmetric + symmetric.T))
    assert values[-1] <= 1e-12 * scale
    assert abs(values[-1]) <= 1e-12 * scale
    assert values[-2] < -1e-10 * scale


@settings(max_examples=200, deadline=None)
@given(situations())
def test_inflow_is_the_generator_applied_and_sums_to_zero(situation):
    grid, potential, diffusion, rho = situation
    rates = face_rates(potential, grid, diffusion)
    flow = inflow(face_fluxes(rho, rates, grid), grid)
    matrix = face_bonds(rates, grid).generator(grid.size)
    scale = np.abs(matrix).sum() * rho.max()
    np.testing.assert_allclose(flow.ravel(), matrix @ rho.ravel(), rtol=0, atol=1e-14 * scale)
    assert abs(flow.sum()) <= 1e-14 * scale


@settings(max_examples=200, deadline=None)
@given(situations())
def test_speed_equals_slope_for_the_schemes_own_flux_and_both_equal_the_energy_lost(situation):
    grid, potential, diffusion, rho = situation
    rates = face_rates(np.clip(potential, -20 * diffusion, 20 * diffusion), grid, diffusion)
    fluxes = face_fluxes(rho, rates, grid)
    passed = tuple(
        f if b == "periodic" else np.pad(f, [(0, int(k == axis)) for k in range(grid.dimension)])
        for axis, (f, b) in enumerate(zip(fluxes, grid.boundary, strict=True))
    )
    speed, slope = dissipation(rho, passed, rates, grid, diffusion)
    xi = diffusion * np.log(rho) + np.clip(potential, -20 * diffusion, 20 * diffusion)
    lost = -float((xi * inflow(fluxes, grid)).sum()) * grid.volume
    assert speed == pytest.approx(slope, rel=1e-9)
    assert slope == pytest.approx(lost, rel=1e-7, abs=1e-9 * float(np.abs(xi * inflow(fluxes, grid)).sum()))


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-12, 1e12), st.floats(-1e-3, 30.0))
def test_logarithmic_mean_is_the_integral_of_its_definition(a, log_ratio):
    b = a * np.exp(log_ratio)
    mean, log = logarithmic_mean(np.array([a]), np.array([b]))
    s, weight = np.polynomial.legendre.leggauss(40)
    integral = float(np.sum(0.5 * weight * a * np.exp(0.5 * (s + 1) * log_ratio)))
    assert mean[0] == pytest.approx(integral, rel=1e-12)
    assert log[0] == pytest.approx(-log_ratio, rel=1e-9, abs=1e-15)


def test_empty_cells_count_nothing_and_make_no_nan():
    grid = wgf.Grid((0, 1), 6)
    rates = face_rates(np.zeros(6), grid, 1.0)
    rho = np.array([0.0, 0.0, 0.0, 3.0, 3.0, 0.0])
    speed, slope = dissipation(rho, (np.array([0.0, 0.0, -1.0, 0.0, 1.0, 0.0]),), rates, grid, 1.0)
    assert np.isfinite(speed)
    assert np.isfinite(slope)
    assert slope > 0
