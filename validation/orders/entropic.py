r"""Observed orders of `EntropicJKO`: in epsilon against the JKO step, in space, in time; its own closed form.

For Gaussians the step is known exactly at every epsilon, not only in the limit. Let s^2 be an eigenvalue of
the old covariance, v of the new one, under D int rho log rho + k |x|^2 / 2,
all commuting; plans are Gaussian.

Plain: int c dgamma + epsilon int gamma log gamma + dt E is, with c the covariance of the plan,
(s^2 + v)/2 - c - epsilon/2 log(s^2 v - c^2) + dt (k v - D log v)/2. Its derivatives vanish at
v = c (c + epsilon) / s^2 and (1 + dt k) c (c + epsilon) = s^2 (c + epsilon + dt D): a quadratic in c.
Debiased: with OT = (s^2 + v)/2 - c - epsilon/2 log(1 - c^2 / (s^2 v)), c = (sqrt(epsilon^2 + 4 s^2 v) -
epsilon)/2, whose derivative in v is (1 - c/v)/2, the step is

    sqrt(epsilon^2 + 4 v^2) - sqrt(epsilon^2 + 4 s^2 v) = 2 dt (D - k v).

Means contract by 1 + dt k in both. At epsilon = 0 either is v - s sqrt(v) = dt (D - k v), the JKO step. So
the plain error is of order 1 in epsilon, the debiased one of order 2. Sums over cells of smooth densities are
exact to exp(-2 pi^2 epsilon / h^2), so with densities sampled at the centres the program is held to these
forms to rounding; with cell averages it is of order 2 in h, as any scheme that takes averages for values.
Implicit Euler is of order 1 in dt.

The porous-medium step has no row but a claim, that no pairwise order is below 1.5: a profile with a kink
loses up to half an order at its edge, and how the edge lies in its cell makes the error jump from grid to
grid. In the mean over four places of the centre within a cell the orders are 1.7 to 2.1.
"""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
from scipy.optimize import brentq

import wgf
from validation import closed_forms
from validation.claims import AtLeast, AtMost, Claim, OrderAtLeast, converges
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.schemes.jko.entropic import EntropicJKO

Array = np.ndarray
STIFFNESS, DT = 1.0, 0.1
MEAN, VARIANCE = 0.7, 0.25
TIGHT = 1e-11  # tol where the closed form is the judge
PLACES = ((0.1, 0.37), (0.23, 0.41), (0.44, 0.03), (0.31, 0.19))  # of a centre in its cell, chosen once
T0, TAU = (
    3.84e-4,
    9.6e-5,
)  # a porous-medium step: radius 1/4, moved by 1.5 cells at 128^2


def gaussian_step(
    variance: float, epsilon: float, dt: float, diffusion: float, stiffness: float, debiased: bool
) -> float:
    """The new variance of an entropic JKO step from the old one, along one eigendirection.

    >>> round(gaussian_step(0.25, 0.0, 0.5, 1.0, 1.0, True), 6) == round(
    ...     float(closed_forms.gaussian_flow([0.0], 0.25, 0.5, 1, stiffness=1.0).covariances[1, 0, 0]), 6)
    True
    """
    if not debiased:
        a, b = 1 + dt * stiffness, (1 + dt * stiffness) * epsilon - variance
        c = (-b + math.sqrt(b * b + 4 * a * variance * (epsilon + dt * diffusion))) / (2 * a)
        return c * (c + epsilon) / variance

    def gap(v: float) -> float:
        own = 2 * v * v / (epsilon + math.hypot(epsilon, 2 * v))  # (sqrt(epsilon^2 + 4 v^2) - epsilon) / 2
        cross = 2 * variance * v / (epsilon + math.sqrt(epsilon**2 + 4 * variance * v))
        return own - cross - dt * (diffusion - stiffness * v)

    high = 4 * (variance + dt * diffusion)
    root: Any = brentq(gap, 1e-12 * variance, high, xtol=1e-300, rtol=4 * np.finfo(float).eps)
    return float(root)


