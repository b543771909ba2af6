"""Splitting by axes: a step as a sequence of one-axis tridiagonal sweeps (Lie, Strang)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgf.kernels.scharfetter_gummel import sg_factors
from wgf.kernels.tridiagonal import STAGE, euler_sweep, tr_bdf2_sweep
from wgf.measures import Grid

NOTHING = np.empty(0)


@dataclass(frozen=True)
class Stage:
    """One sweep: along which axis, with which kernel and factors."""

    sweep: Any
    axis: int
    periodic: bool
    factors: np.ndarray


@dataclass(frozen=True)
class Splitting:
    """A step made of one-axis sweeps. Every one of them conserves mass and keeps exp(-V/D)."""

    stages: tuple[Stage, ...]

    def advance(
        self, rho: np.ndarray, passed: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, float]:
        """The density after the step and its least value.

        passed: per axis an array to which what went through the upper faces is added.
        """
        result, source, least = np.empty_like(rho), rho, 0.0
        for stage in self.stages:
            flux = NOTHING if passed is None else passed[stage.axis]
            least = stage.sweep(source, result, flux, stage.factors, stage.axis, stage.periodic)
            source = result
        return result, least


def lie(potential: np.ndarray, grid: Grid, diffusion: float, dt: float) -> Splitting:
    """One backward Euler sweep per axis: order 1, positive, contracting; backward Euler itself in 1-D."""
    return Splitting(
        tuple(_stage(potential, grid, diffusion, dt, axis, False) for axis in range(grid.dimension))
    )


def strang(potential: np.ndarray, grid: Grid, diffusion: float, dt: float) -> Splitting:
    """Half TR-BDF2 sweeps of all axes but the last, a whole one of the last, the halves in reverse."""
    last = grid.dimension - 1
    halves = [_stage(potential, grid, diffusion, dt / 2, axis, True) for axis in range(last)]
    whole = _stage(potential, grid, diffusion, dt, last, True)
    return Splitting((*halves, whole, *reversed(halves)))


def _stage(
    potential: np.ndarray, grid: Grid, diffusion: float, dt: float, axis: int, second_order: bool
) -> Stage:
    periodic = grid.boundary[axis] == "periodic"
    sweep, share = (tr_bdf2_sweep, STAGE) if second_order else (euler_sweep, 1.0)
    strength = share * dt * diffusion / float(grid.spacing[axis]) ** 2
    return Stage(sweep, axis, periodic, sg_factors(potential, strength, diffusion, axis, periodic))
