r"""Where the dual ascent begins: a cascade of coarser grids, a guess at its bottom, a window on the support.

Far from the maximum Newton's method of the dual gains little per step, and each costs the same on any
grid relative to its cells; so the step is first solved on grids of half the cells and its potential
interpolated. On the coarsest grid the guess is phi = -(U'(r) + V) for a density r carried down the slope of V
and then smoothed by a fraction of the heat that tau brings, the fraction chosen by what is left out of
place: for Gaussians this is the minimiser itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wgf.kernels.poisson import cosine_solve, neumann_symbol
from wgf.kernels.pushforward import pull, slopes
from wgf.schemes.jko.back_and_forth.dual import Assessment, DualStep

Array = np.ndarray
COARSEST = 40  # cells of the longest axis
COARSE_TOLERANCE = 0.02  # below the error of interpolation
COARSE_ASCENTS, COARSE_PATIENT = 12, 50  # second: where steps are judged by their slope, as out of jumps
MARGIN = 6  # cells around a support as half the cells see it
SHARES = (0.1, 0.3, 0.5, 0.7, 1.0)  # of the heat of tau, tried in turn
GOLDEN = 0.5 * (3 - 5**0.5)
REFINEMENTS = 7
FLOOR = 1e-12  # of the largest density of a guess, where logarithms end


def averages(values: Array, cells: tuple[int, ...]) -> Array:
    """Averages over coarser cells of the same box, of values constant in each fine cell."""
    for axis, n in enumerate(cells):
        fine = values.shape[axis]
        if n == fine:
            continue
        moved = np.moveaxis(values, axis, 0)
        edges = np.linspace(0, fine, n + 1)
        whole = np.minimum(edges.astype(np.int64), fine - 1)
        part = (edges - whole).reshape(-1, *[1] * (values.ndim - 1))
        total = np.concatenate([np.zeros((1, *moved.shape[1:])), np.cumsum(moved, axis=0)])
        integral = total[whole] + part * moved[whole]
        values = np.moveaxis(np.diff(integral, axis=0) * (n / fine), 0, axis)
    return np.ascontiguousarray(values)


def interpolated(values: Array, cells: tuple[int, ...]) -> Array:
    """Cubic interpolation from cell centres to those of a finer grid of the same box, even at the walls."""
    for axis, n in enumerate(cells):
        coarse = values.shape[axis]
        if n == coarse:
            continue
        position = (np.arange(n) + 0.5) * coarse / n - 0.5
        first = np.floor(position).astype(np.int64)
        t = (position - first).reshape(-1, *[1] * (values.ndim - 1))
        weights = (
            -t * (t - 1) * (t - 2) / 6,
            (t + 1) * (t - 1) * (t - 2) / 2,
            -(t + 1) * t * (t - 2) / 2,
            (t + 1) * t * (t - 1) / 6,
        )
        moved = np.moveaxis(values, axis, 0)
        total = np.zeros((n, *moved.shape[1:]))
        for k, weight in enumerate(weights):
            index = first + (k - 1)
            index = np.where(index < 0, -1 - index, index)
            index = np.where(index >= coarse, 2 * coarse - 1 - index, index)
            total += weight * moved[np.clip(index, 0, coarse - 1)]
        values = np.moveaxis(total, 0, axis)
    return np.ascontiguousarray(values)


def coarser(step: DualStep) -> DualStep:
    """The same step on half the cells per axis."""
    cells = tuple((n + 1) // 2 for n in step.mu.shape)
    ratio = np.array(cells) / np.array(step.mu.shape)
    volume = step.volume / float(np.prod(ratio))
    mu, V = averages(step.mu, cells), averages(step.V, cells)
    return DualStep(mu, V, step.internal, step.strengths * ratio**2, volume, step.share, step.jumps)


def guess(step: DualStep) -> Assessment:
    """The best of a family of potentials: densities carried by V, smoothed by a share of the heat of tau."""
    internal = step.internal
    carried = np.empty_like(step.mu)
    pull(step.mu, *slopes(step.mu), *step.faces_of(-step.V), True, carried)
    carried = np.maximum(carried, 0.0)
    carried /= carried.sum() * step.volume
    pressure = float(internal.pressure(carried).sum()) * step.volume  # the mean of rho U''
    symbol = neumann_symbol(carried.shape, step.strengths * pressure)

    def at(share: float) -> Assessment:
        rho = np.maximum(cosine_solve(carried, np.exp(-share * symbol)), 0.0)
        rho += FLOOR * rho.max()
        return step.assess(-(internal.derivative(rho) + step.V))

    tried = [(share, at(share)) for share in SHARES]
    if internal.floor > -np.inf:
        tried.insert(0, (0.0, step.assess(-(internal.derivative(carried) + step.V))))
    best = min(range(len(tried)), key=lambda k: tried[k][1].misplaced)
    low, high = tried[max(best - 1, 0)][0], tried[min(best + 1, len(tried) - 1)][0]
    share, chosen = tried[best]
    for _ in range(REFINEMENTS):
        right = high - share > share - low
        other = share + GOLDEN * (high - share) if right else share - GOLDEN * (share - low)
        if other <= 0:
            break
        trial = at(other)
        if trial.misplaced < chosen.misplaced:
            low, high = (share, high) if right else (low, share)
            share, chosen = other, trial
        else:
            low, high = (low, other) if right else (other, high)
    return chosen


def near(step: DualStep) -> tuple[Array, Array]:
    """(phi, rho) near the maximum of the dual: solved on coarser grids, interpolated, improved a little."""
    if max(step.mu.shape) <= COARSEST:
        now = _improved(step, step.lifted(guess(step)))
        return now.phi, now.rho
    phi, occupied = from_coarser(step)
    result = within(step, phi, occupied, _improved)
    return result.phi, result.rho


def cascade(step: DualStep) -> tuple[Array, Array]:
    """Where the ascent on the grid itself begins: a potential, and the cells in which it sees mass."""
    if max(step.mu.shape) <= COARSEST:
        now = guess(step)
        return now.phi, now.rho > 0
    return from_coarser(step)


def from_coarser(step: DualStep) -> tuple[Array, Array]:
    """The potential that half the cells give, and where they see mass."""
    phi, rho = near(coarser(step))
    cells = step.mu.shape
    occupied = rho > 0
    for axis, n in enumerate(cells):
        occupied = occupied.take(np.arange(n) * occupied.shape[axis] // n, axis)
    return interpolated(phi, cells), occupied


def _improved(step: DualStep, now: Assessment) -> Assessment:
    """A few ascents, as many as a coarse grid is worth."""
    boost = step.calm
    for _ in range(COARSE_PATIENT if step.trusting else COARSE_ASCENTS):
        if step.residual(now) <= COARSE_TOLERANCE:
            break
        now, boost = step.improved(now, boost)
    return now


class Whole(NamedTuple):
    """A potential and a density on the whole grid, and the assessment of the window they were found in."""

    phi: Array
    rho: Array
    found: Assessment
    step: DualStep


def within(
    step: DualStep, phi: Array, occupied: Array, ascend: Callable[[DualStep, Assessment], Assessment]
) -> Whole:
    """`ascend` from phi in a window around the occupied cells where the density has an edge, else everywhere.

    Nothing moves in a vacuum: outside the window the potential is the c-concave envelope of what is inside.
    A support that reaches a side of the window is given the whole grid.
    """
    if step.internal.floor == -np.inf:
        found = ascend(step, step.lifted(step.assess(phi)))
        return Whole(found.phi, found.rho, found, step)
    window = _window(occupied | (step.mu > 0))
    inside = step.cropped(window)
    found = ascend(inside, inside.lifted(inside.assess(np.ascontiguousarray(phi[window]))))
    if _reaches(found.rho, window, step.mu.shape):
        found = ascend(step, step.lifted(step.assess(phi)))
        return Whole(found.phi, found.rho, found, step)
    if inside.mu.shape == step.mu.shape:
        return Whole(found.phi, found.rho, found, step)
    everywhere, rho = np.full(phi.shape, -np.inf), np.zeros(phi.shape)
    everywhere[window], rho[window] = found.phi, found.rho
    carried = np.zeros(phi.shape, dtype=bool)
    carried[window] = (found.rho > 0) | (found.brought > 0)
    return Whole(np.where(carried, everywhere, step.envelope(everywhere)), rho, found, inside)


def _window(occupied: Array) -> tuple[slice, slice, slice]:
    """A box of cells around the occupied ones, with a margin, of lengths that transforms like."""
    from scipy.fft import next_fast_len

    sides = []
    for axis, n in enumerate(occupied.shape):
        where = np.flatnonzero(occupied.any(tuple(k for k in range(3) if k != axis)))
        low, high = int(where[0]), int(where[-1]) + 1
        length = min(n, next_fast_len(high - low + 2 * MARGIN, real=True))
        low = min(max(0, (low + high - length) // 2), n - length)
        sides.append(slice(low, low + length))
    return sides[0], sides[1], sides[2]


def _reaches(rho: Array, window: tuple[slice, slice, slice], cells: tuple[int, ...]) -> bool:
    """Whether mass lies in the outermost cells of a window that ends before the wall."""
    for axis, (side, n) in enumerate(zip(window, cells, strict=True)):
        if side.start > 0 and rho.take(0, axis).any():
            return True
        if side.stop < n and rho.take(-1, axis).any():
            return True
    return False
