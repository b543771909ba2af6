"""Trajectory: asking for times, the dissipation defect, labelled results."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.schemes import FokkerPlanck, Langevin, QuantileJKO

PROBLEM = wgf.problems.ornstein_uhlenbeck(dimension=1)


def test_at_returns_the_nearest_saved_time_and_refuses_beyond_half_a_spacing():
    run = wgf.solve(PROBLEM, FokkerPlanck(cells=50), t_end=1.0, dt=0.1, save_at=0.5)
    assert run.at(0.3) is run.measures[1]
    assert run.at(0.2) is run.measures[0]
    with pytest.raises(ValueError, match=r"t must be near a saved time, got 1.3"):
        run.at(1.3)
    with pytest.raises(ValueError, match="t must be a finite number"):
        run.at(np.nan)


@pytest.mark.parametrize(("scheme", "order"), [(FokkerPlanck(cells=200), 2), (QuantileJKO(levels=200), 1)])
def test_dissipation_defect_shrinks_with_the_order_of_the_scheme(scheme, order):
    defects = [
        abs(wgf.solve(PROBLEM, scheme, t_end=1.0, dt=dt, record=["dissipation"]).dissipation_defect())
        for dt in (0.1, 0.05, 0.025)
    ]
    orders = np.log2(np.array(defects[:-1]) / defects[1:])
    assert defects[-1] < 5e-3
    assert 2 * orders[-1] - orders[-2] > order - 0.3


def test_dissipation_defect_is_refused_where_the_speed_is_not_known():
    run = wgf.solve(PROBLEM, Langevin(particles=100), t_end=0.1, dt=0.05)
    with pytest.raises(wgf.WgfError, match="record="):
        run.dissipation_defect()


@pytest.mark.parametrize(
    ("scheme", "names"),
    [
        (FokkerPlanck(cells=50), {"rho"}),
        (QuantileJKO(levels=50), {"edges", "masses"}),
        (Langevin(particles=20), {"x", "w"}),
    ],
)
def test_to_xarray_carries_times_values_and_records(scheme, names):
    pytest.importorskip("xarray")
    run = wgf.solve(PROBLEM, scheme, t_end=0.2, dt=0.1, save_at=0.1, record=["mass"])
    data = run.to_xarray()
    assert names < set(data.data_vars) | {"mass"}
    assert data.sizes["time"] == 3
    np.testing.assert_array_equal(data["mass"], run.record["mass"])


@pytest.mark.parametrize(
    "scheme", [FokkerPlanck(cells=200), QuantileJKO(levels=200, time="midpoint")], ids=repr
)
def test_dissipation_defect_vanishes_for_a_moving_potential_too(scheme):
    """The work of V(x, t) enters: without it the defect would tend to 1.47 here."""
    energy = wgf.entropy() + wgf.potential(lambda x, t: 0.5 * ((x - np.sin(3 * t)) ** 2).sum(-1))
    problem = wgf.Problem(energy, wgf.Gaussian(0.5, 0.5), bounds=(-6, 6))
    defects = [
        abs(wgf.solve(problem, scheme, t_end=1.0, dt=dt, record=["dissipation"]).dissipation_defect())
        for dt in (0.1, 0.05, 0.025)
    ]
    orders = np.log2(np.array(defects[:-1]) / defects[1:])
    assert defects[-1] < 5e-3
    assert orders[-1] > 1.6
