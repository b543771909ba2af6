"""Checkpoints: bitwise continuation, kills, other runs, trouble with files."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import wgf
from wgf import storage

RUN = dict(t_end=3.0, dt=0.1, seed=4)


def test_a_stopped_run_continues_bit_by_bit(toy, monkeypatch, tmp_path):
    """20 random stops: the same times, measures, records and totals as without the stop."""
    whole = wgf.solve(toy.problem(), toy.Toy(), **RUN, save_at=0.5, record=["mean"])
    for stop in np.random.default_rng(0).choice(np.arange(1, 30), size=20, replace=False):
        path = tmp_path / f"{stop}.npz"
        monkeypatch.setattr(toy.Toy, "mischief", {int(stop): "interrupt"})
        wgf.solve(toy.problem(), toy.Toy(), **RUN, save_at=0.5, record=["mean"], checkpoint=path)
        monkeypatch.setattr(toy.Toy, "mischief", {})
        rest = wgf.solve(toy.problem(), toy.Toy(), **RUN, save_at=0.5, record=["mean"], checkpoint=path)
        assert rest.status == "finished"
        assert np.array_equal(rest.times, whole.times)
        assert np.array_equal(rest.record["mean"], whole.record["mean"])
        for a, b in zip(rest.measures, whole.measures, strict=True):
            assert np.array_equal(a.x, b.x)
        assert rest.stats == whole.stats


def test_a_continued_run_may_save_at_other_times_from_there_on(toy, monkeypatch, tmp_path):
    whole = wgf.solve(toy.problem(), toy.Toy(), **RUN)
    monkeypatch.setattr(toy.Toy, "mischief", {12: "interrupt"})
    stopped = wgf.solve(toy.problem(), toy.Toy(), **RUN, save_at=0.5, checkpoint=tmp_path / "run.npz")
    assert stopped.times[-1] == pytest.approx(1.2)
    monkeypatch.setattr(toy.Toy, "mischief", {})
    rest = wgf.solve(toy.problem(), toy.Toy(), **RUN, save_at=1.0, checkpoint=tmp_path / "run.npz")
    np.testing.assert_allclose(rest.times, [0, 0.5, 1.0, 2.0, 3.0], rtol=0, atol=1e-12)
    assert np.array_equal(rest.final.x, whole.final.x)


def test_a_potential_that_lives_in_the_box_alone_can_be_checkpointed(tmp_path):
    V = wgf.potential(lambda x: -np.log(x[..., 0]) - np.log(1 - x[..., 0]))
    problem = wgf.Problem(wgf.entropy() + V, wgf.Uniform((0.0, 1.0)), bounds=(0.0, 1.0))
    run = wgf.solve(problem, "fokker-planck", t_end=0.1, dt=0.05, checkpoint=tmp_path / "run.npz")
    assert run.status == "finished"


def test_a_finished_checkpoint_is_returned_as_it_is(toy, tmp_path):
    first = wgf.solve(toy.problem(), toy.Toy(), **RUN, checkpoint=tmp_path / "run.npz")
    again = wgf.solve(toy.problem(), toy.Toy(), **RUN, checkpoint=tmp_path / "run.npz")
    assert np.array_equal(first.final.x, again.final.x)
    assert np.array_equal(wgf.load(tmp_path / "run.npz").final.x, first.final.x)


def test_a_checkpoint_of_another_run_is_refused_naming_every_difference(toy, tmp_path):
    path = tmp_path / "run.npz"
    wgf.solve(toy.problem(), toy.Toy(), **RUN, checkpoint=path)
    with pytest.raises(wgf.CheckpointError, match=r"run.npz.*seed \(file: 4, run: 5\)"):
        wgf.solve(toy.problem(), toy.Toy(), **{**RUN, "seed": 5}, checkpoint=path)
    with pytest.raises(wgf.CheckpointError, match=r"scheme.*dt"):
        wgf.solve(toy.problem(), toy.Toy(particles=7), **{**RUN, "dt": 0.2}, checkpoint=path)
    steeper = wgf.Problem(wgf.potential(lambda x: 0.501 * (x**2).sum(-1)), wgf.Gaussian([0.0], 1.0))
    with pytest.raises(wgf.CheckpointError, match="values of V"):
        wgf.solve(steeper, toy.Toy(), **RUN, checkpoint=path)


KILLED = """
import sys, numpy as np
sys.path.insert(0, sys.argv[2])
import toy, wgf
wgf.solve(toy.problem(), toy.Toy(particles=20000), t_end=1000.0, dt=0.01, seed=1, save_at=1.0,
          checkpoint=sys.argv[1], checkpoint_every=1e-9)
"""


def test_a_killed_run_leaves_a_whole_file_and_no_litter(tmp_path):
    """kill -9 at moments spread over the writing: each file loads, resumes, and stale files go away."""
    path = tmp_path / "run.npz"
    for delay in (0.02, 0.07, 0.15):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(Path(__file__).parent)])
        limit = time.monotonic() + 60
        before = path.stat().st_mtime_ns if path.exists() else None
        while time.monotonic() < limit and not (path.exists() and path.stat().st_mtime_ns != before):
            time.sleep(0.01)
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        child.wait()
        assert np.isfinite(wgf.load(path).final.x).all()
    storage.remove_stale(str(path))
    assert [p.name for p in tmp_path.iterdir()] == ["run.npz"]


def test_save_and_load_keep_every_bit_and_number(toy, tmp_path):
    run = wgf.solve(toy.problem(2), toy.Toy(), t_end=1.0, dt=0.1, save_at=0.25, record=["mean", "mass"])
    run.save(tmp_path / "run.npz")
    again = wgf.load(tmp_path / "run.npz")
    assert np.array_equal(again.times, run.times)
    for a, b in zip(again.measures, run.measures, strict=True):
        assert np.array_equal(a.x, b.x)
    for name in run.record:
        assert np.array_equal(again.record[name], run.record[name])
    assert (again.status, again.stats, again.provenance) == (run.status, run.stats, run.provenance)


@pytest.mark.parametrize(
    "trouble",
    ["missing", "truncated", "text", "foreign npz", "foreign header", "no kinds", "version", "trajectory"],
)
def test_bad_files_are_refused_naming_the_path(toy, tmp_path, trouble):
    path = tmp_path / "bad.npz"
    if trouble == "text":
        path.write_text("hello")
    elif trouble == "foreign npz":
        np.savez(path, a=np.ones(3))
    elif trouble == "foreign header":
        np.savez(path, header=np.array([255, 254], dtype=np.uint8))
    elif trouble == "no kinds":
        storage.write(str(path), {}, {"times": np.zeros(1)})
    elif trouble == "version":
        storage.write(str(path), {"version": 99}, {})
    elif trouble in ("truncated", "trajectory"):
        wgf.solve(toy.problem(), toy.Toy(), t_end=0.2, dt=0.1).save(path)
        if trouble == "truncated":
            path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(wgf.CheckpointError, match=r"bad\.npz"):
        if trouble == "trajectory":
            wgf.solve(toy.problem(), toy.Toy(), **RUN, checkpoint=path)
        else:
            wgf.load(path)


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/proc").exists(), reason="needs a path nobody can write")
def test_an_unwritable_place_is_named(toy):
    run = wgf.solve(toy.problem(), toy.Toy(), t_end=0.2, dt=0.1)
    with pytest.raises(wgf.CheckpointError, match="could not be written"):
        run.save("/proc/no/such/folder/run.npz")
