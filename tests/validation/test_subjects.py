"""The measures of the claims: one number that is NaN, wherever it comes up, makes the claim fail."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from validation import barenblatt, finite_volumes, jko, langevin
from validation.claims import AtMost


def once(place):
    """A function that returns NaN at its call number `place` and 0 at all others."""
    calls = iter(range(1000))
    return lambda *ignored: math.nan if next(calls) == place else 0.0


@pytest.mark.parametrize("place", [0, 1, 10])
@pytest.mark.parametrize("subject", [jko, barenblatt])
def test_a_distance_to_the_discrete_flow_that_is_nan_fails(subject, place, monkeypatch):
    monkeypatch.setattr(subject, "solved", lambda *a, **k: SimpleNamespace(measures=[None] * 11))
    monkeypatch.setattr(subject, "distance", once(place))
    assert not AtMost(1e300).judge(subject.from_discrete("jko", False))
    monkeypatch.setattr(subject, "distance", once(-1))
    assert AtMost(0.0).judge(subject.from_discrete("jko", False))


@pytest.mark.parametrize("place", [1, 25, 50])
def test_a_path_with_a_nan_fails(place, monkeypatch):
    def broken(*arguments):
        paths = np.zeros((51, 500))
        paths[place, 3] = math.nan
        return paths

    monkeypatch.setattr(langevin, "normals", lambda *a: np.zeros((50, 500)))
    monkeypatch.setattr(langevin, "positions", broken)
    assert not AtMost(1e300).judge(langevin.path_error("euler-maruyama", False))


@pytest.mark.parametrize("place", [0, 1, 10])
def test_a_cell_that_is_nan_is_not_positive(place, monkeypatch):
    measures = [SimpleNamespace(values=np.ones(4)) for _ in range(11)]
    measures[place].values[2] = math.nan
    monkeypatch.setattr(finite_volumes.wgf, "solve", lambda *a, **k: SimpleNamespace(measures=measures))
    assert not AtMost(1e300).judge(finite_volumes.lowest_value(False))


@pytest.mark.parametrize("place", [0, 1, 9])
def test_an_energy_that_is_nan_does_not_balance(place, monkeypatch):
    still = SimpleNamespace(edges=np.arange(3.0), masses=np.full(2, 0.5))
    energies = np.zeros(11)
    energies[place] = math.nan
    run = SimpleNamespace(measures=[still] * 11, record={"energy": energies})
    monkeypatch.setattr(jko.wgf, "solve", lambda *a, **k: run)
    assert not AtMost(1e300).judge(jko.energy_balance(False))
