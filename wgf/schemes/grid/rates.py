"""Scharfetter-Gummel rates on the faces of a grid: fluxes, the generator, the dissipation of a step."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.measures import Grid

NEGLIGIBLE = 1e-300  # a rate times density below this moves nothing that a double can hold
SMOOTH = 0.5  # ratio from which a logarithm is taken of 1 + t, exact for nearly equal values

Rates = tuple[np.ndarray, np.ndarray]


def at_faces(values: np.ndarray, axis: int, periodic: bool) -> tuple[np.ndarray, np.ndarray]:
    """Cell values below and above every face of an axis: n - 1 faces, n when periodic."""
    n = values.shape[axis]
    if periodic:
        return values, np.roll(values, -1, axis)
    return values.take(range(n - 1), axis), values.take(range(1, n), axis)


def face_rates(potential: np.ndarray, grid: Grid, diffusion: float) -> tuple[Rates, ...]:
    """Per axis the rates (up, down) of the jumps i -> i+1 and i+1 -> i through every face, 1/time.

    up = D/h^2 B(w), down = D/h^2 B(-w), w = (V_{i+1} - V_i)/D. They balance in detail:
    up exp(-V_i/D) = down exp(-V_{i+1}/D). Scharfetter & Gummel, 1969.
    """
    found = []
    for axis, (h, boundary) in enumerate(zip(grid.spacing, grid.boundary, strict=True)):
        below, above = at_faces(potential, axis, boundary == "periodic")
        up, down = bernoulli((above - below) / diffusion)
        found.append((diffusion / h**2 * up, diffusion / h**2 * down))
    return tuple(found)


def face_fluxes(rho: np.ndarray, rates: tuple[Rates, ...], grid: Grid) -> tuple[np.ndarray, ...]:
    """Per axis the density that passes upwards through every face per unit time: F/h."""
    found = []
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        below, above = at_faces(rho, axis, boundary == "periodic")
        found.append(up * below - down * above)
    return tuple(found)


def inflow(fluxes: tuple[np.ndarray, ...], grid: Grid) -> np.ndarray:
    """What the fluxes bring to every cell per unit time, -div F: it sums to zero to rounding."""
    total = np.zeros(grid.cells)
    for axis, flux in enumerate(fluxes):
        total -= upper_faces(flux, grid, axis) - np.roll(upper_faces(flux, grid, axis), 1, axis)
    return total


def upper_faces(flux: np.ndarray, grid: Grid, axis: int) -> np.ndarray:
    """The flux through the upper face of every cell, 0 through a closed end."""
    if grid.boundary[axis] == "periodic":
        return flux
    ends = [(0, 1) if k == axis else (0, 0) for k in range(grid.dimension)]
    return np.pad(flux, ends)


def generator(rates: tuple[Rates, ...], grid: Grid) -> sparse.csc_array:
    """The sparse matrix G of d rho/dt = G rho: columns sum to zero, nothing off the diagonal is negative."""
    cells = np.arange(grid.size).reshape(grid.cells)
    rows, columns, values = [], [], []
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        below, above = (c.ravel() for c in at_faces(cells, axis, boundary == "periodic"))
        up, down = up.ravel(), down.ravel()
        rows += [above, below, below, above]
        columns += [below, below, above, above]
        values += [up, -up, down, -down]
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csc_array(entries, shape=(grid.size, grid.size))


def logarithmic_mean(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """((a - b)/log(a/b), log(a/b)) of positive a and b, also when they are nearly equal."""
    big, small = np.maximum(a, b), np.minimum(a, b)
    t = (small - big) / big
    close = small > SMOOTH * big
    log = np.where(close, np.log1p(np.where(close, t, 0.0)), np.log(small) - np.log(big))
    mean = np.where(log == 0, big, (small - big) / np.where(log == 0, 1.0, log))
    return mean, np.where(a >= b, -log, log)


def dissipation(
    rho: np.ndarray, passed: tuple[np.ndarray, ...], rates: tuple[Rates, ...], grid: Grid, diffusion: float
) -> tuple[float, float]:
    """(speed squared, slope squared) in the discrete Wasserstein metric at the density rho.

    slope^2 = sum over faces of theta |difference of xi / h|^2 and speed^2 = sum of J^2/theta, with
    xi = D log rho + V, J the flux that was, and theta the logarithmic mean of B(w) rho_i and
    B(-w) rho_{i+1}: the mobility that makes -theta grad xi the Scharfetter-Gummel flux, so that both
    agree exactly when J is that flux. passed: per axis J/h on the upper face of every cell. A face
    between two empty cells counts nothing; next to one empty cell, that cell counts as 1e-300.
    Maas, 2011; Mielke, 2011.
    """
    speed = slope = 0.0
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        below, above = at_faces(rho, axis, boundary == "periodic")
        a, b = up * below, down * above
        alive = np.maximum(a, b) > NEGLIGIBLE
        mean, log = logarithmic_mean(np.maximum(a[alive], NEGLIGIBLE), np.maximum(b[alive], NEGLIGIBLE))
        flux = passed[axis].take(range(below.shape[axis]), axis)[alive]
        slope += float(np.sum(mean * log**2))
        speed += float(np.sum(flux**2 / mean))
    scale = grid.volume * diffusion
    return speed * scale, slope * scale
