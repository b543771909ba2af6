r"""Convolution: W * rho on the cells of a grid by FFT, with the transform of W computed once.

The operator is K_ij = volume * W(x_i - x_j) at the differences of cell centres, along a periodic axis at
the nearest image. Energy and momentum identities need K symmetric, so W(z) and W(-z), which a user's
function may round differently, are averaged; the transform is then real and half as large.

Memory: along a no-flux axis the transform needs 2 n - 1 places (no wrap-around). The axes are padded one
after another, so that no transform runs over rows known to be zero. Turned down: `scipy.signal.fftconvolve`
(transforms the kernel at every call) and a cut-off kernel on n places (not the sum it claims to be).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, final

import numpy as np

from wgf.energies.kernels import origin_average
from wgf.measures.averages import evaluate, gauss_offsets
from wgf.measures.grid import Grid

NEAR = 2  # cells around the origin where a singular kernel varies too much for its midpoint
DIRECT = 256  # cells of a line up to which the plain sum costs no more than transforms; ten times as exact


def kernel_values(W: Callable[[np.ndarray], np.ndarray], z: np.ndarray) -> tuple[np.ndarray, bool]:
    """W at differences z (..., d), 0 in place of an infinite W(0), and whether W(0) is finite."""
    at_origin = (z == 0).all(-1)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.array(W(z), dtype=np.float64)
    if values.shape == at_origin.shape:
        singular = at_origin & ~np.isfinite(values)
        values[singular] = 0.0
        return evaluate("W", lambda _: values, z), not singular.any()
    return evaluate("W", lambda _: values, z), True


@final
class Convolution:
    """W * rho for densities on one grid.

    spectrum: the transform of the kernel, real, (padded cells..., half of the last axis + 1).
    steepest: the largest of (transform of W) * (4 / h^2 sin^2, summed over the axes): the rate, per unit
    of density, at which a repulsive W smooths a grid function. It limits explicit steps. W is taken with
    a taper there, so that its end at the end of a no-flux box is not mistaken for a feature.
    """

    def __init__(self, W: Callable[[np.ndarray], np.ndarray], grid: Grid) -> None:
        from scipy import fft  # 20 ms to import, and only interactions need it

        good_size: Any = fft.next_fast_len
        self.grid = grid
        self.padded = tuple(
            n if kind == "periodic" else int(good_size(2 * n - 1, real=True))
            for n, kind in zip(grid.cells, grid.boundary, strict=True)
        )
        kernel = _kernel(W, grid, self.padded)
        self.line = None
        if grid.dimension == 1 and grid.boundary[0] == "noflux" and grid.size <= DIRECT:
            self.line = np.roll(kernel, grid.size - 1)[: 2 * grid.size - 1] * grid.volume
        self.spectrum = np.real(self._forward(kernel)) * grid.volume
        near = np.real(self._forward(kernel * _taper(grid, self.padded))) * grid.volume
        self.steepest = max(float((near * _laplacian(grid, self.padded)).max()), 0.0)

    def __call__(self, rho: np.ndarray) -> np.ndarray:
        """sum_j volume W(x_i - x_j) rho_j, (*cells,)."""
        if self.line is not None:
            n = self.grid.size
            return np.convolve(rho, self.line)[n - 1 : 2 * n - 1]
        transform = self._forward(rho)
        transform *= self.spectrum
        return self._backward(transform)

    def _forward(self, values: np.ndarray) -> np.ndarray:
        from scipy import fft

        result: Any = fft.rfft(values, self.padded[-1], axis=-1)
        for axis in range(values.ndim - 2, -1, -1):
            result = fft.fft(result, self.padded[axis], axis=axis, overwrite_x=True)
        return result

    def _backward(self, transform: Any) -> np.ndarray:
        from scipy import fft

        for axis in range(transform.ndim - 1):
            transform = fft.ifft(transform, axis=axis, overwrite_x=True)
            transform = transform[(slice(None),) * axis + (slice(self.grid.cells[axis]),)]
        result: Any = fft.irfft(transform, self.padded[-1], axis=-1, overwrite_x=True)
        return np.ascontiguousarray(result[..., : self.grid.cells[-1]])


def _places(grid: Grid, padded: tuple[int, ...]) -> list[np.ndarray]:
    """Per axis the signed difference in cells that stands at every place of the padded array."""
    found = []
    for n, size in zip(grid.cells, padded, strict=True):
        k = np.arange(size)
        found.append(np.where(k > size // 2, k - size, k) if size == n else np.where(k < n, k, k - size))
    return found


def _kernel(W: Callable[[np.ndarray], np.ndarray], grid: Grid, padded: tuple[int, ...]) -> np.ndarray:
    """W at all differences, symmetric; the places that no pair of cells reaches hold 0."""
    places = _places(grid, padded)
    reached = [np.abs(k) < n for k, n in zip(places, grid.cells, strict=True)]
    steps = [(k * h)[r] for k, h, r in zip(places, grid.spacing, reached, strict=True)]
    z = np.stack(np.meshgrid(*steps, indexing="ij"), axis=-1)
    values, origin_is_finite = kernel_values(W, z)
    if not origin_is_finite:
        _average_near(W, grid, values)
    kernel = np.zeros(padded)
    kernel[np.ix_(*reached)] = values
    mirrored = kernel
    for axis in range(kernel.ndim):
        mirrored = np.roll(np.flip(mirrored, axis), 1, axis)
    return 0.5 * (kernel + mirrored)


def _average_near(W: Callable[[np.ndarray], np.ndarray], grid: Grid, values: np.ndarray) -> None:
    """Cell averages in place of point values within NEAR cells of a singularity at 0."""
    offsets, weights = gauss_offsets(grid.spacing)
    reach = [range(-min(NEAR, (n - 1) // 2), min(NEAR, (n - 1) // 2) + 1) for n in grid.cells]
    for place in itertools.product(*reach):
        if any(place):
            points = np.array(place) * grid.spacing + offsets
            values[place] = float(weights @ np.asarray(W(points), dtype=np.float64))
    average = getattr(W, "cell_average", None)
    origin = average(grid.spacing) if average is not None else origin_average(W, grid.spacing)
    values[(0,) * values.ndim] = origin


def _taper(grid: Grid, padded: tuple[int, ...]) -> np.ndarray:
    """A window around the difference 0 that falls smoothly to 0 at the largest one of a no-flux axis."""
    window = np.ones(1)
    for axis, (n, size, k) in enumerate(zip(grid.cells, padded, _places(grid, padded), strict=True)):
        part = np.ones(size) if size == n else np.cos(0.5 * np.pi * np.clip(k / n, -1, 1)) ** 2
        window = window * part.reshape([-1 if j == axis else 1 for j in range(len(padded))])
    return window


def _laplacian(grid: Grid, padded: tuple[int, ...]) -> np.ndarray:
    """The symbol of minus the discrete Laplacian on the modes of the padded box, in `rfft` order."""
    total = np.zeros(1)
    for axis, (size, h) in enumerate(zip(padded, grid.spacing, strict=True)):
        modes = np.arange(size // 2 + 1 if axis == len(padded) - 1 else size)
        symbol = (2 / h * np.sin(np.pi * modes / size)) ** 2
        total = total + symbol.reshape([-1 if k == axis else 1 for k in range(len(padded))])
    return total
