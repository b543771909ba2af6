"""Study: a table of runs, its order, its files and its picture; `printing` writes it out."""

from __future__ import annotations

import csv
import io
import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import numpy as np

from wgf import checks
from wgf.errors import CheckpointError
from wgf.studies import printing
from wgf.studies.orders import Order, observed_order

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SAMPLE_SIZES = ("particles",)  # refining one of these shrinks the noise itself


@final
@dataclass(frozen=True)
class Study:
    """Rows of a comparison or a convergence study, with the header that says what they mean.

    rows: one dict per line. Finished rows hold the error under the metric's name ("w2", "l1", ...),
    "energy_gap", "mass_error", "seconds", "dt" (the one run) and the varied settings; over seeds also
    "spread" (standard error) and "samples" (deviations). Others hold "status" ("failed", "not
    applicable") and "note". header: problem, t_end, dt, vary, metric, seeds, reference, reference_error.
    Made by `wgf.study` and `wgf.compare`; printed, drawn and written by its own methods.

    >>> import wgf
    >>> table = wgf.compare(wgf.problems.heat(), ["fokker-planck"], t_end=0.1, dt=0.05)
    >>> table.header["kind"], len(table.rows), Study.from_json(table.to_json()).rows[0]["status"]
    ('compare', 1, 'finished')
    """

    rows: list[dict[str, Any]]
    header: dict[str, Any]

    def order(self) -> Order:
        """The observed order in the first varied setting; ValueError for a table that varies nothing."""
        if not self.header["vary"]:
            raise ValueError("vary must name a setting to give an order, got nothing varied (a comparison).")
        used = [k for k, row in enumerate(self.rows) if self._unusable(row) is None]
        others = [(k, why) for k, row in enumerate(self.rows) if (why := self._unusable(row)) is not None]
        if not used:
            return Order(math.nan, math.nan, (), None, 0, tuple(others), self._abscissa())
        rows = [self.rows[k] for k in used]
        scattered = all(row["samples"] is not None for row in rows)
        found = observed_order(
            [row["h"] for row in rows],
            [row[self.header["metric"]] for row in rows],
            reference_error=self.header["reference_error"],
            samples=np.array([row["samples"] for row in rows]) if scattered else None,
            how=self.header["aggregate"],
            noise_is_error=self.header["vary"][0] in SAMPLE_SIZES,
            abscissa=self._abscissa(),
        )
        dropped = sorted([*others, *((used[k], why) for k, why in found.dropped)])
        return Order(
            found.value, found.extrapolated, found.pairwise, found.interval, found.levels, tuple(dropped),
            found.abscissa,
        )  # fmt: skip

    @staticmethod
    def _unusable(row: dict[str, Any]) -> str | None:
        if row["status"] != "finished":
            return "it failed"
        if row["fallback_steps"]:
            return f"{row['fallback_steps']} steps were replaced by the scheme's fallback"
        return None

    def _abscissa(self) -> str:
        key = self.header["vary"][0]
        return f"1/{key}" if isinstance(self.rows[0][key], (int, tuple, list)) else key

    def __str__(self) -> str:
        return printing.table(self.rows, self.header, str(self.order()) if self.header["vary"] else "")

    # ------------------------------------------------------------------------- files, pictures

    @checks.checked(path=checks.optional(checks.path))
    def to_json(self, path: str | None = None) -> str:
        """Header, rows and observed order as JSON text, also written to `path` when given."""
        content: dict[str, Any] = {"header": self.header, "rows": self.rows}
        if self.header["vary"]:
            order = self.order()
            content["order"] = {**vars(order), "sentence": str(order)}
        return _write(json.dumps(_plain(content), indent=1, allow_nan=False), path)

    @classmethod
    @checks.checked(text=checks.text)
    def from_json(cls, text: str) -> Study:
        """The inverse of `to_json`."""
        content = json.loads(text)
        return cls(content["rows"], content["header"])

    @checks.checked(path=checks.optional(checks.path))
    def to_csv(self, path: str | None = None) -> str:
        """The rows as comma-separated text (without the samples), also written to `path` when given."""
        names = list(dict.fromkeys(key for row in self.rows for key in row if key != "samples"))
        stream = io.StringIO()
        writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(self.rows)
        return _write(stream.getvalue(), path)

    @checks.checked(path=checks.optional(checks.path), expected=checks.optional(checks.finite))
    def plot(self, path: str | None = None, *, expected: float | None = None) -> Figure:
        """The errors on log-log axes with the observed slope (and `expected`, the theory's) drawn.

        Returns the matplotlib figure, written to `path` when given. ValueError when nothing was varied.
        """
        from wgf import plot

        order, metric = self.order(), self.header["metric"]
        shown = [k for k, row in enumerate(self.rows) if row["status"] == "finished"]
        if not shown:
            raise ValueError("rows must hold a finished run to be drawn, got none; print the table.")
        rows = [self.rows[k] for k in shown]
        key = self.header["vary"][0]
        over = printing.seeds_text(self.header)
        ticks = [f"1/{row[key]}" if self._abscissa() != key else f"{row['h']:.3g}" for row in rows]
        scattered = all(row["spread"] is not None for row in rows)
        return plot.order(
            [row["h"] for row in rows],
            [row[metric] for row in rows],
            dropped=[shown.index(k) for k, _ in order.dropped if k in shown],
            spread=[row["spread"] for row in rows] if scattered else None,
            value=order.value if math.isfinite(order.value) else None,
            expected=expected,
            x_label=self._abscissa(),
            y_label=printing.metric_title(self.header) + (f" ({over})" if over else ""),
            ticks=ticks,
            title=f"{self.header['problem']}, {self.header['scheme']}",
            path=path,
        )


def _plain(value: Any) -> Any:
    """`value` as what JSON knows; NaN and infinity become null."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _write(text: str, path: str | None) -> str:
    if path is not None:
        try:
            with open(path, "w", encoding="utf8") as file:
                file.write(text)
        except OSError as error:
            raise CheckpointError(f"path {path!r} could not be written: {error}.") from error
    return text
