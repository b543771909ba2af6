"""Every public callable refuses bad input at the door, naming the argument: one test per callable.

The cases are not written by hand: each registered argument kind declares its bad values, and each is put, one
at a time, into a call that is otherwise right. A public callable without registered checks fails, so the
count at the end cannot shrink silently.
"""

from __future__ import annotations

import contextlib
import inspect
import signal
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import wgf
import wgf.autodiff
import wgf.energies
import wgf.measures
import wgf.plot
import wgf.studies
import wgf.testing
from wgf import checks
from wgf.testing.bad_input import bad_calls, door_of

ROOMS = [
    wgf, wgf.schemes, wgf.transport, wgf.problems, wgf.energies, wgf.measures, wgf.studies, wgf.testing,
    wgf.autodiff, wgf.testing.strategies, wgf.plot,
]  # fmt: skip
SECONDS = 5.0  # a refusal comes at once; the limit is generous to a loaded machine
LEAST = 1800

# Not called by users: made by `solve`, `study`, `+`, a check or the recorder, or protocols.
MADE_FOR_THE_USER = {
    wgf.Energy, wgf.Trajectory, wgf.StepInfo, wgf.transport.SlicedW2, wgf.energies.Minimum, wgf.measures.Measure,
    wgf.transport.PoissonSolution, wgf.schemes.Spectrum, wgf.studies.Order, wgf.studies.Study, wgf.testing.Line, wgf.testing.Report, wgf.autodiff.Tensor,
}  # fmt: skip


def _public_functions(room: Any) -> list[Any]:
    names = getattr(room, "__all__", None)
    if names is None:
        return [
            f for f in vars(room).values() if callable(f) and getattr(f, "__module__", "") == room.__name__
        ]
    return [getattr(room, name) for name in names]


def public_callables() -> dict[str, Callable[..., Any]]:
    found: dict[str, Callable[..., Any]] = {}
    for room in ROOMS:
        for thing in _public_functions(room):
            if not callable(thing) or isinstance(thing, types.ModuleType) or thing in MADE_FOR_THE_USER:
                continue
            if isinstance(thing, type) and issubclass(thing, (BaseException, tuple)):
                continue
            found[f"{thing.__module__}.{thing.__qualname__}"] = thing
    return found


def public_methods() -> list[str]:
    """Registry names of the methods of public classes (constructors are found through their class)."""
    classes = {f"{c.__module__}.{c.__qualname__}" for room in ROOMS for c in _public_functions(room)
               if isinstance(c, type)}  # fmt: skip
    names = [name for name in checks.REGISTRY if name.rsplit(".", 1)[0] in classes]
    return [name for name in names if not name.endswith(".__init__")]


# ------------------------------------------------------------------------------------------ good calls

GRID = wgf.Grid((-3.0, 3.0), 12)
PROBLEM = wgf.problems.ornstein_uhlenbeck(bounds=(-6.0, 6.0))
SCHEME = wgf.schemes.FokkerPlanck(cells=16)
CLOUD = wgf.Particles([[0.0], [1.0], [2.0]])
POINTS = np.array([[0.1], [0.4], [0.7]])
RUN = wgf.solve(PROBLEM, SCHEME, t_end=0.1, dt=0.05, progress=False)
TIMES = {"t_end": 0.1, "dt": 0.05}
BOX = (-4.0, 4.0)
FEATURES, LABELS = (
    np.array([[0.0, 1.0], [1.0, -0.5], [0.5, 0.5], [-1.0, 0.3]]),
    np.array([0.0, 1.0, 1.0, 0.0]),
)
WELL = {
    "barrier": 1.0,
    "diffusion": 0.5,
    "stiffness": 1.0,
    "mean": 0.0,
    "cov": 0.3,
    "bounds": BOX,
    "dimension": 1,
}
OU = {"A": [[1.0]], "diffusion": 1.0, "mean": [0.5], "cov": [[0.2]]}
RING = {"radius": 1.0, "stiffness": 2.0, "diffusion": 0.5}
KS = {"mass": 3.0, "mean": [0.0, 0.0], "cov": 0.5, "bounds": BOX}
STUDY = {
    **TIMES, "seed": 0, "seeds": 1, "reference": None, "metric": None, "workers": 1, "executor": None,
}  # fmt: skip

