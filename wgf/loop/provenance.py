"""What a run must remember to be repeated: versions, seed, threads, git state; and compile time."""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import time
from collections.abc import Iterator
from functools import cache
from typing import Any


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages a result depends on."""
    import numba
    import numpy
    import scipy

    from wgf.version import __version__

    found = {"wgf": __version__, "python": platform.python_version()}
    return found | {k: m.__version__ for k, m in (("numpy", numpy), ("scipy", scipy), ("numba", numba))}


@cache
def git_state(folder: str) -> str | None:
    """Commit of the checkout holding `folder`, with "+changes" when it is dirty; None outside of git."""

    def ask(*words: str) -> str | None:
        command = ["git", "-C", folder, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    commit = ask("rev-parse", "--short", "HEAD")
    if commit is None:
        return None
    return commit + ("+changes" if ask("status", "--porcelain", "--untracked-files=no") else "")


def provenance(scheme: Any, seed: Any) -> dict[str, Any]:
    """The header every trajectory carries."""
    import numba

    return {
        "scheme": repr(scheme),
        "seed": seed if isinstance(seed, int) else seed.bit_generator.state,
        "versions": versions(),
        "threads": numba.get_num_threads(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "git": git_state(os.getcwd()),
    }


@contextlib.contextmanager
def compile_clock() -> Iterator[Any]:
    """A clock whose `.duration` is the time numba spent compiling inside the block (0 when cached)."""
    from numba.core import event

    class Clock(event.Listener):
        duration = 0.0
        depth = 0

        def on_start(self, event: Any) -> None:
            self.depth += 1
            if self.depth == 1:
                self._since = time.perf_counter()

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                self.duration += time.perf_counter() - self._since

    clock = Clock()
    with event.install_listener("numba:compile", clock):
        yield clock
