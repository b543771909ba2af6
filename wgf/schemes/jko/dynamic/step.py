"""One dynamic JKO step of a problem: first guess, interaction by fixed point, centred faces made safe.

`newton.py` solves the step for a pointwise energy and given faces. Here stand the two loops around
it. An interaction enters as the potential W * rho of the density found so far, until that repeats itself.
Centred faces may leave a cell negative: its faces then become upwind, which is where positivity is
certain, and the minimiser of that (slightly other) kinetic energy is looked for.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse

from wgf.errors import ConvergenceError
from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.kernels.sparse_lu import diagonal_lu
from wgf.measures import Density, Grid
from wgf.measures.averages import average_density
from wgf.problem import Problem
from wgf.schemes.cells import potential_at_centers
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.dynamic.faces import Faces, faces_of, level, mobility
from wgf.schemes.jko.dynamic.newton import Maximum, Step, best_start, maximise, trial_point
from wgf.schemes.jko.dynamic.path import action

Array = np.ndarray
CENTRED, THIN = 0.5, 1e-7  # of the largest cell: in emptier ones faces are upwind
THICKER = 10.0  # times that, in every further round
NEAR, FEWEST = 3.0, 6  # cells that mass may travel, and cells per axis, before coarser grids help
ROUGH = 1e-4  # tolerance on them
BRIEF = 25  # Newton iterations: centred faces start beside their solution or have none
ROUNDS = 6  # of making faces upwind where cells came out negative, before all of them are
PATIENCE, SHRUNK = 10, 0.9  # rounds of an interaction that do not bring its change down: it will not settle
SMALLEST = 1e-300  # in place of an empty cell's density, whose U' may be -inf and whose ratios 0 / 0
BULK = 1e-3  # of the largest cell: emptier cells have no say in the first guess's diffusion


class Settings(NamedTuple):
    """The fields of the scheme that a step reads."""

    substeps: int
    mobility: str
    tol: float
    iterations: int


class JKOStep(NamedTuple):
    """The new density and psi = -dE/drho (flat), the faces, int |rho'|^2 per cell volume, how it went."""

    rho: Array
    psi: Array
    faces: Faces
    action: float
    iterations: int
    residual: float
    accepted: bool


def jko_step(
    problem: Problem, grid: Grid, faces: Faces, rho: Array, dt: float, settings: Settings
) -> JKOStep:
    """The minimiser of the step from `rho` (flat)."""
    guess = first_guess(problem, grid, faces, rho, dt, settings)
    found, spent = _with_interaction(problem, grid, faces, rho, dt, settings, guess)
    if settings.mobility == "upwind":
        return _made(rho, faces, found, spent, True)
    safe, thin = _made(rho, faces, found, spent, False), THIN
    brief = settings._replace(iterations=min(BRIEF, settings.iterations))
    centring = _centring(rho, faces)
    for _ in range(ROUNDS):
        faces = faces._replace(centring=np.where(_least(rho, faces) > thin * rho.max(), centring, 0.0))
        thin *= THICKER
        try:
            found, count = _with_interaction(problem, grid, faces, rho, dt, brief, found.along.psi)
        except ConvergenceError:
            centring = 0.5 * centring
            continue
        spent += count
        negative = np.stack(found.rhos).min(0) < 0
        if not negative.any():
            return _made(rho, faces, found, spent, True)
        centring = np.where(negative[faces.below] | negative[faces.above], 0.0, centring)
        thin = max(thin, min(BULK, 2 * float(rho[negative].max() / rho.max())))
    return safe


def _made(rho: Array, faces: Faces, found: Maximum, iterations: int, accepted: bool) -> JKOStep:
    squared = action(found.along, rho, found.rhos, faces)
    return JKOStep(found.rhos[-1], found.along.psi, faces, squared, iterations, found.residual, accepted)


def _least(rho: Array, faces: Faces) -> Array:
    """The smaller of the two densities at every face."""
    return np.minimum(rho[faces.below], rho[faces.above])


def _centring(rho: Array, faces: Faces) -> Array:
    """The sink's share in the density of a face: half where rho is smooth, 0 next to an empty cell.

    The smaller cell's rho times min(1/2, ratio) added from the larger keeps the mean at most twice the
    smaller one: no cell gives away much more than upwind would let it.
    """
    more = np.maximum(rho[faces.below], rho[faces.above])
    return np.minimum(CENTRED, _least(rho, faces) / np.maximum(more, SMALLEST))


def _with_interaction(
    problem: Problem,
    grid: Grid,
    faces: Faces,
    rho: Array,
    dt: float,
    settings: Settings,
    psi: Array,
    tol: float | None = None,
) -> tuple[Maximum, int]:
    """The step's maximum and all Newton iterations; W * rho by fixed point where there is an interaction."""
    internal = InternalEnergy.of(problem.energy)
    outside = potential_at_centers(problem, grid).ravel()
    potential = outside + convolved(problem, grid, rho)
    spent, change, least, idle, rounds = 0, np.inf, np.inf, 0, 0
    tol = settings.tol if tol is None else tol
    while rounds < settings.iterations and idle < PATIENCE:
        step = Step(rho, potential, internal, faces, dt, settings.substeps)
        found = maximise(step, psi, tol, settings.iterations)
        spent += found.iterations
        if not problem.energy.interactions:
            return found, spent
        renewed = outside + convolved(problem, grid, found.rhos[-1])
        closed = np.isinf(renewed)
        jump = np.where(closed, 0.0, renewed - np.where(closed, 0.0, potential))
        change = float(found.rhos[-1] @ np.abs(jump - jump.mean())) / float(rho.sum())
        if change <= tol * (1 + float(np.abs(np.where(closed, 0.0, renewed)).max())):
            return found, spent
        potential, psi, rounds = renewed, found.along.psi - jump, rounds + 1
        least, idle = min(least, change), 0 if change < SHRUNK * least else idle + 1
    advice = "Use a smaller dt." if idle == PATIENCE else "Use a smaller dt or more iterations=."
    raise ConvergenceError(
        f"the interaction of a dynamic JKO step of {dt:.3g} still changed by {change:.1e} (tol = "
        f"{settings.tol:.1e}) after {rounds} rounds. {advice}"
    )


