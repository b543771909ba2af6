"""Which array library holds this array, and how to bring it to the host.

CuPy arrays obey NumPy's dispatch protocols, so most code needs no more than `namespace`. CuPy is
never imported here: an array can only be a CuPy array if the user imported CuPy already.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import numpy as np

Array = np.ndarray  # or a CuPy array: the same names, on the device


def namespace(x: Any) -> ModuleType:
    """numpy or cupy, whichever made `x`."""
    cupy = sys.modules.get("cupy")
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    return np


def to_numpy(x: Any) -> np.ndarray:
    """`x` on the host, without a copy when it is there already."""
    module = namespace(x)
    return np.asarray(x) if module is np else module.asnumpy(x)
