"""Mirrored problems have mirrored solutions: schemes on cells prefer no direction."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.measures import Density, Grid
from wgf.schemes import DynamicJKO, EntropicJKO

N = 40
GRID = Grid((-3.0, 3.0), N)
X = GRID.axes[0]
SCHEMES = {
    "dynamic": DynamicJKO(cells=N),
    "dynamic, upwind": DynamicJKO(cells=N, mobility="upwind"),
    "entropic": EntropicJKO(cells=N, tol=1e-10, iterations=50_000),
}


def stepped(scheme, slope: float, start: np.ndarray, dt: float, sign: int) -> np.ndarray:
    """Two steps in a tilted well, seen in a mirror when sign is -1."""
    energy = 0.7 * wgf.entropy() + wgf.potential(lambda x: ((x**2 - 1) ** 2 / 4 + sign * slope * x).sum(-1))
    problem = wgf.Problem(energy, Density(GRID, start[::sign]), bounds=(-3.0, 3.0))
    return wgf.solve(problem, scheme, t_end=2 * dt, dt=dt).final.values


@pytest.mark.parametrize("name", SCHEMES)
@settings(max_examples=25, deadline=None)
@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.4, 0.9), st.floats(0.01, 0.2))
def test_a_mirrored_problem_has_the_mirrored_solution(name, slope, centre, width, dt) -> None:
    start = np.exp(-((X - centre) ** 2) / (2 * width**2))
    start /= start.sum() * GRID.volume
    seen, mirrored = (stepped(SCHEMES[name], slope, start, dt, sign) for sign in (1, -1))
    assert np.abs(mirrored[::-1] - seen).max() <= 1e-8 * seen.max()


def test_a_tilt_that_is_not_mirrored_would_be_seen() -> None:
    start = np.exp(-(X**2))
    start /= start.sum() * GRID.volume
    for scheme in SCHEMES.values():
        seen, other = stepped(scheme, 0.1, start, 0.1, 1), stepped(scheme, 0.1 * 1.001, start, 0.1, -1)
        assert np.abs(other[::-1] - seen).max() > 1e-6 * seen.max()
