"""The command line: answers, exit codes, sentences, no tracebacks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from wgf.cli import commands, main, words
from wgf.errors import DivergedError
from wgf.loop import run as loop
from wgf.schemes import FokkerPlanck

RUN = ["run", "ornstein-uhlenbeck", "--scheme", "fokker-planck:cells=60", "--t-end", "0.2", "--dt", "0.02"]
STUDY = ["study", "ornstein-uhlenbeck", "--scheme", "fokker-planck", "--t-end", "0.2", "--dt", "0.002"]


def test_names_of_problems_and_schemes_are_listed(capsys):
    assert main(["list", "problems"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("ornstein-uhlenbeck", "barenblatt", "double-well"))
    assert main(["list", "schemes", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["schemes"]
    assert {"fokker-planck", "quantile-jko", "langevin"} <= {row["name"] for row in listed}
    assert all(row["summary"] for row in listed)


def test_a_run_writes_what_was_asked_and_reports_its_error(capsys, tmp_path):
    files = [str(tmp_path / name) for name in ("run.npz", "run.png", "run.gif")]
    asked = ["--save-at", "0.1", "--record", "energy,mass", "--save", files[0], "--plot", files[1]]
    assert main([*RUN, *asked, "--animate", files[2], "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["status"] == "finished"
    assert content["steps"] == 10
    assert content["times"] == pytest.approx([0, 0.1, 0.2])
    assert content["error"]["metric"] == "w2"
    assert content["error"]["value"] < 2e-2
    assert content["record"]["energy"][2] < content["record"]["energy"][0]
    for path in files:
        with open(path, "rb") as file:
            assert file.read(4) in (b"PK\x03\x04", b"\x89PNG", b"GIF8")
    assert main(RUN) == 0
    assert "W2 to the exact solution at t = 0.2" in capsys.readouterr().out


def test_a_comparison_prints_a_table_or_json(capsys):
    asked = [
        "compare",
        "ornstein-uhlenbeck",
        "--schemes",
        "fokker-planck:cells=60,fokker-planck:cells=120,langevin",
    ]
    asked += ["--t-end", "0.2", "--dt", "0.02"]
    assert main([*asked, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["size"] for row in rows[:2]] == ["60 cells", "120 cells"]
    assert rows[1]["w2"] < rows[0]["w2"]
    assert main(asked) == 0
    assert "W2 to reference" in capsys.readouterr().out


def test_an_expected_order_is_met_or_ends_with_code_3(capsys, tmp_path):
    vary = ["--vary", "cells=50,100,200"]
    assert main([*STUDY, *vary, "--expect-order", "2", "--plot", str(tmp_path / "order.png")]) == 0
    assert (tmp_path / "order.png").stat().st_size > 1000
    assert main([*STUDY, *vary, "--expect-order", "3"]) == 3
    assert "expected order 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["run", "ornstein-uhlenbek", "--scheme", "fokker-planck"], "did you mean 'ornstein-uhlenbeck'"),
        ([*RUN, "--dt", "nan"], "dt must be a finite number > 0, got nan"),
        ([*RUN, "--dt", "soon"], "invalid float value: 'soon'"),
        (["run", "heat", "--scheme", "langevn"], "did you mean 'langevin'"),
        (["run", "heat", "--scheme", "fokker-planck:cels=3"], "did you mean 'cells'"),
        (["run", "heat", "--scheme", "fokker-planck:cells=-3"], "cells must be"),
        (["run", "heat", "--scheme", "fokker-planck:cells"], "must read key=value"),
        (
            ["run", "heat:dimension=2", "--scheme", "quantile-jko", "--dt", "0.1"],
            "needs one dimension, got 2",
        ),
        ([*STUDY, "--vary", "cells"], "vary must read"),
        ([*STUDY, "--vary", "cels=3,4"], "did you mean 'cells'"),
        ([*RUN, "--save", "/no-such-folder/run.npz"], "/no-such-folder/run.npz"),
        (["walk"], "invalid choice"),
    ],
)
def test_wrong_usage_ends_with_code_2_and_a_sentence(capsys, words, sentence):
    assert main(words) == 2
    printed = capsys.readouterr().err
    assert sentence in printed
    assert "Traceback" not in printed


def test_a_diverged_run_ends_with_code_1_and_debug_shows_the_error(monkeypatch, capsys):
    def diverge(*args, **kwargs):
        raise DivergedError("x became inf at t = 0.1.")

    monkeypatch.setattr(commands, "solve", diverge)
    assert main(RUN) == 1
    assert "x became inf" in capsys.readouterr().err
    with pytest.raises(DivergedError):
        main([*RUN, "--debug"])


def test_a_failed_row_ends_a_comparison_with_code_1(capsys, monkeypatch):
    def fail(self, problem, rng):
        raise DivergedError("told to fail")

    monkeypatch.setattr(FokkerPlanck, "init", fail)
    asked = ["compare", "ornstein-uhlenbeck", "--schemes", "fokker-planck,quantile-jko:levels=20"]
    assert main([*asked, "--t-end", "0.1", "--dt", "0.1"]) == 1
    assert "failed: told to fail" in capsys.readouterr().out


def test_a_failed_reference_ends_with_code_1_and_a_sentence(capsys, monkeypatch):
    def fail(self, problem, rng):
        raise DivergedError("told to fail")

    monkeypatch.setattr(FokkerPlanck, "init", fail)
    asked = ["compare", "ornstein-uhlenbeck", "--schemes", "quantile-jko:levels=20", "--t-end", "0.1"]
    assert main([*asked, "--dt", "0.1", "--reference", "fokker-planck:cells=32"]) == 1
    assert "the reference fokker-planck failed: told to fail" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["list", "problems"], ["list", "schemes", "--json"]])
def test_a_reader_that_leaves_ends_the_command_without_a_traceback(words):
    """Like `wgf list problems | head -0`: the pipe is closed before anything is printed."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "wgf", *words], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)
    assert done.stderr == ""
    assert done.returncode == commands.UNREAD


