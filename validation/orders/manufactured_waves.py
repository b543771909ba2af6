"""Trigonometric polynomials of space and time, with calculus exact to rounding.

Manufactured solutions need the source that a chosen density leaves in the equation, and cell averages of
the density. Sums of waves c exp(i pi k.x + i l t) are closed under products, derivatives, convolution
over a period and averaging over cells, so nothing is differentiated by hand and no quadrature enters.
Turned down: computer algebra (a dependency of the claims; the tests hold this module to it).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray
Number = tuple[int, ...]
TABLES = 32  # sets of points whose tables are kept: the slabs of a few grids


@dataclass(frozen=True, eq=False)
class Waves:
    """The real function sum_k c_k exp(i (pi k_1 x_1 + ... + pi k_d x_d + k_t t)) of x and t.

    coefficients: {(k_1, ..., k_d, k_t): c_k}, integers, c_(-k) the conjugate of c_k.
    """

    coefficients: Mapping[Number, complex]
    dimension: int

    # ------------------------------------------------------------------------------ algebra

    def __add__(self, other: Waves | float) -> Waves:
        if not isinstance(other, Waves):
            other = constant(float(other), self.dimension)
        sums = dict(self.coefficients)
        for k, c in other.coefficients.items():
            sums[k] = sums.get(k, 0.0) + c
        return Waves(sums, self.dimension)

    def __mul__(self, other: Waves | float) -> Waves:
        if not isinstance(other, Waves):
            return Waves({k: other * c for k, c in self.coefficients.items()}, self.dimension)
        products: dict[Number, complex] = {}
        for k, c in self.coefficients.items():
            for l, e in other.coefficients.items():
                total = tuple(a + b for a, b in zip(k, l, strict=True))
                products[total] = products.get(total, 0.0) + c * e
        return Waves(products, self.dimension)

    __radd__ = __add__
    __rmul__ = __mul__

    def __sub__(self, other: Waves | float) -> Waves:
        return self + (-1.0) * other

    def __pow__(self, power: int) -> Waves:
        result = constant(1.0, self.dimension)
        for _ in range(power):
            result = result * self
        return result

    # ------------------------------------------------------------------------------ calculus

    def along(self, axis: int) -> Waves:
        """The derivative along x_axis."""
        return Waves(
            {k: 1j * np.pi * k[axis] * c for k, c in self.coefficients.items() if k[axis]}, self.dimension
        )

    @property
    def rate(self) -> Waves:
        """The derivative in time."""
        return Waves({k: 1j * k[-1] * c for k, c in self.coefficients.items() if k[-1]}, self.dimension)

    def convolved(self, kernel: Waves) -> Waves:
        """The integral of kernel(x - y) self(y, t) over the unit box, for waves of period 1 alone."""
        if any(n % 2 for k in (*self.coefficients, *kernel.coefficients) for n in k[:-1]):
            raise ValueError("waves must have period 1 on every axis to be convolved over the unit box.")
        still = {k[:-1]: c for k, c in kernel.coefficients.items()}
        found = {k: c * still[k[:-1]] for k, c in self.coefficients.items() if k[:-1] in still}
        return Waves(found, self.dimension)

    # ------------------------------------------------------------------------------ values

    @cached_property
    def moving(self) -> bool:
        """True when the function depends on time."""
        return any(k[-1] for k in self.coefficients)

    @cached_property
    def _tables(self) -> dict[int, tuple[Array, dict[int, Array]]]:
        return {}

    def __call__(self, x: Array, t: float = 0.0) -> Array:
        """The values at points x (..., d) and time t, (...)."""
        x = np.asarray(x, dtype=float)
        key = hash((x.shape, x.tobytes()))  # schemes ask at the same points in every step
        if key not in self._tables or not np.array_equal(self._tables[key][0], x):
            if len(self._tables) >= TABLES:
                self._tables.clear()
            self._tables[key] = (x.copy(), self._by_frequency(x))
        parts = self._tables[key][1].items()
        return sum((np.real(np.exp(1j * l * t) * part) for l, part in parts), np.zeros(x.shape[:-1]))

    def _by_frequency(self, x: Array) -> dict[int, Array]:
        """For every frequency in time the sum of its waves at x."""
        powers = [
            {n: np.exp(1j * np.pi * n * x[..., axis]) for n in {k[axis] for k in self.coefficients}}
            for axis in range(self.dimension)
        ]
        parts: dict[int, Array] = {}
        for k, c in self.coefficients.items():
            wave = c
            for axis, n in enumerate(k[:-1]):
                wave = wave * powers[axis][n] if n else wave
            parts[k[-1]] = parts.get(k[-1], np.zeros(x.shape[:-1], complex)) + wave
        return parts

    def averages(self, cells: int, t: float = 0.0) -> Array:
        """Exact averages over the cells^d cells of the unit box: a wave loses the factor sinc(k h / 2)."""
        middles = (np.arange(cells) + 0.5) / cells
        total = np.zeros((cells,) * self.dimension, dtype=complex)
        for k, c in self.coefficients.items():
            lines = [np.sinc(0.5 * n / cells) * np.exp(1j * np.pi * n * middles) for n in k[:-1]]
            wave = lines[0]
            for line in lines[1:]:
                wave = np.multiply.outer(wave, line)
            total += c * np.exp(1j * k[-1] * t) * wave
        return np.real(total)


def constant(value: float, dimension: int) -> Waves:
    """The constant function."""
    return Waves({(0,) * (dimension + 1): complex(value)}, dimension)


def wave(*numbers: int, phase: float = 0.0) -> Waves:
    """cos(pi k.x + l t + phase) for numbers = (k_1, ..., k_d, l).

    >>> float(wave(1, 0)(np.array([1.0])))
    -1.0
    """
    one, back = tuple(numbers), tuple(-n for n in numbers)
    half = 0.5 * np.exp(1j * phase)
    if one == back:
        return constant(float(np.cos(phase)), len(one) - 1)
    return Waves({one: half, back: np.conj(half)}, len(one) - 1)


def cosine(axis: int, number: int, dimension: int, phase: float = 0.0) -> Waves:
    """cos(pi number x_axis + phase); axis = dimension means cos(number t + phase)."""
    return wave(*(number if k == axis else 0 for k in range(dimension + 1)), phase=phase)


def sine(axis: int, number: int, dimension: int) -> Waves:
    """sin(pi number x_axis); axis = dimension means sin(number t)."""
    return cosine(axis, number, dimension, phase=-0.5 * np.pi)
