r"""Newton's method for one implicit stage of aggregation-diffusion.

    rho = b + tau balance F(rho; xi),    xi = U'(rho) + V + (fixed pull) + share W * rho

with the fluxes of `wgf.kernels.aggregation`, whose reconstruction ratios are taken from an earlier density:
then what leaves a cell is proportional to its new density, and a solution of b >= 0 is positive for every
tau. The local part of the Jacobian is sparse and factorised; the interaction's dense part is only
multiplied (by FFT) inside GMRES, which the local factors precondition.

Iterates are kept positive cell by cell: none falls below a tenth of what it was in one iteration. That
changes the path of Newton's method, not its end, and the end is judged by the size of the last full step.
Turned down: Picard iteration with frozen velocities (does not converge for tau beyond the explicit
limit) and splitting by axes (loses the exact decay of the energy).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, gmres

from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.kernels.sparse_lu import diagonal_lu
from wgf.schemes.grid.aggregation_diffusion.flow import Flow

Array = np.ndarray
SHRINK = 0.1  # of its value is the least a cell may keep in one iteration
SPARE = 1e-12  # of the largest cell: from here on U'' is that of a fuller cell (inf at 0 for m < 2)
SERIES_BELOW = 0.05  # argument of B' from which its closed form loses less than 1e-14
KRYLOV_TOLERANCE, KRYLOV_SIZE, KRYLOV_ROUNDS = 1e-4, 40, 3
CUT = 1e-13  # of the mass: what may keep a stage positive whose base is not, or its solution is negative
HALVINGS = 6  # of a step that does not bring the residual down
ROUNDED, SHRUNK = 1e-8, 0.5  # a step this small that does not even halve is rounding of a stiff problem
SLOW = 0.1  # of the step before: one that shrinks less asks for factors of the latest iterate
GROWTH = 2.0  # of the residual, which may grow for a step: cells at the front fill one after another


class Solved(NamedTuple):
    """The density, what passes the faces per unit time (flat), iterations, last step over mass."""

    rho: Array
    flux: Array
    iterations: int
    residual: float


@dataclass(frozen=True)
class Stage:
    """The equation of one stage; all arrays flat.

    base: b. tau: the step. pull: the fixed part of W * rho. share: of W * (new rho) in xi. ratios: (p, q).
    """

    flow: Flow
    base: Array
    tau: float
    pull: Array
    share: float
    ratios: tuple[Array, Array]

    def full_pull(self, rho: Array) -> Array:
        """The pull with the unknown's share."""
        if not self.flow.pulls or self.share == 0:
            return self.pull
        return self.pull + self.share * self.convolved(rho)

    def convolved(self, values: Array) -> Array:
        """W * values."""
        return self.flow.pull(values.reshape(self.flow.grid.cells)).ravel()

    def fluxes(self, rho: Array) -> tuple[Array, Array, Array, Array]:
        """F/h, and its derivatives: by the density below, by that above (negative), by w."""
        flow, faces = self.flow, self.flow.faces
        p, q = self.ratios
        potential = flow.potential.ravel()
        zeta = flow.internal.derivative(rho) + potential + self.full_pull(rho)
        w = zeta[faces.high] - zeta[faces.low] + faces.lift
        below, above = p * rho[faces.low], q * rho[faces.high]
        if flow.diffusion == 0:
            up, down = np.maximum(-w, 0.0), np.maximum(w, 0.0)
            slope = np.where(w < 0, -below, -above)
        else:
            z = w / flow.diffusion + np.log(p / q)
            up, down = bernoulli(z)
            slope = _bernoulli_slope(z, up, down) * (below - above) - above
            up, down = flow.diffusion * up, flow.diffusion * down
        scale = faces.scale
        return scale * (up * below - down * above), scale * up * p, -scale * down * q, scale * slope


def _bernoulli_slope(z: Array, up: Array, down: Array) -> Array:
    """B'(z), from up = B(z) and down = B(-z)."""
    small = np.abs(z) < SERIES_BELOW
    safe = np.where(small, 1.0, z)
    return np.where(small, -0.5 + z / 6 - z**3 / 180 + z**5 / 5040, up * (1 - down) / safe)


