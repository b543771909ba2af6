r"""Newton's equation of the dual JKO problem: conjugate gradients under cosine transforms.

The second variation of the dual functional is W - div(c grad), W = (U*)'' and c = tau times the density that
arrives: both follow the density, over many orders of magnitude. (theta_1 - theta_2 Laplace)^-1 with the
largest values dominates it and makes a safe ascent by itself, but a slow one wherever the density is below
its maximum. So it is the preconditioner, scaled on both sides by the square root of the density.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wgf.kernels.poisson import cosine_solve, neumann_symbol, weighted_laplacian

Array = np.ndarray
MOST = 60
LAYER = 3.0  # measured on Barenblatt profiles at 256^2: a quarter of the transforms of the local weight
DEAD = 1e-14  # of the largest diagonal: cells where nothing is and nothing arrives


class Preconditioner(NamedTuple):
    """scale (theta_1 - theta_2 Laplace)^-1 scale, symmetric and positive."""

    scale: Array
    inverse: Array

    def __call__(self, residual: Array) -> Array:
        """Apply it: one pair of transforms."""
        return self.scale * cosine_solve(self.scale * residual, self.inverse)


def preconditioner(
    weight: Array, density: Array, strengths: Sequence[float] | Array, compact: bool
) -> Preconditioner:
    """The constant-coefficient neighbour of weight - div(strengths density grad), cells as lengths.

    compact: whether the density ends at a free boundary. There the weight stays while the density vanishes,
    and the scale must not: a boundary layer would ask for as many transforms as it has cells.
    """
    top = float(density.max())
    share = density / top
    theta1 = float((weight * share).sum() / (share * share).sum())
    inverse = 1 / (theta1 + neumann_symbol(density.shape, [s * top for s in strengths]))
    finest = float(inverse.flat[-1])
    live = share + weight * finest > DEAD
    diagonal = share + (np.maximum(LAYER * theta1, weight) if compact else weight) * finest
    return Preconditioner(np.where(live, 1 / np.sqrt(np.where(live, diagonal, 1.0)), 0.0), inverse)


def ascent_direction(
    gradient: Array,
    weight: Array,
    conductances: tuple[Array, ...],
    precondition: Preconditioner,
    forcing: float,
) -> tuple[Array, int]:
    """The solution of (weight - div(c grad)) x = gradient up to forcing, and the transforms' pairs spent.

    Every iterate increases the quadratic model, so even an early stop is an ascent.
    """
    x, image = np.zeros_like(gradient), np.empty_like(gradient)
    residual = gradient.copy()
    z = precondition(residual)
    direction, size = z.copy(), float(np.vdot(residual, z))
    goal = forcing**2 * size
    count = 1
    while size > goal and count < MOST:
        curvature = weighted_laplacian(weight, *conductances, direction, image)
        if not curvature > 0:
            break
        length = size / curvature
        x += length * direction
        residual -= length * image
        z = precondition(residual)
        last, size = size, float(np.vdot(residual, z))
        direction *= size / last
        direction += z
        count += 1
    return (x, count) if count > 1 else (z, count)
