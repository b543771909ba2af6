"""The spectral scheme: ten digits against closed forms and other people's bases, or a refusal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import wgf
from validation import references
from validation.finite_volumes import torus_potential, torus_slope, torus_start
from wgf.errors import ConvergenceError
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.spectral import SpectralFokkerPlanck
from wgf.schemes.grid.spectral.axis import Polynomials, Trigonometric, in_cells, quadrature
from wgf.schemes.grid.spectral.flow import gram_matrix

A2 = np.array([[1.5, 0.5], [0.5, 1.0]])
A3 = np.array([[1.2, 0.1, 0.0], [0.1, 1.0, 0.05], [0.0, 0.05, 0.9]])


def quadratic(A):
    return lambda x: 0.5 * ((x @ A) * x).sum(-1)


def well(x):
    return ((x**2 - 1) ** 2).sum(-1)


def ornstein_uhlenbeck(A, mean, cov, box):
    energy = wgf.entropy() + wgf.potential(quadratic(np.asarray(A)))
    return wgf.Problem(energy, initial=wgf.Gaussian(mean, cov), bounds=[(-box, box)] * len(A))


def final(problem, t, steps=1, **settings):
    run = wgf.solve(problem, SpectralFokkerPlanck(**settings), t_end=t, dt=t / steps)
    assert abs(run.final.mass - 1) <= 1e-13
    return run.final


def l1(measure, exact):
    return float(np.abs(measure.values - exact).sum() * measure.grid.volume)


def gaussian_error(A, mean, cov, box, t=0.5, cells=48, nodes=8, **settings):
    A, mean = np.asarray(A), np.asarray(mean)
    problem = ornstein_uhlenbeck(A, mean, cov, box)
    found = final(problem, t, cells=cells, **settings)
    moments = references.ou_moments(A, mean, problem.initial.cov(), t)
    exact = references.cell_average(references.gaussian_pdf(*moments), found.grid.axes, nodes=nodes)
    return l1(found, exact)


# --------------------------------------------------------------------------------- against the truth


@pytest.mark.parametrize("mean", [0.0, 1.5])
def test_a_gaussian_on_the_line_to_rounding(mean):
    assert gaussian_error([[1.0]], [mean], 0.25, 8.0, cells=100) < 1e-13


def test_a_gaussian_in_a_separable_plane_and_space_to_rounding():
    assert gaussian_error(np.diag([1.0, 2.0]), [1.0, -0.5], 0.25, 7.0) < 1e-12
    A = np.diag([1.0, 1.5, 1.2])
    assert gaussian_error(A, [0.3, -0.2, 0.1], 0.6, 7.5, cells=16, modes=36, nodes=8, tol=1e-7) < 1e-10


def test_a_gaussian_in_a_coupled_plane_and_space():
    assert gaussian_error(A2, [0.5, -0.3], 0.8, 7.0, cells=64, modes=32, t=1.0, tol=1e-6) < 1e-9
    cov = np.linalg.inv(A3)
    shifted = gaussian_error(A3, [0.2, 0.0, -0.1], cov, 8.0, cells=24, modes=14, nodes=6, tol=1e-6)
    assert shifted < 1e-7


def test_a_diffusion_off_by_a_thousandth_is_noticed():
    """The negative control of all errors above."""
    A, mean = np.eye(1), np.array([1.5])
    energy = 1.001 * wgf.entropy() + wgf.potential(quadratic(A))
    found = final(wgf.Problem(energy, initial=wgf.Gaussian(mean, 0.25), bounds=(-8, 8)), 0.5, cells=100)
    moments = references.ou_moments(A, mean, 0.25 * np.eye(1), 0.5)
    exact = references.cell_average(references.gaussian_pdf(*moments), found.grid.axes, nodes=8)
    assert l1(found, exact) > 1e-4


def test_the_double_well_agrees_with_a_sine_basis():
    """Another basis, another boundary condition at +-4, another assembly."""
    initial = wgf.Gaussian(-0.6, 0.05)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(well), initial=initial, bounds=(-3.0, 3.0))
    for t in (0.05, 1.0):
        density = references.well().solve(lambda x: initial.pdf(x[:, None]), t)
        exact = references.line_averages(density, -3.0, 3.0, 128)
        assert l1(final(problem, t, cells=128), exact) < 1e-11


class Smooth:
    """A measure of a box by its density alone."""

    def __init__(self, density, d):
        self.density, self.dimension = density, d

    def pdf(self, x):
        return self.density(x)

    def mean(self):
        return np.full(self.dimension, 0.5)

    def cov(self):
        return 0.08 * np.eye(self.dimension)

    def sample(self, n, rng):
        return np.random.default_rng(rng).random((n, self.dimension))


def test_a_periodic_line_agrees_with_fourier_collocation():
    initial = Smooth(lambda x: torus_start(x[..., 0]), 1)
    energy = wgf.entropy() + wgf.potential(torus_potential)
    problem = wgf.Problem(energy, initial=initial, bounds=(0.0, 1.0), boundary="periodic")
    exact = references.torus_averages(torus_slope, torus_start, 0.02, 32)
    assert l1(final(problem, 0.02, cells=32), exact) < 1e-11


def test_free_diffusion_between_walls_is_a_cosine_series():
    problem = wgf.Problem(
        0.7 * wgf.entropy(),
        initial=Smooth(lambda x: 1 + 0.5 * np.cos(np.pi * x[..., 0]), 1),
        bounds=(0.0, 1.0),
    )
    found = final(problem, 0.1, cells=20)
    x = found.grid.axes[0]
    average = np.sinc(0.5 / 20) * np.cos(np.pi * x)
    assert_allclose(found.values, 1 + 0.5 * np.exp(-0.07 * np.pi**2) * average, rtol=0, atol=1e-12)


@pytest.mark.parametrize("boundary", ["noflux", "periodic", ("periodic", "noflux")])
def test_finite_volumes_converge_to_it_in_the_plane_whatever_the_walls(boundary):
    """A coupled V with density at the walls: order 2 of one method towards the other, 4.0 per halving."""

    def V(x):
        return 0.5 * np.cos(2 * np.pi * x[..., 0]) * np.cos(2 * np.pi * x[..., 1]) + 0.2 * np.sin(
            2 * np.pi * x[..., 0]
        )

    def start(x):
        return 1 + 0.3 * np.cos(2 * np.pi * x[..., 0]) * np.cos(4 * np.pi * x[..., 1])

    problem = wgf.Problem(
        0.5 * wgf.entropy() + wgf.potential(V),
        initial=Smooth(start, 2),
        bounds=[(0.0, 1.0)] * 2,
        boundary=boundary,
    )
    exact, errors = final(problem, 0.02, cells=32, modes=50, tol=1e-8), []
    for n in (32, 64):
        run = wgf.solve(problem, FokkerPlanck(cells=n), t_end=0.02, dt=0.08 / n)
        found = run.final.values.reshape(32, n // 32, 32, n // 32).mean((1, 3))
        errors.append(np.abs(found - exact.values).mean())
    assert errors[0] < 5e-3
    assert_allclose(errors[0] / errors[1], 4.0, rtol=0.2)


# ------------------------------------------------------------------------------------- what it keeps


def test_time_is_exact_and_so_independent_of_dt():
    problem = ornstein_uhlenbeck(np.eye(1), [0.8], 0.5, 8.0)
    once, often = (final(problem, 0.7, steps, cells=64).values for steps in (1, 50))
    assert_allclose(often, once, rtol=0, atol=1e-14)


@pytest.mark.parametrize("A", [[[1.3]], A2])
def test_the_equilibrium_is_at_rest_for_ever(A):
    A = np.asarray(A)
    problem = ornstein_uhlenbeck(A, np.zeros(len(A)), np.linalg.inv(A), 8.0)
    run = wgf.solve(problem, SpectralFokkerPlanck(cells=40, modes=40), t_end=1000.0, dt=500.0)
    assert_allclose(run.final.values, run.measures[0].values, rtol=0, atol=1e-12)


def test_rates_are_the_sums_of_the_curvatures():
    for A, modes, count in (([[1.7]], 60, 12), (np.diag([1.0, 1.6]), 40, 12), (A2, 40, 6)):
        A = np.asarray(A)
        problem = ornstein_uhlenbeck(A, np.zeros(len(A)), np.linalg.inv(A), 9.0)
        scheme = SpectralFokkerPlanck(cells=32, modes=modes)
        own = np.linalg.eigvalsh(A)
        counts = np.stack(np.meshgrid(*[np.arange(20)] * len(A)), axis=-1)
        exact = np.sort((counts * own).sum(-1).ravel())[:count]
        found = np.sort(scheme._start(problem).flow.rates.ravel())[:count]
        assert_allclose(found, exact, rtol=0, atol=1e-8)


@pytest.mark.parametrize(("D", "gap"), [(1.0, 0.748681672), (0.5, 0.2272733010), (0.25, 0.0297795933)])
def test_gaps_of_the_double_well(D, gap):
    problem = wgf.Problem(
        D * wgf.entropy() + wgf.potential(well), initial=wgf.Gaussian(-0.9, 0.05 * D), bounds=(-3.0, 3.0)
    )
    found = SpectralFokkerPlanck(modes=160)._start(problem).flow.rates
    assert_allclose(found[1], gap, rtol=0, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.3, 3.0),
    st.floats(-0.8, 0.8),
    st.floats(0.35, 0.95),
    st.floats(0.01, 2.0),
    st.floats(0.2, 3.0),
)
def test_any_gaussian_under_any_parabola(curvature, shift, share, t, D):
    """Mean and variance within 1e-10 of the law's, negative values at rounding, mass exact."""
    width = np.sqrt(D / curvature)
    energy = D * wgf.entropy() + wgf.potential(lambda x: 0.5 * curvature * (x**2).sum(-1))
    start = wgf.Gaussian(shift * width, share * width**2)
    problem = wgf.Problem(energy, initial=start, bounds=(-9 * width, 9 * width))
    found = final(problem, t, cells=90)
    decay = np.exp(-curvature * t)
    variance = width**2 * (1 - decay**2) + share * width**2 * decay**2
    assert_allclose(found.mean()[0], shift * width * decay, rtol=0, atol=1e-10 * width)
    # A cell adds its own h^2/12, which cell averages of a smooth density do not have: twice that.
    assert_allclose(
        found.cov()[0, 0] - found.grid.spacing[0] ** 2 / 6, variance, rtol=0, atol=1e-10 * width**2
    )
    assert found.values.min() >= -1e-12 * found.values.max()


