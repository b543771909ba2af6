"""Energies: values against closed forms, variations and velocities against differences."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.energies import DoubleWell, Quadratic
from wgf.testing import check_energy


def quadratic(x):
    return 0.5 * (x**2).sum(-1)


@pytest.mark.parametrize(
    "energy",
    [
        wgf.entropy(),
        wgf.internal(2),
        wgf.internal(3) + 0.5 * wgf.potential(quadratic),
        2 * wgf.entropy() + wgf.potential(lambda x: np.cos(x).sum(-1)),
        wgf.interaction(quadratic) + wgf.entropy(),
        wgf.interaction(lambda z: np.exp(-(z**2).sum(-1))),
        wgf.kl(wgf.Mixture([0.5, 0.5], [wgf.Gaussian(-1, 0.5), wgf.Gaussian(1, 0.5)])),
    ],
    ids=repr,
)
def test_first_variation_and_velocity_are_the_derivatives_of_the_value(energy):
    report = check_energy(energy)
    assert report.passed, str(report)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_entropy_and_potential_of_a_gaussian_are_closed_forms(d):
    variance = 0.7
    measure = wgf.Gaussian(np.full(d, 0.5), variance)
    entropy = -0.5 * d * np.log(2 * np.pi * np.e * variance)
    assert abs(wgf.entropy().value(measure) - entropy) < 1e-9
    assert abs(wgf.potential(quadratic).value(measure) - 0.5 * d * (variance + 0.25)) < 1e-9


@pytest.mark.parametrize(("d", "m"), [(1, 2), (1, 3), (2, 2), (2, 3)])
def test_internal_energy_of_a_barenblatt_profile_is_the_closed_form(d, m):
    """E = b m2(1) / (d (m - 1)) t^(-d (m - 1) b), Vazquez 2007."""
    profile = wgf.Barenblatt(d, m, 1.0)
    exact = profile.b * d * profile.cov()[0, 0] / (d * (m - 1))
    assert abs(wgf.internal(m).value(profile) / exact - 1) < 1e-12


def test_values_on_cells_converge_to_the_closed_form_with_order_two():
    exact = -0.5 * np.log(2 * np.pi * np.e)
    errors = []
    for cells in (50, 100, 200, 400):
        density = wgf.Density.from_measure(wgf.Gaussian(0, 1), wgf.Grid((-9, 9), cells))
        errors.append(abs(wgf.entropy().value(density) - exact))
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert errors[-1] < 1e-4
    assert abs(2 * orders[-1] - orders[-2] - 2) < 0.05


def test_interaction_on_a_grid_equals_the_double_sum():
    rng = np.random.default_rng(0)
    for boundary in ("noflux", "periodic"):
        grid = wgf.Grid([(0, 1), (0, 2)], (6, 5), boundary)
        density = wgf.Density(grid, rng.random((6, 5)))
        term = wgf.interaction(lambda z: np.cos(np.pi * z[..., 0] * 2) * np.cos(np.pi * z[..., 1]))
        x = grid.centers.reshape(-1, 2)
        pair = np.cos(2 * np.pi * (x[:, None, 0] - x[:, 0])) * np.cos(np.pi * (x[:, None, 1] - x[:, 1]))
        expected = (pair @ density.cell_masses.ravel()).reshape(grid.cells)
        np.testing.assert_allclose(term.first_variation(density), expected, rtol=0, atol=1e-12)


def test_singular_kernel_takes_the_cell_average_at_the_origin():
    """-log|z| between independent standard normals in the plane: -(log 4 - gamma)/2, halved by E."""
    exact = -0.25 * (np.log(4) - np.euler_gamma)
    log_kernel = wgf.interaction(lambda z: -0.5 * np.log((z**2).sum(-1)))
    errors = []
    for cells in (32, 64, 128):
        density = wgf.Density.from_measure(wgf.Gaussian([0, 0], 1.0), wgf.Grid([(-7, 7)] * 2, cells))
        errors.append(abs(log_kernel.value(density) - exact))
    assert errors[-1] < 4e-4
    assert 3.5 < errors[0] / errors[1] < 4.5


def test_interaction_velocity_sums_to_zero_for_an_even_kernel():
    cloud = wgf.Particles(np.random.default_rng(0).standard_normal((50, 2)))
    velocity = wgf.interaction(lambda z: (z**2).sum(-1) ** 2 / 4).velocity(cloud)
    assert np.abs(velocity.mean(0)).max() < 1e-13


def test_energies_are_values():
    V = Quadratic(np.eye(2))
    assert wgf.potential(V) + wgf.entropy() == wgf.potential(V) + wgf.entropy()
    assert hash(wgf.internal(2)) == hash(wgf.internal(2))
    assert wgf.internal(2) != wgf.internal(3)
    assert repr(2 * wgf.entropy() + wgf.internal(3)) == "2 * entropy() + internal(3)"
    assert (0.5 * (wgf.entropy() + wgf.entropy())).diffusion == 1.0


@settings(max_examples=200, deadline=None)
@given(st.floats(0.1, 5), st.floats(0.1, 5), st.integers(0, 1000))
def test_value_is_linear_in_the_energy(a, b, seed):
    cloud = wgf.Particles(np.random.default_rng(seed).standard_normal((4, 2)))
    one, two = wgf.potential(quadratic), wgf.interaction(quadratic)
    assert abs((a * one + b * two).value(cloud) - a * one.value(cloud) - b * two.value(cloud)) < 1e-10


def test_a_wrong_gradient_is_refused_and_a_right_one_used():
    right = wgf.potential(quadratic, grad=lambda x: x)
    assert right.potential_gradient([[1.0, 2.0]]).tolist() == [[1.0, 2.0]]
    wrong = wgf.potential(quadratic, grad=lambda x: 1.001 * x)
    with pytest.raises(ValueError, match="grad must be the gradient of V"):
        wrong.potential_gradient([[1.0, 2.0]])


def test_a_gradient_right_at_one_time_only_is_refused():
    energy = wgf.potential(lambda x, t: (1 + 5 * t) * quadratic(x), grad=lambda x, t: x)
    with pytest.raises(ValueError, match="grad must be the gradient of V"):
        energy.potential_gradient([[1.0]])


class Sloped:
    """A user's object with a gradient of its own."""

    def __init__(self, factor):
        self.factor = factor

    def __call__(self, x, t):
        return 0.5 * ((x - t) ** 2).sum(-1)

    def gradient(self, x, t):
        return self.factor * (x - t)


