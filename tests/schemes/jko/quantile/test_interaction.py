"""Interaction energies between cells: against brute double sums and closed forms."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.energies import Quadratic, interaction
from wgf.schemes.jko.quantile import interaction as pairs
from wgf.schemes.jko.quantile.functional import QuantileEnergy, StepObjective


def soft(z):
    return -np.exp(-(z**2).sum(-1))


def cells(n: int = 12) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    masses = rng.uniform(0.5, 2.0, n)
    return np.cumsum(rng.uniform(0.05, 0.4, n + 1)) - 1.0, masses / masses.sum()


def fine(edges: np.ndarray, masses: np.ndarray, per_cell: int) -> tuple[np.ndarray, np.ndarray]:
    """Midpoints and masses after cutting every cell into equal parts."""
    share = (np.arange(per_cell) + 0.5) / per_cell
    x = (edges[:-1, None] + np.diff(edges)[:, None] * share).ravel()
    return x, np.repeat(masses / per_cell, per_cell)


@pytest.mark.parametrize(
    ("W", "bound"),
    [(lambda z: np.abs(z), 1e-4), (lambda z: np.exp(-(z**2)), 1e-4), (lambda z: np.abs(z) ** 1.5, 1e-4)],
)
def test_interaction_values_agree_with_a_brute_double_sum(W, bound: float) -> None:
    edges, masses = cells()
    x, m = fine(edges, masses, 60)
    brute = 0.5 * m @ W(x[:, None] - x) @ m
    found = QuantileEnergy(interaction(lambda z: W(z).sum(-1)), masses).value(edges)
    assert abs(found - brute) < bound * abs(brute)


def test_a_logarithmic_interaction_of_the_uniform_law_has_its_closed_form() -> None:
    """1/2 int int log|x - y| over the unit square is -3/4; neighbouring cells cost O(1/N^2)."""
    errors = []
    for n in (20, 40, 80):
        functional = QuantileEnergy(interaction(lambda z: np.log(np.abs(z)).sum(-1)), np.full(n, 1 / n))
        errors.append(abs(functional.value(np.linspace(0, 1, n + 1)) + 0.75))
    assert errors[-1] < 2e-3
    assert errors[1] < 0.6 * errors[0]
    assert errors[2] < 0.6 * errors[1]


def test_the_quadratic_interaction_is_the_general_one_and_half_the_variance() -> None:
    edges, masses = cells()
    named = QuantileEnergy(interaction(Quadratic(2.0)), masses)
    general = QuantileEnergy(interaction(lambda z: (z**2).sum(-1)), masses)
    x, m = fine(edges, masses, 400)
    variance = m @ x**2 - (m @ x) ** 2
    np.testing.assert_allclose(named.value(edges), variance, rtol=1e-5, atol=0)
    np.testing.assert_allclose(general.value(edges), named.value(edges), rtol=1e-12, atol=0)
    np.testing.assert_allclose(general.gradient(edges), named.gradient(edges), rtol=0, atol=1e-12)


def test_blocks_of_any_size_give_the_same_interaction(monkeypatch: pytest.MonkeyPatch) -> None:
    edges, masses = cells(n=30)
    functional = QuantileEnergy(interaction(soft), masses)
    value, gradient = functional.value(edges), functional.gradient(edges)
    product = functional.interactions[0].hessian(edges).product(edges**2)
    monkeypatch.setattr(pairs, "BLOCK", 1)
    monkeypatch.setattr(pairs, "KEPT", 1)
    np.testing.assert_allclose(functional.value(edges), value, rtol=1e-13, atol=0)
    np.testing.assert_allclose(functional.gradient(edges), gradient, rtol=1e-12, atol=1e-15)
    again = functional.interactions[0].hessian(edges).product(edges**2)
    np.testing.assert_allclose(again, product, rtol=1e-9, atol=1e-12)


class Damped:
    """A user's kernel, no quadratic, that happens to call its strength A."""

    A = np.array([[2.0]])
    center = None

    def __call__(self, z):
        return self.A[0, 0] * np.exp(-0.5 * (z**2).sum(-1))


def test_a_users_kernel_with_an_attribute_called_A_is_what_it_computes() -> None:
    edges, masses = cells()
    x, m = fine(edges, masses, 60)
    brute = 0.5 * m @ (2.0 * np.exp(-0.5 * (x[:, None] - x) ** 2)) @ m
    found = QuantileEnergy(interaction(Damped()), masses).value(edges)
    assert abs(found - brute) < 1e-4 * abs(brute)


def test_only_a_quadratic_of_one_variable_about_zero_takes_the_short_way() -> None:
    assert pairs.quadratic_stiffness(Quadratic(3.0)) == 3.0
    assert pairs.quadratic_stiffness(Quadratic(3.0, [0.0])) == 3.0
    for other in (Quadratic(3.0, [0.1]), Quadratic(np.eye(2)), Damped(), soft):
        assert pairs.quadratic_stiffness(other) is None


@pytest.mark.parametrize(
    ("W", "words"),
    [
        (lambda z: z**2, "W must return shape"),
        (lambda z: np.where(np.abs(z) > 0.5, np.nan, z**2).sum(-1), "W must be finite, got nan"),
        (lambda z: np.where(np.abs(z) > 0.5, np.inf, z**2).sum(-1), "W must be finite, got inf"),
    ],
)
def test_a_malformed_kernel_is_refused_by_name(W, words: str) -> None:
    edges, masses = cells()
    with pytest.raises(ValueError, match=words):
        QuantileEnergy(interaction(W), masses).value(edges)
    with pytest.raises((ValueError, wgf.DivergedError), match=words):
        problem = wgf.Problem(wgf.entropy() + interaction(W), initial=wgf.Gaussian(0, 1))
        wgf.solve(problem, wgf.schemes.QuantileJKO(levels=20), t_end=0.1, dt=0.1)


def test_a_trial_step_beyond_where_W_is_finite_is_rejected_and_not_an_error() -> None:
    edges, masses = cells()
    bounded = interaction(lambda z: np.where(np.abs(z) > 10, np.inf, z**2).sum(-1))
    step = StepObjective(QuantileEnergy(bounded, masses), edges, 1.0)
    assert np.isfinite(step.value(edges))
    assert step.value(100 * edges) == np.inf
