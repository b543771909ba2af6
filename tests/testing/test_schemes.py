"""check_scheme: right schemes pass, and each planted fault is caught by the check that is meant for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pytest

import wgf
from wgf.schemes.names import known
from wgf.testing import check_scheme
from wgf.testing.schemes import default_problems

LINE = default_problems()[0]


class Cloud(NamedTuple):
    x: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """Euler-Maruyama written by a reader, with dials to break it."""

    particles: int = 2000
    noise: float = float(np.sqrt(2.0))
    drift: float = 1.0

    def supports(self, problem):
        return None

    def init(self, problem, rng):
        return Cloud(problem.initial.sample(self.particles, rng))

    def step(self, problem, state, dt, rng):
        force = -problem.energy.potential_gradient(state.x)
        noise = self.noise * np.sqrt(dt) * rng.standard_normal(state.x.shape)
        return Cloud(state.x + dt * self.drift * force + noise), wgf.StepInfo()

    def measure(self, problem, state):
        return wgf.Particles(state.x)


class Moments(NamedTuple):
    mean: float
    variance: float
    t: float


@dataclass(frozen=True, kw_only=True)
class Exact:
    """The exact Gaussian of the default problem on the line, on a grid, with dials to break it."""

    speed: float = 1.0
    leak: float = 0.0
    dip: float = 0.0
    heat: float = 1.0

    def supports(self, problem):
        return None if problem.dimension == 1 else "it needs one dimension"

    def init(self, problem, rng):
        return Moments(float(problem.initial.mean()[0]), float(problem.initial.cov()[0, 0]), 0.0)

    def step(self, problem, state, dt, rng):
        decay = np.exp(-self.speed * dt)
        variance = self.heat + (state.variance - self.heat) * decay**2
        return Moments(state.mean * decay, variance, state.t + dt), wgf.StepInfo()

    def measure(self, problem, state):
        density = wgf.Density.from_measure(wgf.Gaussian(state.mean, state.variance), problem.grid(200))
        values = density.values * (1 + self.leak * state.t)
        if self.dip:
            values = values - self.dip * (np.arange(values.size) == 0)
        return wgf.Density(density.grid, values)


def failures(scheme: Any, problems: Any = (LINE,), **options: Any) -> set[str]:
    return {line.name for line in check_scheme(scheme, problems, **options).failed}


def test_a_right_sampler_passes_on_the_default_problems():
    report = check_scheme(Sampler())
    assert report.passed, report
    assert {line.where for line in report.lines} == {"", "ornstein-uhlenbeck, 1-D", "ornstein-uhlenbeck, 2-D"}
    assert "false alarm 1e-06" in str(report)


@pytest.mark.parametrize("scheme", [wgf.schemes.FokkerPlanck(cells=120), wgf.schemes.QuantileJKO(levels=200)])
def test_a_right_deterministic_scheme_passes(scheme):
    report = check_scheme(scheme, LINE)
    assert report.passed, report


def test_the_exact_solution_passes():
    report = check_scheme(Exact(), LINE)
    assert report.passed, report


@pytest.mark.parametrize(
    "wrong",
    [
        {"noise": 1.0}, {"drift": -1.0}, {"drift": 0.5}, {"drift": 2.0}, {"noise": 1.28}, {"noise": 1.56},
        {"drift": 0.8}, {"drift": 1.25}, {"noise": 0.0},
    ],
    ids=str,
)  # fmt: skip
def test_wrong_noise_or_drift_is_caught(wrong):
    assert not check_scheme(Sampler(**wrong), LINE).passed


def test_a_wrong_clock_is_caught_on_the_way_though_the_equilibrium_is_right():
    found = failures(Sampler(drift=0.5, noise=1.0))  # everything at half the speed
    assert "moments right on the way" in found
    assert "distance right on the way" in found
    assert "equilibrium at rest" not in found


@pytest.mark.parametrize("wrong", [{"speed": 0.9}, {"speed": 1.1}, {"heat": 1.05}, {"heat": 0.95}], ids=str)
def test_a_deterministic_scheme_is_held_to_a_few_per_cent(wrong):
    found = failures(Exact(**wrong))
    assert found & {"moments right on the way", "moments right late"}


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ({"leak": 1e-6}, "mass is kept"),
        ({"dip": 1e-3}, "density stays nonnegative"),
        ({"heat": 0.9}, "equilibrium at rest"),
        ({"speed": -0.2}, "energy never increases"),
    ],
)
def test_a_planted_fault_fails_the_check_meant_for_it(wrong, check):
    assert check in failures(Exact(**wrong))


# ---------------------------------------------------------------------- faults of the protocol itself


def altered(**methods: Any) -> Any:
    return type("Altered", (Sampler,), methods)(particles=400)


def _writes_into_its_state(self, problem, state, dt, rng):
    state.x[:] = state.x * (1 - dt) + np.sqrt(2 * dt) * rng.standard_normal(state.x.shape)
    return state, wgf.StepInfo()


def _counts_in_the_object(self, problem, state, dt, rng):
    calls = self.__dict__.setdefault("calls", [0])
    calls[0] += 1
    noise = np.random.default_rng(calls[0]).standard_normal(state.x.shape)
    return Cloud(state.x * (1 - dt) + np.sqrt(2 * dt) * noise), wgf.StepInfo()


def _uses_global_randomness(self, problem, state, dt, rng):
    noise = np.random.standard_normal(state.x.shape)  # noqa: NPY002  (the fault to be caught)
    return Cloud(state.x * (1 - dt) + np.sqrt(2 * dt) * noise), wgf.StepInfo()


@pytest.mark.parametrize(
    ("scheme", "check"),
    [
        (altered(supports=lambda self, problem: True), "answers supports"),
        (altered(supports=lambda self, problem: None if problem.bounds else ""), "answers supports"),
        (altered(init=lambda self, problem, rng: {"x": 1.0}), "state is plain and finite"),
        (altered(init=lambda self, problem, rng: Cloud([1.0])), "state is plain and finite"),
        (altered(init=lambda self, problem, rng: Cloud(np.array([[np.nan]]))), "state is plain and finite"),
        (altered(step=lambda self, problem, state, dt, rng: state), "state is plain and finite"),
        (altered(step=lambda self, problem, state, dt, rng: (state, {})), "state is plain and finite"),
        (altered(step=_writes_into_its_state), "step is pure"),
        (altered(step=_counts_in_the_object), "same seed same bits"),
        (altered(step=_counts_in_the_object), "resume equals uninterrupted"),
        (altered(step=_uses_global_randomness), "same seed same bits"),
        (
            altered(measure=lambda self, problem, s: wgf.Particles(np.ones((5, 3)))),
            "measure has the dimension",
        ),
    ],
)
def test_a_broken_protocol_is_named(scheme, check):
    report = check_scheme(scheme, LINE)
    assert check in {line.name for line in report.failed}, report


def test_an_exception_of_the_scheme_is_a_finding_and_not_a_crash():
    def breaks(self, problem, state, dt, rng):
        raise KeyError("lost")

    report = check_scheme(altered(step=breaks), LINE)
    assert not report.passed
    assert any("raised KeyError" in line.found for line in report.failed)


def test_a_problem_a_scheme_does_not_support_is_not_applicable():
    report = check_scheme(Exact(), default_problems())
    assert report.passed
    assert ("supports", "not applicable", "it needs one dimension") in {line[:3] for line in report.lines}


def test_a_scheme_that_supports_nothing_does_not_pass():
    assert failures(altered(supports=lambda self, problem: "it is idle")) == {"supports some problem"}


def test_a_problem_without_exact_solution_is_checked_for_all_else():
    problem = wgf.Problem(LINE.energy, initial=LINE.initial, bounds=(-6, 6))
    report = check_scheme(Exact(), problem)
    verdicts = {line.name: line.verdict for line in report.lines}
    assert verdicts["moments right late"] == "not applicable"
    assert verdicts["mass is kept"] == "held"


# ----------------------------------------------------------------------------------------- strict mode


@dataclass(frozen=True, kw_only=True)
class Careful(Sampler):
    def __post_init__(self):
        if isinstance(self.particles, bool) or not isinstance(self.particles, int) or self.particles < 1:
            raise ValueError(f"particles must be an integer >= 1, got {self.particles!r}.")
        for name in ("noise", "drift"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or not np.isfinite(value):
                raise ValueError(f"{name} must be a finite number, got {value!r}.")


def test_constructors_are_judged_only_when_strict():
    assert "refuses bad settings" not in {
        line.name for line in check_scheme(Sampler(particles=50), LINE).lines
    }
    assert "refuses bad settings" in failures(Sampler(particles=50), strict=True)
    assert "refuses bad settings" not in failures(Careful(particles=50), strict=True)


def test_a_refusal_that_does_not_name_the_setting_is_caught():
    @dataclass(frozen=True)
    class Rude(Sampler):
        def __post_init__(self):
            if not self.particles > 0 or not isinstance(self.particles, int):
                raise ValueError("no.")

    assert "refuses bad settings" in failures(Rude(particles=50), strict=True)


@pytest.mark.parametrize("name", [c.__name__ for c in known().values()])
def test_our_own_schemes_refuse_bad_settings(name):
    assert "refuses bad settings" not in failures(name_to_scheme(name), strict=True)


def name_to_scheme(name: str) -> Any:
    small = {"FokkerPlanck": {"cells": 40}, "QuantileJKO": {"levels": 40}, "Langevin": {"particles": 50}}
    return getattr(wgf.schemes, name)(**small.get(name, {}))
