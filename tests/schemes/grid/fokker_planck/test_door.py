"""FokkerPlanck at the door: problems and settings it refuses, and in which words."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.errors import SchemeError
from wgf.schemes import FokkerPlanck


def test_problems_it_cannot_solve_are_refused_with_a_reason():
    v = wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    pull = wgf.potential(lambda x: 0.5 * np.einsum("...i,ij,...j->...", x, [[1.5, 0.5], [0.5, 1.0]], x))
    start = wgf.Gaussian([1.5, -1.0], 0.4)
    coupled = wgf.Problem(wgf.entropy() + pull, initial=start, bounds=((-8, 8), (-8, 8)))
    line = dict(initial=wgf.Gaussian(0, 1), bounds=(-3, 3))
    cases = [
        (FokkerPlanck(), wgf.Problem(wgf.entropy() + wgf.internal(2), **line), "internal(2)"),
        (FokkerPlanck(), wgf.Problem(v, **line), "coefficient > 0"),
        (FokkerPlanck(), wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1)), "bounds None"),
        (FokkerPlanck(cells=(10, 10)), wgf.Problem(wgf.entropy(), **line), "2 axes"),
        (
            FokkerPlanck(cells=4),
            wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(np.zeros(4), 1.0), bounds=((-1, 1),) * 4),
            "got 4",
        ),
        (
            FokkerPlanck(cells=400),
            wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(np.zeros(3), 1.0), bounds=((-1, 1),) * 3),
            "fewer cells",
        ),
        (FokkerPlanck(cells=32, time="exponential"), coupled, "V_1(x_1) + V_2(x_2)"),
        (FokkerPlanck(cells=5000, time="exponential"), wgf.Problem(wgf.entropy(), **line), "2048"),
    ]
    for scheme, problem, words in cases:
        reason = scheme.supports(problem)
        assert reason is not None
        assert words in reason
        with pytest.raises(SchemeError, match="FokkerPlanck"):
            wgf.solve(problem, scheme, t_end=0.1, dt=0.05)


def test_settings_are_checked_hashable_and_comparable():
    assert FokkerPlanck(cells=[10, 20]) == FokkerPlanck(cells=(10, 20))
    assert len({FokkerPlanck(), FokkerPlanck(cells=400, time="tr-bdf2"), FokkerPlanck(cells=50)}) == 2
    with pytest.raises(ValueError, match="did you mean 'tr-bdf2'"):
        FokkerPlanck(time="trbdf2")
    with pytest.raises(ValueError, match="cells"):
        FokkerPlanck(cells=1)


def test_initial_mass_outside_the_box_is_refused_and_inside_is_normalised():
    energy = wgf.entropy()
    outside = wgf.Problem(energy, initial=wgf.Uniform((5, 6)), bounds=(-1, 1))
    with pytest.raises(ValueError, match="mass 0 on the grid"):
        FokkerPlanck(cells=50).init(outside, None)
    half = wgf.Problem(energy, initial=wgf.Gaussian(0, 1), bounds=(0, 3))
    with pytest.raises(ValueError, match=r"initial .* \[0, 3\] .* 0\.49865 inside\. Widen `bounds`"):
        FokkerPlanck(cells=50).init(half, None)
    half = wgf.Problem(energy, initial=wgf.Gaussian(0, 1), bounds=(-3.3, 3.3))
    assert FokkerPlanck(cells=50).init(half, None).rho.sum() * 6.6 / 50 == pytest.approx(1, abs=1e-14)
