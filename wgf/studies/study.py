"""study: one scheme at several resolutions, with errors, observed orders and intervals."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np

from wgf import checks
from wgf.errors import SchemeError
from wgf.problem import Problem
from wgf.schemes.names import scheme_kind
from wgf.studies import references
from wgf.studies.labels import label, size_text, step_size
from wgf.studies.metrics import deviation, metric_kind, metric_name, natural_metric
from wgf.studies.references import Reference
from wgf.studies.rows import Row, row
from wgf.studies.tables import Study
from wgf.studies.units import Result, Unit, energy_of, run_all

Group = tuple[list[Result], list[np.ndarray]]  # of one level: results and deviations over the seeds

problem_kind = checks.instance("a Problem", Problem)


def _vary(name: str, value: Any, sizes: checks.Sizes) -> dict[str, list[Any]]:
    words = "a dict of setting -> values, such as {'cells': [50, 100, 200]}"
    if not isinstance(value, dict) or not value or not all(isinstance(k, str) for k in value):
        raise checks.refuse(name, words, value, TypeError)
    found: dict[str, list[Any]] = {}
    for key, levels in value.items():
        if isinstance(levels, (str, bytes)) or not hasattr(levels, "__iter__"):
            raise checks.refuse(f"{name}[{key!r}]", "a sequence of values", levels, TypeError)
        found[key] = [v.item() if isinstance(v, np.generic) else v for v in levels]
        if not found[key]:
            raise checks.refuse(f"{name}[{key!r}]", "a sequence of at least one value", levels)
    if len({len(levels) for levels in found.values()}) > 1:
        lengths = ", ".join(f"{key}: {len(levels)}" for key, levels in found.items())
        raise ValueError(f"{name} must have equally many values of every setting, got {lengths}.")
    return found


def _seeds(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if isinstance(value, (list, tuple, range)):
        seeds = [checks.integer(0)(f"{name}[{k}]", v) for k, v in enumerate(value)]
        if not seeds or len(set(seeds)) < len(seeds):
            raise checks.refuse(name, "different integers, at least one", value)
        return seeds
    return checks.integer(1)(name, value)


def _executor(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if not callable(getattr(value, "map", None)):
        raise checks.refuse(name, "an object with map(function, items)", value, TypeError)
    return value


vary_kind = checks.Kind(
    "a dict of setting -> values",
    _vary,
    ({}, {"cells": []}, {"cells": 50}, {"cells": [50], "dt": [0.1, 0.2]}, "cells", 3.0, None, {1: [2]}),
)
seeds_kind = checks.Kind(
    "an integer >= 1 or a sequence of integers", _seeds, (0, -1, 2.5, "a", float("nan"), [], [1, 1], [-1])
)
executor_kind = checks.Kind("an object with map(function, items)", _executor, (3.0, "x", float("nan")))


def seed_list(seed: int, seeds: Any) -> list[int]:
    """The seeds of a study: `seeds` of them from `seed` on, or the ones given."""
    if isinstance(seeds, list):
        return seeds
    return [seed + k for k in range(seeds or 1)]


def _levels(scheme: Any, vary: Mapping[str, Sequence[Any]], dt: float | None) -> list[tuple[Any, float]]:
    """The (scheme, dt) of each level; raises for a setting that is neither dt nor the scheme's."""
    fields = list(getattr(scheme, "__dataclass_fields__", ()))
    for key in vary:
        if key != "dt" and key not in fields:
            options = ["dt", *fields]
            raise ValueError(
                f"vary must name dt or a setting of {label(scheme)} ({', '.join(fields)}), "
                f"got {key!r}{checks.nearest(key, options)}."
            )
    abscissa = next(iter(vary))
    for value in vary[abscissa]:
        first = value[0] if isinstance(value, tuple) and value else value
        if isinstance(first, bool) or not isinstance(first, (int, float)):
            raise ValueError(
                f"vary must begin with a setting that is a number (errors are drawn over it), got "
                f"{abscissa!r} with {value!r}. To compare settings that are words, use compare."
            )
    if "dt" not in vary and dt is None:
        raise ValueError("dt must be given unless it is varied, got None.")
    steps = [checks.positive("dt", v) for v in vary.get("dt", [dt] * len(next(iter(vary.values()))))]
    found = []
    for k, step in enumerate(steps):
        changes = {key: values[k] for key, values in vary.items() if key != "dt"}
        variant: Any = dataclasses.replace(scheme, **changes) if changes else scheme
        found.append((variant, step))
    return found


