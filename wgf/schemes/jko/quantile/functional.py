r"""The JKO objective on the line, where it is a smooth function of N + 1 numbers.

A measure is cut into N cells of FIXED masses m_i; the unknowns are the edges X_0 < ... < X_N. Its
quantile function is piecewise linear, its density m_i / w_i with w_i = X_{i+1} - X_i, and W2 is the L2
distance of quantile functions, so one step of the scheme minimises over the edges

    J(X) = |X - Y|_M^2 / (2 tau) + sum_i m_i e(m_i / w_i) + int V(X(u)) du + 1/2 int int W(X(u) - X(v)) du dv

with the mass matrix M of piecewise linear functions (exact) and e(rho) = U(rho) / rho. Only V and a
general W are integrated by Gauss quadrature; the gradient is that of the quadrature sum itself, so the
minimiser, its energy inequality and its optimality are exact statements about the discrete problem.
The Hessian is tridiagonal but for W. Turned down: lumping M (first order in W2 on graded cells).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from wgf.errors import NotFiniteError
from wgf.schemes.jko.quantile.interaction import (
    PAIR_NODES,
    PairInteraction,
    QuadraticInteraction,
    interactions_of,
)
from wgf.schemes.jko.quantile.mass import CUBE_ROOT_EPS, lumped, mass_product, squared_norm

Array = np.ndarray
# Three Gauss points integrate polynomials of degree 5: V = x^4 and its gradient against a hat are exact.
NODES = 0.5 + 0.5 * np.array([-np.sqrt(0.6), 0.0, np.sqrt(0.6)])
WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0


@dataclass(frozen=True)
class QuantileEnergy:
    """The energy of the measure with edges X and these cell masses, its gradient and curvature.

    energy: a `wgf.energies.Energy` of entropy, internal, potential and interaction terms, frozen in time.
    masses: (N,) > 0. All methods take edges (N + 1,), increasing.
    """

    energy: Any
    masses: Array

    @cached_property
    def pressures(self) -> tuple[tuple[float, float], ...]:
        """(c, m) for each term of pressure c rho^m; entropy is m = 1."""
        linear = ((self.energy.diffusion, 1.0),) if self.energy.diffusion else ()
        return (*linear, *self.energy.powers)

    @cached_property
    def interactions(self) -> tuple[PairInteraction | QuadraticInteraction, ...]:
        """The interaction terms on these masses."""
        return interactions_of(self.energy, self.masses)

    def points(self, edges: Array) -> Array:
        """The Gauss points, (N, 3)."""
        return edges[:-1, None] + np.diff(edges)[:, None] * NODES

    def parts(self, edges: Array, of: Callable[[Any], Any] = np.asarray) -> list[float]:
        """The energy term by term: internal ones, potential, interactions; with of=np.abs their sizes."""
        rho = self.masses / np.diff(edges)
        result = []
        for c, m in self.pressures:
            per_mass = np.log(rho) if m == 1 else rho ** (m - 1) / (m - 1)
            result.append(c * float(self.masses @ of(per_mass)))
        if self.energy.has_potential:
            # not energy.potential_value: a trial step may meet V = inf, and is then rejected, not an error
            x = self.points(edges)[..., None]
            values = sum(c * np.asarray(term(x)) for c, term in self.energy.potentials)
            result.append(float(self.masses @ (of(values) @ WEIGHTS)))
        return result + [float(of(term.value(edges))) for term in self.interactions]

    def value(self, edges: Array) -> float:
        """The energy."""
        return sum(self.parts(edges))

    def gradient(self, edges: Array) -> Array:
        """d energy / d edges, (N + 1,): pressure jumps plus the forces of V and W on the hats."""
        result = np.zeros(edges.size)
        rho = self.masses / np.diff(edges)
        for c, m in self.pressures:
            pressure = c * rho**m
            result[:-1] += pressure
            result[1:] -= pressure
        if self.energy.has_potential:
            _add_to_edges(result, self._potential_force(self.points(edges)))
        for term in self.interactions:
            result += term.gradient(edges)
        return result

    def _potential_force(self, points: Array) -> Array:
        """Mass times weight times V' at the Gauss points, (N, 3)."""
        return self.masses[:, None] * WEIGHTS * self.energy.potential_gradient(points[..., None])[..., 0]

    def potential_curvature(self, edges: Array) -> Array:
        """V'' at the Gauss points, (N, 3), by central differences: it only shapes the Newton matrix."""
        points = self.points(edges)
        if not self.energy.has_potential:
            return np.zeros_like(points)
        # the step grows with |x| and the size of the support, so it never falls below rounding
        step = CUBE_ROOT_EPS * np.maximum(np.abs(points), edges[-1] - edges[0])[..., None]
        ahead = self.energy.potential_gradient(points[..., None] + step)
        behind = self.energy.potential_gradient(points[..., None] - step)
        return ((ahead - behind) / (2 * step))[..., 0]

    def confining_curvature(self, edges: Array) -> Array:
        """V'' plus each W'' averaged over the measure, at the Gauss points, (N, 3)."""
        average = sum(_at_gauss_points(term.hessian(edges).mean_curvature) for term in self.interactions)
        return self.potential_curvature(edges) + average

    def tridiagonal(self, edges: Array, curvature: Array) -> tuple[Array, Array]:
        """Diagonal (N + 1,) and off-diagonal (N,) of the Hessian of the internal energies plus
        int curvature(X(u)) v(u)^2 du for a curvature given at the Gauss points (N, 3)."""
        width = np.diff(edges)
        weighted = self.masses[:, None] * WEIGHTS * curvature
        stiffness = np.zeros(width.size)
        for c, m in self.pressures:
            stiffness += m * c * (self.masses / width) ** m / width
        diagonal = np.zeros(edges.size)
        diagonal[:-1] += weighted @ (1 - NODES) ** 2 + stiffness
        diagonal[1:] += weighted @ NODES**2 + stiffness
        return diagonal, weighted @ (NODES * (1 - NODES)) - stiffness


