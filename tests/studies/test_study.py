"""Studies and comparisons of a scheme whose error is known."""

from __future__ import annotations

import csv
import json
import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import wgf
from wgf.schemes import FokkerPlanck, Langevin
from wgf.studies import Study


def without_clocks(table):
    """Everything of a table but the wall times."""
    return [{k: v for k, v in row.items() if k != "seconds"} for row in table.rows], table.header


def test_a_study_shows_the_errors_and_the_order_that_were_planted(problem, known):
    table = wgf.study(
        problem, known(power=1.5), vary={"cells": [8, 16, 32, 64]}, t_end=0.5, dt=0.1, metric="w2"
    )
    np.testing.assert_allclose([r["w2"] for r in table.rows], [n**-1.5 for n in (8, 16, 32, 64)], rtol=1e-9)
    np.testing.assert_allclose(table.order().pairwise, 1.5, rtol=0, atol=1e-9)
    assert table.order().agrees(1.5)
    assert not table.order().agrees(2.0)
    assert "1/cells" in str(table)


def test_orders_in_time_refer_to_the_step_that_was_run(problem, known):
    scheme = known(power=60.0, slope=1.0)  # cells^-60 is below rounding: the error is dt alone
    table = wgf.study(problem, scheme, vary={"dt": [0.2, 0.1, 0.05]}, t_end=0.5, metric="mean")
    np.testing.assert_allclose([r["dt"] for r in table.rows], [0.5 / 3, 0.1, 0.05], rtol=1e-12)
    np.testing.assert_allclose(table.order().pairwise, 1.0, rtol=0, atol=1e-9)


def test_tied_settings_go_together_and_the_first_is_the_abscissa(problem, known):
    vary = {"cells": [4, 8, 16], "dt": [0.25, 0.25 / 4, 0.25 / 16]}
    table = wgf.study(problem, known(slope=0.5), vary=vary, t_end=0.5, metric="w2")
    np.testing.assert_allclose(table.order().pairwise, 2.0, rtol=0, atol=1e-9)
    assert [(r["cells"], r["dt"]) for r in table.rows] == list(zip(*vary.values(), strict=True))


def test_two_steps_that_shrink_to_one_are_one_level(problem, known):
    table = wgf.study(problem, known(slope=1.0), vary={"dt": [0.3, 0.26, 0.1]}, t_end=0.5, metric="w2")
    assert [k for k, _ in table.order().dropped] == [1]
    assert "same step" in str(table)


def test_stochastic_rows_are_rms_over_seeds_with_common_random_numbers(problem, known):
    scheme = known(power=60.0, noise=1.0)
    table = wgf.study(
        problem,
        scheme,
        vary={"particles": [100, 400, 1600]},
        seeds=20,
        seed=7,
        t_end=0.5,
        dt=0.1,
        metric="mean",
    )
    draws = np.array([np.random.default_rng(7 + k).standard_normal() for k in range(20)])
    rms = math.sqrt(np.mean(draws**2))
    np.testing.assert_allclose([r["mean"] for r in table.rows], [rms / 10, rms / 20, rms / 40], rtol=1e-9)
    order = table.order()
    np.testing.assert_allclose(order.interval, 0.5, rtol=0, atol=1e-9)  # one stream at all levels
    assert order.agrees(0.5)
    assert "bootstrap" in str(table)


def test_the_bias_over_seeds_shows_a_weak_order_that_the_rms_hides(problem, known):
    scheme = known(power=60.0, slope=1.0, noise=0.5)
    settings = {"vary": {"dt": [0.25, 0.125, 0.0625]}, "seeds": 60, "t_end": 0.5, "metric": "mean"}
    bias = wgf.study(problem, scheme, aggregate="bias", **settings)
    assert bias.order().levels == 3
    assert 0.8 < bias.order().value < 1.2
    assert wgf.study(problem, scheme, **settings).order().levels < 3  # the noise floor drops levels


def test_seeds_that_change_nothing_leave_the_row_deterministic(problem, known):
    table = wgf.study(problem, known(), vary={"cells": [8, 16, 32]}, seeds=3, t_end=0.5, dt=0.1, metric="w2")
    assert table.order().interval is None
    assert table.order().agrees(2.0)


def test_a_reference_scheme_has_an_error_of_its_own_that_drops_levels(problem, known):
    settings = {"vary": {"cells": [4, 8, 16, 32]}, "t_end": 0.5, "dt": 0.1, "metric": "w2"}
    table = wgf.study(problem, known(), reference=known(cells=64), **settings)
    own = table.header["reference_error"]
    np.testing.assert_allclose(own, 32**-2 - 64**-2, rtol=1e-9)
    for k, row in enumerate(table.rows):
        np.testing.assert_allclose(row["w2"], row["cells"] ** -2 - 64**-2, rtol=1e-9)
        assert (k in [d for d, _ in table.order().dropped]) == (row["w2"] < 10 * own)
    assert "(its own error about 7.3e-04)" in " ".join(str(table).split())


