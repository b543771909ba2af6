"""Compiled aggregation-diffusion fluxes: row by row of faces that lie side by side in memory."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wgf.kernels.scharfetter_gummel import EVEN, SERIES_BELOW

E1, E2, E3, E4, E5, E6, E7 = EVEN[1:]
L1, L2, L3, L4, L5 = 1 / 3, 1 / 5, 1 / 7, 1 / 9, 1 / 11  # of the logarithm: log((1 + t)/(1 - t)) / 2t
TINY = 1e-300  # in place of a zero, whose own factor vanishes


def aggregation_flux(
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
    """Compiled form of `wgf.kernels.aggregation.aggregation_flux`."""
    n = rho.shape[axis]
    seen = (-1, n, math.prod(rho.shape[axis + 1 :]))
    nothing = np.zeros((0, 0, 0))
    sweep = _line if seen[2] == 1 else _rows
    sweep(
        rho.reshape(seen),
        zeta.reshape(seen),
        lift.reshape(seen) if lift.size else nothing,
        float(diffusion),
        float(h),
        periodic,
        limited,
        flux.reshape(seen) if flux.size else nothing,
        inflow.reshape(seen),
        leaving.reshape(seen),
    )


@njit(cache=True, error_model="numpy", inline="always")
def _share(below, here, above):
    """Half the minmod slope of a cell over its average."""
    a, b = here - below, above - here
    if a * b <= 0.0 or here <= 0.0:
        return 0.0
    return 0.5 * (a if abs(a) < abs(b) else b) / here


@njit(cache=True, error_model="numpy", inline="always")
def _series(y):
    """(z/2) coth(z/2) - 1 of y = z^2, |z| < 0.6."""
    return y * (E1 + y * (E2 + y * (E3 + y * (E4 + y * (E5 + y * (E6 + y * E7))))))


@njit(cache=True, error_model="numpy", inline="always")
def _rates(z):
    """B(z) and B(-z), each to a few units in the last place."""
    size = abs(z)
    if size < SERIES_BELOW:
        even = 1.0 + _series(z * z)
        return even - 0.5 * z, even + 0.5 * z
    decay = math.exp(-size)
    small = size * decay / (1.0 - decay)
    return (small, small + size) if z > 0.0 else (small + size, small)


@njit(cache=True, error_model="numpy", inline="always")
def _face(z, first, second):
    """B(z + log p/q) p and B(-z - log p/q) q; first, second: the shares of the cells beside the face."""
    size = abs(z)
    if size < SERIES_BELOW:
        part = 2.0 * _series(z * z) / size if size > 0.0 else 0.0
    else:
        decay = math.exp(-size)
        part = (2.0 * size * decay / (1.0 - decay) + size - 2.0) / size
    p, q = 1.0 + part * first, 1.0 - part * second
    up, down = _rates(z + math.log(p / q))
    return up * p, down * q


@njit(cache=True, error_model="numpy")
def _row(below, above, lift, first, second, diffusion, scale, up, down):
    """The rates through one row of faces; below, above: zeta of the cells on either side.

    Faces of a smooth flow are all served by one loop without branches: series in z, and in the ratio
    (p - q)/(p + q), at most 1/12 there, for the logarithm. Rows with a steeper face are done again.
    """
    count = len(up)
    if lift.size > 0:
        for k in range(count):
            up[k] = above[k] - below[k] + lift[k]
    else:
        for k in range(count):
            up[k] = above[k] - below[k]
    if diffusion == 0.0:
        for k in range(count):
            w = up[k]
            up[k] = max(-w, 0.0) * scale * (1.0 + first[k])
            down[k] = max(w, 0.0) * scale * (1.0 - second[k])
    else:
        beta, strength, steepest = 1.0 / diffusion, diffusion * scale, 0.0
        for k in range(count):
            up[k] *= beta
        for k in range(count):
            steepest = max(steepest, abs(up[k]))
        if steepest < SERIES_BELOW:
            for k in range(count):
                z = up[k]
                part = 2.0 * _series(z * z) / max(abs(z), TINY)
                p, q = 1.0 + part * first[k], 1.0 - part * second[k]
                t = (p - q) / (p + q)
                y = t * t
                z += 2.0 * t * (1.0 + y * (L1 + y * (L2 + y * (L3 + y * (L4 + y * L5)))))
                even = 1.0 + _series(z * z)
                up[k] = strength * p * (even - 0.5 * z)
                down[k] = strength * q * (even + 0.5 * z)
        else:
            for k in range(count):
                a, b = _face(up[k], first[k], second[k])
                up[k], down[k] = strength * a, strength * b
    if lift.size > 0:
        for k in range(count):
            if lift[k] == np.inf:
                up[k] = down[k] = 0.0


@njit(cache=True, error_model="numpy")
def _shares(rho, block, i, periodic, limited, into):
    """Half the minmod slope over the average of every cell of row i; 0 at the ends of a no-flux axis."""
    n, inner = rho.shape[1], rho.shape[2]
    if not limited or (not periodic and (i == 0 or i == n - 1)):
        into[:] = 0.0
        return
    low, high = (i - 1 if i > 0 else n - 1), (i + 1 if i < n - 1 else 0)
    for k in range(inner):
        into[k] = _share(rho[block, low, k], rho[block, i, k], rho[block, high, k])


@njit(cache=True, error_model="numpy")
def _rows(rho, zeta, lift, diffusion, h, periodic, limited, flux, inflow, leaving):
    """Faces of an axis that is not the last: rows of cells beside each other in memory."""
    outer, n, inner = rho.shape
    scale, kept = 1.0 / (h * h), flux.size > 0
    first, second, nothing = np.empty(inner), np.empty(inner), np.empty(0)
    up, down = np.empty(inner), np.empty(inner)
    for block in range(outer):
        _shares(rho, block, 0, periodic, limited, second)
        for i in range(n if periodic else n - 1):
            j = i + 1 if i < n - 1 else 0
            first, second = second, first
            _shares(rho, block, j, periodic, limited, second)
            raised = lift[block, i] if lift.size > 0 else nothing
            _row(zeta[block, i], zeta[block, j], raised, first, second, diffusion, scale, up, down)
            for k in range(inner):
                passed = up[k] * rho[block, i, k] - down[k] * rho[block, j, k]
                inflow[block, i, k] -= passed
                inflow[block, j, k] += passed
                leaving[block, i, k] += up[k]
                leaving[block, j, k] += down[k]
            if kept:
                for k in range(inner):
                    flux[block, i, k] = up[k] * rho[block, i, k] - down[k] * rho[block, j, k]
        if kept and not periodic:
            flux[block, n - 1] = 0.0


@njit(cache=True, error_model="numpy")
def _line(rho, zeta, lift, diffusion, h, periodic, limited, flux, inflow, leaving):
    """Faces of the last axis: each line is one row, with its first cell appended."""
    outer, n, _ = rho.shape
    scale, kept = 1.0 / (h * h), flux.size > 0
    faces = n if periodic else n - 1
    u, xi, share, nothing = np.empty(n + 1), np.empty(n + 1), np.zeros(n + 1), np.empty(0)
    up, down, passed = np.empty(faces), np.empty(faces), np.empty(faces)
    for block in range(outer):
        for i in range(n):
            u[i], xi[i] = rho[block, i, 0], zeta[block, i, 0]
        u[n], xi[n] = u[0], xi[0]
        if limited:
            for i in range(1, n - 1):
                share[i] = _share(u[i - 1], u[i], u[i + 1])
            if periodic:
                share[0] = share[n] = _share(u[n - 1], u[0], u[1])
                share[n - 1] = _share(u[n - 2], u[n - 1], u[0])
        raised = lift[block, :faces, 0] if lift.size > 0 else nothing
        _row(
            xi[:faces],
            xi[1 : faces + 1],
            raised,
            share[:faces],
            share[1 : faces + 1],
            diffusion,
            scale,
            up,
            down,
        )
        for i in range(faces):
            passed[i] = up[i] * u[i] - down[i] * u[i + 1]
        for i in range(n - 1):
            inflow[block, i, 0] -= passed[i]
            leaving[block, i, 0] += up[i]
        for i in range(n - 1):
            inflow[block, i + 1, 0] += passed[i]
            leaving[block, i + 1, 0] += down[i]
        if periodic:
            inflow[block, n - 1, 0] -= passed[n - 1]
            inflow[block, 0, 0] += passed[n - 1]
            leaving[block, n - 1, 0] += up[n - 1]
            leaving[block, 0, 0] += down[n - 1]
        if kept:
            flux[block, n - 1, 0] = 0.0
            for i in range(faces):
                flux[block, i, 0] = passed[i]
