r"""Interaction energies 1/2 int int W(x - y) of a measure given by edges and cell masses.

Quadratic kernels W = a z^2 / 2 are exact and cost O(N): a / 2 times the variance. Every other even W is
summed over pairs of two Gauss points per cell, in blocks of rows, in O(N^2) time. Inside
one cell the double integral reduces to int_0^1 (1 - r) W(w r) dr, taken by Gauss-Jacobi, so that W(0) is
never asked for (logarithms) and a kink at 0 (|z|, Morse) costs no accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import roots_jacobi

from wgf.energies import Quadratic
from wgf.measures.averages import evaluate
from wgf.schemes.jko.quantile.mass import CUBE_ROOT_EPS, lumped, mass_product, squared_norm

Array = np.ndarray
PAIR_NODES = 0.5 + 0.5 * np.array([-1.0, 1.0]) / np.sqrt(3.0)  # Gauss, weights 1/2 each
BLOCK = 1 << 20  # differences evaluated at once: 8 MB of float64
KEPT = 1 << 24  # pairs whose W'' is kept between products: 128 MB; beyond, it is evaluated again each time
_roots, _weights = roots_jacobi(4, 1.0, 0.0)  # weight (1 - t) on (-1, 1)
SELF_NODES, SELF_WEIGHTS = 0.5 * (1 + _roots), 0.25 * _weights  # weight (1 - r) on (0, 1)


class InteractionHessian(NamedTuple):
    """W'' averaged over the measure, at the pair nodes (N, 2) or a constant, and v -> Hessian v (exact)."""

    mean_curvature: Array
    product: Callable[[Array], Array]


@dataclass(frozen=True)
class QuadraticInteraction:
    """W(z) = stiffness z^2 / 2: energy stiffness / 2 (total * second moment - first moment^2)."""

    stiffness: float
    masses: Array

    def _centred(self, edges: Array) -> Array:
        return edges - lumped(self.masses) @ edges / self.masses.sum()

    def value(self, edges: Array) -> float:
        """The energy, computed about the mean."""
        second = squared_norm(self.masses, self._centred(edges))
        return 0.5 * self.stiffness * float(self.masses.sum()) * second

    def gradient(self, edges: Array) -> Array:
        """d energy / d edges, (N + 1,): each hat times stiffness * total * (x - mean)."""
        return self.stiffness * self.masses.sum() * mass_product(self.masses, self._centred(edges))

    def hessian(self, edges: Array) -> InteractionHessian:
        """The Hessian; the gradient is linear, so its product with v is the gradient at v."""
        return InteractionHessian(np.array(self.stiffness * self.masses.sum()), self.gradient)


@dataclass(frozen=True)
class PairInteraction:
    """A general even kernel W, by pair sums. `term` has W(z) and gradient(z), z (..., 1)."""

    coefficient: float
    term: Any
    masses: Array

    def _value(self, z: Array) -> Array:
        return self.coefficient * evaluate("W", self.term.W, z[..., None])

    def _slope(self, z: Array) -> Array:
        return self.coefficient * self.term.gradient(z[..., None])[..., 0]

    def _points(self, edges: Array) -> Array:
        return edges[:-1, None] + np.diff(edges)[:, None] * PAIR_NODES

    def _blocks(
        self, function: Callable[[Array], Array], points: Array, edges: Array
    ) -> Iterator[tuple[slice, Array]]:
        """Rows of cells with mass(y) function(x - y) for their points x and all points y of OTHER cells."""
        sources, weights = points.ravel(), np.repeat(0.5 * self.masses, 2)
        rows = max(1, BLOCK // (2 * sources.size))
        far = edges[-1] - edges[0]  # stands in for the differences left out, where W may be singular
        for first in range(0, len(points), rows):
            block = points[first : first + rows]
            z = block[..., None] - sources
            row = np.arange(len(block))[:, None]
            own = 2 * (first + row) + [0, 1]
            z[row, :, own] = far
            values = function(z) * weights
            values[row, :, own] = 0.0
            yield slice(first, first + rows), values

    def _other_cells(self, function: Callable[[Array], Array], edges: Array) -> Array:
        """sum over the points y of other cells of mass(y) function(x - y), at the points x (N, 2)."""
        points = self._points(edges)
        result = np.empty(points.shape)
        for rows, values in self._blocks(function, points, edges):
            result[rows] = values.sum(-1)
        return result

    def value(self, edges: Array) -> float:
        """The energy."""
        outer = self._other_cells(self._value, edges)
        width = np.diff(edges)
        inner = self._value(width[:, None] * SELF_NODES) @ SELF_WEIGHTS
        return float(0.25 * self.masses @ outer.sum(1) + self.masses**2 @ inner)

    def gradient(self, edges: Array) -> Array:
        """d energy / d edges, (N + 1,)."""
        force = 0.5 * self.masses[:, None] * self._other_cells(self._slope, edges)
        width = np.diff(edges)
        stretch = self.masses**2 * (self._slope(width[:, None] * SELF_NODES) @ (SELF_WEIGHTS * SELF_NODES))
        result = np.zeros(edges.size)
        result[:-1] += force @ (1 - PAIR_NODES) - stretch
        result[1:] += force @ PAIR_NODES + stretch
        return result

    def hessian(self, edges: Array) -> InteractionHessian:
        """The Hessian from W'' by central differences of W'; kept in memory up to `KEPT` pairs."""
        masses, points, width = self.masses, self._points(edges), np.diff(edges)
        step = CUBE_ROOT_EPS * (edges[-1] - edges[0])

        def bend(z: Array) -> Array:
            return (self._slope(z + step) - self._slope(z - step)) / (2 * step)

        def blocks() -> Iterator[tuple[slice, Array]]:
            return self._blocks(bend, points, edges)

        kept = list(blocks()) if points.size**2 <= KEPT else None
        average = np.empty(points.shape)
        for rows, values in kept or blocks():
            average[rows] = values.sum(-1)
        # W'' inside a cell, where only a change of width counts
        own_step = np.minimum(step, 0.1 * width * SELF_NODES[0])[:, None]
        own = width[:, None] * SELF_NODES
        own_bend = (self._slope(own + own_step) - self._slope(own - own_step)) / (2 * own_step)
        stretch = masses**2 * (own_bend @ (SELF_WEIGHTS * SELF_NODES**2))

        def product(v: Array) -> Array:
            moved = v[:-1, None] * (1 - PAIR_NODES) + v[1:, None] * PAIR_NODES
            force = average * moved
            for rows, values in kept or blocks():
                force[rows] -= values @ moved.ravel()
            force *= 0.5 * masses[:, None]
            result = np.zeros(v.size)
            own_force = stretch * np.diff(v)
            result[:-1] += force @ (1 - PAIR_NODES) - own_force
            result[1:] += force @ PAIR_NODES + own_force
            return result

        return InteractionHessian(average, product)


def interactions_of(energy: Any, masses: Array) -> tuple[PairInteraction | QuadraticInteraction, ...]:
    """The interaction terms of an energy on these cell masses."""
    result: list[PairInteraction | QuadraticInteraction] = []
    for coefficient, term in energy.interactions:
        stiffness = quadratic_stiffness(term.W)
        if stiffness is None:
            result.append(PairInteraction(coefficient, term, masses))
        else:
            result.append(QuadraticInteraction(coefficient * stiffness, masses))
    return tuple(result)


def quadratic_stiffness(W: Any) -> float | None:
    """a when W is the named quadratic potential a z^2 / 2 of one variable about 0, else None."""
    if not isinstance(W, Quadratic) or len(W.A) != 1 or (W.center is not None and W.center.any()):
        return None
    return W.isotropic
