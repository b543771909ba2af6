"""The unit of work of a study: one problem, one scheme, one seed; run here or in other processes.

A unit is self-seeded, so where and in which order units run changes no bit of the result. An error in
one unit is a row of the table, not the end of the study.
"""

from __future__ import annotations

import contextlib
import os
import sys
import types
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any

import cloudpickle

from wgf.errors import WgfError
from wgf.loop import solve


@dataclass(frozen=True)
class Unit:
    """One run to be made."""

    problem: Any
    scheme: Any
    t_end: float
    dt: float
    seed: int


@dataclass(frozen=True)
class Result:
    """What a unit gave: the final measure with what a table shows of it, or the sentence of its failure.

    dt: the step that was run. seconds: wall time of the run, compiling and loading left out.
    energy: None where the energy has no value on this measure. points: of a cloud, how many.
    """

    measure: Any = None
    dt: float = 0.0
    seconds: float = 0.0
    energy: float | None = None
    mass: float = 1.0
    points: int = 0
    fallback_steps: int = 0
    failure: str = ""


_WARM: set[tuple[type, int]] = set()  # kinds of run this process has compiled and loaded


def _warm(unit: Unit) -> None:
    """Compile and load, before the clock starts, what runs of this kind use.

    One step of half the length: a problem remembers factorisations per dt, and those must be paid by
    the run that is timed. An error here is left for the run itself to meet and report.
    """
    kind = (type(unit.scheme), unit.problem.dimension)
    if kind not in _WARM:
        _WARM.add(kind)
        half = 0.5 * unit.dt
        with contextlib.suppress(WgfError, ValueError, ArithmeticError):
            solve(unit.problem, unit.scheme, t_end=half, dt=half, seed=unit.seed, progress=False)


def run(unit: Unit) -> Result:
    """Solve one unit; an error becomes `Result.failure`."""
    try:
        _warm(unit)
        trajectory = solve(
            unit.problem, unit.scheme, t_end=unit.t_end, dt=unit.dt, seed=unit.seed, progress=False
        )
    except Exception as error:  # any error of one unit is a row; the study goes on
        kind = "" if isinstance(error, (WgfError, ValueError)) else f"{type(error).__name__}: "
        return Result(failure=kind + " ".join(str(error).split()))
    if trajectory.status == "interrupted":
        raise KeyboardInterrupt
    measure = trajectory.final
    return Result(
        measure=measure,
        dt=float(trajectory.stats["dt"]),
        seconds=sum(value for name, value in trajectory.timings.items() if name != "compile"),
        energy=energy_of(unit.problem, measure, unit.t_end),
        mass=float(getattr(measure, "mass", 1.0)),
        points=len(getattr(measure, "x", ())),
        fallback_steps=int(trajectory.stats.get("fallback_steps", 0)),
    )


def energy_of(problem: Any, measure: Any, t: float) -> float | None:
    """E(measure), None where some term has no value on this kind of measure (entropy of a cloud)."""
    try:
        return float(problem.at(t).energy.value(measure))
    except (WgfError, ValueError, ArithmeticError):
        return None


# ------------------------------------------------------------------------------------ many units


def run_all(units: Sequence[Unit], workers: int | None = None, executor: Any = None) -> Iterator[Result]:
    """Results of `units` in their order, run here, in `workers` processes, or through `executor.map`.

    executor: anything with `map(function, items)`: a ProcessPoolExecutor, a dask client (whose futures
    are gathered). Processes are spawned and get cores // workers numba threads each.
    """
    if executor is not None:
        yield from _through(executor, units)
    elif workers is not None and workers > 1:
        threads = max((os.cpu_count() or 1) // workers, 1)
        context = get_context("spawn")
        pool = ProcessPoolExecutor(workers, context, initializer=_few_threads, initargs=(threads,))
        try:
            yield from _through(pool, units)
        finally:
            pool.shutdown(cancel_futures=True)
    else:
        yield from map(run, units)


def _through(executor: Any, units: Sequence[Unit]) -> Iterator[Result]:
    parcels = [cloudpickle.dumps(unit) for unit in units]
    with _no_main_module():
        answers = executor.map(_run_parcel, parcels)
    if hasattr(executor, "gather"):  # a dask client's map gives futures
        answers = executor.gather(answers)
    return map(cloudpickle.loads, answers)


def _run_parcel(parcel: bytes) -> bytes:
    """`run` by value on both ways: users' potentials are lambdas, which pickle refuses."""
    return cloudpickle.dumps(run(cloudpickle.loads(parcel)))


def _few_threads(threads: int) -> None:
    """Give this process its share of the cores, before numba reads the number."""
    os.environ["NUMBA_NUM_THREADS"] = str(threads)
    if "numba" in sys.modules:
        sys.modules["numba"].set_num_threads(threads)


@contextlib.contextmanager
def _no_main_module() -> Iterator[None]:
    """Hide the caller's script while processes start, so that it is not run again in each of them.

    A spawned process imports the parent's `__main__`, and a script without the usual guard would start
    its own study there. What the units need of it travels by value instead.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
