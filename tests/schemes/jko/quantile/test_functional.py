"""The discrete functional: its values, gradient and Hessian against independent computations."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.energies import Quadratic, entropy, interaction, internal, potential
from wgf.schemes.jko.quantile.functional import QuantileEnergy, StepObjective


def smooth(x):
    return (np.cos(2 * x) + 0.5 * x**2).sum(-1)


def soft(z):
    return -np.exp(-(z**2).sum(-1))


ENERGIES = {
    "entropy": 0.7 * entropy(),
    "slow": 2.0 * internal(2.5),
    "fast": internal(0.6),
    "potential": entropy() + 3.0 * potential(smooth),
    "quadratic W": entropy() + 0.8 * interaction(Quadratic(2.0)),
    "general W": 0.5 * internal(2) + interaction(soft) + potential(smooth),
    "kinked W": entropy() + interaction(lambda z: np.abs(z).sum(-1)),
    "logarithmic W": entropy() + 0.3 * interaction(lambda z: np.log(np.abs(z)).sum(-1)),
}


def cells(seed: int = 0, n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    masses = rng.uniform(0.5, 2.0, n)
    return np.cumsum(rng.uniform(0.05, 0.4, n + 1)) - 1.0, masses / masses.sum()


def fine(edges: np.ndarray, masses: np.ndarray, per_cell: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Midpoints, masses and densities after cutting every cell into equal parts."""
    share = (np.arange(per_cell) + 0.5) / per_cell
    x = (edges[:-1, None] + np.diff(edges)[:, None] * share).ravel()
    return x, np.repeat(masses / per_cell, per_cell), np.repeat(masses / np.diff(edges), per_cell)


@pytest.mark.parametrize("name", ENERGIES)
def test_the_gradient_is_the_derivative_of_the_value(name: str) -> None:
    edges, masses = cells()
    functional = QuantileEnergy(ENERGIES[name], masses)
    step = 1e-6
    slopes = [
        (functional.value(edges + step * e) - functional.value(edges - step * e)) / (2 * step)
        for e in np.eye(edges.size)
    ]
    np.testing.assert_allclose(functional.gradient(edges), slopes, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("name", ENERGIES)
def test_the_hessian_is_the_derivative_of_the_gradient(name: str) -> None:
    edges, masses = cells()
    objective = StepObjective(QuantileEnergy(ENERGIES[name], masses), edges - 0.1, 0.3)
    step = 1e-6
    whole = np.array(
        [
            (objective.gradient(edges + step * e) - objective.gradient(edges - step * e)) / (2 * step)
            for e in np.eye(edges.size)
        ]
    )
    hessian = objective.hessian(edges)
    if hessian.product is None:
        found = np.diag(hessian.diagonal) + np.diag(hessian.beside, 1) + np.diag(hessian.beside, -1)
    else:
        found = np.array([hessian.product(e) for e in np.eye(edges.size)])
    np.testing.assert_allclose(found, whole, rtol=2e-6, atol=1e-6 * np.abs(whole).max())


def test_internal_energies_are_integrals_of_the_piecewise_constant_density() -> None:
    edges, masses = cells()
    rho, width = masses / np.diff(edges), np.diff(edges)
    for energy, integral in (
        (1.5 * entropy(), 1.5 * np.sum(width * rho * np.log(rho))),
        (internal(3), np.sum(width * rho**3) / 2),
        (2 * internal(0.5), 2 * np.sum(width * rho**0.5) / -0.5),
    ):
        np.testing.assert_allclose(QuantileEnergy(energy, masses).value(edges), integral, rtol=1e-13, atol=0)


def test_a_quartic_potential_is_integrated_exactly() -> None:
    edges, masses = cells()
    quartic = potential(lambda x: ((x**2 - 1) ** 2).sum(-1))
    primitive = np.polynomial.Polynomial([1, 0, -2, 0, 1]).integ()
    exact = np.sum(masses / np.diff(edges) * np.diff(primitive(edges)))
    np.testing.assert_allclose(QuantileEnergy(quartic, masses).value(edges), exact, rtol=1e-13, atol=0)


def test_edges_out_of_order_and_infinite_potentials_have_infinite_value() -> None:
    edges, masses = cells()
    wall = entropy() + potential(lambda x: np.where(x > 0, np.inf, 0.0).sum(-1))
    assert StepObjective(QuantileEnergy(wall, masses), edges, 1.0).value(edges) == np.inf
    assert StepObjective(QuantileEnergy(entropy(), masses), edges, 1.0).value(edges[::-1]) == np.inf
