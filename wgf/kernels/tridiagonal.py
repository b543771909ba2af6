"""One implicit step of the fluxes along one axis of a grid: backward Euler and TR-BDF2 tridiagonal sweeps.

The unknowns are the face fluxes, not the density. For d rho/dt = -div F with F = K rho the backward
Euler step rho' = rho - a div F', F' = K rho', is solved as (1 + a K div) F' = K rho; then
rho' = rho - a div F'. So mass is conserved to the rounding of one subtraction at any size and stiffness,
a density at rest has right-hand side zero and stays, and the elimination subtracts nothing.
Turned down: solving for the density (measured at 1e5 cells: mass drifts by 1e-10 in 100 steps), and
recomputing the fluxes from that solution (exact mass, but its rounding is amplified by dt D/h^2).

Results smaller than the smallest normal number are stored as zero, whatever their sign, as hardware in
flush-to-zero mode does: below it numbers lose their relative accuracy, and with it their sign.
"""

from __future__ import annotations

import math

import numpy as np

from wgf.kernels.registry import Kernel
from wgf.kernels.scharfetter_gummel import substitute, unpack

GAMMA = 2 - math.sqrt(2)  # the TR stage ends at GAMMA dt, which gives both stages the same matrix
STAGE = GAMMA / 2  # a = STAGE dt in both stages
AHEAD = 1 / (GAMMA * (2 - GAMMA))  # weight of the TR stage in the BDF2 stage; that of rho is 1 - AHEAD
SMALLEST = float(np.finfo(np.float64).tiny)


def _columns(source: np.ndarray, factors: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    moved = np.moveaxis(source, axis, 0)
    rho = moved.reshape(len(moved), -1)
    return rho, unpack(factors, rho.shape[1]).transpose(1, 0, 2)


def _explicit(rho: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """Fluxes of a density on the faces above its cells."""
    above = np.concatenate([rho[1:], rho[:1]])[: len(up)]
    return up * rho[: len(up)] - down * above


def _solve(rhs: np.ndarray, columns: np.ndarray, periodic: bool) -> np.ndarray:
    """The fluxes phi of (1 + up_i + down_i) phi_i - up_i phi_{i-1} - down_i phi_{i+1} = rhs_i."""
    up, down, q, response = columns
    if not periodic:
        return substitute(rhs, up, down, q)
    phi = substitute(rhs[:-1], up[:-1], down[:-1], q[:-1])
    closing = (rhs[-1] + up[-1] * phi[-1] + down[-1] * phi[0]) * q[-1]
    return np.concatenate([phi + response[:-1] * closing, closing[None]])


def _update(
    source: np.ndarray, target: np.ndarray, flux: np.ndarray, passed: np.ndarray, axis: int, periodic: bool
) -> float:
    """target = source - div passed; returns the least value."""
    rho = np.moveaxis(source, axis, 0)
    upper = passed if periodic else np.concatenate([passed, np.zeros_like(passed[:1])])
    result = rho - (upper - np.roll(upper, 1, axis=0)).reshape(rho.shape)
    np.moveaxis(target, axis, 0)[...] = np.where(np.abs(result) < SMALLEST, 0.0, result)
    if flux.size:
        np.moveaxis(flux, axis, 0)[...] += upper.reshape(rho.shape)
    return float(target.min())


def _euler_sweep(
    source: np.ndarray, target: np.ndarray, flux: np.ndarray, factors: np.ndarray, axis: int, periodic: bool
) -> float:
    """One backward Euler step along `axis`: (1 - dt G) target = source, by the face fluxes.

    source, target: (*cells), C-contiguous, may be the same array. factors: of `sg_factors` with
    strength dt D/h^2. flux: (*cells), to which the content passed through the upper face of every cell
    is added, or an array of size 0. Returns the least value of target.
    """
    rho, columns = _columns(source, factors, axis)
    phi = _solve(_explicit(rho, columns[0], columns[1]), columns, periodic)
    return _update(source, target, flux, phi, axis, periodic)


def _tr_bdf2_sweep(
    source: np.ndarray, target: np.ndarray, flux: np.ndarray, factors: np.ndarray, axis: int, periodic: bool
) -> float:
    """One TR-BDF2 step along `axis`; arguments as `euler_sweep`, factors with strength STAGE dt D/h^2.

    TR: v = rho + a G (rho + v), BDF2: (1 - a G) target = AHEAD v + (1 - AHEAD) rho, a = STAGE dt. In
    terms of f = a K rho: (1 + a C) phi = 2 f, (1 + a C) psi = (1 - 2 AHEAD) f + AHEAD phi, and
    target = rho - div (AHEAD phi + psi).
    Bank, Coughran, Fichtner, Grosse, Rose & Smith, 1985; gamma = 2 - sqrt 2.
    """
    rho, columns = _columns(source, factors, axis)
    f = _explicit(rho, columns[0], columns[1])
    phi = AHEAD * _solve(2 * f, columns, periodic)
    psi = _solve((1 - 2 * AHEAD) * f + phi, columns, periodic)
    return _update(source, target, flux, phi + psi, axis, periodic)


euler_sweep = Kernel(_euler_sweep, cpu="wgf.kernels.cpu.tridiagonal:euler_sweep")
tr_bdf2_sweep = Kernel(_tr_bdf2_sweep, cpu="wgf.kernels.cpu.tridiagonal:tr_bdf2_sweep")
