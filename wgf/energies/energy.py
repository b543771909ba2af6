"""Energy: a weighted sum of terms, the ONE definition that every scheme reads."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.energies.interaction import Interaction
from wgf.energies.pairs import interaction_value
from wgf.energies.terms import Entropy, Internal, Potential
from wgf.errors import MeasureError
from wgf.measures import Density, Particles
from wgf.measures.base import measure, points_kind
from wgf.measures.nodes import Nodes, nodes

Term = Entropy | Internal | Potential | Interaction
density_kind = checks.instance("a Density", Density)
cloud_kind = checks.instance("Particles", Particles)


@final
@dataclass(frozen=True)
class Energy:
    """A sum of weighted terms over probability measures; build it with `+` and `*`, never directly.

    Immutable, comparable, hashable, printable: `2 * entropy() + potential(V)`.
    Its gradient flow is d_t rho = div(rho grad dE/drho).

    >>> from wgf.energies import entropy, internal
    >>> energy = 2 * entropy() + internal(3)
    >>> energy, energy.diffusion, energy.powers
    (2 * entropy() + internal(3), 2.0, ((1.0, 3.0),))

    Ambrosio, Gigli & Savare, Gradient Flows, 2008, section 10.4.
    """

    terms: tuple[tuple[float, Term], ...]

    def __add__(self, other: Any) -> Energy:
        if not isinstance(other, Energy):
            return NotImplemented
        return Energy(self.terms + other.terms)

    def __mul__(self, factor: Any) -> Energy:
        factor = checks.positive("the factor of an energy", factor)
        return Energy(tuple((factor * c, term) for c, term in self.terms))

    __rmul__ = __mul__

    def __repr__(self) -> str:
        return " + ".join(f"{term!r}" if c == 1 else f"{c:g} * {term!r}" for c, term in self.terms)

    # ------------------------------------------------------------------ what schemes read

    def only(self, *kinds: str) -> str | None:
        """None when every term is of these kinds ("entropy", "internal", ...), else the reason."""
        for _, term in self.terms:
            if term.kind not in kinds:
                return f"it takes {', '.join(kinds)} terms, and the energy has {term!r}"
        return None

    @property
    def diffusion(self) -> float:
        """The coefficient D of entropy(), 0 when there is none."""
        return sum((c for c, term in self.terms if isinstance(term, Entropy)), 0.0)

    @property
    def powers(self) -> tuple[tuple[float, float], ...]:
        """(coefficient, m) of every internal(m)."""
        return tuple((c, term.m) for c, term in self.terms if isinstance(term, Internal))

    @property
    def potentials(self) -> tuple[tuple[float, Potential], ...]:
        """(coefficient, Potential) of every potential term."""
        return tuple((c, term) for c, term in self.terms if isinstance(term, Potential))

    @property
    def interactions(self) -> tuple[tuple[float, Interaction], ...]:
        """(coefficient, Interaction) of every interaction term."""
        return tuple((c, term) for c, term in self.terms if isinstance(term, Interaction))

    @property
    def has_potential(self) -> bool:
        """True when there is a potential term."""
        return bool(self.potentials)

    @cached_property
    def time_dependent(self) -> bool:
        """True when some potential is V(x, t)."""
        return any(term.time_dependent for _, term in self.potentials)

    @checks.checked(t=checks.finite)
    def at(self, t: float) -> Energy:
        """The energy with every V(x, t) frozen at t."""
        if not self.time_dependent:
            return self
        return Energy(tuple((c, e.at(t) if isinstance(e, Potential) else e) for c, e in self.terms))

    @checks.checked(x=points_kind)
    def potential_value(self, x: np.ndarray) -> np.ndarray:
        """The sum of coefficient * V at x (..., d), (...)."""
        return sum((c * term.values(x) for c, term in self.potentials), np.zeros(x.shape[:-1]))

    @checks.checked(x=points_kind)
    def potential_gradient(self, x: np.ndarray) -> np.ndarray:
        """The sum of coefficient * grad V at x (..., d), (..., d); in the dtype of x."""
        if not self.potentials:
            return np.zeros_like(x)
        first, *rest = (term.gradient(x) if c == 1 else c * term.gradient(x) for c, term in self.potentials)
        return sum(rest, first)

    # ------------------------------------------------------------------ value, variation, velocity

    @checks.checked(measure=measure)
    def value(self, measure: Any) -> float:
        """E(measure): on cells for a Density, on the points for Particles, else by quadrature.

        Interactions: exact from the moments for a named Quadratic W; else the double sum over points, or
        for other measures with a density in d > 1 cell averages on a grid (see `wgf.energies.pairs`).
        Raises MeasureError when a term has no value there (the entropy of a cloud), when a quadrature
        misses the measure's mass, and for more than 4e9 pairs of particles.

        >>> import wgf
        >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
        >>> round(energy.value(wgf.Gaussian(0, 1)), 6)
        -0.918939
        """
        points: Nodes | None = None
        total = 0.0
        for c, term in self.terms:
            if isinstance(term, Interaction):
                total += c * interaction_value(term, measure)
            else:
                points = nodes(measure) if points is None else points
                total += c * term.value(points)
        return total

    @checks.checked(density=density_kind)
    def first_variation(self, density: Density) -> np.ndarray:
        """dE/drho at the cell centres of a Density, (*cells,)."""
        total = np.zeros(density.grid.cells)
        for c, term in self.terms:
            if isinstance(term, Potential):
                total += c * density.grid.evaluate(term.values)
            elif isinstance(term, Interaction):
                total += c * term.convolve(density)
            else:
                total += c * term.first_variation(density.values)
        return total

    @checks.checked(particles=cloud_kind)
    def velocity(self, particles: Particles) -> np.ndarray:
        """Minus the gradient of the first variation at the particles, (n, d).

        Raises MeasureError for entropy and internal terms: on particles they are a noise amplitude or
        need an estimated score, which is the scheme's choice.
        """
        total = np.zeros(particles.x.shape)
        for c, term in self.terms:
            if isinstance(term, Potential):
                total -= c * term.gradient(particles.x)
            elif isinstance(term, Interaction):
                total += c * term.velocity(particles.x, particles.w)
            else:
                raise MeasureError(
                    f"{term!r} has no velocity on particles: a cloud has no density. "
                    "Use Langevin (noise) or a scheme that estimates the score."
                )
        return total

    def minimum(self, problem: Any) -> Any:
        """The equilibrium `Minimum(measure, value)` of this energy in a problem, None where not known.

        See `wgf.energies.equilibrium`.
        """
        from wgf.energies.equilibrium import minimum

        return minimum(self, problem)
