"""Scharfetter-Gummel rates of one axis, and the factors with which its implicit equations are solved.

Two doors to the same factors: `sg_factors` makes the rates of a constant diffusion from V as it goes, the
fast path; `rate_factors` takes any nonnegative rates per face.

The flux through the face between cells i and i+1 is F = (D/h) [B(w) rho_i - B(-w) rho_{i+1}] with
w = (V_{i+1} - V_i)/D and B(z) = z/(e^z - 1) (Scharfetter & Gummel, 1969). It vanishes exactly on
exp(-V/D) at the cell centres, because B(-w) = e^w B(w).
"""

from __future__ import annotations

import numpy as np

from wgf.kernels.registry import Kernel

LANES = 16  # lines solved together: two vector registers of 8 doubles hide the latency of a recurrence
COLUMNS = 4  # numbers per face in the factors
SERIES_BELOW = 0.5
# Bernoulli numbers B_2k / (2k)!: (z/2) coth(z/2) = sum_k of them z^2k, to 1e-18 for |z| < 1/2.
EVEN = (1.0, 1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160, -691 / 1307674368000, 1 / 74724249600)


def bernoulli(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(B(z), B(-z)) for B(z) = z/(e^z - 1), each to a few units in the last place, for any finite z.

    Both are built from positive numbers, B(-|z|) = B(|z|) + |z|, so their ratio is e^-z to rounding:
    that is what keeps exp(-V/D) at rest.

    >>> [float(b) for b in bernoulli(np.array(0.0))]
    [1.0, 1.0]
    """
    size = np.abs(z)
    even = np.polynomial.polynomial.polyval(np.minimum(size, SERIES_BELOW) ** 2, EVEN)
    decay = np.exp(-np.maximum(size, SERIES_BELOW))
    small = np.where(size < SERIES_BELOW, even - 0.5 * size, size * decay / (1 - decay))
    large = np.where(size < SERIES_BELOW, even + 0.5 * size, small + size)
    return np.where(z > 0, small, large), np.where(z > 0, large, small)


def _sg_factors(
    potential: np.ndarray, strength: float, temperature: float, axis: int, periodic: bool
) -> np.ndarray:
    """Factors of (1 + a C) phi = rhs for the face fluxes along one axis, packed for the sweeps.

    With up = strength B(w) and down = strength B(-w) on the faces, w = difference of potential/temperature,
    row i of the equations is (1 + up_i + down_i) phi_i - up_i phi_{i-1} - down_i phi_{i+1} = rhs_i.
    potential: (*cells) values of V. strength: dt D/h^2 times the scheme's coefficient.
    Returns (blocks, faces, 4, lanes): blocks of `lanes` neighbouring lines (1 if there is a single line,
    else LANES, the last block padded), one face between neighbours (n - 1, or n when periodic: face
    n - 1 closes the ring), and per face up, down, q = 1/pivot of elimination upwards and
      no flux: t = 1/pivot of elimination downwards;
      periodic: h = response of the open line to the closing flux, and q of the closing face its pivot.
    Every row sums to 1, so the excess s of a pivot obeys s_i = 1 + up_i s_{i-1}/pivot_{i-1}: no
    subtraction occurs and the factors are exact to rounding however stiff the equations are
    (Grassmann, Taksar & Heyman, 1985, for Markov chains).
    """
    potential = np.moveaxis(potential, axis, 0)
    n = len(potential)
    v = potential.reshape(n, -1)
    w = (np.concatenate([v[1:], v[:1]]) if periodic else v[1:]) - (v if periodic else v[:-1])
    up, down = (strength * rate for rate in bernoulli(w / temperature))
    return _packed(up, down, periodic)


def _rate_factors(up: np.ndarray, down: np.ndarray, strength: float, axis: int, periodic: bool) -> np.ndarray:
    """The factors of `sg_factors` for any rates >= 0 per face: variable mobility, drift, closed faces.

    up, down: rates of the jumps through the faces of `axis`, with n - 1 faces there (n when periodic) and
    the grid's cells along the other axes. strength: what multiplies them, dt times the scheme's coefficient.
    Detailed balance is not needed: the rows sum to 1 for any rates.
    """
    faces = up.shape[axis]
    up, down = (strength * np.moveaxis(rate, axis, 0).reshape(faces, -1) for rate in (up, down))
    return _packed(up, down, periodic)


def _packed(up: np.ndarray, down: np.ndarray, periodic: bool) -> np.ndarray:
    q, t = (_ring if periodic else _open)(up, down)
    return pack(np.stack([up, down, q, t], axis=1))


def _upward(up: np.ndarray, down: np.ndarray) -> np.ndarray:
    q = np.empty_like(up)
    excess = 1 + up[0]
    q[0] = 1 / (excess + down[0])
    for i in range(1, len(up)):
        excess = 1 + up[i] * (excess * q[i - 1])
        q[i] = 1 / (excess + down[i])
    return q


def _open(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return _upward(up, down), _upward(down[::-1], up[::-1])[::-1]


def _ring(up: np.ndarray, down: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    q, h = np.empty_like(up), np.zeros_like(up)
    q[:-1] = _upward(up[:-1], down[:-1])
    coupling = np.zeros_like(up[:-1])
    coupling[0] += up[0]
    coupling[-1] += down[-2]
    h[:-1] = substitute(coupling, up[:-1], down[:-1], q[:-1])
    missing = substitute(np.ones_like(coupling), up[:-1], down[:-1], q[:-1])  # 1 - h without subtraction
    q[-1] = 1 / (1 + up[-1] * missing[-1] + down[-1] * missing[0])
    return q, h


def substitute(rhs: np.ndarray, up: np.ndarray, down: np.ndarray, q: np.ndarray) -> np.ndarray:
    """phi of (1 + up_i + down_i) phi_i - up_i phi_{i-1} - down_i phi_{i+1} = rhs_i on open lines."""
    phi = rhs * q
    for i in range(1, len(up)):
        phi[i] += up[i] * phi[i - 1] * q[i]
    for i in range(len(up) - 2, -1, -1):
        phi[i] += down[i] * q[i] * phi[i + 1]
    return phi


def pack(columns: np.ndarray) -> np.ndarray:
    """(faces, 4, lines) as (blocks, faces, 4, lanes), padded with faces that carry nothing."""
    faces, _, lines = columns.shape
    width = 1 if lines == 1 else LANES
    blocks = -(-lines // width)
    padded = np.zeros((faces, COLUMNS, blocks * width))
    padded[:, 2] = 1.0
    padded[:, :, :lines] = columns
    return np.ascontiguousarray(padded.reshape(faces, COLUMNS, blocks, width).transpose(2, 0, 1, 3))


def unpack(factors: np.ndarray, lines: int) -> np.ndarray:
    """The inverse of `pack`: (faces, 4, lines)."""
    blocks, faces, columns, width = factors.shape
    return factors.transpose(1, 2, 0, 3).reshape(faces, columns, blocks * width)[:, :, :lines]


sg_factors = Kernel(_sg_factors, cpu="wgf.kernels.cpu.scharfetter_gummel:sg_factors")
rate_factors = Kernel(_rate_factors, cpu="wgf.kernels.cpu.scharfetter_gummel:rate_factors")
