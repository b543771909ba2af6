r"""Exact trajectories of the time-discrete JKO, BDF2 and midpoint schemes, to judge solvers step by step.

A minimising-movement scheme with step tau does not solve the PDE, it solves its own discrete flow, and
on two families that flow is known in closed form. So a solver's spatial error is measured at fixed tau
against these, and its time order without any spatial error.

Derivation. In a family where every optimal map x -> l/mu (x - c) + c' is linear and the first variation
xi is quadratic on the support, the Euler-Lagrange equation of the step, (x - y)/tau = -grad xi(x), holds
for ALL x once it holds for the scale l and the centre c: the step is a scalar equation, and since the
energies are displacement convex its root is the minimiser. Along such a family W2 is flat,
W2^2 = (l - mu)^2 m2 + |c - c'|^2, so BDF2 and the midpoint rule act on the scalars as in a Hilbert space:

    jko       l_{n+1} = J(l_n, tau)
    bdf2      l_{n+1} = J((4 l_n - l_{n-1}) / 3, 2 tau / 3), the first step by midpoint
    midpoint  l_{n+1} = 2 J(l_n, tau / 2) - l_n

Gaussians, E = D int rho log rho + int (x-a).A(x-a)/2 rho with A and the covariance commuting: per
eigendirection, grad xi = (-D / l^2 + k)(x - c) + k (c - a), hence (l - s)/tau = D/l - k l for the standard
deviation and (c - c_0)/tau = -k (c - a) for the mean.

Barenblatt profiles, E = int rho^m/(m-1) + kappa |x|^2/2 rho with l = t^b: (l - mu)/tau =
b l^-(d(m-1)+1) - kappa l, any m > d/(d+2) but 1.

The scheme is that of Jordan, Kinderlehrer and Otto, 1998; the invariance of these families under the flow
is Otto, 2001. Their discrete steps are derived above.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import root_scalar

Array = np.ndarray
COMMUTATOR_TOLERANCE = 1e-10  # relative, of A S - S A


class GaussianTrajectory(NamedTuple):
    """Means (steps + 1, d) and covariances (steps + 1, d, d) of an exact discrete flow."""

    means: Array
    covariances: Array


def discrete_flow(
    implicit_step: Callable[[Array, float], Array], start: Array, dt: float, steps: int, scheme: str
) -> Array:
    """The scalars (steps + 1, ...) that "jko", "bdf2" or "midpoint" makes of an implicit Euler step.

    implicit_step(l, tau) solves (l' - l)/tau = f(l') for arrays l.
    """
    path = [np.asarray(start, dtype=float)]
    for n in range(steps):
        now = path[-1]
        if scheme == "jko":
            path.append(implicit_step(now, dt))
        elif scheme == "midpoint" or (scheme == "bdf2" and n == 0):
            path.append(2 * implicit_step(now, dt / 2) - now)
        elif scheme == "bdf2":
            path.append(implicit_step((4 * now - path[-2]) / 3, 2 * dt / 3))
        else:
            raise ValueError(f"scheme must be 'jko', 'bdf2' or 'midpoint', got {scheme!r}.")
    return np.stack(path)


def gaussian_flow(
    mean: Array,
    cov: Array,
    dt: float,
    steps: int,
    *,
    diffusion: float = 1.0,
    stiffness: Array | float = 0.0,
    center: Array | float = 0.0,
    scheme: str = "jko",
) -> GaussianTrajectory:
    """The discrete flow of N(mean, cov) under D * entropy + (x - center) . stiffness (x - center) / 2.

    mean: (d,). cov and stiffness: (d, d) symmetric, commuting (a number means a multiple of the
    identity); stiffness may be indefinite while 1 + dt k > 0.

    >>> flow = gaussian_flow([0.0], [[1.0]], dt=1.5, steps=1)
    >>> float(flow.covariances[-1, 0, 0].round(6))
    3.322876
    """
    mean = np.atleast_1d(np.asarray(mean, dtype=float))
    d = mean.size
    cov = np.asarray(cov, dtype=float) * (np.eye(d) if np.ndim(cov) == 0 else 1.0)
    matrix = np.asarray(stiffness, dtype=float) * (np.eye(d) if np.ndim(stiffness) == 0 else 1.0)
    size = np.abs(cov).max() * np.abs(matrix).max()
    if np.abs(cov @ matrix - matrix @ cov).max() > COMMUTATOR_TOLERANCE * max(size, 1e-300):
        raise ValueError("cov and stiffness must commute: no closed form is known otherwise.")
    # a generic combination of commuting matrices has their common eigenvectors
    _, vectors = np.linalg.eigh(
        cov / np.abs(cov).max() + np.pi / 10 * matrix / max(np.abs(matrix).max(), 1e-300)
    )
    variances = np.einsum("ik,ij,jk->k", vectors, cov, vectors)
    k = np.einsum("ik,ij,jk->k", vectors, matrix, vectors)

    def spread(s: Array, tau: float) -> Array:
        return (s + np.sqrt(s**2 + 4 * (1 + tau * k) * tau * diffusion)) / (2 * (1 + tau * k))

    stds = discrete_flow(spread, np.sqrt(variances), dt, steps, scheme)
    away = discrete_flow(lambda c, tau: c / (1 + tau * k), vectors.T @ (mean - center), dt, steps, scheme)
    return GaussianTrajectory(
        away @ vectors.T + center, np.einsum("ik,nk,jk->nij", vectors, stds**2, vectors)
    )


def dilation_step(m: float, dimension: int, confinement: float = 0.0) -> Callable[[Array, float], Array]:
    """The implicit step of the scale l = t^b of a Barenblatt profile, by bracketed root finding.

    The function l - mu + tau (kappa l - b l^-q), q = d(m-1) + 1, increases while 1 + tau kappa > 0 and q > 0.
    """
    q = dimension * (m - 1) + 1
    b = 1 / (q + 1)

    def solve(mu: float, tau: float) -> float:
        def gap(l: float) -> float:
            return l - mu + tau * (confinement * l - b * l**-q)

        low = high = abs(mu) + 1e-3
        while gap(low) > 0:
            low /= 2
        while gap(high) < 0:
            high *= 2
        found = root_scalar(
            gap, bracket=(low, high), method="brentq", xtol=1e-300, rtol=4 * np.finfo(float).eps
        )
        return float(found.root)

    return lambda mu, tau: np.array([solve(float(x), tau) for x in np.atleast_1d(mu)]).reshape(np.shape(mu))


def barenblatt_flow(
    m: float,
    dimension: int,
    dt: float,
    steps: int,
    *,
    t0: float = 1.0,
    confinement: float = 0.0,
    scheme: str = "jko",
) -> Array:
    """Scales l_n (steps + 1,) of the discrete flow of a centred Barenblatt profile under
    internal(m) + confinement |x|^2 / 2: the state at step n is the profile of time l_n^(1/b).

    W2^2 between two of them is (l - l')^2 times the second moment of the profile of time 1.

    >>> barenblatt_flow(2, 1, dt=0.25, steps=1).round(6).tolist()
    [1.0, 1.072454]
    """
    start = t0 ** profile_exponent(m, dimension)
    return discrete_flow(dilation_step(m, dimension, confinement), np.array(start), dt, steps, scheme)


def profile_exponent(m: float, dimension: int) -> float:
    """b = 1 / (d(m-1) + 2): Barenblatt profiles spread like t^b."""
    return 1 / (dimension * (m - 1) + 2)


def profile_time(scale: float, m: float, dimension: int) -> float:
    """The time t of the profile of scale l = t^b."""
    return float(scale ** (1 / profile_exponent(m, dimension)))


def barenblatt_scale(
    t: float, m: float, dimension: int, *, t0: float = 1.0, confinement: float = 0.0
) -> float:
    """The scale of the PDE's solution after time t, to which the discrete flows tend as dt -> 0.

    Confined: rho(x, t) is e^{-kappa t} times the profile of time s = t0 + (e^{kappa t / b} - 1) b / kappa.
    """
    b = profile_exponent(m, dimension)
    if confinement == 0:
        return float((t0 + t) ** b)
    s = t0 + np.expm1(confinement * t / b) * b / confinement
    return float(np.exp(-confinement * t) * s**b)
