r"""Named interaction kernels, and the averages over a cell that a singular one needs on a grid.

Each is an object W with W(z), W.gradient(z), z of shape (..., d), and W.cell_average(spacing), its mean
over a cell centred at 0. They are values: compared and hashed by their parameters.

A kernel that is infinite at 0 enters a grid by its average over the origin cell. Where no formula is
known it is integrated over the pyramids between the origin and the faces of the cell (Duffy, 1982), in
geometrically shrinking shells: for a homogeneous kernel, or a logarithm, each shell is smooth, and the
shells sum like a geometric series. Turned down: cutting the singularity off (an error of the order of
the cell, whatever the rule) and adaptive cubature (slow, and no better for a corner singularity).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
from numpy.polynomial.legendre import leggauss

from wgf import checks

SHELLS = 60  # halvings of the cell: 2^-60 of it is left, whose share a logarithm does not see
NODES = 20  # Gauss points per direction in a shell: 1e-13 for powers and logarithms in nearly square cells
SETTLED = 1e-15  # of the total: a shell that adds less ends the sum
GEOMETRIC = 1e-13  # relative change of the ratio of successive shells of a power: rounding
SLOWEST = 0.99  # ratio of successive shells from which the kernel counts as not integrable
UNIT_NODES, UNIT_WEIGHTS = (0.5 * (leggauss(NODES)[0] + 1), 0.5 * leggauss(NODES)[1])


def origin_average(W: Callable[[np.ndarray], np.ndarray], spacing: Any) -> float:
    """The average of W over the cell of widths `spacing` (d,) centred at 0, where W may be infinite.

    ValueError when W is not integrable there.

    >>> round(origin_average(lambda z: (z**2).sum(-1) ** -0.25, [2.0]), 12)  # of |z|^(-1/2) over (-1, 1)
    2.0
    """
    half = 0.5 * np.atleast_1d(np.asarray(spacing, dtype=np.float64))
    offsets, weights = _shell(half)
    total, last, ratio = 0.0, np.inf, np.inf
    scale, share = 1.0, 1.0
    for _ in range(SHELLS):
        part = share * float(weights @ np.asarray(W(scale * offsets), dtype=np.float64))
        total, before = total + part, ratio
        if abs(part) <= SETTLED * abs(total):
            return total
        last, ratio = part, part / last
        if abs(ratio - before) <= GEOMETRIC * abs(ratio):  # a power: the shells are a geometric series
            break
        scale, share = 0.5 * scale, share * 0.5 ** len(half)
    if not abs(ratio) < SLOWEST:
        raise ValueError(
            "W must be integrable at 0, got a kernel whose average over the origin cell grows without bound. "
            f"In dimension {len(half)} it may rise like |z|^-a with a < {len(half)}."
        )
    return total + last * ratio / (1 - ratio)


def _shell(half: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nodes (q, d) between the cell [-half, half] and the one half as large, weights: shares of the cell.

    In the pyramid over the face x_k = half_k: x = s * (half with the other coordinates times t in (-1, 1)).
    """
    d = len(half)
    radial, radial_weights = 0.5 + 0.5 * UNIT_NODES, 0.5 * UNIT_WEIGHTS
    offsets, weights = [], []
    for axis, sign in itertools.product(range(d), (-1.0, 1.0)):
        directions = [2 * UNIT_NODES - 1 if k != axis else np.array([sign]) for k in range(d)]
        shares = [UNIT_WEIGHTS if k != axis else np.ones(1) for k in range(d)]
        face = np.stack(np.meshgrid(*directions, indexing="ij"), axis=-1).reshape(-1, d) * half
        weight = np.prod(np.stack(np.meshgrid(*shares, indexing="ij"), axis=-1), axis=-1).ravel()
        offsets.append((radial[:, None, None] * face).reshape(-1, d))
        weights.append(np.outer(radial_weights * radial ** (d - 1), weight).ravel() / 2)
    return np.concatenate(offsets), np.concatenate(weights)


def _log_average(spacing: np.ndarray) -> float:
    """The average of log|z| over the cell centred at 0, in closed form on the line and in the plane."""
    half = 0.5 * np.asarray(spacing, dtype=np.float64)
    if len(half) == 1:
        return float(np.log(half[0]) - 1)
    if len(half) == 2:
        a, b = half
        angles = a / b * np.arctan2(b, a) + b / a * np.arctan2(a, b)
        return float(0.5 * np.log(a**2 + b**2) - 1.5 + 0.5 * angles)
    return origin_average(lambda z: 0.5 * np.log((z**2).sum(-1)), spacing)