def entropy_of(A, mean, cov):
    """E of a Gaussian for V = x.Ax/2 and D = 1."""
    logarithm = np.linalg.slogdet(2 * np.pi * np.e * cov)[1]
    return -0.5 * logarithm + 0.5 * (mean @ A @ mean + np.trace(A @ cov))


@pytest.mark.parametrize("A", [np.eye(1), np.diag([1.0, 2.0]), A2])
def test_energy_and_dissipation_are_those_of_the_exact_flow(A):
    """The energies of both ends in closed form; De Giorgi's functional 0, falling as dt^8."""
    mean, cov = np.full(len(A), 0.4), 0.7 * np.linalg.inv(A)
    problem, defects = ornstein_uhlenbeck(A, mean, cov, 9.0), []
    scheme = SpectralFokkerPlanck(cells=32, modes=50, tol=2e-6)
    for dt in (0.4, 0.2):
        run = wgf.solve(problem, scheme, t_end=0.8, dt=dt, record=["energy", "dissipation"])
        defects.append(abs(run.dissipation_defect()))
    assert_allclose(run.record["energy"][0], entropy_of(A, mean, cov), rtol=0, atol=1e-10)
    end = entropy_of(A, *references.ou_moments(A, mean, cov, 0.8))
    assert_allclose(run.record["energy"][-1], end, rtol=0, atol=1e-10)
    assert run.record["energy"][-1] < run.record["energy"][0] - 0.05
    assert defects[0] < 1e-5
    assert defects[1] < max(defects[0] / 50, 1e-11)


