"""Flows onto measured data: the target, the box, the file's faults by name."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wgf.errors import CheckpointError
from wgf.measures import Density, Mixture
from wgf.problems import density_of_file, old_faithful

GEYSER = Path(str(files("wgf.problems") / "data" / "geyser.csv"))
needs_geyser = pytest.mark.skipif(not GEYSER.exists(), reason="the geyser data are not installed")


@needs_geyser
def test_old_faithful_flows_onto_the_kernel_density_estimate_of_its_data():
    problem = old_faithful()
    data = np.loadtxt(GEYSER, delimiter=",", skiprows=1, usecols=(0, 1))
    data = (data - data.mean(0)) / data.std(0)
    assert data.shape == (272, 2)
    target = Mixture.kde(data, bandwidth=0.25)
    x = np.random.default_rng(0).normal(size=(20, 2))
    assert_allclose(problem.energy.potential_value(x), -target.log_density(x), rtol=1e-12)
    assert_allclose(problem.energy.potential_gradient(x), -target.score(x), rtol=1e-9, atol=1e-12)
    assert problem.energy.diffusion == 1.0


@needs_geyser
def test_its_box_holds_the_start_and_the_target():
    problem = old_faithful()
    ((_, term),) = problem.energy.potentials
    for measure in (problem.initial, term.V.measure):
        assert abs(Density.from_measure(measure, problem.grid(128)).mass - 1) < 1e-6


@needs_geyser
def test_columns_and_units_may_be_chosen():
    raw = density_of_file(GEYSER, ["waiting"], bandwidth=4.0, standardise=False)
    assert raw.dimension == 1
    assert 60 < raw.initial.mean()[0] < 80
    ((_, term),) = raw.energy.potentials
    assert_allclose(term.V.measure.covariances[0], [[16.0]])
    assert density_of_file(GEYSER).dimension == 2  # the column of words is left out


def _file(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_text(text)
    return path


def test_a_small_file_is_read_as_it_stands(tmp_path):
    path = _file(tmp_path, "a, b\n1,2\n3,4\n5,9\n")
    problem = density_of_file(path, ["b"], bandwidth=1.0, standardise=False)
    ((_, term),) = problem.energy.potentials
    assert_allclose(term.V.measure.means[:, 0], [2, 4, 9])


@pytest.mark.parametrize(
    ("text", "columns", "word"),
    [
        ("a,b\n1,2\n3,x\n", ["b"], "columns must hold numbers, got 'x' in 'b', row 3"),
        ("a,b\n1,2\n3,nan\n", ["b"], "columns must be finite, got nan in 'b', row 3"),
        ("a,b\n1,2\n3,4\n", ["c"], "columns must be among"),
        ("a,b\n1,2\n3,4\n", [], "columns must name"),
        ("a,b\nx,y\nz,w\n", None, "columns must name"),
        ("a,b\n1,2\n3\n", None, "row 3"),
        ("a,b\n", None, "path must"),
        ("a,b\n1,2\n1,4\n", None, "columns must vary"),
    ],
)
def test_a_faulty_file_is_refused_by_name_and_row(tmp_path, text, columns, word):
    with pytest.raises(ValueError, match=word):
        density_of_file(_file(tmp_path, text), columns)


def test_bad_settings_are_refused_by_name(tmp_path):
    with pytest.raises(CheckpointError, match="path"):
        density_of_file(tmp_path / "none.csv")
    path = _file(tmp_path, "a,b\n1,2\n3,4\n")
    with pytest.raises(TypeError, match="columns must"):
        density_of_file(path, "a")
    with pytest.raises(ValueError, match="bandwidth must"):
        density_of_file(path, bandwidth=0.0)
    with pytest.raises(TypeError, match="standardise must"):
        density_of_file(path, standardise=1)
