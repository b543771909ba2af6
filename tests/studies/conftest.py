"""A scheme whose error is known in closed form, so that tables can be held to the truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest

import wgf


class State(NamedTuple):
    """Time, the step that was run, and the noise of this seed."""

    t: float
    dt: float
    noise: float


@dataclass(frozen=True, kw_only=True)
class Known:
    """Gives N(exp(-t) + cells^-power + slope dt + noise z / sqrt(particles), 1) at time t."""

    cells: int = 10
    particles: int = 100
    power: float = 2.0
    slope: float = 0.0
    noise: float = 0.0
    fails_at: int = -1
    refuses: bool = False

    def supports(self, problem):
        return "it needs a problem made for it, got another" if self.refuses else None

    def init(self, problem, rng):
        if self.cells == self.fails_at:
            raise RuntimeError("the toy was told to fail")
        return State(0.0, 0.0, float(rng.standard_normal()))

    def step(self, problem, state, dt, rng):
        return State(state.t + dt, dt, state.noise), wgf.StepInfo()

    def measure(self, problem, state):
        error = float(self.cells) ** -self.power + self.slope * state.dt
        error += self.noise * state.noise / np.sqrt(self.particles)
        return wgf.Gaussian(np.exp(-state.t) + error, 1.0)


@pytest.fixture
def known():
    """The class of the toy scheme."""
    return Known


@pytest.fixture
def problem():
    """A flow whose exact solution the toy scheme misses by a known error."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    return wgf.Problem(
        energy,
        initial=wgf.Gaussian(1.0, 1.0),
        bounds=(-7, 7),
        exact=lambda t: wgf.Gaussian(np.exp(-t), 1.0),
        name="toy-flow",
    )
