"""compare: several schemes on one problem against one reference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wgf import checks
from wgf.problem import Problem
from wgf.schemes.names import scheme_kind
from wgf.studies import references
from wgf.studies.labels import label, size_text
from wgf.studies.metrics import deviation, metric_kind, metric_name, transport_metric
from wgf.studies.rows import Row, failure, row
from wgf.studies.study import executor_kind, problem_kind, seed_list, seeds_kind
from wgf.studies.tables import Study
from wgf.studies.units import Unit, energy_of, run_all


def _schemes(name: str, value: Any, sizes: checks.Sizes) -> list[Any]:
    if isinstance(value, (str, bytes)) or not isinstance(value, Sequence):
        raise checks.refuse(name, "a list of schemes, classes or names", value, TypeError)
    if not value:
        raise checks.refuse(name, "a list of at least one scheme", value)
    return [scheme_kind(f"{name}[{k}]", v) for k, v in enumerate(value)]


schemes_kind = checks.Kind(
    "a list of schemes, classes or names",
    _schemes,
    ([], "fokker-planck", 3.0, None, ["no-such-scheme"], [3.0]),
)


@checks.checked(
    problem=problem_kind,
    schemes=schemes_kind,
    t_end=checks.positive,
    dt=checks.positive,
    seed=checks.integer(0),
    seeds=checks.optional(seeds_kind),
    reference=checks.optional(references.reference_kind),
    metric=checks.optional(metric_kind),
    workers=checks.optional(checks.integer(1)),
    executor=checks.optional(executor_kind),
)
def compare(
    problem: Problem,
    schemes: Sequence[Any],
    *,
    t_end: float,
    dt: float,
    seed: int = 0,
    seeds: int | Sequence[int] | None = None,
    reference: Any = None,
    metric: Any = None,
    workers: int | None = None,
    executor: Any = None,
) -> Study:
    """One row per scheme: its distance to the reference at t_end, energy gap, mass and time.

    schemes: instances, classes or names. A scheme that cannot solve the problem is a row that says why,
    one that fails is a row with its sentence.
    metric: None takes w2 where it is exact (the line, Gaussians, small clouds), else sliced_w2; the header
    says which. The energy gap is E(result) - E(reference), where the energy has a value on both.
    seed, seeds, reference, workers, executor: as for `study`; several seeds give RMS errors.

    >>> import wgf
    >>> problem = wgf.problems.ornstein_uhlenbeck()
    >>> table = compare(problem, ["fokker-planck", "quantile-jko"], t_end=0.1, dt=0.02)
    >>> [(row["scheme"], row["w2"] < 0.02) for row in table.rows]
    [('fokker-planck', True), ('quantile-jko', True)]

    Villani, 2003, theorem 2.18 (w2 on the line); Dowson & Landau, 1982 (of Gaussians).
    """
    where = {"workers": workers, "executor": executor}
    against = references.find(problem, reference, t_end, dt, seed, False, **where)
    numbers = seed_list(seed, seeds)
    reasons = [scheme.supports(problem) for scheme in schemes]
    able = [scheme for scheme, reason in zip(schemes, reasons, strict=True) if reason is None]
    units = [Unit(problem, scheme, t_end, dt, number) for scheme in able for number in numbers]
    results = list(run_all(units, **where))
    measures = [r.measure for r in results if not r.failure]
    metric = metric or transport_metric([against.measure, *measures])
    energy = energy_of(problem, against.measure, t_end)
    rows: list[Row] = []
    remaining = iter(results)
    for scheme, reason in zip(schemes, reasons, strict=True):
        head = {"scheme": label(scheme), "size": size_text(scheme), "dt": dt}
        if reason is not None:
            rows.append({**head, **failure("not applicable", reason)})
            continue
        own = [next(remaining) for _ in numbers]
        deviations = [deviation(r.measure, against.measure, metric) for r in own if not r.failure]
        head["size"] = size_text(scheme, own[0].points)
        rows.append({**head, **row(own, deviations, metric, "rms", energy)})
    header = {
        "kind": "compare",
        "problem": problem.name or repr(problem.energy),
        "t_end": t_end,
        "dt": next((r["dt"] for r in rows if r["status"] == "finished"), dt),
        "vary": [],
        "metric": metric_name(metric),
        "aggregate": "rms",
        "seeds": numbers,
        "reference": against.text,
        "reference_error": against.error(metric),
    }
    return Study(rows, header)
