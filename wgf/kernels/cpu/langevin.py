"""One Langevin step for all particles, gradient and noise in one sweep: compiled `wgf.kernels.langevin`.

A tile of particles is copied into first-level cache, padded to `TILE`, so that every loop has a fixed
length, and leaves once: the traffic is one read and one write of the positions. A task is `CHUNK` tiles
whatever the number of threads, and no task reads what another writes. The lines of the next tile are
asked for while this one is computed: a tile is too short for the hardware to see the streams (10 % of
the time of a float32 step).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from wgf.kernels.cpu.philox import CHUNK, TILE, fill_normals
from wgf.kernels.langevin import (
    DOUBLE_WELL,
    GIVEN,
    HEUN,
    INTEGRATORS,
    LEIMKUHLER_MATTHEWS,
    POTENTIALS,
    QUADRATIC,
    QUADRATIC_DIAGONAL,
    shaped,
)
from wgf.kernels.philox import NOISE

compiled = njit(cache=True, fastmath={"contract"}, error_model="numpy")
# a call would count the references of the arrays it is handed, atomically: 15 % of a float32 step
inlined = njit(fastmath={"contract"}, error_model="numpy", forceinline=True)
parallel = njit(cache=True, fastmath={"contract"}, error_model="numpy", parallel=True)


@compiled
def _quadratic(x, p, diagonal, move):
    """p: center, then one row of the matrix per axis (one row in all if diagonal)."""
    for k in range(x.shape[0]):
        if diagonal:
            c, a = p[0, k], p[1, k]
            for i in range(TILE):
                move[k, i] = a * (x[k, i] - c)
            continue
        for i in range(TILE):
            move[k, i] = x.dtype.type(0.0)
        for m in range(x.shape[0]):
            c, a = p[0, m], p[1 + k, m]
            for i in range(TILE):
                move[k, i] += a * (x[m, i] - c)


@inlined
def _double_well(x, p, move):
    """p: barrier, stiffness, tilt."""
    quartic, stiffness, tilt = x.dtype.type(4.0) * p[0, 0], p[0, 1], p[0, 2]
    one = x.dtype.type(1.0)
    for i in range(TILE):
        move[0, i] = quartic * x[0, i] * (x[0, i] * x[0, i] - one) + tilt
    for k in range(1, x.shape[0]):
        for i in range(TILE):
            move[k, i] = stiffness * x[k, i]


@compiled
def _ring(x, p, move, scratch):
    """p: squared radius, stiffness."""
    for i in range(TILE):
        scratch[0, i] = -p[0, 0]
    for k in range(x.shape[0]):
        for i in range(TILE):
            scratch[0, i] += x[k, i] * x[k, i]
    for k in range(x.shape[0]):
        for i in range(TILE):
            move[k, i] = p[0, 1] * scratch[0, i] * x[k, i]


@compiled
def _tame(move, scratch):
    """move / (1 + |move|), particle by particle."""
    one = move.dtype.type(1.0)
    for i in range(TILE):
        scratch[0, i] = move.dtype.type(0.0)
    for k in range(move.shape[0]):
        for i in range(TILE):
            scratch[0, i] += move[k, i] * move[k, i]
    for i in range(TILE):
        scratch[0, i] = one / (one + np.sqrt(scratch[0, i]))
    for k in range(move.shape[0]):
        for i in range(TILE):
            move[k, i] *= scratch[0, i]


@inlined
def _drift(x, kind, p, tamed, move, scratch):
    """move = dt grad V(x), tamed on request; dt is in the parameters, and a given one in `move`, already."""
    if kind in (QUADRATIC_DIAGONAL, QUADRATIC):
        _quadratic(x, p, kind == QUADRATIC_DIAGONAL, move)
    elif kind == DOUBLE_WELL:
        _double_well(x, p, move)
    elif kind != GIVEN:
        _ring(x, p, move, scratch)
    if tamed:
        _tame(move, scratch)


@inlined
def _load(source, factor, lo, tile):
    m = min(TILE, source.shape[1] - lo)
    start = np.uint64(lo)  # unsigned: no wrap-around to test for, and a slice would cost two atomics
    for k in range(source.shape[0]):
        for i in range(m):
            tile[k, i] = factor * source[k, start + np.uint64(i)]
        for i in range(m, TILE):
            tile[k, i] = source.dtype.type(0.0)


def _prefetch(write: int) -> Any:
    """A compiled function asking for the cache line at an address, to be read or written; it never faults."""

    def prefetch(typingctx: Any, address: Any) -> Any:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            number = ir.IntType(32)
            pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
            function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
            builder.call(function, [pointer, number(write), number(3), number(1)])
            return context.get_dummy_value()

        return types.none(types.intp), codegen

    return intrinsic(prefetch)


_ask_to_read, _ask_to_write = _prefetch(0), _prefetch(1)


@inlined
def _ask_for(x, out, lo):
    """Start fetching the tile at `lo` of both arrays."""
    m = min(TILE, x.shape[1] - lo)
    for k in range(x.shape[0]):
        start = x.itemsize * (k * x.shape[1] + lo)
        for line in range(start, start + m * x.itemsize, 64):
            _ask_to_read(x.ctypes.data + line)
            _ask_to_write(out.ctypes.data + line)


@inlined
def _make_noise(noise, spare, t, key, step, integrator):
    """The normals of a step; of two steps, averaged, for Leimkuhler-Matthews."""
    half = noise.dtype.type(0.5)
    for k in range(noise.shape[0]):
        fill_normals(noise, k, t, step, NOISE, k, key)
        if integrator == LEIMKUHLER_MATTHEWS:
            fill_normals(spare, 0, t, step + 1, NOISE, k, key)
            for i in range(TILE):
                noise[k, i] = half * (noise[k, i] + spare[0, i])


@compiled
def _average_drift(here, kind, p, amplitude, tamed, move, noise, there, again, spare):
    """move = the mean of the moves at both ends of the Euler-Maruyama step: Heun's second stage."""
    for k in range(here.shape[0]):
        for i in range(TILE):
            there[k, i] = here[k, i] - move[k, i] + amplitude * noise[k, i]
    _drift(there, kind, p, tamed, again, spare)
    half = here.dtype.type(0.5)
    for k in range(here.shape[0]):
        for i in range(TILE):
            move[k, i] = half * (move[k, i] + again[k, i])


