"""The time loop: lattice, saving, records, guards, interruption."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.errors import SchemeError
from wgf.loop.lattice import save_steps, steps_of


@settings(max_examples=200, deadline=None)
@given(st.floats(1e-3, 10), st.floats(1e-3, 10))
def test_dt_is_shrunk_once_so_that_the_lattice_lands_on_t_end(t_end, dt):
    steps, run_dt = steps_of(t_end, dt)
    assert steps >= 1
    assert run_dt <= dt * (1 + 1e-9)
    assert abs(steps * run_dt - t_end) <= 1e-12 * t_end
    assert steps == 1 or t_end / (steps - 1) > dt * (1 - 1e-9)


def test_save_times_are_served_by_the_nearest_step():
    assert save_steps(0.1, 0.5, 100, 0.005) == {0, 20, 40, 60, 80, 100}
    assert save_steps([0.012, 0.3], 0.5, 50, 0.01) == {0, 1, 30, 50}
    assert save_steps(None, 0.5, 50, 0.01) == {0, 50}


def test_what_is_saved_never_changes_what_is_computed(toy):
    runs = [
        wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.03, seed=3, save_at=s, progress=p)
        for s, p in ((None, False), (0.1, True), ([0.2, 0.7], False))
    ]
    for run in runs[1:]:
        assert np.array_equal(run.final.x, runs[0].final.x)
    assert runs[1].times[1] == pytest.approx(3 / 34, abs=1e-12)


def test_times_records_and_totals_are_kept(toy):
    run = wgf.solve(
        toy.problem(2), toy.Toy(), t_end=1.0, dt=0.1, save_at=0.5, record=["mean", "cov", "energy", "mass"]
    )
    assert run.times.tolist() == [0.0, 0.5, 1.0]
    assert run.record["mean"].shape == (3, 2)
    assert run.record["cov"].shape == (3, 2, 2)
    np.testing.assert_allclose(run.record["mean"][1], run.at(0.5).mean(), rtol=0, atol=0)
    assert run.stats["steps"] == 10
    assert run.stats["iterations"] == 20
    assert run.stats["max_residual"] == 1e-7
    assert set(run.timings) == {"compile", "step", "diagnose", "save"}
    assert run.provenance["seed"] == 0
    assert {"wgf", "numpy", "scipy", "numba", "python"} == set(run.provenance["versions"])


def test_zero_time_returns_the_initial_state(toy):
    run = wgf.solve(toy.problem(), toy.Toy(), t_end=0.0, dt=0.1)
    assert run.times.tolist() == [0.0]
    assert run.status == "finished"
    assert run.stats["steps"] == 0


def test_a_step_longer_than_the_run_is_one_step(toy):
    assert wgf.solve(toy.problem(), toy.Toy(), t_end=0.05, dt=0.1).stats["dt"] == 0.05


def test_seed_may_be_a_generator_and_decides_everything(toy):
    one = wgf.solve(toy.problem(), toy.Toy(), t_end=0.5, dt=0.1, seed=5)
    two = wgf.solve(toy.problem(), toy.Toy(), t_end=0.5, dt=0.1, seed=np.random.default_rng(5))
    other = wgf.solve(toy.problem(), toy.Toy(), t_end=0.5, dt=0.1, seed=6)
    assert np.array_equal(one.final.x, two.final.x)
    assert not np.array_equal(one.final.x, other.final.x)


@pytest.mark.parametrize(("what", "index"), [("nan", "(3, 0)"), ("inf", "(5, 0)")])
def test_a_planted_nan_names_quantity_time_and_index_in_that_step(toy, monkeypatch, what, index):
    monkeypatch.setattr(toy.Toy, "mischief", {7: what})
    with pytest.raises(wgf.DivergedError) as caught:
        wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.1, save_at=0.2)
    text = str(caught.value)
    assert f"x became {what}" in text
    assert "t = 0.7, step 7" in text
    assert index in text
    partial = caught.value.trajectory
    assert partial.status == "diverged"
    np.testing.assert_allclose(partial.times, [0, 0.2, 0.4, 0.6], rtol=0, atol=1e-12)
    assert all(np.isfinite(m.x).all() for m in partial.measures)


def test_a_failed_run_can_be_returned_with_its_last_good_state(toy, monkeypatch):
    monkeypatch.setattr(toy.Toy, "mischief", {4: "stall"})
    run = wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.1, on_failure="return")
    assert run.status == "stalled"
    assert run.times[-1] == pytest.approx(0.3)
    with pytest.raises(wgf.ConvergenceError, match=r"residual 1e-3.*t = 0.4, step 4"):
        wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.1)


def test_a_potential_that_stops_being_finite_is_a_divergence_naming_the_place(toy):
    problem = wgf.Problem(wgf.entropy() + wgf.potential(lambda x, t: np.where(t > 0.45, np.nan, 1.0) * x[..., 0] ** 2),
                          wgf.Gaussian(0, 1), bounds=(-5, 5))  # fmt: skip
    with pytest.raises(wgf.DivergedError, match="V must be finite"):
        wgf.solve(problem, wgf.schemes.FokkerPlanck(cells=20), t_end=1.0, dt=0.1)


def test_negative_density_is_named_with_its_cell(toy):
    from wgf.loop.guards import find_fault

    class State(tuple):
        def _asdict(self):
            return {"rho": np.array([1.0, -0.03, 2.0])}

    fault = find_fault(State())
    assert fault is not None
    assert fault.sentence == "density became negative (min -3.0e-02)"
    assert fault.place == "cell (1,)"


def test_ctrl_c_returns_what_was_computed(toy, monkeypatch):
    for step in range(1, 21):
        monkeypatch.setattr(toy.Toy, "mischief", {step: "interrupt"})
        run = wgf.solve(toy.problem(), toy.Toy(), t_end=2.0, dt=0.1)
        assert run.status == "interrupted"
        assert run.stats["steps"] == step
        assert run.times[-1] == pytest.approx(0.1 * step)


def test_a_scheme_that_cannot_is_refused_with_those_that_can(toy):
    problem = wgf.Problem(wgf.entropy(), wgf.Gaussian([0, 0], 1.0), bounds=[(-5, 5)] * 2)
    with pytest.raises(
        wgf.SchemeError, match=r"QuantileJKO cannot solve this problem.*one dimension.*FokkerPlanck"
    ):
        wgf.solve(problem, "quantile-jko", t_end=1.0, dt=0.1)


def test_what_cannot_be_recorded_is_refused_at_the_door_with_what_can(toy):
    problem = wgf.Problem(wgf.entropy() + toy.problem().energy, wgf.Gaussian(0, 1))
    with pytest.raises(
        wgf.SchemeError, match=r"record cannot hold 'energy' for Toy.*Can be recorded: mass, mean, cov"
    ):
        wgf.solve(problem, toy.Toy(), t_end=1.0, dt=0.1, record=["energy"])
    with pytest.raises(wgf.SchemeError, match="metric speed"):
        wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.1, record=["dissipation"])
    with pytest.raises(ValueError, match="did you mean 'energy'"):
        wgf.solve(toy.problem(), toy.Toy(), t_end=1.0, dt=0.1, record=["enrgy"])


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"dt": np.nan}, "dt"),
        ({"dt": 1e-300}, "dt"),
        ({"t_end": -1.0}, "t_end"),
        ({"save_at": 2.0}, "save_at"),
        ({"save_at": [0.1, 3.0]}, "save_at"),
        ({"seed": -1}, "seed"),
        ({"record": "energy"}, "record"),
        ({"on_failure": "ignore"}, "on_failure"),
    ],
)
def test_bad_arguments_are_refused_by_name(toy, change, word):
    with pytest.raises((ValueError, TypeError), match=word):
        wgf.solve(toy.problem(), toy.Toy(), **{"t_end": 1.0, "dt": 0.1, **change})


def test_a_refusal_in_space_names_the_grid_schemes_that_fewer_cells_allow() -> None:
    """Their default cells are those of a line, too many in three dimensions; fewer are not."""
    problem = wgf.Problem(
        wgf.entropy(), initial=wgf.Gaussian([0.0] * 3, 1.0), bounds=[(-5, 5)] * 3, boundary="periodic"
    )
    with pytest.raises(SchemeError, match=r"Schemes that can: AggregationDiffusion, .*FokkerPlanck,"):
        wgf.solve(problem, "gaussian-jko", t_end=0.1, dt=0.1)
