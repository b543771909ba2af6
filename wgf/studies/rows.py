"""From results to rows: errors, their spread over seeds, the energy gap, the mass, the time."""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np

from wgf.studies.metrics import metric_name
from wgf.studies.orders import aggregate, floors

Row = dict[str, Any]


def row(
    results: list[Any],
    deviations: list[np.ndarray],
    metric: Any,
    how: Literal["rms", "bias"],
    reference_energy: float | None,
) -> Row:
    """The row of one scheme at one setting from its results over the seeds.

    Keys: the metric's name (the error), "spread" (its standard error over seeds), "noise" (the
    Monte-Carlo floor), "samples" (the deviations), "energy_gap", "mass_error", "seconds", "dt", "status".
    """
    failed = [r.failure for r in results if r.failure]
    if failed:
        return failure("failed", failed[0])
    samples = np.stack(deviations)  # (seeds, k)
    scattered = len(samples) > 1 and bool(np.ptp(samples, axis=0).max() > 0)
    error = float(aggregate(samples[None], how)[0])
    energies = [r.energy for r in results if r.energy is not None]
    gap = float(np.mean(energies)) - reference_energy if energies and reference_energy is not None else None
    masses = [r.mass - 1 for r in results]
    return {
        "status": "finished",
        "dt": results[0].dt,
        metric_name(metric): error,
        "spread": _spread(samples, error, how) if scattered else None,
        "noise": float(floors(samples[None], how)[0]) if scattered else None,
        "samples": samples.tolist() if scattered else None,
        "energy_gap": gap,
        "mass_error": max(masses, key=abs),
        "seconds": float(np.mean([r.seconds for r in results])),
        "fallback_steps": max(r.fallback_steps for r in results),
    }


def failure(status: str, note: str) -> Row:
    """The row of a run that gave nothing: status "failed" or "not applicable", and the sentence why."""
    return {"status": status, "note": note}


def _spread(samples: np.ndarray, error: float, how: Literal["rms", "bias"]) -> float:
    """The standard error of an aggregate over seeds: of an RMS by the delta method, of a bias as it is."""
    if how == "bias":
        return float(floors(samples[None], how)[0])
    squares = np.sum(samples**2, axis=-1)
    return float(squares.std(ddof=1) / math.sqrt(len(squares)) / (2 * error)) if error > 0 else 0.0
