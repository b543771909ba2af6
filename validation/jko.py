"""Claims of `QuantileJKO` on Gaussians: against its own discrete trajectory, then against the PDE.

A minimising-movement scheme solves its own time-discrete flow, known in closed form here
(`closed_forms.gaussian_flow`). So its space error is measured at a fixed step against that, and the
order in time against the PDE with enough levels that the space error is far below the time error.
Flow: entropy + x^2 / 2 from N(1.5, 0.25) on the whole line. Errors are W2 distances.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.special import ndtri

import wgf
from validation import closed_forms, references
from validation.claims import AtMost, Claim, Order, Subject, converges
from validation.rates import Ladder
from wgf.schemes import QuantileJKO

MEAN, VARIANCE = 1.5, 0.25
LEVELS = 4000  # space error below 2e-7 in W2, measured by the claims "space" and "discrete"
ORDERS = {"jko": 1, "bdf2": 2, "midpoint": 2}
BOUNDS = {"jko": 1e-2, "bdf2": 4e-4, "midpoint": 6e-5}


def problem() -> wgf.Problem:
    """The flow of this module."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    return wgf.Problem(energy, initial=wgf.Gaussian(mean=MEAN, cov=VARIANCE))


def solved(levels: int, time: str, dt: float, steps: int) -> wgf.Trajectory:
    """The run with every step saved; a replaced step would spoil an order, so it is refused."""
    scheme = QuantileJKO(levels=levels, time=time)
    run = wgf.solve(problem(), scheme, t_end=dt * steps, dt=dt, save_at=dt)
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


def distance(found: wgf.Quantiles, mean: float, std: float) -> float:
    """W2 distance of Quantiles to N(mean, std^2)."""
    return references.quantile_w2(found.edges, found.masses, lambda u: mean + std * ndtri(u))


@functools.cache
def in_time(time: str, full: bool) -> Ladder:
    """Error at t = 1 against the PDE."""
    steps = (5, 10, 20, 40, *((80, 160) if full else ()))
    decay = math.exp(-1.0)
    mean, std = MEAN * decay, math.sqrt(1 + (VARIANCE - 1) * decay**2)
    errors = [distance(solved(LEVELS, time, 1 / n, n).final, mean, std) for n in steps]
    return Ladder(f"time, {time}, Ornstein-Uhlenbeck", "dt", tuple(1 / n for n in steps), tuple(errors), "W2")


def from_discrete(time: str, full: bool) -> float:
    """Largest W2 distance over ten steps of 0.1 to the closed-form trajectory of the same scheme."""
    run = solved(LEVELS, time, 0.1, 10)
    flow = closed_forms.gaussian_flow(
        np.array([MEAN]), np.array([[VARIANCE]]), 0.1, 10, stiffness=1.0, scheme=time
    )
    moments = zip(flow.means[:, 0], np.sqrt(flow.covariances[:, 0, 0]), strict=True)
    found = [distance(m, mean, std) for m, (mean, std) in zip(run.measures, moments, strict=True)]
    return float(np.max(found))


@functools.cache
def in_space(full: bool) -> Ladder:
    """Error of five JKO steps of 0.1 against the closed-form discrete trajectory."""
    # beyond 1600 the tails that are cut off (mass 1e-12, W2 about 1e-7) are more than a tenth of the error
    levels = (*((25, 50) if full else ()), 100, 200, 400, 800, 1600)
    flow = closed_forms.gaussian_flow(np.array([MEAN]), np.array([[VARIANCE]]), 0.1, 5, stiffness=1.0)
    mean, std = float(flow.means[-1, 0]), math.sqrt(flow.covariances[-1, 0, 0])
    errors = [distance(solved(n, "jko", 0.1, 5).final, mean, std) for n in levels]
    return Ladder("space, five JKO steps of a Gaussian", "levels", levels, tuple(errors), "W2")


def energy_balance(full: bool) -> float:
    """Largest violation of E(n+1) + W2^2 / (2 dt) <= E(n) over ten steps of 0.5."""
    scheme = QuantileJKO(levels=400)
    run = wgf.solve(problem(), scheme, t_end=5.0, dt=0.5, save_at=0.5, record=["energy"])
    steps = zip(run.measures[:-1], run.measures[1:], np.diff(run.record["energy"]), strict=True)
    rises = []
    for before, after, rise in steps:
        a, b = (after.edges - before.edges)[:-1], (after.edges - before.edges)[1:]
        rises.append(rise + (before.masses @ (a * a + a * b + b * b)) / 3 / (2 * 0.5))
    return float(np.max(rises))


CLAIMS = (
    *(
        claim
        for time, order in ORDERS.items()
        for claim in converges(
            f"jko/time-{time}",
            f"time scheme {time!r}, {LEVELS} levels, t = 1",
            "exact Gaussian of the PDE, W2",
            functools.partial(in_time, time),
            Order(order),
            BOUNDS[time],
        )
    ),
    *(
        Claim(
            name=f"jko/discrete-{time}",
            what=f"ten steps of 0.1 of {time!r}, {LEVELS} levels, the worst of all steps",
            against="closed-form trajectory of the same discrete scheme, W2",
            measure=functools.partial(from_discrete, time),
            required=AtMost(5e-7),
        )
        for time in ORDERS
    ),
    *converges(
        "jko/space",
        "five JKO steps of 0.1 of a Gaussian",
        "closed-form trajectory of the same discrete scheme, W2",
        in_space,
        Order(2),
        2e-6,
    ),
    Claim(
        name="jko/energy-balance",
        what="largest violation of E(n+1) + W2^2/(2 dt) <= E(n), ten JKO steps of 0.5",
        against="the minimising property",
        measure=energy_balance,
        required=AtMost(1e-12),
    ),
)

SUBJECT = Subject(name="jko", title="JKO on quantiles", claims=CLAIMS)
