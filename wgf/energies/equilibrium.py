"""Equilibria in closed form or by quadrature: what a flow should end in, and the energy there."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf.energies.named import NegativeLogDensity, Quadratic
from wgf.measures import Barenblatt, Density, Gaussian, Grid
from wgf.measures.averages import cell_averages

CELLS = {1: 4096, 2: 256, 3: 64}  # Gauss points inside: fine enough for 1e-6 relative in Z


class Minimum(NamedTuple):
    """The minimiser of an energy and the least value (None when only the measure is known).

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(Quadratic([[2.0]]))
    >>> energy.minimum(wgf.Problem(energy, initial=wgf.Gaussian(0, 1))).measure.cov().tolist()
    [[0.5]]
    """

    measure: Any
    value: float | None


def minimum(energy: Any, problem: Any) -> Minimum | None:
    """The minimiser of `energy` among measures on the problem's domain, where it is known.

    * D entropy + potential: the Gibbs measure exp(-V/D)/Z. In closed form for a quadratic V without
      bounds and for kl(target); else, with bounds and d <= 3, cell averages by quadrature.
    * internal(m) + isotropic quadratic: a Barenblatt profile centred at the minimum of V, when the box (if
      there is one) holds its support.
    * D entropy + isotropic quadratic interaction: a Gaussian around the (conserved) initial mean.
    """
    if energy.time_dependent:
        return None
    kinds = sorted(term.kind for _, term in energy.terms)
    named = [(c, term.V) for c, term in energy.potentials]
    if energy.diffusion > 0 and set(kinds) <= {"entropy", "potential"} and named:
        return _gibbs(energy, problem, named)
    if kinds == ["internal", "potential"] and isinstance(named[0][1], Quadratic):
        return _confined(energy, problem, *named[0])
    if kinds == ["entropy", "interaction"] and isinstance(energy.interactions[0][1].W, Quadratic):
        c, term = energy.interactions[0]
        stiffness = term.W.isotropic
        if stiffness is not None and not problem.bounds:
            measure = Gaussian(problem.initial.mean(), energy.diffusion / (c * stiffness))
            return Minimum(measure, energy.value(measure) if measure.dimension <= 3 else None)
    return None


def _gibbs(energy: Any, problem: Any, named: list[tuple[float, Any]]) -> Minimum | None:
    temperature = energy.diffusion
    if problem.bounds is not None:
        if problem.dimension not in CELLS:
            return None
        grid = Grid(problem.bounds, CELLS[problem.dimension], problem.boundary)
        floor = float(grid.evaluate(energy.potential_value).min())
        weight = cell_averages(lambda x: np.exp(-(energy.potential_value(x) - floor) / temperature), grid)
        total = float(weight.sum() * grid.volume)
        return Minimum(Density(grid, weight / total), float(floor - temperature * np.log(total)))
    if len(named) == 1:
        c, V = named[0]
        if isinstance(V, NegativeLogDensity) and c == temperature:
            return Minimum(V.measure, 0.0)
        if isinstance(V, Quadratic) and np.linalg.eigvalsh(V.A)[0] > 0:
            precision = c * V.A / temperature
            center = np.zeros(problem.dimension) if V.center is None else V.center
            measure = Gaussian(center, np.linalg.inv(precision))
            log_z = 0.5 * (problem.dimension * np.log(2 * np.pi) - np.linalg.slogdet(precision)[1])
            return Minimum(measure, -temperature * float(log_z))
    return None


def _confined(energy: Any, problem: Any, c: float, V: Quadratic) -> Minimum | None:
    stiffness = V.isotropic
    (coefficient, m), d = energy.powers[0], V.A.shape[0]
    if stiffness is None or m <= d / (d + 2):
        return None
    b = 1 / (d * (m - 1) + 2)
    length = (coefficient * b / (c * stiffness)) ** b  # from coefficient b l^-(d(m-1)+1) = c stiffness l
    measure = Barenblatt(d, m, length ** (1 / b), V.center)
    if problem.bounds is not None:
        low, high = np.array(problem.bounds).T
        reach = (measure.center - measure.radius, measure.center + measure.radius)
        if not ((low <= reach[0]) & (reach[1] <= high)).all():
            return None  # the walls cut the profile, and the minimiser is another
    return Minimum(measure, energy.value(measure) if d <= 3 else None)
