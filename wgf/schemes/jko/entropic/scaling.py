r"""One entropic JKO step: three scalings in turn, overrelaxed by Young's rule.

With c = |x - y|^2 / 2, K = exp(-c / epsilon), r = dt / epsilon and mu the density before, a step minimises

    plain      min over gamma from mu to rho of int c + epsilon log gamma dgamma, / dt,   + E(rho)
    debiased   [OT(mu, rho) - OT(mu, mu) / 2 - OT(rho, rho) / 2] / dt                     + E(rho)

with OT the least int c dgamma + epsilon KL(gamma | mu x rho). The self term is a minimum as well,
-OT(rho, rho) / 2 = epsilon min over d of int log(rho / d) drho + <d, K d> / 2 - 1/2, taken at d K d = rho
(Feydy et al., 2019). So either step is one minimisation over (gamma, d), jointly convex: KL(gamma | mu x
gamma_2) and int log(gamma_2 / d) dgamma_2 are, K is positive definite, E is convex along straight lines; and
the entropies of rho cancel in their sum. Setting the derivatives to zero one block at a time gives
gamma = a K b and

    a = mu / K b,    rho = prox(d K a),    b = rho / K a,    d = sqrt(d rho / K d)     (plain: d = 1)

in the manner of Janati et al., 2020, for barycenters (with the exponent 2/3 for 1/2, see SELF_FACTOR). Near
the solution the pair (a, b) is a two-block Gauss-Seidel iteration whose squared Jacobi eigenvalues are real
and in [0, theta), theta = s / (1 + s) with s = r max p'(rho), p the pressure. So with Young's factor
omega = 2 / (1 + 1/sqrt(1 + s)) the error falls by omega - 1 a sweep instead of theta: 33 sweeps instead of
300 at s = 30. Far from the solution, where the iteration is not linear, no scaling is extrapolated by more
than a factor e^2, and if the residual does not fall over 25 sweeps omega - 1 is halved: omega = 1 is block
minimisation of a convex problem.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wgf.errors import ConvergenceError
from wgf.schemes.jko.entropic.kernel import GaussianKernel
from wgf.schemes.jko.entropic.prox import Proximal

Array = np.ndarray
MOST_RELAXED = 1.995  # of omega: s = 1.6e5, some 3000 sweeps
DEPTH = 600.0  # of log rho below its maximum: thinner cells hold no mass and keep the d they have
LONGEST = 2.0  # of the extrapolation of a logarithm: far from the solution moves of hundreds occur
GAUGE, GAUGE_STEPS = 1e-3, 20  # of log mass at the start; 3 to 6 Newton steps are usual
PATIENCE = 25  # sweeps in which the residual must have fallen, or omega - 1 is halved
SELF_FACTOR = 2 / 3  # of log d: the eigenvalues 1 - (1 + q) 2/3, q in [0, 1], lie within +-1/3
SELF_TOLERANCE, SELF_ROUNDING, SELF_SWEEPS = 1e-15, 1e-11, 60  # 3^-32 is 5e-16


class Scalings(NamedTuple):
    """log a, log b, log d and log rho of a step, (*cells,); sweeps taken and the residual left."""

    a: Array
    b: Array
    d: Array
    rho: Array
    sweeps: int
    residual: float


def relaxation(s: float) -> float:
    """Young's omega for the stiffness s = dt max p'(rho) / epsilon.

    >>> relaxation(0.0), round(relaxation(8.0), 6)
    (1.0, 1.5)

    Young, 1971, chapter 6; Thibault, Chizat, Dossal & Papadakis, 2021 (for Sinkhorn's iteration).
    """
    return min(2 / (1 + 1 / math.sqrt(1 + s)), MOST_RELAXED)


def self_scaling(kernel: GaussianKernel, log_rho: Array, guess: Array) -> Array:
    """log d with d K d = rho, -inf where rho is 0: the potential of rho with itself, symmetrically."""
    filled = log_rho > log_rho.max() - DEPTH
    d = np.where(log_rho > -np.inf, guess, -np.inf)
    mass, last = float(np.exp(log_rho).sum()), np.inf
    for _ in range(SELF_SWEEPS):
        product = _sum(d, kernel.log_apply(d, filled))
        worst = _mismatch(product[filled], log_rho[filled])
        d = np.where(filled, d + SELF_FACTOR * difference(log_rho, product, filled), d)
        if worst <= SELF_TOLERANCE * mass or last <= worst <= SELF_ROUNDING * mass:
            break
        last = worst
    return d


def scale(
    kernel: GaussianKernel,
    log_mu: Array,
    prox: Proximal,
    start: tuple[Array, Array],
    debiased: bool,
    everywhere: bool,
    omega: float,
    tol: float,
    iterations: int,
) -> Scalings:
    """The scalings of one step from `start` = (log a, log d).

    everywhere: K a matters even where it is below e^-667 of its largest value.
    The residual is the largest L1 mismatch of the marginals: a K b against mu, b K a against the proximal
    density, and d K d against it when debiased. The density that leaves is b K a with a = mu / K b, so its
    mass is that of mu to rounding whatever the residual.
    """
    filled = log_mu > -np.inf
    needed = np.full(log_mu.shape, everywhere)
    mass = float(np.exp(log_mu).sum())
    a, d = start
    b = np.full_like(a, -np.inf)
    checkpoint = residual = np.inf
    for sweep in range(1, iterations + 1):
        ka = kernel.log_apply(a, needed)
        rho, shift = _density(prox, _sum(d, ka), mass if sweep == 1 else None)
        alive = rho > -np.inf
        second = _mismatch(_sum(b, ka), rho)
        b = _relaxed(b, difference(rho, ka + shift, alive), omega)
        third = 0.0
        if debiased:
            thick = rho > rho.max() - DEPTH
            product = _sum(d, kernel.log_apply(d, thick))
            third = _mismatch(product[thick], rho[thick])
            d = np.where(thick, d + SELF_FACTOR * difference(rho, product, thick), d)
        exact = difference(log_mu, kernel.log_apply(b, filled), filled)
        first = _mismatch(_sum(log_mu, difference(a, exact, filled)), log_mu)
        residual = max(first, second, third) / mass
        if np.isnan(residual):
            break
        if residual <= tol:
            return Scalings(exact, b, d, _sum(b, kernel.log_apply(exact, needed)), sweep, residual)
        a = _relaxed(a, exact, omega)
        if sweep % PATIENCE == 0:
            if not residual < checkpoint:
                omega = 0.5 * (1 + omega)
            checkpoint = residual
    raise ConvergenceError(
        f"an entropic JKO step stopped at the residual {residual:.1e} (tol = {tol:.1e}) after {sweep} "
        "sweeps. Use more iterations=, a larger tol=, a larger epsilon= or a smaller dt: the sweeps needed "
        "grow like sqrt(dt p'(rho) / epsilon)."
    )


def _density(prox: Proximal, log_z: Array, mass: float | None) -> tuple[Array, float]:
    """log rho of prox(e^shift z), and the shift that gives rho this mass; 0 when no mass is asked for.

    The gauge of a is free, but the mass that prox makes of a wrong one is off by orders, and bringing it
    right by sweeps is slow. Newton's method on log mass, which rises with the shift at a rate of at most 1.
    """
    rho, shift = prox.log_density(log_z), 0.0
    if mass is None:
        return rho, shift
    for _ in range(GAUGE_STEPS):
        top = rho.max()
        cells = np.exp(rho - top)
        total = float(cells.sum())
        gap = np.log(mass / total) - top
        if abs(gap) < GAUGE:
            break
        filled = cells > 0
        shift += gap * total / float(cells[filled] @ prox.response(rho[filled]))
        rho = prox.log_density(log_z + shift)
    return rho, shift


def difference(x: Array, y: Array, where: Array) -> Array:
    """x - y where asked for, -inf elsewhere."""
    return np.subtract(x, y, out=np.full_like(x, -np.inf), where=where)


def _sum(x: Array, y: Array) -> Array:
    """x + y of logarithms: -inf as soon as one of them is."""
    return difference(x, -y, (x > -np.inf) & (y > -np.inf))


def _mismatch(log_found: Array, log_wanted: Array) -> float:
    """The L1 distance, in cells, of two densities given by their logarithms."""
    with np.errstate(over="ignore"):  # a start far off is an infinite residual
        return float(np.abs(np.exp(log_found) - np.exp(log_wanted)).sum())


def _relaxed(old: Array, new: Array, omega: float) -> Array:
    """old + omega (new - old), at most a factor e^2 beyond new; new where the old one was empty."""
    both = (old > -np.inf) & (new > -np.inf)
    beyond = (omega - 1) * np.subtract(new, old, out=np.zeros_like(new), where=both)
    return new + np.clip(beyond, -LONGEST, LONGEST)
