"""Double and tilted wells: the gap, the masses, and the reference against independent computations."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial.legendre import leggauss
from numpy.testing import assert_allclose
from scipy.integrate import quad
from scipy.special import iv

from wgf.measures import Density
from wgf.problems import double_well, spectral_gap, tilted_wells, well_masses
from wgf.problems.spectral import SpectralFlow


def _sine_rates(diffusion, barrier=1.0, tilt=0.0, reach=3.0, modes=160):
    """Another basis: sines for the symmetrised operator -D u'' + (V'^2/(4D) - V''/2) u, Dirichlet."""
    nodes, weights = leggauss(600)
    x, w = reach * nodes, reach * weights
    k = np.arange(1, modes + 1)
    sines = np.sin(np.outer(x + reach, k) * np.pi / (2 * reach)) / np.sqrt(reach)
    slope = 4 * barrier * x * (x**2 - 1) + tilt
    height = slope**2 / (4 * diffusion) - barrier * (6 * x**2 - 2)
    matrix = (sines * (w * height)[:, None]).T @ sines + np.diag(diffusion * (k * np.pi / (2 * reach)) ** 2)
    return np.linalg.eigvalsh(matrix)


@pytest.mark.parametrize(
    ("diffusion", "gap"), [(1.0, 0.748681672), (0.5, 0.2272733010), (0.25, 0.0297795933)]
)
def test_the_gap_has_its_published_digits(diffusion, gap):
    digits = 9 if diffusion == 1.0 else 10
    assert abs(spectral_gap(diffusion) - gap) < 0.51 * 10**-digits


@pytest.mark.parametrize(
    ("diffusion", "barrier", "tilt"), [(1.0, 1.0, 0.0), (0.6, 1.5, 0.4), (0.25, 1.0, -0.2)]
)
def test_the_gap_agrees_with_another_basis(diffusion, barrier, tilt):
    other = _sine_rates(diffusion, barrier, tilt)
    assert abs(other[0]) < 1e-9
    assert_allclose(spectral_gap(diffusion, barrier, tilt), other[1], rtol=0, atol=1e-9)


def test_a_small_gap_approaches_the_eyring_kramers_law():
    """Both wells leak: 2 sqrt(V''(1) |V''(0)|) / (2 pi) exp(-1/D), with a correction of order D."""
    for diffusion in (0.05, 0.04):
        law = np.sqrt(8 * 4) / np.pi * np.exp(-1 / diffusion)
        assert abs(spectral_gap(diffusion) / law - 1) < diffusion


def test_the_gap_scales_with_barrier_and_diffusion_together():
    assert_allclose(spectral_gap(1.0, 4.0), 2 * spectral_gap(0.5, 2.0), rtol=1e-10)


@pytest.mark.parametrize("problem", [double_well(), double_well(diffusion=0.3), tilted_wells()])
def test_the_reference_satisfies_the_equation_in_flux_form(problem, time_derivative):
    """d/dt of the mass left of x is D rho' + V' rho there."""
    x = np.linspace(-1.4, 1.4, 29)[:, None]
    for t in (0.1, 0.5):
        here = problem.exact(t)
        arriving = time_derivative(lambda s: problem.exact(s).cdf(x[:, 0]), t, 0.005)
        drift = problem.energy.potential_gradient(x)[:, 0]
        flux = here.pdf(x) * (problem.energy.diffusion * here.score(x)[:, 0] + drift)
        assert np.abs(flux).max() > 1e-2
        assert np.abs(arriving - flux).max() < 1e-8


@pytest.mark.parametrize("diffusion", [1.0, 0.5, 0.25])
def test_the_reference_does_not_depend_on_its_basis_nor_on_its_box(diffusion):
    problem = double_well(diffusion=diffusion)
    wide = tuple(1.02 * edge for edge in problem.bounds[0])
    other = SpectralFlow(lambda x: (x**2 - 1) ** 2, diffusion, wide, degree=200)
    x = np.linspace(*problem.bounds[0], 401)[:, None]
    start = problem.initial
    for t in (0.01, 0.1, 1.0, 10.0):
        gap = np.abs(problem.exact(t).pdf(x) - other.evolve(lambda y: start.pdf(y[..., None]), t).pdf(x))
        assert gap.max() < 1e-11


def test_the_reference_forgets_its_start_at_the_rate_of_the_gap():
    problem = double_well(diffusion=0.5)
    means = [problem.exact(t).mean()[0] for t in (5.0, 9.0)]
    assert_allclose(np.log(means[0] / means[1]) / 4.0, spectral_gap(0.5), rtol=1e-6)


def test_the_semigroup_property_holds():
    problem = double_well()
    middle = problem.exact(0.3)
    flow = SpectralFlow(lambda x: (x**2 - 1) ** 2, 1.0, problem.bounds[0], degree=200)
    x = np.linspace(-2, 2, 101)[:, None]
    stepped = flow.evolve(lambda y: middle.pdf(y[..., None]), 0.4)
    assert np.abs(stepped.pdf(x) - problem.exact(0.7).pdf(x)).max() < 1e-11


def test_the_equilibrium_has_its_closed_normalisation():
    z = np.pi / 2 * np.exp(-0.5) * (iv(-0.25, 0.5) + iv(0.25, 0.5))
    assert_allclose(z, 1.97373215008982, rtol=1e-14)
    late = double_well().exact(60.0)
    x = np.array([[0.0], [0.7], [1.5]])
    assert_allclose(late.pdf(x), np.exp(-((x[:, 0] ** 2 - 1) ** 2)) / z, rtol=1e-10)


def test_the_tilt_enters_the_energy_and_the_reference_alike():
    problem = tilted_wells(2, barrier=1.3, tilt=0.4, diffusion=0.6, stiffness=3.0)
    x = np.array([[0.3, -0.2], [1.5, 0.7]])
    expected = 1.3 * (x[:, 0] ** 2 - 1) ** 2 + 0.4 * x[:, 0] + 1.5 * x[:, 1] ** 2
    assert_allclose(problem.energy.potential_value(x), expected, rtol=1e-13)
    late = problem.exact(100.0)
    assert_allclose(np.diff(late.log_density(x)), -np.diff(expected) / 0.6, rtol=1e-8)
    below = late.line.cdf(np.sort(np.roots([5.2, 0, -5.2, 0.4]).real)[1])
    assert_allclose(below, well_masses(1.3, 0.4, 0.6)[0], rtol=1e-9)


@pytest.mark.parametrize("tilt", [0.0, 0.25, -0.7])
def test_the_well_masses_are_the_integrals_of_the_gibbs_density(tilt):
    left, right = well_masses(1.3, tilt, 0.5)
    top = np.sort(np.roots([5.2, 0, -5.2, tilt]).real)[1]

    def weight(x):
        return np.exp(-(1.3 * (x**2 - 1) ** 2 + tilt * x) / 0.5)

    below, above = quad(weight, -4, top, epsabs=1e-14)[0], quad(weight, top, 4, epsabs=1e-14)[0]
    assert_allclose(left, below / (below + above), rtol=1e-11)
    assert_allclose(left + right, 1, rtol=1e-15)
    assert left > right if tilt > 0 else left <= right + 1e-12


def test_the_plane_is_the_product_with_an_ornstein_uhlenbeck_flow(pde_residual):
    problem = double_well(dimension=2)

    def flux(x, t):
        here = problem.exact(t)
        return here.pdf(x)[:, None] * (here.score(x) + problem.energy.potential_gradient(x))

    x = np.random.default_rng(1).uniform([-1.3, -0.8], [1.3, 1.0], size=(40, 2))
    assert pde_residual(problem.exact, flux, x, 0.3, 0.01, 0.005) < 1e-6
    line = double_well().exact(0.3)
    assert_allclose(problem.exact(0.3).mean(), [line.mean()[0], 0.5 * np.exp(-1.2)], rtol=1e-11)
    assert_allclose(problem.exact(0.3).cov()[1, 1], 0.25 - 0.15 * np.exp(-2.4), rtol=1e-13)
    sample = problem.exact(0.3).sample(40_000, 0)
    # six standard errors: a false alarm below 1e-8 per number
    assert np.abs(sample.mean(axis=0) - problem.exact(0.3).mean()).max() < 6 * 0.8 / 200


def test_cell_averages_of_the_reference_hold_its_mass():
    problem = double_well()
    for t in (0.0, 0.2, 2.0):
        assert abs(Density.from_measure(problem.exact(t), problem.grid(200)).mass - 1) < 1e-9


def test_a_wider_box_of_the_users_leaves_the_reference_alone():
    x = np.linspace(-2, 2, 41)[:, None]
    usual, wide = double_well().exact(0.4), double_well(bounds=(-4, 4)).exact(0.4)
    assert np.abs(usual.pdf(x) - wide.pdf(x)).max() < 1e-13
    assert double_well(bounds=(-4, 4)).bounds == ((-4.0, 4.0),)


def test_no_reference_is_claimed_where_ten_digits_are_out_of_reach():
    assert double_well(cov=1e-6).exact is None
    assert double_well(cov=2.0).exact is None
    assert double_well(dimension=2, cov=[[0.05, 0.02], [0.02, 0.1]]).exact is None


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: double_well(barrier=0.0), "barrier must"),
        (lambda: double_well(diffusion=np.nan), "diffusion must"),
        (lambda: double_well(stiffness=-1.0), "stiffness must"),
        (lambda: double_well(dimension=2, mean=[0.0, 0.0, 0.0]), "mean must"),
        (lambda: tilted_wells(tilt=np.inf), "tilt must"),
        (lambda: well_masses(tilt=1.6), "tilt must"),
        (lambda: spectral_gap(diffusion=0.001), "diffusion must"),
        (lambda: spectral_gap(diffusion=-1.0), "diffusion must"),
    ],
)
def test_bad_settings_are_refused_by_name(call, word):
    with pytest.raises(ValueError, match=word):
        call()
