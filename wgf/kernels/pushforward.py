r"""Push-forward of a density on cells by a map given by the images of the faces of its cells.

The gradient map x - tau grad phi of a potential on cells moves the face between two neighbours along their
axis by a difference of phi, so the image of a cell is a box whose sides are four (two, six) of those numbers:
the images of the cells of a line are gapless, and in one dimension they are the Laguerre cells of the
semi-discrete transport problem, exactly. `pull` measures a density on such boxes (the boxes are preimages
of the cells that receive), `push` spreads the content of each cell over its box. Both take the density
linear in each cell, limited only where it would become negative, and can give out what they take in, to
rounding.

Arrays have three axes (n0, n1, n2), the first ones of length 1 in the plane and on the line; positions are
counted in cells from the lower wall. Turned down: point-wise interpolation of the density times a
determinant, which loses mass at every step, and clipping of the images' polygons, exact for sheared boxes
too and 30 times the work.
"""

from __future__ import annotations

import itertools

import numpy as np

from wgf.kernels.registry import Kernel

Array = np.ndarray
Faces = tuple[Array, Array, Array]
Slopes = tuple[Array, Array, Array]
THIN = 1e-12  # cells: a narrower image is a point, and lies in one cell


def _faces(potential: Array, strengths: Array, f0: Array, f1: Array, f2: Array) -> None:
    """Images of the faces under x - strengths grad potential, in order along their lines.

    strengths: (3,) tau / h_k^2. f_k: (n0, n1, n2) with one more entry along axis k, written. Walls stay
    where they are and nothing passes them. Faces that overtake each other are pooled (see `_ordered`).
    """
    for axis, f in enumerate((f0, f1, f2)):
        n = potential.shape[axis]
        phi, image = np.moveaxis(potential, axis, 0), np.moveaxis(f, axis, 0)
        image[0], image[n] = 0.0, n
        image[1:n] = np.arange(1.0, n).reshape(-1, 1, 1) - strengths[axis] * (phi[1:] - phi[:-1])
        _ordered(f, axis)


def _ordered(positions: Array, axis: int) -> None:
    """Put the inner positions of every line along an axis in order, within its ends, in place.

    Runs out of order get their mean, as least squares has it: for images of faces under x - tau grad phi
    these are the slopes of the lower convex hull of x^2 / 2 - tau phi, the images of the c-concave envelope.
    Ayer, Brunk, Ewing, Reid & Silverman, 1955 (pool adjacent violators).
    """
    moved = np.moveaxis(positions, axis, 0)
    n = len(moved) - 1
    disordered = (np.diff(moved[1:n], axis=0) < 0).any(0)
    for place in np.argwhere(disordered):
        line = moved[(slice(1, n), *place)]
        means, counts = [], []
        for value in line:
            mean, count = float(value), 1
            while means and means[-1] >= mean:
                mean = (mean * count + means[-1] * counts[-1]) / (count + counts[-1])
                count += counts.pop()
                means.pop()
            means.append(mean)
            counts.append(count)
        moved[(slice(1, n), *place)] = np.repeat(means, counts)
    np.clip(moved[1:n], moved[0], moved[n], out=moved[1:n])


def slopes(rho: Array, sides: Faces | None = None) -> Slopes:
    """Central differences per cell along each axis, limited so that no value in the cell is negative.

    sides: with them the slopes are those of the image of rho under a map with these images of the faces,
    in units of the image: where boxes widen the image is thinned within each of them too (for `push`; a push
    without that is first order).
    """
    active = [axis for axis in range(3) if rho.shape[axis] > 1]
    result = []
    for axis in range(3):
        slope = np.zeros_like(rho)
        if axis in active:
            slope = _difference(rho, axis)
            if sides is not None:
                width = np.diff(sides[axis], axis=axis)
                slope -= rho * _difference(width, axis) / np.where(width > THIN, width, np.inf)
            most = 2 * rho / len(active)
            slope = np.clip(slope, -most, most)
        result.append(np.ascontiguousarray(slope))
    return result[0], result[1], result[2]


def _difference(values: Array, axis: int) -> Array:
    """Half the difference of the two neighbours, a wall's cell being its own."""
    n = values.shape[axis]
    padded = np.concatenate([values.take([0], axis), values, values.take([-1], axis)], axis)
    return 0.5 * (padded.take(range(2, n + 2), axis) - padded.take(range(n), axis))