# --------------------------------------------------------------------------------------- what it refuses


def solve(problem, **settings):
    return wgf.solve(problem, SpectralFokkerPlanck(**settings), t_end=0.1, dt=0.1)


def test_too_few_modes_are_refused_with_the_size_of_what_they_leave_out():
    problem = ornstein_uhlenbeck(np.eye(1), [1.5], 0.25, 8.0)
    with pytest.raises(ConvergenceError, match=r"30 modes per axis resolve .* in L1, and tol is 1e-09"):
        solve(problem, modes=30)
    assert solve(problem, modes=120).status == "finished"


@pytest.mark.parametrize(
    "initial",
    [
        wgf.Gaussian(0.0, 4.0),  # wider than pi: rho^2/pi grows to the walls
        wgf.Gaussian(0.0, 1e-4),  # far narrower than 320 polynomials can follow
        wgf.measures.Uniform((-1.0, 1.0)),  # a jump
        wgf.Gaussian(9.0, 0.5),  # nine standard deviations out
    ],
)
def test_what_no_number_of_modes_resolves_is_refused(initial):
    energy = wgf.entropy() + wgf.potential(quadratic(np.eye(1)))
    with pytest.raises(ConvergenceError, match="resolve|negative"):
        solve(wgf.Problem(energy, initial=initial, bounds=(-13.0, 13.0)))


