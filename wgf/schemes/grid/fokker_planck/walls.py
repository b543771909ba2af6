r"""A full tensor at a no-flux wall: the conduction along the wall that bonds through it would have carried.

Bonds that leave the box are left out, and with them half of what the outermost cells conduct along the
wall: an error of first order wherever probability runs along a wall that M meets obliquely. It is put back.
At the wall the gradient g of xi has (M g)_k = 0, so the tangential part of g is all there is, and the bonds
that are left conduct less by a quadratic form that is never negative (leaving bonds out only lowers the
minimum of the energy). Added to the tangential weights of the outermost cells it keeps every sign.
"""

from __future__ import annotations

import numpy as np

LAYERS = 8  # times the reach of the longest bond: how deep the disturbance by a wall is followed
DEEPEST = 64  # cells; what bonds longer than 8 cells lose is put back in part
SLAB = 1024  # cells at a wall worked on together: 32 MB at most
SHIFT = 1e-13  # of the trace: makes the chain's matrix, which sends constants to zero, invertible


def wall_tensors(matrices: np.ndarray, weights: np.ndarray, offsets: np.ndarray, axis: int) -> np.ndarray:
    """The tangential tensors (n, d - 1, d - 1) of cells at a wall across `axis`.

    matrices: (n, d, d) in units of the spacing, with their decomposition by `selling`. The tensors replace
    the bonds along the wall, and hold what bonds through it lost.
    """
    along = np.arange(matrices.shape[-1]) != axis
    upward = offsets * np.where(offsets[..., axis] < 0, -1, 1)[..., None]
    reach = upward[..., axis]
    slope = matrices[:, axis, along] / matrices[:, axis, axis, None]
    u = upward[..., along] - reach[..., None] * slope[:, None, :]  # e.g = u.(tangential part of g)
    share = np.where(reach == 0, 1.0, 0.5 * reach)
    found = np.einsum("nk,nki,nkj->nij", weights * share, u, u)
    longest = int(reach[weights > 0].max())
    if longest > 1:
        for low in range(0, len(found), SLAB):
            some = slice(low, low + SLAB)
            found[some] += _relaxed(weights[some], reach[some], u[some], longest)
    return found


def _relaxed(weights: np.ndarray, reach: np.ndarray, u: np.ndarray, longest: int) -> np.ndarray:
    """What is lost besides, because xi adapts in the layers where only some bonds are left out.

    The minimum over chi of sum over bonds kept of a_e (u.g + chi_{l + m} - chi_l)^2, l counting the layers.
    """
    depth = min(LAYERS * longest, DEEPEST)
    layers = np.arange(depth)
    beyond = reach[:, None, :] > layers[:, None]
    force = np.einsum("nlk,nki->nli", beyond * weights[:, None, :], u)
    chain = np.zeros((len(weights), depth, depth))
    for m in range(1, min(longest, depth - 1) + 1):
        difference = np.eye(depth, k=m)[: depth - m] - np.eye(depth)[: depth - m]
        total = np.where(reach == m, weights, 0.0).sum(axis=1)
        chain += total[:, None, None] * (difference.T @ difference)
    shift = SHIFT * np.einsum("nll->n", chain)
    chain += shift[:, None, None] * np.eye(depth)
    return force.swapaxes(1, 2) @ np.linalg.solve(chain, force)
