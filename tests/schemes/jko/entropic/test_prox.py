"""The proximal step of entropic JKO: against brute force, its equation, and its limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from wgf.energies import entropy, internal
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.entropic.prox import Proximal

ENERGIES = {
    "entropy": 0.7 * entropy(),
    "square": 1.3 * internal(2),
    "cube": internal(3),
    "root": internal(0.5),
    "entropy and square": 0.4 * entropy() + internal(2),
    "two powers": internal(2) + 0.3 * internal(3),
    "slow and fast": internal(2) + 0.5 * internal(0.5) + 0.2 * entropy(),
    "two fast": internal(0.4) + internal(0.8),
    "all": entropy() + internal(4) + internal(2) + internal(0.6) + internal(1.5),
}
energies = pytest.mark.parametrize("energy", ENERGIES.values(), ids=ENERGIES.keys())


@energies
@pytest.mark.parametrize("ratio", [0.01, 1.0, 40.0])
def test_the_density_minimises_divergence_plus_energy_against_brute_force(energy, ratio: float) -> None:
    u = InternalEnergy.of(energy)
    for log_z, v in ((-2.0, 0.3), (0.5, -1.0), (2.0, 0.0)):
        found = Proximal(u, v, ratio).log_density(np.array([log_z]))[0]

        def objective(y: float, log_z: float = log_z, v: float = v) -> float:
            rho = np.exp(np.array([y]))
            return float((rho * (y - log_z - 1) + ratio * (u.value(rho) + v * rho))[0])

        best = minimize_scalar(objective, bracket=(found - 1.1, found + 0.9), tol=1e-12)
        assert abs(best.x - found) < 1e-6 * (1 + abs(found))


@energies
@settings(max_examples=200, deadline=None)
@given(
    log_z=st.floats(-2000, 2000), v=st.floats(-50, 50), ratio=st.floats(1e-4, 1e3), step=st.floats(1e-6, 10)
)
def test_its_equation_holds_and_it_rises_by_at_most_the_rise_of_log_z(energy, log_z, v, ratio, step) -> None:
    u = InternalEnergy.of(energy)
    prox = Proximal(u, v, ratio)
    y = prox.log_density(np.array([log_z, log_z + step]))
    parts = [y, -np.array([log_z, log_z + step]), np.full(2, ratio * v)]
    parts += [ratio * u.diffusion * (y + 1)] if u.diffusion else []
    parts += [ratio * c * m / (m - 1) * np.exp((m - 1) * y) for c, m in u.powers]
    size = sum(np.abs(p) for p in parts) + 1
    assert (np.abs(sum(parts)) < 1e-13 * size * (1 + np.abs(y))).all()
    rise = (y[1] - y[0]) / step
    rounding = 1e-12 * float(size.max()) / step
    assert -rounding <= rise <= 1 + rounding


@energies
def test_the_response_is_the_derivative_of_the_density(energy) -> None:
    prox = Proximal(InternalEnergy.of(energy), 0.2, 3.0)
    log_z, h = np.linspace(-4, 4, 9), 1e-5
    slope = (prox.log_density(log_z + h) - prox.log_density(log_z - h)) / (2 * h)
    np.testing.assert_allclose(prox.response(prox.log_density(log_z)), slope, rtol=1e-8)


@energies
def test_empty_cells_and_obstacles_stay_empty(energy) -> None:
    prox = Proximal(InternalEnergy.of(energy), np.array([0.0, np.inf, 1.0]), 2.0)
    found = prox.log_density(np.array([-np.inf, 1.0, 1.0]))
    assert found[0] == -np.inf
    assert found[1] == -np.inf
    assert np.isfinite(found[2])


def test_without_energy_nothing_moves() -> None:
    from wgf.energies import potential

    prox = Proximal(InternalEnergy.of(potential(lambda x: x[..., 0])), 0.5, 2.0)
    np.testing.assert_allclose(prox.log_density(np.array([0.3])), [0.3 - 1.0], rtol=1e-15)
