"""A small stochastic scheme whose steps can be made to misbehave, for the tests of the loop."""

from __future__ import annotations

import signal
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np

import wgf


class State(NamedTuple):
    """Positions and a step counter."""

    x: np.ndarray
    number: int


@dataclass(frozen=True, kw_only=True)
class Toy:
    """Noisy explicit Euler on particles; `mischief` maps a step number to what happens there."""

    particles: int = 40
    mischief: ClassVar[dict[int, str]] = {}

    def supports(self, problem):
        return "it takes potential terms" if problem.energy.powers else None

    def init(self, problem, rng):
        return State(problem.initial.sample(self.particles, rng), 0)

    def step(self, problem, state, dt, rng):
        x = state.x - dt * problem.energy.potential_gradient(state.x)
        x = x + np.sqrt(dt) * rng.standard_normal(x.shape)
        action = self.mischief.get(state.number + 1)
        if action == "interrupt":
            signal.raise_signal(signal.SIGINT)
        elif action == "nan":
            x[3, 0] = np.nan
        elif action == "inf":
            x[5, 0] = np.inf
        elif action == "stall":
            raise wgf.ConvergenceError("the inner iteration stopped at residual 1e-3.")
        return State(x, state.number + 1), wgf.StepInfo(iterations=2, residual=1e-8 * (state.number + 1))

    def measure(self, problem, state):
        return wgf.Particles(state.x)


def problem(d=1):
    """A quadratic potential from a Gaussian."""
    return wgf.Problem(wgf.potential(lambda x: 0.5 * (x**2).sum(-1)), wgf.Gaussian(np.zeros(d), 1.0))
