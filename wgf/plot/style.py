"""The common look: palette, sizes, the figure without pyplot, and how a picture reaches its file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from wgf.errors import CheckpointError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, Color Universal Design, 2008: safe for every common colour blindness.
BLUE, VERMILION, SKY = "#0072B2", "#D55E00", "#56B4E9"
INK, PALE = "#222222", "#B8B8B8"
SEQUENTIAL = "viridis"
BRIGHTEST = 0.88  # viridis beyond it is a yellow too pale for a line on white
DPI = 144


def blank(
    columns: int = 1, rows: int = 1, size: tuple[float, float] = (6.0, 4.0), sharey: bool = False
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns axes, on the Agg canvas, laid out without overlaps."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, squeeze=False, sharex=sharey, sharey=sharey)
    return figure, list(axes.ravel())


def dress(axes: Axes, x: str, y: str, title: str = "", grid: bool = True) -> None:
    """Label both axes and take away what carries no information."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, fontsize=10, color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.set_axisbelow(True)
    if grid:
        axes.grid(True, color=PALE, alpha=0.35, linewidth=0.6)


def shades(count: int) -> list[Any]:
    """`count` colours from dark to bright, for things that have an order (times, levels)."""
    from matplotlib import colormaps

    colours = colormaps[SEQUENTIAL]
    return [colours(BRIGHTEST * k / max(count - 1, 1)) for k in range(count)]


def spread(count: int, most: int) -> Sequence[int]:
    """At most `most` indices from 0 to count - 1, evenly spread, first and last among them."""
    if count <= most:
        return range(count)
    return sorted({round(k * (count - 1) / (most - 1)) for k in range(most)})


def finish(figure: Figure, path: str | None) -> Figure:
    """Write the figure when a path was given (the ending chooses the format), and return it."""
    if path is not None:
        try:
            figure.savefig(path)
        except (OSError, ValueError) as error:
            raise CheckpointError(f"the picture could not be written to {path}: {error}.") from error
    return figure
