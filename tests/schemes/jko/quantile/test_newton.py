"""The minimiser of one step: against scipy, at walls, its certificate and its failures."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import LinearConstraint, minimize

from wgf.energies import Quadratic, entropy, interaction, internal, potential
from wgf.errors import ConvergenceError
from wgf.schemes.jko.quantile.functional import QuantileEnergy, StepObjective
from wgf.schemes.jko.quantile.mass import squared_norm
from wgf.schemes.jko.quantile.newton import conjugate_gradients, minimise

FREE = (-np.inf, np.inf)


def wavy(x):
    return (np.cos(3 * x) + x**2).sum(-1)


def objective(energy, tau: float = 0.2, n: int = 10) -> StepObjective:
    rng = np.random.default_rng(1)
    masses = rng.uniform(0.5, 1.5, n)
    edges = np.cumsum(rng.uniform(0.1, 0.3, n + 1)) - 1.0
    return StepObjective(QuantileEnergy(energy, masses / masses.sum()), edges, tau)


@pytest.mark.parametrize(
    "energy",
    [
        entropy() + potential(wavy),
        internal(3) + 0.5 * interaction(Quadratic(3.0)),
        0.3 * entropy() + interaction(lambda z: -np.exp(-(z**2).sum(-1))),
    ],
)
@pytest.mark.parametrize("walls", [FREE, (-1.0, 1.2)])
def test_it_finds_what_a_general_minimiser_finds(energy, walls) -> None:
    step = objective(energy)
    start = np.clip(step.target, *walls)
    found = minimise(step, start, walls, 1e-12, 100)
    size = start.size
    order = LinearConstraint(np.diff(np.eye(size), axis=0), 1e-6, np.inf)
    bounds = [walls if k in (0, size - 1) else (None, None) for k in range(size)]
    other = minimize(
        step.value, start, jac=step.gradient, method="SLSQP", bounds=bounds, constraints=[order],
        options={"ftol": 1e-14, "maxiter": 1000},
    )  # fmt: skip
    assert step.value(found.edges) <= other.fun + 1e-12
    np.testing.assert_allclose(found.edges, other.x, rtol=0, atol=2e-5)


def test_a_wall_holds_mass_that_pushes_outwards_and_lets_go_of_mass_that_does_not() -> None:
    outwards = minimise(objective(entropy()), objective(entropy()).target, (-1.0, 5.0), 1e-12, 100)
    inwards_step = objective(entropy() + potential(lambda x: -8 * x.sum(-1)))
    inwards = minimise(inwards_step, inwards_step.target, (float(inwards_step.target[0]), 9.0), 1e-12, 100)
    assert outwards.edges[0] == -1.0
    assert inwards.edges[0] > inwards_step.target[0] + 0.1
    assert inwards.residual < 1e-11


@pytest.mark.parametrize("off", [1e-16, -1e-16, 3e-15])
def test_an_end_a_rounding_error_off_its_wall_counts_as_on_it(off: float) -> None:
    step = objective(entropy())
    walls = (float(step.target[0]), float(step.target[-1]))
    start = step.target + off * np.sign(step.target - step.target.mean()) * -1
    found = minimise(step, start, walls, 1e-12, 100)
    assert found.edges[0] == walls[0]
    assert found.edges[-1] == walls[1]
    exact = minimise(step, step.target, walls, 1e-12, 100)
    np.testing.assert_allclose(found.edges, exact.edges, rtol=0, atol=1e-10)


@pytest.mark.parametrize("energy", [entropy(), entropy() + 0.4 * interaction(Quadratic(1.0))])
def test_the_residual_bounds_the_distance_to_the_minimiser(energy) -> None:
    """Strong convexity: W2 to the minimiser <= sqrt(tau g . H^-1 g) once Newton is in its final phase."""
    step = objective(energy, tau=1.0)
    exact = minimise(step, step.target, FREE, 1e-14, 100).edges
    for loose in (1e-2, 1e-3, 1e-4):
        found = minimise(step, step.target, FREE, loose, 100)
        distance = np.sqrt(squared_norm(step.energy.masses, found.edges - exact))
        assert distance <= 1.1 * found.residual * (found.edges[-1] - found.edges[0]) + 1e-13


def test_it_descends_from_far_beyond_uniqueness() -> None:
    """tau V'' = -40 on a double well: a local minimiser, lower than the start."""
    step = objective(0.1 * entropy() + potential(lambda x: 5 * ((x**2 - 1) ** 2).sum(-1)), tau=2.0)
    found = minimise(step, step.target, FREE, 1e-10, 200)
    assert step.value(found.edges) < step.value(step.target)
    assert np.abs(step.gradient(found.edges)).max() < 1e-7


def test_too_few_iterations_raise_and_name_the_ways_out() -> None:
    step = objective(entropy(), tau=50.0)
    with pytest.raises(ConvergenceError, match="suggest_dt.*iterations=.*tol="):
        minimise(step, step.target, FREE, 1e-12, 2)


def test_collapse_without_diffusion_raises() -> None:
    step = objective(interaction(lambda z: np.abs(z).sum(-1)), tau=50.0)
    with pytest.raises(ConvergenceError, match="attraction without diffusion"):
        minimise(step, step.target, FREE, 1e-12, 100)


def test_a_gradient_that_is_not_a_number_raises() -> None:
    def broken(x):
        return np.where(np.abs(x) < 0.1, np.nan, x)

    energy = entropy() + potential(Broken(broken))
    step = objective(energy)
    with pytest.raises(ConvergenceError):
        minimise(step, step.target, FREE, 1e-12, 20)


class Broken:
    """V = x^2 / 2 with a gradient of its own."""

    def __init__(self, gradient) -> None:
        self.gradient = gradient

    def __call__(self, x):
        return 0.5 * (x**2).sum(-1)


def test_conjugate_gradients_solve_definite_systems_and_stop_at_negative_curvature() -> None:
    rng = np.random.default_rng(0)
    a = rng.standard_normal((8, 8))
    definite = a @ a.T + np.eye(8)
    right = rng.standard_normal(8)
    found = conjugate_gradients(lambda v: definite @ v, lambda r: r / np.diag(definite), right)
    np.testing.assert_allclose(found, np.linalg.solve(definite, right), rtol=0, atol=1e-4)
    indefinite = np.diag([1.0, -1.0])
    found = conjugate_gradients(lambda v: indefinite @ v, lambda r: r, np.array([1.0, 2.0]))
    assert found @ np.array([1.0, 2.0]) > 0
