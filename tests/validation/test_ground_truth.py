"""Agreement and promises: what is NaN or too far apart fails, and the steps are what they are called."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from validation import agreement, promises
from validation.claims import AtLeast, AtMost


@pytest.fixture
def made_up(monkeypatch):
    """Solvers replaced by arrays: set(name=values) for every step."""

    def put(**values):
        arrays = {name.replace("_", " "): np.asarray(v, float) for name, v in values.items()}
        monkeypatch.setattr(agreement, "solved", lambda step: arrays)
        monkeypatch.setattr(agreement, "truth", lambda step: np.zeros(4))

    return put


def test_there_are_six_problems_and_more_on_the_line_and_two_in_the_plane():
    dimensions = [step.problem.dimension for step in agreement.steps()]
    assert dimensions.count(1) >= 6
    assert dimensions.count(2) >= 2
    assert len(agreement.BOUNDS) == len(dimensions)


def test_the_exact_minimisers_are_not_where_the_steps_started():
    """A claim that a scheme standing still could hold would be void."""
    for step, (close, inner) in zip(agreement.steps(), agreement.BOUNDS, strict=True):
        if step.truth is not None:
            start = agreement.Density.from_measure(step.problem.initial, step.grid).values
            exact = agreement.Density.from_measure(step.truth, step.grid).values
            assert agreement.gap(step, start, exact) > 5 * max(close, inner)


@pytest.mark.parametrize("broken", ["quantile", "back-and-forth", "entropic, debiased"])
def test_a_solver_that_returns_nan_fails_the_agreement(made_up, broken):
    values = {name: np.zeros(4) for name in agreement.CLOSE}
    made_up(**values)
    assert AtMost(0.0).judge(agreement.widest(0, False))
    values[broken] = np.array([0.0, math.nan, 0.0, 0.0])
    made_up(**values)
    assert not AtMost(1e300).judge(agreement.widest(0, False))


def test_the_widest_gap_sees_solvers_apart_and_solvers_wrong_together(made_up):
    made_up(**{"quantile": np.zeros(4), "back-and-forth": np.full(4, 0.1)})
    volume = agreement.steps()[0].grid.volume
    np.testing.assert_allclose(agreement.widest(0, False), 0.4 * volume)
    made_up(**{"quantile": np.full(4, 0.2), "back-and-forth": np.full(4, 0.2)})
    np.testing.assert_allclose(agreement.widest(0, False), 0.8 * volume)


def test_trends_are_those_of_the_parameters(made_up, monkeypatch):
    monkeypatch.setattr(agreement, "steps", lambda line=agreement.steps()[:1]: line)
    inner = {f"dynamic, K = {K}": np.full(4, 1 / K) for K in agreement.INNER[1]}
    plain = {f"entropic, {w} h²": np.full(4, float(w)) for w in agreement.WIDTHS[1]}
    made_up(**inner, **plain)
    np.testing.assert_allclose(agreement.inner_falls(False), 0.25)
    np.testing.assert_allclose(agreement.bias_order(False), 1.0)
    inner["dynamic, K = 16"] = np.full(4, math.nan)
    made_up(**inner, **plain)
    assert not AtMost(1e300).judge(agreement.inner_falls(False))
    plain["entropic, 1 h²"] = np.full(4, 4.0)
    made_up(**inner, **plain)
    assert not AtLeast(0.85).judge(agreement.bias_order(False))


def contestant(**promised):
    """A contestant that is never run."""
    return promises.Contestant(name="made up", scheme=None, kind="line", dt=0.1, **promised)


def run(values, energies):
    """A run whose measures have these cell values."""
    grid = SimpleNamespace(volume=0.25)
    measures = [SimpleNamespace(values=np.asarray(v, float), grid=grid) for v in values]
    return SimpleNamespace(measures=measures, record={"energy": np.asarray(energies, float)})


@pytest.fixture
def kept(monkeypatch):
    """What is kept of a made-up run."""

    def look(values, energies):
        monkeypatch.setattr(promises.wgf, "solve", lambda *a, **k: run(values, energies))
        promises.kept.cache_clear()
        result = promises.kept(contestant())
        promises.kept.cache_clear()
        return result

    return look


def test_what_a_run_keeps_is_measured(kept):
    found = kept([[1, 1, 1, 1], [1.5, 1, 1, 0.5], [2, 1, 1, -0.25]], [2.0, 1.0, 1.1])
    np.testing.assert_allclose(found.mass, 0.25 / 4, rtol=1e-12)
    np.testing.assert_allclose(found.rise, 0.1, rtol=1e-12)
    np.testing.assert_allclose(found.least, -0.25, rtol=1e-12)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_cell_or_an_energy_that_is_nan_keeps_no_promise(kept, place):
    values = np.ones((3, 4))
    values[place, 2] = math.nan
    found = kept(values, [2.0, 1.0, 0.5])
    assert not AtMost(1e300).judge(found.mass)
    assert not AtMost(1e300).judge(-found.least)
    energies = np.array([2.0, 1.0, 0.5])
    energies[place] = math.nan
    assert not AtMost(1e300).judge(kept(np.ones((3, 4)), energies).rise)


def test_every_scheme_makes_some_promise_on_mass_and_most_on_energy_and_sign():
    assert promises.COUNT >= 16
    assert promises.DECAYING >= 8
    assert promises.POSITIVE >= 10
    assert len({type(c.scheme) for c in promises.CONTESTANTS}) >= 7