def solve_stage(stage: Stage, guess: Array, tol: float, iterations: int) -> Solved | None:
    """The solution of a stage from a nonnegative guess (flat), or None when Newton's method fails.

    What rounding and the last step leave of the mass, at most `tol` of it, goes into a common factor. With
    a base b >= 0 the solution is positive; else a negative one is no solution here but a failure.
    """
    flow, mass = stage.flow, float(stage.base.sum())
    rho = np.maximum(guess, SPARE**2 * guess.max()) if flow.internal.floor == -np.inf else guess
    fluxes = stage.fluxes(rho)
    residual = _residual(stage, rho, fluxes[0])
    factors: Any = None
    safe, last = bool(stage.base.min() >= 0), np.inf
    for count in range(1, iterations + 1):
        solved = _direction(stage, rho, fluxes, residual, factors)
        if solved is None:
            return None
        direction, factors = solved
        size = float(np.abs(direction).sum()) / mass
        if not np.isfinite(size):
            return None
        moved = _move(stage, rho, direction, residual)
        if moved is None:
            return None
        rho, fluxes, residual, cut = moved
        settled = size <= tol or (size <= ROUNDED and size > SHRUNK * last)
        if settled and (safe or cut <= CUT * mass):
            rho = rho * (mass / rho.sum())
            return Solved(rho, fluxes[0], count, size)
        if size > SLOW * last:
            factors = None
        last = size
    return None


def _residual(stage: Stage, rho: Array, flux: Array) -> Array:
    return rho - stage.base - stage.tau * (stage.flow.faces.balance @ flux)


def _move(stage: Stage, rho: Array, direction: Array, residual: Array) -> Any:
    """The next iterate, its fluxes and residual, what kept it positive; a full step if it helps."""
    size = float(np.abs(residual).sum())
    alpha = 1.0
    for _ in range(HALVINGS):
        trial = np.maximum(rho + alpha * direction, SHRINK * rho)
        fluxes = stage.fluxes(trial)
        left = _residual(stage, trial, fluxes[0])
        if float(np.abs(left).sum()) <= GROWTH * size or size == 0:
            return trial, fluxes, left, float((trial - rho - alpha * direction).sum())
        alpha *= 0.5
    return None


def _direction(stage: Stage, rho: Array, fluxes: Any, residual: Array, factors: Any) -> Any:
    """(Newton's direction, the factors used), by LU, or GMRES where a dense or an older part is involved."""
    flow, faces = stage.flow, stage.flow.faces
    _, by_low, by_high, by_w = fluxes
    dense = bool(flow.pulls) and stage.share > 0
    curvature = flow.internal.second(np.maximum(rho, SPARE * rho.max()))
    number = np.arange(len(faces.low))
    rows = np.concatenate([number, number])
    columns = np.concatenate([faces.low, faces.high])
    values = np.concatenate([
        by_low - by_w * curvature[faces.low], by_high + by_w * curvature[faces.high]
    ])  # fmt: skip
    gradient = sparse.csr_array((values, (rows, columns)), shape=(len(number), len(rho)))
    local = (sparse.eye_array(len(rho)) - stage.tau * (faces.balance @ gradient)).tocsc()
    if factors is None:
        factors = _factorise(local, flow)
        if factors is None:
            return None
    if not dense:
        return factors.solve(-residual), None

    def product(v: Array) -> Array:
        w = stage.share * stage.convolved(v)
        return local @ v - stage.tau * (faces.balance @ (by_w * (w[faces.high] - w[faces.low])))

    size = (len(rho), len(rho))
    operator: Any = LinearOperator  # its stubs know the abstract class alone
    matrix = operator(size, matvec=product, dtype=np.float64)
    inverse = operator(size, matvec=factors.solve, dtype=np.float64)
    direction, _ = gmres(
        matrix,
        -residual,
        rtol=KRYLOV_TOLERANCE,
        atol=0.0,
        restart=KRYLOV_SIZE,
        maxiter=KRYLOV_ROUNDS,
        M=inverse,
    )
    return direction, factors


def _factorise(matrix: sparse.csc_array, flow: Flow) -> Any:
    """LU with pivots on the diagonal: off it no entry is positive, columns sum to 1."""
    try:
        return diagonal_lu(matrix, natural=flow.grid.dimension == 1)
    except RuntimeError:  # singular: entries overflowed
        return None
