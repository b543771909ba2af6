"""Steps without splitting: backward Euler and TR-BDF2 with one sparse factorisation, remembered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from wgf.kernels.sparse_lu import diagonal_lu
from wgf.kernels.tridiagonal import AHEAD, SMALLEST, STAGE
from wgf.schemes.grid.fokker_planck.bonds import Bonds


@dataclass(frozen=True)
class Unsplit:
    """Solves with 1 - a G, a = dt (backward Euler) or STAGE dt (TR-BDF2), always for an increment.

    Its right-hand side is a difference of fluxes: zero at rest, and of sum zero. The solve leaves the sum
    zero up to its rounding, which a common factor 1 + O(1e-15) then takes out.
    """

    lu: Any
    bonds: Bonds
    dt: float
    second_order: bool

    def advance(
        self, rho: np.ndarray, passed: Sequence[np.ndarray] | None = None
    ) -> tuple[np.ndarray, float]:
        """The density after the step and its least value; see `Splitting.advance`.

        passed: one array (bonds,), to which what went through the bonds is added.
        """
        result, mean = self._tr_bdf2(rho) if self.second_order else self._euler(rho)
        total = result.sum()
        if total:  # an empty grid stays empty
            result *= rho.sum() / total
        result[np.abs(result) < SMALLEST] = 0.0
        if passed is not None:
            passed[0][...] += self.dt * self.bonds.fluxes(mean)
        return result, float(result.min())

    def _increment(self, rho: np.ndarray, duration: float) -> np.ndarray:
        """(1 - a G)^-1 duration G rho."""
        change = duration * self.bonds.inflow(self.bonds.fluxes(rho), rho.shape)
        return self.lu.solve(change.ravel()).reshape(rho.shape)

    def _euler(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The new density, and the one whose flux carried the step."""
        result = rho + self._increment(rho, self.dt)
        return result, result

    def _tr_bdf2(self, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """TR: v = rho + a G (rho + v); BDF2: (1 - a G) result = AHEAD v + (1 - AHEAD) rho."""
        a = STAGE * self.dt
        gained = self._increment(rho, 2 * a)
        base = rho + AHEAD * gained
        result = base + self._increment(base, a)
        return result, STAGE * (AHEAD * (2 * rho + gained) + result)


def unsplit(bonds: Bonds, size: int, dt: float, second_order: bool = False) -> Unsplit:
    """Factorise 1 - a G of `size` cells once."""
    a = STAGE * dt if second_order else dt
    matrix = (sparse.eye_array(size) - a * bonds.generator(size)).tocsc()
    return Unsplit(diagonal_lu(matrix), bonds, dt, second_order)
