r"""The c-transform of a potential on cells for the cost |x - y|^2 / (2 tau), by lower envelopes of parabolas.

phi^c(y) = min over cells x of |x - y|^2 / (2 tau) - phi(x) is a minimum over one axis after another, and
along a line every cell is the vertex of a parabola of the same width. Two such parabolas cross once, so the
envelope is the lower convex hull of phi's Legendre transform and is found in O(n): the vertices on the hull
in one sweep, the parabola above each cell in another.
Lucet, 1997; Felzenszwalb & Huttenlocher, 2012 (distance transforms); Jacobs & Leger, 2020 (in transport).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wgf.kernels.registry import Kernel

ALL_PAIRS = 2**22  # differences held at once by the reference


def _envelope(lines: np.ndarray, curvature: float, out: np.ndarray) -> None:
    """out[l, i] = min over j of curvature (i - j)^2 - lines[l, j], a line per row.

    lines: (l, n), finite or -inf (a cell that offers no parabola; +inf results where none does).
    """
    n = lines.shape[1]
    cells = np.arange(n)
    parabolas = curvature * (cells[:, None] - cells) ** 2
    rows = max(1, ALL_PAIRS // (n * n))
    for first in range(0, len(lines), rows):
        some = slice(first, first + rows)
        out[some] = (parabolas - lines[some, None, :]).min(-1)


envelope = Kernel(_envelope, cpu="wgf.kernels.cpu.c_transform:envelope")


def c_transform(potential: np.ndarray, curvatures: Sequence[float]) -> np.ndarray:
    """min over cells j of sum_k curvatures[k] (i_k - j_k)^2 - potential[j], at every cell i.

    potential: (*cells). curvatures: h_k^2 / (2 tau) > 0 per axis.

    >>> c_transform(np.array([0.0, 3.0, 0.0]), (1.0,)).tolist()
    [-2.0, -3.0, -2.0]
    """
    result = np.asarray(potential, dtype=np.float64)
    for axis, curvature in enumerate(curvatures):
        n = result.shape[axis]
        if n == 1:
            continue
        lines = np.ascontiguousarray(np.moveaxis(result, axis, -1)).reshape(-1, n)
        lowest = np.empty_like(lines)
        envelope(lines, float(curvature), lowest)
        moved = [m for k, m in enumerate(result.shape) if k != axis]
        result = -np.moveaxis(lowest.reshape(*moved, n), -1, axis)
    return np.ascontiguousarray(-result)
