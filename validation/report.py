"""Tables for the terminal and for `results/*.md`, and the log-log figure of a subject's ladders."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path

from validation.claims import Claim, Result
from validation.rates import Ladder, NoisyLadder

WIDTH = 100
MEASURED = 26  # columns of the measured value; the longest is an order with its interval
SECONDS = 6
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv<>P"


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
    """A plain markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


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
    """Processor model, cores this process may use, and memory where the system tells; never a host name."""
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


def ladders(results: Iterable[Result]) -> list[Ladder | NoisyLadder]:
    """The distinct ladders behind some results, in order."""
    found: list[Ladder | NoisyLadder] = []
    for result in results:
        measured = result.measured
        if isinstance(measured, Ladder | NoisyLadder) and all(measured is not other for other in found):
            found.append(measured)
    return found


def subject_page(title: str, command: str, results: Sequence[Result], sections: Sequence[str] = ()) -> str:
    """The result file of one subject: its claims, then the levels behind every order."""
    rows = [
        (r.claim.name, r.claim.what, r.claim.against, r.text, str(r.claim.required), r.verdict)
        for r in results
    ]
    parts = [
        heading(title, command),
        markdown_table(("claim", "what", "against", "measured", "required", "verdict"), rows),
    ]
    for ladder in ladders(results):
        last = "pairwise order" if isinstance(ladder, Ladder) else "standard error"
        parts.append(f"## {ladder.title}")
        parts.append(markdown_table((ladder.parameter, f"error ({ladder.norm})", last), ladder.rows))
        parts.append(f"Observed: {ladder}.")
    return "\n\n".join([*parts, *sections]) + "\n"


def plot_ladders(path: Path, title: str, found: Sequence[Ladder | NoisyLadder]) -> None:
    """Errors against the step on log axes, one line a ladder, each with its observed order named."""
    import matplotlib
    import matplotlib.ticker

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.0, 5.0), layout="constrained")
    for number, ladder in enumerate(found):
        errors = ladder.errors if isinstance(ladder, Ladder) else ladder.errors[0]
        order = ladder.extrapolated if isinstance(ladder, Ladder) else ladder.value
        axes.loglog(
            ladder.steps,
            errors,
            marker=MARKERS[number % len(MARKERS)],
            color=COLOURS[number % len(COLOURS)],
            linestyle="-" if number < len(COLOURS) else "--",
            label=f"{ladder.title}: order {order:.2f}",
        )
    axes.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())  # they would overlap within a decade
    axes.set(xlabel="step: dt, or 1 / (cells, levels, particles)", ylabel="error", title=title)
    axes.grid(True, which="major", alpha=0.3)
    figure.legend(loc="outside lower center", fontsize=8, ncols=2, frameon=False)
    figure.savefig(path, dpi=120)
    plt.close(figure)