def _sides(faces: Faces) -> list[tuple[Array, Array]]:
    """Lower and upper side of every box along each axis, (n0, n1, n2) each."""
    sides = []
    for axis, f in enumerate(faces):
        n = f.shape[axis] - 1
        sides.append((f.take(range(n), axis), f.take(range(1, n + 1), axis)))
    return sides


def _overlaps(faces: Faces, shape: tuple[int, ...]):
    """(cells, lengths, middles) for all parts that boxes have in cells: what the reference loops over."""
    sides = _sides(faces)
    first = [np.minimum(low.astype(np.int64), n - 1) for (low, _), n in zip(sides, shape, strict=True)]
    reach = [
        int((np.minimum(np.ceil(high), n) - f).max())
        for (_, high), f, n in zip(sides, first, shape, strict=True)
    ]
    for offset in itertools.product(*(range(max(1, r)) for r in reach)):
        cells, lengths, middles = [], [], []
        for k in range(3):
            cell = np.minimum(first[k] + offset[k], shape[k] - 1)
            low = np.maximum(sides[k][0], cell)
            high = np.minimum(sides[k][1], cell + 1.0)
            inside = (first[k] + offset[k] < shape[k]) & (high >= low)
            cells.append(cell)
            lengths.append(np.where(inside, high - low, 0.0))
            middles.append(0.5 * (low + high))
        yield offset, tuple(cells), lengths, middles


def _pull(
    rho: Array, s0: Array, s1: Array, s2: Array, f0: Array, f1: Array, f2: Array, share: bool, out: Array
) -> None:
    """out = integral of the density over every box, in units of a cell's volume.

    share: True divides what lies in a cell among the boxes that cover it, so content is conserved to rounding
    though sheared boxes overlap; False integrates as the boxes stand: the Monge-Ampere form, which conserves
    up to the square of the shear.
    """
    slope = (s0, s1, s2)
    cover, moments = np.zeros_like(rho), [np.zeros_like(rho) for _ in range(3)]
    if share:
        for _, cells, lengths, middles in _overlaps((f0, f1, f2), rho.shape):
            part = lengths[0] * lengths[1] * lengths[2]
            np.add.at(cover, cells, part)
            for k in range(3):
                np.add.at(moments[k], cells, part * (middles[k] - cells[k] - 0.5))
    covered = cover > 0
    scale = np.where(covered, 1 / np.where(covered, cover, 1.0), 1.0)
    out[...] = 0.0
    for _, cells, lengths, middles in _overlaps((f0, f1, f2), rho.shape):
        part = lengths[0] * lengths[1] * lengths[2] * scale[cells]
        value = rho[cells]
        for k in range(3):
            away = middles[k] - cells[k] - 0.5 - moments[k][cells] * scale[cells]
            value = value + slope[k][cells] * away
        out += part * value


def _push(rho: Array, s0: Array, s1: Array, s2: Array, f0: Array, f1: Array, f2: Array, out: Array) -> None:
    """out = the content of every cell spread over its box, linear in the cell, in densities."""
    faces, slope = (f0, f1, f2), (s0, s1, s2)
    sides = _sides(faces)
    widths = [high - low for low, high in sides]
    out[...] = 0.0
    for offset, cells, lengths, middles in _overlaps(faces, rho.shape):
        part, value = np.ones_like(rho), rho.copy()
        for k in range(3):
            thin = widths[k] <= THIN
            width = np.where(thin, 1.0, widths[k])
            part = part * np.where(thin, float(offset[k] == 0), lengths[k] / width)
            value = value + slope[k] * np.where(thin, 0.0, (middles[k] - sides[k][0]) / width - 0.5)
        np.add.at(out, cells, part * value)


faces = Kernel(_faces, cpu="wgf.kernels.cpu.pushforward:faces")
ordered = Kernel(_ordered, cpu="wgf.kernels.cpu.pushforward:ordered")
pull = Kernel(_pull, cpu="wgf.kernels.cpu.pushforward:pull")
push = Kernel(_push, cpu="wgf.kernels.cpu.pushforward:push")
