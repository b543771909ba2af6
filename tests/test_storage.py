"""Files: what goes in comes out, bit by bit; half a file, a foreign file or no folder is a sentence."""

from __future__ import annotations

import json
from typing import NamedTuple

import numpy as np
import pytest

import wgf
from wgf import storage
from wgf.errors import CheckpointError
from wgf.measures import KINDS

GRID = wgf.Grid(((0.0, 1.0), (0.0, 2.0)), (2, 3), ("noflux", "periodic"))
MEASURES = [
    wgf.Gaussian([0.0, 1.0], [[1.0, 0.2], [0.2, 2.0]]),
    wgf.Mixture([0.25, 0.75], [wgf.Gaussian(0, 1), wgf.Gaussian(1, 2)]),
    wgf.Uniform((0.0, 1.0)),
    wgf.Barenblatt(2, 2.0, 1.0),
    wgf.Density(GRID, np.arange(6.0).reshape(2, 3)),
    wgf.Particles([[0.1], [0.2], [0.7]], [0.1, 0.2, 0.7]),
    wgf.Particles(np.float32([[0.1], [0.2]])),
    wgf.Quantiles([0.0, 1.0, 3.0], [0.3, 0.7]),
]


class State(NamedTuple):
    x: np.ndarray
    step: int
    share: float


def test_header_and_arrays_come_back_bit_by_bit(tmp_path):
    path = str(tmp_path / "a.npz")
    arrays = {
        "measure/0/x": np.random.default_rng(0).standard_normal((3, 2)),
        "n": np.arange(4, dtype=np.uint32),
    }
    storage.write(path, {"times": [0.1, 1 / 3]}, arrays)
    header, found = storage.read(path)
    assert header["times"] == [0.1, 1 / 3]
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].tobytes() == array.tobytes()


def test_measures_of_every_kind_come_back_as_they_were(tmp_path):
    path = str(tmp_path / "a.npz")
    kinds, arrays = storage.pack_measures(MEASURES)
    assert set(kinds) == set(KINDS)
    storage.write(path, {}, arrays)
    for before, after in zip(MEASURES, storage.unpack_measures(kinds, storage.read(path)[1]), strict=True):
        assert type(after) is type(before)
        for name, array in before.arrays().items():
            again = after.arrays()[name]
            assert np.asarray(again).dtype == np.asarray(array).dtype
            assert np.array_equal(again, array)


def test_a_measure_of_the_users_own_is_refused_with_the_way_out():
    with pytest.raises(CheckpointError, match="a list cannot be saved: files hold .*particles"):
        storage.pack_measures([[]])


def test_a_state_comes_back_with_its_numbers_as_numbers(tmp_path):
    state = State(np.array([1.0, np.pi]), 3, 0.1)
    path = str(tmp_path / "a.npz")
    storage.write(path, {}, storage.pack_state(state))
    again = storage.unpack_state(state, storage.read(path)[1])
    assert np.array_equal(again.x, state.x)
    assert (again.step, again.share) == (3, 0.1)
    assert type(again.step) is int


def test_a_file_is_replaced_as_a_whole_and_leaves_no_rubbish(tmp_path):
    path = str(tmp_path / "a.npz")
    for value in (1.0, 2.0):
        storage.write(path, {"value": value}, {"x": np.array(value)})
    assert storage.read(path)[0]["value"] == 2.0
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_a_write_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    path = str(tmp_path / "a.npz")
    storage.write(path, {"value": 1}, {})

    def full(*arguments):
        raise OSError("no space left")

    monkeypatch.setattr(storage.os, "replace", full)
    with pytest.raises(CheckpointError, match=r"a\.npz' could not be written: no space left"):
        storage.write(path, {"value": 2}, {})
    assert storage.read(path)[0]["value"] == 1
    assert len(list(tmp_path.iterdir())) == 1


def test_temporary_files_of_a_killed_run_are_removed_and_others_kept(tmp_path):
    for name in (".a.npz.123.tmp", ".b.npz.123.tmp", "a.npz"):
        (tmp_path / name).touch()
    storage.remove_stale(str(tmp_path / "a.npz"))
    assert sorted(p.name for p in tmp_path.iterdir()) == [".b.npz.123.tmp", "a.npz"]


def _truncated(path):
    storage.write(str(path), {}, {"x": np.arange(100.0)})
    path.write_bytes(path.read_bytes()[:200])


def _headed(text):
    return lambda path: np.savez(path, header=np.frombuffer(text.encode(), dtype=np.uint8))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "is not a readable wgf file"),
        (lambda path: path.write_text("nothing of ours"), "is not a readable wgf file"),
        (_truncated, "is not a readable wgf file"),
        (lambda path: np.savez(path, x=np.zeros(2)), "it has no header"),
        (_headed(json.dumps({"format": "wgf-trajectory", "version": 99})), "version 99"),
        (_headed("no json"), "this wgf reads"),
        (lambda path: np.savez(path, x=np.array([{}], dtype=object)), "is not a readable wgf file"),
    ],
)
def test_a_missing_half_foreign_or_pickled_file_is_a_sentence_with_its_path(tmp_path, make, words):
    path = tmp_path / "b.npz"
    make(path)
    with pytest.raises(CheckpointError, match=words) as refusal:
        storage.read(str(path))
    assert str(path) in str(refusal.value)


def test_plain_gives_what_json_knows():
    value = {1: np.float64(0.5), "a": (np.arange(2), [np.int64(3)])}
    assert storage.plain(value) == {"1": 0.5, "a": [[0, 1], [3]]}
    assert json.loads(json.dumps(storage.plain(value))) == {"1": 0.5, "a": [[0, 1], [3]]}
