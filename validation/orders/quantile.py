r"""Observed orders of `QuantileJKO`: space and time apart, smooth and with free boundaries.

Theory. On the line W2 is the flat L2 distance of quantile functions, so "jko" is implicit Euler (order 1),
"bdf2" and "midpoint" the classical second-order methods; at a Barenblatt profile's free edge the quantile
function is smooth in time, so the orders stay. In space piecewise linear quantiles are of order 2; at a free
boundary, on the graded mass mesh, of order 2 up to a logarithm (tolerance 0.15). Time is measured against
closed forms, or on one mesh against midpoint steps eight times as short, where the space error cancels. The
defect of dissipation is O(dt^2).
"""

from __future__ import annotations

import functools

import numpy as np

import wgf
from validation import barenblatt, closed_forms, jko
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.energies import DoubleWell
from wgf.schemes import QuantileJKO

NAME = "quantile-jko"
ORDERS = {"jko": 1, "bdf2": 2, "midpoint": 2}


def pulling(z: np.ndarray) -> np.ndarray:
    """A kernel that is no quadratic: attraction that fades with the distance."""
    return -1.5 * np.exp(-0.5 * (z**2).sum(-1))


PROBLEMS = {
    "double well": lambda: wgf.Problem(
        wgf.entropy() + wgf.potential(DoubleWell(barrier=0.25)), initial=wgf.Gaussian(0.6, 0.25)
    ),
    "general attraction": lambda: wgf.Problem(
        0.5 * wgf.entropy() + wgf.interaction(pulling), initial=wgf.Gaussian(0.0, 1.0)
    ),
}
LEVELS = {"double well": 400, "general attraction": 60}
T_END = {"double well": 0.5, "general attraction": 2.0}
COUNTS = {
    "double well": (16, 32, 64, 128),
    "general attraction": (5, 10, 20, 40),
}  # 16: dt V'' < 2 in the tails


def levels_of(name: str, full: bool) -> tuple[int, ...]:
    """Numbers of steps, doubled from level to level."""
    return (*COUNTS[name], *((2 * COUNTS[name][-1],) if full else ()))


def solved(name: str, time: str, steps: int) -> wgf.Trajectory:
    """A run to T_END; a replaced step would spoil an order, so it is refused."""
    scheme = QuantileJKO(levels=LEVELS[name], time=time)
    run = wgf.solve(
        PROBLEMS[name](), scheme, t_end=T_END[name], dt=T_END[name] / steps, record=["dissipation"]
    )
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


@functools.cache
def reference(name: str, full: bool) -> wgf.Quantiles:
    """Midpoint steps eight times as short as the last level's, on the same mesh."""
    return solved(name, "midpoint", 8 * COUNTS[name][-1] * (2 if full else 1)).final


@functools.cache
def in_time(name: str, time: str, full: bool) -> Ladder:
    """W2 on one mesh, so that only the error of time is left."""
    counts = levels_of(name, full)
    errors = [wgf.distance(solved(name, time, n).final, reference(name, full), "w2") for n in counts]
    return Ladder(f"time, {time}, {name}", "dt", tuple(T_END[name] / n for n in counts), tuple(errors), "W2")


@functools.cache
def cubic_in_time(time: str, full: bool) -> Ladder:
    """Barenblatt profile of m = 3 from time 1 to 2, against the equation."""
    counts = (4, 8, 16, 32, *((64,) if full else ()))
    problem = wgf.Problem(wgf.internal(3), initial=wgf.Barenblatt(dimension=1, m=3, t0=1.0))
    exact = wgf.Barenblatt(dimension=1, m=3, t0=2.0)
    errors = []
    for n in counts:
        run = wgf.solve(problem, QuantileJKO(levels=12_800, time=time), t_end=1.0, dt=1 / n)
        assert run.stats["fallback_steps"] == 0
        errors.append(wgf.distance(run.final, exact, "w2"))
    return Ladder(f"time, {time}, Barenblatt m = 3", "dt", tuple(1 / n for n in counts), tuple(errors), "W2")