def _add_to_edges(result: Array, force: Array) -> None:
    """Share a force at the Gauss points (N, 3) between the two edges of each cell."""
    result[:-1] += force @ (1 - NODES)
    result[1:] += force @ NODES


def _at_gauss_points(mean_curvature: Array) -> Array:
    """A constant as it is; values at the two pair nodes (N, 2) carried linearly to the Gauss points."""
    if mean_curvature.ndim == 0:
        return mean_curvature
    share = (NODES - PAIR_NODES[0]) / (PAIR_NODES[1] - PAIR_NODES[0])
    return mean_curvature[:, :1] * (1 - share) + mean_curvature[:, 1:] * share


class StepHessian(NamedTuple):
    """Diagonal (N + 1,) and off-diagonal (N,) of the Hessian with each W replaced by its average over the
    measure; v -> (whole Hessian) v, or None when there is no W and the tridiagonal is all there is."""

    diagonal: Array
    beside: Array
    product: Callable[[Array], Array] | None


@dataclass(frozen=True)
class StepObjective:
    """J(X) = |X - target|_M^2 / (2 tau) + energy(X): what one JKO step minimises."""

    energy: QuantileEnergy
    target: Array
    tau: float

    def value(self, edges: Array) -> float:
        """J, or inf where it is not defined (cells out of order, V or W not finite)."""
        if not (np.diff(edges) > 0).all():
            return np.inf
        result = squared_norm(self.energy.masses, edges - self.target) / (2 * self.tau)
        try:
            result += self.energy.value(edges)
        except NotFiniteError:  # W beyond where it is defined: a trial to be rejected, not an error
            return np.inf
        return result if np.isfinite(result) else np.inf

    def gradient(self, edges: Array) -> Array:
        """dJ/dX, (N + 1,)."""
        return mass_product(self.energy.masses, edges - self.target) / self.tau + self.energy.gradient(edges)

    def hessian(self, edges: Array) -> StepHessian:
        """The Hessian of J; see `StepHessian`."""
        energy, terms = self.energy, [term.hessian(edges) for term in self.energy.interactions]
        confining = 1 / self.tau + energy.potential_curvature(edges)
        average = sum(_at_gauss_points(term.mean_curvature) for term in terms)
        local = energy.tridiagonal(edges, confining + average)
        if not terms:
            return StepHessian(*local, None)
        diagonal, beside = energy.tridiagonal(edges, confining)

        def product(v: Array) -> Array:
            result = diagonal * v
            result[:-1] += beside * v[1:]
            result[1:] += beside * v[:-1]
            for term in terms:
                result += term.product(v)
            return result

        return StepHessian(*local, product)

    def rounding(self, edges: Array) -> float:
        """How far rounding alone can move J: machine epsilon times the sizes of what is summed.

        Of |log rho| and |V|, not of their integrals: those may cancel to nothing, their rounding does not.
        """
        size = squared_norm(self.energy.masses, edges - self.target) / (2 * self.tau)
        return float(np.finfo(float).eps) * (size + 1e-300 + sum(self.energy.parts(edges, np.abs)))

    def gradient_rounding(self, edges: Array) -> Array:
        """The rounding error to expect in each entry of `gradient`, (N + 1,)."""
        width, masses = np.diff(edges), self.energy.masses
        reach = np.abs(edges).max()
        noise = np.zeros(width.size)
        for c, m in self.energy.pressures:
            # a width is known to eps |x|, hence a pressure to m p eps |x| / w
            noise += c * (masses / width) ** m * (1 + m * reach / width)
        result = lumped(masses) * (reach + np.abs(self.target).max()) / self.tau
        result[:-1] += noise
        result[1:] += noise
        return float(np.finfo(float).eps) * result
