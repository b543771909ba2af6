"""The ring: the radial reference against the equation in the plane, and the equilibrium's closed form."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import quad

from wgf.problems import ring, ring_equilibrium, ring_least_energy


def test_the_reference_satisfies_the_equation_in_the_plane(pde_residual):
    problem = ring(radius=1.1, stiffness=3.0, diffusion=0.3, cov=0.08)

    def flux(x, t):
        here = problem.exact(t)
        return here.pdf(x)[:, None] * (0.3 * here.score(x) + problem.energy.potential_gradient(x))

    x = np.random.default_rng(2).uniform(-1.0, 1.0, size=(50, 2))
    for t in (0.1, 0.4):
        assert pde_residual(problem.exact, flux, x, t, 0.01, 0.005) < 1e-6


def test_the_reference_ends_in_the_gibbs_measure():
    late, rest = ring().exact(80.0), ring_equilibrium()
    x = np.array([[0.0, 0.0], [0.6, 0.8], [1.3, 0.2]])
    assert_allclose(late.pdf(x), rest.pdf(x), rtol=1e-9)
    z = quad(lambda r: 2 * np.pi * r * np.exp(-((r**2 - 1) ** 2) / 0.2), 0, 4, epsabs=1e-14)[0]
    assert_allclose(rest.pdf(x), np.exp(-(((x**2).sum(-1) - 1) ** 2) / 0.2) / z, rtol=1e-11)


@pytest.mark.parametrize(
    ("radius", "stiffness", "diffusion"), [(1.0, 4.0, 0.2), (0.3, 1.0, 1.0), (2.0, 5.0, 0.1)]
)
def test_the_least_energy_is_minus_d_log_z(radius, stiffness, diffusion):
    def weight(r):
        return 2 * np.pi * r * np.exp(-stiffness * (r**2 - radius**2) ** 2 / (4 * diffusion))

    z = (
        quad(weight, 0, radius, epsabs=1e-14)[0]
        + quad(weight, radius, radius + 6, epsabs=1e-14, limit=200)[0]
    )
    assert_allclose(ring_least_energy(radius, stiffness, diffusion), -diffusion * np.log(z), rtol=1e-9)


def test_the_covariance_is_half_the_mean_square_radius():
    def weight(r, power):
        return r ** (1 + power) * np.exp(-((r**2 - 1) ** 2) / 0.2)

    mass, square = (quad(weight, 0, 4, args=(power,), epsabs=1e-14)[0] for power in (0, 2))
    assert_allclose(ring_equilibrium().cov(), square / mass / 2 * np.eye(2), rtol=1e-10)


def test_the_start_is_the_gaussian_of_the_problem():
    problem = ring()
    x = np.array([[0.0, 0.0], [0.2, -0.3]])
    assert_allclose(problem.exact(0.0).pdf(x), problem.initial.pdf(x), rtol=1e-11)


def test_samples_lie_evenly_around_the_ring():
    """Six standard errors of mean and of half the mean square radius: false alarm below 1e-8 each."""
    rest = ring_equilibrium()
    x = rest.sample(40_000, 0)
    assert np.abs(x.mean(axis=0)).max() < 6 * np.sqrt(rest.cov()[0, 0] / 40_000)
    squares = (x**2).sum(-1)
    assert abs(squares.mean() / 2 - rest.cov()[0, 0]) < 6 * squares.std() / 2 / 200


def test_no_reference_is_claimed_without_symmetry_or_digits():
    assert ring(mean=[0.5, 0.0]).exact is None
    assert ring(cov=[0.05, 0.06]).exact is None
    assert ring(cov=3.0).exact is None


def test_the_box_holds_the_ring_and_the_start():
    problem = ring(mean=[2.0, 0.0], cov=0.2)
    (low, high), (left, right) = problem.bounds
    assert low < -1.5
    assert high >= 2.0 + 6.9 * np.sqrt(0.2)
    assert left == -right


@pytest.mark.parametrize("name", ["radius", "stiffness", "diffusion"])
@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf])
def test_bad_settings_are_refused_by_name(name, value):
    for function in (ring, ring_equilibrium, ring_least_energy):
        with pytest.raises(ValueError, match=f"{name} must"):
            function(**{name: value})
