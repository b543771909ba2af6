r"""The steps of minimising movements on Gaussians, in closed form: matrices only, no scheme.

Optimal maps between Gaussians are affine, x -> m' + P (x - m) with P symmetric positive definite, and the
Euler-Lagrange equation of a step is an equation between matrices. With c = tau D and
B = I + tau (A + K) = L L^T, the minimiser S' of W2^2(N(S), .) / (2 tau) + E solves

    P^-1 = B - c S'^-1,  P S P = S'     <=>     Y + c^2 Y^-1 = N + 2c,   Y = L^T S' L,   N = L^-1 S L^-T

so Y commutes with N, and y = ((sqrt n + sqrt(n + 4c)) / 2)^2 for each eigenvalue n. Nothing is
subtracted: S' keeps its digits however narrow S is. S and A need not commute.

Derived here from the first variation of W2; the scheme is that of Jordan, Kinderlehrer & Otto, 1998.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wgf.errors import ConvergenceError
from wgf.schemes.jko.gaussian.energy import QuadraticEnergy
from wgf.transport.bures import root

Array = np.ndarray
ROUNDING = 1e-15  # of an optimal map, times the condition number of its source
SAMPLES, SHARES = np.polynomial.legendre.leggauss(5)  # along a geodesic, on (-1, 1)


class Moved(NamedTuple):
    """Where a step ends, mean (d,) and cov (d, d), and its optimal map's matrix P (d, d)."""

    mean: Array
    cov: Array
    map: Array


def symmetric(matrix: Array) -> Array:
    """The symmetric part."""
    return 0.5 * (matrix + matrix.T)


def positive(matrix: Array) -> bool:
    """True when a symmetric matrix is positive definite."""
    return bool(np.linalg.eigvalsh(matrix)[0] > 0)


def optimal_map(source: Array, target: Array) -> Array:
    """The symmetric P with P source P = target, for positive definite covariances.

    P = source^-1/2 (source^1/2 target source^1/2)^1/2 source^-1/2, by singular values: the root of a
    product is never formed, so its small eigenvalues keep their digits.
    """
    half = root(source)
    _, values, right = np.linalg.svd(root(target) @ half)
    inner = np.linalg.solve(half, right.T)
    return symmetric((inner * values) @ inner.T)


def jko(energy: QuadraticEnergy, mean: Array, cov: Array, tau: float) -> Moved:
    """argmin W2^2(N(mean, cov), .) / (2 tau) + E, among all measures: it is a Gaussian."""
    factor = confined(energy.stiffness, tau)
    confined(energy.potential.matrix, tau)
    c = tau * energy.diffusion
    whitened = np.linalg.solve(factor, np.linalg.solve(factor, cov).T)
    n, vectors = np.linalg.eigh(symmetric(whitened))
    n = np.maximum(n, np.finfo(float).tiny)
    grown = 0.5 * (np.sqrt(n) + np.sqrt(n + 4 * c))
    back = np.linalg.solve(factor.T, vectors)
    stretch = grown / np.sqrt(n)
    implicit = np.eye(len(mean)) + tau * energy.potential.matrix
    center = mean - tau * np.linalg.solve(implicit, energy.force(mean))
    return Moved(center, symmetric((back * grown**2) @ back.T), symmetric((back * stretch) @ back.T))


def confined(matrix: Array, tau: float) -> Array:
    """The Cholesky factor of I + tau matrix; ConvergenceError where the step has no minimiser."""
    try:
        return np.linalg.cholesky(np.eye(len(matrix)) + tau * matrix)
    except np.linalg.LinAlgError:
        lowest = float(np.linalg.eigvalsh(matrix)[0])
        raise ConvergenceError(
            f"a JKO step of tau = {tau:.3g} has no minimiser: the potential has the curvature {lowest:.3g}, "
            f"and 1 + tau * curvature must be > 0. Use a dt below {1 / -lowest:.3g}."
        ) from None


def extended(mean: Array, cov: Array, moved: Moved) -> Moved | None:
    """The geodesic from N(mean, cov) through `moved` at half-way, to its end; None where it ends before."""
    map = 2 * moved.map - np.eye(len(mean))
    if not positive(map):
        return None
    return Moved(2 * moved.mean - mean, symmetric(map @ cov @ map), map)


def extrapolated(mean: Array, cov: Array, previous_mean: Array, previous_cov: Array) -> Moved | None:
    """N(mean, cov) carried by a third of the way back, reversed: ((4 id - T) / 3), T the map to the previous.

    None where this is no optimal map.
    """
    map = (4 * np.eye(len(mean)) - optimal_map(cov, previous_cov)) / 3
    if not positive(map):
        return None
    return Moved((4 * mean - previous_mean) / 3, symmetric(map @ cov @ map), map)


def bdf2(
    energy: QuadraticEnergy,
    mean: Array,
    cov: Array,
    previous_mean: Array,
    previous_cov: Array,
    tau: float,
    tol: float,
    iterations: int,
) -> tuple[Moved, int, float] | None:
    """A critical point of W2^2(rho_k, .) / tau - W2^2(rho_{k-1}, .) / (4 tau) + E, with rounds and residual.

    Written as B - c S^-1 = H(S), H(S) = (4 T_{S -> S_k} - T_{S -> S_{k-1}}) / 3, tau replaced by 2 tau / 3:
    for a frozen H that is the JKO step from H S H, and the rounds S -> that step contract like tau^2. The
    residual is |B - c S^-1 - H(S)| over |B|. None where H is not positive definite: no minimum.
    """
    step = 2 * tau / 3
    target = (4 * mean - previous_mean) / 3
    bound = np.eye(len(mean)) + step * energy.stiffness
    enough = max(tol, ROUNDING * float(np.linalg.cond(cov)))
    moved, residual = Moved(target, cov, bound), np.inf
    for count in range(iterations + 1):
        pull = (4 * optimal_map(moved.cov, cov) - optimal_map(moved.cov, previous_cov)) / 3
        if not positive(pull):
            return None
        gap = np.eye(len(mean)) + step * energy.strain(moved.cov) - pull
        residual = float(np.abs(gap).max() / np.abs(bound).max())
        if count and residual <= enough:
            return moved, count, residual
        if count < iterations:
            moved = jko(energy, target, symmetric(pull @ moved.cov @ pull), step)
    raise ConvergenceError(
        f"a BDF2 step of dt = {tau:.3g} stopped at the residual {residual:.1e} (tol = {tol:.1e}) after "
        f"{iterations} rounds. Use a smaller dt, more iterations=, a larger tol=, or time='evbdf2', which "
        "has the same order and no rounds."
    )


def along(energy: QuadraticEnergy, mean: Array, cov: Array, moved: Moved, share: float) -> float:
    """|dE|^2 at the `share` of the geodesic to `moved`."""
    identity = np.eye(len(mean))
    map = (1 - share) * identity + share * moved.map
    return energy.slope_squared((1 - share) * mean + share * moved.mean, symmetric(map @ cov @ map))
