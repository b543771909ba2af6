"""Checks that need no exact answer: the protocol, purity, reproducibility, mass, positivity, energy decay.

Each takes a `Case` and returns what it found, or raises `Fault` (does not hold) or `NotApplicable`.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from wgf import storage
from wgf.base import StepInfo
from wgf.energies import entropy, interaction, internal, potential
from wgf.errors import MeasureError, SchemeError
from wgf.loop import solve
from wgf.measures import Gaussian
from wgf.measures.base import NEGATIVE_TOLERANCE
from wgf.problem import Problem
from wgf.testing.report import Fault, NotApplicable, require, within
from wgf.testing.runs import SHORT, Case, bits, twin

MASS_ERROR = 1e-6  # the initial measure may lose a far tail to the box
MASS_DRIFT = 1e-12  # relative, over a short run
ENERGY_RISE = 1e-8  # relative: what an inner iteration may leave


def answers_supports(scheme: Any) -> str:
    """`supports` answers None or a sentence, and never raises, for energies of every kind."""
    confined = potential(lambda x: 0.5 * (x**2).sum(-1))
    attraction = interaction(lambda z: 0.5 * (z**2).sum(-1))
    asked = 0
    for energy in (
        entropy(),
        confined,
        entropy() + confined,
        internal(2.0),
        attraction,
        entropy() + attraction,
    ):
        for d in (1, 2, 3):
            for bounds in (None, [(-4.0, 4.0)] * d):
                answer = scheme.supports(Problem(energy, initial=Gaussian(np.zeros(d), 1.0), bounds=bounds))
                proper = answer is None or (isinstance(answer, str) and bool(answer.strip()))
                require(proper, f"supports must return None or a sentence, got {answer!r} for {energy!r}")
                asked += 1
    return f"{asked} problems asked"


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, np.number, np.bool_)) or hasattr(value, "dtype")


def state_is_plain_and_finite(case: Case) -> str:
    """init and step return the same NamedTuple type, of finite arrays and numbers only; step a StepInfo."""
    rng = np.random.default_rng(0)
    first = case.scheme.init(case.problem.at(0.0), rng)
    require(hasattr(first, "_fields"), f"init must return a NamedTuple, got {type(first).__name__}")
    outcome = case.scheme.step(case.problem.at(0.0), first, 0.02, rng)
    require(isinstance(outcome, tuple) and len(outcome) == 2, "step must return (state, StepInfo)")
    second, info = outcome
    require(isinstance(info, StepInfo), f"step must return a StepInfo second, got {type(info).__name__}")
    require(type(second) is type(first), "step must return the state type of init")
    for state in (first, second):
        for name, value in state._asdict().items():
            require(
                _is_plain(value),
                f"state field {name} must be an array or a number, got {type(value).__name__}",
            )
            array = np.asarray(value)
            require(
                array.dtype.kind not in "fc" or np.isfinite(array).all(), f"state field {name} is not finite"
            )
    return f"fields {', '.join(first._fields)}"


def measure_has_the_dimension(case: Case) -> str:
    """`measure` has dimension d, a mean (d,) and a covariance (d, d), symmetric."""
    measure = case.scheme.measure(case.problem.at(0.0), case.states(0)[-1])
    d = case.problem.dimension
    require(measure.dimension == d, f"measure has dimension {measure.dimension}, the problem {d}")
    mean, cov = np.asarray(measure.mean()), np.asarray(measure.cov())
    require(mean.shape == (d,), f"mean() has shape {mean.shape}, not ({d},)")
    require(cov.shape == (d, d), f"cov() has shape {cov.shape}, not ({d}, {d})")
    require(np.abs(cov - cov.T).max() <= 1e-12 * np.abs(cov).max(), "cov() is not symmetric")
    return type(measure).__name__


def step_is_pure(case: Case) -> str:
    """The state passed to step and the scheme's settings are as before."""
    rng = np.random.default_rng(0)
    before = case.scheme.init(case.problem.at(0.0), rng)
    kept, settings = twin(before), repr(case.scheme)
    case.scheme.step(case.problem.at(0.0), before, 0.02, rng)
    case.scheme.measure(case.problem.at(0.0), before)
    require(bits(before) == bits(kept), "step or measure wrote into the state it was given")
    require(repr(case.scheme) == settings, "step changed the scheme's own settings")
    return "state and settings untouched"


