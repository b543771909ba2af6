"""solve: the ONE time loop. Schemes stay free of all that stands here."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from wgf import checks
from wgf.errors import ConvergenceError, DivergedError, NotFiniteError, SchemeError
from wgf.loop import checkpoint as checkpoints
from wgf.loop.guards import find_fault
from wgf.loop.lattice import save_at_kind, save_steps, steps_of
from wgf.loop.provenance import compile_clock, provenance
from wgf.loop.record import RECORDABLE, Recorder
from wgf.problem import Problem
from wgf.schemes.names import known, scheme_kind
from wgf.trajectory import Trajectory

FEW_CELLS = 16  # per axis: a grid that fits in three dimensions


def _record(name: str, value: Any, sizes: checks.Sizes) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise checks.refuse(name, f"a list of names among {', '.join(RECORDABLE)}", value, TypeError)
    return tuple(dict.fromkeys(checks.choice(*RECORDABLE)(name, item) for item in value))


record_kind = checks.Kind("names of diagnostics", _record, ("energy", 3, None, ["no-such-diagnostic"], [3.0]))


@checks.checked(
    problem=checks.instance("a Problem", Problem),
    scheme=scheme_kind,
    t_end=checks.nonnegative,
    dt=checks.positive,
    seed=checks.either("an integer >= 0 or a numpy.random.Generator", checks.integer(0), checks.rng),
    save_at=save_at_kind,
    record=record_kind,
    progress=checks.optional(checks.boolean),
    checkpoint=checks.optional(checks.path),
    checkpoint_every=checks.positive,
    on_failure=checks.choice("raise", "return"),
)
def solve(
    problem: Problem,
    scheme: Any,
    *,
    t_end: float,
    dt: float,
    seed: int | np.random.Generator = 0,
    save_at: float | Sequence[float] | None = None,
    record: Sequence[str] = (),
    progress: bool | None = None,
    checkpoint: str | None = None,
    checkpoint_every: float = 60.0,
    on_failure: str = "raise",
) -> Trajectory:
    """Follow the gradient flow of a problem with a scheme to time t_end.

    scheme: an instance, a class or a name. dt is shrunk once so that a whole number of steps lands on
    t_end; `stats["dt"]` is the dt that was run.
    seed: an int or a Generator; results depend on it and on nothing else (not on threads or save_at: BLAS
    runs on one thread inside, because its sums depend on their number).
    save_at: a spacing or a sequence of times, each served by the nearest step; both ends are always
    saved. record: "energy", "mass", "mean", "cov", "minimum", "dissipation" at the saved times.
    progress: a bar on stderr (None: when it is a terminal). checkpoint: a file rewritten atomically
    every checkpoint_every seconds; an existing one of the same run is continued, bit by bit, and keeps the
    times it had saved (another save_at counts from there on).
    on_failure: "raise" (the partial trajectory is on the exception) or "return".

    Ctrl-C ends the run after the current step with status "interrupted" (twice: at once).

    Raises ValueError and TypeError for bad arguments, SchemeError when the scheme cannot solve the
    problem, DivergedError for NaN, infinity or negative densities, ConvergenceError when an inner
    iteration fails, CheckpointError for files that cannot be written or belong to another run.

    >>> import wgf
    >>> problem = wgf.problems.ornstein_uhlenbeck(dimension=1)
    >>> run = wgf.solve(problem, wgf.schemes.FokkerPlanck(cells=100), t_end=0.5, dt=0.01)
    >>> run.status, wgf.distance(run.final, problem.exact(0.5), "w2") < 1e-2
    ('finished', True)
    """
    reason = _unable(problem, scheme)
    if reason is not None:
        raise SchemeError(_refusal(problem, scheme, reason))
    steps, dt = steps_of(t_end, dt)
    wanted = save_steps(save_at, t_end, steps, dt)
    run = _Run(problem, scheme, steps, dt, t_end, seed, record, checkpoint)
    with (
        _progress_bar(steps, progress, scheme) as advance,
        _interrupts() as interrupted,
        compile_clock() as clock,
        threadpool_limits(1, "blas"),
    ):
        run.begin(wanted)
        saved_at = time.monotonic()
        try:
            while run.number < steps:
                run.step()
                advance(run.number)
                if run.number in wanted:
                    run.save()
                if interrupted():
                    run.status = "interrupted"
                    break
                if checkpoint is not None and time.monotonic() - saved_at > checkpoint_every:
                    run.write_checkpoint()
                    saved_at = time.monotonic()
        except (DivergedError, ConvergenceError) as error:
            run.status = "diverged" if isinstance(error, DivergedError) else "stalled"
            error.trajectory = run.trajectory(clock.duration)
            if on_failure == "raise":
                raise
        if run.status == "running":
            run.status = "finished"
        if checkpoint is not None and run.status in ("finished", "interrupted"):
            run.write_checkpoint()
        if run.status != "finished":
            run.save()  # after the checkpoint: a continued run must not hold a time nobody asked for
        return run.trajectory(clock.duration)


class _Run:
    """The moving parts of one call of `solve`."""

    def __init__(
        self,
        problem: Problem,
        scheme: Any,
        steps: int,
        dt: float,
        t_end: float,
        seed: int | np.random.Generator,
        record: Sequence[str],
        checkpoint: str | None,
    ) -> None:
        self.problem, self.scheme, self.steps, self.dt, self.t_end = problem, scheme, steps, dt, t_end
        self.rng = np.random.default_rng(seed)
        self.recorder = Recorder(problem, scheme, record)
        self.checkpoint = checkpoint
        self.number = 0
        self.status = "running"
        self.last_saved = -1
        self.clock = {"step": 0.0, "diagnose": 0.0, "save": 0.0}
        self.provenance = provenance(scheme, seed)
        self.fingerprint = checkpoints.fingerprint(problem, scheme, seed, dt, t_end) if checkpoint else {}

    def begin(self, wanted: set[int]) -> None:
        """The initial state, or the one of a matching checkpoint."""
        start = time.perf_counter()
        self.state = self.scheme.init(self.problem.at(0.0), self.rng)
        self.clock["step"] += time.perf_counter() - start
        if self.checkpoint is not None:
            restored = checkpoints.restore(self.checkpoint, self.fingerprint, self.state)
            if restored is not None:
                self.state, self.number, self.rng.bit_generator.state, saved, totals = restored
                self.recorder.resume(saved, totals)
                self.last_saved = int(round(saved.times[-1] / self.dt)) if self.steps else 0
                return
        fault = find_fault(self.state)
        if fault is not None:
            raise ValueError(f"initial must give a finite state, but {fault.sentence}.")
        self.recorder.start(self.problem.at(0.0), self.state)
        self.save()

    def step(self) -> None:
        """One step, guarded: a bad state never becomes the current one."""
        start = time.perf_counter()
        frozen = self.problem.at(self.number * self.dt)
        try:
            state, info = self.scheme.step(frozen, self.state, self.dt, self.rng)
        except NotFiniteError as error:
            raise DivergedError(f"{error} This was at {self._where()}.{self._advice()}") from error
        except (ConvergenceError, DivergedError) as error:
            raise type(error)(f"{error} This was at {self._where()}.") from error
        fault = None if info.finite else find_fault(state)
        if fault is not None:
            raise DivergedError(f"{fault.sentence} at {self._where()}, {fault.place}.{self._advice()}")
        self.recorder.count(frozen, self.state, state, info, self.dt)
        self.state = state
        self.number += 1
        self.clock["step"] += time.perf_counter() - start

    def _where(self) -> str:
        return f"t = {(self.number + 1) * self.dt:.6g}, step {self.number + 1}"

    def _advice(self) -> str:
        suggested = None
        if hasattr(self.scheme, "suggest_dt"):
            with suppress(ValueError, ArithmeticError):  # advice must not hide what it is about
                suggested = self.scheme.suggest_dt(self.problem)
        if suggested is None:
            return f" The run had dt = {self.dt:.3g}; try a smaller one."
        return f" The scheme suggests dt <= {suggested:.3g} here; the run had dt = {self.dt:.3g}."

    def save(self) -> None:
        """Keep the current measure and its diagnostics (once per step)."""
        if self.last_saved == self.number:
            return
        start = time.perf_counter()
        t = self.t_end if self.number == self.steps else self.number * self.dt
        self.recorder.save(self.problem.at(t), t, self.state)
        self.last_saved = self.number
        self.clock["diagnose"] += time.perf_counter() - start

    def write_checkpoint(self) -> None:
        """Write the trajectory so far and the last state, atomically."""
        start = time.perf_counter()
        assert self.checkpoint is not None
        resume = {
            "fingerprint": self.fingerprint,
            "step": self.number,
            "rng": self.rng.bit_generator.state,
            "totals": self.recorder.totals,
        }
        checkpoints.write(self.checkpoint, self.trajectory(0.0), resume, self.state)
        self.clock["save"] += time.perf_counter() - start

    def trajectory(self, compiling: float) -> Trajectory:
        """What has been computed so far."""
        return Trajectory(
            times=np.array(self.recorder.times),
            measures=list(self.recorder.measures),
            record={name: np.array(values) for name, values in self.recorder.values.items()},
            status=self.status,
            stats={"steps": self.number, "dt": self.dt, **self.recorder.stats(self.state)},
            timings={"compile": compiling, **self.clock, "step": max(self.clock["step"] - compiling, 0.0)},
            provenance=self.provenance,
        )


def _unable(problem: Problem, scheme: Any) -> str | None:
    """Why the scheme cannot solve the problem; an extension it does not name it cannot follow."""
    foreign = [name for name in problem.extensions if name not in getattr(scheme, "extensions", ())]
    if foreign:
        return f"it does not follow the {' and the '.join(foreign)} of the problem"
    return scheme.supports(problem)


def _examples(scheme: type) -> list[Any]:
    """A scheme with its defaults, and on few cells: those of a line may be too many in space."""
    fewer = [scheme(cells=FEW_CELLS)] if "cells" in getattr(scheme, "__dataclass_fields__", {}) else []
    return [scheme(), *fewer]


def _refusal(problem: Problem, scheme: Any, reason: str) -> str:
    able = [
        c.__name__ for c in known().values() if any(_unable(problem, made) is None for made in _examples(c))
    ]
    others = f" Schemes that can: {', '.join(able)}." if able else ""
    return f"{type(scheme).__name__} cannot solve this problem: {reason}.{others}"


@contextmanager
def _progress_bar(steps: int, progress: bool | None, scheme: Any) -> Iterator[Callable[[int], None]]:
    shown = sys.stderr.isatty() if progress is None else progress
    if not shown:
        yield lambda number: None
        return
    from tqdm import tqdm

    with tqdm(total=steps, desc=type(scheme).__name__, unit="step", mininterval=0.2) as bar:

        def advance(number: int) -> None:
            bar.update(number - bar.n)

        yield advance


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Ctrl-C sets a flag the loop reads after each step; a second one raises KeyboardInterrupt."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return

    def on_signal(number: int, frame: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    previous = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
