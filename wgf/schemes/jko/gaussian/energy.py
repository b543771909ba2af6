"""Energies under whose flow a Gaussian stays Gaussian: D entropy + quadratic V + quadratic W.

A named `Quadratic` says its matrix. Any other V is asked for its gradient: it is quadratic exactly when
the gradient is affine, which a few points show up to rounding. Turned down: Hessians by differentiating
twice (slower, and blind to a quartic that vanishes where one happens to look), and moments of a V that
is almost quadratic (a Gaussian closure, which is another flow).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from wgf.energies import Energy, Quadratic
from wgf.energies.named import NegativeLogDensity
from wgf.measures import Gaussian

Array = np.ndarray
PROBES = 6  # points at each distance where a gradient must be affine
REACH = (0.1, 1.0, 10.0)  # distances of the probes, in spreads of the measure around its mean
ROUNDING = 1e-9  # relative to the largest number met: automatic derivatives end near 1e-13


class NotQuadratic(ValueError):
    """A term is not quadratic; the text is the end of the sentence a scheme says."""


class Form(NamedTuple):
    """x . matrix x / 2 + slope . x + constant."""

    matrix: Array
    slope: Array
    constant: float

    def plus(self, c: float, other: Form) -> Form:
        """self + c * other."""
        return Form(
            self.matrix + c * other.matrix, self.slope + c * other.slope, self.constant + c * other.constant
        )


@dataclass(frozen=True, eq=False)
class QuadraticEnergy:
    """D int rho log rho + int (x . A x / 2 + g . x + v) rho + 1/2 int int (z . K z / 2 + w) rho rho.

    Along Gaussians N(m, S): dE/drho is quadratic, its gradient at x is
    (A + K - D S^-1)(x - m) + (A m + g): the mean feels A alone, the covariance A + K.

    diffusion: D >= 0. potential: A, g, v. attraction: K, 0, w.
    """

    diffusion: float
    potential: Form
    attraction: Form

    @property
    def stiffness(self) -> Array:
        """A + K, (d, d)."""
        return self.potential.matrix + self.attraction.matrix

    def force(self, mean: Array) -> Array:
        """A m + g: minus the velocity of the mean, (d,)."""
        return self.potential.matrix @ mean + self.potential.slope

    def strain(self, cov: Array) -> Array:
        """A + K - D S^-1: minus the velocity gradient, (d, d)."""
        return self.stiffness - (self.diffusion * np.linalg.inv(cov) if self.diffusion else 0.0)

    def value(self, mean: Array, cov: Array) -> float:
        """E(N(mean, cov))."""
        a, g, v = self.potential
        total = 0.5 * mean @ a @ mean + g @ mean + v + 0.5 * np.sum(self.stiffness * cov)
        total += 0.5 * self.attraction.constant
        if self.diffusion:
            log_det = np.linalg.slogdet(cov)[1]
            total -= 0.5 * self.diffusion * (len(mean) * (1 + np.log(2 * np.pi)) + log_det)
        return float(total)

    def slope_squared(self, mean: Array, cov: Array) -> float:
        """|dE|^2 = int |grad dE/drho|^2 rho = |A m + g|^2 + tr(G S G), G the strain."""
        strain, force = self.strain(cov), self.force(mean)
        return float(force @ force + np.sum((strain @ cov) * strain))


def quadratic_energy(energy: Energy, mean: Array, cov: Array) -> QuadraticEnergy:
    """`energy` as a QuadraticEnergy; raises NotQuadratic with the reason.

    mean (d,), cov (d, d): of the measure around which terms that are not named are probed.
    """
    foreign = energy.only("entropy", "potential", "interaction")
    if foreign is not None:
        raise NotQuadratic(foreign)
    d = len(mean)
    potential = attraction = Form(np.zeros((d, d)), np.zeros(d), 0.0)
    spread = float(np.sqrt(np.trace(cov)))
    for c, term in energy.potentials:
        form = _named(term.V, d) or _probed(term, term, mean, spread)
        potential = potential.plus(c, form)
    for c, term in energy.interactions:
        form = _named(term.W, d) or _probed(term, term.W, np.zeros(d), spread)
        attraction = attraction.plus(c, form)
    return QuadraticEnergy(energy.diffusion, potential, attraction)


def _named(V: Any, d: int) -> Form | None:
    """The form of a named potential, None for a function of unknown shape."""
    if isinstance(V, Quadratic) and len(V.A) == d:
        center = np.zeros(d) if V.center is None else V.center
        return Form(V.A, -V.A @ center, float(0.5 * center @ V.A @ center))
    if isinstance(V, NegativeLogDensity) and isinstance(V.measure, Gaussian):
        center, precision = V.measure.center, np.linalg.inv(V.measure.covariance)
        least = float(-V.measure.log_density(center))
        return Form(precision, -precision @ center, least + float(0.5 * center @ precision @ center))
    return None


def _probed(term: Any, value: Callable[[Array], Array], center: Array, spread: float) -> Form:
    """The form of any term, from its gradient at the corners of a simplex around `center`.

    Held at `PROBES` further points at each distance of `REACH`, gradient and value.
    """
    d = len(center)
    rng = np.random.default_rng(0)
    corners = center + np.concatenate([spread * np.eye(d), -spread * np.eye(d)])
    away = np.concatenate([r * spread * rng.standard_normal((PROBES, d)) for r in REACH])
    points = np.concatenate([corners, center + away])
    try:
        with np.errstate(all="ignore"):
            slopes, values = np.asarray(term.gradient(points)), np.asarray(value(points))
    except TypeError as reason:
        raise NotQuadratic(f"it needs the gradient of {term!r}, and {reason}") from None
    if not (np.isfinite(slopes).all() and np.isfinite(values).all()):
        raise NotQuadratic(
            f"it needs quadratic potentials and interactions, and {term!r} is not finite everywhere"
        )
    matrix = (slopes[:d] - slopes[d : 2 * d]).T / (2 * spread)
    matrix = 0.5 * (matrix + matrix.T)
    slope = 0.5 * (slopes[0] + slopes[d]) - matrix @ center
    constant = float(values[0] - 0.5 * points[0] @ matrix @ points[0] - slope @ points[0])
    form = Form(matrix, slope, constant)
    bent, reach = points @ matrix, np.abs(points)
    size = (reach @ np.abs(matrix) + np.abs(slope)).max(-1, keepdims=True)
    affine = np.abs(slopes - bent - slope) <= ROUNDING * size
    value_size = reach @ np.abs(slope) + reach.max(-1) * size[:, 0] + np.abs(values)
    level = np.abs(values - 0.5 * (bent * points).sum(-1) - points @ slope - constant)
    affine = affine.all() and (level <= ROUNDING * value_size).all()
    if not affine:  # also when something overflowed
        raise NotQuadratic(
            f"it needs quadratic potentials and interactions, under which a Gaussian stays one, and the "
            f"gradient of {term!r} is not affine"
        )
    return form
