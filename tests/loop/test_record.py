"""The recorder by itself: refusals at the door, totals, dissipation, resuming."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import wgf
from wgf.base import StepInfo
from wgf.loop.record import RECORDABLE, Recorder

PROBLEM = wgf.Problem(
    wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1)), wgf.Gaussian(0, 1), bounds=(-5, 5)
)
GRID = wgf.schemes.FokkerPlanck(cells=20)
CLOUD = wgf.schemes.Langevin(particles=10)


def recorder(scheme, *names):
    state = scheme.init(PROBLEM, np.random.default_rng(0))
    made = Recorder(PROBLEM, scheme, names)
    made.start(PROBLEM, state)
    return made, state


def test_everything_recordable_of_a_density_is_recorded():
    made, state = recorder(GRID, *RECORDABLE)
    made.save(PROBLEM, 0.0, state)
    density = GRID.measure(PROBLEM, state)
    assert made.values["mass"] == [density.mass]
    assert made.values["minimum"] == [density.values.min()]
    assert made.values["energy"] == [PROBLEM.energy.value(density)]
    assert made.values["dissipation"] == [0.0]
    np.testing.assert_allclose(made.values["mean"][0], density.mean(), rtol=0, atol=0)
    np.testing.assert_allclose(made.values["cov"][0], density.cov(), rtol=0, atol=0)


@pytest.mark.parametrize("name", ["energy", "minimum"])
def test_what_a_cloud_does_not_have_is_refused_with_what_it_has(name):
    words = f"record cannot hold '{name}' for Langevin: .* Can be recorded: mass, mean, cov"
    with pytest.raises(wgf.SchemeError, match=words):
        recorder(CLOUD, name)


def test_totals_add_what_the_steps_learnt():
    made, state = recorder(GRID)
    for info in (StepInfo(3, 1e-9), StepInfo(4, 1e-8, accepted=False, substeps=2), StepInfo(1, 1e-10)):
        made.count(PROBLEM, state, state, info, 0.1)
    made.save(PROBLEM, 0.0, state)
    stats = made.stats(state)
    assert {k: stats[k] for k in ("iterations", "max_residual", "fallback_steps", "substeps")} == {
        "iterations": 8, "max_residual": 1e-8, "fallback_steps": 1, "substeps": 4,
    }  # fmt: skip
    assert "dissipation" not in stats


def test_dissipation_is_half_the_sum_of_speed_and_slope_over_time():
    made, state = recorder(GRID)
    for speed, slope in ((2.0, 4.0), (1.0, 1.0)):
        made.count(PROBLEM, state, state, StepInfo(speed_squared=speed, slope_squared=slope), 0.1)
    made.save(PROBLEM, 0.2, state)
    assert made.stats(state)["dissipation"] == pytest.approx(0.4, rel=1e-15)


def test_a_scheme_without_speed_and_slope_cannot_record_dissipation():
    made, state = recorder(CLOUD)
    made.names = ("dissipation",)
    with pytest.raises(wgf.SchemeError, match="'dissipation' for Langevin"):
        made.count(PROBLEM, state, state, StepInfo(), 0.1)


def test_a_resumed_recorder_goes_on_from_what_was_saved():
    first, state = recorder(GRID, "mass")
    first.save(PROBLEM, 0.0, state)
    saved = SimpleNamespace(times=first.times, measures=first.measures, record=first.values)
    second = Recorder(PROBLEM, GRID, ("mass",))
    second.resume(saved, {**first.totals, "iterations": 7})
    second.save(PROBLEM, 0.1, state)
    assert second.times == [0.0, 0.1]
    assert len(second.values["mass"]) == 2
    assert second.totals["iterations"] == 7
    assert first.times == [0.0]


def test_a_record_the_checkpoint_does_not_hold_is_refused():
    saved = SimpleNamespace(times=[], measures=[], record={"mass": []})
    made = Recorder(PROBLEM, GRID, ("mean",))
    with pytest.raises(wgf.SchemeError, match=r"checkpoint holds \(\['mass'\]\), got 'mean'"):
        made.resume(saved, made.totals)
