"""Keller-Segel: the moment law from the flux itself, and the mass that decides."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from wgf.energies.kernels import Newtonian
from wgf.problems import keller_segel, keller_segel_blow_up_time, keller_segel_second_moment
from wgf.problems.keller_segel import CRITICAL_MASS


@pytest.mark.parametrize(("mass", "width"), [(5.0, 0.8), (8 * np.pi, 0.5), (40.0, 1.3)])
def test_the_second_moment_moves_as_the_flux_says(mass, width):
    """For a normalised Gaussian: d/dt int r^2 rho = int 2 x . flux, the attraction by the enclosed mass."""

    def flux(r):
        rho = np.exp(-(r**2) / (2 * width**2)) / (2 * np.pi * width**2)
        enclosed = 1 - np.exp(-(r**2) / (2 * width**2))
        return rho * r / width**2 - rho * mass * enclosed / (2 * np.pi * r)

    speed = quad(lambda r: 2 * r * flux(r) * 2 * np.pi * r, 0, 14 * width, epsabs=1e-13)[0]
    start = 2 * width**2
    law = keller_segel_second_moment(1.0, mass, start) - start
    assert_allclose(law, speed, rtol=0, atol=1e-11)


def test_the_kernel_is_the_potential_of_the_enclosed_mass():
    """grad (W * rho) of a Gaussian is M enclosed / (2 pi r): by the mean over a circle of sources."""
    mass, radius = 10.0, 0.7
    W = Newtonian(2, strength=-mass)
    angles = 2 * np.pi * np.arange(64) / 64
    circle = radius * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    outside, inside = np.array([1.9, 0.4]), np.array([0.1, -0.2])
    pull = W.gradient(outside - circle).mean(axis=0)
    assert_allclose(pull, mass / (2 * np.pi) * outside / (outside @ outside), rtol=1e-12)
    assert_allclose(W.gradient(inside - circle).mean(axis=0), 0, atol=1e-12)


def test_the_gradient_of_the_kernel_is_its_derivative(time_derivative):
    W, z = Newtonian(2, strength=-1.7), np.array([0.6, -0.8])
    for k, unit in enumerate(np.eye(2)):
        slope = time_derivative(lambda s, e=unit: W(z + s * e), 0.0, 0.01)
        assert_allclose(slope, W.gradient(z)[k], rtol=1e-10)
    assert_allclose(W.gradient(np.zeros(2)), 0, atol=0)


def test_the_particle_system_obeys_the_law_up_to_its_own_correction():
    """sum x . drift over n particles is exactly -M/(2 pi) (n-1)/(2n): the law with one self-pair less."""
    from wgf.measures import Particles

    n, mass = 300, 12.0
    problem = keller_segel(mass)
    x = problem.initial.sample(n, 0)
    ((coefficient, term),) = problem.energy.interactions
    velocity = coefficient * term.velocity(x, Particles(x).w)
    drift = 2 * (x * velocity).sum(-1).mean()
    assert_allclose(drift, -4 * mass / CRITICAL_MASS * (n - 1) / n, rtol=1e-10)


def test_blow_up_comes_when_the_second_moment_would_vanish():
    for mass in (30.0, 100.0):
        time = keller_segel_blow_up_time(mass, 0.7)
        assert_allclose(keller_segel_second_moment(time, mass, 0.7), 0, atol=1e-13)
    assert keller_segel_blow_up_time(CRITICAL_MASS, 0.7) == np.inf
    assert keller_segel_blow_up_time(3.0, 0.7) == np.inf


def test_the_critical_profile_carries_no_flux():
    r, scale = np.linspace(0.01, 20, 2000), 0.9
    rho = scale / np.pi / (scale + r**2) ** 2  # 8 scale / (scale + r^2)^2, normalised by 8 pi
    slope = -4 * scale * r / np.pi / (scale + r**2) ** 3
    enclosed = r**2 / (scale + r**2)
    assert np.abs(-slope - rho * CRITICAL_MASS * enclosed / (2 * np.pi * r)).max() < 1e-14


def test_the_box_holds_the_spreading_cells():
    problem = keller_segel(mass=1.0, cov=0.1)
    widest = keller_segel_second_moment(1.0, 1.0, 0.2)
    assert problem.bounds[0][1] >= 7 * np.sqrt(widest / 2) - 1e-12
    assert problem.exact is None


@pytest.mark.parametrize("mass", [0.0, -1.0, np.nan, np.inf])
def test_a_mass_that_is_none_is_refused_by_name(mass):
    with pytest.raises(ValueError, match="mass must"):
        keller_segel(mass)
    with pytest.raises(ValueError, match="mass must"):
        keller_segel_second_moment(1.0, mass, 1.0)
    with pytest.raises(ValueError, match="mass must"):
        keller_segel_blow_up_time(mass, 1.0)
