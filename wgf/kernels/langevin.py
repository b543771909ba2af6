r"""One step of overdamped Langevin dynamics, dX = -grad V dt + sqrt(2 D) dW, for a whole cloud.

With move(x) = dt grad V(x), tamed to move / (1 + |move|) on request, z_n the normals of step n of the
counter generator (`wgf.kernels.philox`) and a = sqrt(2 D dt):

    "euler-maruyama"       x - move(x) + a z_n
    "leimkuhler-matthews"  x - move(x) + a (z_n + z_{n+1}) / 2
    "heun"                 y = x - move(x) + a z_n,   x - (move(x) + move(y)) / 2 + a z_n

`potential` names a potential whose gradient the kernel knows ("quadratic-diagonal", "quadratic",
"double-well", "ring", `parameters` as their `fused` gives them), or is "given" and `parameters` is
grad V at x, (d, n). Positions are (d, n): coordinates first, so that neighbours in memory are
neighbours in a vector register.

The noise is never stored: z_{n+1} of one step is recomputed as z_n of the next.
Leimkuhler & Matthews 2013 (AMRX), eq. 1.4; the others are textbook forms (Kloeden & Platen 1992).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.kernels.philox import NOISE, normals
from wgf.kernels.registry import Kernel

GIVEN, QUADRATIC_DIAGONAL, QUADRATIC, DOUBLE_WELL, RING = range(5)
POTENTIALS = {
    "given": GIVEN,
    "quadratic-diagonal": QUADRATIC_DIAGONAL,
    "quadratic": QUADRATIC,
    "double-well": DOUBLE_WELL,
    "ring": RING,
}
EULER_MARUYAMA, LEIMKUHLER_MATTHEWS, HEUN = range(3)
INTEGRATORS = {"euler-maruyama": EULER_MARUYAMA, "leimkuhler-matthews": LEIMKUHLER_MATTHEWS, "heun": HEUN}


def shaped(potential: str, parameters: Any, dt: float, x: Any) -> np.ndarray:
    """Parameters of dt V as the kernel reads them: two-dimensional, in the type of x."""
    p = np.array(parameters, np.float64, ndmin=2)
    if POTENTIALS[potential] in (QUADRATIC_DIAGONAL, QUADRATIC):
        p = np.array(np.broadcast_to(p, (p.shape[0], x.shape[0])))
        p[1:] *= dt
    elif POTENTIALS[potential] == DOUBLE_WELL:
        p *= dt
    else:
        p[0, 1] *= dt
    return p.astype(x.dtype)


def _gradient(x: Any, kind: int, p: Any) -> Any:
    """grad V (d, n) of a potential the kernel knows."""
    if kind == QUADRATIC_DIAGONAL:
        return p[1][:, None] * (x - p[0][:, None])
    if kind == QUADRATIC:
        return p[1:] @ (x - p[0][:, None])
    if kind == DOUBLE_WELL:
        barrier, stiffness, tilt = p[0]
        return np.concatenate([4 * barrier * x[:1] * (x[:1] ** 2 - 1) + tilt, stiffness * x[1:]])
    radius_squared, stiffness = p[0]
    return stiffness * ((x**2).sum(0) - radius_squared) * x


def _langevin_step(
    x: Any,
    potential: str,
    parameters: Any,
    dt: float,
    amplitude: float,
    key: Any,
    step: int,
    integrator: str,
    tamed: bool,
) -> tuple[np.ndarray, bool]:
    """Positions (d, n) one step later, and whether all are finite; amplitude = sqrt(2 D dt).

    See the module's docstring.

    >>> import numpy as np
    >>> key, x = np.zeros(4, np.uint32), np.ones((2, 3))
    >>> langevin_step(x, "quadratic-diagonal", [[0.0], [1.0]], 0.1, 0.0, key, 0, "heun", False)[0]
    array([[0.905, 0.905, 0.905],
           [0.905, 0.905, 0.905]])
    """
    kind = POTENTIALS[potential]
    real = x.dtype.type
    p = None if kind == GIVEN else shaped(potential, parameters, dt, x)

    def move(y: Any) -> Any:
        given = kind == GIVEN
        result = real(dt) * np.asarray(parameters, x.dtype) if given else _gradient(y, kind, p)
        return result / (1 + np.sqrt((result**2).sum(0))) if tamed else result

    d, n = x.shape
    noise = normals(key, step, NOISE, n, d, x.dtype)
    if integrator == "leimkuhler-matthews":
        noise = real(0.5) * (noise + normals(key, step + 1, NOISE, n, d, x.dtype))
    noise *= real(amplitude)
    first = move(x)
    moved = x - first + noise
    if integrator == "heun":
        moved = x - real(0.5) * (first + move(moved)) + noise
    return moved, bool(np.isfinite(moved).all())


langevin_step = Kernel(reference=_langevin_step, cpu="wgf.kernels.cpu.langevin:langevin_step")