@functools.cache
def defects(full: bool) -> Ladder:
    """Of midpoint steps in the double well."""
    counts = levels_of("double well", full)
    found = [abs(solved("double well", "midpoint", n).dissipation_defect()) for n in counts]
    return Ladder(
        "dissipation defect, midpoint", "dt", tuple(0.5 / n for n in counts), tuple(found), "defect"
    )


def one_step(full: bool) -> float:
    """W2 at 1600 levels to the exact minimiser from a Barenblatt profile."""
    ladder = barenblatt.one_step(full)
    return float(ladder.errors[list(ladder.values).index(1600)])


def steps_of_any_power(full: bool) -> float:
    """Largest W2 to the exact dilation after one step of 0.25, 1600 levels, m from 0.8 to 3."""
    gaps = []
    for m in (1.5, 2.5, 3.0, 0.8):
        problem = wgf.Problem(wgf.internal(m), initial=wgf.Barenblatt(dimension=1, m=m, t0=1.0))
        run = wgf.solve(problem, QuantileJKO(levels=1600), t_end=0.25, dt=0.25)
        scale = float(closed_forms.barenblatt_flow(m, 1, 0.25, 1)[-1])
        exact = wgf.Barenblatt(dimension=1, m=m, t0=closed_forms.profile_time(scale, m, 1))
        gaps.append(wgf.distance(run.final, exact, "w2"))
    return float(np.max(gaps))


TIME_BOUNDS = {
    ("double well", "jko"): 1e-3,
    ("double well", "bdf2"): 1.2e-5,
    ("double well", "midpoint"): 2.5e-6,
    ("general attraction", "jko"): 2e-3,
    ("general attraction", "midpoint"): 4e-6,
}
ROWS = (
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, Ornstein-Uhlenbeck on {jko.LEVELS} levels, t = 1",
            norm="W2",
            expected=order,
            bound=jko.BOUNDS[time],
            ladder=functools.partial(jko.in_time, time),
        )
        for time, order in ORDERS.items()
    ),
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, porous medium m = 2 with free edges, t = 3",
            norm="W2",
            expected=order,
            bound=barenblatt.BOUNDS[time],
            ladder=functools.partial(barenblatt.in_time, time),
            tolerance=0.15,
        )
        for time, order in ORDERS.items()
    ),
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, porous medium m = 3 with free edges, t = 1",
            norm="W2",
            expected=ORDERS[time],
            bound=bound,
            ladder=functools.partial(cubic_in_time, time),
            tolerance=0.15,
        )
        for time, bound in (("jko", 1.5e-3), ("midpoint", 1.2e-6))
    ),
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, {name}, t = {T_END[name]:g}, on one mesh",
            norm="W2",
            expected=ORDERS[time],
            bound=bound,
            ladder=functools.partial(in_time, name, time),
        )
        for (name, time), bound in TIME_BOUNDS.items()
    ),
    Row(
        scheme=NAME,
        problem="space, five steps of a Gaussian against the discrete closed form",
        norm="W2",
        expected=2,
        bound=2e-6,
        ladder=jko.in_space,
    ),
    Row(
        scheme=NAME,
        problem="space, one step of a Barenblatt profile, graded mesh, free edges",
        norm="W2",
        expected=2,
        bound=1.5e-6,
        ladder=barenblatt.one_step,
        tolerance=0.15,
    ),
    Row(
        scheme=NAME,
        problem="dissipation defect, midpoint, double well",
        norm="defect",
        expected=2,
        bound=2e-6,
        ladder=defects,
    ),
)

CLAIMS = (
    Claim(
        name="quantile/one-step-1600",
        what="one JKO step of 0.25 of a Barenblatt profile, m = 2, 1600 levels",
        against="exact minimiser, a dilation, W2",
        measure=one_step,
        required=AtMost(2e-6),
    ),
    Claim(
        name="quantile/any-power",
        what="one JKO step of 0.25, m = 0.8, 1.5, 2.5 and 3, 1600 levels, the worst of them",
        against="exact minimiser, a dilation, W2",
        measure=steps_of_any_power,
        required=AtMost(3e-5),
    ),
)
