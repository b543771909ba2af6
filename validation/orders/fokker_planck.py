r"""Observed orders of `FokkerPlanck`: every coefficient against a closed form, space and time.

Theory. Scharfetter-Gummel fluxes are exact for constant flux between two cells, so their error for smooth
data is h^2 in the mean, whatever the mobility, the drift and (inside) the tensor; the mass matrix is the
identity on cell averages, so it is the same 2 in L1 and L-infinity. dt is tied to h where a row is about
space: TR-BDF2 and its splitting have order 2 too. At a wall that a full tensor meets obliquely a layer of the
width of the stencil keeps an error h: order 2 in L1, 1 in L-infinity. An obstacle whose edge lies between
cells is a wall. In time backward Euler and Lie splitting have order 1, TR-BDF2 and Strang splitting 2.

The stretched process is an Ornstein-Uhlenbeck process Y seen as X = sinh(a Y)/a: its mobility
M = 1 + a^2 x^2 varies by a factor of 10 where there is mass, and its law is known in closed form. Ito's
lemma gives X the further drift (D/2) M', of which Fick's form holds twice and Ito's nothing: the potential
makes up for it with +-(D/2) log M.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np
from scipy.integrate import cumulative_simpson

import wgf
from validation import finite_volumes, references
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.problems.ornstein_uhlenbeck import ornstein_uhlenbeck_path
from wgf.schemes import FokkerPlanck

SCHEME = "fokker-planck"
TENSOR = np.array([[1.0, 0.6], [0.6, 0.8]])
STIFFNESS = np.array([[1.2, -0.3], [-0.3, 0.9]])
CIRCULATING = np.array([[1.0, 1.5], [-1.0, 0.8]])
OBLIQUE = np.array([[2.2, 1.4], [1.4, 1.0]])
STRETCH, HEAT = 0.5, 0.5  # a and D of the stretched process

Density = Callable[[np.ndarray], np.ndarray]


def tied(title: str, cells: Sequence[int], error: Callable[[int], float], norm: str = "L1") -> Ladder:
    """A ladder over cells."""
    return Ladder(title, "cells", cells, tuple(error(n) for n in cells), norm)


def distance(run: wgf.Trajectory, exact: np.ndarray, norm: str) -> float:
    """Distance of the final cell averages to exact ones in "L1" or "Linf"."""
    gap = np.abs(run.final.values - exact)
    return float(gap.max() if norm == "Linf" else gap.sum() * run.final.grid.volume)


# ------------------------------------------------------------------------- Ornstein-Uhlenbeck flows


def linear_flow(A: np.ndarray, M: np.ndarray, mean: Sequence[float], var: float, box: float) -> wgf.Problem:
    """d_t rho = div(rho A x) + div(M grad rho): the gradient part as V, the rest as a drift."""
    S = np.linalg.solve(M, A)
    S = 0.5 * (S + S.T)
    rest = A - M @ S
    diagonal = np.array_equal(M, np.diag(np.diag(M)))
    return wgf.Problem(
        wgf.entropy() + wgf.potential(finite_volumes.quadratic(S)),
        initial=wgf.Gaussian(np.array(mean), var),
        bounds=[(-box, box)] * len(A),
        mobility=wgf.Mobility(np.diag(M) if diagonal else M),
        drift=None if np.abs(rest).max() < 1e-12 else lambda x: -x @ rest.T,
        exact=ornstein_uhlenbeck_path(A, M, np.array(mean), var),
    )


@functools.cache
def linear(name: str, norm: str, full: bool) -> Ladder:
    """A Gaussian under one of three linear equations, dt = 2/cells."""
    A, M = {
        "diagonal": (np.diag([2.0, 0.5]) @ STIFFNESS, np.diag([2.0, 0.5])),
        "tensor": (TENSOR @ STIFFNESS, TENSOR),
        "circulating": (CIRCULATING, np.eye(2)),
    }[name]
    problem = linear_flow(A, M, (1.2, -0.8), 0.5, 7.0)
    moments = ornstein_uhlenbeck_path(A, M, (1.2, -0.8), 0.5)(1.0)
    pdf = references.gaussian_pdf(moments.mean(), moments.cov())

    def error(n: int) -> float:
        run = finite_volumes.final(problem, FokkerPlanck(cells=n), 1.0, n // 2)
        return distance(run, references.cell_average(pdf, run.final.grid.axes), norm)

    more = (192, 256) if name == "tensor" else (192, 384)
    cells = (32, 48, 64, 96, 128, *(more if full else ()))
    return tied(f"2-D Ornstein-Uhlenbeck, {name}, dt = 2 / cells", cells, error, norm)


@functools.cache
def tensor_in_time(time: str, full: bool) -> Ladder:
    """The tensor flow on one grid, unsplit, against the finest of its own runs extrapolated."""
    problem = linear_flow(TENSOR @ STIFFNESS, TENSOR, (0.8, -0.5), 0.8, 6.0)
    steps = (10, 20, 40, 80, *((160,) if full else ()))
    scheme = FokkerPlanck(cells=32, time=time)
    best = [finite_volumes.final(problem, FokkerPlanck(cells=32), 1.0, n).final for n in (320, 640)]
    exact = (4 * best[1].values - best[0].values) / 3
    errors = tuple(distance(finite_volumes.final(problem, scheme, 1.0, n), exact, "L1") for n in steps)
    return Ladder(f"time, full tensor, {time}, one grid", "dt", tuple(1 / n for n in steps), errors)


# ---------------------------------------------------------------------------- variable mobilities


def stretched_density(t: float, d: int) -> Density:
    """The law of the stretched process at time t, from N(0.8, 0.3) in the coordinate y, on every axis."""
    mean, var = 0.8 * np.exp(-t), HEAT + (0.3 - HEAT) * np.exp(-2 * t)

    def pdf(x: np.ndarray) -> np.ndarray:
        y = np.arcsinh(STRETCH * x) / STRETCH
        root = np.sqrt(2 * np.pi * var * (1 + (STRETCH * x) ** 2))
        return (np.exp(-0.5 * (y - mean) ** 2 / var) / root).prod(axis=-1)

    return pdf


def stretched_problem(form: str, d: int, cells: int) -> wgf.Problem:
    """Its equation in Fick's or Ito's form on [-10, 10]^d."""
    sign = 0.5 if form == "fick" else -0.5

    def M(x: np.ndarray) -> np.ndarray:
        return 1 + (STRETCH * x) ** 2

    def V(x: np.ndarray) -> np.ndarray:
        y = np.arcsinh(STRETCH * x) / STRETCH
        return (0.5 * y**2 + sign * HEAT * np.log(M(x))).sum(axis=-1)

    box = wgf.Grid([(-10.0, 10.0)] * d, cells)
    start = references.cell_average(stretched_density(0.0, d), box.axes)
    return wgf.Problem(
        HEAT * wgf.entropy() + wgf.potential(V),
        initial=wgf.Density(box, start),
        bounds=box.bounds,
        mobility=wgf.Mobility(M, form=form),
    )


@functools.cache
def stretched(form: str, d: int, full: bool) -> Ladder:
    """The stretched process to t = 0.5, dt tied to the spacing."""

    def error(n: int) -> float:
        run = finite_volumes.final(stretched_problem(form, d, n), FokkerPlanck(cells=n), 0.5, n // 4)
        return distance(run, references.cell_average(stretched_density(0.5, d), run.final.grid.axes), "L1")

    cells = (60, 120, 240, 480, *((960,) if full else ())) if d == 1 else (64, 96, 144, 216)
    return tied(f"stretched Ornstein-Uhlenbeck, {form}, {d}-D, dt = 2 / cells", cells, error)


# ------------------------------------------------------------------------ circles, walls, moving wells


@functools.cache
def current(full: bool) -> Ladder:
    """The steady state of rho' + rho (V' - b) = -J on the circle, V = cos 2 pi x, b = 3/2, J > 0."""
    x, b = np.linspace(0, 1, 40_001), 1.5
    U = np.cos(2 * np.pi * x) - b * x
    inner = cumulative_simpson(np.exp(U), x=x, initial=0)
    rest = np.exp(-U) * (inner[-1] / (1 - np.exp(-b)) - inner)
    mass = cumulative_simpson(rest, x=x, initial=0) / np.trapezoid(rest, x)

    def error(n: int) -> float:
        problem = wgf.Problem(
            wgf.entropy() + wgf.potential(lambda x: np.cos(2 * np.pi * x[..., 0])),
            initial=wgf.Uniform((0.0, 1.0)),
            bounds=(0.0, 1.0),
            boundary="periodic",
            drift=lambda x: np.full(x.shape, b),
        )
        run = finite_volumes.final(problem, FokkerPlanck(cells=n), 3.0, 60)
        return distance(run, n * np.diff(mass[:: (len(x) - 1) // n]), "L1")

    return tied("steady current on the circle", (20, 40, 80, 160, *((320,) if full else ())), error)


@functools.cache
def oblique_wall(full: bool) -> Ladder:
    """sin(2 pi (y - r x)) along two walls that M meets obliquely (bonds of reach 2): no flux across."""
    r = OBLIQUE[0, 1] / OBLIQUE[0, 0]
    rate = 4 * np.pi**2 * (OBLIQUE[1, 1] - OBLIQUE[0, 1] * r)

    def error(n: int) -> float:
        box = wgf.Grid(((0.0, 1.0), (0.0, 1.0)), n, ("noflux", "periodic"))
        wave = references.cell_average(lambda x: np.sin(2 * np.pi * (x[..., 1] - r * x[..., 0])), box.axes)
        problem = wgf.Problem(
            wgf.entropy(),
            initial=wgf.Density(box, 1 + 0.5 * wave),
            bounds=box.bounds,
            boundary=box.boundary,
            mobility=wgf.Mobility(OBLIQUE),
        )
        run = finite_volumes.final(problem, FokkerPlanck(cells=n), 0.5 / rate, n // 2)
        return distance(run, 1 + 0.5 * np.exp(-0.5) * wave, "L1")

    return tied("flow along an oblique wall", (24, 36, 54, 81, 120, *((180,) if full else ())), error)


@functools.cache
def half_line(full: bool) -> Ladder:
    """Heat against V = +inf on x > 1: the method of images."""

    def averages(variance: float, box: wgf.Grid) -> np.ndarray:
        def pdf(x: np.ndarray) -> np.ndarray:
            pair = sum(np.exp(-0.5 * (x[..., 0] - m) ** 2 / variance) for m in (0.0, 2.0))
            return np.where(x[..., 0] < 1, pair / np.sqrt(2 * np.pi * variance), 0.0)

        return references.cell_average(pdf, box.axes)

    def error(n: int) -> float:
        box = wgf.Grid((-5.0, 5.0), n)
        problem = wgf.Problem(
            wgf.entropy() + wgf.potential(lambda x: np.where(x[..., 0] < 1, 0.0, np.inf)),
            initial=wgf.Density(box, averages(0.05, box)),
            bounds=box.bounds,
        )
        run = finite_volumes.final(problem, FokkerPlanck(cells=n), 0.25, n // 2)
        return distance(run, averages(0.55, box), "L1")

    return tied("heat reflected by an obstacle", (40, 80, 160, 320, *((640,) if full else ())), error)


@functools.cache
def moving_well(full: bool) -> Ladder:
    """V = (x - sin 2t)^2/2: a Gaussian whose mean follows m' = sin 2t - m, dt tied to the spacing."""
    energy = wgf.entropy() + wgf.potential(lambda x, t: 0.5 * ((x - np.sin(2 * t)) ** 2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(0.0, 0.5), bounds=(-7.0, 7.0))
    mean = (np.sin(2.0) - 2 * np.cos(2.0) + 2 * np.exp(-1.0)) / 5
    pdf = references.gaussian_pdf(np.array([mean]), np.array([[1 - 0.5 * np.exp(-2.0)]]))

    def error(n: int) -> float:
        run = finite_volumes.final(problem, FokkerPlanck(cells=n), 1.0, n // 4)
        return distance(run, references.cell_average(pdf, run.final.grid.axes), "L1")

    return tied("a well that moves, dt = 4 / cells", (40, 80, 160, 320, *((640,) if full else ())), error)


def row(
    problem: str,
    ladder: Callable[[bool], Ladder],
    bound: float,
    norm: str = "L1",
    expected: float = 2.0,
) -> Row:
    """A row of this scheme, of order 2 in L1 unless said otherwise."""
    return Row(scheme=SCHEME, problem=problem, norm=norm, expected=expected, bound=bound, ladder=ladder)


ROWS: tuple[Row, ...] = (
    row("space, Ornstein-Uhlenbeck on the line", finite_volumes.space_1d, 1.2e-4),
    row("space, skewed Ornstein-Uhlenbeck in the plane", finite_volumes.space_2d, 6e-4),
    row("space, coupled Ornstein-Uhlenbeck in three dimensions", finite_volumes.space_3d, 6e-3),
    row("space, circle with two wells", finite_volumes.periodic, 1e-5),
    row("diagonal mobility, coupled Gaussian", functools.partial(linear, "diagonal", "L1"), 1.6e-3),
    row("full tensor, Gaussian", functools.partial(linear, "tensor", "L1"), 1.9e-3),
    row("full tensor, Gaussian, pointwise", functools.partial(linear, "tensor", "Linf"), 4e-4, norm="Linf"),
    row("circulating drift, Gaussian", functools.partial(linear, "circulating", "L1"), 2.5e-3),
    row("variable mobility, Fick, line", functools.partial(stretched, "fick", 1), 3e-4),
    row("variable mobility, Ito, plane", functools.partial(stretched, "ito", 2), 2e-3),
    row("steady current around the circle", current, 8e-5),
    row("full tensor, flow along an oblique wall", oblique_wall, 5e-5),
    row("obstacle, reflected heat on the half line", half_line, 2e-4),
    row("moving well, Gaussian", moving_well, 2e-4),
    row("time, full tensor, TR-BDF2 unsplit", functools.partial(tensor_in_time, "tr-bdf2"), 4e-6),
    row(
        "time, full tensor, backward Euler unsplit",
        functools.partial(tensor_in_time, "backward-euler"),
        2e-3,
        expected=1.0,
    ),
    *(
        row(
            f"time, {time}, {'line' if time == 'tr-bdf2' else 'plane'}",
            functools.partial(finite_volumes.in_time, time),
            finite_volumes.TIME_BOUNDS[time],
            expected=float(order),
        )
        for time, order in finite_volumes.TIME_SCHEMES.items()
    ),
)


@functools.cache
def rest_with_tensor(full: bool) -> float:
    """Largest relative change of exp(-V) over 200 unsplit steps with a tensor that varies, both schemes."""

    def M(x: np.ndarray) -> np.ndarray:
        off = 0.4 * np.sin(x[..., 0] + 2 * x[..., 1])
        return np.stack([np.stack([1 + x[..., 1] ** 2 / 4, off], -1), np.stack([off, 1.2 + 0 * off], -1)], -2)

    box = wgf.Grid(((-2.0, 2.0), (-2.0, 2.0)), 24)
    state = np.exp(-finite_volumes.well(box.centers) - box.centers[..., 1] ** 2)
    state /= state.sum() * box.volume
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: finite_volumes.well(x) + x[..., 1] ** 2),
        initial=wgf.Density(box, state),
        bounds=box.bounds,
        mobility=wgf.Mobility(M, form="fick"),
    )
    found = [
        finite_volumes.final(problem, FokkerPlanck(cells=24, time=time), 10.0, 200).final.values
        for time in ("tr-bdf2", "backward-euler")
    ]
    return float(max(np.abs(values / state - 1).max() for values in found))