def test_a_kink_in_v_is_found_out_at_a_small_tolerance_and_allowed_at_a_large_one():
    energy = wgf.entropy() + wgf.potential(lambda x: 2 * np.abs(x[..., 0] - 0.1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(0.0, 0.3), bounds=(-6.0, 6.0))
    with pytest.raises(ConvergenceError):
        solve(problem, modes=40)


def test_a_tail_below_zero_is_refused_not_clipped():
    """40 modes leave 4e-4 of a narrow start; with a tolerance that lets it pass the sign gives it away."""
    problem = ornstein_uhlenbeck(np.eye(1), [1.5], 0.25, 8.0)
    with pytest.raises(ConvergenceError, match="the series of the density is negative at the start"):
        solve(problem, modes=40, tol=1e-2)


def test_problems_without_a_spectral_form_here_are_refused_in_a_sentence():
    scheme, initial, box = SpectralFokkerPlanck(cells=16), wgf.Gaussian(0, 1), (-6.0, 6.0)
    moving = wgf.potential(lambda x, t: ((x - t) ** 2).sum(-1))
    obstacle = wgf.potential(lambda x: np.where(np.abs(x[..., 0]) > 5.0, np.inf, 0.0))
    for energy, words in (
        (wgf.entropy() + moving, "does not depend on time"),
        (wgf.entropy() + obstacle, "V is infinite somewhere"),
        (wgf.internal(2), "it takes entropy, potential terms"),
        (wgf.potential(well), "coefficient > 0"),
    ):
        reason = scheme.supports(wgf.Problem(energy, initial=initial, bounds=box))
        assert reason is not None
        assert words in reason
    assert "needs a box" in (scheme.supports(wgf.Problem(wgf.entropy(), initial=initial)) or "")
    cloud = wgf.Problem(wgf.entropy(), initial=wgf.Particles([[0.0], [1.0]]), bounds=box)
    assert "with a density" in (scheme.supports(cloud) or "")
    plane = ornstein_uhlenbeck(A2, [0.0, 0.0], 1.0, 6.0)
    assert "at most 80 modes" in (SpectralFokkerPlanck(cells=8, modes=90).supports(plane) or "")
    assert "modes for 3 axes" in (SpectralFokkerPlanck(cells=8, modes=(9, 9, 9)).supports(plane) or "")
    assert (
        SpectralFokkerPlanck(cells=8, modes=90).supports(ornstein_uhlenbeck(np.eye(2), [0, 0], 1.0, 6.0))
        is None
    )


def test_a_coupling_that_vanishes_at_every_cell_centre_is_seen():
    def V(x):
        return 0.5 * (x**2).sum(-1) + 0.1 * np.sin(4 * np.pi * x[..., 0]) * np.sin(4 * np.pi * x[..., 1])

    initial = wgf.Gaussian([0.0, 0.0], 1.0)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(V), initial=initial, bounds=[(-4.0, 4.0)] * 2)
    centres = V(problem.grid(16).centers) - 0.5 * (problem.grid(16).centers ** 2).sum(-1)
    assert np.abs(centres).max() < 1e-12
    assert not SpectralFokkerPlanck(cells=16)._product(problem)


