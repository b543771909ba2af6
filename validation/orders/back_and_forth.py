r"""Orders and claims of `BackAndForthJKO`: one step against closed-form minimisers, runs against the PDE.

Theory. In space the step is the semi-discrete transport problem with midpoint values: order 2 in cell
averages of smooth densities. At a free boundary of rho^(m-1) ~ distance, m = 2, the cells that the edge cuts
are a share h of all and wrong by h: between 1.5 and 2 in L1, up and down with how the edge cuts them, even on
average over centres, so a least-squares exponent is claimed, no extrapolated order. For m = 1.5, where the
density leaves its edge with slope 0, the order is 2 again. In time JKO is implicit Euler, order 1; the
midpoint rule extends the map of half a step, order 2, as long as h^2 per step stays far below dt^3.
"""

from __future__ import annotations

import functools
import math

import numpy as np

import wgf
from validation import closed_forms
from validation.claims import AtLeast, AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder, exponent
from wgf.schemes.jko.back_and_forth import BackAndForthJKO

SCHEME = "back-and-forth-jko"
T0, TAU = 3.84e-4, 9.6e-5  # one step of a porous medium in the unit square: acceptance problem "a06"
CENTRES, ON_LINE = 4, 24
FINE = 2e-4  # tol of ladders: the residual of the dual stays far below the error of the grid


def dilation(
    cells: int, m: float, center: tuple[float, ...], tol: float = FINE
) -> tuple[float, float, float]:
    """L1 error of one JKO step of a Barenblatt profile in the unit box, its mass error, its residual."""
    d = len(center)
    scale = float(closed_forms.barenblatt_flow(m, d, TAU, 1, t0=T0)[-1])
    problem = wgf.Problem(
        wgf.internal(m), initial=wgf.Barenblatt(dimension=d, m=m, t0=T0, center=center), bounds=[(0, 1)] * d
    )
    run = wgf.solve(problem, BackAndForthJKO(cells=cells, tol=tol), t_end=TAU, dt=TAU)
    assert run.stats["fallback_steps"] == 0
    end = wgf.Barenblatt(dimension=d, m=m, t0=closed_forms.profile_time(scale, m, d), center=center)
    return wgf.distance(run.final, end, "l1"), abs(run.final.mass - 1), run.stats["max_residual"]


def free_boundary(full: bool) -> Ladder:
    """One step of the porous medium in the plane, averaged over where the profile's centre lies."""
    levels = (32, 64, 128, 256, *((512,) if full else ()))
    centres = 0.5 + np.random.default_rng(0).uniform(-0.02, 0.02, (CENTRES, 2))
    errors = [np.mean([dilation(n, 2, (float(x), float(y)))[0] for x, y in centres]) for n in levels]
    return Ladder("space, one JKO step of a Barenblatt profile", "cells", levels, tuple(map(float, errors)))


def free_boundary_exponent(full: bool) -> float:
    """The power of 1/cells with which those errors fall, by least squares."""
    ladder = free_boundary(full)
    return -exponent(ladder.values, ladder.errors)


def smooth_edge(full: bool) -> Ladder:
    """One step of m = 1.5 on the line, averaged over centres."""
    levels = (128, 256, 512, 1024, *((2048,) if full else ()))
    centres = 0.5 + np.random.default_rng(0).uniform(-0.01, 0.01, ON_LINE)
    errors = [np.mean([dilation(n, 1.5, (float(x),))[0] for x in centres]) for n in levels]
    return Ladder("space, one JKO step, smooth edge", "cells", levels, tuple(map(float, errors)))


def gaussian(mean, cov, stiffness, tau: float, half: float, levels: tuple[int, ...], title: str) -> Ladder:
    """One step of a Gaussian in a quadratic potential against the exact minimiser."""
    matrix = np.array(stiffness)
    energy = wgf.entropy()
    if matrix.any():
        energy = energy + wgf.potential(lambda x: 0.5 * np.einsum("...i,ij,...j", x, matrix, x))
    d = len(mean)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean, np.array(cov)), bounds=[(-half, half)] * d)
    flow = closed_forms.gaussian_flow(mean, cov, tau, 1, stiffness=matrix)
    exact = wgf.Gaussian(flow.means[-1], flow.covariances[-1])
    errors = []
    for n in levels:
        run = wgf.solve(problem, BackAndForthJKO(cells=n, tol=FINE), t_end=tau, dt=tau)
        assert run.stats["fallback_steps"] == 0
        errors.append(wgf.distance(run.final, exact, "l1"))
    return Ladder(title, "cells", levels, tuple(errors))


def heat(full: bool) -> Ladder:
    """Heat flow in the plane."""
    levels = (32, 64, 128, 256, *((512,) if full else ()))
    zero, unit = [[0.0, 0.0], [0.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]]
    return gaussian([0.0, 0.0], unit, zero, 0.5, 7.0, levels, "space, one JKO step of heat")


def correlated(full: bool) -> Ladder:
    """Ornstein-Uhlenbeck with correlated axes: the map shears the cells."""
    levels = (32, 64, 128, 256, *((512,) if full else ()))
    cov, stiffness = [[0.5, 0.2], [0.2, 0.5]], [[1.2, 0.4], [0.4, 1.2]]
    return gaussian([1.0, 0.5], cov, stiffness, 0.2, 5.0, levels, "space, one JKO step of a sheared Gaussian")