def sampled(gaussian: wgf.Gaussian, grid: wgf.Grid) -> wgf.Density:
    """Values at the centres instead of cell averages, of mass 1."""
    values = gaussian.pdf(grid.centers)
    return wgf.Density(grid, values / (values.sum() * grid.volume))


def stepped(problem: wgf.Problem, scheme: EntropicJKO, dt: float, steps: int = 1) -> wgf.Trajectory:
    """The run; no step of this scheme has a substitute, so none may be reported."""
    run = wgf.solve(problem, scheme, t_end=dt * steps, dt=dt, progress=False)
    assert run.stats["fallback_steps"] == 0
    return run


def confined(initial: wgf.Density | wgf.Gaussian, half_width: float = 6.0) -> wgf.Problem:
    """entropy + |x|^2 / 2 on a box that holds all but 1e-20 of the mass."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * STIFFNESS * (x**2).sum(-1))
    return wgf.Problem(energy, initial=initial, bounds=[(-half_width, half_width)] * initial.dimension)


@functools.cache
def in_epsilon(debiased: bool, dimension: int, full: bool) -> Ladder:
    """L1 distance of one step to the exact JKO step (epsilon = 0)."""
    cells, half_width = (240, 6.0) if dimension == 1 else (96, 4.0)
    epsilons = (0.16, 0.08, 0.04, 0.02, 0.01)[: 4 if dimension == 2 and not full else 5]
    rotation = np.array([[0.6, -0.8], [0.8, 0.6]])
    cov = np.array([[VARIANCE]]) if dimension == 1 else rotation @ np.diag([VARIANCE, 0.4]) @ rotation.T
    mean = np.full(dimension, MEAN) if dimension == 1 else np.array([0.4, -0.2])
    grid = wgf.Grid([(-half_width, half_width)] * dimension, cells)
    flow = closed_forms.gaussian_flow(mean, cov, DT, 1, stiffness=STIFFNESS)
    exact = sampled(wgf.Gaussian(flow.means[1], flow.covariances[1]), grid).values
    problem = confined(sampled(wgf.Gaussian(mean, cov), grid), half_width)
    errors = []
    for epsilon in epsilons:
        scheme = EntropicJKO(cells=cells, epsilon=epsilon, debiased=debiased, tol=1e-9)
        found = stepped(problem, scheme, DT).final.values
        errors.append(float(np.abs(found - exact).sum() * grid.volume))
    which = "debiased" if debiased else "plain"
    return Ladder(
        f"{which}, Gaussian, {dimension}-D", "1/epsilon", tuple(1 / e for e in epsilons), tuple(errors)
    )


@functools.cache
def in_space(debiased: bool, full: bool) -> Ladder:
    """L1 distance of cell averages after a step: plain by default to the JKO step, debiased to its own form.

    (By default, epsilon = 2 h^2, the debiased error of order 4 in h is cancelling some of that of order 2.)
    """
    levels = (50, 100, 200, 400, *((800,) if full else ()))
    dt, epsilon = (DT, 0.06) if debiased else (0.02, None)  # short enough that epsilon stays h^2
    variance = gaussian_step(VARIANCE, epsilon or 0.0, dt, 1.0, STIFFNESS, True)
    exact = wgf.Gaussian(MEAN / (1 + dt * STIFFNESS), variance)
    problem = confined(wgf.Gaussian(MEAN, VARIANCE))
    errors = []
    for n in levels:
        scheme = EntropicJKO(cells=n, epsilon=epsilon, debiased=debiased, tol=1e-10)
        errors.append(wgf.distance(stepped(problem, scheme, dt).final, exact, "l1"))
    return Ladder(f"{'debiased' if debiased else 'plain'}, Gaussian", "cells", levels, tuple(errors))


def dilated(center: tuple[float, float] = (0.5, 0.5)) -> tuple[wgf.Problem, wgf.Barenblatt, float]:
    """One porous-medium step: the problem, its exact minimiser, and W2^2 between them."""
    start = wgf.Barenblatt(dimension=2, m=2, t0=T0, center=center)
    problem = wgf.Problem(wgf.internal(2), initial=start, bounds=[(0, 1), (0, 1)])
    before, after = closed_forms.barenblatt_flow(2, 2, TAU, 1, t0=T0)
    exact = wgf.Barenblatt(dimension=2, m=2, t0=closed_forms.profile_time(float(after), 2, 2), center=center)
    second_moment = float(np.trace(start.cov())) / before**2
    return problem, exact, float((after - before) ** 2 * second_moment)


@functools.cache
def barenblatt(full: bool) -> Ladder:
    """L1 distance to the dilation after one step, the mean over four places of the centre in its cell."""
    levels = (48, 72, 108, 162, *((243,) if full else ()))
    errors = []
    for n in levels:
        found = []
        for shift in PLACES:
            problem, exact, _ = dilated((0.5 + shift[0] / n, 0.5 + shift[1] / n))
            found.append(wgf.distance(stepped(problem, EntropicJKO(cells=n), TAU).final, exact, "l1"))
        errors.append(float(np.mean(found)))
    return Ladder("debiased, porous medium, 2-D", "cells", levels, tuple(errors))


@functools.cache
def in_time(full: bool) -> Ladder:
    """L1 distance at t = 0.5 to the Ornstein-Uhlenbeck equation."""
    steps = (5, 10, 20, 40, *((80,) if full else ()))
    grid = wgf.Grid((-6.0, 6.0), 240)
    problem = confined(sampled(wgf.Gaussian(MEAN, VARIANCE), grid))
    decay = math.exp(-0.5)
    exact = sampled(wgf.Gaussian(MEAN * decay, 1 + (VARIANCE - 1) * decay**2), grid).values
    errors = []
    for n in steps:
        found = stepped(problem, EntropicJKO(cells=240, epsilon=0.005, tol=1e-8), 0.5 / n, n).final.values
        errors.append(float(np.abs(found - exact).sum() * grid.volume))
    return Ladder("debiased, Ornstein-Uhlenbeck", "dt", tuple(0.5 / n for n in steps), tuple(errors))


def from_closed_form(debiased: bool, full: bool) -> float:
    """L1 distance of five steps to their closed form; both from sampled densities."""
    grid, epsilon = wgf.Grid((-6.0, 6.0), 200), 0.02
    problem = confined(sampled(wgf.Gaussian(MEAN, VARIANCE), grid))
    scheme = EntropicJKO(cells=200, epsilon=epsilon, debiased=debiased, tol=TIGHT)
    variance = VARIANCE
    for _ in range(5):
        variance = gaussian_step(variance, epsilon, DT, 1.0, STIFFNESS, debiased)
    exact = sampled(wgf.Gaussian(MEAN / (1 + DT * STIFFNESS) ** 5, variance), grid).values
    return float(np.abs(stepped(problem, scheme, DT, 5).final.values - exact).sum() * grid.volume)


@functools.cache
def porous_medium(full: bool) -> tuple[float, float, float, float]:
    """One step at 128^2: relative error of W2^2, mass error, residual, least density."""
    problem, _, w2_squared = dilated()
    scheme = EntropicJKO(cells=128)
    state, info = scheme.step(problem, scheme.init(problem, None), TAU, None)
    mass = abs(scheme.measure(problem, state).mass - 1)
    assert info.speed_squared is not None
    return abs(info.speed_squared * TAU**2 / w2_squared - 1), mass, info.residual, float(state.rho.min())


@functools.cache
def well(full: bool) -> tuple[float, float]:
    """Thirty steps in a double well in the plane: largest relative rise of the energy, largest mass error."""
    energy = 0.25 * wgf.entropy() + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2 + x[..., 1] ** 2)
    bounds = [(-2.2, 2.2), (-2.0, 2.0)]
    problem = wgf.Problem(energy, initial=wgf.Gaussian([-0.5, 0.6], 0.04), bounds=bounds)
    run = wgf.solve(
        problem,
        EntropicJKO(cells=48),
        t_end=1.5,
        dt=0.05,
        save_at=0.05,
        record=["energy", "mass"],
        progress=False,
    )
    values = np.array(run.record["energy"])
    rise = float(np.diff(values).max() / np.abs(values).max())
    return rise, float(np.abs(np.array(run.record["mass"]) - 1).max())


def at_rest(full: bool) -> float:
    """Largest relative change of the discrete equilibrium in one step of 1."""
    grid = wgf.Grid((-2.0, 2.0), 100)
    energy = 0.5 * wgf.entropy() + wgf.potential(lambda x: (np.cos(3 * x) + x**2).sum(-1))
    values = np.exp(-energy.potential_value(grid.centers) / 0.5)
    initial = wgf.Density(grid, values / (values.sum() * grid.volume))
    problem = wgf.Problem(energy, initial=initial, bounds=(-2.0, 2.0))
    found = stepped(problem, EntropicJKO(cells=100, tol=1e-12), 1.0).final.values
    return float(np.abs(found / initial.values - 1).max())


NAME = "entropic-jko"
ROWS = (
    *(
        Row(
            scheme=NAME,
            problem=f"epsilon, {'debiased' if debiased else 'plain'}, {d}-D Gaussian step against JKO",
            norm="L1",
            expected=2 if debiased else 1,
            bound=bound,
            ladder=functools.partial(in_epsilon, debiased, d),
        )
        for debiased, d, bound in ((False, 1, 1e-2), (True, 1, 1.5e-5), (False, 2, 2.7e-2), (True, 2, 6.2e-5))
    ),
    Row(
        scheme=NAME,
        problem="space, plain, epsilon = h^2, Gaussian step against the JKO step",
        norm="L1",
        expected=2,
        bound=1.5e-3,
        ladder=functools.partial(in_space, False),
    ),
    Row(
        scheme=NAME,
        problem="space, debiased, epsilon fixed, Gaussian step against its closed form",
        norm="L1",
        expected=2,
        bound=1.3e-5,
        ladder=functools.partial(in_space, True),
    ),
    Row(
        scheme=NAME,
        problem="time, debiased, Ornstein-Uhlenbeck equation at t = 0.5",
        norm="L1",
        expected=1,
        bound=3.8e-3,
        ladder=in_time,
    ),
)

CLAIMS = (
    *converges(
        f"{NAME}/porous-medium",
        "one step of 1.5 cells (at 128^2) of a Barenblatt profile in the plane, debiased",
        "exact minimiser, a dilation, L1; mean over four places of the centre in its cell",
        barenblatt,
        OrderAtLeast(1.5),
        2.6e-4,
    ),
    *(
        Claim(
            name=f"{NAME}/closed-form-{'debiased' if debiased else 'plain'}",
            what="five Gaussian steps on the line, epsilon = 0.02, h = 0.06",
            against="the closed form of the entropic step itself, L1",
            measure=functools.partial(from_closed_form, debiased),
            required=AtMost(2e-10),
        )
        for debiased in (True, False)
    ),
    Claim(
        name=f"{NAME}/w2",
        what="relative error of W2^2 of a porous-medium step at 128^2, as the step reports it",
        against="the dilation",
        measure=lambda full: porous_medium(full)[0],
        required=AtMost(1.5e-3),
    ),
    Claim(
        name=f"{NAME}/mass",
        what="mass error: the same step, and thirty steps in a double well",
        against="1",
        measure=lambda full: max(porous_medium(full)[1], well(full)[1]),
        required=AtMost(1e-13),
    ),
    Claim(
        name=f"{NAME}/residual",
        what="L1 mismatch of the marginals of the same step",
        against="tol = 1e-6",
        measure=lambda full: porous_medium(full)[2],
        required=AtMost(1e-6),
    ),
    Claim(
        name=f"{NAME}/positive",
        what="least density of the same step",
        against="0",
        measure=lambda full: porous_medium(full)[3],
        required=AtLeast(0.0),
    ),
    Claim(
        name=f"{NAME}/energy",
        what="largest rise of the energy over thirty debiased steps in a double well, relative",
        against="the minimising property",
        measure=lambda full: well(full)[0],
        required=AtMost(1e-12),
    ),
    Claim(
        name=f"{NAME}/at-rest",
        what="relative change of the discrete equilibrium in a debiased step of 1, any cell",
        against="0",
        measure=at_rest,
        required=AtMost(1e-11),
    ),
)
