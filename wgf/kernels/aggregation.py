r"""Fluxes of aggregation-diffusion along one axis: limited Scharfetter-Gummel, upwind without diffusion.

Let D be the coefficient of the entropy and zeta all the rest of the first variation, xi = D log rho + zeta.
Through the face between cells i and i+1 goes

    F = (D/h) [B(w/D) E - B(-w/D) G],    E = p rho_i, G = q rho_{i+1},    w = zeta_{i+1} - zeta_i + D log(p/q)

with B(z) = z/(e^z - 1); p = q = 1 is Scharfetter & Gummel, 1969. Its error is a diffusion beyond D, which is
D z^2/12 for small z = (zeta_{i+1} - zeta_i)/D, and |w|/2 for D = 0, where the flux is the upwind flux of E
and G, -(w/h) E or -(w/h) G. "Limited" p and q take it away: they are the ratios to the cell averages of the
two values at the face reconstructed with the share chi of the minmod slope, chi = coth(|z|/2) - 2/|z| being
the share of the excess in an upwind flux. (With chi = 1 everywhere, slopes cut at the crests cost more
accuracy than they win where D dominates: 90 times in the second moment of Keller-Segel at 128^2.)
Two facts carry over for any p, q > 0:

    F = -theta (xi_{i+1} - xi_i)/h,  theta the logarithmic mean of B(w/D) E and B(-w/D) G, >= 0,

because log of their ratio is -(xi_{i+1} - xi_i)/D: the energy falls, and it rests where xi is constant. What
leaves a cell is proportional to what is in it: the density stays positive for steps below 1/`leaving`.
No logarithm of rho occurs, so empty cells need no care. Sources: van Leer, 1979 (reconstruction);
Carrillo, Chertock & Huang, 2015 (upwind fluxes of grad xi).
"""

from __future__ import annotations

import numpy as np

from wgf.kernels.registry import Kernel
from wgf.kernels.scharfetter_gummel import bernoulli


def minmod(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The smaller of two differences, 0 when their signs differ."""
    return np.where(a * b > 0, np.where(np.abs(a) < np.abs(b), a, b), 0.0)


def excess(w: np.ndarray, diffusion: float) -> np.ndarray:
    """chi = coth(|z|/2) - 2/|z| of z = w/D, in [0, 1]: 1 for D = 0, and where w is not finite."""
    if diffusion == 0:
        return np.ones_like(w)
    known = np.isfinite(w) & (w != 0)
    z = np.where(known, w, 1.0) / diffusion
    up, down = bernoulli(z)
    return np.where(known, (up + down - 2) / np.abs(z), np.where(w == 0, 0.0, 1.0))


def face_ratios(
    rho: np.ndarray, w: np.ndarray, diffusion: float, axis: int, periodic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(p, q) at the upper face of every cell: values there over the averages below and above it.

    w: the difference of zeta at these faces. Both lie in [1/2, 3/2]: a minmod half slope is at most half a
    cell's average. 1 in empty cells and at the ends of a no-flux axis, where the slope is 0.
    """
    above, below = np.roll(rho, -1, axis), np.roll(rho, 1, axis)
    slope = minmod(rho - below, above - rho)
    if not periodic:
        ends = np.zeros(rho.shape[axis], dtype=bool)
        ends[[0, -1]] = True
        slope[(slice(None),) * axis + (ends,)] = 0.0
    share = np.where(rho > 0, 0.5 * slope / np.where(rho > 0, rho, 1.0), 0.0)
    part = excess(w, diffusion)
    return 1.0 + part * share, 1.0 - part * np.roll(share, -1, axis)


def _aggregation_flux(
    rho: np.ndarray,
    zeta: np.ndarray,
    lift: np.ndarray,
    diffusion: float,
    h: float,
    axis: int,
    periodic: bool,
    limited: bool,
    flux: np.ndarray,
    inflow: np.ndarray,
    leaving: np.ndarray,
) -> None:
    """The fluxes along one axis, written to `flux` and added to the balances of the cells.

    rho, zeta: (*cells,). lift: what the upper face of a cell adds to w, (*cells,), +inf for a closed face;
    or empty. flux: F/h through upper faces (0 through the closed end), not kept if empty.
    inflow: + what comes per unit time. leaving: + the rate at which a cell's density goes out, 1/time.
    """
    above_rho, above_zeta = np.roll(rho, -1, axis), np.roll(zeta, -1, axis)
    w = above_zeta - zeta
    closed = np.zeros(rho.shape, dtype=bool)
    if lift.size:
        closed |= lift == np.inf
        w = w + np.where(closed, 0.0, lift)
    p = q = np.ones_like(rho)
    if limited:
        p, q = face_ratios(rho, w, diffusion, axis, periodic)
        w = w + diffusion * np.log(p / q)
    if not periodic:
        closed[(slice(None),) * axis + (slice(-1, None),)] = True
    up, down = jump_rates(w, diffusion, h)
    up, down = np.where(closed, 0.0, up * p), np.where(closed, 0.0, down * q)
    passed = up * rho - down * above_rho
    if flux.size:
        flux[...] = passed
    inflow -= passed - np.roll(passed, 1, axis)
    leaving += up + np.roll(down, 1, axis)


def jump_rates(w: np.ndarray, diffusion: float, h: float) -> tuple[np.ndarray, np.ndarray]:
    """(D/h^2 B(w/D), D/h^2 B(-w/D)); their limits max(-w, 0)/h^2 and max(w, 0)/h^2 for D = 0."""
    if diffusion == 0:
        return np.maximum(-w, 0.0) / h**2, np.maximum(w, 0.0) / h**2
    up, down = bernoulli(w / diffusion)
    return diffusion / h**2 * up, diffusion / h**2 * down


aggregation_flux = Kernel(_aggregation_flux, cpu="wgf.kernels.cpu.aggregation:aggregation_flux")