def mass_in_obstacles(full: bool) -> float:
    """Mass in the cells of a disc where V = +inf after 50 steps, plus what all mass has changed."""

    def V(x: np.ndarray) -> np.ndarray:
        return np.where((x**2).sum(-1) < 0.5, np.inf, x[..., 0])

    box = wgf.Grid(((-2.0, 2.0), (-2.0, 2.0)), 48)
    closed = np.isinf(V(box.centers))
    start = np.where(closed, 0.0, np.exp(-((box.centers - [1.3, 0.2]) ** 2).sum(-1)))
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(V),
        initial=wgf.Density(box, start / (start.sum() * box.volume)),
        bounds=box.bounds,
    )
    run = finite_volumes.final(problem, FokkerPlanck(cells=48), 1.0, 50)
    return float(np.abs(run.final.values[closed]).sum() + abs(run.final.mass - 1))


CLAIMS: tuple[Claim, ...] = (
    Claim(
        name="fokker-planck/tensor-rest",
        what="largest relative change of exp(-V) over 200 steps, full tensor that varies, TR-BDF2 and Euler",
        against="exact stationarity",
        measure=rest_with_tensor,
        required=AtMost(1e-11),
    ),
    Claim(
        name="fokker-planck/obstacle-empty",
        what="mass in a disc of V = +inf after 50 steps, and change of all mass",
        against="exactly empty cells, conservation",
        measure=mass_in_obstacles,
        required=AtMost(1e-13),
    ),
)