# ----------------------------------------------------------------------------------------- the parts


@pytest.mark.parametrize("periodic", [False, True])
def test_axis_functions_are_orthonormal_and_agree_with_themselves_elsewhere(periodic):
    nodes, weights = quadrature(-1.0, 2.0, 200, periodic)
    V = np.cos(2 * np.pi * nodes / 3)
    root = np.sqrt(weights * np.exp(-V))
    basis = Trigonometric(nodes, root, 20, (-1.0, 2.0)) if periodic else Polynomials(nodes, root, 20)
    assert_allclose(basis.values @ basis.values.T, np.eye(21), rtol=0, atol=1e-13)
    assert_allclose(basis.at(nodes, root), basis.values, rtol=0, atol=1e-12)
    step = 1e-6
    slopes = (basis.at(nodes + step, root) - basis.at(nodes - step, root)) / (2 * step)
    assert_allclose(basis.slopes, slopes, rtol=0, atol=1e-7 * np.abs(basis.slopes).max())
    assert np.ptp(basis.at(nodes, np.ones(nodes.size))[0]) < 1e-12


def test_cells_are_averaged_by_gauss_rules():
    points, share = in_cells(0.0, 1.0, 4, 5)
    averages = (points**9).reshape(4, 5) @ share
    edges = np.linspace(0, 1, 5)
    assert_allclose(averages, np.diff(edges**10) / 10 * 4, rtol=1e-14)


@pytest.mark.parametrize("d", [2, 3])
def test_the_gram_matrix_is_the_sum_it_says(d):
    rng = np.random.default_rng(1)
    sizes, degrees = (7, 6, 5)[:d], (3, 4, 2)[:d]
    weight = rng.normal(size=sizes)
    left, right = ([rng.normal(size=(n, q)) for n, q in zip(degrees, sizes, strict=True)] for _ in range(2))
    chosen = tuple(np.argwhere(rng.random(degrees) < 0.6).T)
    letters = "xyz"[:d]
    full_left, full_right = (
        np.einsum(
            ",".join(a + b for a, b in zip("abc", letters, strict=False)) + f"->{'abc'[:d]}{letters}", *f
        )[chosen].reshape(len(chosen[0]), -1)
        for f in (left, right)
    )
    expected = (full_left * weight.ravel()) @ full_right.T
    assert_allclose(gram_matrix(weight, left, right, chosen), expected, rtol=0, atol=1e-12)


def test_an_equilibrium_narrower_than_the_nodes_is_refused_without_warnings() -> None:
    energy = 1e-6 * wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-6, 6))
    with pytest.raises(ConvergenceError, match="use FokkerPlanck"):
        wgf.solve(problem, SpectralFokkerPlanck(), t_end=0.1, dt=0.1)