def test_the_gradient_method_of_a_users_object_gets_the_time_and_is_checked():
    assert wgf.potential(Sloped(1.0)).at(3.0).potential_gradient([[1.0]]).tolist() == [[-2.0]]
    with pytest.raises(ValueError, match="grad must be the gradient of V"):
        wgf.potential(Sloped(-1.0)).at(3.0).potential_gradient([[1.0]])


def test_a_kernel_of_the_wrong_shape_or_value_is_named():
    cloud = wgf.Particles([[0.0, 1.0], [1.0, 0.0]])
    with pytest.raises(ValueError, match="W must return shape"):
        wgf.interaction(lambda z: 0.5 * z**2).value(cloud)
    with pytest.raises(ValueError, match="W must be finite"):
        wgf.interaction(lambda z: np.where(z[..., 0] > 0, np.nan, 1.0)).value(cloud)


def test_time_dependent_potentials_are_frozen_by_at():
    energy = wgf.potential(lambda x, t: 0.5 * ((x - t) ** 2).sum(-1))
    assert energy.time_dependent
    assert not energy.at(1.0).potential_gradient([[1.0]]).any()
    assert energy.at(1.0).at(3.0).potential_gradient([[1.0]]).tolist() == [[-2.0]]


def test_entropy_of_a_cloud_is_refused_with_a_way_out():
    with pytest.raises(wgf.MeasureError, match=r"Density\.from_measure"):
        wgf.entropy().value(wgf.Particles([[0.0], [1.0]]))
    with pytest.raises(wgf.MeasureError, match="Langevin"):
        wgf.entropy().velocity(wgf.Particles([[0.0], [1.0]]))


