"""Gauss panels for measures with a density: one mesh per axis, fine where the measure is narrow.

The panel edges come from what a measure knows: centres and widths of Gaussian components, the end of a
support, octaves along a power tail; of an unknown density its own sample shows where it lives, and on
the line its panels are halved until they agree. The mass is known, so it is the test of every mesh:
one that misses it is refused. Turned down: a uniform mesh over ten standard deviations, which steps over
narrow components and cuts heavy tails without saying so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.polynomial.legendre import leggauss
from scipy.special import xlogy

from wgf.errors import MeasureError

POINTS = {1: 8, 2: 5, 3: 5}  # Gauss points a panel and axis
STEPS = {1: (1 / 32, 1 / 8, 0.5, 1.0), 2: (0.5, 1.0), 3: (1.0,)}  # panels, in standard deviations
PANELS = {1: 4000, 2: 250, 3: 32}  # a step is taken while its panels are no more than this
MOST_PANELS = {1: 400_000, 2: 500, 3: 64}
MASS_ERROR = {1: 1e-6, 2: 1e-3, 3: 1e-3}
CORE, REACH = 9.0, 38.0  # standard deviations: mass beyond the core 2e-19; densities underflow at 38
TAIL_GROWTH = {1: 1.1, 2: 1.4, 3: 2.1}  # of the panels between core and reach, which fractional powers need
KNOTS = 4_000_000
OCTAVES = {1: 200, 2: 60, 3: 24}  # a power tail is followed to 2^octaves length units
RATIO = {1: 2**0.5, 2: 2.0, 3: 4.0}  # of neighbouring panels along a power tail
CORE_PANELS = {1: 128, 2: 16, 3: 8}  # of a Barenblatt profile's inner part; of any box
EDGE_OCTAVES = 40  # panels shrink towards the end of a support to 2^-40 of it
DRAWS, LEVELS = 4096, 33  # the sample that shows where an unknown density lives
FAR = 1e4  # standard deviations to which it is followed
HALVINGS, AGREEMENT = 60, 1e-11
BLOCK = 1 << 19  # points in memory at a time


def axis_edges(measure: Any, axis: int) -> np.ndarray:
    """Panel edges (k,) along an axis, increasing, holding the measure up to what its mass can show."""
    kind, d = getattr(measure, "kind", None), measure.dimension
    if kind == "density":
        return measure.grid.edges(axis)
    if kind == "quantiles":
        return measure.edges
    if kind == "gaussian":
        return _components(measure.center[None], measure.covariance[None], axis)
    if kind == "mixture":
        some = measure.weights > 0
        return _components(measure.means[some], measure.covariances[some], axis)
    if kind == "barenblatt":
        return measure.center[axis] + measure.scale * (_compact(d) if measure.m > 1 else _power_tail(d))
    if hasattr(measure, "bounds"):
        low, high = measure.bounds[axis]
        return np.linspace(low, high, 4 * CORE_PANELS[d] + 1)
    return _unknown(measure, axis)


def tensor_mesh(measures: tuple[Any, ...]) -> tuple[np.ndarray, ...]:
    """Panel edges per axis that suit all of the measures, whose dimension is at most 3."""
    d = measures[0].dimension
    if d not in POINTS:
        raise MeasureError(
            f"a {type(measures[0]).__name__} in dimension {d} cannot be integrated: quadrature goes up to 3. "
            "Use Particles(measure.sample(n, rng)), or kind='sliced_w2' for a distance."
        )
    axes = []
    for axis in range(d):
        edges = [axis_edges(m, axis) for m in measures]
        merged = edges[0] if len(edges) == 1 else _merged(edges, measures)
        if merged.size > MOST_PANELS[d]:
            raise _unresolved(measures, f"{merged.size} panels would be needed along axis {axis}")
        axes.append(merged)
    return tuple(axes)


def gauss_points(edges: np.ndarray, d: int) -> tuple[np.ndarray, np.ndarray]:
    """Gauss nodes on the panels between edges, and their weights: POINTS[d] a panel."""
    nodes, weights = leggauss(POINTS[d])
    half = 0.5 * np.diff(edges)
    middle = edges[:-1] + half
    return (middle[:, None] + half[:, None] * nodes).ravel(), (half[:, None] * weights).ravel()


def blocks(axes: tuple[np.ndarray, ...]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """(points (n, d), weights (n,)) of the tensor rule, in blocks of bounded memory."""
    d = len(axes)
    rules = [gauss_points(edges, d) for edges in axes]
    rows = max(1, BLOCK // int(np.prod([len(x) for x, _ in rules[1:]])))
    for first in range(0, len(rules[0][0]), rows):
        part = [(x[first : first + rows], w[first : first + rows]) for x, w in rules[:1]] + rules[1:]
        x = np.stack(np.meshgrid(*(p for p, _ in part), indexing="ij"), axis=-1).reshape(-1, d)
        weight = part[0][1]
        for _, w in part[1:]:
            weight = (weight[:, None] * w).ravel()
        yield x, weight


def hold_mass(measure: Any, found: float) -> None:
    """MeasureError unless the quadrature found the mass of the measure, up to MASS_ERROR."""
    mass, tolerance = float(getattr(measure, "mass", 1.0)), MASS_ERROR[measure.dimension]
    if not abs(found - mass) <= tolerance * mass:
        why = f"it finds the mass {found:.6g} instead of {mass:g} (tolerance {tolerance:g})"
        raise _unresolved((measure,), why)


def _unresolved(measures: tuple[Any, ...], why: str) -> MeasureError:
    names = " and ".join(repr(m) if len(repr(m)) < 80 else f"a {type(m).__name__}" for m in measures)
    return MeasureError(
        f"{names} cannot be integrated by quadrature: {why}. Use Density.from_measure(measure, grid) on a "
        "grid that resolves it, or check that pdf has the integral 1 and belongs to sample."
    )


# ------------------------------------------------------------------------------- meshes of the kinds


def _components(means: np.ndarray, covariances: np.ndarray, axis: int) -> np.ndarray:
    """Edges for a mixture: each component has panels of its conditional width over its marginal range."""
    d = means.shape[1]
    marginal = np.sqrt(covariances[:, axis, axis])
    precision = np.linalg.inv(covariances)[:, axis, axis] if d > 1 else 1 / covariances[:, 0, 0]
    width = 1 / np.sqrt(precision)
    stretch = float((marginal / width).max())  # > 1 when the axes are correlated
    best = np.empty(0)
    for step in STEPS[d]:
        offsets = _offsets(step, CORE * stretch, REACH * stretch, TAIL_GROWTH[d])
        if len(means) * offsets.size > KNOTS:
            continue
        knots = means[:, axis][:, None] + width[:, None] * offsets
        gaps = width[:, None] * np.minimum(np.diff(offsets, prepend=-np.inf), np.diff(offsets, append=np.inf))
        best = _thinned(knots.ravel(), gaps.ravel())
        if best.size <= PANELS[d]:
            break
    if best.size == 0:
        raise MeasureError(
            f"a Mixture of {len(means)} components with axes correlated {stretch:.0f}-fold is too large for "
            "quadrature. Use Particles(measure.sample(n, rng)) or Density.from_measure(measure, grid)."
        )
    return best


def _offsets(step: float, core: float, reach: float, growth: float) -> np.ndarray:
    """Symmetric offsets: even steps in the core, then growing ones up to the reach."""
    count = int(np.ceil(core / step))
    tail = [count * step]
    while tail[-1] < reach:
        tail.append(tail[-1] * growth)
    half = np.concatenate((step * np.arange(count), tail))
    return np.concatenate((-half[:0:-1], half))


def _thinned(points: np.ndarray, widths: np.ndarray) -> np.ndarray:
    """The points as edges, increasing; of those much closer than the widths they ask for, the finer stay."""
    octave = np.floor(np.log2(widths))
    kept = np.empty(0)
    for level in np.unique(octave):
        spacing = 0.75 * 2.0**level
        new = np.sort(points[octave == level])
        new = new[np.unique(np.floor((new - new[0]) / spacing + 0.5), return_index=True)[1]]
        if kept.size:
            after = np.searchsorted(kept, new)
            near = np.abs(new - kept[np.clip(after, 0, kept.size - 1)])
            near = np.minimum(near, np.abs(new - kept[np.clip(after - 1, 0, kept.size - 1)]))
            new = new[near >= spacing]
        kept = np.sort(np.concatenate((kept, new)))
    return kept


def _merged(meshes: list[np.ndarray], measures: tuple[Any, ...]) -> np.ndarray:
    """One mesh about as fine as each of the meshes, keeping the places where a density may jump."""
    widths = [np.minimum(np.diff(e, prepend=-np.inf), np.diff(e, append=np.inf)) for e in meshes]
    inner = _thinned(np.concatenate(meshes), np.concatenate(widths))
    stepwise = [getattr(m, "kind", None) in ("quantiles", "density") for m in measures]
    sharp = [e if s else e[[0, -1]] for e, s in zip(meshes, stepwise, strict=True)]
    return np.unique(np.concatenate((inner, *sharp)))


def radial_edges(compact: bool) -> np.ndarray:
    """Edges from 0 outwards of a Barenblatt profile of length unit 1, for a rule in the radius."""
    edges = _compact(1) if compact else _power_tail(1)
    return edges[edges >= 0]


def _compact(d: int) -> np.ndarray:
    """Edges on [-1, 1] for a profile with a power at the end of its support."""
    if d == 1:
        end = 1 - 0.5 ** np.arange(4, EDGE_OCTAVES)
        return np.unique(np.concatenate((np.linspace(-1, 1, 4 * CORE_PANELS[1] + 1), end, -end)))
    return np.sin(0.5 * np.pi * np.linspace(-1, 1, 6 * CORE_PANELS[d] - 7))


def _power_tail(d: int) -> np.ndarray:
    """Edges symmetric about 0 for a profile of length unit 1 with a power tail."""
    core = np.linspace(0, 2, CORE_PANELS[d] // 2 + 1)
    tail = 2 * RATIO[d] ** np.arange(1, int(OCTAVES[d] / np.log2(RATIO[d])))
    half = np.concatenate((core, tail))
    return np.concatenate((-half[:0:-1], half))


def _unknown(measure: Any, axis: int) -> np.ndarray:
    """Edges for a density known by pdf and sample only."""
    center, std = float(measure.mean()[axis]), float(np.sqrt(measure.cov()[axis, axis]))
    d = measure.dimension
    count = {1: 400, 2: 100, 3: 24}[d]
    reach = np.arcsinh(FAR if d == 1 else REACH)
    wide = center + std * np.sinh(np.linspace(-reach, reach, count + 1))
    drawn = np.quantile(measure.sample(DRAWS, 0)[:, axis], np.linspace(0, 1, LEVELS))
    edges = np.unique(np.concatenate((wide, drawn)))
    return _halved(edges, measure) if d == 1 else edges


def _halved(edges: np.ndarray, measure: Any) -> np.ndarray:
    """Panels on the line, halved until rho and rho log rho have the same integral on the halves."""
    nodes, weights = leggauss(POINTS[1])

    def integrals(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        x = 0.5 * (low + high)[:, None] + 0.5 * (high - low)[:, None] * nodes
        rho = measure.pdf(x[..., None])
        both = np.stack((rho, xlogy(rho, np.where(rho > 0, rho, 1.0))))
        return (both @ weights) * 0.5 * (high - low)

    low, high, found = edges[:-1], edges[1:], [edges]
    whole = integrals(low, high)
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        left, right = integrals(low, middle), integrals(middle, high)
        split = (np.abs(left + right - whole) > AGREEMENT).any(0)
        if not split.any() or split.sum() > PANELS[1]:
            break
        found.append(middle[split])
        low, high = (
            np.concatenate((low[split], middle[split])),
            np.concatenate((middle[split], high[split])),
        )
        whole = np.concatenate((left[:, split], right[:, split]), axis=1)
    return np.unique(np.concatenate(found))
