"""Errors over resolutions on log-log axes, with the observed and the expected slope."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from wgf import checks
from wgf.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BELOW = 0.4  # the triangle's height on the axis, relative to the error above it
MOST_TICKS = 7  # levels that each get their own tick


def _dropped(name: str, value: Any, sizes: checks.Sizes) -> list[int]:
    if not isinstance(value, (list, tuple)):
        raise checks.refuse(name, "a list of level numbers", value, TypeError)
    number = checks.integer(0, sizes["levels"] - 1 if "levels" in sizes else None)
    return [number(f"{name}[{k}]", level) for k, level in enumerate(value)]


def _ticks_text(name: str, value: Any, sizes: checks.Sizes) -> list[str]:
    if not isinstance(value, (list, tuple)):
        raise checks.refuse(name, "a list of strings", value, TypeError)
    levels = sizes.get("levels", len(value))
    if len(value) != levels:
        raise ValueError(f"{name} must have {levels} strings, one per level, got {len(value)}.")
    return [checks.text(f"{name}[{k}]", v) for k, v in enumerate(value)]


dropped_kind = checks.Kind(
    "a list of level numbers", _dropped, (3, "a", None, [-1], [10**6], [0.5], [checks.NAN])
)
ticks_kind = checks.Kind("a list of strings", _ticks_text, (3, "a", checks.NAN, [], ["a"] * 99, [1.0, 2.0]))


@checks.checked(
    h=checks.array("levels"),
    errors=checks.array("levels"),
    dropped=dropped_kind,
    spread=checks.optional(checks.array("levels")),
    value=checks.optional(checks.finite),
    expected=checks.optional(checks.finite),
    x_label=checks.text,
    y_label=checks.text,
    ticks=checks.optional(ticks_kind),
    title=checks.text,
    path=checks.optional(checks.path),
)
def order(
    h: Sequence[float] | np.ndarray,
    errors: Sequence[float] | np.ndarray,
    *,
    dropped: Sequence[int] = (),
    spread: Sequence[float] | np.ndarray | None = None,
    value: float | None = None,
    expected: float | None = None,
    x_label: str = "h",
    y_label: str = "error",
    ticks: Sequence[str] | None = None,
    title: str = "",
    path: str | None = None,
) -> Figure:
    """Errors against h, both logarithmic, with the slope drawn; returns the matplotlib figure.

    h, errors: (levels,) > 0. dropped: levels (from 0) that a rule left out, drawn hollow.
    spread: (levels,) standard errors, drawn as bars. value: the observed order, drawn as a line
    through the last kept level, or with spread through the mean of all.
    expected: the theory's order, drawn as a triangle below the points.
    ticks: (levels,) what to write under each level ("1/50"), default its number.

    >>> order([0.1, 0.05], [1e-2, 2.5e-3], value=2.0, x_label="dt").axes[0].get_xlabel()
    'dt'
    """
    x, y = np.asarray(h), np.asarray(errors)
    kept = np.array([k for k in range(len(x)) if k not in set(dropped) and y[k] > 0], dtype=int)
    left = np.array([k for k in range(len(x)) if k in set(dropped) and y[k] > 0], dtype=int)
    figure, (axes,) = style.blank(size=(5.4, 4.0))
    axes.set_xscale("log")
    axes.set_yscale("log")
    if value is not None and len(kept):
        ends = np.array([x[kept].min(), x[kept].max()])
        # noisy errors: the line a regression draws; smooth ones: the finest level, nearest the limit
        through = kept if spread is not None else kept[[np.argmin(x[kept])]]
        anchor, height = (np.exp(np.log(v[through]).mean()) for v in (x, y))
        line = height * (ends / anchor) ** value
        axes.plot(ends, line, color=style.SKY, linewidth=1.4, label=f"observed order {value:.2f}", zorder=1)
    if spread is not None:
        axes.errorbar(x[kept], y[kept], yerr=np.asarray(spread)[kept], fmt="none", ecolor=style.BLUE,
                      elinewidth=1.2, capsize=3)  # fmt: skip
    axes.plot(x[kept], y[kept], "o", color=style.BLUE, markersize=6.5, label="measured", zorder=3)
    if len(left):
        axes.plot(x[left], y[left], "o", markerfacecolor="white", markeredgecolor=style.BLUE,
                  markersize=6.5, label="dropped by rule", zorder=3)  # fmt: skip
    if expected is not None and len(kept) > 1:
        _triangle(axes, x[kept], y[kept], expected)
    _ticks(axes, x, ticks)
    style.dress(axes, x_label, y_label, title)
    axes.grid(False, which="minor")
    axes.legend(frameon=False, fontsize=9, loc="upper left")
    return style.finish(figure, path)


def _triangle(axes: Axes, x: np.ndarray, y: np.ndarray, slope: float) -> None:
    """The slope triangle of the theory, below the finer half of the points."""
    rank = np.argsort(x)
    x, y = x[rank], y[rank]
    middle = len(x) // 2
    left, right = x[max(middle - 1, 0)], x[middle]
    right = left * min(right / left, 4.0)
    top = BELOW * math.exp(float(np.interp(math.log(right), np.log(x), np.log(y))))
    bottom = top * (left / right) ** slope
    axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.5 * bottom))
    axes.fill([left, right, right], [bottom, bottom, top], color=style.VERMILION, alpha=0.18, linewidth=0)
    axes.plot([left, right, right, left], [bottom, bottom, top, bottom], color=style.VERMILION, linewidth=1.1)
    axes.annotate(f"theory {slope:g}", (right, math.sqrt(top * bottom)), xytext=(6, 0),
                  textcoords="offset points", color=style.VERMILION, fontsize=9, va="center")  # fmt: skip
    axes.annotate("1", (math.sqrt(left * right), bottom), xytext=(0, -4), textcoords="offset points",
                  color=style.VERMILION, fontsize=9, ha="center", va="top")  # fmt: skip


def _ticks(axes: Axes, x: np.ndarray, labels: Sequence[str] | None) -> None:
    """One tick per level while they are few, otherwise decades."""
    from matplotlib.ticker import NullFormatter, NullLocator

    if len(x) <= MOST_TICKS:
        axes.set_xticks(x, labels if labels is not None else [f"{value:.3g}" for value in x])
        axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
