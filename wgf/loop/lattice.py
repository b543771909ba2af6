"""The step lattice: shrinking dt once, and serving save times by the nearest step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wgf import checks

MOST_STEPS = 10**10
ROUNDING = 1e-9  # of a step: t_end / dt = 99.9999999999 means 100 steps


def steps_of(t_end: float, dt: float) -> tuple[int, float]:
    """Number of steps and the dt that is run: the largest dt' <= dt that divides t_end."""
    ratio = t_end / dt
    if ratio > MOST_STEPS:
        raise ValueError(f"dt must give at most {MOST_STEPS:g} steps to t_end = {t_end:g}, got {dt!r}.")
    steps = max(int(np.ceil(ratio - ROUNDING)), 1 if t_end > 0 else 0)
    return steps, t_end / steps if steps else dt


def save_steps(save_at: Any, t_end: float, steps: int, dt: float) -> set[int]:
    """Step numbers to be saved: both ends, and the nearest step to each requested time."""
    if save_at is None:
        return {0, steps}
    if isinstance(save_at, Sequence | np.ndarray):
        times = checks.array("times")("save_at", save_at)
        if times.min() < 0 or times.max() > t_end * (1 + ROUNDING):
            bad = times.max() if times.max() > t_end else times.min()
            raise ValueError(f"save_at must lie in [0, t_end = {t_end:g}], got {bad:g}.")
    else:
        spacing = checks.positive("save_at", save_at)
        if spacing > t_end * (1 + ROUNDING):
            raise ValueError(f"save_at must not exceed t_end = {t_end:g}, got the spacing {spacing:g}.")
        times = spacing * np.arange(int(t_end / spacing + ROUNDING) + 1)
    return {0, steps} | {min(int(k), steps) for k in np.rint(times / dt)}


def _save_at(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if value is None:
        return None
    if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str):
        return checks.array("times")(name, value)
    return checks.positive(name, value)


save_at_kind = checks.Kind(
    "a spacing > 0 or a sequence of times", _save_at, (0.0, -1.0, np.nan, "a", [], [np.nan], [[0.1]], 1j)
)