@inlined
def _store(here, move, noise, amplitude, lo, out):
    """Write the new positions of a tile; True when all of them are finite."""
    m = min(TILE, out.shape[1] - lo)
    start, largest = np.uint64(lo), np.finfo(out.dtype).max
    bad = False
    for k in range(here.shape[0]):
        for i in range(m):
            moved = here[k, i] - move[k, i] + amplitude * noise[k, i]
            bad |= not (abs(moved) <= largest)  # NaN compares false; an OR, unlike a sum, has no order
            out[k, start + np.uint64(i)] = moved
    return not bad


@compiled
def _chunk(x, kind, p, gradient, dt, amplitude, key, step, integrator, tamed, chunk, out):
    """The tiles of one task; scratch arrays are made once for all of them."""
    here = np.empty((x.shape[0], TILE), x.dtype)
    move, noise = np.empty_like(here), np.empty_like(here)
    there, again = np.empty_like(here), np.empty_like(here)
    spare = np.empty((1, TILE), x.dtype)
    tiles = (x.shape[1] + TILE - 1) // TILE
    finite = True
    for t in range(chunk * CHUNK, min(chunk * CHUNK + CHUNK, tiles)):
        lo = t * TILE
        _load(x, x.dtype.type(1.0), lo, here)
        if kind == GIVEN:
            _load(gradient, dt, lo, move)
        if t + 1 < tiles:
            _ask_for(x, out, lo + TILE)
        _drift(here, kind, p, tamed, move, spare)
        _make_noise(noise, spare, t, key, step, integrator)
        if integrator == HEUN:
            _average_drift(here, kind, p, amplitude, tamed, move, noise, there, again, spare)
        finite &= _store(here, move, noise, amplitude, lo, out)
    return finite


@parallel
def _all(x, kind, p, gradient, dt, amplitude, key, step, integrator, tamed, out):
    tiles = (x.shape[1] + TILE - 1) // TILE
    finite = np.ones((tiles + CHUNK - 1) // CHUNK, np.bool_)
    for chunk in prange(finite.size):
        finite[chunk] = _chunk(x, kind, p, gradient, dt, amplitude, key, step, integrator, tamed, chunk, out)
    return finite.all()


def langevin_step(
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
    """Compiled form of `wgf.kernels.langevin.langevin_step`."""
    kind = POTENTIALS[potential]
    # writable, whoever froze them: numba would compile the kernel once more for read-only arrays
    x, key = np.require(x, None, ["C", "W"]), np.require(key, np.uint32, ["C", "W"])
    given = np.require(parameters if kind == GIVEN else np.empty((0, 0)), x.dtype, ["C", "W"])
    p = np.empty((0, 0), x.dtype) if kind == GIVEN else shaped(potential, parameters, dt, x)
    out = np.empty_like(x)
    real = x.dtype.type
    arguments = (x, kind, p, given, real(dt), real(amplitude), key, step, INTEGRATORS[integrator], tamed)
    if x.shape[1] <= CHUNK * TILE:
        finite = _chunk(*arguments, 0, out)  # a single task needs no threads to be woken
    else:
        finite = _all(*arguments, out)
    return out, bool(finite)
