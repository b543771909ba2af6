"""The equation on a grid: what a problem's potential, mobility and drift are on cells, faces and bonds.

d_t rho = div(M (D grad rho + rho grad V)) - div(rho b) in Fick's form. Ito's form, d_i d_j (M_ij D rho)
instead, is brought to it: for a diagonal M by the potential V + D log M_k along axis k, exactly, so that a
scalar M leaves exp(-V/D)/M at rest; for a full tensor by the further drift -D div M, to second order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.measures import Grid
from wgf.problem import Problem
from wgf.schemes.cells import potential_at_centers
from wgf.schemes.grid.fokker_planck.bonds import Bonds, face_bonds
from wgf.schemes.grid.fokker_planck.tensor import tensor_bonds
from wgf.schemes.grid.rates import Rates, axis_rates

PROBES = 1000  # points where the largest mobility is looked for


def unbalanced(problem: Problem) -> str:
    """What makes the problem other than the gradient flow of its energy, in words."""
    present = (
        ("a drift", problem.drift is not None),
        ("a source", problem.source is not None),
        ("a mobility in Ito's form", _ito(problem)),
    )
    return " and ".join(name for name, there in present if there)


def full_tensor(problem: Problem) -> bool:
    """True when the mobility is a matrix with entries off the diagonal, or a function with matrix values."""
    if problem.mobility is None or problem.dimension == 1:
        return False
    values = _mobility(problem, problem.probes(1))
    if values.ndim < 3:
        return False
    diagonal = values * np.eye(problem.dimension)
    return callable(problem.mobility.M) or bool((values != diagonal).any())


def constant_mobility(problem: Problem) -> np.ndarray | None:
    """M_k per axis, (d,), when it does not depend on x and is no full tensor, else None."""
    if problem.mobility is None:
        return np.ones(problem.dimension)
    if callable(problem.mobility.M) or full_tensor(problem):
        return None
    values = _mobility(problem, np.zeros(problem.dimension))
    return np.diag(values) if values.ndim == 2 else values * np.ones(problem.dimension)


def plain(problem: Problem, grid: Grid) -> np.ndarray | None:
    """M_k per axis when V, finite everywhere, and constants say all: the rates need not be kept."""
    if problem.drift is not None or np.isposinf(potential_at_centers(problem, grid).max()):
        return None
    return constant_mobility(problem)


def largest_mobility(problem: Problem) -> float:
    """The largest eigenvalue of M at a thousand points of the box, 1 without a mobility."""
    if problem.mobility is None:
        return 1.0
    values = _mobility(problem, problem.probes(PROBES))
    return float((np.linalg.eigvalsh(values) if values.ndim == 3 else values).max())


def faces(problem: Problem, grid: Grid) -> tuple[Rates, ...]:
    """The rates of every axis, remembered; for mobilities that are no full tensor."""
    return problem.cached(
        ("grid faces", grid), lambda: tuple(_axis(problem, grid, axis) for axis in range(grid.dimension))
    )


def bonds(problem: Problem, grid: Grid) -> Bonds:
    """All jumps of the equation as bonds, remembered."""
    return problem.cached(("grid bonds", grid), lambda: _bonds(problem, grid))


def _axis(problem: Problem, grid: Grid, axis: int) -> Rates:
    potential, diffusion = potential_at_centers(problem, grid), problem.energy.diffusion
    constant, mobility = constant_mobility(problem), None
    if constant is None:
        mobility = grid.evaluate(lambda x: _component(problem, x, axis))
        if _ito(problem):
            potential = potential + diffusion * np.log(mobility)
    h, periodic = float(grid.spacing[axis]), grid.boundary[axis] == "periodic"
    scale = mobility if constant is None else float(constant[axis])
    drift = None if problem.drift is None else _drift_at_faces(problem, grid, axis)
    return axis_rates(potential, h, diffusion, axis, periodic, scale, drift)


def _bonds(problem: Problem, grid: Grid) -> Bonds:
    if not full_tensor(problem):
        return face_bonds(faces(problem, grid), grid)
    potential, diffusion = potential_at_centers(problem, grid), problem.energy.diffusion
    drift = None if problem.drift is None else grid.evaluate(lambda x: _drift(problem, x))
    given: Any = problem.mobility
    if not callable(given.M):
        return tensor_bonds(potential, grid, diffusion, given.M, drift)
    mobility = grid.evaluate(lambda x: _mobility(problem, x))
    if _ito(problem):
        further = -diffusion * grid.evaluate(lambda x: _divergence(problem, x, grid.spacing))
        drift = further if drift is None else drift + further
    return tensor_bonds(potential, grid, diffusion, mobility, drift)


def _ito(problem: Problem) -> bool:
    mobility = problem.mobility
    return mobility is not None and not mobility.constant and mobility.form == "ito"


def _mobility(problem: Problem, x: np.ndarray) -> np.ndarray:
    """M at x (..., d), refused where it is not positive (definite)."""
    mobility: Any = problem.mobility
    values = mobility.at(x)
    if values.ndim == x.ndim + 1:
        least = np.linalg.eigvalsh(values)[..., 0]
    else:
        least = values if values.ndim == x.ndim - 1 else values.min(axis=-1)
    if not (least > 0).all():
        where = np.unravel_index(int(np.argmin(np.where(np.isnan(least), -np.inf, least))), least.shape)
        raise ValueError(
            f"mobility must be positive (definite) at every cell centre, got {np.min(least[where]):.3g} at "
            f"x = {x[where].tolist()}. Bound it from below, M + 1e-6 for example."
        )
    return values


def _component(problem: Problem, x: np.ndarray, axis: int) -> np.ndarray:
    """M_k at x (..., d) of a scalar or diagonal mobility, (...)."""
    values = _mobility(problem, x)
    if values.ndim == x.ndim + 1:  # on the line a matrix is a number
        values = values[..., 0]
    return values if values.ndim == x.ndim - 1 else values[..., axis]


def _divergence(problem: Problem, x: np.ndarray, spacing: np.ndarray) -> np.ndarray:
    """sum over j of d_j M_ij at x (..., d), by differences over one cell."""
    mobility: Any = problem.mobility
    total = np.zeros(x.shape)
    for j, h in enumerate(spacing):
        half = 0.5 * h * np.eye(len(spacing))[j]
        total += (mobility.at(x + half) - mobility.at(x - half))[..., j] / h
    return total


def _drift_at_faces(problem: Problem, grid: Grid, axis: int) -> np.ndarray:
    """b_k at the middle of every face of the axis, in the shape of its rates."""
    shift = 0.5 * grid.spacing[axis] * np.eye(grid.dimension)[axis]
    upper = grid.evaluate(lambda x: _drift(problem, x + shift)[..., axis])
    return upper if grid.boundary[axis] == "periodic" else upper.take(range(grid.cells[axis] - 1), axis)


def _drift(problem: Problem, x: np.ndarray) -> np.ndarray:
    """b at x (..., d), refused where it is not finite."""
    values = problem.drift_value(x)
    if not np.isfinite(values).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(values))[0][:-1])
        raise ValueError(f"drift must be finite, got {values[where].tolist()} at x = {x[where].tolist()}.")
    return values
