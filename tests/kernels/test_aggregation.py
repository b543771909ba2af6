"""Aggregation-diffusion fluxes: the compiled form against the reference, the reference against its facts."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.kernels.aggregation import aggregation_flux, excess, face_ratios
from wgf.kernels.registry import jit_disabled

compiled = pytest.mark.skipif(jit_disabled(), reason="numba is switched off: only the reference runs")
SHAPES = ((7,), (2,), (3,), (5, 3), (6, 9), (4, 3, 5), (2, 2, 2))
H = 0.3


def data(shape, seed=0, sparse=True):
    rng = np.random.default_rng(seed)
    rho = rng.random(shape) * (rng.random(shape) > 0.3 if sparse else 1.0)
    return rho, 3 * rng.normal(size=shape), rng.normal(size=shape)


def run(kernel, rho, zeta, lift, diffusion, axis, periodic, limited):
    out = [np.full(rho.shape, 7.0), np.zeros(rho.shape), np.zeros(rho.shape)]
    kernel(rho, zeta, lift, diffusion, H, axis, periodic, limited, *out)
    return out


@compiled
@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("diffusion", [0.0, 0.05, 4.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_compiled_form_agrees_with_the_reference(shape, diffusion, periodic, limited):
    rho, zeta, lift = data(shape)
    lift.flat[1] = np.inf
    for axis in range(len(shape)):
        for given in (np.zeros(0), lift):
            arguments = (rho, zeta, given, diffusion, axis, periodic, limited)
            for found, expected in zip(
                run(aggregation_flux, *arguments), run(aggregation_flux.reference, *arguments), strict=True
            ):
                np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-11)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("diffusion", [0.0, 0.7])
def test_a_flux_runs_down_the_first_variation(diffusion, limited):
    """F (xi_{i+1} - xi_i) <= 0 on every face, whatever the data: that is the decay of the energy."""
    rho, zeta, _ = data((400,), seed=1, sparse=False)
    flux, _, _ = run(aggregation_flux.reference, rho, zeta, np.zeros(0), diffusion, 0, True, limited)
    xi = zeta + diffusion * np.log(rho)
    assert (flux * (np.roll(xi, -1) - xi)).max() <= 0.0
    assert np.abs(flux).max() > 1.0


@pytest.mark.parametrize("limited", [False, True])
def test_a_flux_vanishes_where_the_first_variation_is_constant(limited):
    _, zeta, _ = data((50,), seed=2)
    rho = np.exp(-zeta / 0.7)
    flux, _, _ = run(aggregation_flux.reference, rho, zeta, np.zeros(0), 0.7, 0, True, limited)
    size = np.maximum(rho, np.roll(rho, -1)) * (1 + np.abs(zeta - np.roll(zeta, -1))) / H**2
    assert np.abs(flux / size).max() < 1e-13
    control, _, _ = run(
        aggregation_flux.reference, 1.001 * rho**0.999, zeta, np.zeros(0), 0.7, 0, True, limited
    )
    assert np.abs(control / size).max() > 1e-5


def test_small_diffusion_becomes_the_upwind_flux():
    rho, zeta, _ = data((60,), seed=3, sparse=False)
    for limited in (False, True):
        none = run(aggregation_flux.reference, rho, zeta, np.zeros(0), 0.0, 0, True, limited)[0]
        little = run(aggregation_flux.reference, rho, zeta, np.zeros(0), 1e-9, 0, True, limited)[0]
        np.testing.assert_allclose(little, none, rtol=1e-6, atol=1e-6)


def test_what_leaves_a_cell_is_in_it():
    """inflow >= -leaving * rho: with steps below 1/leaving an Euler step keeps every cell nonnegative."""
    for diffusion in (0.0, 0.3):
        rho, zeta, _ = data((9, 8), seed=4)
        for axis in (0, 1):
            _, inflow, leaving = run(
                aggregation_flux.reference, rho, zeta, np.zeros(0), diffusion, axis, False, True
            )
            assert (inflow + leaving * rho >= -1e-12).all()
            assert abs(inflow.sum()) < 1e-11


def test_ratios_stay_between_a_half_and_three_halves():
    rho, zeta, _ = data((200,), seed=5)
    p, q = face_ratios(rho, zeta, 0.0, 0, True)
    for ratio in (p, q):
        assert ratio.min() >= 0.5
        assert ratio.max() <= 1.5
    np.testing.assert_array_equal(p[rho == 0], 1.0)
    assert np.ptp(p) > 0.5


def test_the_excess_is_that_of_the_scharfetter_gummel_flux():
    """chi = coth(|z|/2) - 2/|z|: |z|/6 for small z, 1 for large ones, 1 without diffusion."""
    z = np.array([1e-9, 1e-3, -0.4, 0.6, -3.0, 40.0, -4000.0])
    size = np.abs(z[1:])
    expected = 1 / np.tanh(size / 2) - 2 / size
    np.testing.assert_allclose(excess(0.5 * z, 0.5)[1:], expected, rtol=1e-9)
    assert abs(excess(z, 1.0)[0]) < 1e-6
    np.testing.assert_array_equal(excess(z, 0.0), 1.0)
    np.testing.assert_array_equal(excess(np.array([0.0, np.inf, np.nan]), 1.0), [0.0, 1.0, 1.0])