def same_seed_same_bits(case: Case) -> str:
    """Two runs with one seed agree bit by bit, whatever ran in between."""
    first = case.states(7)[-1]
    case.states(8, steps=2)
    require(bits(case.states(7)[-1]) == bits(first), f"two runs with seed 7 differ after {SHORT} steps")
    return f"{SHORT} steps identical"


def resume_equals_uninterrupted(case: Case) -> str:
    """Saving state and generator, and going on with a fresh copy of the scheme, changes no bit."""
    stop, dt = SHORT // 3, 0.02
    whole = case.states(5)[-1]
    rng, scheme = np.random.default_rng(5), twin(case.scheme)
    state = scheme.init(case.problem.at(0.0), rng)
    for k in range(stop):
        state, _ = scheme.step(case.problem.at(k * dt), state, dt, rng)
    saved, generator = storage.pack_state(state), json.dumps(rng.bit_generator.state)
    fresh, rng = twin(case.scheme), np.random.default_rng()
    rng.bit_generator.state = json.loads(generator)
    state = storage.unpack_state(state, saved)
    for k in range(stop, SHORT):
        state, _ = fresh.step(case.problem.at(k * dt), state, dt, rng)
    require(bits(state) == bits(whole), f"stopping at step {stop} of {SHORT} and going on changes the result")
    return f"stopped at step {stop} of {SHORT}"


def mass_is_kept(case: Case) -> str:
    """The mass of the measure is 1, and does not drift."""
    measures = [case.scheme.measure(case.problem, s) for s in case.states(0)]
    if not hasattr(measures[0], "mass"):
        raise NotApplicable(f"a {type(measures[0]).__name__} has no mass to drift")
    masses = np.array([m.mass for m in measures])
    within(abs(masses[0] - 1), MASS_ERROR, "initial mass is off 1 by")
    return within(np.abs(masses / masses[0] - 1).max(), MASS_DRIFT * SHORT, "relative drift")


def density_stays_nonnegative(case: Case) -> str:
    """Cell averages, cell masses and weights are >= 0 up to rounding."""
    measures = [case.scheme.measure(case.problem, s) for s in case.states(0)]
    for name in ("values", "masses", "w"):
        if hasattr(measures[0], name):
            lowest = min(float(np.min(getattr(m, name)) / np.max(getattr(m, name))) for m in measures)
            require(lowest >= -NEGATIVE_TOLERANCE, f"{name} reach {lowest:.2g} of their largest value")
            return f"least {name} {lowest:.2g} of the largest"
    raise NotApplicable(f"a {type(measures[0]).__name__} has no values that could be negative")


def energy_never_increases(case: Case) -> str:
    """Along a deterministic run the energy falls at every step."""
    if case.stochastic:
        raise NotApplicable("a stochastic scheme's energy may rise in one run")
    try:
        run = solve(
            case.problem, case.scheme, t_end=1.0, dt=0.02, save_at=0.02, record=["energy"], progress=False
        )
    except (SchemeError, MeasureError) as reason:
        raise NotApplicable(str(reason).split(".")[0]) from None
    energy = np.asarray(run.record["energy"], dtype=float)
    rise = float(np.diff(energy).max()) / (1 + float(np.abs(energy).max()))
    if not np.isfinite(energy).all():
        raise Fault("the energy is not finite")
    return within(max(rise, 0.0), ENERGY_RISE, f"{len(energy) - 1} steps, largest relative rise")


CHECKS = (
    state_is_plain_and_finite,
    measure_has_the_dimension,
    step_is_pure,
    same_seed_same_bits,
    resume_equals_uninterrupted,
    mass_is_kept,
    density_stays_nonnegative,
    energy_never_increases,
)
