"""Checks against exact answers: moments and distance on the way, late, and at rest.

Errors are in units of the exact standard deviation. What is allowed is explained in `check_scheme`: a
deterministic scheme's error must be explained by its step, a stochastic one's by its step and its noise.
Times of transit and of equilibrium are both asked: a scheme that runs at half the speed, or the right
equilibrium with a wrong clock, shows only on the way; wrong noise shows best at the end.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.errors import MeasureError
from wgf.measures import Particles
from wgf.problem import Problem
from wgf.testing.report import NotApplicable, require, within
from wgf.testing.runs import Case
from wgf.testing.statistics import FALSE_ALARM, SEEDS, difference_bound, mean_bound
from wgf.transport import distance

FIRST_ORDER = 1.5  # bias per dt of a first-order scheme at rates of order 1, in standard deviations
RESOLUTION = 0.01  # what cells, levels or a smoothing length may cost, in standard deviations
DIRECTIONS = 8  # of a sliced distance: enough to see a wrong law, cheap enough to repeat
ON_THE_WAY, LATE, REST = (0.5, 0.02), (3.0, 0.04), (1.0, 0.02)  # (t_end, dt)


def _exact(problem: Problem, t: float) -> Any:
    if problem.exact is None:
        raise NotApplicable("the problem has no exact solution")
    return problem.exact(t)


def _scale(truth: Any) -> float:
    return float(np.sqrt(np.linalg.eigvalsh(truth.cov())[-1]))


def _moment_errors(measure: Any, truth: Any) -> np.ndarray:
    """Errors of the mean and of the upper triangle of the covariance, in standard deviations."""
    scale, upper = _scale(truth), np.triu_indices(truth.dimension)
    mean = (np.asarray(measure.mean()) - truth.mean()) / scale
    return np.concatenate([mean, ((np.asarray(measure.cov()) - truth.cov()) / scale**2)[upper]])


def _hold_moments(case: Case, problem: Problem, t_end: float, dt: float) -> str:
    truth = _exact(problem, t_end)
    errors = np.array([_moment_errors(m, truth) for m in case.finals(t_end, dt, problem)])
    if case.stochastic:
        error, noise = mean_bound(errors)
        allowed, remark = FIRST_ORDER * dt + noise, f"{SEEDS} seeds, false alarm {FALSE_ALARM:g}"
    else:
        finer = _moment_errors(case.finals(t_end, dt / 2, problem)[0], truth)
        allowed, remark = 2 * np.abs(errors[0] - finer) + RESOLUTION, "in standard deviations"
        error = finer
    require(np.isfinite(error).all(), "mean or covariance is not finite")
    worst = int(np.argmax(np.abs(error) / allowed))
    quantity = "mean" if worst < truth.dimension else "covariance"
    return within(abs(error[worst]), allowed[worst], f"t = {t_end:g}: {quantity} off by") + f" ({remark})"


def _distance(a: Any, b: Any) -> float:
    kind = "w2" if a.dimension == 1 else "sliced_w2"
    try:
        return distance(a, b, kind, directions=None if a.dimension == 1 else DIRECTIONS)
    except MeasureError as reason:
        raise NotApplicable(str(reason).split(".")[0]) from None


def _hold_distance(case: Case, problem: Problem, t_end: float, dt: float) -> str:
    truth = _exact(problem, t_end)
    scale, finals = _scale(truth), case.finals(t_end, dt, problem)
    kind = "w2" if truth.dimension == 1 else "sliced w2"
    if not case.stochastic:
        finer = case.finals(t_end, dt / 2, problem)[0]
        allowed = 2 * _distance(finals[0], finer) / scale + RESOLUTION
        return within(_distance(finer, truth) / scale, allowed, f"t = {t_end:g}: {kind}")
    if not isinstance(finals[0], Particles):
        raise NotApplicable(f"a noisy {type(finals[0]).__name__} has no reference distance")
    rng = np.random.default_rng(20_000)  # independent clouds of the truth show what a perfect sampler gets
    perfect = [Particles(truth.sample(len(m.x), rng)) for m in finals]
    excess, noise = difference_bound(
        [_distance(m, truth) / scale for m in finals], [_distance(p, truth) / scale for p in perfect]
    )
    found = within(
        max(excess, 0.0), FIRST_ORDER * dt + noise, f"t = {t_end:g}: {kind} beyond a perfect sample's"
    )
    return f"{found} ({SEEDS} seeds, false alarm {FALSE_ALARM:g})"


def moments_right_on_the_way(case: Case) -> str:
    """Mean and covariance at t = 0.5."""
    return _hold_moments(case, case.problem, *ON_THE_WAY)


def distance_right_on_the_way(case: Case) -> str:
    """Distance to the exact solution at t = 0.5."""
    return _hold_distance(case, case.problem, *ON_THE_WAY)


def moments_right_late(case: Case) -> str:
    """Mean and covariance at t = 3."""
    return _hold_moments(case, case.problem, *LATE)


def distance_right_late(case: Case) -> str:
    """Distance to the exact solution at t = 3."""
    return _hold_distance(case, case.problem, *LATE)


def equilibrium_at_rest(case: Case) -> str:
    """Started at the equilibrium, the moments are still there at t = 1."""
    return _hold_moments(case, case.at_rest, *REST)


CHECKS = (
    moments_right_on_the_way,
    distance_right_on_the_way,
    moments_right_late,
    distance_right_late,
    equilibrium_at_rest,
)