@checks.checked(
    problem=problem_kind,
    scheme=scheme_kind,
    vary=vary_kind,
    t_end=checks.positive,
    dt=checks.optional(checks.positive),
    seed=checks.integer(0),
    seeds=checks.optional(seeds_kind),
    reference=checks.optional(references.reference_kind),
    metric=checks.optional(metric_kind),
    aggregate=checks.choice("rms", "bias"),
    workers=checks.optional(checks.integer(1)),
    executor=checks.optional(executor_kind),
)
def study(
    problem: Problem,
    scheme: Any,
    *,
    vary: Mapping[str, Sequence[Any]],
    t_end: float,
    dt: float | None = None,
    seed: int = 0,
    seeds: int | Sequence[int] | None = None,
    reference: Any = None,
    metric: Any = None,
    aggregate: Literal["rms", "bias"] = "rms",
    workers: int | None = None,
    executor: Any = None,
) -> Study:
    r"""Errors of one scheme over resolutions, with the order of convergence they show.

    vary: settings of the scheme, or "dt", and their values from coarse to fine; several settings go
    together, the first is the abscissa. Orders refer to 1/cells, 1/particles, or the dt that was RUN
    (`solve` shrinks dt so that steps land on t_end). At least 5 levels, by factors of 2, make a good case.
    seeds: how many (from `seed` on) or which; the same at every level (common random numbers). At least 20
    for an interval. aggregate: over seeds, "rms" shows bias and noise together (orders in the number of
    particles), "bias" the size of the mean deviation (weak orders in dt; metric "mean" or "cov").
    reference: None for the problem's exact solution, or a scheme (run at a finer dt; its own error is
    estimated by a coarser run), a measure, a trajectory, a function t -> measure.
    metric: "l1", "w2", "sliced_w2", "kl", "mean" (norm of the difference), "cov" or a
    function of two measures; None picks l1 for densities, else w2 or sliced_w2.
    workers: processes to run in; executor: anything with map(function, items). Both give the bits of the
    serial run. A run that fails is a row with its sentence.

    >>> import wgf
    >>> problem = wgf.problems.ornstein_uhlenbeck()
    >>> table = study(problem, "fokker-planck", vary={"cells": [25, 50, 100]}, t_end=0.1, dt=0.01)
    >>> table.order().levels, round(table.order().value)
    (3, 2)

    Roache, 1998, chapter 5 (observed orders); Efron & Tibshirani, 1993, chapter 13 (intervals over seeds).
    """
    steps = _levels(scheme, vary, dt)
    reason = steps[0][0].supports(problem)
    if reason is not None:
        raise SchemeError(f"{label(scheme)} cannot solve this problem: {reason}")
    where = {"workers": workers, "executor": executor}
    smallest = min(step for _, step in steps)
    against = references.find(problem, reference, t_end, smallest, seed, "dt" in vary, **where)
    numbers = seed_list(seed, seeds)
    units = [Unit(problem, variant, t_end, step, number) for variant, step in steps for number in numbers]
    metric, groups = _evaluate(run_all(units, **where), len(numbers), against, metric)
    energy = energy_of(problem, against.measure, t_end)
    rows: list[Row] = []
    for k, ((variant, step), (results, deviations)) in enumerate(zip(steps, groups, strict=True)):
        settings = {key: values[k] for key, values in vary.items()}
        made = row(results, deviations, metric, aggregate, energy)
        head = {
            "scheme": label(variant),
            "size": size_text(variant, results[0].points),
            "dt": step,
            **settings,
        }
        made = {**head, **made}
        abscissa = next(iter(vary))
        made["h"] = made["dt"] if abscissa == "dt" else step_size(settings[abscissa])
        rows.append(made)
    header = {
        "kind": "study",
        "problem": problem.name or repr(problem.energy),
        "scheme": label(scheme),
        "t_end": t_end,
        "dt": None if "dt" in vary else rows[0]["dt"],
        "vary": list(vary),
        "metric": metric_name(metric),
        "aggregate": aggregate,
        "seeds": numbers,
        "reference": against.text,
        "reference_error": against.error(metric),
    }
    return Study(rows, header)


def _evaluate(
    results: Iterator[Result], seeds: int, against: Reference, metric: Any
) -> tuple[Any, list[Group]]:
    """The metric, and results with deviations by level. Measures are let go: clouds may be large."""
    groups: list[Group] = []
    for k, result in enumerate(results):
        if k % seeds == 0:
            groups.append(([], []))
        if not result.failure:
            if metric is None:
                metric = natural_metric(result.measure, against.measure)
            groups[-1][1].append(deviation(result.measure, against.measure, metric))
        groups[-1][0].append(dataclasses.replace(result, measure=None))
    return metric or "w2", groups
