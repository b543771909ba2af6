"""Measures on the line as quantile functions, the only form the 1-D transport code knows.

Two kinds are enough. `Pieces`: a quantile function made of straight pieces, so atoms (flat pieces),
cells of constant density (sloped ones), `Quantiles` and `Uniform`. `Smooth`: anything that knows its
quantile function, distribution function and density. Both can be mirrored (x -> -x): the upper half of
a law is worked on as the lower half of its mirror image, so both tails keep their relative accuracy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from wgf.errors import MeasureError
from wgf.measures.base import nonnegative
from wgf.measures.inversion import mixture_cdf, mixture_pdf, mixture_quantile

HALF = 0.5
OCTAVES = 120  # a Gaussian tail beyond u = 2^-120 carries 1e-34 of the second moment
OCTAVES_HEAVY = 300  # power tails: as far as scipy's Student quantiles are right
KNOTS_PER_SIDE = 16  # panel edges every half standard deviation up to 8 around a mixture component


class Pieces(NamedTuple):
    """A quantile function of straight pieces: piece i carries mass[i] and runs from left[i] to right[i].

    mass (n,) > 0, left and right (n,) in increasing order. `right is left` for a law of atoms.
    """

    mass: np.ndarray
    left: np.ndarray
    right: np.ndarray

    def mirrored(self) -> Pieces:
        """The law of -X."""
        left = -self.right[::-1]
        return Pieces(self.mass[::-1], left, left if self.right is self.left else -self.left[::-1])

    def levels(self) -> np.ndarray:
        """Distribution function at the upper end of each piece; the last is exactly 1.

        Summed in extended precision where the platform has it, then rounded once.
        """
        total = np.cumsum(self.mass, dtype=np.longdouble)
        return (total / total[-1]).astype(np.float64)


class Smooth(NamedTuple):
    """A law known by functions: u -> quantile, y -> distribution function, y -> density.

    knots: places on the line where the density changes quickly. octaves: how far the tail is
    followed, to u = 2^-octaves. reverse() builds the law of -X.
    """

    quantile: Callable[[np.ndarray], np.ndarray]
    cdf: Callable[[np.ndarray], np.ndarray]
    pdf: Callable[[np.ndarray], np.ndarray]
    knots: np.ndarray
    octaves: int
    reverse: Callable[[], Smooth]

    def mirrored(self) -> Smooth:
        """The law of -X."""
        return self.reverse()

    def panels(self, octaves: int) -> np.ndarray:
        """Edges of quadrature panels from level 2^-octaves to the median, increasing.

        One panel per octave of u: even steps for a Gaussian, geometric ones towards the end of a
        compact support or along a power tail, so a Gauss rule converges fast on each of them.
        """
        dyadic = self.quantile(HALF ** np.arange(octaves, 0, -1))
        dyadic = dyadic[np.isfinite(dyadic)]
        inside = self.knots[(self.knots > dyadic[0]) & (self.knots < dyadic[-1])]
        return np.unique(np.concatenate((dyadic, inside)))


Line = Pieces | Smooth


def atoms(x: np.ndarray, w: np.ndarray | None = None) -> Pieces:
    """Points x (n,) with weights w (n,), equal by default; atoms of weight 0 are dropped."""
    x = x.astype(np.float64, copy=False)
    if w is None:
        place = np.sort(x)
        return Pieces(np.full(x.size, 1.0 / x.size), place, place)
    order = np.argsort(x, kind="stable")
    order = order[w[order] > 0]
    place = x[order]
    return Pieces(w[order], place, place)


def cells(edges: np.ndarray, mass: np.ndarray) -> Pieces:
    """Cells of constant density between edges (n+1,), with masses (n,); empty cells are dropped."""
    full = mass > 0
    return Pieces(mass[full], edges[:-1][full], edges[1:][full])


def gaussians(weights: np.ndarray, means: np.ndarray, stds: np.ndarray) -> Line:
    """The mixture sum_k weights_k N(means_k, stds_k^2); one of standard deviation 0 is an atom."""
    if weights.size == 1 and stds[0] == 0:
        return atoms(means)
    if (stds <= 0).any():
        raise MeasureError("a component of this Mixture has no width here; give its covariance a small one.")

    def cdf(y: np.ndarray) -> np.ndarray:
        return mixture_cdf(y, weights, means, stds)

    def pdf(y: np.ndarray) -> np.ndarray:
        return mixture_pdf(y, weights, means, stds)

    def quantile(u: np.ndarray) -> np.ndarray:
        return mixture_quantile(u, weights, means, stds)

    knots = np.empty(0)
    if weights.size > 1:  # a single Gaussian is smooth on the scale of its own octaves
        steps = 0.5 * np.arange(-KNOTS_PER_SIDE, KNOTS_PER_SIDE + 1)
        knots = (means[:, None] + stds[:, None] * steps).ravel()
        spacing = 0.5 * stds.min()  # at most one knot per half of the narrowest width
        knots = knots[np.unique(np.floor((knots - knots.min()) / spacing), return_index=True)[1]]
    return Smooth(quantile, cdf, pdf, knots, OCTAVES, lambda: _smooth(gaussians(weights, -means, stds)))


def _smooth(line: Line) -> Smooth:
    assert isinstance(line, Smooth)
    return line


def known(measure: Any, mirror: bool = False) -> Smooth:
    """A 1-D measure through its own quantile(u), cdf(x), pdf(x); Barenblatt is symmetric, hence exact
    in both tails, any other law's upper tail is resolved to 1e-16 of its mass."""
    symmetric = getattr(measure, "kind", "") == "barenblatt"
    shift = 2 * float(measure.mean()[0]) if symmetric else 0.0

    def quantile(u: np.ndarray) -> np.ndarray:
        if not mirror:
            return measure.quantile(u)
        return measure.quantile(u) - shift if symmetric else -measure.quantile(1 - u)

    def cdf(y: np.ndarray) -> np.ndarray:
        if not mirror:
            return measure.cdf(y)
        return measure.cdf(y + shift) if symmetric else 1 - measure.cdf(-y)

    def pdf(y: np.ndarray) -> np.ndarray:
        return measure.pdf((-y if mirror else y)[..., None])

    octaves = (OCTAVES if measure.m > 1 else OCTAVES_HEAVY) if symmetric else 52
    return Smooth(quantile, cdf, pdf, np.empty(0), octaves, lambda: known(measure, not mirror))


def line(measure: Any, name: str) -> Line:
    """A one-dimensional measure as a quantile function."""
    kind = getattr(measure, "kind", "")
    if kind == "particles":
        return atoms(measure.x[:, 0], measure.w)
    if kind == "quantiles":
        return cells(measure.edges, measure.masses)
    if kind == "density":
        return cells(measure.grid.edges(0), nonnegative(measure.values, name))
    if kind == "uniform":
        return cells(np.array(measure.bounds[0]), np.ones(1))
    if kind == "gaussian":
        return gaussians(np.ones(1), measure.center, np.sqrt(measure.covariance[:, 0]))
    if kind == "mixture":
        some = measure.weights > 0
        return gaussians(
            measure.weights[some], measure.means[some, 0], np.sqrt(measure.covariances[some, 0, 0])
        )
    if all(hasattr(measure, need) for need in ("quantile", "cdf", "pdf")):
        return known(measure)
    raise MeasureError(
        f"{name} is a {type(measure).__name__} without quantile(u), cdf(x) and pdf(x), which w2 on the line "
        "needs. Use Density.from_measure(measure, grid), or Particles(measure.sample(n, rng))."
    )
