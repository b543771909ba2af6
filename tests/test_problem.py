"""Problem: what it refuses, freezing in time, travelling to other processes."""

from __future__ import annotations

import cloudpickle
import numpy as np
import pytest

import wgf
from wgf.schemes import FokkerPlanck


def moving():
    """A quadratic well that moves."""
    energy = wgf.entropy() + wgf.potential(lambda x, t: 0.5 * ((x - t) ** 2).sum(-1))
    return wgf.Problem(energy, wgf.Gaussian([0.0, 0.0], 1.0), bounds=[(-4, 4), (-5, 5)])


def test_a_problem_travels_without_its_factorisations():
    still = moving().at(0.0)
    wgf.solve(still, FokkerPlanck(cells=16, time="backward-euler"), t_end=0.1, dt=0.1)
    there = cloudpickle.loads(cloudpickle.dumps(still))
    one, two = (wgf.solve(p, FokkerPlanck(cells=16), t_end=0.1, dt=0.1).final.values for p in (still, there))
    assert np.array_equal(one, two)
    assert len(cloudpickle.dumps(still)) < 20_000


def test_freezing_moves_only_the_time():
    problem = moving()
    assert problem.time == 0.0
    assert problem.at(0.5).time == 0.5
    assert problem.at(0.5).at(2.0).energy.potential_gradient([[2.0, 2.0]]).tolist() == [[0.0, 0.0]]
    still = wgf.Problem(wgf.entropy(), wgf.Gaussian(0, 1))
    assert still.at(3.0) is still


def test_what_is_cached_is_built_once_and_bounded():
    problem, built = wgf.Problem(wgf.entropy(), wgf.Gaussian(0, 1)), []
    for key in [*range(10), 9, 9]:
        problem.cached(key, lambda key=key: built.append(key))
    assert built == list(range(10))
    problem.cached(0, lambda: built.append("again"))
    assert built[-1] == "again"


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"bounds": [(-1, 1)] * 2}, "bounds"),
        ({"bounds": (1, -1)}, "bounds"),
        ({"boundary": ("noflux", "noflux")}, "boundary"),
        ({"boundary": "periodic"}, "bounds"),
        ({"initial": [0.0, 1.0]}, "initial"),
        ({"energy": 3.0}, "energy"),
    ],
)
def test_bad_arguments_are_refused_by_name(change, word):
    good = dict(energy=wgf.entropy(), initial=wgf.Gaussian(0, 1))
    with pytest.raises((ValueError, TypeError), match=word):
        wgf.Problem(**{**good, **change})


def test_a_grid_scheme_without_bounds_says_how_to_give_them():
    with pytest.raises(ValueError, match=r"bounds must be given.*bounds=\(low, high\)"):
        wgf.Problem(wgf.entropy(), wgf.Gaussian(0, 1)).grid(10)


@pytest.mark.parametrize(
    "V",
    [
        lambda x: 50 * x[0] ** 2,
        lambda x: np.cumsum(x, -1),
        lambda x: x**2,
        lambda x: x.sum(),
        lambda x: x[..., 0] - x[0, 0],
    ],
)
def test_a_potential_that_mixes_points_or_returns_a_wrong_shape_is_refused_at_the_door(V):
    for d in (1, 2, 3):
        with pytest.raises(ValueError, match="V must"):
            wgf.Problem(wgf.potential(V), wgf.Gaussian(np.ones(d), 1.0))


def test_an_odd_kernel_is_refused_at_the_door():
    with pytest.raises(ValueError, match="W must be even"):
        wgf.Problem(wgf.interaction(lambda z: z[..., 0]), wgf.Gaussian(0, 1))