def test_minimum_of_a_quadratic_is_the_gaussian_and_its_log_partition():
    A = np.array([[2.0, 0.5], [0.5, 1.0]])
    problem = wgf.Problem(0.5 * wgf.entropy() + wgf.potential(Quadratic(A)), wgf.Gaussian([0, 0], 1.0))
    found = problem.energy.minimum(problem)
    np.testing.assert_allclose(found.measure.cov(), 0.5 * np.linalg.inv(A), rtol=0, atol=1e-14)
    assert abs(found.value - problem.energy.value(found.measure)) < 1e-9


def test_minimum_with_bounds_is_the_gibbs_measure():
    """Z of the double well (x^2 - 1)^2 is 1.97373215008982 (Bessel functions)."""
    problem = wgf.Problem(wgf.entropy() + wgf.potential(DoubleWell()), wgf.Gaussian(0, 1), bounds=(-6, 6))
    found = problem.energy.minimum(problem)
    assert abs(found.value + np.log(1.97373215008982)) < 1e-10
    assert abs(found.measure.mass - 1) < 1e-12


def test_minimum_of_confined_porous_medium_is_a_barenblatt_profile_at_rest():
    problem = wgf.Problem(
        wgf.internal(2) + 3 * wgf.potential(Quadratic([[1.0]])), wgf.Gaussian(0, 1), bounds=(-3, 3)
    )
    found = problem.energy.minimum(problem)
    density = wgf.Density.from_measure(found.measure, wgf.Grid((-3, 3), 2000))
    xi = problem.energy.first_variation(density)[density.values > 1e-2]
    assert np.ptp(xi) < 1e-4


def test_minimum_is_none_where_the_walls_cut_the_profile():
    for m, bounds, known in ((2, (-0.2, 0.2), False), (2, (-1.5, 1.5), True), (0.8, (-9, 9), False)):
        energy = wgf.internal(m) + wgf.potential(Quadratic([[1.0]]))
        problem = wgf.Problem(energy, wgf.Gaussian(0, 1e-3), bounds=bounds)
        assert (energy.minimum(problem) is not None) == known
    off = wgf.internal(2) + wgf.potential(Quadratic([[1.0]], center=[1.0]))
    assert off.minimum(wgf.Problem(off, wgf.Gaussian(0, 1e-3), bounds=(-1.5, 1.5))) is None


def test_minimum_is_none_where_it_is_not_known():
    problem = wgf.Problem(wgf.interaction(quadratic) + wgf.internal(2), wgf.Gaussian(0, 1))
    assert problem.energy.minimum(problem) is None


def test_negative_factors_are_refused():
    with pytest.raises(ValueError, match="factor"):
        -1 * wgf.entropy()


def test_an_obstacle_counts_nothing_where_there_is_no_mass_and_is_infinite_where_there_is():
    wall = wgf.potential(lambda x: np.where(x[..., 0] > 0, np.inf, x[..., 0] ** 2))
    grid = wgf.Grid((-1, 1), 4)
    beside, inside = wgf.Density(grid, [1.0, 1.0, 0.0, 0.0]), wgf.Density(grid, [0.0, 1.0, 1.0, 0.0])
    np.testing.assert_allclose(wall.value(beside), 0.5 * (0.75**2 + 0.25**2), rtol=1e-15)
    assert wall.value(inside) == np.inf
    assert wall.first_variation(beside).tolist()[2:] == [np.inf, np.inf]
    with pytest.raises(wgf.NotFiniteError, match="V must be finite"):
        wgf.potential(lambda x: -np.inf * np.abs(x[..., 0])).value(inside)
