"""Weighted Poisson: closed-form potentials, identities that hold exactly on any grid, huge ranges of density.

Errors are those of the face gradients in the norm weighted by the density. Every closed form below fails when
its potential is perturbed by a thousandth (`test_a_perturbed_truth_is_noticed`).
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.polynomial import hermite_e
from numpy.testing import assert_allclose

from validation.orders.weighted_poisson import EYE, MovingMixture, filtering, gradient_error, straight
from wgf.measures import Density, Grid
from wgf.transport.weighted_poisson import WeightedPoisson

FACES = ("geometric", "arithmetic", "harmonic")


def solved(grid, density, source, face="geometric"):
    """The solution for functions of (..., d)."""
    return WeightedPoisson(Density(grid, density(grid.centers)), face).solve(source(grid.centers))


def orders(errors):
    return np.log2(np.array(errors[:-1]) / np.array(errors[1:]))


# ---------------------------------------------------------------------- mixtures that move, closed forms


@pytest.mark.parametrize(
    ("t", "face", "table"),
    [
        (0.3, "geometric", (2.7e-2, 6.8e-3, 1.7e-3)),
        (0.3, "arithmetic", (7.5e-2, 2.0e-2, 5.1e-3)),
        (0.3, "harmonic", (9.8e-2, 2.4e-2, 6.0e-3)),
        (0.7, "geometric", (1.05e-1, 2.6e-2, 6.4e-3)),
    ],
)
def test_isotropic_paths_of_mixtures_have_their_closed_form(t, face, table):
    """v = E[xb - eps | x] is a gradient and satisfies continuity: order 2 from above or from below."""
    path = straight(t)
    found = [solved(Grid([(-5, 5)] * 2, n), path.density, path.source, face) for n in (32, 64, 128)]
    errors = [gradient_error(solution, path.field, path.density) for solution in found]
    assert (np.array(errors) <= table).all()
    assert orders(errors)[-1] >= 1.9


def test_the_other_clock_has_the_same_closed_form():
    """log-homotopy: Sigma = 1/(1 + t/nu^2), mu = t Sigma/nu^2."""
    nu2, t = 0.2, 0.3
    s = 1 / (1 + t / nu2)
    ds = -(s**2) / nu2
    mu, dmu = t * s / nu2, (s + t * ds) / nu2
    path = MovingMixture(straight(t).covs, mu * EYE, s * EYE, dmu * EYE, ds * EYE)
    errors = [
        gradient_error(solved(Grid([(-5, 5)] * 2, n), path.density, path.source), path.field, path.density)
        for n in (48, 96)
    ]
    assert errors[-1] < 4e-3
    assert orders(errors)[-1] >= 1.9


def test_the_flow_of_an_entropy_has_its_first_variation_as_potential():
    """xb -> exp(-s) xb + noise is the Ornstein-Uhlenbeck flow: phi = -(log rho + |x|^2/2) up to a constant."""
    s, gaps = 0.4, []
    decay = np.exp(-s) * EYE
    path = MovingMixture(straight(0.5).covs, decay, EYE - decay**2, -decay, 2 * decay**2)
    for n in (48, 96):
        solution = solved(Grid([(-6, 6)] * 2, n), path.density, path.source)
        rho = path.density(solution.grid.centers)
        gap = solution.potential + np.log(rho) + 0.5 * (solution.grid.centers**2).sum(-1)
        gap -= (rho * gap).sum() / rho.sum()
        gaps.append(np.sqrt((rho * gap**2).sum() / rho.sum()))
    assert gaps[-1] < 5e-3
    assert orders(gaps)[-1] >= 1.9


@pytest.mark.parametrize(
    ("t", "total", "kinetic", "rest"),
    [(0.1, 3.1218, 2.7241, 0.4001), (0.5, 0.23176, 0.17692, 0.05482), (0.02, 27.631, 27.555, 0.088)],
)
def test_an_anisotropic_path_splits_its_energy_by_pythagoras(t, total, kinetic, rest):
    """E|v|^2 = E|grad phi|^2 + E|v - grad phi|^2 for a field v with curl; figures of 256^2 cells."""
    path = filtering(t)
    grid = Grid([(-5.5, 5.5)] * 2, 128)
    solution = solved(grid, path.density, path.source)
    rho = path.density(grid.centers) * grid.volume
    field = path.field(grid.centers)
    whole = float((rho * (field**2).sum(-1)).sum())
    curl = float((rho * ((field - solution.velocity) ** 2).sum(-1)).sum())
    assert_allclose(whole, total, rtol=1e-3)
    assert_allclose(2 * solution.kinetic, kinetic, rtol=4e-3)
    assert_allclose(curl, rest, rtol=0.02, atol=0.01 * kinetic)
    assert_allclose(2 * solution.kinetic + curl, whole, rtol=1e-2)
    assert curl > 1e-3 * whole  # the field is no gradient, and the solver does not pretend it is


def test_the_energy_of_an_anisotropic_path_converges_to_second_order():
    path = filtering(0.5)
    grids = [Grid([(-5.5, 5.5)] * 2, n) for n in (48, 96, 192)]
    found = [solved(grid, path.density, path.source).kinetic for grid in grids]
    assert orders(np.abs(np.diff(found)))[-1] >= 1.9


# ------------------------------------------------------------------------------ Gaussians and Hermite


def gaussian(mean, cov):
    inverse, scale = np.linalg.inv(cov), 1 / np.sqrt(np.linalg.det(2 * np.pi * np.asarray(cov)))

    def pdf(x):
        y = x - mean
        return scale * np.exp(-0.5 * ((y @ inverse) * y).sum(-1))

    return pdf


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("face", FACES)
def test_hermite_polynomials_are_their_own_potentials(n, face):
    """rho = N(0, s^2), f = rho n/s^2 He_n(x/s): phi = He_n(x/s)."""
    s, series = 0.8, [0] * n + [1]
    density = gaussian(np.zeros(1), np.array([[s**2]]))

    def source(x):
        return density(x) * n / s**2 * hermite_e.hermeval(x[..., 0] / s, series)

    def velocity(x):
        return hermite_e.hermeval(x / s, hermite_e.hermeder(series)) / s

    errors = [
        gradient_error(solved(Grid((-8, 8), cells), density, source, face), velocity, density)
        for cells in (50, 100, 200, 400)
    ]
    assert errors[-1] < 5e-3
    assert orders(errors).min() >= 1.9 if face == "geometric" else orders(errors)[-1] >= 1.9


def test_the_gain_of_a_linear_observation_is_kalmans():
    P = np.array([[1.0, 0.4], [0.4, 0.7]])
    mean, H = np.array([0.3, -0.2]), np.array([0.7, -1.1])
    density = gaussian(mean, P)

    def source(x):
        return density(x) * ((x - mean) @ H)

    errors = [
        gradient_error(
            solved(Grid([(-7, 7)] * 2, n), density, source),
            lambda x: np.broadcast_to(P @ H, x.shape),
            density,
        )
        for n in (40, 80, 160)
    ]
    assert errors[-1] < 2e-3
    assert orders(errors).min() >= 1.9


def posterior(t):
    """Gaussian prior and likelihood whose P and L do not commute: m, P and their derivatives at t."""
    P0, H, R = np.array([[1.0, 0.3], [0.3, 0.6]]), np.array([[1.0, -0.5]]), np.array([[0.4]])
    m0, z = np.array([0.2, -0.3]), np.array([0.8])
    L = H.T @ np.linalg.inv(R) @ H
    P = np.linalg.inv(np.linalg.inv(P0) + t * L)
    m = P @ (np.linalg.inv(P0) @ m0 + t * H.T @ np.linalg.inv(R) @ z)
    return m, P, P @ H.T @ np.linalg.inv(R) @ (z - H @ m), -P @ L @ P, L


def lyapunov(P, dP):
    """The symmetric A with A P + P A = dP."""
    values, U = np.linalg.eigh(P)
    return U @ ((U.T @ dP @ U) / (values[:, None] + values)) @ U.T


@pytest.mark.parametrize("t", [0.0, 0.5])
def test_the_gaussian_filter_has_its_quadratic_potential_and_less_energy_than_daum_and_huangs_flow(t):
    m, P, dm, dP, L = posterior(t)
    A = lyapunov(P, dP)
    assert_allclose(A @ P + P @ A, dP, rtol=0, atol=1e-13)
    density, inverse = gaussian(m, P), np.linalg.inv(P)

    def source(x):
        z = (x - m) @ inverse
        return density(x) * (z @ dm + 0.5 * ((z @ dP) * z).sum(-1) - 0.5 * np.trace(inverse @ dP))

    found, errors = [], []
    for n in (32, 64, 128):
        found.append(solved(Grid([(-7, 7)] * 2, n), density, source))
        errors.append(gradient_error(found[-1], lambda x: (x - m) @ A + dm, density))
    assert errors[-1] < 1e-2
    assert orders(errors).min() >= 1.9
    exact = np.trace(A @ P @ A) + dm @ dm
    daum_huang = -0.5 * P @ L
    assert_allclose(2 * found[-1].kinetic, exact, rtol=5e-3)
    assert np.trace(daum_huang @ P @ daum_huang.T) + dm @ dm > 1.01 * exact


def test_a_perturbed_truth_is_noticed():
    """The negative control: a thousandth more of the potential is larger than the tolerance of the claim."""
    density = gaussian(np.zeros(1), np.eye(1))
    grid = Grid((-9, 9), 1600)
    solution = solved(grid, density, lambda x: density(x) * x[..., 0])
    assert gradient_error(solution, np.ones_like, density) < 1e-4
    assert gradient_error(solution, lambda x: np.full_like(x, 1.001), density) > 5e-4


# -------------------------------------------------------------------------------- lines and circles


def test_moment_identities_hold_for_a_mixture_on_the_line():
    """E[phi'] = d/dt E[x] and E[x phi'] = 1/2 d/dt E[x^2] to the quadrature of the grid."""
    w, m, dm = np.array([0.3, 0.45, 0.25]), np.array([-1.5, 0.4, 2.0]), np.array([0.8, -0.3, 1.7])
    s, ds = np.array([0.4, 0.6, 0.3]), np.array([0.2, -0.1, 0.4])
    grid = Grid((-7, 7), 2000)
    x = grid.axes[0][:, None]
    z = (x - m) / s
    parts = w * np.exp(-0.5 * z**2) / (np.sqrt(2 * np.pi) * s)
    f = (parts * (z * dm / s + (z**2 - 1) * ds / s)).sum(1)
    solution = WeightedPoisson(Density(grid, parts.sum(1))).solve(f)
    flux = solution.density[0] * solution.gradient[0] * grid.volume
    assert_allclose(flux.sum(), w @ dm, rtol=0, atol=1e-10)
    assert_allclose(
        (grid.edges(0)[1:-1] * flux).sum(), 0.5 * (w @ (2 * m * dm + 2 * s * ds)), rtol=0, atol=1e-10
    )
    velocity = (parts * (dm + ds / s * (x - m))).sum(1) / parts.sum(1)
    rho = parts.sum(1)
    assert np.sqrt((rho * (solution.velocity[:, 0] - velocity) ** 2).sum() / rho.sum()) < 2e-4


def test_a_line_and_a_strip_agree():
    """The sums of one dimension and the sparse solve of two are the same solver."""
    rho = np.exp(np.cos(np.arange(30.0)))
    f = np.sin(2.0 * np.arange(30))
    for boundary in ("noflux", "periodic"):
        line = WeightedPoisson(Density(Grid((0, 1), 30, boundary), rho)).solve(f)
        strip = Grid([(0, 1), (0, 1)], (30, 3), (boundary, "noflux"))
        wide = WeightedPoisson(Density(strip, np.repeat(rho[:, None], 3, 1))).solve(
            np.repeat(f[:, None], 3, 1)
        )
        for k in range(3):
            assert_allclose(wide.potential[:, k], line.potential, rtol=0, atol=1e-11)
        assert_allclose(wide.velocity[:, 0, 0], line.velocity[:, 0], rtol=0, atol=1e-10)
        assert_allclose(wide.velocity[..., 1], 0.0, rtol=0, atol=1e-10)


# ------------------------------------------------------------------------------ huge ranges, empty cells


@pytest.mark.parametrize(("box", "decades"), [(4.6, 20), (7.0, 45), (8.7, 70)])
def test_a_density_over_seventy_decades_is_solved_to_twelve_digits(box, decades):
    P = np.array([[1.0, 0.4], [0.4, 0.7]])
    density = gaussian(np.zeros(2), P)
    grid = Grid([(-box, box)] * 2, 128)
    rho = density(grid.centers)
    assert np.log10(rho.max() / rho.min()) > decades
    solution = solved(grid, density, lambda x: density(x) * x[..., 0])
    assert solution.residual <= 1e-12
    assert_allclose(solution.energy, -solution.kinetic, rtol=0, atol=1e-12)
    assert gradient_error(solution, lambda x: np.broadcast_to(P[0], x.shape), density) < 1e-2


def test_ends_of_the_line_keep_their_digits():
    """Tails of 1e-60 on both sides: each is summed from its own end, so that even there phi' = 1."""
    density = gaussian(np.zeros(1), np.eye(1))
    grid = Grid((-17, 17), 3400)
    solution = solved(grid, density, lambda x: density(x) * x[..., 0])
    near_ends = np.abs(grid.edges(0)[1:-1]) < 15.0
    assert_allclose(solution.gradient[0][near_ends], 1.0, rtol=0, atol=3e-3)