def test_ctrl_c_ends_with_code_130_and_the_same_command_continues(monkeypatch, capsys, tmp_path):
    checkpoint = str(tmp_path / "run.npz")
    step = loop._Run.step

    def interrupted_step(self):
        step(self)
        if self.number == 3:
            signal.raise_signal(signal.SIGINT)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "step", interrupted_step)
        assert main([*RUN, "--checkpoint", checkpoint]) == 130
    assert "interrupted at t = 0.06" in capsys.readouterr().err
    assert main([*RUN, "--checkpoint", checkpoint, "--json"]) == 0
    continued = json.loads(capsys.readouterr().out)
    assert main([*RUN, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"][-1] == continued["mean"][-1]


def test_ctrl_c_in_a_study_ends_with_code_130(monkeypatch, capsys):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "study", interrupt)
    assert main([*STUDY, "--vary", "cells=4,8"]) == 130
    assert "interrupted" in capsys.readouterr().err


def test_settings_after_colons_may_be_tuples_words_and_numbers():
    assert words.split("a:b=(1,2),c", ",") == ["a:b=(1,2)", "c"]
    assert words.value("(64, 32)") == (64, 32)
    assert words.value("lie") == "lie"
    assert words.value("1e-3") == 1e-3
    assert words.vary(["cells=4,8", "dt=0.1,0.05"]) == {"cells": [4, 8], "dt": [0.1, 0.05]}
    assert words.problem("barenblatt:m=3").dimension == 1
    assert words.scheme("fokker-planck:cells=12").cells == 12


def test_without_dt_the_scheme_is_asked(capsys):
    assert main(["run", "ornstein-uhlenbeck", "--scheme", "quantile-jko:levels=30", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["t_end"] == 1
    assert 0 < content["dt"] < 1


def test_doctor_finds_this_machine_in_order(capsys):
    assert main(["doctor", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["versions"]["numpy"]
    assert content["kernels"]
    assert all(sum(forms.values()) == 1 for forms in content["kernels"].values())
    assert all(check["ok"] for check in content["self_check"])
    assert main(["doctor"]) == 0
    assert "self-check" in capsys.readouterr().out


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "wgf", "run", "ornstein-uhlenbek", "--scheme", "fokker-planck"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert (
        subprocess.run(
            [sys.executable, "-m", "wgf", "--version"], capture_output=True, check=False
        ).returncode
        == 0
    )
