"""distance: one verb for every pair of measures that can be compared, and a clear no for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures.base import BAD_MEASURES
from wgf.measures.base import measure as measure_kind
from wgf.measures.particles import Particles
from wgf.transport import divergences
from wgf.transport.bures import from_moments
from wgf.transport.clouds import too_large, w2_clouds
from wgf.transport.lines import line
from wgf.transport.project import projector
from wgf.transport.sliced import directions_kind, resolve
from wgf.transport.w2_1d import between_lines

# In the plane a sliced distance of smooth laws then has all its digits, in space 0.5 %; beyond, whole
# blocks of d directions, at least 64 and 4 d.
DIRECTIONS = {1: 1, 2: 64, 3: 256}
MASS_TOLERANCE = 1e-3  # relative; a density may have lost its far tail to the box, not more


def _side(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if isinstance(value, (list, tuple, np.ndarray)):
        value = Particles(checks.cloud()(name, value))
    value = measure_kind(name, value)
    d = sizes.setdefault("d", value.dimension)  # b and the directions are held to it
    if value.dimension != d:
        raise ValueError(f"{name} must have dimension {d} like a, got {value.dimension}.")
    return value


side = checks.Kind("a measure or an array of points (n, d)", _side, BAD_MEASURES)


@checks.checked(
    a=side,
    b=side,
    kind=checks.choice("w2", "sliced_w2", "kl", "l1"),
    directions=checks.optional(directions_kind),
)
def distance(a: Any, b: Any, kind: str = "w2", *, directions: Any = None) -> float:
    r"""How far two measures are apart. A bare array (n, d) or (n,) is an equally weighted cloud.

    "w2": the 2-Wasserstein distance, a length. Exact on the line for every pair (Gaussian, Mixture,
        Uniform, Barenblatt, Density, Quantiles, Particles, anything with quantile, cdf and pdf; quadrature
        error below 1e-10 relative), between two Gaussians, two Uniforms or two Barenblatts of one m in any
        dimension (Bures), between clouds up to 5000 points (500 if weighted or unequal), and from a
        single point to anything. A density on a grid in d > 1 has no exact w2: use "sliced_w2".
    "sliced_w2": a length, the root of the mean over directions of the squared w2 of the projections.
        directions: how many (default 64 in the plane, 256 in space, >= 64 beyond) or an array (L, d),
        see `transport.directions`.
    "l1": integral of |a - b|. "kl": integral of a log(a/b), +inf if b misses mass of a. With a Density
        these compare cell averages on its grid (of two grids the coarser); what lies outside counts from
        1e-3 of the mass on.

    Nothing is sampled or smoothed behind your back: what cannot be computed raises MeasureError with the
    way out. For transport both must have the same mass up to 0.1 % and are normalised; a distance at
    mass M is the one at mass 1 times sqrt(M).

    >>> from wgf.measures import Gaussian
    >>> distance(Gaussian(0, 1), Gaussian(3, 25))
    5.0
    >>> distance([0.0, 1.0], [1.0, 2.0], "sliced_w2")
    1.0

    Villani, Topics in Optimal Transportation, 2003, theorem 2.18 (the line);
    Dowson & Landau, 1982 (Gaussians);
    Bonneel et al., 2015 (sliced).
    """
    if directions is not None and kind != "sliced_w2":
        raise ValueError(f"directions must be left out for kind={kind!r}: it is for kind='sliced_w2'.")
    if kind == "l1":
        return divergences.l1(a, b)
    if kind == "kl":
        return divergences.kl(a, b)
    mass = _common_mass(a, b)
    square = _w2_squared(a, b) if kind == "w2" else _sliced_squared(a, b, directions)
    return float(np.sqrt(mass * square))


def _common_mass(a: Any, b: Any) -> float:
    """The mass both share; a transport distance needs it."""
    masses = [float(getattr(m, "mass", 1.0)) for m in (a, b)]
    if not abs(masses[0] - masses[1]) <= MASS_TOLERANCE * max(masses):
        raise MeasureError(
            f"a has mass {masses[0]:.8g} and b has mass {masses[1]:.8g}: transport needs equal masses. "
            "Widen the grid's bounds, or normalise: density.normalised()."
        )
    return max(masses)


def _w2_squared(a: Any, b: Any) -> float:
    if _one_family(a, b):
        return from_moments(a.mean(), a.cov(), b.mean(), b.cov())
    if a.dimension == 1:
        return between_lines(line(a, "a"), line(b, "b"))
    for point, other in ((a, b), (b, a)):
        if isinstance(point, Particles) and len(point.x) == 1:
            shift = other.mean() - point.x[0]
            return float(shift @ shift + np.trace(other.cov()))
    if isinstance(a, Particles) and isinstance(b, Particles):
        weights = [m.w if m.weighted else None for m in (a, b)]
        objection = too_large(len(a.x), len(b.x), not (a.weighted or b.weighted))
        if objection:
            raise MeasureError(f"a and b {objection}")
        return w2_clouds(a.x, b.x, *weights)
    raise MeasureError(
        f"w2 between a {type(a).__name__} and a {type(b).__name__} in {a.dimension} dimensions is not "
        "computable exactly. Use kind='sliced_w2', or compare clouds: Particles(measure.sample(n, rng))."
    )


def _one_family(a: Any, b: Any) -> bool:
    """True when an affine map with a positive semidefinite matrix carries a to b: the Bures formula holds."""
    kinds = getattr(a, "kind", ""), getattr(b, "kind", "")
    if kinds == ("barenblatt", "barenblatt"):
        return a.m == b.m
    return kinds in (("gaussian", "gaussian"), ("uniform", "uniform"))


def _sliced_squared(a: Any, b: Any, directions: Any) -> float:
    """The mean over directions of W2^2 between the projections."""
    d = a.dimension
    usual = DIRECTIONS.get(d, d * max(4, -(-64 // d)))
    thetas = resolve(usual if directions is None else directions, d)
    if a.dimension == 1:
        return _w2_squared(a, b) * float(np.mean(thetas**2))
    first, second = projector(a, "a"), projector(b, "b")
    return sum(between_lines(first(theta), second(theta)) for theta in thetas) / len(thetas)
