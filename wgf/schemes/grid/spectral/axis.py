r"""One axis of a spectral solver: functions orthonormal for a weight, and where to integrate them.

Polynomials (no flux) or trigonometric functions (periodic) that are orthonormal for the Gibbs weight of an
axis. In them the Gibbs measure is the constant 1, so that mass and equilibrium are exact in any truncation,
and the natural boundary condition of the weak form is the no-flux one. Turned down: sines, cosines and
Legendre polynomials for rho/sqrt(pi), which converge slowly at walls or lose digits to the size of their
largest eigenvalues.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial import legendre

ORDER = 20  # Gauss points per panel
NODES, WEIGHTS = legendre.leggauss(ORDER)

Array = np.ndarray


def panels(low: float, high: float, count: int) -> tuple[Array, Array, Array]:
    """Edges (count + 1,), Gauss points and weights (20 count,) of panels that crowd towards the ends.

    Zeros of orthogonal polynomials crowd there like those of cosines, and so must the panels.
    """
    edges = 0.5 * (low + high) - 0.5 * (high - low) * np.cos(np.linspace(0, np.pi, count + 1))
    half = 0.5 * np.diff(edges)[:, None]
    return edges, (edges[:-1, None] + half * (NODES + 1)).ravel(), (half * WEIGHTS).ravel()


def quadrature(low: float, high: float, count: int, periodic: bool) -> tuple[Array, Array]:
    """At least `count` nodes and weights on an interval, for smooth integrands."""
    if periodic:  # the trapezoidal rule, which is spectral on a circle
        step = (high - low) / count
        return low + step * np.arange(count), np.full(count, step)
    return panels(low, high, -(-count // ORDER))[1:]


class Polynomials:
    """The polynomials of degree 0 to `degree`, orthonormal in the inner product sum_i root_i^2 f(x_i) g(x_i).

    values, slopes: (degree + 1, n) at the nodes, times root, so that rows of `values` are orthonormal.
    Stieltjes' three-term recurrence: stable, because the nodes are far more than the degree.
    """

    def __init__(self, nodes: Array, root: Array, degree: int) -> None:
        self.values, self.slopes = np.zeros((2, degree + 1, nodes.size))
        self._centres, self._norms = np.zeros((2, degree + 1))
        basis, slopes, back = self.values, self.slopes, 0.0
        self._norms[0] = np.linalg.norm(root)
        basis[0] = root / self._norms[0]
        for n in range(degree):
            centre = float((nodes * basis[n]) @ basis[n])
            following = (nodes - centre) * basis[n] - back * basis[n - 1]
            slope = basis[n] + (nodes - centre) * slopes[n] - back * slopes[n - 1]
            back = float(np.linalg.norm(following))
            basis[n + 1], slopes[n + 1] = following / back, slope / back
            self._centres[n], self._norms[n + 1] = centre, back

    def at(self, x: Array, seed: Array) -> Array:
        """(degree + 1, x.size) values at points x, times `seed`, which keeps them from overflowing."""
        basis = np.zeros((self._norms.size, x.size))
        basis[0] = seed / self._norms[0]
        for n in range(self._norms.size - 1):
            back = self._norms[n] * basis[n - 1] if n else 0.0
            basis[n + 1] = ((x - self._centres[n]) * basis[n] - back) / self._norms[n + 1]
        return basis


class Trigonometric:
    """1, cos, sin, cos 2, ... of an interval's period, `degree` + 1 of them, orthonormal like `Polynomials`.

    Orthonormalised by a QR factorisation, which loses digits to sqrt(max pi / min pi).
    """

    def __init__(self, nodes: Array, root: Array, degree: int, interval: tuple[float, float]) -> None:
        self._low, self._length = interval[0], interval[1] - interval[0]
        self._wave = (np.arange(degree + 1) + 1) // 2
        orthonormal, self._triangle = np.linalg.qr((root * self._functions(nodes)).T)
        orthonormal, self._triangle = orthonormal.T, self._triangle.T
        signs = np.sign(np.diag(self._triangle))
        self.values = orthonormal * signs[:, None]
        self._triangle = self._triangle * signs
        self.slopes = self._solve(root * self._derivatives(nodes))

    def _angles(self, x: Array) -> Array:
        return 2 * np.pi * np.outer(self._wave, (x - self._low) / self._length)

    def _functions(self, x: Array) -> Array:
        angles, even = self._angles(x), np.arange(self._wave.size)[:, None] % 2 == 0
        return np.where(even & (self._wave[:, None] > 0), np.sin(angles), np.cos(angles))

    def _derivatives(self, x: Array) -> Array:
        angles, even = self._angles(x), np.arange(self._wave.size)[:, None] % 2 == 0
        return (
            2 * np.pi / self._length * self._wave[:, None] * np.where(even, np.cos(angles), -np.sin(angles))
        )

    def _solve(self, rows: Array) -> Array:
        from scipy.linalg import solve_triangular

        return solve_triangular(self._triangle, rows, lower=True)

    def at(self, x: Array, seed: Array) -> Array:
        """(degree + 1, x.size) values at points x, times `seed`."""
        return self._solve(seed * self._functions(x))


def basis_of(
    nodes: Array, root: Array, degree: int, interval: tuple[float, float], periodic: bool
) -> Polynomials | Trigonometric:
    """The functions of an axis."""
    if periodic:
        return Trigonometric(nodes, root, degree, interval)
    return Polynomials(nodes, root, degree)


def in_cells(low: float, high: float, cells: int, order: int) -> tuple[Array, Array]:
    """Gauss points in each of equal cells, (cells * order,), and the weights of an average, (order,)."""
    points, weights = legendre.leggauss(order)
    edges = np.linspace(low, high, cells + 1)
    half = 0.5 * np.diff(edges)[:, None]
    return (edges[:-1, None] + half * (points + 1)).ravel(), 0.5 * weights
