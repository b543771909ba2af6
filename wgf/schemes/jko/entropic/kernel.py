"""The Gaussian kernel of entropic transport on a box: one dense matrix per axis, or logarithms of lines.

K v(x) = integral over the box of exp(-|x - y|^2 / (2 epsilon)) v(y) dy / (2 pi epsilon)^(d/2), by the
midpoint rule on the cells, whose error is exp(-2 pi^2 epsilon / h^2): 3e-9 at epsilon = h^2, 7e-18 at 2 h^2.

|x - y| is the distance in a convex box with walls that nothing passes, so this kernel is the quadratic
cost itself. Turned down: the heat kernel with reflecting walls, applied by cosine transforms. It has the
same limit and leaves a uniform density flat at the walls without debiasing, but its far values are the
rounding of the transform, at 1e-17 and of either sign: positivity and every logarithm would be lost.
"""

from __future__ import annotations

import numpy as np

from wgf.kernels.entropic import log_blur
from wgf.measures import Grid

Array = np.ndarray
SMALLEST = 1e-290  # of a sum of plain numbers: what underflows below 1e-308 is no part of it


class GaussianKernel:
    """log K exp(v) for arrays v = log of a density, (*cells,); exact to rounding for any range of v."""

    def __init__(self, grid: Grid, epsilon: float) -> None:
        self.epsilon = epsilon
        self.sharpness = grid.spacing**2 / (2 * epsilon)
        self.weight = float(np.prod(grid.spacing / np.sqrt(2 * np.pi * epsilon)))
        self.matrices = []
        for n, sharpness in zip(grid.cells, self.sharpness, strict=True):
            index = np.arange(n, dtype=np.float64)
            self.matrices.append(np.exp(-sharpness * (index[:, None] - index) ** 2))

    def log_apply(self, values: Array, needed: Array) -> Array:
        """log K exp(values), right wherever `needed`; elsewhere it may be -inf once it is below e^-667.

        Plain matrix products, scaled by the largest value, while no needed sum is so small that underflow
        may have taken terms from it; else logarithms of lines, at 2 to 4 times the price.
        """
        top = values.max()
        if top == -np.inf:
            return np.full_like(values, -np.inf)
        total = self._apply(np.exp(values - top))
        lost = total < SMALLEST
        if (lost & needed).any():
            return self.log_lines(values)
        total[lost] = 0.0
        with np.errstate(divide="ignore"):
            return np.log(total) + (top + np.log(self.weight))

    def _apply(self, values: Array) -> Array:
        for matrix in self.matrices:  # each product turns the axes by one; after d of them they are back
            values = (matrix @ values.reshape(len(matrix), -1)).T.reshape(*values.shape[1:], len(matrix))
        return values

    def log_lines(self, values: Array) -> Array:
        """The same, axis by axis in logarithms throughout."""
        for axis, sharpness in enumerate(self.sharpness):
            turned = np.ascontiguousarray(np.moveaxis(values, axis, -1))
            lines = turned.reshape(-1, turned.shape[-1])
            target = np.empty_like(lines)
            log_blur(lines, target, float(sharpness))
            values = np.moveaxis(target.reshape(turned.shape), -1, axis)
        return np.ascontiguousarray(values) + np.log(self.weight)