GOOD: dict[str, dict[str, Any]] = {
    "Barenblatt": {"dimension": 1, "m": 2.0, "t0": 1.0, "center": [0.0]},
    "Density": {"grid": GRID, "values": np.ones(12) / 6},
    "Gaussian": {"mean": 0.0, "cov": 1.0},
    "Grid": {"bounds": (0.0, 1.0), "cells": 4, "boundary": "noflux"},
    "Mixture": {"weights": [0.5, 0.5], "components": [wgf.Gaussian(0, 1), wgf.Gaussian(1, 1)]},
    "AggregationDiffusion": {"cells": 16, "time": "implicit", "flux": "limited", "peak": 0.5, "tol": 1e-10,
                             "iterations": 20},
    "BackAndForthJKO": {"cells": 16, "time": "jko", "push_forward": "splat", "tol": 1e-2, "iterations": 20},
    "DynamicJKO": {"cells": 16, "substeps": 1, "mobility": "centred", "tol": 1e-10, "iterations": 100},
    "EntropicJKO": {"cells": 16, "epsilon": 0.5, "debiased": True, "tol": 1e-6, "iterations": 100},
    "GaussianJKO": {"time": "jko", "tol": 1e-10, "iterations": 50},
    "SlicedJKO": {"cells": 16, "directions": 8, "tol": 1e-8, "iterations": 50},
    "SpectralFokkerPlanck": {"cells": 16, "modes": 40, "tol": 1e-8},
    "spectrum": {"problem": PROBLEM, "cells": 16, "count": 3},
    "WeightedPoisson": {"density": wgf.Density(GRID, np.ones(12) / 6), "face": "geometric"},
    "Newtonian": {"dimension": 2, "strength": 1.0},
    "PowerLaw": {"a": 2.0, "b": 0.0},
    "Mobility": {"M": 2.0, "form": "ito"},
    "Particles": {"x": POINTS, "w": [0.2, 0.3, 0.5]},
    "Problem": {"energy": PROBLEM.energy, "initial": wgf.Gaussian(0, 1), "bounds": (-6, 6), "boundary": "noflux",
                "exact": lambda t: wgf.Gaussian(0, 1), "name": "a", "reference": "b", "drift": lambda x: -x, "source": lambda x: 0 * x[..., 0],
                "mobility": wgf.Mobility(2.0)},
    "Quantiles": {"edges": [0.0, 1.0, 3.0, 4.0], "masses": [0.5, 0.25, 0.25]},
    "Uniform": {"bounds": (0.0, 1.0)},
    "compare": {"problem": PROBLEM, "schemes": [SCHEME], **STUDY},
    "study": {"problem": PROBLEM, "scheme": SCHEME, "vary": {"cells": [8, 16]}, "aggregate": "rms", **STUDY},
    "distance": {"a": CLOUD, "b": CLOUD, "kind": "sliced_w2", "directions": 4},
    "interaction": {"W": lambda z: (z**2).sum(-1)},
    "internal": {"m": 2.0},
    "kl": {"target": wgf.Gaussian(0, 1)},
    "load": {"path": "run.npz"},
    "potential": {"V": lambda x: (x**2).sum(-1), "grad": lambda x: 2 * x},
    "solve": {"problem": PROBLEM, "scheme": SCHEME, **TIMES, "seed": 0, "save_at": 0.05, "record": ["mass"],
              "progress": False, "checkpoint": None, "checkpoint_every": 60.0, "on_failure": "raise"},
    "FokkerPlanck": {"cells": 16, "time": "tr-bdf2"},
    "Langevin": {"particles": 10, "integrator": "euler-maruyama", "dtype": "float64", "reflect": False, "tamed": False},
    "QuantileJKO": {"levels": 20, "time": "jko", "mesh": "graded", "tol": 1e-8, "iterations": 20},
    "bures": {"g": wgf.Gaussian(0, 1), "h": wgf.Gaussian(1, 2)},
    "directions": {"d": 2, "count": 4, "rng": 0},
    "sliced_w2": {"x": POINTS, "y": POINTS, "directions": 4, "a": None, "b": None},
    "w2_1d": {"x": [0.0, 1.0, 2.0], "y": [0.0, 1.0, 3.0], "a": None, "b": None},
    "w2_clouds": {"x": POINTS, "y": POINTS, "a": None, "b": None},
    "barenblatt": {"dimension": 1, "m": 2.0, "t0": 1.0, "center": [0.0], "confinement": 1.0, "bounds": BOX},
    "bayesian_logistic_regression": {"features": FEATURES, "labels": LABELS, "prior_variance": 2.0, "bounds": BOX},
    "density_of_file": {"path": "points.csv", "columns": ["x"], "bandwidth": 0.5, "standardise": False, "bounds": BOX},
    "double_well": WELL,
    "tilted_wells": {**WELL, "tilt": 0.1},
    "heat": {"dimension": 1, "diffusion": 1.0, "mean": 0.0, "cov": 0.3, "bounds": BOX},
    "keller_segel": KS,
    "keller_segel_blow_up_time": {"mass": 30.0, "second_moment": 1.0},
    "keller_segel_second_moment": {"t": 0.1, "mass": 3.0, "second_moment": 1.0},
    "laplace": {"features": FEATURES, "labels": LABELS, "prior_variance": 2.0},
    "logistic_regression_of_file": {"path": "points.csv", "label": "label", "columns": ["x"], "prior_variance": 2.0, "bounds": BOX},
    "old_faithful": {"bandwidth": 0.5, "bounds": BOX},
    "ornstein_uhlenbeck": {"dimension": 1, **OU, "bounds": BOX},
    "ornstein_uhlenbeck_moments": {"t": 0.1, **OU},
    "ornstein_uhlenbeck_path": OU,
    "whitened_ornstein_uhlenbeck": {**OU, "bounds": BOX},
    "quadratic_aggregation": {"dimension": 1, "diffusion": 0.5, "mean": 0.0, "cov": 0.3, "bounds": BOX},
    "ring": {**RING, "mean": [0.0, 0.0], "cov": 0.3, "bounds": BOX},
    "ring_equilibrium": RING,
    "ring_least_energy": RING,
    "spectral_gap": {"diffusion": 0.5, "barrier": 1.0, "tilt": 0.1},
    "well_masses": {"barrier": 1.0, "tilt": 0.1, "diffusion": 0.5},
    "DoubleWell": {"barrier": 1.0, "stiffness": 1.0, "tilt": 0.1},
    "Logistic": {"features": FEATURES, "labels": LABELS, "prior_variance": 2.0},
    "NegativeLogDensity": {"measure": wgf.Gaussian(0, 1)},
    "Quadratic": {"A": [[1.0]], "center": [0.0]},
    "Ring": {"radius": 1.0, "stiffness": 1.0},
    "observed_order": {"h": [0.4, 0.2, 0.1], "errors": [0.16, 0.04, 0.01], "reference_error": 0.0, "samples": None,
                       "how": "rms", "noise_is_error": False, "abscissa": "dt", "seed": 0},
    **dict.fromkeys(("autocorrelation_time", "effective_sample_size", "r_hat"),
                    {"x": np.random.default_rng(0).standard_normal((2, 50))}),
    "bad_calls": {"target": wgf.internal},
    "check_energy": {"energy": PROBLEM.energy, "dimension": 1, "bounds": (-1.0, 1.0), "seed": 0},
    "check_measure": {"measure": wgf.Gaussian(0, 1), "seed": 0},
    "check_scheme": {"scheme": SCHEME, "problems": [PROBLEM], "strict": False},
    "grad": {"f": np.sum},
    "value_and_grad": {"f": np.sum},
    "measure": {"measure": wgf.Gaussian(0, 1), "path": "a.png", "bounds": BOX, "title": "a"},
    "order": {"h": [0.2, 0.1], "errors": [0.04, 0.01], "dropped": [0], "spread": [0.01, 0.01], "value": 2.0,
              "expected": 2.0, "x_label": "h", "y_label": "error", "ticks": ["a", "b"], "title": "a", "path": "a.png"},
    "trajectory": {"trajectory": RUN, "path": "a.png", "bounds": BOX, "title": "a"},
    "animation": {"trajectory": RUN, "path": "a.gif", "bounds": BOX, "fps": 2, "title": "a"},
    **{name: {"max_dimension": 1} for name in
       ("gaussians", "gaussian_flows", "translations", "dilations", "permutations", "diracs")},
}  # fmt: skip

