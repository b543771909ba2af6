"""Claims of `QuantileJKO` on the porous-medium equation d_t rho = (rho^2)_xx: compact support, free edge.

Barenblatt profiles are dilations of each other, and so are the exact JKO, BDF2 and midpoint steps
(`closed_forms.barenblatt_flow`). At a free boundary cells of equal mass lose an order, which is what
the graded mass mesh is for.
"""

from __future__ import annotations

import functools

import numpy as np

import wgf
from validation import closed_forms, references
from validation.claims import AtMost, Claim, Order, OrderAtLeast, Subject, converges
from validation.rates import Ladder
from wgf.schemes import QuantileJKO

RADIUS = 2.080083823052  # of the profile of unit mass and time 1 for m = 2 on the line
LEVELS = {False: 3200, True: 12_800}  # by `full`: the space error stays below a tenth of the time error
ORDERS = {"jko": 1, "bdf2": 2, "midpoint": 2}
BOUNDS = {"jko": 7e-3, "bdf2": 4e-4, "midpoint": 1e-5}


def solved(levels: int, time: str, dt: float, steps: int, save_at: float | None = None) -> wgf.Trajectory:
    """The run from the profile of time 1; a replaced step would spoil an order, so it is refused."""
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Barenblatt(dimension=1, m=2, t0=1.0))
    scheme = QuantileJKO(levels=levels, time=time)
    run = wgf.solve(problem, scheme, t_end=dt * steps, dt=dt, save_at=save_at)
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


def distance(found: wgf.Quantiles, scale: float) -> float:
    """W2 distance of Quantiles to the profile dilated by `scale`."""
    inverse = references.parabola_quantile(RADIUS * scale)
    return references.quantile_w2(found.edges, found.masses, inverse)


@functools.cache
def in_time(time: str, full: bool) -> Ladder:
    """Error at t = 3, from time 1 to time 4, against the PDE."""
    steps = (4, 8, 16, 32, *((64, 128) if full else ()))
    scale = closed_forms.barenblatt_scale(3.0, 2, 1)
    errors = [distance(solved(LEVELS[full], time, 3 / n, n).final, scale) for n in steps]
    return Ladder(f"time, {time}, Barenblatt", "dt", tuple(3 / n for n in steps), tuple(errors), "W2")


@functools.cache
def one_step(full: bool) -> Ladder:
    """One JKO step of 0.25 against the exact minimiser, a dilation: order 2 up to a logarithm."""
    levels = (100, 200, 400, 800, 1600, *((3200, 6400) if full else ()))
    scale = float(closed_forms.barenblatt_flow(2, 1, 0.25, 1)[-1])
    errors = [distance(solved(n, "jko", 0.25, 1).final, scale) for n in levels]
    return Ladder("space, one JKO step of a Barenblatt profile", "levels", levels, tuple(errors), "W2")


def from_discrete(time: str, full: bool) -> float:
    """Largest W2 distance over ten steps of 0.25 to the closed-form trajectory of the same scheme."""
    run = solved(LEVELS[full], time, 0.25, 10, save_at=0.25)
    scales = closed_forms.barenblatt_flow(2, 1, 0.25, 10, scheme=time)
    found = [distance(m, float(scale)) for m, scale in zip(run.measures, scales, strict=True)]
    return float(np.max(found))


def edge_error(full: bool) -> float:
    """Relative error of the support's radius after 32 midpoint steps to t = 3."""
    found = solved(LEVELS[full], "midpoint", 3 / 32, 32).final
    radius = RADIUS * closed_forms.barenblatt_scale(3.0, 2, 1)
    return abs(0.5 * float(found.edges[-1] - found.edges[0]) / radius - 1)


CLAIMS = (
    *(
        claim
        for time, order in ORDERS.items()
        for claim in converges(
            f"barenblatt/time-{time}",
            f"time scheme {time!r} on the porous-medium equation, {LEVELS[False]} levels, t = 3",
            "Barenblatt profile of the PDE, W2",
            functools.partial(in_time, time),
            Order(order),
            BOUNDS[time],
        )
    ),
    *(
        Claim(
            name=f"barenblatt/discrete-{time}",
            what=f"ten steps of 0.25 of {time!r}, {LEVELS[False]} levels, the worst of all steps",
            against="closed-form dilations of the same discrete scheme, W2",
            measure=functools.partial(from_discrete, time),
            required=AtMost(1e-6),
        )
        for time in ORDERS
    ),
    *converges(
        "barenblatt/one-step",
        "one JKO step of 0.25 of a Barenblatt profile, graded mass mesh",
        "exact minimiser, a dilation, W2",
        one_step,
        OrderAtLeast(1.9),
        1.5e-6,
    ),
    Claim(
        name="barenblatt/edge",
        what="relative error of the support's radius after 32 midpoint steps to t = 3",
        against="radius of the Barenblatt profile",
        measure=edge_error,
        required=AtMost(5e-4),
    ),
)

SUBJECT = Subject(name="barenblatt", title="Porous-medium equation", claims=CLAIMS)
