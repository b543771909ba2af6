"""How far a result is from its reference: the metrics a table can show, and which one suits.

A metric gives a deviation of shape (k,), whose norm is the error: signed numbers for the moments (so
that bias and noise can be told apart over seeds), one distance otherwise.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures import Density
from wgf.transport import distance
from wgf.transport.project import projector

SMALL_CLOUD = 1000  # points; exact assignment then takes well under a second
DISTANCES = ("w2", "sliced_w2", "l1", "kl")
MOMENTS = ("mean", "cov")
NAMES = (*DISTANCES, *MOMENTS)
# How a header writes each metric.
TITLES = {
    "w2": "W2",
    "sliced_w2": "sliced W2",
    "l1": "L1",
    "kl": "KL",
    "mean": "mean",
    "cov": "cov",
}


def _metric(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if callable(value):
        return value
    return checks.choice(*NAMES)(name, value)


metric_kind = checks.Kind(
    "the name of a metric, or a function of two measures", _metric, ("w3", "", 3.0, None, float("nan"))
)


def metric_name(metric: Any) -> str:
    """The column key of a metric: its name, or a function's own name."""
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "metric")


def title(metric: str) -> str:
    """How a table writes a metric: 'W2' for "w2"."""
    return TITLES.get(metric, metric)


def projectable(measure: Any, grid: Any) -> Any:
    """The measure itself, or its averages on `grid` when a sliced distance cannot project it.

    A `Barenblatt` or a gallery's exact density has no projections in closed form; on the grid of the result
    it is held against, its cell averages have.
    """
    try:
        projector(measure, "reference")
    except MeasureError:
        return measure if grid is None else Density.from_measure(measure, grid)
    return measure


def deviation(measure: Any, reference: Any, metric: Any) -> np.ndarray:
    """The deviation (k,) of a measure from its reference."""
    if callable(metric):
        return np.atleast_1d(np.asarray(metric(measure, reference), dtype=float)).ravel()
    if metric == "mean":
        return measure.mean() - reference.mean()
    if metric == "cov":
        return (measure.cov() - reference.cov()).ravel()
    if metric == "sliced_w2":
        reference = projectable(reference, getattr(measure, "grid", None))
    return np.array([float(distance(measure, reference, metric))])


def transport_metric(measures: list[Any]) -> str:
    """The name "w2" where that is exact between all of `measures`, else "sliced_w2".

    Exact are: the line, Gaussians among themselves, equally many points, at most 1000, of equal weight.
    """
    if measures[0].dimension == 1:
        return "w2"
    if all(getattr(m, "kind", "") == "gaussian" for m in measures):
        return "w2"
    clouds = [m for m in measures if getattr(m, "kind", "") == "particles"]
    alike = len({len(m.x) for m in clouds}) == 1 and not any(m.weighted for m in clouds)
    if len(clouds) == len(measures) and alike and len(clouds[0].x) <= SMALL_CLOUD:
        return "w2"
    return "sliced_w2"


def natural_metric(measure: Any, reference: Any) -> str:
    """The metric of a study that was given none: "l1" for densities, else a transport distance."""
    if hasattr(measure, "grid") and hasattr(reference, "pdf"):
        return "l1"
    return transport_metric([measure, reference])
