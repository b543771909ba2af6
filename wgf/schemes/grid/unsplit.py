"""Backward Euler in several dimensions without splitting: one sparse factorisation, remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import splu

from wgf.kernels.tridiagonal import SMALLEST
from wgf.measures import Grid
from wgf.schemes.grid.rates import Rates, face_fluxes, face_rates, generator, inflow, upper_faces


@dataclass(frozen=True)
class Unsplit:
    """(1 - dt G) rho' = rho, solved for the increment rho' - rho.

    The increment's right-hand side dt G rho is a difference of fluxes: zero at rest, and of sum zero. The
    solve leaves the sum zero up to its rounding, which a common factor 1 + O(1e-15) then takes out.
    """

    lu: Any
    rates: tuple[Rates, ...]
    grid: Grid
    dt: float

    def advance(
        self, rho: np.ndarray, passed: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, float]:
        """The density after the step and its least value; see `Splitting.advance`."""
        change = self.dt * inflow(face_fluxes(rho, self.rates, self.grid), self.grid)
        result = rho + self.lu.solve(change.ravel()).reshape(rho.shape)
        result *= rho.sum() / result.sum()
        result[np.abs(result) < SMALLEST] = 0.0
        if passed is not None:
            for axis, flux in enumerate(face_fluxes(result, self.rates, self.grid)):
                passed[axis][...] += self.dt * upper_faces(flux, self.grid, axis)
        return result, float(result.min())


def unsplit(potential: np.ndarray, grid: Grid, diffusion: float, dt: float) -> Unsplit:
    """Factorise 1 - dt G once.

    Pivots stay on the diagonal and the order is symmetric: then the factors of an M-matrix are M-matrices.
    """
    rates = face_rates(potential, grid, diffusion)
    matrix = (sparse.eye_array(grid.size) - dt * generator(rates, grid)).tocsc()
    lu = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    return Unsplit(lu, rates, grid, dt)
