"""One sliced step where Newton's method alone fails: powers without entropy, starts narrower than cells."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.energies import Quadratic, entropy, internal, potential
from wgf.errors import ConvergenceError
from wgf.measures import Barenblatt, Gaussian, Uniform
from wgf.problem import Problem
from wgf.schemes.jko.sliced import SlicedJKO, step

RNG = np.random.default_rng(0)  # no scheme here draws from it
BOWL = potential(Quadratic(np.eye(2)))


def march(problem: Problem, scheme: SlicedJKO, dt: float, steps: int):
    states, infos = [scheme.init(problem, RNG)], []
    for k in range(steps):
        state, info = scheme.step(problem.at(k * dt), states[-1], dt, RNG)
        states.append(state)
        infos.append(info)
    return states, infos


POWERS = (
    (internal(2), Gaussian([0.5, 0.0], 0.5)),
    (internal(3) + BOWL, Gaussian([0.5, 0.0], 0.5)),
    (internal(1.5), Gaussian([0.5, 0.0], 0.5)),
    (internal(2) + 4 * BOWL, Barenblatt(dimension=2, m=2, t0=1.0)),
    (internal(3) + BOWL, Uniform([(-2, -1), (0, 1)])),
)


@pytest.mark.parametrize(("energy", "initial"), POWERS)
@pytest.mark.parametrize("dt", [0.1, 1e-3])
def test_a_power_alone_is_minimised_out_of_tails_and_as_its_support_shrinks(energy, initial, dt) -> None:
    """By the gap of a convex problem, F - min F <= int grad F d rho - min grad F, and not by the scheme's own.

    The minimum of the gradient is taken where the start has mass: in emptier cells moving any costs
    infinitely many derivatives. The control: the start itself, and the end of one Newton iteration.
    """
    problem, scheme = (
        Problem(energy, initial=initial, bounds=[(-4, 4)] * 2),
        SlicedJKO(cells=20, directions=16),
    )
    (before, after), (info,) = march(problem, scheme, dt, 1)
    volume, objective = problem.grid(20).volume, scheme._objective(problem, before.rho, dt)

    def excess(rho: np.ndarray) -> float:
        slope = objective.gap(objective.at(rho))
        return float(volume * np.vdot(rho, slope) - slope[before.rho > 1e-4].min())

    assert excess(after.rho) < 1e-4
    assert excess(before.rho) > 1e-2
    assert info.residual < 1e-8
    assert after.rho.min() >= 0
    assert objective.at(after.rho).value < objective.at(before.rho).value
    with pytest.raises(ConvergenceError, match="iterations"):
        march(problem, SlicedJKO(cells=20, directions=16, iterations=1), dt, 1)


def test_a_wall_leaves_what_newton_alone_finds() -> None:
    problem, scheme = (
        Problem(internal(2) + BOWL, initial=Uniform([(-2, -1), (0, 1)]), bounds=[(-4, 4)] * 2),
        SlicedJKO(cells=20, directions=16),
    )
    (before, after), (info,) = march(problem, scheme, 0.1, 1)
    assert info.iterations < step.TRIED  # no wall was needed
    objective = scheme._objective(problem, before.rho, 0.1)
    reached = step.Descent(objective.at(before.rho), 0, np.inf, False)
    walled = step._behind_walls(objective, reached, before.rho, 1e-12, 100)
    np.testing.assert_allclose(walled.trial.rho, after.rho, rtol=0, atol=1e-6 * after.rho.max())
    rough = step._behind_walls(objective, reached, before.rho, 1e-3, 100)  # the control
    assert np.abs(rough.trial.rho - after.rho).max() > 1e-4 * after.rho.max()


def test_starts_no_wider_than_a_cell_settle_in_a_few_iterations() -> None:
    """Tails fall by orders of magnitude from cell to cell; the usual 3 to 8 iterations are doubled at most."""
    energy = 0.05 * entropy() + internal(3) + BOWL
    problem = Problem(energy, initial=Gaussian([1.0, 0.0], 0.25), bounds=[(-5, 5)] * 2)
    for dt in (0.1, 1e-3):
        _, (info,) = march(problem, SlicedJKO(cells=20, directions=16), dt, 1)
        assert info.iterations <= 20
        assert info.residual < 1e-8
