from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.schemes.internal_energy import InternalEnergy

ENERGIES = [
    wgf.entropy(),
    2 * wgf.entropy() + wgf.internal(2),
    wgf.internal(2),
    0.3 * wgf.internal(3),
    wgf.internal(0.6),
    wgf.internal(0.6) + wgf.internal(3),
    0.1 * wgf.entropy() + wgf.internal(2) + wgf.internal(3.5),
]
RHO = np.logspace(-12, 4, 400)


@pytest.mark.parametrize("energy", ENERGIES, ids=repr)
def test_the_inverse_undoes_the_derivative(energy):
    u = InternalEnergy.of(energy)
    np.testing.assert_allclose(u.inverse(u.derivative(RHO)), RHO, rtol=2e-14)


@pytest.mark.parametrize("energy", ENERGIES, ids=repr)
def test_each_derivative_is_the_complex_step_of_the_one_before(energy):
    u, step = InternalEnergy.of(energy), 1e-30

    def value(r):
        return sum(c * r**m / (m - 1) for c, m in u.powers) + u.diffusion * r * np.log(r)

    def slope(r):
        return sum(c * m / (m - 1) * r ** (m - 1) for c, m in u.powers) + u.diffusion * (np.log(r) + 1)

    np.testing.assert_allclose(u.value(RHO), value(RHO), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(u.derivative(RHO), value(RHO + 1j * step).imag / step, rtol=1e-12)
    np.testing.assert_allclose(u.second(RHO), slope(RHO + 1j * step).imag / step, rtol=1e-12)
    np.testing.assert_allclose(u.pressure(RHO), RHO * u.derivative(RHO) - u.value(RHO), rtol=1e-9, atol=1e-14)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ENERGIES), st.floats(-20, 20), st.floats(1e-6, 50))
def test_the_conjugate_bounds_every_density_and_is_reached(energy, p, rho):
    u = InternalEnergy.of(energy)
    if p > u.ceiling - 1e-3:
        return
    best, found = u.conjugate(np.array([p])), u.inverse(np.array([p]))
    scale = 1 + abs(float(best[0])) + abs(p) * rho
    assert float(p * rho - u.value(np.array(rho))) <= float(best[0]) + 1e-12 * scale
    np.testing.assert_allclose(p * found - u.value(found), best, rtol=1e-10, atol=1e-12 * scale)


@pytest.mark.parametrize("energy", ENERGIES, ids=repr)
def test_the_slope_of_the_inverse_is_its_difference_quotient(energy):
    u = InternalEnergy.of(energy)
    p = u.derivative(np.logspace(-3, 1, 50))
    step = 1e-5 * np.abs(p)
    quotient = (u.inverse(p + step) - u.inverse(p - step)) / (2 * step)
    np.testing.assert_allclose(u.slope(p), quotient, rtol=2e-4)


def test_empty_below_the_floor_and_infinite_from_the_ceiling_on():
    porous, fast = InternalEnergy.of(wgf.internal(2)), InternalEnergy.of(wgf.internal(0.6))
    assert porous.inverse(np.array([-1.0, 0.0])).tolist() == [0.0, 0.0]
    assert porous.slope(np.array([-1.0])).tolist() == [0.0]
    assert fast.inverse(np.array([0.0, 2.0])).tolist() == [np.inf, np.inf]
    assert InternalEnergy.of(wgf.potential(lambda x: (x**2).sum(-1))).trivial


def test_terms_of_one_power_are_one_term():
    assert InternalEnergy.of(wgf.internal(2) + 3 * wgf.internal(2)).powers == ((4.0, 2.0),)
