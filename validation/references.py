"""Yardsticks of the grid and particle claims: cell averages, exact moments, spectral solutions.

Everything here is assembled apart from `wgf`, from the equations, so that agreement means something.
Notation: d_t rho = div(rho grad V) + D lap rho.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.sparse as sparse
from numpy.polynomial.chebyshev import Chebyshev
from numpy.polynomial.legendre import leggauss

Function = Callable[[np.ndarray], np.ndarray]
SMALL = 1e-3  # below it the series of the Bernoulli function is exact to rounding


def cell_average(f: Function, axes: tuple[np.ndarray, ...], nodes: int = 4):
    """Averages of f over the cells of a uniform grid, by tensor Gauss-Legendre quadrature.

    f takes (..., d) and returns (...); axes: cell centres per axis. Returns an array over the cells.
    """
    points, weights = leggauss(nodes)
    steps = [axis[1] - axis[0] for axis in axes]
    total = np.zeros([len(axis) for axis in axes])
    for index in np.ndindex(*(nodes,) * len(axes)):
        shifted = [a + 0.5 * h * points[i] for a, h, i in zip(axes, steps, index, strict=True)]
        weight = math.prod(0.5 * weights[i] for i in index)
        total += weight * f(np.stack(np.meshgrid(*shifted, indexing="ij"), axis=-1))
    return total


def centres(low: float, high: float, cells: int) -> np.ndarray:
    """Cell centres of a uniform grid."""
    return low + (high - low) * (np.arange(cells) + 0.5) / cells


def gaussian_pdf(mean: np.ndarray, cov: np.ndarray) -> Function:
    """Density of N(mean, cov) as a function of (..., d)."""
    precision = np.linalg.inv(cov)
    scale = 1 / math.sqrt(np.linalg.det(2 * math.pi * cov))

    def pdf(x: np.ndarray) -> np.ndarray:
        z = x - mean
        return scale * np.exp(-0.5 * np.einsum("...i,ij,...j->...", z, precision, z))

    return pdf


def ou_moments(
    A: np.ndarray, mean: np.ndarray, cov: np.ndarray, t: float, D: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance at time t for V = x.Ax/2, by Van Loan's block exponential (1978)."""
    d = len(A)
    block = np.block([[A, 2 * D * np.eye(d)], [np.zeros((d, d)), -A.T]])
    big = scipy.linalg.expm(t * block)
    decay = scipy.linalg.expm(-t * A)
    return decay @ mean, decay @ cov @ decay.T + decay @ big[:d, d:]


def bernoulli(z: np.ndarray) -> np.ndarray:
    """z / (exp(z) - 1), the Scharfetter-Gummel weight."""
    safe = np.where(np.abs(z) < SMALL, 1.0, np.clip(z, -700, 700))
    series = 1 - z / 2 + z**2 / 12 - z**4 / 720
    return np.where(np.abs(z) < SMALL, series, safe / np.expm1(safe))


def generator(potential: np.ndarray, spacing: tuple[float, ...], D: float = 1.0) -> sparse.csc_matrix:
    """The no-flux Scharfetter-Gummel generator G of d_t rho = G rho on a grid of any dimension, sparse.

    potential: V at the cell centres, shape (*cells).
    """
    number = np.arange(potential.size).reshape(potential.shape)
    rows, columns, values = [], [], []
    for axis, h in enumerate(spacing):
        w = np.diff(potential, axis=axis) / D
        there, back = D / h**2 * bernoulli(w).ravel(), D / h**2 * bernoulli(-w).ravel()
        cells = potential.shape[axis]
        left = np.take(number, np.arange(cells - 1), axis).ravel()
        right = np.take(number, np.arange(1, cells), axis).ravel()
        rows += [right, left, left, right]
        columns += [left, left, right, right]
        values += [there, -there, back, -back]
    entries = (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns)))
    return sparse.csc_matrix(entries, shape=(potential.size, potential.size))


def semidiscrete(
    potential: np.ndarray, spacing: tuple[float, ...], start: np.ndarray, t: float, D: float = 1.0
) -> np.ndarray:
    """exp(t G) start on the grid, exact in time, by one symmetric eigenproblem.

    diag(pi)^(-1/2) G diag(pi)^(1/2) is symmetric for pi = exp(-V/D) (detailed balance). Dense: for up
    to about 1500 cells.
    """
    root = np.exp(-0.5 * (potential - potential.min()) / D).ravel()
    dense = generator(potential, spacing, D).toarray() * root[None, :] / root[:, None]
    rates, modes = scipy.linalg.eigh(0.5 * (dense + dense.T))
    return (root * (modes @ (np.exp(t * rates) * (modes.T @ (start.ravel() / root))))).reshape(start.shape)