def test_empty_cells_are_walls():
    grid = Grid((0, 1), 10)
    rho = np.array([0, 0, 1, 2, 3, 2, 1, 1, 0, 0.0])
    f = np.array([0, 0, 1, 0, 0, 0, 0, -1, 0, 0.0])
    solution = WeightedPoisson(Density(grid, rho)).solve(f)
    assert_allclose(solution.potential[[0, 1, 8, 9]], 0.0, rtol=0, atol=0)
    assert_allclose(solution.gradient[0][[0, 1, 7, 8]], 0.0, rtol=0, atol=0)
    flux = solution.gradient[0] * solution.density[0]
    assert_allclose(flux[2:7], -0.1, rtol=1e-13)
    hole = np.ones((6, 6))
    hole[2:4, 2:4] = 0.0
    source = np.random.default_rng(0).normal(size=(6, 6)) * hole
    for face in FACES:
        plane = WeightedPoisson(Density(Grid([(0, 1)] * 2, 6), hole), face).solve(source)
        assert plane.residual <= 1e-13
        assert_allclose(plane.energy, -plane.kinetic, rtol=0, atol=1e-12)


@pytest.mark.parametrize("d", [1, 2])
def test_parts_that_do_not_touch_and_sources_in_the_void_are_refused(d):
    grid = Grid([(0, 1)] * d, 6)
    rho = np.ones(grid.cells)
    rho[2] = 0.0
    with pytest.raises(ValueError, match="density must hang together"):
        WeightedPoisson(Density(grid, rho)).solve(np.zeros(grid.cells))
    rho[:2] = 0.0
    with pytest.raises(ValueError, match="source must be 0 where density is 0"):
        WeightedPoisson(Density(grid, rho)).solve(np.ones(grid.cells))
    with pytest.raises(ValueError, match="density must have mass"):
        WeightedPoisson(Density(grid, 0 * rho)).solve(np.zeros(grid.cells))
    with pytest.raises(ValueError, match="source must have the grid's shape"):
        WeightedPoisson(Density(grid, rho)).solve(np.ones(3))


def test_no_source_gives_no_flow():
    solution = WeightedPoisson(Density(Grid([(0, 1)] * 2, 8), np.ones((8, 8)))).solve(np.zeros((8, 8)))
    assert_allclose(solution.potential, 0.0, rtol=0, atol=0)
    assert solution.residual == 0.0
    assert solution.kinetic == 0.0


def test_a_periodic_line_closes_on_itself():
    """phi = sin on the circle: the free constant current is the one that makes phi periodic."""
    errors = []
    for n in (32, 64, 128):
        grid = Grid((0, 2 * np.pi), n, "periodic")
        x = grid.axes[0]
        rho = np.exp(0.8 * np.cos(x))
        f = rho * (np.sin(x) + 0.8 * np.sin(x) * np.cos(x))
        solution = WeightedPoisson(Density(grid, rho)).solve(f)
        assert abs(solution.gradient[0].sum()) <= 1e-11
        errors.append(np.abs(solution.velocity[:, 0] - np.cos(x)).max())
    assert orders(errors).min() >= 1.9
