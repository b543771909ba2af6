r"""Elliptic equations of cells with no-flux walls: constant coefficients by cosine transforms.

With walls of no flux the five-point Laplacian (three points on the line, seven in space) is diagonal in the
DCT-II basis, so theta_1 - theta_2 Laplace is inverted by one pair of transforms, exactly up to rounding.
Variable coefficients are only applied here; `schemes.jko.back_and_forth.linear` solves with them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wgf.kernels.registry import Kernel


def neumann_symbol(cells: Sequence[int], strengths: Sequence[float] | np.ndarray) -> np.ndarray:
    """Eigenvalues of -sum_k strengths[k] (second difference along axis k), no-flux walls, (*cells).

    2 strength (1 - cos(pi j / n)), written as 4 strength sin^2 so that small ones keep their accuracy.

    >>> neumann_symbol((2,), (1.0,)).round(12).tolist()
    [0.0, 2.0]
    """
    result = np.zeros(tuple(cells))
    for axis, (n, strength) in enumerate(zip(cells, strengths, strict=True)):
        values = 4 * strength * np.sin(0.5 * np.pi * np.arange(n) / n) ** 2
        result += values.reshape([-1 if k == axis else 1 for k in range(len(cells))])
    return result


def cosine_solve(rhs: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """The solution of an equation whose operator has eigenvalues 1 / inverse in the DCT-II basis.

    rhs, inverse: (*cells), float64. Two transforms of the size of rhs.
    """
    from scipy.fft import dctn, idctn

    spectrum = np.asarray(dctn(rhs, type=2, norm="ortho"))
    spectrum *= inverse
    return np.asarray(idctn(spectrum, type=2, norm="ortho", overwrite_x=True))


def _weighted_laplacian(
    weight: np.ndarray, c0: np.ndarray, c1: np.ndarray, c2: np.ndarray, x: np.ndarray, out: np.ndarray
) -> float:
    """out = weight x - div(c grad x) on cells (n0, n1, n2) with no-flux walls; returns the sum of x out.

    c0, c1, c2: (n0, n1, n2) conductances of the upper face of every cell along each axis (the last is a wall
    and is not read).
    """
    out[...] = weight * x
    for axis, c in enumerate((c0, c1, c2)):
        n = x.shape[axis]
        below = [slice(None)] * 3
        above = [slice(None)] * 3
        below[axis], above[axis] = slice(0, n - 1), slice(1, n)
        flux = c[tuple(below)] * (x[tuple(below)] - x[tuple(above)])
        out[tuple(below)] += flux
        out[tuple(above)] -= flux
    return float((x * out).sum())


weighted_laplacian = Kernel(_weighted_laplacian, cpu="wgf.kernels.cpu.poisson:weighted_laplacian")
