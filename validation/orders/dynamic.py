r"""Observed orders of `DynamicJKO`: in the inner steps K, in time, in space, and of its dissipation defect.

With K inner steps the action of a path is summed with the density at the end of each, an error of order 1/K
in the distance and so in the minimiser: order 1 against exact JKO steps (closed forms of Gaussians and of
Barenblatt profiles). As schemes for the PDE all K are implicit Euler, order 1 in dt. Centred faces are of
order 2 in space for smooth positive densities, upwind ones of order 1. Those two ladders go with dt ~ h^2 and
dt ~ h, so that the time error has the order that is expected of space. At the edge of a support faces are
upwind whatever the mobility, in a strip of a few cells: together with dt ~ h, or K ~ 1/h, order 1 in L1.
The dissipation defect is quadratic in the velocity's error: order 2 in dt, for K = 1 too.
"""

from __future__ import annotations

import functools
import math

import numpy as np

import wgf
from validation import closed_forms, references
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.schemes.jko.dynamic import DynamicJKO

Array = np.ndarray
MEAN, VARIANCE, BOX = 0.5, 0.4, 6.0
T0, TAU = 3.84e-4, 9.6e-5  # the porous-medium step of the baselines: radius 1/4 in the unit square


def ornstein_uhlenbeck() -> wgf.Problem:
    """entropy + x^2 / 2 from N(0.5, 0.4)."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    return wgf.Problem(energy, initial=wgf.Gaussian(MEAN, VARIANCE), bounds=(-BOX, BOX))


def final(
    problem: wgf.Problem, scheme: DynamicJKO, t_end: float, steps: int, record: tuple[str, ...] = ()
) -> wgf.Trajectory:
    """Solve, and refuse a run in which a step had to be upwind everywhere: its order would mean nothing."""
    run = wgf.solve(problem, scheme, t_end=t_end, dt=t_end / steps, record=list(record))
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


def gaussian_error(density: wgf.Density, mean: float, variance: float) -> float:
    """L1 distance of the cell averages to those of N(mean, variance)."""
    pdf = references.gaussian_pdf(np.array([mean]), np.array([[variance]]))
    exact = references.cell_average(pdf, density.grid.axes)
    return float(np.abs(density.values - exact).sum() * density.grid.volume)


def pde_error(cells: int, mobility: str, t: float, steps: int) -> float:
    """L1 distance to the exact Ornstein-Uhlenbeck Gaussian at time t."""
    scheme = DynamicJKO(cells=cells, mobility=mobility)
    found = final(ornstein_uhlenbeck(), scheme, t, steps).final
    return gaussian_error(found, MEAN * math.exp(-t), 1 + (VARIANCE - 1) * math.exp(-2 * t))


@functools.cache
def substeps_gaussian(full: bool) -> Ladder:
    """One step of 0.1 against the exact JKO minimiser; 1/K is the small parameter."""
    counts = (2, 4, 8, 16, *((32,) if full else ()))
    flow = closed_forms.gaussian_flow(np.array([MEAN]), np.array([[VARIANCE]]), 0.1, 1, stiffness=1.0)
    errors = []
    for k in counts:
        found = final(ornstein_uhlenbeck(), DynamicJKO(cells=600, substeps=k), 0.1, 1).final
        errors.append(gaussian_error(found, float(flow.means[-1, 0]), float(flow.covariances[-1, 0, 0])))
    return Ladder("substeps, JKO step of a Gaussian, 600 cells", "substeps", counts, tuple(errors))


@functools.cache
def substeps_barenblatt(full: bool) -> Ladder:
    """One step of 0.25 of the porous medium on the line, K = cells / 20, against the exact dilation."""
    cells = (40, 80, 160, 320, *((640,) if full else ()))
    start = wgf.Barenblatt(1, 2, 1.0)
    problem = wgf.Problem(wgf.internal(2), initial=start, bounds=(-3, 3))
    scale = float(closed_forms.barenblatt_flow(2, 1, 0.25, 1)[-1])
    exact = wgf.Barenblatt(1, 2, closed_forms.profile_time(scale, 2, 1))
    errors = [
        wgf.distance(final(problem, DynamicJKO(cells=n, substeps=n // 20), 0.25, 1).final, exact, "l1")
        for n in cells
    ]
    return Ladder("cells and substeps, 1-D porous-medium step", "cells", cells, tuple(errors))


@functools.cache
def plane(full: bool) -> Ladder:
    """The 2-D porous-medium step of the baselines, K = cells / 16, against the exact dilation."""
    cells = (16, 32, 64, 128, *((256,) if full else ()))
    errors = [plane_error(n, n // 16) for n in cells]
    return Ladder("cells and substeps, 2-D porous-medium step", "cells", cells, tuple(errors))


@functools.cache
def plane_run(cells: int, substeps: int) -> wgf.Trajectory:
    """One step of the porous medium in the unit square."""
    start = wgf.Barenblatt(2, 2, T0, (0.5, 0.5))
    problem = wgf.Problem(wgf.internal(2), initial=start, bounds=[(0, 1), (0, 1)])
    return final(problem, DynamicJKO(cells=cells, substeps=substeps), TAU, 1)


def plane_error(cells: int, substeps: int) -> float:
    """Its L1 distance to the exact minimiser."""
    scale = float(closed_forms.barenblatt_flow(2, 2, TAU, 1, t0=T0)[-1])
    exact = wgf.Barenblatt(2, 2, closed_forms.profile_time(scale, 2, 2), (0.5, 0.5))
    return wgf.distance(plane_run(cells, substeps).final, exact, "l1")


@functools.cache
def in_time(full: bool) -> Ladder:
    """Ornstein-Uhlenbeck to t = 0.4 on 800 cells."""
    steps = (4, 8, 16, 32, *((64,) if full else ()))
    errors = [pde_error(800, "centred", 0.4, n) for n in steps]
    return Ladder("time, Ornstein-Uhlenbeck", "dt", tuple(0.4 / n for n in steps), tuple(errors))


@functools.cache
def centred(full: bool) -> Ladder:
    """Ornstein-Uhlenbeck to t = 0.1 with dt ~ h^2."""
    cells = (30, 60, 120, 240, *((480,) if full else ()))
    errors = [pde_error(n, "centred", 0.1, (n // 30) ** 2) for n in cells]
    return Ladder("space, centred, dt ~ h^2", "cells", cells, tuple(errors))


@functools.cache
def upwind(full: bool) -> Ladder:
    """Ornstein-Uhlenbeck to t = 0.4 with dt ~ h."""
    cells = (100, 200, 400, 800, *((1600,) if full else ()))
    errors = [pde_error(n, "upwind", 0.4, 4 * n // 50) for n in cells]
    return Ladder("space, upwind, dt ~ h", "cells", cells, tuple(errors))


@functools.cache
def porous(full: bool) -> Ladder:
    """The porous medium on the line to t = 0.5 with dt ~ h, against the PDE."""
    cells = (50, 100, 200, 400, *((800,) if full else ()))
    start = wgf.problems.barenblatt(dimension=1, m=2)
    problem = wgf.Problem(wgf.internal(2), initial=start.initial, bounds=(-3, 3))
    exact = wgf.Barenblatt(1, 2, 1.5)  # the start has t0 = 1
    errors = [
        wgf.distance(final(problem, DynamicJKO(cells=n), 0.5, 4 * n // 50).final, exact, "l1") for n in cells
    ]
    return Ladder("space and time, porous medium, dt ~ h", "cells", cells, tuple(errors))


@functools.cache
def defect(full: bool) -> Ladder:
    """|De Giorgi's functional| of Ornstein-Uhlenbeck runs to t = 0.4 on 200 cells."""
    steps = (8, 16, 32, 64, *((128,) if full else ()))
    runs = (final(ornstein_uhlenbeck(), DynamicJKO(cells=200), 0.4, n, ("dissipation",)) for n in steps)
    errors = tuple(abs(run.dissipation_defect()) for run in runs)
    return Ladder("dissipation defect", "dt", tuple(0.4 / n for n in steps), errors, "defect")


