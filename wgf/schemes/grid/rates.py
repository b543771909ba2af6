"""Scharfetter-Gummel rates on the faces of a grid: fluxes, and the dissipation of a step."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.measures import Grid
from wgf.measures.faces import at_faces

NEGLIGIBLE = 1e-300  # a rate times density below this moves nothing that a double can hold
SMOOTH = 0.5  # ratio from which a logarithm is taken of 1 + t, exact for nearly equal values

Rates = tuple[np.ndarray, np.ndarray]


def axis_rates(
    potential: np.ndarray,
    spacing: float,
    diffusion: float,
    axis: int,
    periodic: bool,
    mobility: Any = 1.0,
    drift: np.ndarray | None = None,
) -> Rates:
    """The rates (up, down) of the jumps i -> i+1 and i+1 -> i through the faces of one axis, 1/time.

    up = D M/h^2 B(w), down = D M/h^2 B(-w), w = (V_{i+1} - V_i)/D - b h/(D M), M the harmonic mean of the
    mobility of the two cells and b the drift at the face. Without drift they balance in detail:
    up exp(-V_i/D) = down exp(-V_{i+1}/D). Faces to a cell where V = +inf are closed.
    Scharfetter & Gummel, 1969.
    """
    below, above = at_faces(potential, axis, periodic)
    passable = np.isfinite(below) & np.isfinite(above)
    w = np.where(passable, above, 0.0)
    w -= np.where(passable, below, 0.0)
    w /= diffusion
    strength = diffusion / spacing**2
    if np.ndim(mobility):
        left, right = at_faces(mobility, axis, periodic)
        mobility = 2 / (1 / left + 1 / right)
    strength = np.where(passable, strength * mobility, 0.0)
    if drift is not None:
        w -= drift * (spacing / diffusion) / mobility
    up, down = bernoulli(w)
    return strength * up, strength * down


def face_rates(potential: np.ndarray, grid: Grid, diffusion: float) -> tuple[Rates, ...]:
    """`axis_rates` of every axis for constant diffusion D and a potential (+inf: an obstacle)."""
    return tuple(
        axis_rates(potential, float(h), diffusion, axis, boundary == "periodic")
        for axis, (h, boundary) in enumerate(zip(grid.spacing, grid.boundary, strict=True))
    )


def face_fluxes(rho: np.ndarray, rates: tuple[Rates, ...], grid: Grid) -> tuple[np.ndarray, ...]:
    """Per axis the density that passes upwards through every face per unit time: F/h."""
    found = []
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        below, above = at_faces(rho, axis, boundary == "periodic")
        found.append(up * below - down * above)
    return tuple(found)


def logarithmic_mean(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((a - b)/log(a/b), log(a/b)) of positive a and b, also when they are nearly equal."""
    big, small = np.maximum(a, b), np.minimum(a, b)
    t = (small - big) / big
    close = small > SMOOTH * big
    log = np.where(close, np.log1p(np.where(close, t, 0.0)), np.log(small) - np.log(big))
    mean = np.where(log == 0, big, (small - big) / np.where(log == 0, 1.0, log))
    return mean, np.where(a >= b, -log, log)


def metric(a: np.ndarray, b: np.ndarray, flux: np.ndarray) -> tuple[float, float]:
    """sum of flux^2/theta and of theta log(a/b)^2 over faces, theta the logarithmic mean of a and b.

    a, b: what jumps up and down through a face per unit time; flux: what passed. A face between two empty
    cells counts nothing; next to one empty cell, that cell counts as 1e-300.
    """
    alive = np.maximum(a, b) > NEGLIGIBLE
    mean, log = logarithmic_mean(np.maximum(a[alive], NEGLIGIBLE), np.maximum(b[alive], NEGLIGIBLE))
    return float(np.sum(flux[alive] ** 2 / mean)), float(np.sum(mean * log**2))


def dissipation(
    rho: np.ndarray, passed: tuple[np.ndarray, ...], rates: tuple[Rates, ...], grid: Grid, diffusion: float
) -> tuple[float, float]:
    """(speed squared, slope squared) in the discrete Wasserstein metric at the density rho.

    slope^2 = sum over faces of theta |difference of xi / h|^2 and speed^2 = sum of J^2/theta, with
    xi = D log rho + V, J the flux that was, and theta the logarithmic mean of M B(w) rho_i and
    M B(-w) rho_{i+1}: the mobility that makes -theta grad xi the Scharfetter-Gummel flux, so that both
    agree exactly when J is that flux. passed: per axis J/h on the upper face of every cell.
    Maas, 2011; Mielke, 2011.
    """
    speed = slope = 0.0
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        below, above = at_faces(rho, axis, boundary == "periodic")
        faces = metric(up * below, down * above, passed[axis].take(range(below.shape[axis]), axis))
        speed, slope = speed + faces[0], slope + faces[1]
    scale = grid.volume * diffusion
    return speed * scale, slope * scale
