"""One function per verb: takes what argparse read, prints the answer, returns the exit code."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import json
import sys
from typing import Any

import numpy as np

from wgf.cli import words
from wgf.loop import solve
from wgf.plot.style import spread
from wgf.problems import GALLERY
from wgf.schemes.names import known
from wgf.studies import compare, study
from wgf.studies.labels import label, size_text
from wgf.studies.metrics import deviation, title, transport_metric

FINE, FAILED, USAGE, UNEXPECTED, INTERRUPTED, UNREAD = 0, 1, 2, 3, 130, 141
SHOWN = 11  # saved times a printed run shows


def say(content: dict[str, Any], text: str, as_json: bool) -> None:
    """Print the content for machines or the text for people."""
    print(json.dumps(content, indent=1) if as_json else text)


def list_names(options: argparse.Namespace) -> int:
    """`wgf list problems|schemes`: each name, its settings with defaults, what it is."""
    table: dict[str, Any] = GALLERY if options.what == "problems" else known()
    found, lines = [], []
    for name, thing in table.items():
        summary = (inspect.getdoc(thing) or "").partition("\n")[0]
        found.append({"name": name, "summary": summary, "settings": (given := _defaults(thing))})
        lines.append(f"{name}\n    {summary}")
        if given:
            lines.append("    settings: " + ", ".join(f"{k}={v}" for k, v in given.items()))
    say({options.what: found}, "\n".join(lines), options.json)
    return FINE


def _defaults(thing: Any) -> dict[str, str]:
    if isinstance(thing, type) and dataclasses.is_dataclass(thing):
        return {f.name: str(f.default) for f in dataclasses.fields(thing)}
    return {p.name: str(p.default) for p in inspect.signature(thing).parameters.values()}


def run(options: argparse.Namespace) -> int:
    """`wgf run`: one problem, one scheme, with its distance to the exact solution where there is one."""
    problem, scheme = words.problem(options.problem), words.scheme(options.scheme)
    dt = words.step(options.dt, [scheme], problem, options.t_end)
    if options.animate and options.save_at is None:
        options.save_at = options.t_end / 40
    record = options.record.split(",") if options.record else []
    trajectory = solve(
        problem, scheme, t_end=options.t_end, dt=dt, seed=options.seed, save_at=options.save_at,
        record=record, checkpoint=options.checkpoint, progress=False if options.json else None,
    )  # fmt: skip
    files = _write_files(trajectory, options)
    content: dict[str, Any] = {
        "problem": problem.name or options.problem,
        "scheme": f"{label(scheme)} {size_text(scheme)}".strip(),
        "status": trajectory.status,
        "t_end": float(trajectory.times[-1]),
        "dt": trajectory.stats["dt"],
        "steps": trajectory.stats["steps"],
        "seconds": sum(trajectory.timings.values()) - trajectory.timings["compile"],
        "times": trajectory.times.tolist(),
        "mean": [m.mean().tolist() for m in trajectory.measures],
        "variance": [np.diag(m.cov()).tolist() for m in trajectory.measures],
        "record": {name: values.tolist() for name, values in trajectory.record.items()},
        "files": files,
    }
    if problem.exact is not None and trajectory.status == "finished":
        exact = problem.exact(options.t_end)
        metric = transport_metric([exact, trajectory.final])
        content["error"] = {"metric": metric, "value": float(deviation(trajectory.final, exact, metric)[0])}
    say(content, _run_text(content), options.json)
    if trajectory.status == "interrupted":
        kept = f"; the same command continues from {options.checkpoint}" if options.checkpoint else ""
        print(f"interrupted at t = {content['t_end']:g}{kept}.", file=sys.stderr)
        return INTERRUPTED
    return FINE if trajectory.status == "finished" else FAILED


def _write_files(trajectory: Any, options: argparse.Namespace) -> dict[str, str]:
    written = {}
    if options.save:
        trajectory.save(options.save)
        written["save"] = options.save
    if options.plot:
        trajectory.plot(options.plot)
        written["plot"] = options.plot
    if options.animate:
        trajectory.animate(options.animate)
        written["animate"] = options.animate
    return written


def _run_text(content: dict[str, Any]) -> str:
    def vector(numbers: list[float]) -> str:
        return " ".join(f"{v:10.6f}" for v in numbers[:3]) + (" ..." if len(numbers) > 3 else "")

    lines = [
        f"{content['problem']} by {content['scheme']}, dt = {content['dt']:g}, {content['steps']} steps, "
        f"{content['status']} in {content['seconds']:.2f} s"
    ]
    extra = {k: v for k, v in content["record"].items() if np.ndim(v) == 1}
    rows = [["t", "mean", "variance", *extra]]
    for k in spread(len(content["times"]), SHOWN):
        numbers = [f"{values[k]:.6f}" for values in extra.values()]
        mean, variance = vector(content["mean"][k]), vector(content["variance"][k])
        rows.append([f"{content['times'][k]:.4f}", mean, variance, *numbers])
    widths = [max(len(row[j]) for row in rows) for j in range(len(rows[0]))]
    lines += ["   ".join(c.rjust(w) for c, w in zip(row, widths, strict=True)) for row in rows]
    if "error" in content:
        error = content["error"]
        when = f"at t = {content['t_end']:g}"
        lines.append(f"{title(error['metric'])} to the exact solution {when}: {error['value']:.2e}")
    lines += [f"wrote {path}" for path in content["files"].values()]
    return "\n".join(lines)


def compare_schemes(options: argparse.Namespace) -> int:
    """`wgf compare`: several schemes on one problem."""
    problem, chosen = words.problem(options.problem), words.schemes(options.schemes)
    table = compare(
        problem, chosen, t_end=options.t_end, dt=words.step(options.dt, chosen, problem, options.t_end),
        seed=options.seed, seeds=options.seeds, reference=_reference(options), metric=options.metric,
        workers=options.workers,
    )  # fmt: skip
    return _show(table, options)


def study_scheme(options: argparse.Namespace) -> int:
    """`wgf study`: one scheme over resolutions; exit code 3 when --expect-order is not met."""
    problem, scheme = words.problem(options.problem), words.scheme(options.scheme)
    vary = words.vary(options.vary)
    dt = None if "dt" in vary else words.step(options.dt, [scheme], problem, options.t_end)
    table = study(
        problem, scheme, vary=vary, t_end=options.t_end, dt=dt, seed=options.seed, seeds=options.seeds,
        reference=_reference(options), metric=options.metric, aggregate=options.aggregate,
        workers=options.workers,
    )  # fmt: skip
    code = _show(table, options)
    if options.plot:
        table.plot(options.plot, expected=options.expect_order)
    if options.expect_order is not None and code == FINE and not table.order().agrees(options.expect_order):
        print(f"expected order {options.expect_order:g}, found: {table.order()}", file=sys.stderr)
        return UNEXPECTED
    return code


def _reference(options: argparse.Namespace) -> Any:
    return words.scheme(options.reference, "reference") if options.reference else None


def _show(table: Any, options: argparse.Namespace) -> int:
    text = table.to_json(options.save if options.save and not options.save.endswith(".csv") else None)
    if options.save and options.save.endswith(".csv"):
        table.to_csv(options.save)
    print(text if options.json else table)
    return FAILED if any(row["status"] == "failed" for row in table.rows) else FINE
