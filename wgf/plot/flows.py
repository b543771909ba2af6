"""A trajectory in one picture, and as a moving one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wgf import checks
from wgf.errors import CheckpointError
from wgf.plot import shapes, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CURVES = 6  # times drawn into one axes: more cannot be told apart
PANELS = 4  # times drawn side by side in the plane
REST = 0.15  # share of the index in what counts as the way travelled
FRAMES = 120  # of an animation; a longer trajectory is thinned


def _trajectory(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if not hasattr(value, "times") or not hasattr(value, "measures"):
        raise checks.refuse(name, "a trajectory (what solve returns)", value, TypeError)
    return value


trajectory_kind = checks.Kind("a trajectory", _trajectory, (3.0, "x", None, [1.0]))
per_second = checks.integer(1, 60)


@checks.checked(
    trajectory=trajectory_kind,
    path=checks.optional(checks.path),
    bounds=checks.optional(checks.bounds),
    title=checks.text,
)
def trajectory(trajectory: Any, path: str | None = None, *, bounds: Any = None, title: str = "") -> Figure:
    """Several times of a run in one picture; returns the matplotlib figure.

    On the line: the densities at up to 6 telling times as curves from dark (early) to bright (late), with
    the times in a legend, and the recorded energy beside them when there is one. In the plane: up to 4
    such times side by side on one colour scale. path: also write it there. bounds: of the window, in
    the coordinates of x; by default what the measures fill. title: above the picture.

    >>> import wgf
    >>> run = wgf.solve(wgf.problems.heat(), "fokker-planck", t_end=0.1, dt=0.05)
    >>> trajectory(run).axes[0].get_ylabel()
    'density'
    """
    measures, times = list(trajectory.measures), np.asarray(trajectory.times)
    window = shapes.frame(measures, bounds)
    if measures[0].dimension == 1:
        return style.finish(_curves(trajectory, measures, times, window[0], title), path)
    return style.finish(_panels(measures, times, window, title), path)


def _when(t: float) -> str:
    return f"t = {t:.4g}"


def _telling(measures: list[Any], most: int) -> list[int]:
    """Indices of at most `most` measures, first and last among them, that differ about equally.

    Flows relax exponentially: evenly spread times would show the equilibrium again and again. The way
    travelled is measured by mean and deviations, with a little of the index so that rest counts too.
    """
    if len(measures) <= most:
        return list(range(len(measures)))
    places = np.array([np.append(m.mean(), np.sqrt(np.abs(np.diag(m.cov())))) for m in measures])
    way = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(places, axis=0), axis=1)))
    way = way / max(way[-1], 1e-300) + REST * np.linspace(0, 1, len(measures))
    chosen = [0]
    for k in range(1, most):
        nearest = int(np.argmin(np.abs(way - way[-1] * k / (most - 1))))
        chosen.append(min(max(nearest, chosen[-1] + 1), len(measures) - most + k))
    return chosen


def _curves(
    run: Any, measures: list[Any], times: np.ndarray, window: tuple[float, float], title: str
) -> Figure:
    energy = np.asarray((getattr(run, "record", None) or {}).get("energy", ()))
    beside = len(energy) == len(times) > 2
    figure, axes = style.blank(columns=2 if beside else 1, size=(9.2 if beside else 6.2, 3.8))
    chosen = _telling(measures, CURVES)
    for colour, k in zip(style.shades(len(chosen)), chosen, strict=True):
        shapes.draw_line(axes[0], measures[k], window, colour, _when(times[k]))
    style.dress(axes[0], "x", "density", title)
    axes[0].legend(frameon=False, fontsize=9)
    if beside:
        axes[1].plot(times, energy, color=style.BLUE, linewidth=1.8)
        for colour, k in zip(style.shades(len(chosen)), chosen, strict=True):
            axes[1].plot(times[k], energy[k], "o", color=colour, markersize=6)
        style.dress(axes[1], "time t", "energy E")
    return figure


def _panels(measures: list[Any], times: np.ndarray, window: list[tuple[float, float]], title: str) -> Figure:
    chosen = _telling(measures, PANELS)
    (a, b), (c, d) = window
    height = float(np.clip(2.7 * (d - c) / (b - a), 1.6, 5.0)) + 0.7
    figure, axes = style.blank(columns=len(chosen), size=(2.75 * len(chosen) + 0.6, height), sharey=True)
    top, image = _peak([measures[k] for k in chosen], window), None
    for position, (axis, k) in enumerate(zip(axes, chosen, strict=True)):
        image = shapes.draw_plane(axis, measures[k], window, top)
        style.dress(axis, "$x_1$", "$x_2$" if position == 0 else "", _when(times[k]), grid=False)
    if image is not None:
        figure.colorbar(image, ax=axes, label="density", shrink=0.8, aspect=25)
    if title:
        figure.suptitle(title, fontsize=11)
    return figure


def _peak(measures: list[Any], window: list[tuple[float, float]]) -> float | None:
    """The common top of the colour scale, None for measures drawn as points."""
    pictures = [shapes.image_of(m, window) for m in measures]
    peaks = [float(p[0].max()) for p in pictures if p is not None]
    return max(peaks) if peaks else None


@checks.checked(
    trajectory=trajectory_kind,
    path=checks.path,
    bounds=checks.optional(checks.bounds),
    fps=per_second,
    title=checks.text,
)
def animation(trajectory: Any, path: str, *, bounds: Any = None, fps: int = 12, title: str = "") -> str:
    """The saved times of a run as a moving picture (GIF) at `path`; returns the path.

    fps: frames a second; one saved time is one frame, at most 120 of them. Axes and colours stay fixed.
    bounds, title: as for `trajectory`.

    >>> import os, tempfile, wgf
    >>> run = wgf.solve(wgf.problems.heat(), "fokker-planck", t_end=0.1, dt=0.05)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = animation(run, os.path.join(folder, "heat.gif"), fps=2)
    ...     os.path.getsize(path) > 1000
    True
    """
    from matplotlib.animation import FuncAnimation, PillowWriter

    measures, times = list(trajectory.measures), np.asarray(trajectory.times)
    window = shapes.frame(measures, bounds)
    line = measures[0].dimension == 1
    frames = list(style.spread(len(times), FRAMES))
    figure, (axes,) = style.blank(size=(5.6, 3.6) if line else shapes.plane_size(window))
    if line:
        top = 1.08 * max(float(shapes.curve(measures[k], window[0])[1].max()) for k in frames)
    else:
        top = _peak([measures[k] for k in frames], window)
    prefix = f"{title}, " if title else ""

    def draw(k: int) -> list[Any]:
        axes.clear()
        if line:
            shapes.draw_line(axes, measures[k], window[0], style.BLUE, fill=not hasattr(measures[k], "x"))
            axes.set_ylim(0, top)
            style.dress(axes, "x", "density", prefix + _when(times[k]))
        else:
            shown = shapes.draw_plane(axes, measures[k], window, top)
            style.dress(axes, "$x_1$", "$x_2$", prefix + _when(times[k]), grid=False)
            if shown is not None and len(figure.axes) == 1:
                figure.colorbar(shown, ax=axes, label="density", shrink=0.9)
        return []

    draw(frames[-1])
    figure.canvas.draw()  # lay out once; every frame then keeps the same axes, and draws much faster
    figure.set_layout_engine("none")
    moving = FuncAnimation(figure, draw, frames=frames, init_func=list, blit=False)
    try:
        moving.save(path, writer=PillowWriter(fps=fps), dpi=100)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"the animation could not be written to {path}: {error}.") from error
    return path
