"""The sides of a box for particles: periodic axes wrap, no-flux axes mirror on request.

Both are the same idea, a fold of the whole space onto the box: V is continued periodically, or evenly
across each wall, and a step in the box is the fold of a step in the unfolded space. So no scheme needs
to know about corners or several reflections in one step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Walls(NamedTuple):
    """One entry per axis that is not free: axis, lower side, length, and whether it mirrors."""

    sides: tuple[tuple[int, float, float, bool], ...] = ()

    @property
    def mirror(self) -> bool:
        """True when some axis reflects."""
        return any(side[3] for side in self.sides)

    def fold(self, x: np.ndarray) -> np.ndarray:
        """Positions (d, n) brought into the box."""
        return self.fold_with_signs(x)[0] if self.sides else x

    def fold_with_signs(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray | float]:
        """The folded positions (d, n) and, per entry, the sign of a gradient pulled back (-1: mirrored)."""
        if not self.sides:
            return x, 1.0
        folded = x.copy()
        signs = np.ones_like(x)
        for axis, low, length, mirror in self.sides:
            y = np.mod(x[axis] - low, 2 * length if mirror else length)
            if mirror:
                signs[axis][y > length] = -1.0
                y = np.minimum(y, 2 * length - y)
            # low + y may round past the side by one ulp
            folded[axis] = np.minimum(low + y, low + length)
        return folded, signs


def walls(problem: Any, reflect: bool) -> Walls:
    """The walls of a problem's box: its periodic axes, and its no-flux axes if `reflect`."""
    if problem.bounds is None:
        return Walls()
    sides = [
        (axis, low, high - low, kind != "periodic")
        for axis, ((low, high), kind) in enumerate(zip(problem.bounds, problem.boundary, strict=True))
        if kind == "periodic" or reflect
    ]
    return Walls(tuple(sides))