INSTANCES: dict[str, Any] = {
    "Energy": PROBLEM.energy,
    "Problem": PROBLEM,
    "Trajectory": RUN,
    "Particles": CLOUD,
    "Density": wgf.Density(GRID, np.ones(12) / 6),
    "WeightedPoisson": wgf.transport.WeightedPoisson(wgf.Density(GRID, np.ones(12) / 6)),
    **{name: getattr(wgf, name)(**GOOD[name])
       for name in ("Gaussian", "Mixture", "Uniform", "Barenblatt", "Quantiles")},
    **{name: getattr(wgf.energies, name)(**GOOD[name])
       for name in ("DoubleWell", "Logistic", "NegativeLogDensity", "Quadratic", "Ring")},
}  # fmt: skip
ARGUMENTS: dict[str, Any] = {
    "x": POINTS, "u": np.array([0.2, 0.7]), "n": 3, "rng": 0, "path": "out.npz", "t": 0.1, "cells": 8,
    "measure": wgf.Gaussian(0, 1), "grid": GRID, "f": lambda x: np.exp(-(x**2).sum(-1)), "data": POINTS,
    "bandwidth": 0.5, "density": wgf.Density(GRID, np.ones(12) / 6), "particles": CLOUD,
    "source": np.zeros(12), "theta": np.zeros((1, 3)), "text": "{}", "expected": 2.0, "columns": ["x"],
}  # fmt: skip


