r"""Implicit steps of aggregation-diffusion: backward Euler with the interaction at the midpoint, and SDIRK2.

Where Newton's method fails a backward Euler step is halved, which keeps all it promises; an SDIRK2 step that
fails, or would leave a cell negative, is replaced by two backward Euler steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wgf.errors import ConvergenceError
from wgf.schemes.grid.aggregation_diffusion.flow import Flow
from wgf.schemes.grid.aggregation_diffusion.newton import Stage, solve_stage

Array = np.ndarray
GAMMA = 1 - 0.5**0.5  # of Alexander's L-stable method of two stages
MOST_HALVINGS = 14  # of an implicit step whose Newton iteration fails
LEAST_GUESS = 0.5  # of its first-stage density is what the second stage starts a cell from


class Taken(NamedTuple):
    """A step: the density, inner iterations, residual, substeps, accepted."""

    rho: Array
    iterations: int = 0
    residual: float = 0.0
    substeps: int = 1
    accepted: bool = True


@dataclass(frozen=True)
class Implicit:
    """How implicit steps are taken. flow_at: the flow at a time after the step's start.

    limited: the flux. tol, iterations: Newton's. What goes through the faces is added to `passed`.
    """

    flow_at: Callable[[float], Flow]
    limited: bool
    tol: float
    iterations: int

    def euler(
        self, rho: Array, dt: float, passed: list[Array] | None, start: float = 0.0, depth: int = 0
    ) -> Taken:
        """One step of dt, or two half as long where Newton's method fails."""
        flow = self.flow_at(start + dt)
        pull = flow.pull(rho)
        ratios = flow.ratios(rho, pull, self.limited)
        stage = Stage(flow, _with_source(flow, rho, dt).ravel(), dt, 0.5 * pull.ravel(), 0.5, ratios)
        solved = solve_stage(stage, rho.ravel(), self.tol, self.iterations)
        if solved is not None:
            _add(passed, flow, dt * solved.flux)
            return Taken(solved.rho.reshape(rho.shape), solved.iterations, solved.residual)
        if depth == MOST_HALVINGS:
            raise ConvergenceError(
                f"an implicit step did not converge to tol = {self.tol:.1e} in {self.iterations} iterations, "
                f"nor did steps down to {dt:.1e}. {_way_out(flow)}"
            )
        first = self.euler(rho, dt / 2, passed, start, depth + 1)
        return _joined(first, self.euler(first.rho, dt / 2, passed, start + dt / 2, depth + 1))

    def sdirk2(self, rho: Array, dt: float, passed: list[Array] | None) -> Taken:
        """One step of second order, or two of `euler`, not accepted, where it fails."""
        taken = self._two_stages(rho, dt, passed)
        if taken is not None:
            return taken
        first = self.euler(rho, dt / 2, passed)
        return _joined(first, self.euler(first.rho, dt / 2, passed, dt / 2))._replace(accepted=False)

    def _two_stages(self, rho: Array, dt: float, passed: list[Array] | None) -> Taken | None:
        """Two stages of GAMMA dt; None when one fails or a base goes negative where a cell has nothing."""
        tau, iterations = GAMMA * dt, 0
        flow, limited = self.flow_at(tau), self.limited

        def ratios_at(flow: Flow, flat: Array) -> tuple[Array, Array]:
            density = flat.reshape(rho.shape)
            return flow.ratios(density, flow.pull(density) if limited else density, limited)

        base, none = _with_source(flow, rho, tau).ravel(), np.zeros(rho.size)
        guess, solved, ratios = rho.ravel(), None, ratios_at(flow, rho)
        for _ in range(2 if limited else 1):  # once more with the stage's own ratios
            solved = solve_stage(Stage(flow, base, tau, none, 1.0, ratios), guess, self.tol, self.iterations)
            if solved is None:
                return None
            iterations += solved.iterations
            guess, ratios = solved.rho, ratios_at(flow, solved.rho)
        assert solved is not None
        gain = (solved.rho - rho.ravel()) / tau
        later = self.flow_at(dt)
        base = _with_source(later, rho, tau).ravel() + (1 - GAMMA) * dt * gain
        ahead = np.maximum(rho.ravel() + dt * gain, LEAST_GUESS * solved.rho)
        stage = Stage(later, base, tau, none, 1.0, ratios_at(later, ahead))
        last = solve_stage(stage, ahead, self.tol, self.iterations)
        if last is None:
            return None
        _add(passed, flow, (1 - GAMMA) * dt * solved.flux)
        _add(passed, later, tau * last.flux)
        return Taken(last.rho.reshape(rho.shape), iterations + last.iterations, last.residual)


def _way_out(flow: Flow) -> str:
    """What to change when Newton's method fails even in short steps."""
    if flow.internal.floor == -np.inf:
        return (
            "The pressure of internal(m), m < 1, is infinite in empty cells and varies by many powers of ten "
            "in thin tails: use a smaller box, an initial measure with wider tails, or QuantileJKO (1-D), "
            "DynamicJKO or EntropicJKO."
        )
    return (
        "Use a smaller dt, more iterations= or a larger tol=; a potential or kernel that varies by many "
        'powers of ten from cell to cell needs more cells or time="ssp-rk3".'
    )


def _joined(first: Taken, second: Taken) -> Taken:
    """Two steps as one."""
    return Taken(
        second.rho,
        first.iterations + second.iterations,
        max(first.residual, second.residual),
        first.substeps + second.substeps,
        first.accepted and second.accepted,
    )


def _with_source(flow: Flow, rho: Array, tau: float) -> Array:
    return rho if flow.source is None else rho + tau * flow.source


def _add(passed: list[Array] | None, flow: Flow, flux: Array) -> None:
    """Add a flat list of face fluxes to the upper faces of the cells, axis by axis."""
    first = 0
    for total, count in zip(passed or (), flow.faces.axes, strict=False):
        total.ravel()[flow.faces.low[first : first + count]] += flux[first : first + count]
        first += count
