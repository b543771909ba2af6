r"""Manufactured problems: a density is chosen, and the source that makes it a solution follows.

On the unit box, d_t rho = div(M (D grad rho + rho grad(V + W * rho)) + sum c grad rho^m) - div(rho b) + s
(in Ito's form M stands under both derivatives of the diffusion). rho, V, M, b and W are `Waves`, so s is
exact, with no quadrature and nothing differentiated by hand. Without flux through the walls: rho, V and the
diagonal of M are even across them, and the components of b and M_12 that lead out vanish there; W has
period 1, as rho then does. Mass comes and goes: the mean of rho is 1 + sin(t) / 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import wgf
from validation.orders.manufactured_waves import Waves, constant, cosine, sine, wave

BOUNDARIES = ("noflux", "periodic")
D = 0.7  # of every case with diffusion: not 1, so that a factor lost is seen
Matrix = tuple[tuple[Waves, ...], ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """One manufactured problem; what is None or 0 is not in the equation.

    term: what is tested, in words. shape: how M is handed over, "scalar", "diagonal" or "tensor".
    """

    term: str
    rho: Waves
    boundary: str
    diffusion: float = 0.0
    powers: tuple[tuple[float, int], ...] = ()
    potential: Waves | None = None
    mobility: Matrix | None = None
    shape: str = "scalar"
    form: str = "fick"
    drift: tuple[Waves, ...] | None = None
    kernel: Waves | None = None

    @property
    def dimension(self) -> int:
        """Number of axes."""
        return self.rho.dimension

    @cached_property
    def flux(self) -> tuple[Waves, ...]:
        """Minus the flux: what the divergence is taken of."""
        axes = range(self.dimension)
        zero = constant(0.0, self.dimension)
        height = self.potential if self.potential is not None else zero
        if self.kernel is not None:
            height = height + self.rho.convolved(self.kernel)
        M = self.mobility or tuple(tuple(constant(float(i == j), self.dimension) for j in axes) for i in axes)
        found = []
        for i in axes:
            total = zero
            for j in axes:
                spread = (M[i][j] * self.rho).along(j) if self.form == "ito" else M[i][j] * self.rho.along(j)
                total = total + self.diffusion * spread + M[i][j] * self.rho * height.along(j)
            for c, m in self.powers:
                total = total + c * (self.rho**m).along(i)
            if self.drift is not None:
                total = total - self.rho * self.drift[i]
            found.append(total)
        return tuple(found)

    @cached_property
    def source(self) -> Waves:
        """s = d_t rho - div(flux)."""
        return sum((-1.0 * part.along(i) for i, part in enumerate(self.flux)), self.rho.rate)

    @cached_property
    def energy(self) -> wgf.Energy:
        """The energy as a user writes it."""
        terms = [self.diffusion * wgf.entropy()] if self.diffusion else []
        terms += [c * wgf.internal(m) for c, m in self.powers]
        if self.potential is not None:
            terms.append(wgf.potential(_function(self.potential)))
        if self.kernel is not None:
            kernel = self.kernel
            terms.append(wgf.interaction(lambda z: kernel(z)))
        return sum(terms[1:], terms[0])

    def problem(self, cells: int) -> wgf.Problem:
        """The problem with the exact cell averages of rho at time 0 as its initial measure."""
        bounds = ((0.0, 1.0),) * self.dimension
        grid = wgf.Grid(bounds, cells, self.boundary)
        drift = self.drift
        return wgf.Problem(
            self.energy,
            initial=wgf.Density(grid, self.rho.averages(cells)),
            bounds=bounds,
            boundary=self.boundary,
            source=_function(self.source),
            drift=None if drift is None else lambda x: np.stack([b(x) for b in drift], axis=-1),
            mobility=None if self.mobility is None else wgf.Mobility(self._tensor, form=self.form),
        )

    def _tensor(self, x: np.ndarray) -> np.ndarray:
        """M(x) in the shape under test."""
        assert self.mobility is not None
        if self.shape == "scalar":
            return self.mobility[0][0](x)
        if self.shape == "diagonal":
            return np.stack([self.mobility[i][i](x) for i in range(self.dimension)], axis=-1)
        return np.stack([np.stack([m(x) for m in row], axis=-1) for row in self.mobility], axis=-2)

    def error(self, values: np.ndarray, t: float) -> float:
        """L1 distance of cell averages to the exact ones."""
        return float(np.abs(values - self.rho.averages(values.shape[0], t)).mean())


def _function(f: Waves):
    """f as a user writes it: of x alone when it does not move."""
    return (lambda x, t: f(x, t)) if f.moving else (lambda x: f(x))


# ------------------------------------------------------------------------------------------ fields


def density(d: int, boundary: str, even_period: bool = False) -> Waves:
    """1 + sin(t)/5 + 0.3 waves: standing without flux through the walls, running on a torus.

    even_period: a standing wave of period 1, which can be convolved over the box with walls.
    """
    mean = 1.0 + 0.2 * sine(d, 1, d)
    if boundary == "periodic":
        return mean + 0.3 * wave(*(2,) * d, 1, phase=0.4)
    number = 2 if even_period else 1
    return mean + 0.3 * math.prod((cosine(k, number, d) for k in range(d)), start=cosine(d, 1, d))


def landscape(d: int, boundary: str, speed: int = 0) -> Waves:
    """V = 0.5 cos(2 pi x) [cos(pi y)], swinging or running with the given speed."""
    if boundary == "periodic":
        return 0.5 * wave(*(2, -2)[:d], -speed, phase=0.9)
    swing = cosine(d, speed, d) if speed else constant(1.0, d)
    return 0.5 * math.prod((cosine(k, 2 - k, d) for k in range(d)), start=swing)


def metric(d: int, boundary: str) -> Matrix:
    """M: 1 + 0.3 waves and 0.8 - 0.2 waves on the diagonal, 0.3 waves beside it."""
    if boundary == "periodic":
        first = 1.0 + 0.3 * wave(*(2, 2)[:d], 0, phase=-0.3)
        second = 0.8 + (-0.2) * wave(2, -2, 0, phase=0.7) if d == 2 else first
        beside = 0.3 * wave(2, 0, 0, phase=1.1) if d == 2 else first
    else:
        first = 1.0 + 0.3 * math.prod((cosine(k, 1, d) for k in range(d)), start=constant(1.0, d))
        second = 0.8 + (-0.2) * cosine(0, 2, d) * cosine(1, 1, d) if d == 2 else first
        beside = 0.3 * sine(0, 1, d) * sine(1, 1, d) if d == 2 else first
    return ((first,),) if d == 1 else ((first, beside), (beside, second))


def scalar(d: int, boundary: str) -> Matrix:
    """The first entry of `metric` times the identity."""
    first, zero = metric(d, boundary)[0][0], constant(0.0, d)
    return tuple(tuple(first if i == j else zero for j in range(d)) for i in range(d))


def diagonal(d: int, boundary: str) -> Matrix:
    """The diagonal of `metric`."""
    full, zero = metric(d, boundary), constant(0.0, d)
    return tuple(tuple(full[i][j] if i == j else zero for j in range(d)) for i in range(d))


def stirring(d: int, boundary: str) -> tuple[Waves, ...]:
    """A velocity that is no gradient (on the line: one that drives a current round the circle)."""
    if boundary == "periodic":
        shear = 0.8 + 0.5 * cosine(d - 1, 2, d)
        return (shear,) if d == 1 else (shear, (-0.6) * cosine(0, 2, d))
    if d == 1:
        return (0.9 * sine(0, 1, 1),)
    return (0.9 * sine(0, 1, 2) * cosine(1, 1, 2), (-1.3) * cosine(0, 1, 2) * sine(1, 1, 2))


def kernel(d: int) -> Waves:
    """W(z) = 0.2 cos(2 pi z) [(1 + cos(2 pi z_2) / 2)]: attraction and repulsion, smooth and even."""
    first = 0.2 * cosine(0, 2, d)
    return first if d == 1 else first * (1.0 + 0.5 * cosine(1, 2, d)) + 0.1 * cosine(1, 2, d)


# ------------------------------------------------------------------------------------------- cases


def linear_cases(d: int, boundary: str) -> tuple[Case, ...]:
    """Every term of the Fokker-Planck equation beside diffusion, alone and together."""
    rho = density(d, boundary)
    still, moving = landscape(d, boundary), landscape(d, boundary, speed=3)
    tensors: tuple[tuple[str, dict[str, Any]], ...] = (
        ("diagonal diffusion", {"mobility": diagonal(d, boundary), "shape": "diagonal"}),
        ("tensor diffusion, Fick", {"mobility": metric(d, boundary), "shape": "tensor"}),
        ("tensor diffusion, Ito", {"mobility": metric(d, boundary), "shape": "tensor", "form": "ito"}),
    )
    last = tensors[1][1] if d == 2 else {"mobility": scalar(d, boundary)}
    together = {"potential": moving, "drift": stirring(d, boundary), **last}
    terms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("diffusion", {}),
        ("variable diffusion, Fick", {"mobility": scalar(d, boundary)}),
        ("variable diffusion, Ito", {"mobility": scalar(d, boundary), "form": "ito"}),
        *(tensors if d == 2 else ()),
        ("potential", {"potential": still}),
        ("moving potential", {"potential": moving}),
        ("drift", {"drift": stirring(d, boundary)}),
        ("all linear terms", together),
    )
    return tuple(Case(term=term, rho=rho, boundary=boundary, diffusion=D, **given) for term, given in terms)


def nonlinear_cases(d: int, boundary: str) -> tuple[Case, ...]:
    """Every term of an aggregation-diffusion equation, alone and together."""
    rho = density(d, boundary, even_period=True)
    moving = landscape(d, boundary, speed=3)
    terms: tuple[tuple[str, dict[str, Any]], ...] = (
        ("internal, m = 2", {"powers": ((0.6, 2),)}),
        ("internal, m = 3", {"powers": ((0.4, 3),)}),
        ("interaction", {"diffusion": D, "kernel": kernel(d)}),
        ("moving potential", {"diffusion": D, "potential": moving}),
        (
            "all nonlinear terms",
            {"diffusion": D, "powers": ((0.6, 2),), "kernel": kernel(d), "potential": moving},
        ),
    )
    return tuple(Case(term=term, rho=rho, boundary=boundary, **given) for term, given in terms)