def method_of(name: str) -> tuple[Callable[..., Any], dict[str, Any]]:
    _, owner, method = name.rsplit(".", 2)
    if owner == "Study":
        INSTANCES.setdefault("Study", wgf.compare(PROBLEM, [SCHEME], **TIMES))
    bound = getattr(INSTANCES[owner], method)
    return bound, {argument: ARGUMENTS[argument] for argument in checks.REGISTRY[name].kinds}


# ---------------------------------------------------------------------------------------------- the test


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    def stop(number: int, frame: Any) -> None:
        raise TimeoutError

    previous = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def outcome(call: Callable[..., Any], good: dict[str, Any], argument: str, value: Any) -> str | None:
    """None when the call is refused as it should be, else what happened instead."""
    shown = f"{argument}={checks.shown(value)}"
    with warnings.catch_warnings(), time_limit():
        warnings.simplefilter("error")
        try:
            call(**{**good, argument: value})
        except (ValueError, TypeError) as error:  # SchemeError and MeasureError are such
            return None if argument in str(error) else f"{shown}: unnamed: {error}"
        except TimeoutError:
            return f"{shown}: hangs"
        except Exception as error:
            return f"{shown}: {type(error).__name__}: {error}"
    return f"{shown}: accepted"


def complaints(call: Callable[..., Any], good: dict[str, Any]) -> list[str]:
    found = (outcome(call, good, argument, value) for argument, value in bad_calls(call))
    return [complaint for complaint in found if complaint is not None]


CALLABLES = public_callables()
METHODS = public_methods()


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", CALLABLES)
def test_a_public_callable_refuses_bad_input_by_name(name):
    target = CALLABLES[name]
    assert door_of(target) is not None, f"{name} has no registered checks"
    good = GOOD.get(name.rsplit(".", 1)[1], {})
    assert complaints(target, good) == []


@pytest.mark.parametrize("name", METHODS)
def test_a_public_method_refuses_bad_input_by_name(name):
    call, good = method_of(name)
    assert complaints(call, good) == []


@pytest.mark.parametrize("name", [*CALLABLES, *METHODS])
def test_every_parameter_has_a_kind(name):
    """No parameter is exempt but the object or class a method belongs to."""
    door = checks.REGISTRY[name] if name in METHODS else door_of(CALLABLES[name])
    assert door is not None
    assert set(inspect.signature(door.target).parameters) - {"self", "cls"} <= set(door.kinds)


NEEDS_A_FILE = {"load", "density_of_file", "logistic_regression_of_file"}


@pytest.mark.parametrize("name", CALLABLES)
def test_the_good_call_is_good(name):
    """Otherwise a refusal would prove nothing."""
    short = name.rsplit(".", 1)[1]
    if short not in NEEDS_A_FILE:
        CALLABLES[name](**GOOD.get(short, {}))


def test_at_least_1800_bad_calls_are_refused(capsys):
    targets = [*CALLABLES.values(), *(method_of(name)[0] for name in METHODS)]
    count = sum(len(list(bad_calls(target))) for target in targets)
    with capsys.disabled():
        print(f"\n{count} bad calls over {len(CALLABLES)} public callables and {len(METHODS)} methods")
    assert count >= LEAST


# ----------------------------------------------------------------------------------- negative controls


@checks.checked(a=checks.positive)
def _silent(a, b=1.0):
    return a


def _unchecked(a):
    return a


def test_a_callable_without_checks_is_refused():
    with pytest.raises(ValueError, match="target must have registered checks"):
        bad_calls(_unchecked)


def test_what_is_accepted_unnamed_or_warned_about_is_reported():
    def warns(a):
        warnings.warn("careful", stacklevel=1)

    def unnamed(b):
        raise ValueError("no.")

    assert outcome(_silent, {}, "a", -1.0) is None
    assert outcome(_unchecked, {}, "a", -1.0) == "a=-1.0: accepted"
    assert "UserWarning" in str(outcome(warns, {}, "a", -1.0))
    assert outcome(unnamed, {}, "b", -1.0) == "b=-1.0: unnamed: no."


def test_a_hang_is_reported(monkeypatch):
    def hangs(a):
        while True:
            pass

    monkeypatch.setitem(globals(), "SECONDS", 0.05)
    assert outcome(hangs, {}, "a", 1.0) == "a=1.0: hangs"