class WellSpectrum:
    """Sine-Galerkin solution of the 1-D double well V = (x^2 - 1)^2 with diffusion D.

    rho = exp(-V / 2D) u turns the equation into u_t = -H u, H = -D d_xx + V'^2/(4D) - V''/2, discretised
    by sines on (-L, L); spectrally accurate. Its first non-zero eigenvalue is the spectral gap.
    """

    def __init__(self, D: float = 1.0, L: float = 4.0, modes: int = 300) -> None:
        self.D, self.L, self.modes = D, L, modes
        nodes, weights = leggauss(4 * modes)
        x, w = L * nodes, L * weights
        slope, curvature = 4 * x * (x * x - 1), 12 * x * x - 4
        basis = self._basis(x)
        H = (basis * (w * (slope**2 / (4 * D) - curvature / 2))) @ basis.T
        wave = np.arange(1, modes + 1) * math.pi / (2 * L)
        H[np.diag_indices(modes)] += D * wave**2
        self.rates, self.vectors = scipy.linalg.eigh(H)
        self.projection = basis * w
        self.nodes = x

    def _basis(self, x: np.ndarray) -> np.ndarray:
        k = np.arange(1, self.modes + 1)[:, None]
        return np.sin(k * (x + self.L) * (math.pi / (2 * self.L))) / math.sqrt(self.L)

    @property
    def gap(self) -> float:
        """The first non-zero rate."""
        return float(self.rates[1])

    def solve(self, start: Function, t: float) -> Function:
        """The density at time t from the density `start`, both functions of points (n,)."""
        well = (self.nodes**2 - 1) ** 2
        a = self.projection @ (start(self.nodes) * np.exp(well / (2 * self.D)))
        a = self.vectors @ (np.exp(-self.rates * t) * (self.vectors.T @ a))
        return lambda x: (a @ self._basis(x)) * np.exp(-((x * x - 1) ** 2) / (2 * self.D))


@functools.cache
def well(D: float = 1.0) -> WellSpectrum:
    """The spectrum for diffusion D, solved once per run."""
    return WellSpectrum(D)


def line_averages(rho: Function, low: float, high: float, cells: int) -> np.ndarray:
    """Cell averages of a smooth function on many cells: integrate one Chebyshev interpolant exactly."""
    primitive = Chebyshev.interpolate(rho, 400, domain=[low, high]).integ()
    return np.diff(primitive(np.linspace(low, high, cells + 1))) * cells / (high - low)


def torus_averages(
    slope: Function,
    start: Function,
    t: float,
    cells: int,
    D: float = 1.0,
    modes: int = 129,
) -> np.ndarray:
    """Cell averages at time t of the equation on the unit circle, by Fourier collocation (odd `modes`).

    slope: V'; start: density at time 0. A cell average multiplies the k-th coefficient by sinc(k/cells).
    """
    x = np.arange(modes) / modes
    k = np.fft.fftfreq(modes, 1 / modes)
    derivative = np.real(np.fft.ifft(2j * math.pi * k[:, None] * np.fft.fft(np.eye(modes), axis=0), axis=0))
    L = derivative @ (np.diag(slope(x)) + D * derivative)
    coefficients = np.fft.fft(scipy.linalg.expm(t * L) @ start(x)) / modes * np.sinc(k / cells)
    phases = np.exp(2j * math.pi * np.outer((np.arange(cells) + 0.5) / cells, k))
    return np.real(phases @ coefficients)


def quantile_w2(edges: np.ndarray, masses: np.ndarray, inverse: Function, nodes: int = 8) -> float:
    """W2 distance of a piecewise linear quantile function to an exact one, by Gauss quadrature per cell.

    edges (n + 1,), masses (n,) summing to 1; inverse: the exact quantile function of u in (0, 1).
    """
    points, weights = leggauss(nodes)
    fractions = 0.5 * (1 + points)
    left = np.concatenate([[0.0], np.cumsum(masses)[:-1]]) / masses.sum()
    u = left[:, None] + (masses / masses.sum())[:, None] * fractions
    x = edges[:-1, None] + np.diff(edges)[:, None] * fractions
    gaps = (x - inverse(np.clip(u, 1e-300, 1 - 1e-16))) ** 2
    return math.sqrt(float(masses @ (gaps @ (0.5 * weights)) / masses.sum()))


def parabola_quantile(radius: float) -> Function:
    """Quantile function of the density proportional to (radius^2 - x^2)_+ on the line (Barenblatt, m = 2).

    y^3 - 3 y + 4 u - 2 = 0 on (-1, 1) has the root 2 sin(asin(2 u - 1) / 3).
    """
    return lambda u: 2 * radius * np.sin(np.arcsin(2 * u - 1) / 3)
