"""Checkpoints: what makes two runs the same run, and how one continues bit by bit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from wgf import storage
from wgf.errors import CheckpointError
from wgf.trajectory import Trajectory

PROBES = 16


def fingerprint(problem: Any, scheme: Any, seed: Any, dt: float, t_end: float) -> dict[str, Any]:
    """What must agree for a checkpoint to be continued.

    The energy enters by its terms and by the values of V and W on 16 probe points: two lambdas cannot
    be compared, what they return can.
    """
    rng = np.random.default_rng(0)
    center, scale = problem.initial.mean(), np.sqrt(np.abs(np.diag(problem.initial.cov()))) + 1e-3
    probes = center + 2 * scale * rng.standard_normal((PROBES, problem.dimension))
    frozen = problem.at(0.5 * t_end).energy
    interactions = [[c, np.asarray(term.W(probes)).tolist()] for c, term in frozen.interactions]
    initial = problem.initial.arrays() if hasattr(problem.initial, "arrays") else {}
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(v).tobytes() for v in initial.values())).hexdigest()
    described = {
        "scheme": repr(scheme),
        "seed": seed if isinstance(seed, int) else seed.bit_generator.state,
        "dt": dt,
        "t_end": t_end,
        "energy": [[c, term.kind, getattr(term, "m", None)] for c, term in problem.energy.terms],
        "values of V": frozen.potential_value(probes),
        "values of W": interactions,
        "bounds": problem.bounds,
        "boundary": problem.boundary,
        "initial": f"{type(problem.initial).__name__} {digest[:16]}",
    }
    return storage.plain(described)


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
        raise CheckpointError(f"path {path!r} holds a trajectory, not a checkpoint: it cannot be continued.")
    found = resume["fingerprint"]
    differences = [
        f"{name} (file: {_short(found.get(name))}, run: {_short(value)})"
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


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