def convolved(problem: Problem, grid: Grid, rho: Array) -> Array:
    """The sum of c W * rho at the cell centres (flat)."""
    density = Density(grid, rho.reshape(grid.cells))
    return sum(
        (c * term.convolve(density).ravel() for c, term in problem.energy.interactions), np.zeros(grid.size)
    )


def first_guess(
    problem: Problem, grid: Grid, faces: Faces, rho: Array, dt: float, settings: Settings
) -> Array:
    """psi to start Newton's method from: where mass crosses many cells, that of a grid half as fine.

    Newton's iterates carry the edge of the mass a few cells each; coarse cells make the long way short.
    """
    potential = potential_at_centers(problem, grid).ravel() + convolved(problem, grid, rho)
    step = Step(rho, potential, InternalEnergy.of(problem.energy), faces, dt, settings.substeps)
    guess = best_start(step, terminal_guesses(problem, grid, faces, rho, dt, settings.substeps))
    at = level(guess, faces)
    travel = dt * np.sqrt(float((mobility(rho, at, faces) * faces.weight) @ at.squared) / float(rho.sum()))
    if travel <= NEAR or min(grid.cells) < 2 * FEWEST:
        return guess
    coarse = Grid(grid.bounds, tuple(n // 2 for n in grid.cells), grid.boundary)
    below = average_density(Density(grid, rho.reshape(grid.cells)), coarse).ravel()
    open_cells = np.isfinite(potential_at_centers(problem, coarse)).ravel()
    if (below[~open_cells] > 0).any():
        return guess
    coarse_faces = faces_of(coarse, open_cells)
    start = first_guess(problem, coarse, coarse_faces, below, dt, settings)
    try:
        found, _ = _with_interaction(problem, coarse, coarse_faces, below, dt, settings, start, ROUGH)
    except ConvergenceError:
        return guess
    refined = _refined(problem, found.along.psi, coarse, grid)
    return guess if trial_point(step, refined) is None else refined


def _refined(problem: Problem, psi: Array, coarse: Grid, fine: Grid) -> Array:
    """psi on a finer grid by way of psi + V = -U'(rho), which varies over the width of rho.

    An error in psi itself, of the order h^2 V'', would be an exponent over D: beyond all bounds for small D.
    """
    below, above = (potential_at_centers(problem, grid) for grid in (coarse, fine))
    if not (np.isfinite(below).all() and np.isfinite(above).all()):
        return _prolonged(psi.reshape(coarse.cells), coarse, fine).ravel()
    return (_prolonged(psi.reshape(coarse.cells) + below, coarse, fine) - above).ravel()


def _prolonged(values: Array, coarse: Grid, fine: Grid) -> Array:
    """Values on the centres of another grid by linear interpolation along each axis, and extrapolation."""
    for axis, (old, new) in enumerate(zip(coarse.axes, fine.axes, strict=True)):
        left = np.clip(np.searchsorted(old, new) - 1, 0, len(old) - 2)
        share = (new - old[left]) / (old[left + 1] - old[left])
        share = share.reshape([-1 if k == axis else 1 for k in range(fine.dimension)])
        values = (1 - share) * values.take(left, axis) + share * values.take(left + 1, axis)
    return values


def terminal_guesses(
    problem: Problem, grid: Grid, faces: Faces, rho: Array, dt: float, substeps: int = 1
) -> list[Array]:
    """-dE/drho where the step may end: of rho as it is, unless an empty cell makes that infinite.

    Under entropy also of what implicit steps of a linear Fokker-Planck equation make of rho.
    """
    internal = InternalEnergy.of(problem.energy)
    potential = potential_at_centers(problem, grid).ravel() + convolved(problem, grid, rho)
    potential, near = np.where(np.isfinite(potential), potential, 0.0), []
    if np.isfinite(internal.floor) or rho.min() > SMALLEST:
        near.append(rho)
    if not np.isfinite(internal.floor):
        bulk = rho[rho > BULK * rho.max()]
        factors = _spreading(potential, faces, float((bulk * internal.second(bulk)).max()), dt / substeps)
        spread = rho
        for _ in range(substeps):
            spread = factors.solve(spread)
        near.append(np.maximum(spread, SMALLEST))
    return [-internal.derivative(density) - potential for density in near]


def _spreading(potential: Array, faces: Faces, diffusivity: float, dt: float) -> Any:
    """Factors of one backward Euler step of the Scharfetter-Gummel Fokker-Planck scheme."""
    up, down = bernoulli((potential[faces.above] - potential[faces.below]) / diffusivity)
    up, down = dt * diffusivity * faces.weight * up, dt * diffusivity * faces.weight * down
    cells = np.arange(faces.cells)
    diagonal = 1 + np.bincount(faces.below, up, faces.cells) + np.bincount(faces.above, down, faces.cells)
    rows = np.concatenate((faces.above, faces.below, cells))
    columns = np.concatenate((faces.below, faces.above, cells))
    matrix = sparse.csc_array((np.concatenate((-up, -down, diagonal)), (rows, columns)))
    return diagonal_lu(matrix)
