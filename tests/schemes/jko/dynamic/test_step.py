"""First guesses of dynamic JKO steps from coarser grids, and interactions that do not settle."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.errors import ConvergenceError
from wgf.schemes import DynamicJKO


def quadratic(x: np.ndarray) -> np.ndarray:
    return 0.5 * (x**2).sum(-1)


@pytest.mark.parametrize("diffusion", [1e-8, 1e-4])
def test_a_long_step_with_little_diffusion_is_solved(diffusion) -> None:
    """Coarse guesses must survive the finer grid, where an error in psi is an exponent over D."""
    energy = diffusion * wgf.entropy() + wgf.potential(quadratic)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(1.5, 0.25), bounds=(-6, 6))
    run = wgf.solve(problem, DynamicJKO(cells=200), t_end=3.0, dt=3.0, record=["energy", "mass"])
    speed = (np.sqrt(1 + 4 * 3.0) - 1) / (2 * 3.0)  # phi = -a x^2 / 2 with a + dt a^2 = 1 when D = 0
    assert abs(run.final.mean()[0] - 1.5 / (1 + 3.0 * speed)) < 0.02
    assert abs(run.record["mass"][-1] - 1) < 1e-12
    assert run.record["energy"][-1] < run.record["energy"][0]


def test_an_interaction_that_does_not_settle_is_refused_early() -> None:
    energy = 0.01 * wgf.internal(2) + wgf.interaction(wgf.energies.PowerLaw(2, 0))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(1.0, 0.5), bounds=(-6, 6))
    with pytest.raises(ConvergenceError, match=r"after \d\d rounds. Use a smaller dt"):
        wgf.solve(problem, DynamicJKO(cells=50), t_end=3.0, dt=3.0)
    assert wgf.solve(problem, DynamicJKO(cells=50), t_end=0.01, dt=0.01).status == "finished"
