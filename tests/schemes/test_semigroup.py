"""Two steps of dt are one of 2 dt: exactly where the exponential is taken, to the order of the scheme elsewhere.

The slacks were measured, so the draws are fixed: another draw is no failure of a promise.
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.fokker_planck.scheme import FokkerPlanckState


def advanced(time, problem, rho, dt, steps):
    """The cells after some steps of equal length."""
    scheme, state = FokkerPlanck(cells=rho.shape, time=time), FokkerPlanckState(rho)
    for _ in range(steps):
        state, _ = scheme.step(problem, state, dt / steps, None)
    return state.rho


@st.composite
def problems(draw, smooth=False):
    """(problem, rho): waves along every axis; random cells, or a density without rough modes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    d = draw(st.sampled_from((1, 2)))
    height, phase = rng.normal(size=d), rng.uniform(0, 6, size=d)
    V = lambda x: (height * np.cos(2 * np.pi * x + phase)).sum(-1)  # noqa: E731
    problem = wgf.Problem(
        draw(st.sampled_from((0.2, 1.0))) * wgf.entropy() + wgf.potential(V),
        initial=wgf.Gaussian(np.full(d, 0.5), 0.1),
        bounds=[(0.0, 1.0)] * d,
        boundary=draw(st.sampled_from(("noflux", "periodic"))),
    )
    cells = (24, 18)[:d]
    rho = rng.random(cells) * (rng.random(cells) < 0.5)
    rho.flat[0] += 1.0
    if smooth:
        rho = 1 + 0.5 * np.cos(2 * np.pi * problem.grid(cells).centers + phase).prod(-1)
    return problem, rho


@settings(max_examples=100, deadline=None, derandomize=True)
@given(problems(), st.sampled_from((1e-3, 0.1, 3.0)), st.integers(2, 4))
def test_exponential_steps_are_a_semigroup(case, dt, steps):
    problem, rho = case
    once, often = (advanced("exponential", problem, rho, dt, n) for n in (1, steps))
    np.testing.assert_allclose(often, once, rtol=0, atol=1e-12 * rho.max())
    rough = advanced("backward-euler", problem, rho, dt, steps)  # the control: no exponential
    assert np.abs(rough - once).max() > 1e-9 * rho.max() or dt > 1


@pytest.mark.parametrize(
    ("time", "order"), [("backward-euler", 1), ("lie", 1), ("tr-bdf2", 2), ("strang", 2)]
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(problems(smooth=True))
def test_halves_of_a_step_differ_from_the_whole_by_its_local_error(time, order, case):
    """|S(dt) - S(dt/2)^2| falls like dt^(order + 1)."""
    problem, rho = case
    gaps = [
        np.abs(advanced(time, problem, rho, dt, 1) - advanced(time, problem, rho, dt, 2)).max()
        for dt in (2e-4, 1e-4, 5e-5)
    ]
    if gaps[-1] > 1e-11:  # above rounding
        found = np.log2(gaps[1] / gaps[2])
        assert order + 0.6 < found < order + 1.5
