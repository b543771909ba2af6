"""Splitting by axes: a step as a sequence of one-axis tridiagonal sweeps (Lie, Strang)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgf.kernels.scharfetter_gummel import rate_factors, sg_factors
from wgf.kernels.tridiagonal import STAGE, euler_sweep, tr_bdf2_sweep
from wgf.measures import Grid
from wgf.schemes.grid.rates import Rates

NOTHING = np.empty(0)
Factors = Callable[[int, float], np.ndarray]  # of an axis, for dt times the share of the scheme


@dataclass(frozen=True)
class Stage:
    """One sweep: along which axis, with which kernel and factors."""

    sweep: Any
    axis: int
    periodic: bool
    factors: np.ndarray


@dataclass(frozen=True)
class Splitting:
    """A step made of one-axis sweeps. Every one of them conserves mass and keeps what rests on its faces."""

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


def lie(factors: Factors, grid: Grid, dt: float) -> Splitting:
    """One backward Euler sweep per axis: order 1, positive, contracting; backward Euler itself in 1-D."""
    return Splitting(tuple(_stage(factors, grid, dt, axis, False) for axis in range(grid.dimension)))


def strang(factors: Factors, grid: Grid, dt: float) -> Splitting:
    """Half TR-BDF2 sweeps of all axes but the last, a whole one of the last, the halves in reverse."""
    last = grid.dimension - 1
    halves = [_stage(factors, grid, dt / 2, axis, True) for axis in range(last)]
    whole = _stage(factors, grid, dt, last, True)
    return Splitting((*halves, whole, *reversed(halves)))


def potential_factors(potential: np.ndarray, grid: Grid, diffusion: float, mobility: np.ndarray) -> Factors:
    """Factors for constant M_k (d,) and a finite V: the rates are made in the kernel and nowhere kept."""

    def make(axis: int, duration: float) -> np.ndarray:
        strength = duration * diffusion * float(mobility[axis]) / float(grid.spacing[axis]) ** 2
        return sg_factors(potential, strength, diffusion, axis, grid.boundary[axis] == "periodic")

    return make


def rates_factors(rates: tuple[Rates, ...], grid: Grid) -> Factors:
    """Factors for any rates on the faces."""

    def make(axis: int, duration: float) -> np.ndarray:
        return rate_factors(*rates[axis], duration, axis, grid.boundary[axis] == "periodic")

    return make


def _stage(factors: Factors, grid: Grid, dt: float, axis: int, second_order: bool) -> Stage:
    sweep, share = (tr_bdf2_sweep, STAGE) if second_order else (euler_sweep, 1.0)
    return Stage(sweep, axis, grid.boundary[axis] == "periodic", factors(axis, share * dt))
