"""The three pictures of the ground truth's page: orders, minimisers of a JKO step, flows in the plane."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import wgf
from validation import agreement, orders
from validation.orders.row import Row
from wgf.measures import Density
from wgf.plot import style
from wgf.problems.keller_segel import CRITICAL_MASS, keller_segel, keller_segel_second_moment
from wgf.problems.ornstein_uhlenbeck import ornstein_uhlenbeck_path
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (style.BLUE, style.VERMILION, "#009E73", "#CC79A7", "#E69F00", style.SKY, style.INK)
MARKERS = "os^Dv<>P"
LEAST = 1e-8  # distances below it are left out of the picture
PANELS = (
    ("Fokker-Planck, space", ("fokker-planck",), False),
    ("Fokker-Planck, time", ("fokker-planck",), True),
    ("aggregation-diffusion", ("aggregation-diffusion",), None),
    ("spectrum, weighted Poisson", ("spectrum", "weighted-poisson"), None),
    ("JKO by back-and-forth, dynamic, sliced", ("back-and-forth-jko", "dynamic-jko", "sliced-jko"), None),
    ("JKO by quantiles, entropic, Gaussian", ("quantile-jko", "entropic-jko", "gaussian-jko"), None),
)


# ----------------------------------------------------------------------------------------- orders


def draw_orders(path: Path, full: bool) -> str:
    """Every ladder over its step, both from 1 at the coarsest level; triangles show orders 1, 2 and 3."""
    figure, axes = style.blank(4, 2, size=(13.5, 6.6))
    slots = [*axes[:3], *axes[4:7]]
    every = orders.rows()
    for place, (title, schemes, in_time) in zip(slots, PANELS, strict=True):
        rows = [r for r in every if r.scheme in schemes]
        if in_time is not None:
            rows = [r for r in rows if (r.measured(full).parameter == "dt") == in_time]
        _ladders(place, rows, full, title)
    _limits(axes[3], every, full)
    for place in slots:
        place.set_xlabel("step", fontsize=9)
    for place in (slots[0], slots[3]):
        place.set_ylabel("error")
    axes[7].set_axis_off()
    axes[7].text(
        0.0,
        0.95,
        f"{len(every)} rows of the table.\n\nAxes of the six panels: step and error,\neach over that of the "
        "coarsest level;\nevery line starts in the corner.\n\nTriangles: orders 1, 2 and 3.\n\n"
        "Above: distance of the extrapolated\norder to theory; the band is what\na row may be off.",
        va="top",
        fontsize=9,
        color=style.INK,
    )
    style.finish(figure, str(path))
    return "Errors over steps, every row of the table: they fall as theory says they must."


def _ladders(axes: Axes, rows: Sequence[Row], full: bool, title: str) -> None:
    smallest, lowest = 0.5, 0.5
    for number, row in enumerate(rows):
        ladder = row.measured(full)
        x, y = ladder.steps / ladder.steps[0], np.asarray(ladder.errors) / ladder.errors[0]
        smallest, lowest = min(smallest, x[-1]), min(lowest, y[-1])
        colour = {1.0: style.VERMILION, 2.0: style.BLUE, 3.0: "#009E73"}.get(float(row.expected), style.INK)
        axes.loglog(x, y, marker=MARKERS[number % len(MARKERS)], color=colour, lw=0.9, ms=3.5, alpha=0.75)
    orders_here = sorted({float(row.expected) for row in rows})
    for order in orders_here:
        _triangle(axes, order, smallest)
    style.dress(axes, "", "", title)
    axes.set_xlim(smallest / 1.4, 1.4)


def _triangle(axes: Axes, order: float, smallest: float) -> None:
    """A slope triangle beside the lines of an order, right of them."""
    right = smallest**0.30
    left = right / min(2.0, (1 / smallest) ** 0.3)
    top = {1.0: 2.4, 2.0: 0.35}.get(order, 0.12) * right**order
    if order == 1:
        low, high = 2.4 * left**order, top
        axes.fill([left, right, left], [low, high, high], color=style.VERMILION, alpha=0.18, lw=0)
        axes.text(
            left * 0.94, math.sqrt(low * high), "1", fontsize=8, ha="right", va="center", color=style.INK
        )
        return
    low = top * (left / right) ** order
    axes.fill([left, right, right], [low, low, top], color=style.BLUE, alpha=0.18, lw=0)
    axes.text(right * 1.06, math.sqrt(low * top), f"{order:g}", fontsize=8, va="center", color=style.INK)


def _limits(axes: Axes, rows: Sequence[Row], full: bool) -> None:
    """Distance of every extrapolated order to the theory."""
    gaps = [row.measured(full).order.extrapolated - row.expected for row in rows]
    tolerance = np.array([row.tolerance for row in rows])
    place = np.arange(len(rows))
    axes.fill_between(place, -tolerance, tolerance, step="mid", color=style.PALE, alpha=0.35, lw=0)
    axes.axhline(0, color=style.INK, lw=0.8)
    axes.plot(place, gaps, "o", color=style.BLUE, ms=3.5)
    style.dress(axes, "row of the table", "", "extrapolated order - theory")
    axes.set_ylim(-0.2, 0.2)


# -------------------------------------------------------------------------------------- minimisers


def draw_steps(path: Path, full: bool) -> str:
    """Minimisers of one step by all solvers, above; how far from the truth, below."""
    figure, axes = style.blank(3, 2, size=(12.5, 6.4))
    chosen = [step for step in agreement.steps() if step.name in ("double well", "Barenblatt, m = 2")]
    chosen.append(next(step for step in agreement.steps() if step.name == "Barenblatt, m = 2, plane"))
    for column, step in enumerate(chosen):
        _minimiser(axes[column], axes[3 + column], step, full)
    axes[0].legend(fontsize=8, frameon=False, loc="lower center")
    style.finish(figure, str(path))
    return "One JKO step by four solvers: densities above, pointwise distance to the truth below."


def _minimiser(top: Axes, bottom: Axes, step: agreement.Step, full: bool) -> None:
    grid = step.grid
    found = agreement.solved(step)
    x = grid.axes[0]

    def cut(values: np.ndarray) -> np.ndarray:
        return values if values.ndim == 1 else values[:, values.shape[1] // 2]

    start, truth = Density.from_measure(step.problem.initial, grid).values, agreement.truth(step)
    top.fill_between(x, cut(start), color=style.PALE, alpha=0.5, lw=0, label="before the step")
    top.plot(x, cut(truth), color=style.INK, lw=2.2, label="minimiser")
    for number, name in enumerate(agreement.SHOWN):
        if name not in found:
            continue
        colour, marker = COLOURS[number], MARKERS[number]
        every = max(len(x) // 24, 1)
        top.plot(
            x[number::every], cut(found[name])[number::every], marker, color=colour, ms=3.2, mew=0, label=name
        )
        gap = np.abs(cut(found[name]) - cut(truth))
        if gap.any():  # the quantile solver stands for the truth where none is known
            bottom.semilogy(x, np.where(gap > LEAST, gap, np.nan), color=colour, lw=1.0)
    place = "cut through the middle" if grid.dimension == 2 else "density"
    style.dress(top, "x", place, step.name)
    style.dress(bottom, "x", "distance to the minimiser")
    reach = x[cut(truth) > 1e-4 * truth.max()]
    for axes in (top, bottom):
        axes.set_xlim(reach[0] - 0.25, reach[-1] + 0.25)
    bottom.set_ylim(bottom=LEAST)


# ----------------------------------------------------------------------------------- in the plane


@functools.cache
def tensor_run() -> tuple[Density, np.ndarray]:
    """(computed, exact) densities of an Ornstein-Uhlenbeck flow with a full tensor and a circulation."""
    M = np.array([[1.0, 0.6], [0.6, 0.8]])
    A = np.array([[1.2, 1.2], [-1.8, 0.9]])
    S = np.linalg.solve(M, A)
    S = 0.5 * (S + S.T)
    rest = A - M @ S
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: 0.5 * ((x @ S) * x).sum(-1)),
        initial=wgf.Gaussian([1.6, -0.8], 0.15),
        bounds=[(-4.5, 4.5)] * 2,
        mobility=wgf.Mobility(M),
        drift=lambda x: -(x @ rest.T),
    )
    run = wgf.solve(problem, FokkerPlanck(cells=192), t_end=0.4, dt=0.4 / 64)
    exact = ornstein_uhlenbeck_path(A, M, [1.6, -0.8], 0.15)(0.4)
    return run.final, Density.from_measure(exact, run.final.grid).values


@functools.cache
def collapse(mass: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(times, second moments, law) of a Keller-Segel run until the moment's bound or t = 0.15."""
    problem = keller_segel(mass=mass, cov=0.15, bounds=[(-3.0, 3.0)] * 2)
    t_end = 0.15 if mass <= CRITICAL_MASS else 0.08
    run = wgf.solve(
        problem, AggregationDiffusion(cells=96, time="ssp-rk3"), t_end=t_end, dt=t_end / 16, save_at=t_end / 8
    )
    moments = np.array([np.trace(m.cov()) + (m.mean() ** 2).sum() for m in run.measures])
    law = np.array([keller_segel_second_moment(t, mass, moments[0]) for t in run.times])
    return np.asarray(run.times), moments, law


