"""Claims on the double well V = (x^2 - 1)^2: the spectral gap out of a simulated decay, and the density.

|rho/pi - 1| in L2(pi) decays like exp(-gap t) once the faster modes are gone. The gap of the continuous
problem comes from a sine-Galerkin eigenproblem (`references.WellSpectrum`), accurate to about 1e-10.
"""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np

import wgf
from validation import references
from validation.claims import AtMost, Claim, Order, Subject, converges
from validation.rates import Ladder
from validation.report import COLOURS
from wgf.plot import style
from wgf.schemes import FokkerPlanck

DIFFUSIONS = (1.0, 0.5, 0.25)
BOX = (-3.0, 3.0)
FORGOTTEN, WATCHED = 4.0, 1.0  # in units of 1 / gap: when the watch starts, how long it lasts
START = (-0.6, 0.05)


def well(x: np.ndarray) -> np.ndarray:
    """V as a user writes it."""
    return (x[..., 0] ** 2 - 1) ** 2


def decay(D: float, cells: int, time: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Times and |rho/pi - 1| of a run that ends after FORGOTTEN + WATCHED relaxation times."""
    unit = 1 / references.well(D).gap
    energy = D * wgf.entropy() + wgf.potential(well)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(*START), bounds=BOX)
    t_end = (FORGOTTEN + WATCHED) * unit
    run = wgf.solve(
        problem, FokkerPlanck(cells=cells, time=time), t_end=t_end, dt=t_end / steps, save_at=t_end / 10
    )
    pi = np.exp(-well(run.final.grid.centers) / D)
    pi /= pi.sum()
    found = [m.values / m.values.sum() for m in run.measures]
    return np.array(run.times), np.array([math.sqrt((pi * (p / pi - 1) ** 2).sum()) for p in found])


def rate(D: float, cells: int, time: str = "exponential", steps: int = 10) -> float:
    """Decay rate between FORGOTTEN and the end."""
    times, norms = decay(D, cells, time, steps)
    first = int(np.argmin(np.abs(times - FORGOTTEN / references.well(D).gap)))
    return float(np.log(norms[first] / norms[-1]) / (times[-1] - times[first]))


def gap_error(D: float, full: bool) -> float:
    """Relative error of the rate of the default scheme on 400 cells."""
    return abs(rate(D, 400, "tr-bdf2", 1000) / references.well(D).gap - 1)


@functools.cache
def gap_ladder(full: bool) -> Ladder:
    """Relative error of the rate over cells, D = 1, exact in time."""
    cells = (50, 100, 200, 400, *((800,) if full else ()))
    gap = references.well(1.0).gap
    errors = tuple(abs(rate(1.0, n) / gap - 1) for n in cells)
    return Ladder("spectral gap, double well, D = 1", "cells", cells, errors, "relative")


@functools.cache
def plane(full: bool) -> Ladder:
    """L1 error of the double well times a stiff Ornstein-Uhlenbeck process in the plane (P2) at t = 1."""
    cells = (64, 96, 144, 216, *((324, 486) if full else ()))
    mean, var = np.array([-0.6, 0.5]), np.array([0.05, 0.1])

    def start(x: np.ndarray) -> np.ndarray:
        return np.exp(-((x - mean[0]) ** 2) / (2 * var[0])) / math.sqrt(2 * math.pi * var[0])

    density = references.well().solve(start, 1.0)
    y_mean, y_var = references.ou_moments(np.array([[4.0]]), mean[1:], np.array([[var[1]]]), 1.0)
    energy = wgf.entropy() + wgf.potential(lambda x: well(x) + 2 * x[..., 1] ** 2)
    bounds = [(-3.0, 3.0), (-3.5, 3.5)]
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean, var), bounds=bounds)
    errors = []
    for n in cells:
        found = wgf.solve(problem, FokkerPlanck(cells=n, time="tr-bdf2"), t_end=1.0, dt=4 / n).final
        along_x = references.line_averages(density, *bounds[0], n)
        along_y = references.cell_average(references.gaussian_pdf(y_mean, y_var), found.grid.axes[1:])
        exact = along_x[:, None] * along_y[None, :]
        errors.append(float(np.abs(found.values - exact).sum() * found.grid.volume))
    return Ladder("space and time, double well in the plane, dt = 4 / cells", "cells", cells, tuple(errors))


CLAIMS = (
    *(
        Claim(
            name=f"double_well/gap-{D:g}",
            what=f"decay rate of |rho/pi - 1|, D = {D:g}, 400 cells, 1000 steps of TR-BDF2, relative error",
            against="spectral gap by sine-Galerkin",
            measure=functools.partial(gap_error, D),
            required=AtMost(1e-2),
        )
        for D in DIFFUSIONS
    ),
    *converges(
        "double_well/gap-space",
        "decay rate of |rho/pi - 1|, D = 1, exact in time",
        "spectral gap by sine-Galerkin, relative error",
        gap_ladder,
        Order(2),
        1e-3,
    ),
    *converges(
        "double_well/plane",
        "double well times a stiff Ornstein-Uhlenbeck process in the plane (P2), t = 1, dt tied to h",
        "sine-Galerkin times exact Gaussian, L1 of cell averages",
        plane,
        Order(2),
        5e-4,
    ),
)


def draw(folder: Path, full: bool) -> list[tuple[str, str]]:
    """The decay for every D, time in units of 1 / gap, beside exp(-gap t)."""
    figure, (axes,) = style.blank(size=(7.0, 4.5))
    for D, colour, marker in zip(DIFFUSIONS, COLOURS, "os^", strict=False):
        times, norms = (values[1:] for values in decay(D, 400, "exponential", 10))  # at 0 it is up to 1e29
        unit = times * references.well(D).gap
        label = f"D = {D:g}: rate {rate(D, 400):.5f}, gap {references.well(D).gap:.5f}"
        axes.semilogy(
            unit, norms / norms[-1], marker, color=colour, markersize=9, fillstyle="none", label=label
        )
    axes.semilogy(unit, np.exp(unit[-1] - unit), "-", color=style.INK, linewidth=0.8, label="exp(-gap t)")
    title = "Double well: the decay to equilibrium runs at the spectral gap"
    style.dress(axes, "gap * t", "|rho/pi - 1| in L2(pi), over its last value", title)
    axes.legend(frameon=False)
    name = "double_well_decay.png"
    style.finish(figure, str(folder / name))
    return [(name, "Distance to equilibrium over time, beside the decay exp(-gap t) of the exact gap.")]


SUBJECT = Subject(name="double_well", title="Double well", claims=CLAIMS, draw=draw)