def test_a_reference_may_be_a_measure_a_function_or_a_trajectory(problem, known):
    exact = problem.exact(0.5)
    run = wgf.solve(problem, known(cells=1000, power=60.0), t_end=0.5, dt=0.1)
    values = [
        wgf.study(problem, known(), vary={"cells": [4, 8]}, t_end=0.5, dt=0.1, metric="w2", reference=r).rows[
            0
        ]["w2"]
        for r in (None, exact, lambda t: wgf.Gaussian(np.exp(-t), 1.0), run)
    ]
    np.testing.assert_allclose(values, 1 / 16, rtol=1e-9)


def test_a_failing_run_is_a_row_with_its_sentence_and_not_a_level(problem, known):
    table = wgf.study(
        problem, known(fails_at=16), vary={"cells": [8, 16, 32, 64]}, t_end=0.5, dt=0.1, metric="w2"
    )
    assert [r["status"] for r in table.rows] == ["finished", "failed", "finished", "finished"]
    assert "failed: RuntimeError: the toy was told to fail" in str(table)
    assert [k for k, _ in table.order().dropped] == [1]
    assert table.order().value == pytest.approx(2.0)


def test_all_runs_failing_still_print_and_refuse_to_be_drawn(problem, known):
    table = wgf.study(problem, known(fails_at=8), vary={"cells": [8, 8]}, t_end=0.5, dt=0.1, metric="w2")
    assert "no order" in str(table)
    with pytest.raises(ValueError, match="finished"):
        table.plot()


def test_comparison_rows_say_what_is_not_applicable(problem, known):
    table = wgf.compare(problem, [known(), known(refuses=True), known(fails_at=10)], t_end=0.5, dt=0.1)
    assert [r["status"] for r in table.rows] == ["finished", "not applicable", "failed"]
    np.testing.assert_allclose(table.rows[0]["w2"], 0.01, rtol=1e-9)
    assert table.rows[0]["seconds"] > 0
    mean = np.exp(-0.5)
    np.testing.assert_allclose(table.rows[0]["energy_gap"], ((mean + 0.01) ** 2 - mean**2) / 2, rtol=1e-6)
    assert table.rows[0]["mass_error"] == 0
    text = str(table)
    assert "not applicable: it needs a problem made for it, got another" in text
    assert all(
        word in text
        for word in ("toy-flow", "t = 0.5", "dt = 0.1", "W2 to reference", "energy gap", "mass - 1")
    )
    assert "reference: exact solution" in text
    with pytest.raises(ValueError, match="vary"):
        table.order()


def test_comparison_takes_sliced_w2_where_w2_is_not_exact():
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    plane = wgf.Problem(energy, initial=wgf.Gaussian([0.0, 0.0], 1.0), bounds=[(-5, 5), (-5, 5)])
    table = wgf.compare(
        plane, [Langevin(particles=500)], t_end=0.1, dt=0.05, reference=wgf.Gaussian([0.0, 0.0], 1.0)
    )
    assert 0 < table.rows[0]["sliced_w2"] < 0.3
    assert "sliced W2 to reference" in str(table)


def test_every_printed_line_fits_100_columns_and_points_line_up(problem, known):
    long = known(power=1.23456789, slope=0.0123456789, noise=0.0, particles=123456)
    table = wgf.compare(
        problem, [long, known(), known(refuses=True), known(cells=3)], t_end=0.5, dt=0.1, seeds=2
    )
    text = str(table)
    assert max(map(len, text.splitlines())) <= 100
    lines = [line for line in text.splitlines() if line.rstrip().endswith(" s")]
    assert len(lines) == 3
    assert len({line.rindex(".") for line in lines}) == 1
    assert len({line.index("e-") for line in lines}) == 1
    study = wgf.study(problem, long, vary={"dt": [0.25, 0.125, 0.0625]}, t_end=0.5, metric="w2")
    rows = str(study).splitlines()[-5:-1]
    assert len({row.index(".") for row in rows if "." in row}) == 1


def test_json_and_csv_hold_the_whole_table(problem, known, tmp_path):
    table = wgf.study(
        problem, known(noise=0.1, fails_at=32), vary={"particles": [100, 200, 400], "cells": [8, 16, 32]},
        seeds=3, t_end=0.5, dt=0.1, metric="mean",
    )  # fmt: skip
    path = tmp_path / "table.json"
    text = table.to_json(str(path))
    assert path.read_text() == text
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    again = Study.from_json(text)
    assert str(again) == str(table)
    assert again.rows == table.rows
    assert repr(again.order()) == repr(table.order())  # an order of two levels holds a NaN
    rows = list(csv.DictReader(table.to_csv().splitlines()))
    assert [float(r["mean"]) for r in rows[:2]] == [r["mean"] for r in table.rows[:2]]
    assert rows[2]["status"] == "failed"


