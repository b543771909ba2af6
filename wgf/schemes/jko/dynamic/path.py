r"""The dual of a dynamic JKO step: a path of potentials that one terminal function decides.

Primal: over densities rho_1..rho_K and fluxes through the faces, with s = tau / K and rho_0 given,

    minimise  sum_k s/2 sum_faces |m_k|^2 / theta(rho_k) + E(rho_K),     rho_k + s div m_k = rho_{k-1}.

At the minimum m_k = theta(rho_k) grad phi_k, H(phi_k) = phi_{k+1} for k < K and H(phi_K) = psi with
psi = -dE/drho where there is mass: Hamilton-Jacobi backwards, continuity forwards. So psi decides all:
phi_1 = S(psi), S = H^-1 ... H^-1 (K times), and the dual function to be maximised is

    D(psi) = - int E*(-psi) - <rho_0, S(psi)>,    grad D = (E*)'(-psi) - rho_K,

concave because H^-1 is convex and monotone. rho_K, the continuity equation's answer for the path of psi,
is an admissible density whatever psi: nonnegative, of the right mass. The mismatch of the two densities in
grad D is the certificate of the step. The Hessian is -(W + M) with W = slope of (E*)' and
M = sum_k C_k^T s L_k C_k, C_k = A_k^-1 ... A_K^-1, both positive semidefinite.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse

from wgf.errors import ConvergenceError
from wgf.schemes.jko.dynamic.faces import (
    Faces,
    Level,
    Transport,
    laplacian,
    level,
    mobility,
    squared_gradient,
)

Array = np.ndarray
MOST_SWEEPS = 60  # Newton iterations of one Hamilton-Jacobi level; 3 to 6 are usual
SETTLED = 4e-15  # correction, relative to phi, at which a level is solved
STALLED, HALF = 1e-11, 0.5  # rounding keeps it larger: no longer halved, and below this
TINY = 1e-300  # keeps the relative correction of phi = 0 finite
SMALLEST = 1e-290  # a density whose halves and quotients are still exact


class Path(NamedTuple):
    """Levels k = 1..K of a terminal function: potentials, their matrices A_k, and s."""

    psi: Array
    levels: tuple[Level, ...]
    transports: tuple[Transport, ...]
    step: float


def hamilton_jacobi(psi: Array, guess: Array, faces: Faces, step: float) -> tuple[Level, Transport]:
    """phi with H(phi) = psi, by Newton's method.

    H is concave with a monotone inverse (upwind), so from any start the first iterate lies below the
    solution and the others rise to it: no line search is needed.
    """
    phi, least = guess, np.inf
    for _ in range(MOST_SWEEPS):
        at = level(phi, faces)
        transport = Transport(at, faces, step)
        correction = transport.solve(phi - 0.5 * step * squared_gradient(at, faces) - psi)
        size = float(np.abs(correction).max() / (np.abs(phi).max() + TINY))
        if size <= SETTLED or HALF * least <= size <= STALLED:
            return at, transport
        least = min(least, size)
        phi = np.maximum(phi - correction, psi)  # where the solution lies: |grad phi|^2 >= 0
    raise ConvergenceError(
        f"a Hamilton-Jacobi level of {step:.3g} stopped at the relative correction {size:.1e} after "
        f"{MOST_SWEEPS} iterations. Use a smaller dt or more substeps=."
    )


def path(psi: Array, guesses: tuple[Array, ...], faces: Faces, step: float) -> Path:
    """The path of `psi`, its levels started from `guesses`."""
    levels, transports, value = [], [], psi
    for guess in reversed(guesses):
        at, transport = hamilton_jacobi(value, guess, faces, step)
        levels.append(at)
        transports.append(transport)
        value = at.phi
    return Path(psi, tuple(reversed(levels)), tuple(reversed(transports)), step)


def densities(along: Path, rho: Array) -> tuple[Array, ...]:
    """rho_1..rho_K from rho_0."""
    found = []
    for transport in along.transports:
        rho = transport.push(rho)
        found.append(rho)
    return tuple(found)


def kinetic_energy(along: Path, rhos: tuple[Array, ...], faces: Faces) -> float:
    """sum_k s/2 sum theta |grad phi_k|^2 per unit volume of a cell: what the step adds to E."""
    levels = zip(along.levels, rhos, strict=True)
    return 0.5 * along.step * sum(float(mobility(rho, at, faces) @ at.squared) for at, rho in levels)


def action(along: Path, rho: Array, rhos: tuple[Array, ...], faces: Faces) -> float:
    """int |rho'|^2 dt along the path from `rho`, per unit volume of a cell: tau times the squared speed.

    The fluxes of the path over the density half-way through every level: accurate to s^2, where the
    kinetic energy that is minimised, with the density at the level's end, is accurate to s.
    """
    total = 0.0
    for at, before, after in zip(along.levels, (rho, *rhos[:-1]), rhos, strict=True):
        theta, middle = mobility(after, at, faces), mobility(0.5 * (before + after), at, faces)
        moving = middle > SMALLEST
        total += along.step * float((theta[moving] * (theta[moving] / middle[moving])) @ at.squared[moving])
    return total


class Curvature:
    """M of a path: `times` applies it, `nearby` is a sparse matrix like it."""

    def __init__(self, along: Path, rhos: tuple[Array, ...], faces: Faces) -> None:
        self.transports = along.transports
        levels = zip(along.levels, rhos, strict=True)
        thetas = (np.maximum(mobility(rho, at, faces), 0.0) for at, rho in levels)  # centred iterates may dip
        self.laplacians = [along.step * laplacian(theta, faces) for theta in thetas]

    def moves(self, z: Array) -> list[Array]:
        """How every phi_k answers a change z of psi: C_k z."""
        found = []
        for transport in reversed(self.transports):
            z = transport.solve(z)
            found.append(z)
        return found[::-1]

    def times(self, z: Array) -> Array:
        """M z."""
        total = np.zeros_like(z)
        for transport, matrix, move in zip(self.transports, self.laplacians, self.moves(z), strict=True):
            total = transport.push(matrix @ move + total)
        return total

    def nearby(self) -> sparse.csc_array:
        """The sum of s L_k, which M is when nothing moves."""
        total = self.laplacians[0]
        for matrix in self.laplacians[1:]:
            total = total + matrix
        return total
