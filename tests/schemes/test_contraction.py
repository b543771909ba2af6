"""Distances between two solutions of one equation, on random problems: what convexity and order demand.

W2 of two solutions falls like e^(-lambda t) where V'' >= lambda and the internal energy is convex along
transports (McCann): entropy, internal(m), and sums. On cells that holds up to the error of the cells, which is the slack.

The slacks were measured, so the draws are fixed: another draw is no failure of a promise.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.measures import Density, Grid
from wgf.schemes import AggregationDiffusion, EntropicJKO, FokkerPlanck
from wgf.schemes.jko.back_and_forth import BackAndForthJKO

BOX, N = (-4.0, 4.0), 80
GRID = Grid((BOX,), (N,))
H, X = float(GRID.spacing[0]), GRID.axes[0]
few = settings(max_examples=12, deadline=None, derandomize=True)
SLACK = H**2  # of the cells, both solutions together
FRONT_SLACK = 0.3 * H  # at free boundaries cells are first order
LINEAR = {
    "exponential": FokkerPlanck(cells=N, time="exponential"),
    "tr-bdf2": FokkerPlanck(cells=N),
    "aggregation-diffusion": AggregationDiffusion(cells=N),
    "back-and-forth": BackAndForthJKO(cells=N),
    "entropic": EntropicJKO(cells=N, tol=1e-5),
}
POROUS = {
    "aggregation-diffusion": AggregationDiffusion(cells=N),
    "upwind": AggregationDiffusion(cells=N, flux="upwind"),
    "back-and-forth": BackAndForthJKO(cells=N),
}


class Bowl:
    """stiffness x^2 / 2 + height cos(frequency x + phase)."""

    def __init__(self, stiffness, height, frequency, phase):
        self.k, self.h, self.w, self.p = stiffness, height, frequency, phase

    def __call__(self, x):
        return (0.5 * self.k * x**2 + self.h * np.cos(self.w * x + self.p)).sum(-1)

    @property
    def lowest(self) -> float:
        """A bound below V''."""
        return self.k - abs(self.h) * self.w**2


bowls = st.builds(Bowl, st.floats(0.5, 2), st.floats(-0.3, 0.3), st.floats(0.5, 1.2), st.floats(-3, 3))
seeds = st.integers(0, 2**32 - 1)
times = st.floats(0.05, 0.4)


def bumps(seed: int) -> Density:
    """One or two bumps of mass 1, far from the walls."""
    rng = np.random.default_rng(seed)
    values = np.zeros(N)
    for _ in range(rng.integers(1, 3)):
        values += rng.uniform(0.3, 1) * np.exp(
            -((X - rng.uniform(-1.2, 1.2)) ** 2) / (2 * rng.uniform(0.35, 0.6) ** 2)
        )
    return Density(GRID, values / (values.sum() * H))


def after(scheme, energy, start: Density, t: float, steps: int = 2) -> Density:
    """Where a scheme is at time t."""
    return wgf.solve(wgf.Problem(energy, start, bounds=BOX), scheme, t_end=t, dt=t / steps).final


def contracts(scheme, energy, lowest: float, t: float, pair: tuple[int, int]) -> tuple[float, float]:
    """(distance found, distance allowed): (1 + lambda dt)^-2, what two implicit steps grant, is the larger."""
    one, two = (bumps(seed) for seed in pair)
    start = wgf.distance(one, two, "w2")
    found = wgf.distance(*(after(scheme, energy, each, t) for each in (one, two)), "w2")
    return found, start / (1 + lowest * t / 2) ** 2


@pytest.mark.parametrize("name", list(LINEAR))
@few
@given(bowls, times, st.tuples(seeds, seeds), st.sampled_from((0.5, 1.0)))
def test_two_solutions_of_fokker_planck_come_closer_in_w2(name, bowl, t, pair, D) -> None:
    energy = D * wgf.entropy() + wgf.potential(bowl)
    found, allowed = contracts(LINEAR[name], energy, bowl.lowest, t, pair)
    assert found <= allowed + SLACK


@pytest.mark.parametrize("name", list(POROUS))
@few
@given(bowls, times, st.tuples(seeds, seeds), st.sampled_from((2.0, 3.0)))
def test_two_solutions_of_the_porous_medium_come_closer_in_w2(name, bowl, t, pair, m) -> None:
    energy = wgf.internal(m) + wgf.potential(bowl)
    found, allowed = contracts(POROUS[name], energy, bowl.lowest, t, pair)
    assert found <= allowed + FRONT_SLACK


def test_a_rate_of_contraction_beyond_the_curvature_would_be_seen() -> None:
    """Control: two shifted bumps in a parabola come closer at the rate lambda = 1 and not at 1.2."""
    one = Density(GRID, np.exp(-2 * (X + 0.8) ** 2) * np.sqrt(2 / np.pi))
    two = Density(GRID, np.exp(-2 * (X - 0.8) ** 2) * np.sqrt(2 / np.pi))
    for scheme in LINEAR.values():
        energy = wgf.entropy() + wgf.potential(Bowl(1.0, 0.0, 1.0, 0.0))
        found = wgf.distance(*(after(scheme, energy, each, 0.4) for each in (one, two)), "w2")
        assert found <= 1.6 / 1.2**2 + SLACK
        assert found > 1.6 / (1 + 1.2 * 0.2) ** 2 + SLACK