def in_time(time: str, full: bool) -> Ladder:
    """Ornstein-Uhlenbeck on the line against the PDE at t = 0.8."""
    # the midpoint rule's error must stay far above that of 500 cells, 5e-5
    steps = (2, 4, 8, 16, *((32,) if full else ())) if time == "jko" else (3, 4, 6, 8)
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: 0.75 * x[..., 0] ** 2), wgf.Gaussian(1.0, 0.4), bounds=(-4, 4)
    )
    decay = math.exp(-1.5 * 0.8)
    exact = wgf.Gaussian(decay, 1 / 1.5 + (0.4 - 1 / 1.5) * decay**2)
    errors = []
    for n in steps:
        run = wgf.solve(problem, BackAndForthJKO(cells=500, time=time), t_end=0.8, dt=0.8 / n)
        assert run.stats["fallback_steps"] == 0
        errors.append(wgf.distance(run.final, exact, "l1"))
    return Ladder(f"time, {time}", "dt", tuple(0.8 / n for n in steps), tuple(errors))


ROWS = (
    Row(
        scheme=SCHEME,
        problem="heat in the plane, one step, space",
        norm="L1",
        expected=2,
        bound=5e-5,
        ladder=heat,
    ),
    Row(
        scheme=SCHEME,
        problem="correlated Ornstein-Uhlenbeck in the plane, one step, space",
        norm="L1",
        expected=2,
        bound=1e-4,
        ladder=correlated,
    ),
    Row(
        scheme=SCHEME,
        problem="porous medium m = 1.5 on the line, one step, space (edge of slope 0)",
        norm="L1",
        expected=2,
        bound=5e-6,
        ladder=smooth_edge,
        tolerance=0.15,
    ),
    Row(
        scheme=SCHEME,
        problem="Ornstein-Uhlenbeck on the line, time jko",
        norm="L1",
        expected=1,
        bound=2e-2,
        ladder=functools.partial(in_time, "jko"),
    ),
    Row(
        scheme=SCHEME,
        problem="Ornstein-Uhlenbeck on the line, time midpoint",
        norm="L1",
        expected=2,
        bound=1e-3,
        ladder=functools.partial(in_time, "midpoint"),
    ),
)


@functools.cache
def acceptance(cells: int) -> tuple[float, float, float]:
    """The step of "a06" with default settings: L1 error, mass error, residual."""
    return dilation(cells, 2, (0.5, 0.5), tol=BackAndForthJKO().tol)


def mass_error(full: bool) -> float:
    """Largest mass error of ten steps, energies with and without an edge."""
    worst = 0.0
    for energy in (wgf.internal(2), wgf.entropy()):
        problem = wgf.Problem(energy, initial=wgf.Barenblatt(dimension=2, m=2, t0=1.0), bounds=[(-5, 5)] * 2)
        scheme = BackAndForthJKO(cells=48)
        run = wgf.solve(problem, scheme, t_end=0.5, dt=0.05, save_at=0.05, record=["mass", "minimum"])
        assert float(np.min(run.record["minimum"])) >= 0
        worst = max(worst, float(np.abs(np.array(run.record["mass"]) - 1).max()))
    return worst


def energy_rise(full: bool) -> float:
    """Largest change of the energy over ten steps of 0.1 in a double well with porous diffusion, negative."""
    energy = 0.2 * wgf.internal(2) + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2 + x[..., 1] ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian([-0.3, 0.4], 0.1), bounds=[(-2.5, 2.5)] * 2)
    scheme = BackAndForthJKO(cells=64)
    run = wgf.solve(problem, scheme, t_end=1.0, dt=0.1, save_at=0.1, record=["energy"])
    return float(np.diff(run.record["energy"]).max())


CLAIMS = (
    Claim(
        name="back-and-forth/free-boundary",
        what="exponent of the error over 32 to 256 (512) cells, one JKO step of m = 2 in the plane",
        against="1.5 to 2 at a free boundary, L1 averaged over four centres",
        measure=free_boundary_exponent,
        required=AtLeast(1.4),
    ),
    Claim(
        name="back-and-forth/a06-256",
        what="L1 error of one JKO step of the porous medium, 256 x 256 cells, default settings",
        against="exact minimiser, a dilation",
        measure=lambda full: acceptance(256)[0],
        required=AtMost(2e-4),
    ),
    Claim(
        name="back-and-forth/a06-512",
        what="the same with 512 x 512 cells",
        against="exact minimiser, a dilation",
        measure=lambda full: acceptance(512)[0],
        required=AtMost(1e-4),
    ),
    Claim(
        name="back-and-forth/a06-gap",
        what="bound on the W2 distance to the minimiser by the primal-dual gap, over the way gone, 256 x 256",
        against="tol",
        measure=lambda full: acceptance(256)[2],
        required=AtMost(BackAndForthJKO().tol),
    ),
    Claim(
        name="back-and-forth/mass",
        what="mass error over ten steps, porous medium and heat; no density negative",
        against="1",
        measure=mass_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="back-and-forth/energy",
        what="largest change of the energy over ten steps in a double well",
        against="the energy falls",
        measure=energy_rise,
        required=AtMost(0.0),
    ),
)