def rise(mobility: str, full: bool) -> float:
    """The largest rise of the energy in a step of an aggregating, diffusing, confined flow in the plane."""
    energy = wgf.internal(2) + wgf.potential(lambda x: (x**2).sum(-1))
    energy += wgf.interaction(lambda z: -np.exp(-(z**2).sum(-1)))
    problem = wgf.Problem(energy, initial=wgf.Uniform([(-1.5, 0.5), (-1.0, 1.2)]), bounds=[(-2, 2)] * 2)
    scheme = DynamicJKO(cells=16, substeps=2, mobility=mobility)
    run = wgf.solve(problem, scheme, t_end=2.0, dt=0.2, save_at=0.2, record=["energy"])
    return float(np.diff(run.record["energy"]).max())


def mass_error(full: bool) -> float:
    """|mass - 1| after a step in the plane, and never a negative cell."""
    found = plane_run(128, 8).final
    assert found.values.min() >= 0
    return abs(found.mass - 1)


ROWS = (
    Row(
        scheme="dynamic-jko", problem="inner steps, JKO step of a Gaussian against the exact minimiser",
        norm="L1", expected=1, bound=8e-4, ladder=substeps_gaussian,
    ),
    Row(
        scheme="dynamic-jko", problem="porous-medium JKO step, K ~ 1/h: order 1, upwind at the free boundary",
        norm="L1", expected=1, bound=1.2e-3, ladder=substeps_barenblatt, tolerance=0.15,
    ),
    Row(
        scheme="dynamic-jko", problem="plane porous-medium JKO step, K ~ 1/h: order 1, as on the line",
        norm="L1", expected=1, bound=5e-3, ladder=plane, tolerance=0.15,
    ),
    Row(
        scheme="dynamic-jko", problem="time, Ornstein-Uhlenbeck against the PDE",
        norm="L1", expected=1, bound=1.6e-3, ladder=in_time,
    ),
    Row(
        scheme="dynamic-jko", problem="space, centred, dt ~ h^2, Ornstein-Uhlenbeck against the PDE",
        norm="L1", expected=2, bound=4e-4, ladder=centred,
    ),
    Row(
        scheme="dynamic-jko", problem="upwind, dt ~ h, Ornstein-Uhlenbeck against the PDE",
        norm="L1", expected=1, bound=2e-3, ladder=upwind,
    ),
    Row(
        scheme="dynamic-jko", problem="porous medium, dt ~ h, against the PDE: order 1 at the free boundary",
        norm="L1", expected=1, bound=1e-3, ladder=porous, tolerance=0.15,
    ),
    Row(
        scheme="dynamic-jko", problem="dissipation defect, Ornstein-Uhlenbeck, K = 1",
        norm="defect", expected=2, bound=8e-5, ladder=defect,
    ),
)  # fmt: skip

CLAIMS = (
    Claim(
        name="dynamic/plane-step",
        what="2-D porous-medium JKO step, 128^2 cells, K = 8",
        against="exact dilation, L1",
        measure=lambda full: plane_error(128, 8),
        required=AtMost(5e-3),
    ),
    Claim(
        name="dynamic/mass",
        what="the same step: |mass - 1|, no negative cell",
        against="conservation",
        measure=mass_error,
        required=AtMost(1e-12),
    ),
    *(
        Claim(
            name=f"dynamic/energy-{mobility}",
            what=f"largest rise of the energy, {mobility}, 10 steps of 0.2, internal + V + W in the plane",
            against="the minimising property",
            measure=functools.partial(rise, mobility),
            required=AtMost(1e-12),
        )
        for mobility in ("upwind", "centred")
    ),
)