def _radial(z: np.ndarray, factor: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """z * factor(|z|^2), 0 where z = 0."""
    squared = (z**2).sum(-1, keepdims=True)
    return np.where(squared > 0, z * factor(np.where(squared > 0, squared, 1.0)), 0.0)


@checks.checked(dimension=checks.integer(1, 3), strength=checks.finite)
@final
@dataclass(frozen=True)
class Newtonian:
    r"""strength times the free-space Green function G of -Laplace: -Laplace G = delta.

    d = 1: G = -|z|/2. d = 2: G = -log|z| / (2 pi). d = 3: G = 1 / (4 pi |z|).

    strength > 0: interaction(Newtonian(d)) repels, as charges of one sign do. Along its flow d_t rho = grad
    rho . grad(W * rho) - strength rho^2: a density loses strength rho^2 as it is carried along.
    strength < 0: it attracts, as gravity and chemotaxis do: Keller-Segel with total mass M is
    entropy() + interaction(Newtonian(2, strength=-M)) for the normalised density. dimension: 1, 2 or 3.

    >>> float(Newtonian(1)(np.array([3.0]))), Newtonian(3).gradient(np.array([0.0, 0.0, 0.0])).tolist()
    (-1.5, [0.0, 0.0, 0.0])

    Evans, Partial Differential Equations, 2010, section 2.2.1.
    """

    dimension: int
    strength: float = 1.0

    def __call__(self, z: Any) -> Any:
        """W at differences z (..., d); infinite at 0 for d > 1."""
        squared = (z**2).sum(-1)
        if self.dimension == 1:
            return -0.5 * self.strength * squared**0.5
        if self.dimension == 2:
            return -self.strength / (4 * np.pi) * np.log(squared)
        return self.strength / (4 * np.pi) * squared**-0.5

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """grad W = -strength z / (|S| |z|^d), |S| the area of the unit sphere; 0 at z = 0."""
        sphere = (2.0, 2 * np.pi, 4 * np.pi)[self.dimension - 1]
        return _radial(z, lambda squared: -self.strength / sphere * squared ** (-self.dimension / 2))

    def cell_average(self, spacing: np.ndarray) -> float:
        """The average over a cell centred at 0."""
        if self.dimension == 2:
            return -self.strength / (2 * np.pi) * _log_average(spacing)
        return origin_average(self, spacing)


@checks.checked(a=checks.finite, b=checks.finite)
@final
@dataclass(frozen=True)
class PowerLaw:
    r"""W(z) = |z|^a / a - |z|^b / b, a > b: attraction far off, repulsion near; |z|^0 / 0 means log|z|.

    The force between two points vanishes at distance 1. a = 4, b = 2 gathers on a sphere, in the plane of
    radius 1/sqrt(3) and energy -1/12; a = 2, b = 0 in the plane on the unit disc with density 1/pi, energy
    3/8. b > -d is needed in dimension d; b < 0 is infinite at 0.

    >>> float(PowerLaw(4, 2)(np.array([1.0, 0.0]))), float(PowerLaw(2, 0)(np.array([1.0])))
    (-0.25, 0.5)

    Balague, Carrillo, Laurent & Raoul, 2013; Carrillo, Castorina & Volzone, 2015 (logarithmic).
    """

    a: float
    b: float

    def __post_init__(self) -> None:
        if not self.a > self.b:
            raise ValueError(f"a must be > b, got a = {self.a:g} and b = {self.b:g}: nothing would attract.")

    def __call__(self, z: Any) -> Any:
        """W at differences z (..., d)."""
        squared = (z**2).sum(-1)
        return _power(squared, self.a) - _power(squared, self.b)

    def gradient(self, z: np.ndarray) -> np.ndarray:
        """grad W = z (|z|^(a-2) - |z|^(b-2)) at z (..., d), 0 at z = 0."""
        return _radial(z, lambda squared: squared ** (self.a / 2 - 1) - squared ** (self.b / 2 - 1))

    def cell_average(self, spacing: np.ndarray) -> float:
        """The average over a cell centred at 0."""
        parts = [
            _log_average(spacing)
            if power == 0
            else origin_average(lambda z, power=power: _power((z**2).sum(-1), power), spacing)
            for power in (self.a, self.b)
        ]
        return parts[0] - parts[1]


def _power(squared: Any, power: float) -> Any:
    """r^power / power, log r for power 0, of r^2."""
    return 0.5 * np.log(squared) if power == 0 else squared ** (0.5 * power) / power
