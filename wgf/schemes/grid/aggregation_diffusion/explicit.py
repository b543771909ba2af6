r"""Explicit steps of aggregation-diffusion: SSP-RK3 in sub-steps short enough to stay positive.

u1 = u + t L(u), u2 = (3 u + u1 + t L(u1))/4, u' = (u + 2 (u2 + t L(u2)))/3: convex combinations of Euler
steps (Shu & Osher, 1988), each positive while t times the rate at which any cell is left stays below 1.
Turned down: a fixed CFL number for a guessed velocity; the rates themselves say how far one may go.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from wgf.errors import ConvergenceError
from wgf.schemes.grid.aggregation_diffusion.flow import Flow

Array = np.ndarray
SAFETY = 0.9  # of both limits: rates change a little from stage to stage
EULER = 2.0  # the product of step and stiffness up to which Euler steps damp; SSP-RK3 bears 2.5
MOST_SUBSTEPS = 1_000_000
AT_THE_END = 1e-12  # of the time left: a sub-step that misses the end by rounding reaches it
# Per stage: the moment it is taken at, and what all L so far count in the next one. Written as increments of
# u and not as means of stages: the mass then changes only by the rounding of what passes the faces.
STAGES = ((0.0, (1.0,)), (1.0, (0.25, 0.25)), (0.5, (1 / 6, 1 / 6, 2 / 3)))


def explicit_limit(flow: Flow, rho: Array, leaving: Array) -> float:
    """The longest sub-step: positive, and damping differences between neighbouring cells."""
    fastest = max(_fastest(rho, leaving), flow.stiffness(rho) / EULER)
    return SAFETY / fastest if fastest > 0 else np.inf


def _fastest(rho: Array, leaving: Array) -> float:
    """The fastest rate at which a cell is left; from an empty one nothing goes."""
    return float(np.where(rho > 0, leaving, 0.0).max())


def explicit(
    flow_at: Callable[[float], Flow], rho: Array, dt: float, limited: bool, passed: list[Array] | None
) -> tuple[Array, int]:
    """The density after dt and the sub-steps taken; what went through the faces is added to `passed`.

    flow_at: the flow at a time after the step's start.
    """
    done, count = 0.0, 0
    while done < dt:
        if count == MOST_SUBSTEPS:
            raise ConvergenceError(
                f"an explicit step of dt = {dt:.3g} is not done after {count} sub-steps: the density at hand "
                f'allows {(done / count):.1e}. Use time="implicit" or fewer cells.'
            )
        flow = flow_at(done)
        first = flow.balance(rho, limited, passed is not None)
        rest = dt - done
        step = rest / max(np.ceil(rest / explicit_limit(flow, rho, first[2])), 1.0)  # 0 where nothing moves
        while True:
            taken = _stages(flow_at, rho, done, step, limited, first, passed is not None)
            if taken is not None:
                break
            step *= 0.5
        rho, fluxes = taken
        for total, flux in zip(passed or (), fluxes, strict=True):
            total += flux
        count += 1
        done = dt if step >= rest * (1 - AT_THE_END) else done + step
    return rho, count


def _stages(
    flow_at: Callable[[float], Flow],
    rho: Array,
    start: float,
    step: float,
    limited: bool,
    first: tuple[list[Array], Array, Array],
    kept: bool,
) -> tuple[Array, list[Array]] | None:
    """One sub-step and what passed the faces, or None when a stage could leave a cell negative."""
    stage, gains, passing = rho, [], []
    for moment, weights in STAGES:
        flow = flow_at(start + moment * step)
        fluxes, inflow, leaving = first if moment == 0.0 else flow.balance(stage, limited, kept)
        if not step * _fastest(stage, leaving) <= 1.0:
            return None
        gains.append(inflow if flow.source is None else inflow + flow.source)
        passing.append(fluxes)
        stage = rho + sum((step * weight) * gain for weight, gain in zip(weights, gains, strict=True))
    total = [
        sum((step * w * fluxes[axis] for w, fluxes in zip(STAGES[-1][1], passing, strict=True)), 0 * rho)
        for axis in range(rho.ndim if kept else 0)
    ]
    return stage, total