def draw_plane(path: Path, full: bool) -> str:
    """Tensor diffusion against its exact contours, its error, and the second-moment law of Keller-Segel."""
    from matplotlib import colormaps

    figure, (first, second, third) = style.blank(3, 1, size=(13.5, 4.2))
    found, exact = tensor_run()
    x, y = found.grid.axes
    levels = np.linspace(0.05, 0.95, 7) * exact.max()
    shades = colormaps[style.SEQUENTIAL]
    first.contourf(x, y, found.values.T, levels=np.linspace(0, exact.max() * 1.02, 22), cmap=shades)
    first.contour(x, y, exact.T, levels=levels, colors="white", linewidths=0.9, linestyles="--")
    style.dress(first, "x", "y", "full tensor and circulating drift, t = 0.4, 192²", grid=False)
    gap = (found.values - exact) / exact.max()
    size = float(np.abs(gap).max())
    image = second.pcolormesh(x, y, gap.T, cmap="RdBu_r", vmin=-size, vmax=size, rasterized=True)
    bar = figure.colorbar(image, ax=second, shrink=0.85)
    bar.ax.ticklabel_format(axis="y", scilimits=(0, 0))
    l1 = float(np.abs(found.values - exact).sum() * found.grid.volume)
    style.dress(second, "x", "", f"(computed - exact) / peak, L1 {l1:.1e}", grid=False)
    for axes in (first, second):
        axes.set_aspect("equal")
        axes.set_xlim(-2.2, 3.0)
        axes.set_ylim(-2.6, 2.6)
    masses = (4 * math.pi, 8 * math.pi, 12 * math.pi)
    for mass, colour, marker in zip(masses, COLOURS, MARKERS, strict=False):
        times, moments, law = collapse(mass)
        third.plot(times, law, color=colour, lw=1.6)
        third.plot(times, moments, marker, color=colour, ms=5, mfc="white", label=f"M = {mass / math.pi:g} π")
    style.dress(third, "t", "second moment", "Keller-Segel: law (lines), 96² cells (marks)")
    third.legend(fontsize=9, frameon=False)
    style.finish(figure, str(path))
    return (
        "Left: computed density (filled) under the exact contours (dashed); middle: the difference; right: "
        "the second-moment law below, at and above the critical mass."
    )
