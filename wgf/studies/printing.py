"""A table of runs as text: at most 100 columns wide, numbers aligned on the decimal point.

The header says the problem, t, dt, the metric, the reference and the reference's own error, so that no
number stands without what it was compared with.
"""

from __future__ import annotations

import itertools
import math
import textwrap
from typing import Any, NamedTuple

from wgf.studies.metrics import MOMENTS, title

Row = dict[str, Any]
WIDTH = 100  # columns a printed table may take
GAP = "   "
NARROWEST = 12  # what is left of a scheme's name when a line must be cut to fit


class Column(NamedTuple):
    """One printed column: the key of its values, its title, and whether it is text (flush left)."""

    key: str
    title: str
    text: bool = False


def table(rows: list[Row], header: dict[str, Any], sentence: str) -> str:
    """The whole table: header, columns, and `sentence` (the observed order) below."""
    foot = _wrapped(sentence) if sentence and len(rows) > 1 else []
    return "\n".join([*_head(header), *_body(rows, header), *foot])


def _wrapped(text: str, width: int = WIDTH) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def metric_title(header: dict[str, Any]) -> str:
    """What the error column is called."""
    metric = header["metric"]
    if metric in MOMENTS:
        return f"error of {metric}"
    return f"{title(metric)} to reference" if header["kind"] == "compare" else f"{title(metric)} error"


def seeds_text(header: dict[str, Any]) -> str:
    """'RMS over 20 seeds', empty for one seed."""
    how = "RMS" if header["aggregate"] == "rms" else "bias"
    return f"{how} over {len(header['seeds'])} seeds" if len(header["seeds"]) > 1 else ""


def _head(header: dict[str, Any]) -> list[str]:
    parts = [header["problem"], f"t = {header['t_end']:g}"]
    if "scheme" in header:
        parts[0] += f" by {header['scheme']}"
    if header["dt"] is not None:
        parts.append(f"dt = {header['dt']:g}")
    if seeds_text(header):
        parts.append(seeds_text(header))
    own = f" (its own error about {header['reference_error']:.1e})" if header["reference_error"] else ""
    what = ", ".join([*parts, f"metric: {title(header['metric'])}"])
    against = f"reference: {header['reference']}{own}"
    if len(what) + len(against) + 2 <= WIDTH:
        return [f"{what}, {against}"]
    return [*_wrapped(what), *_wrapped(against)]


def _columns(header: dict[str, Any]) -> list[Column]:
    study = header["kind"] == "study"
    columns = [Column(key, key) for key in header["vary"]]
    if not study:
        columns = [Column("scheme", "scheme", text=True), Column("size", "size", text=True)]
    columns.append(Column(header["metric"], metric_title(header)))
    if len(header["seeds"]) > 1:
        columns.append(Column("spread", "+-"))
    if study:
        columns.append(Column("pair", "order"))
    columns += [Column("energy_gap", "energy gap"), Column("mass_error", "mass - 1")]
    return [*columns, Column("seconds", "time")]


def _body(rows: list[Row], header: dict[str, Any]) -> list[str]:
    columns = _columns(header)
    pairs = _pairs(rows, header)
    values = [{**row, "pair": pair} for row, pair in zip(rows, pairs, strict=True)]
    settings = 2 if header["kind"] == "compare" else len(header["vary"])
    grid = []  # one list of padded cells per column
    for j, column in enumerate(columns):
        shown = [_cell(column.key, v.get(column.key), j < settings) for v in values]
        if j >= settings:  # a row that gave nothing is a sentence from here on
            shown = [s if row["status"] == "finished" else "" for s, row in zip(shown, rows, strict=True)]
        grid.append(_pad(column, shown))
    excess = sum(len(c[0]) + len(GAP) for c in grid) - len(GAP) - WIDTH
    if excess > 0:
        grid[0] = _cut(grid[0], max(len(grid[0][0]) - excess, NARROWEST))
    lines = [GAP.join(c[0] for c in grid).rstrip()]
    for k, row in enumerate(rows, start=1):
        if row["status"] == "finished":
            lines.append(GAP.join(c[k] for c in grid).rstrip())
        else:
            start = GAP.join(c[k] for c in grid[:settings]) + GAP
            note = f"{row['status']}: {row['note']}"
            room = WIDTH - len(start)
            first, *others = _wrapped(note, room)
            lines += [start + first, *(" " * len(start) + other for other in others)]
    return lines


def _pairs(rows: list[Row], header: dict[str, Any]) -> list[float | None]:
    """The order between each row and the one before it, where both finished."""
    found: list[float | None] = [None]
    metric = header["metric"]
    for before, row in itertools.pairwise(rows):
        found.append(_pair(before, row, metric) if header["vary"] else None)
    return found


def _pair(before: Row, row: Row, metric: str) -> float | None:
    if not before["status"] == row["status"] == "finished" or before["h"] == row["h"]:
        return None
    if not (before[metric] > 0 and row[metric] > 0):
        return None
    return math.log(before[metric] / row[metric]) / math.log(before["h"] / row["h"])


def _cell(key: str, value: Any, setting: bool) -> str:
    if value is None:
        return "-"
    if key == "seconds":
        return f"{value:.3f} s"
    if key == "pair":
        return f"{value:.3f}"
    if isinstance(value, (list, tuple)):
        return " x ".join(map(str, value))
    if isinstance(value, (str, int)):
        return str(value)
    return f"{value:.6g}" if setting else f"{value:.2e}"


def _pad(column: Column, shown: list[str]) -> list[str]:
    """Title and cells at one width: text flush left, numbers with their points below each other."""
    if not column.text:
        after = [len(s) - s.index(".") if "." in s else 0 for s in shown]
        most = max(after, default=0)
        numeric = [a or s.isdigit() for a, s in zip(after, shown, strict=True)]
        shown = [s + " " * (most - a) if n else s for s, a, n in zip(shown, after, numeric, strict=True)]
    width = max(len(s) for s in [column.title, *shown])
    return [s.ljust(width) if column.text else s.rjust(width) for s in [column.title, *shown]]


def _cut(cells: list[str], width: int) -> list[str]:
    """Cells shortened to `width`, the cut marked."""
    cells = [c.rstrip() for c in cells]
    return [(c if len(c) <= width else c[: width - 3] + "...").ljust(width) for c in cells]
