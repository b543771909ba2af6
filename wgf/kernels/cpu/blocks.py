"""Lines of a grid in blocks of LANES: where a line starts, and moving a block in and out of a work array.

An array of cells is seen as (outer, n, inner) around one axis of n cells; its lines are numbered with
`inner` fastest. LANES neighbouring lines that lie side by side in memory are worked on in place; others
(the last axis, ragged ends) are first copied to a work array whose row i holds cell i of every lane.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wgf.kernels.scharfetter_gummel import LANES

CACHE_LINE = 8  # doubles


@njit(cache=True, inline="always")
def start(line: int, n: int, inner: int) -> int:
    """Index of the first cell of a line; its next cells follow at distance `inner`."""
    return (line // inner) * n * inner + line % inner


@njit(cache=True, inline="always")
def side_by_side(first: int, lines: int, inner: int) -> bool:
    """True when the LANES lines from `first` on are neighbours in memory."""
    return first + LANES <= lines and first % inner + LANES <= inner


def aligned(size: int) -> np.ndarray:
    """An uninitialised array that starts on a cache line: vector loads that straddle two cost double.

    From NumPy's allocator and not numba's: it asks the system for large pages, which makes the first
    touch of a large array four times cheaper.
    """
    room = np.empty(size + CACHE_LINE)
    offset = (-(room.ctypes.data // room.itemsize)) % CACHE_LINE
    return room[offset : offset + size]


@njit(cache=True)
def gather(
    source: np.ndarray, first: int, lines: int, n: int, inner: int, work: np.ndarray, pitch: int
) -> None:
    """Copy LANES lines to work[i * pitch + lane]; lanes beyond the last line become zero."""
    for lane in range(LANES):
        line = first + lane
        if line < lines:
            at = start(line, n, inner)
            for i in range(n):
                work[i * pitch + lane] = source[at + i * inner]
        else:
            for i in range(n):
                work[i * pitch + lane] = 0.0


@njit(cache=True)
def scatter(
    work: np.ndarray, pitch: int, first: int, lines: int, n: int, inner: int, target: np.ndarray
) -> None:
    """The inverse of `gather`."""
    for lane in range(min(LANES, lines - first)):
        at = start(first + lane, n, inner)
        for i in range(n):
            target[at + i * inner] = work[i * pitch + lane]


@njit(cache=True)
def accumulate(
    work: np.ndarray,
    offset: int,
    pitch: int,
    first: int,
    width: int,
    lines: int,
    n: int,
    inner: int,
    total: np.ndarray,
) -> None:
    """Add work[offset + i * pitch + lane] of `width` lanes to the cells of `total`."""
    for lane in range(min(width, lines - first)):
        at = start(first + lane, n, inner)
        for i in range(n):
            total[at + i * inner] += work[offset + i * pitch + lane]
