r"""exp, log, sin and cos as the compiled kernels use them, with their error bounds.

Inside numba loops these are branch-free polynomials that vectorise (`cpu/fastmath.py`); the array forms here
exist so that the bounds can be measured. Against the exact function, over the stated range, in units
in the last place (half of one being the best possible), for float32 and float64 alike:

    exp(x)                x in [-708, 0] (float32: [-87, 0])          1 ulp, exactly 0 below
    log(x)                positive normal x                           1 ulp
    sin, cos(2 pi u)      u in [-1/2, 1/2]                            1.5 ulp, also next to their zeros

NaN gives NaN in exp, sin and cos; log takes positive normal numbers only.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.kernels.registry import Kernel


def _exp(x: Any) -> Any:
    """exp(x) of a flat array, x <= 0."""
    lowest = -87.0 if x.dtype == np.float32 else -708.0
    return np.where(x < lowest, x.dtype.type(0), np.exp(x))


def _log(x: Any) -> Any:
    """log(x) of a flat array, x positive and normal."""
    return np.log(x)


def _sincos(u: Any) -> Any:
    """sin(2 pi u) and cos(2 pi u), stacked (2, n); the angle is reduced before 2 pi is multiplied in."""
    quarters = np.round(4 * u)
    angle = 2 * np.pi * (u - 0.25 * quarters).astype(np.float64)
    sin, cos = np.sin(angle), np.cos(angle)
    turned = [(sin, cos), (cos, -sin), (-sin, -cos), (-cos, sin)]
    k = quarters.astype(np.int64) % 4
    return np.stack([np.choose(k, [t[part] for t in turned]) for part in (0, 1)]).astype(u.dtype)


exp = Kernel(reference=_exp, cpu="wgf.kernels.cpu.fastmath:exp_array")
log = Kernel(reference=_log, cpu="wgf.kernels.cpu.fastmath:log_array")
sincos = Kernel(reference=_sincos, cpu="wgf.kernels.cpu.fastmath:sincos_array")
