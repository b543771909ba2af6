"""Tables for the terminal and for `results/*.md`, and the log-log figure of a subject's ladders."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from validation.claims import Claim, Result
from validation.rates import Ladder
from wgf.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTH = 100
MEASURED = 26  # columns of the measured value; the longest is an order with its interval
SECONDS = 6
# The package's palette and the other colours of its source (Okabe and Ito): pages show up to eight ladders.
COLOURS = (style.BLUE, style.VERMILION, "#009E73", "#CC79A7", "#E69F00", style.SKY, style.INK)
MARKERS = "os^Dv<>P"
MANY = 1e3  # a range of steps beyond which only decades are labelled
MEANING = (
    'Each row: what wgf computed ("what") was compared with a yardstick ("against"); the distance between '
    'them, or the order at which it shrinks, is "measured", and the claim holds when it is as "required".'
)


def shorten(text: str, width: int) -> str:
    """`text` in at most `width` columns, ending in "..." when something was cut."""
    return text if len(text) <= width else text[: width - 3] + "..."


class SummaryTable:
    """The runner's table: widths fixed by the claims beforehand, so that a row prints when it is known."""

    def __init__(self, claims: Sequence[Claim]) -> None:
        self.required = max([8, *(len(str(claim.required)) for claim in claims)])
        room = WIDTH - MEASURED - self.required - SECONDS - len("skipped") - 8
        self.name = min(max([5, *(len(claim.name) for claim in claims)]), room)

    def line(self, name: str, measured: str, required: str, verdict: str, seconds: str) -> str:
        """One row, at most 100 columns."""
        cells = (
            f"{shorten(name, self.name):{self.name}}",
            f"{shorten(measured, MEASURED):{MEASURED}}",
            f"{shorten(required, self.required):{self.required}}",
            f"{verdict:7}",
            f"{seconds:>{SECONDS}}",
        )
        return "  ".join(cells)

    @property
    def header(self) -> str:
        """Names of the columns, underlined."""
        top = self.line("claim", "measured", "required", "verdict", "time")
        return f"{top}\n{'-' * len(top)}"

    def row(self, result: Result) -> str:
        """The row of one result."""
        claim = result.claim
        return self.line(
            claim.name, result.text, str(claim.required), result.verdict, f"{result.seconds:.1f} s"
        )


def markdown_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plain markdown table; a bar inside a cell (|x|) would end the cell, so it is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def versions(*names: str) -> str:
    """Installed versions of the named distributions, Python first, in one line."""
    found = [f"Python {platform.python_version()}"]
    for name in names:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            found.append(f"{name} not installed")
    return ", ".join(found)


def machine() -> str:
    """Processor model and the cores this process may use; never a host name."""
    model = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = information.read_text().splitlines()
        fields = dict(line.split(":", 1) for line in lines if ":" in line)
        keys = {key.strip(): value.strip() for key, value in fields.items()}
        family = f"family {keys.get('cpu family')}, model {keys.get('model')}"
        model = f"{keys.get('model name', model)} ({family})"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model}, {cores} cores"


def heading(title: str, command: str, *distributions: str) -> str:
    """Title, command, date and versions: the first lines of every result file."""
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    return (
        f"# {title}\n\nWritten by `{command}` on {today}; do not edit by hand.\n"
        f"{versions('wgf', 'numpy', 'scipy', 'numba', *distributions)}; {machine()}.\n"
    )


def ladders(results: Iterable[Result]) -> list[Ladder]:
    """The distinct ladders behind some results, in order."""
    found: list[Ladder] = []
    for result in results:
        measured = result.measured
        if isinstance(measured, Ladder) and all(measured is not other for other in found):
            found.append(measured)
    return found


def claims_table(results: Iterable[Result]) -> str:
    """Every claim with what was measured, as a result file shows it."""
    rows = [
        (r.claim.name, r.claim.what, r.claim.against, r.text, str(r.claim.required), r.verdict)
        for r in results
    ]
    return markdown_table(("claim", "what", "against", "measured", "required", "verdict"), rows)


def own_page(title: str, command: str, body: Sequence[str], results: Sequence[Result]) -> str:
    """The result file of a subject that writes its own text: the text, then its claims."""
    parts = [heading(title, command).rstrip(), *body, "## Every claim of this page", MEANING]
    return "\n\n".join([*parts, claims_table(results)]) + "\n"


def subject_page(
    title: str,
    command: str,
    results: Sequence[Result],
    sections: Sequence[str] = (),
    figures: Sequence[tuple[str, str]] = (),
) -> str:
    """The result file of one subject: its claims, its figures, then the levels behind every order."""
    parts = [
        heading(title, command).rstrip(),
        MEANING,
        claims_table(results),
        *(f"![{shows}]({name})\n\n{shows}" for name, shows in figures),
    ]
    for ladder in ladders(results):
        claim = next(result.claim for result in results if result.measured is ladder)
        last = "pairwise order" if ladder.samples is None else "standard error"
        parts.append(f"## {ladder.title}")
        parts.append(f"Error ({ladder.norm}) of: {claim.what}. Compared with: {claim.against}.")
        parts.append(markdown_table((ladder.parameter, "error", last), ladder.rows))
        parts.append(f"Observed: {ladder.order}")
    return "\n\n".join([*parts, *sections]) + "\n"


def plot_ladders(path: Path, title: str, found: Sequence[Ladder]) -> None:
    """Errors against the step on log axes, one line a ladder, each with its observed order named."""
    figure, (axes,) = style.blank(size=(8.5, 5.4))
    for number, ladder in enumerate(found):
        axes.loglog(
            ladder.steps,
            ladder.errors,
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            linestyle="-" if number < len(COLOURS) else "--",
            label=f"{ladder.title}: order {ladder.quoted:.2f}",
        )
    step_ticks(axes)
    style.dress(axes, "step: dt, or 1 / (cells, levels, particles)", "error", title)
    figure.legend(loc="outside lower center", fontsize=7, ncols=2, frameon=False)
    style.finish(figure, str(path))


def step_ticks(axes: Axes) -> None:
    """Labels at 1, 2 and 5 of each decade, or at the decades alone when there are more than three."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullFormatter, StrMethodFormatter

    low, high = axes.get_xlim()
    many = high / low > MANY
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if many else (1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(LogFormatterSciNotation() if many else StrMethodFormatter("{x:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
