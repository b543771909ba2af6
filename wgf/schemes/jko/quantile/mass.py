r"""The mass matrix of piecewise linear functions of mass: where W2 on the line becomes a norm of edges.

Cells carry fixed masses m_i; a function linear in mass between edge values z has the integral of its square
z . M z with the tridiagonal M here. For z = X - Y it is W2^2 of the two measures, exactly; objective,
interactions and certificates all measure with it.
"""

from __future__ import annotations

import numpy as np

Array = np.ndarray
CUBE_ROOT_EPS = float(np.finfo(float).eps ** (1 / 3))  # the best relative step of a central difference


def mass_product(masses: Array, z: Array) -> Array:
    """M z with the mass matrix of piecewise linear functions on cells of these masses."""
    result = np.zeros(z.size)
    result[:-1] += masses * (2 * z[:-1] + z[1:]) / 6
    result[1:] += masses * (z[:-1] + 2 * z[1:]) / 6
    return result


def squared_norm(masses: Array, z: Array) -> float:
    """z . M z, the exact integral of the square: the squared W2 distance when z = X - Y."""
    return float(masses @ (z[:-1] ** 2 + z[:-1] * z[1:] + z[1:] ** 2)) / 3


def mass_matrix(masses: Array) -> tuple[Array, Array]:
    """Diagonal (N + 1,) and off-diagonal (N,) of M."""
    diagonal = np.zeros(masses.size + 1)
    diagonal[:-1] += masses / 3
    diagonal[1:] += masses / 3
    return diagonal, masses / 6


def lumped(masses: Array) -> Array:
    """The mass that each edge carries: row sums of M."""
    result = np.zeros(masses.size + 1)
    result[:-1] += masses / 2
    result[1:] += masses / 2
    return result
