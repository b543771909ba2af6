"""Measures of the grid scheme `FokkerPlanck`: ladders in space and time, exactness, conservation.

Space and time are held apart: orders in time are measured on one grid against the exact exponential
of a generator assembled here (`references.semidiscrete`), so no space error enters; orders in space
with time exact ("exponential") or tied to the spacing. All errors compare CELL AVERAGES.
The ladders are rows of the table of orders (`orders.fokker_planck`), the rest are claims here.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np

import wgf
from validation import references
from validation.claims import AtMost, Claim
from validation.rates import Ladder
from wgf.schemes import FokkerPlanck

A2 = np.array([[1.5, 0.5], [0.5, 1.0]])
A3 = np.array([[1.2, 0.3, 0.0], [0.3, 1.0, 0.2], [0.0, 0.2, 0.8]])
TIME_SCHEMES = {"backward-euler": 1, "lie": 1, "tr-bdf2": 2, "strang": 2}
WELL_START = (-0.6, 0.05)  # mean and variance


def quadratic(A: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """V = x.Ax/2 as a user writes it."""
    return lambda x: 0.5 * ((x @ A) * x).sum(-1)


def well(x: np.ndarray) -> np.ndarray:
    """V = (x^2 - 1)^2 on the line."""
    return (x[..., 0] ** 2 - 1) ** 2


def final(problem: wgf.Problem, scheme: FokkerPlanck, t_end: float, steps: int) -> wgf.Trajectory:
    """Solve, and refuse a run in which a step had to be replaced: its order would mean nothing."""
    run = wgf.solve(problem, scheme, t_end=t_end, dt=t_end / steps)
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


def l1(values: np.ndarray, reference: np.ndarray, volume: float) -> float:
    """L1 distance of cell averages."""
    return float(np.abs(values - reference).sum() * volume)


def ou_error(
    A: np.ndarray, mean: np.ndarray, var: float, box: float, cells: int, steps: int, time: str, t: float = 1.0
) -> float:
    """L1 error at time t of an Ornstein-Uhlenbeck run on [-box, box]^d from N(mean, var I)."""
    d = len(A)
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic(A)),
        initial=wgf.Gaussian(mean=mean, cov=var),
        bounds=[(-box, box)] * d,
    )
    found = final(problem, FokkerPlanck(cells=cells, time=time), t, steps).final
    moments = references.ou_moments(A, mean, var * np.eye(d), t)
    exact = references.cell_average(references.gaussian_pdf(*moments), found.grid.axes, nodes=3)
    return l1(found.values, exact, found.grid.volume)


# ------------------------------------------------------------------------------------------ space


@functools.cache
def space_1d(full: bool) -> Ladder:
    """Ornstein-Uhlenbeck on the line, time exact."""
    cells = (25, 50, 100, 200, 400, *((800, 1600) if full else ()))
    errors = [ou_error(np.eye(1), np.array([1.5]), 0.25, 6.0, n, 1, "exponential", 0.5) for n in cells]
    return Ladder("space, 1-D Ornstein-Uhlenbeck, exact in time", "cells", cells, tuple(errors))


@functools.cache
def space_2d(full: bool) -> Ladder:
    """P1 of the baselines, time step tied to the spacing."""
    cells = (32, 64, 128, 256, *((512, 1024) if full else ()))
    mean = np.array([1.5, -1.0])
    errors = [ou_error(A2, mean, 0.4, 8.0, n, n // 4, "tr-bdf2") for n in cells]
    return Ladder(
        "space and time, 2-D skewed Ornstein-Uhlenbeck, dt = 4 / cells", "cells", cells, tuple(errors)
    )


@functools.cache
def space_3d(full: bool) -> Ladder:
    """A coupled Ornstein-Uhlenbeck process in three dimensions, time step tied to the spacing."""
    cells = (16, 24, 36, 54, *((81,) if full else ()))
    mean = np.array([0.8, -0.5, 0.3])
    errors = [ou_error(A3, mean, 0.6, 6.0, n, n // 2, "tr-bdf2", 0.5) for n in cells]
    return Ladder("space and time, 3-D Ornstein-Uhlenbeck, dt = 1 / cells", "cells", cells, tuple(errors))


def torus_potential(x: np.ndarray) -> np.ndarray:
    """A smooth landscape with two wells on the unit circle."""
    return np.cos(2 * np.pi * x[..., 0]) + 0.5 * np.sin(4 * np.pi * x[..., 0])


def torus_slope(x: np.ndarray) -> np.ndarray:
    """Its derivative."""
    return 2 * np.pi * (np.cos(4 * np.pi * x) - np.sin(2 * np.pi * x))


def torus_start(x: np.ndarray) -> np.ndarray:
    """The initial density on the circle."""
    return 1 + 0.5 * np.cos(2 * np.pi * x) + 0.3 * np.sin(2 * np.pi * x)


@functools.cache
def periodic(full: bool) -> Ladder:
    """A flow on the circle against Fourier collocation, time step tied to the spacing."""
    cells = (32, 64, 128, 256, 512, *((1024, 2048) if full else ()))
    errors = []
    for n in cells:
        grid = wgf.Grid((0.0, 1.0), n, boundary="periodic")
        start = wgf.Density(grid, references.torus_averages(torus_slope, torus_start, 0.0, n))
        energy = wgf.entropy() + wgf.potential(torus_potential)
        problem = wgf.Problem(energy, initial=start, bounds=(0.0, 1.0), boundary="periodic")
        values = final(problem, FokkerPlanck(cells=n, time="tr-bdf2"), 0.02, n // 2).final.values
        errors.append(l1(values, references.torus_averages(torus_slope, torus_start, 0.02, n), 1 / n))
    return Ladder("space and time, periodic line", "cells", cells, tuple(errors))


# ------------------------------------------------------------------------------------------- time


@functools.cache
def plane() -> tuple[wgf.Problem, np.ndarray]:
    """P1 on 24 x 24 cells, which no splitting solves exactly, and its exact semi-discrete solution."""
    grid = wgf.Grid([(-5.0, 5.0)] * 2, 24)
    start = references.cell_average(
        references.gaussian_pdf(np.array([1.0, -0.7]), 0.5 * np.eye(2)), grid.axes
    )
    energy = wgf.entropy() + wgf.potential(quadratic(A2))
    problem = wgf.Problem(
        energy, initial=wgf.Density(grid, start / (start.sum() * grid.volume)), bounds=grid.bounds
    )
    potential = quadratic(A2)(grid.centers)
    return problem, references.semidiscrete(potential, tuple(grid.spacing), problem.initial.values, 1.0)


@functools.cache
def line() -> tuple[wgf.Problem, np.ndarray]:
    """The double well on 200 cells, where nothing is split, and its exact semi-discrete solution."""
    grid = wgf.Grid((-1.8, 1.8), 200)
    start = references.cell_average(references.gaussian_pdf(np.array([-0.4]), np.array([[0.4]])), grid.axes)
    energy = wgf.entropy() + wgf.potential(well)
    problem = wgf.Problem(
        energy, initial=wgf.Density(grid, start / (start.sum() * grid.volume)), bounds=grid.bounds
    )
    potential = well(grid.centers)
    return problem, references.semidiscrete(potential, tuple(grid.spacing), problem.initial.values, 1.0)


@functools.cache
def in_time(time: str, full: bool) -> Ladder:
    """One time scheme on one grid against the exact exponential."""
    problem, exact = line() if time == "tr-bdf2" else plane()
    steps = (40, 80, 160, 320, *((640, 1280) if full else ()))
    errors = []
    for count in steps:
        found = final(problem, FokkerPlanck(cells=exact.shape, time=time), 1.0, count).final
        errors.append(l1(found.values, exact, found.grid.volume))
    title = f"time, {time}, {exact.ndim}-D, one grid"
    return Ladder(title, "dt", tuple(1 / n for n in steps), tuple(errors))


def exponential_error(full: bool) -> float:
    """One step of the exponential scheme in two dimensions against the exact exponential, separable V."""
    grid = wgf.Grid([(-4.0, 4.0), (-3.0, 3.0)], (24, 20))

    def potential(x: np.ndarray) -> np.ndarray:
        return 0.3 * (x[..., 0] ** 2 - 1) ** 2 / 4 + x[..., 1] ** 2

    start = references.cell_average(references.gaussian_pdf(np.array([0.5, 0.2]), 0.5 * np.eye(2)), grid.axes)
    start /= start.sum() * grid.volume
    energy = 0.7 * wgf.entropy() + wgf.potential(potential)
    problem = wgf.Problem(energy, initial=wgf.Density(grid, start), bounds=grid.bounds)
    found = final(problem, FokkerPlanck(cells=grid.cells, time="exponential"), 1.0, 1).final
    exact = references.semidiscrete(potential(grid.centers), tuple(grid.spacing), start, 1.0, 0.7)
    return l1(found.values, exact, grid.volume)


# --------------------------------------------------------------------------- size and conservation


@functools.cache
def fine_line(full: bool) -> tuple[float, float]:
    """(L1 error, relative mass drift) of the double well on 1e5 cells, 100 TR-BDF2 steps to t = 1."""
    cells, (mean, var) = 100_000, WELL_START
    initial = wgf.Gaussian(mean, var)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(well), initial=initial, bounds=(-3.0, 3.0))
    run = final(problem, FokkerPlanck(cells=cells, time="tr-bdf2"), 1.0, 100)
    density = references.well().solve(lambda x: initial.pdf(x[:, None]), 1.0)
    exact = references.line_averages(density, -3.0, 3.0, cells)
    drift = math.fsum(run.final.values) / math.fsum(run.measures[0].values) - 1
    return l1(run.final.values, exact, run.final.grid.volume), abs(drift)


def gibbs_change(full: bool) -> float:
    """Largest relative change of the Gibbs state over 1000 steps of TR-BDF2."""
    grid = wgf.Grid((-2.5, 2.5), 200)
    state = np.exp(-well(grid.centers))
    state /= state.sum() * grid.volume
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(well), initial=wgf.Density(grid, state), bounds=(-2.5, 2.5)
    )
    found = final(problem, FokkerPlanck(cells=200, time="tr-bdf2"), 10.0, 1000).final.values
    return float(np.abs(found / state - 1).max())


def lowest_value(full: bool) -> float:
    """Minus the smallest cell of a Lie run from one filled cell, steps far beyond the explicit limit."""
    grid = wgf.Grid([(-3.0, 3.0)] * 2, 64)
    spike = np.zeros(grid.cells)
    spike[20, 40] = 1 / grid.volume
    energy = wgf.entropy() + wgf.potential(lambda x: well(x) + 2 * x[..., 1] ** 2)
    problem = wgf.Problem(energy, initial=wgf.Density(grid, spike), bounds=grid.bounds)
    run = wgf.solve(problem, FokkerPlanck(cells=64, time="lie"), t_end=20.0, dt=2.0, save_at=2.0)
    return 0.0 - float(np.min([measure.values.min() for measure in run.measures]))


def energy_rise(full: bool) -> float:
    """Largest rise of the energy in one step, double well in the plane, backward Euler, large steps."""
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: well(x) + 2 * x[..., 1] ** 2),
        initial=wgf.Gaussian(mean=[-0.6, 0.5], cov=[0.05, 0.1]),
        bounds=[(-3.0, 3.0), (-3.5, 3.5)],
    )
    scheme = FokkerPlanck(cells=64, time="lie")
    run = wgf.solve(problem, scheme, t_end=10.0, dt=0.2, save_at=0.2, record=["energy"])
    return float(np.diff(run.record["energy"]).max())


TIME_BOUNDS = {"backward-euler": 1e-3, "lie": 1.2e-3, "tr-bdf2": 1e-6, "strang": 1e-6}

CLAIMS = (
    Claim(
        name="grid/exponential-exact",
        what="one step of time = 'exponential' over t = 1 in the plane, separable V",
        against="exact exponential of a generator assembled apart, L1",
        measure=exponential_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="grid/fine-line-error",
        what="double well on 1e5 cells, 100 steps of TR-BDF2 to t = 1",
        against="sine-Galerkin solution, L1 of cell averages",
        measure=lambda full: fine_line(full)[0],
        required=AtMost(2e-6),
    ),
    Claim(
        name="grid/fine-line-mass",
        what="relative mass drift of the same run",
        against="exact conservation",
        measure=lambda full: fine_line(full)[1],
        required=AtMost(1e-12),
    ),
    Claim(
        name="grid/gibbs-kept",
        what="largest relative change of exp(-V) over 1000 steps of TR-BDF2",
        against="exact stationarity",
        measure=gibbs_change,
        required=AtMost(1e-12),
    ),
    Claim(
        name="grid/positive",
        what="minus the lowest cell under Lie steps far beyond the explicit limit, from one filled cell",
        against="positivity",
        measure=lowest_value,
        required=AtMost(0.0),
    ),
    Claim(
        name="grid/energy-decays",
        what="largest rise of the energy in a step of backward Euler by axes, double well in the plane",
        against="energy decay",
        measure=energy_rise,
        required=AtMost(1e-12),
    ),
)
