"""Philox4x32-10 and the normals made from it, eight counters at a time: compiled `wgf.kernels.philox`.

The words live in 64-bit lanes from the first round to the last, because the one costly operation, 32 x 32
-> 64 bits, is a single vector instruction there and the unused upper halves need no clearing. A tile of
`TILE` particles takes `LANES` counters per draw; word w of counter g belongs to particle w * LANES + g
of the tile, so that the four words leave as four contiguous runs instead of being shuffled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, prange, types
from numba.extending import overload

from wgf.kernels.cpu.fastmath import (
    log32,
    log64,
    sincos_eighth32,
    sincos_eighth64,
    turn_by_quarters,
)
from wgf.kernels.philox import FINE, LANES, TILE

MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW_HALF, HALF_WORD = np.uint64(0xFFFFFFFF), np.uint64(32)
TO_UNIT, TO_UNIT32 = 2.0**-32, np.float32(2.0**-32)
CHUNK = 16  # tiles per parallel task

compiled = njit(cache=True, fastmath={"contract"}, error_model="numpy")
parallel = njit(cache=True, fastmath={"contract"}, error_model="numpy", parallel=True)


@njit(error_model="numpy", forceinline=True)
def philox(c0, c1, c2, c3, k0, k1):
    """Ten rounds on a counter of four 32-bit words held in uint64; upper halves of the result are junk."""
    for _ in range(10):
        p0 = MULTIPLIER_0 * (c0 & LOW_HALF)
        p1 = MULTIPLIER_1 * (c2 & LOW_HALF)
        c0 = (p1 >> HALF_WORD) ^ c1 ^ k0
        c1 = p1
        c2 = (p0 >> HALF_WORD) ^ c3 ^ k1
        c3 = p0
        k0 = (k0 + WEYL_0) & LOW_HALF
        k1 = (k1 + WEYL_1) & LOW_HALF
    return c0, c1, c2, c3


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _pair32(a, b):
    """Two float32 normals from two words: radius from a, angle from b (reduced exactly, as integers)."""
    radius = np.sqrt(np.float32(-2.0) * log32(np.float32(a) * TO_UNIT32 + np.float32(2.0**-33)))
    quarters = np.uint32(np.uint32(b + np.uint32(0x20000000)) >> np.uint32(30))
    rest = np.int32(np.uint32(b - np.uint32(quarters << np.uint32(30))))
    s, c = sincos_eighth32((np.float32(rest) + np.float32(0.5)) * TO_UNIT32)
    s, c = turn_by_quarters(s, c, np.int32(quarters))
    return radius * c, radius * s


@njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
def _pair64(a, b, fine_a, fine_b):
    """Two float64 normals; the same as `_pair32` with 32 more bits below each word."""
    radius = np.sqrt(-2.0 * log64((np.float64(a) + (np.float64(fine_a) + 0.5) * TO_UNIT) * TO_UNIT))
    quarters = np.uint32(np.uint32(b + np.uint32(0x20000000)) >> np.uint32(30))
    rest = np.int32(np.uint32(b - np.uint32(quarters << np.uint32(30))))
    s, c = sincos_eighth64((np.float64(rest) + (np.float64(fine_b) + 0.5) * TO_UNIT) * TO_UNIT)
    s, c = turn_by_quarters(s, c, np.int64(quarters))
    return radius * c, radius * s


@compiled
def _normals32(z, k, tile, step, purpose, draw, key):
    c1, c2, c3 = np.uint64(step), np.uint64(purpose ^ key[2]), np.uint64(draw ^ key[3])
    k0, k1, first = np.uint64(key[0]), np.uint64(key[1]), np.uint64(tile * LANES)
    for g in range(LANES):
        a, b, c, d = philox(first + np.uint64(g), c1, c2, c3, k0, k1)
        z[k, g], z[k, LANES + g] = _pair32(np.uint32(a), np.uint32(b))
        z[k, 2 * LANES + g], z[k, 3 * LANES + g] = _pair32(np.uint32(c), np.uint32(d))


@compiled
def _normals64(z, k, tile, step, purpose, draw, key):
    c1, c2, c3 = np.uint64(step), np.uint64(purpose ^ key[2]), np.uint64(draw ^ key[3])
    k0, k1, first = np.uint64(key[0]), np.uint64(key[1]), np.uint64(tile * LANES)
    fine = np.uint64((draw + FINE) ^ key[3])
    for g in range(LANES):
        a, b, c, d = philox(first + np.uint64(g), c1, c2, c3, k0, k1)
        p, q, r, s = philox(first + np.uint64(g), c1, c2, fine, k0, k1)
        z[k, g], z[k, LANES + g] = _pair64(np.uint32(a), np.uint32(b), np.uint32(p), np.uint32(q))
        z[k, 2 * LANES + g], z[k, 3 * LANES + g] = _pair64(
            np.uint32(c), np.uint32(d), np.uint32(r), np.uint32(s)
        )


@njit(error_model="numpy", forceinline=True)
def _unit(word, fine):
    """A number in (0, 1) from 64 bits; rounding to nearest alone would reach 1 once in 2^54 draws."""
    value = (np.float64(np.uint32(word)) + (np.float64(np.uint32(fine)) + 0.5) * TO_UNIT) * TO_UNIT
    return min(value, 1.0 - 2.0**-53)


@compiled
def _uniforms(u, tile, step, purpose, draw, key):
    c1, c2, c3 = np.uint64(step), np.uint64(purpose ^ key[2]), np.uint64(draw ^ key[3])
    k0, k1, first = np.uint64(key[0]), np.uint64(key[1]), np.uint64(tile * LANES)
    fine = np.uint64((draw + FINE) ^ key[3])
    for g in range(LANES):
        a, b, c, d = philox(first + np.uint64(g), c1, c2, c3, k0, k1)
        p, q, r, s = philox(first + np.uint64(g), c1, c2, fine, k0, k1)
        u[g] = _unit(a, p)
        u[LANES + g] = _unit(b, q)
        u[2 * LANES + g] = _unit(c, r)
        u[3 * LANES + g] = _unit(d, s)


def fill_normals(z: Any, k: Any, tile: Any, step: Any, purpose: Any, draw: Any, key: Any) -> None:
    """z[k] (TILE,): the normals of draw `draw` for the particles of a tile, in the type of z.

    A whole array and a row number, not a slice: a slice costs two atomic reference counts.
    """
    raise TypeError("fill_normals runs inside compiled code only.")


@overload(fill_normals)
def _fill_normals(z, k, tile, step, purpose, draw, key):
    # chosen by type, not by a branch: a branch would have both forms compiled, which takes seconds
    form = _normals32 if z.dtype == types.float32 else _normals64
    return lambda z, k, tile, step, purpose, draw, key: form(z, k, tile, step, purpose, draw, key)


@parallel
def _all_normals(out, step, purpose, key):
    n = out.shape[1]
    tiles = (n + TILE - 1) // TILE
    for chunk in prange((tiles + CHUNK - 1) // CHUNK):
        z = np.empty((1, TILE), out.dtype)
        for tile in range(chunk * CHUNK, min(chunk * CHUNK + CHUNK, tiles)):
            lo = tile * TILE
            hi = min(lo + TILE, n)
            for k in range(out.shape[0]):
                fill_normals(z, 0, tile, step, purpose, k, key)
                out[k, lo:hi] = z[0, : hi - lo]


@compiled
def _all_uniforms(out, step, purpose, key):
    n = out.shape[1]
    u = np.empty(TILE)
    for tile in range((n + TILE - 1) // TILE):
        lo = tile * TILE
        hi = min(lo + TILE, n)
        for k in range(out.shape[0]):
            _uniforms(u, tile, step, purpose, k, key)
            out[k, lo:hi] = u[: hi - lo]


def philox4x32(counter: Any, key: Any) -> np.ndarray:
    """Compiled form of `wgf.kernels.philox.philox4x32`."""
    out = np.empty(counter.shape, np.uint32)
    _philox_array(np.ascontiguousarray(counter, np.uint32), np.asarray(key, np.uint32), out)
    return out


@compiled
def _philox_array(counter, key, out):
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    for i in range(counter.shape[1]):
        a, b, c, d = philox(
            np.uint64(counter[0, i]),
            np.uint64(counter[1, i]),
            np.uint64(counter[2, i]),
            np.uint64(counter[3, i]),
            k0,
            k1,
        )
        out[0, i] = np.uint32(a)
        out[1, i] = np.uint32(b)
        out[2, i] = np.uint32(c)
        out[3, i] = np.uint32(d)


def normals(key: Any, step: int, purpose: int, n: int, d: int, dtype: Any = np.float64) -> np.ndarray:
    """Compiled form of `wgf.kernels.philox.normals`."""
    out = np.empty((d, n), dtype)
    _all_normals(out, step, purpose, np.require(key, np.uint32, ["C", "W"]))
    return out


def uniforms(key: Any, step: int, purpose: int, n: int, d: int) -> np.ndarray:
    """Compiled form of `wgf.kernels.philox.uniforms`."""
    out = np.empty((d, n))
    _all_uniforms(out, step, purpose, np.require(key, np.uint32, ["C", "W"]))
    return out