def test_a_file_that_cannot_be_written_is_named(problem, known, tmp_path):
    table = wgf.study(problem, known(), vary={"cells": [8, 16]}, t_end=0.5, dt=0.1, metric="w2")
    with pytest.raises(wgf.CheckpointError, match="no-such-folder"):
        table.to_json(str(tmp_path / "no-such-folder" / "t.json"))


def test_processes_and_executors_give_the_bits_of_the_serial_run():
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(
        energy,
        initial=wgf.Gaussian(1.0, 0.5),
        bounds=(-6, 6),
        exact=lambda t: wgf.Gaussian(0, 1),
        name="lambda",
    )
    settings = {"t_end": 0.1, "dt": 0.05}
    schemes = [FokkerPlanck(cells=40), Langevin(particles=60)]
    serial = wgf.compare(problem, schemes, seeds=2, **settings)
    spawned = wgf.compare(problem, schemes, seeds=2, workers=2, **settings)
    with ThreadPoolExecutor(1) as pool:
        mapped = wgf.compare(problem, schemes, seeds=2, executor=pool, **settings)
    assert without_clocks(serial) == without_clocks(spawned) == without_clocks(mapped)
    other = wgf.compare(problem, schemes, seeds=2, seed=1, **settings)
    assert without_clocks(other) != without_clocks(serial)  # the seed does change the bits


SCRIPT = """
import numpy as np, wgf
from dataclasses import dataclass
from typing import NamedTuple
print("started")
class State(NamedTuple):
    t: float
@dataclass(frozen=True, kw_only=True)
class Mine:
    cells: int = 4
    def supports(self, problem): return None
    def init(self, problem, rng): return State(0.0)
    def step(self, problem, state, dt, rng): return State(state.t + dt), wgf.StepInfo()
    def measure(self, problem, state): return wgf.Gaussian(1 / self.cells, 1.0)
problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), exact=lambda t: wgf.Gaussian(0, 1))
table = wgf.study(problem, Mine(), vary={"cells": [4, 8, 16]}, t_end=0.1, dt=0.1, metric="w2", workers=2)
assert table.order().agrees(1.0), table
print("done")
"""


def test_a_plain_script_with_its_own_scheme_may_use_processes(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    environment = {**os.environ, "PYTHONPATH": str(Path(wgf.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["started", "done"]  # the script was not run again in each process


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"vary": {"cels": [8, 16]}}, "did you mean 'cells'"),
        ({"vary": {"cells": [8, 16], "dt": [0.1]}}, "equally many"),
        ({"vary": {}}, "vary must be"),
        ({"dt": None}, "dt must be given"),
        ({"dt": math.nan}, "dt must be"),
        ({"t_end": 0.0}, "t_end must be"),
        ({"metric": "w3"}, "metric must be"),
        ({"seeds": 0}, "seeds must be"),
        ({"seeds": [1, 1]}, "seeds must be"),
        ({"workers": 0}, "workers must be"),
        ({"executor": 3}, "executor must be"),
        ({"reference": 3.0}, "reference must be"),
        ({"vary": {"dt": [0.1, -0.1]}}, "dt must be"),
    ],
)
def test_bad_arguments_of_a_study_are_refused_by_name(problem, known, change, word):
    arguments = {"vary": {"cells": [8, 16]}, "t_end": 0.5, "dt": 0.1, **change}
    with pytest.raises((ValueError, TypeError), match=word):
        wgf.study(problem, known(), **arguments)


def test_a_problem_without_exact_solution_asks_for_a_reference(known):
    problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-5, 5))
    with pytest.raises(ValueError, match="reference must be given"):
        wgf.compare(problem, [known()], t_end=0.5, dt=0.1)


def test_a_misspelt_scheme_offers_the_near_one(problem):
    with pytest.raises(ValueError, match="did you mean 'langevin'"):
        wgf.compare(problem, ["langevn"], t_end=0.5, dt=0.1)


def test_a_comparison_in_the_plane_projects_an_exact_law_that_has_no_projections_on_the_grid():
    problem = wgf.problems.barenblatt(dimension=2)
    table = wgf.compare(
        problem, [wgf.schemes.AggregationDiffusion(cells=n) for n in (24, 48)], t_end=0.1, dt=0.05
    )
    coarse, fine = (float(row["sliced_w2"]) for row in table.rows)
    assert 0 < fine < coarse < 0.1
