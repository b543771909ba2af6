"""Checkpoints: what makes two runs the same run, and how one continues bit by bit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from wgf import checks, storage
from wgf.errors import CheckpointError
from wgf.trajectory import Trajectory

PROBES = 16
PROBE_TIMES = (0.0, 0.3, 0.5, 1.0)  # shares of the run


def fingerprint(problem: Any, scheme: Any, seed: Any, dt: float, t_end: float) -> dict[str, Any]:
    """What must agree for a checkpoint to be continued.

    The energy enters by its terms and by the values of V and W on 16 probe points (inside the box, where
    there is one) at four times: two lambdas cannot be compared, what they return can.
    """
    probes = problem.probes(PROBES)
    moments = [problem.at(share * t_end) for share in PROBE_TIMES]
    described = {
        "scheme": repr(scheme),
        "seed": seed if isinstance(seed, int) else seed.bit_generator.state,
        "dt": dt,
        "t_end": t_end,
        "energy": [[c, term.kind, getattr(term, "m", None)] for c, term in problem.energy.terms],
        "values of V": _digest(*(p.energy.potential_value(probes) for p in moments)),
        "values of W": _digest(*(c * np.asarray(term.W(probes)) for c, term in problem.energy.interactions)),
        "drift, source": _digest(*(f(probes) for p in moments for f in (p.drift_value, p.source_value))),
        "mobility": problem.mobility and f"{problem.mobility.form} {_digest(problem.mobility.at(probes))}",
        "bounds": problem.bounds,
        "boundary": problem.boundary,
        "initial": f"{type(problem.initial).__name__} {_digest(*_initial_arrays(problem.initial))}",
    }
    return storage.plain(described)


def _initial_arrays(initial: Any) -> list[np.ndarray]:
    """The arrays of one of wgf's measures; of a user's own, a sample that its law and a fixed seed decide."""
    return list(initial.arrays().values()) if hasattr(initial, "arrays") else [initial.sample(PROBES, 0)]


def _digest(*arrays: np.ndarray) -> str:
    """A short hash of the bytes: NaN equals itself, and nothing is lost to printing."""
    content = b"".join(np.ascontiguousarray(a, dtype=np.float64).tobytes() for a in arrays)
    return hashlib.sha256(content).hexdigest()[:16]


def write(path: str, trajectory: Trajectory, resume: dict[str, Any], state: Any) -> None:
    """One atomic file: the trajectory so far, how to go on, and the state."""
    header, arrays = trajectory.pack()
    storage.write(path, {**header, "resume": storage.plain(resume)}, {**arrays, **storage.pack_state(state)})


def restore(
    path: str, expected: dict[str, Any], template: Any
) -> tuple[Any, int, Any, Trajectory, Any] | None:
    """(state, step, generator state, saved trajectory, totals) of a checkpoint, None when there is no file.

    Raises CheckpointError when the file is of another run, naming every difference.
    """
    storage.remove_stale(path)
    if not Path(path).exists():
        return None
    header, arrays = storage.read(path)
    resume = header.get("resume")
    if resume is None:
        raise CheckpointError(
            f"path {path!r} holds a saved trajectory, not a checkpoint: it has no state to continue from. "
            "Give another path."
        )
    found = resume["fingerprint"]
    differences = [
        f"{name} (file: {checks.shown(found.get(name))}, run: {checks.shown(value)})"
        for name, value in expected.items()
        if found.get(name) != value
    ]
    if differences:
        raise CheckpointError(
            f"path {path!r} is the checkpoint of another run; different: {'; '.join(differences)}. "
            "Give another path or delete the file."
        )
    state = storage.unpack_state(template, arrays)
    return state, resume["step"], resume["rng"], Trajectory.unpack(header, arrays), resume["totals"]
