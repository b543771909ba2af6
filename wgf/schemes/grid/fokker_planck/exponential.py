"""Exact time evolution of the space-discrete flow when its axes are independent: one exponential each.

Turned down: the symmetric eigenproblem of diag(pi)^-1/2 G diag(pi)^1/2. Its rounding, 1e-16 of the
largest entry, comes back multiplied by sqrt(pi_i/pi_j): with V ranging over 60 D the exponential had
entries of -2e-4. Powers of a nonnegative matrix subtract nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from wgf.kernels.tridiagonal import SMALLEST
from wgf.measures import Grid
from wgf.measures.faces import upper_faces
from wgf.schemes.grid.rates import Rates, axis_rates, face_fluxes

SEPARABLE = 1e-11  # of the range of V: a sum over axes is exact up to the rounding of V itself
TERMS = 20  # of the exponential series at 1: the rest is below 1e-19
NEGLIGIBLE = 1e-290  # entries of a probability matrix that no density could make visible


def axis_potentials(potential: np.ndarray) -> tuple[np.ndarray, ...] | None:
    """V_k along every axis when potential = sum over k of V_k(x_k) on the grid, else None."""
    centre = tuple(n // 2 for n in potential.shape)
    profiles, rest = [], potential - potential[centre]
    for axis in range(potential.ndim):
        line = tuple(slice(None) if k == axis else c for k, c in enumerate(centre))
        profile = potential[line] - potential[centre]
        profiles.append(profile)
        rest = rest - profile.reshape([-1 if k == axis else 1 for k in range(potential.ndim)])
    size = max(float(np.ptp(potential)), float(np.abs(potential).max()))
    return tuple(profiles) if np.abs(rest).max() <= SEPARABLE * size else None


def axis_lines(rates: tuple[Rates, ...]) -> tuple[Rates, ...] | None:
    """The rates (n,) of one line per axis when all lines of every axis have the same, else None."""
    lines = []
    for axis, pair in enumerate(rates):
        one = tuple(np.moveaxis(rate, axis, 0).reshape(rate.shape[axis], -1)[:, 0] for rate in pair)
        for rate, line in zip(pair, one, strict=True):
            gap = np.abs(rate - line.reshape([-1 if k == axis else 1 for k in range(rate.ndim)])).max()
            if not gap <= SEPARABLE * line.max(initial=0.0):
                return None
        lines.append(one)
    return tuple(lines)


def transition(up: np.ndarray, down: np.ndarray, periodic: bool) -> np.ndarray:
    """exp(dt G) of one axis, (n, n): entry (i, j) is the probability to go from cell j to cell i in dt.

    up, down: rates through the n - 1 faces (n when periodic) times dt. Scaling and squaring of a series in
    the nonnegative matrix 1 + G/rate (uniformisation, Jensen, 1953); columns are set to sum 1 after every
    squaring, so that mass and what rests do not drift from one doubling of time to the next.
    """
    n = len(up) if periodic else len(up) + 1
    cells = np.arange(n)
    above = np.roll(cells, -1) if periodic else cells[1:]
    below = cells if periodic else cells[:-1]
    leaving = np.bincount(below, up, n) + np.bincount(above, down, n)
    doublings = max(0, math.ceil(math.log2(leaving.max()))) if leaving.any() else 0
    short = 0.5**doublings
    stay = short * (leaving.max() - leaving)
    values = np.concatenate([short * up, short * down, stay])
    places = (np.concatenate([above, below, cells]), np.concatenate([below, above, cells]))
    matrix = sparse.csr_array((values, places), shape=(n, n))
    term, total = np.eye(n), np.eye(n)
    for k in range(1, TERMS + 1):
        term = (matrix @ term) / k
        total += term
    total /= total.sum(axis=0)
    for _ in range(doublings):
        total = total @ total
        total[total < NEGLIGIBLE] = 0.0
        total /= total.sum(axis=0)
    return total


@dataclass(frozen=True)
class Exponentials:
    """exp(dt G) as one dense matrix per axis; the axes commute, so nothing is split."""

    matrices: tuple[np.ndarray, ...]
    rates: tuple[Rates, ...]
    grid: Grid
    dt: float

    def advance(
        self, rho: np.ndarray, passed: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, float]:
        """The density after dt and its least value; see `Splitting.advance`.

        What passed the faces is the trapezoidal mean of the fluxes before and after.
        """
        result = rho
        for axis, matrix in enumerate(self.matrices):
            n, inner = rho.shape[axis], math.prod(rho.shape[axis + 1 :])
            if inner == 1:
                result = (result.reshape(-1, n) @ matrix.T).reshape(rho.shape)
            else:
                result = np.matmul(matrix, result.reshape(-1, n, inner)).reshape(rho.shape)
        total = result.sum()
        result = result * (rho.sum() / total if total else 1.0)
        result[np.abs(result) < SMALLEST] = 0.0  # a negative cell stays: clipping makes mass
        if passed is not None:
            for state in (rho, result):
                for axis, flux in enumerate(face_fluxes(state, self.rates, self.grid)):
                    passed[axis][...] += 0.5 * self.dt * upper_faces(flux, self.grid, axis)
        return result, float(result.min())


def exponentials(lines: Sequence[Rates], rates: tuple[Rates, ...], grid: Grid, dt: float) -> Exponentials:
    """The exponential of every axis from the rates of one line of it."""
    matrices = tuple(
        transition(dt * up, dt * down, boundary == "periodic")
        for (up, down), boundary in zip(lines, grid.boundary, strict=True)
    )
    return Exponentials(matrices, rates, grid, dt)


def profile_rates(profiles: Sequence[np.ndarray], grid: Grid, diffusion: float) -> tuple[Rates, ...]:
    """The rates of one line per axis for V = sum of `profiles` and constant diffusion."""
    return tuple(
        axis_rates(v, float(h), diffusion, 0, boundary == "periodic")
        for v, h, boundary in zip(profiles, grid.spacing, grid.boundary, strict=True)
    )
