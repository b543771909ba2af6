"""Guards: is every number of a state finite, and every density nonnegative?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf.arrays import to_numpy
from wgf.measures.base import NEGATIVE_TOLERANCE


class Fault(NamedTuple):
    """What is wrong ("x became nan") and where ("index (3, 1)")."""

    sentence: str
    place: str


def find_fault(state: Any) -> Fault | None:
    """The first fault in the fields of a state, None when there is none.

    A field called `rho` is a density and must be >= 0 up to rounding.
    """
    for name, value in state._asdict().items():
        array = to_numpy(value)
        if array.dtype.kind != "f" or array.size == 0:
            continue
        # The usual case costs one fast pass: a sum of squares is finite only if every number is (or it
        # overflowed, which the second look settles).
        flat = array.ravel(order="K")
        with np.errstate(over="ignore", invalid="ignore"):
            finite = bool(np.isfinite(np.dot(flat, flat)))
        if not finite:
            bad = ~np.isfinite(array)
            if bad.any():
                index = _first(bad)
                return Fault(f"{name} became {array[index]}", f"index {index}")
        if name == "rho" and array.min() < -NEGATIVE_TOLERANCE * array.max():
            index = np.unravel_index(int(array.argmin()), array.shape)
            cell = tuple(int(k) for k in index)
            return Fault(f"density became negative (min {array.min():.1e})", f"cell {cell}")
    return None


def _first(mask: np.ndarray) -> tuple[int, ...]:
    return tuple(int(k) for k in np.argwhere(mask)[0])
