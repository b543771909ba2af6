r"""Densities that jump: where the faces of cells belong whose mass has to come from behind a jump.

Mass spreading from a jump reaches the cells outside from a layer thinner than a cell. Newton's method reads
the density at the images of their faces, and an image a hair beyond the jump reads the vacuum: the step that
follows is wrong by many orders of magnitude. So the transport is linearised at the place such a face has to
come back to, the nearest cell that holds mass, and the way there is part of the right-hand side; so is the
way from a fold of the map to where the faces were pooled. The equation solved stays the same.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wgf.kernels.pushforward import Faces

Array = np.ndarray
HELD = 1e-6  # of the largest density: less is a vacuum
STEEP = 1e3  # ratio of neighbouring densities, one of them held, that makes a jump
OUT_OF_REACH = 100.0  # cells that a box would have to span at the density where it lies


class Shore(NamedTuple):
    """Which cells hold mass, and the cell that does nearest to every cell, an array of indices per axis."""

    held: Array
    nearest: tuple[Array, Array, Array]


def shore(mu: Array) -> Shore | None:
    """The edge of what a density holds, None where it falls off without a jump."""
    from scipy.ndimage import distance_transform_edt

    held = mu > HELD * mu.max()
    for axis, n in enumerate(mu.shape):
        first, second = mu.take(range(n - 1), axis), mu.take(range(1, n), axis)
        low, high = np.minimum(first, second), np.maximum(first, second)
        if ((high > HELD * mu.max()) & (high > STEEP * low)).any():
            nearest = np.asarray(distance_transform_edt(~held, return_distances=False, return_indices=True))
            return Shore(held, (nearest[0], nearest[1], nearest[2]))
    return None


def recalled(
    shore: Shore, mu: Array, asked: Array, sides: Faces, moved: Array, axis: int
) -> tuple[Array, Array]:
    """Per upper face: how far its image lies beyond where it belongs, and the content per length there.

    mu, asked: densities before and asked for, all positive. sides: images of the faces, in order. moved: what
    they would be as they stand, without the walls along the axis.
    """
    n = asked.shape[axis]
    away, content = np.zeros_like(asked), np.zeros_like(asked)
    below = tuple(slice(n - 1) if k == axis else slice(None) for k in range(3))
    above = tuple(slice(1, n) if k == axis else slice(None) for k in range(3))
    image = sides[axis].take(range(1, n), axis)
    places, widths = [], []
    for k, m in enumerate(asked.shape):
        if k == axis:
            where = image
        else:
            width = np.diff(sides[k], axis=k)
            widths.append(0.5 * (width[below] + width[above]))
            middle = sides[k].take(range(m), k) + 0.5 * width
            where = 0.5 * (middle[below] + middle[above])
        places.append(np.clip(where.astype(np.int64), 0, m - 1))
    here = (places[0], places[1], places[2])
    most = np.maximum(asked[below], asked[above])
    lost = ~shore.held[here] & (most > OUT_OF_REACH * mu[here])
    home = tuple(np.where(lost, near[here], place) for near, place in zip(shore.nearest, here, strict=True))
    away[below] = moved - np.where(lost, np.clip(image, home[axis], home[axis] + 1), image)
    density = mu[home]
    # a box that is shut yet has to be at least so wide across
    least = np.minimum(1.0, most / density)
    content[below] = density
    for k, width in zip([k for k in range(3) if k != axis], widths, strict=True):
        if asked.shape[k] > 1:
            content[below] *= np.maximum(width, least)
    return away, content
