"""Timing that can be trusted: same process, same inputs, warm, interleaved, CPU time beside wall time.

Rules of every table made with it:

* each contestant runs once before it is timed (compilation, caches), unless that first run is the point;
* repeats go round-robin over the contestants, so that a busy minute of the machine hits all of them,
  and the median is quoted;
* CPU seconds (all threads of the process) are compared, because they survive a shared machine; wall
  seconds stand beside them;
* the number of threads is set and stated; accuracy stands beside every time; the physical limit
  (bytes over the bandwidth measured in the same run) stands beside both;
* at least three sizes, with the growth exponent fitted on the logarithms.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from validation.claims import Skip

TRIAD_LENGTH = 8_000_000  # 3 arrays of 64 MB: beyond any last-level cache met so far
TRIAD_BYTES = 24  # per element: two doubles read, one written (write-allocate traffic not counted)
STATUS, REFERENCES = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MEBI = 1024.0


@dataclass(frozen=True)
class Timing:
    """Median CPU and wall seconds of `repeats` runs, and peak memory above the level before (MiB).

    result: what the last run returned, so that accuracy is judged on a run that was timed.
    """

    cpu: float
    wall: float
    repeats: int
    peak: float
    threads: int
    result: Any = field(default=None, repr=False, compare=False)
    user: float = float("nan")  # of cpu, what the program itself took


def peer(name: str) -> ModuleType:
    """The module `name`, or a claim skipped with the way to install it."""
    try:
        return importlib.import_module(name)
    except ImportError:
        raise Skip(f"{name} not installed (pip install wgf[peers])") from None


def _memory(field: str) -> float:
    """A memory figure of this process in MiB; NaN on systems that do not publish it."""
    if not STATUS.exists():
        return float("nan")
    lines = STATUS.read_text().splitlines()
    return next((int(line.split()[1]) / MEBI for line in lines if line.startswith(field)), float("nan"))


def _reset_peak() -> float:
    """Set the peak to the present level where the system allows it; returns the level, else NaN.

    Memory freed by earlier runs is handed back first (glibc), or it would hide what the next one takes.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    try:
        REFERENCES.write_text("5")
    except OSError:
        return float("nan")
    return _memory("VmRSS")


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """Hold numba, BLAS and OpenMP pools, and torch when it is loaded, to `count` threads."""
    import numba
    from threadpoolctl import threadpool_limits

    torch = sys.modules.get("torch")
    before = numba.get_num_threads(), torch.get_num_threads() if torch else 0
    with threadpool_limits(limits=count):
        numba.set_num_threads(count)
        if torch:
            torch.set_num_threads(count)
        try:
            yield
        finally:
            numba.set_num_threads(before[0])
            if torch:
                torch.set_num_threads(before[1])


def _user_seconds() -> float:
    """CPU time of this process outside of the operating system."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def race(
    contestants: Mapping[str, Callable[[], Any]],
    repeats: int = 5,
    threads_used: int = 1,
    warm: bool = True,
    middle: Callable[[Iterable[float]], float] = statistics.median,
) -> dict[str, Timing]:
    """Time callables against each other, round-robin, at a stated number of threads.

    middle: what stands for the repeats; `min` for exponents, which one burst of page faults would bend.
    """
    seconds: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contestants}
    peaks = dict.fromkeys(contestants, float("nan"))
    results: dict[str, Any] = {}
    with threads(threads_used):
        for name, run in contestants.items():
            if warm:
                run()
                base = _reset_peak()
                run()
                peaks[name] = _memory("VmHWM") - base
        for _ in range(repeats):
            for name, run in contestants.items():
                cpu, wall, own = time.process_time(), time.perf_counter(), _user_seconds()
                results[name] = run()
                spent = (time.process_time() - cpu, time.perf_counter() - wall, _user_seconds() - own)
                seconds[name].append(spent)
    return {
        name: Timing(
            middle(spent[0] for spent in pairs),
            middle(spent[1] for spent in pairs),
            repeats,
            peaks[name],
            threads_used,
            results[name],
            middle(spent[2] for spent in pairs),
        )
        for name, pairs in seconds.items()
    }


@functools.cache
def bandwidth() -> float:
    """Bytes per second of a = b + s c on one thread, arrays far beyond the cache: the best of five."""
    import numba

    @numba.njit
    def triad(a: np.ndarray, b: np.ndarray, c: np.ndarray, s: float) -> None:
        for i in range(a.size):
            a[i] = b[i] + s * c[i]

    a, b, c = np.zeros(TRIAD_LENGTH), np.ones(TRIAD_LENGTH), np.ones(TRIAD_LENGTH)
    triad(a, b, c, 0.5)
    best = float("inf")
    for _ in range(5):
        start = time.process_time()
        triad(a, b, c, 0.5)
        best = min(best, time.process_time() - start)
    return TRIAD_BYTES * TRIAD_LENGTH / best


def pools() -> str:
    """Thread pools found in this process, for the page: kind and version, never a path."""
    from threadpoolctl import threadpool_info

    found = {f"{p['internal_api']} {p.get('version') or ''}".strip() for p in threadpool_info()}
    return ", ".join(sorted(found)) or "none"
