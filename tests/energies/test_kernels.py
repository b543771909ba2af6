"""Named interaction kernels: Green functions, force balance, and averages over the cell at the singularity."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import dblquad, quad

import wgf
from wgf.energies.kernels import Newtonian, PowerLaw, origin_average

KERNELS = [
    Newtonian(1),
    Newtonian(2, strength=-3.0),
    Newtonian(3),
    PowerLaw(4, 2),
    PowerLaw(2, 0),
    PowerLaw(0, -0.5),
]
CUBE_MEAN_OF_1_OVER_R = 2.3800773639760  # 24 arsinh(1/sqrt(2)) - 2 pi over 2: mean of 1/|z| on the unit cube


@pytest.mark.parametrize("W", KERNELS, ids=repr)
def test_a_gradient_is_the_derivative_of_its_kernel(W):
    d = getattr(W, "dimension", 2)
    z = np.array([0.7, -0.4, 0.9])[:d]
    for k, unit in enumerate(np.eye(d)):
        slope = (
            8 * (W(z + 1e-3 * unit) - W(z - 1e-3 * unit)) - (W(z + 2e-3 * unit) - W(z - 2e-3 * unit))
        ) / 12e-3
        assert_allclose(W.gradient(z)[k], slope, rtol=1e-9)
    assert_allclose(W.gradient(np.zeros(d)), 0, atol=0)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_flux_of_a_green_function_through_a_sphere_is_the_charge_inside(d):
    """-int grad W . n = strength around the origin, 0 around a ball that misses it: -Laplace W = delta."""
    strength, W = 1.7, Newtonian(d, strength=1.7)
    if d == 1:
        normals, area = np.array([[1.0], [-1.0]]), 2.0
    elif d == 2:
        angles = 2 * np.pi * np.arange(400) / 400
        normals, area = np.stack([np.cos(angles), np.sin(angles)], -1), 2 * np.pi
    else:
        nodes, weights = np.polynomial.legendre.leggauss(60)
        angles = 2 * np.pi * np.arange(80) / 80
        u, a = np.meshgrid(nodes, angles, indexing="ij")
        r = np.sqrt(1 - u**2)
        normals = np.stack([r * np.cos(a), r * np.sin(a), u], -1).reshape(-1, 3)
        share = np.repeat(weights / 2, 80) / 80
        area = 4 * np.pi
    share = np.full(len(normals), 1 / len(normals)) if d < 3 else share
    inside = -area * share @ (W.gradient(0.3 * np.eye(d)[0] + normals) * normals).sum(-1)
    outside = -area * share @ (W.gradient(2.5 * np.eye(d)[0] + normals) * normals).sum(-1)
    assert_allclose(inside, strength, rtol=1e-10)
    assert_allclose(outside, 0, atol=1e-10)


def test_the_average_of_the_logarithm_over_a_cell_is_its_integral():
    line, _ = quad(lambda x: np.log(x), 0, 0.15)
    assert_allclose(PowerLaw(2, 0).cell_average(np.array([0.3])), 0.3**2 / 24 - line / 0.15, rtol=1e-10)
    plane, _ = dblquad(lambda y, x: 0.5 * np.log(x**2 + y**2), 0, 0.15, 0, 0.25, epsabs=1e-10)
    found = Newtonian(2).cell_average(np.array([0.3, 0.5]))
    assert_allclose(found, -plane / (0.15 * 0.25) / (2 * np.pi), rtol=1e-7)
    general = origin_average(lambda z: 0.5 * np.log((z**2).sum(-1)), [0.3, 0.5])
    assert_allclose(general, -2 * np.pi * found, rtol=1e-10)


def test_the_average_of_1_over_r_over_a_cube_is_known():
    assert_allclose(Newtonian(3).cell_average(np.ones(3)), CUBE_MEAN_OF_1_OVER_R / (4 * np.pi), rtol=1e-9)


@pytest.mark.parametrize("a", [0.5, 0.9, 0.98])
def test_the_average_of_a_power_on_the_line_is_its_integral_up_to_the_edge_of_integrability(a):
    assert_allclose(origin_average(lambda z: (z**2).sum(-1) ** (-a / 2), [2.0]), 1 / (1 - a), rtol=1e-10)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_kernel_that_is_not_integrable_is_refused(d):
    with pytest.raises(ValueError, match="W must be integrable at 0"):
        origin_average(lambda z: (z**2).sum(-1) ** (-d / 2), [1.0] * d)


def test_a_power_law_must_attract_far_off():
    with pytest.raises(ValueError, match="a must be > b, got a = 2 and b = 4"):
        PowerLaw(2, 4)


def test_two_points_of_a_power_law_balance_at_distance_1():
    for W in (PowerLaw(4, 2), PowerLaw(2, 0), PowerLaw(1, -0.5)):
        assert_allclose(W.gradient(np.array([0.6, 0.8])), 0, atol=1e-15)


def test_a_ring_has_the_energy_of_the_formula():
    """1/2 iint W over the circle of radius R = 1/sqrt(3) is -1/12 for a = 4, b = 2; a radius 0.5 has more."""

    def energy(radius):
        angles = 2 * np.pi * np.arange(300) / 300
        cloud = wgf.Particles(radius * np.stack([np.cos(angles), np.sin(angles)], -1))
        return wgf.interaction(PowerLaw(4, 2)).value(cloud)

    assert_allclose(energy(3**-0.5), -1 / 12, rtol=1e-12)
    assert energy(0.5) > -1 / 12 + 1e-3


def test_named_kernels_are_values():
    assert Newtonian(2, strength=-1.0) == Newtonian(2, strength=-1.0)
    assert wgf.interaction(PowerLaw(4, 2)) == wgf.interaction(PowerLaw(4, 2))
    assert hash(wgf.interaction(PowerLaw(4, 2))) == hash(wgf.interaction(PowerLaw(4, 2)))
