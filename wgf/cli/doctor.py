"""`wgf doctor`: versions, threads, GPUs, which form each kernel would run, and a short self-check."""

from __future__ import annotations

import argparse
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import platform
import shutil
import subprocess
import time
from typing import Any

from wgf import kernels
from wgf.cli.commands import FAILED, FINE, say
from wgf.errors import WgfError
from wgf.kernels.registry import TABLE
from wgf.loop import solve
from wgf.problems import ornstein_uhlenbeck
from wgf.schemes import FokkerPlanck, Langevin, QuantileJKO
from wgf.transport import distance

PACKAGES = ("numpy", "scipy", "numba", "matplotlib", "tqdm", "threadpoolctl", "cloudpickle")
OPTIONAL = ("cupy", "xarray", "h5netcdf", "dask", "mpi4py")
# scheme, bound on its W2 error for Ornstein-Uhlenbeck at t = 0.5, dt = 0.01 (measured error x 3)
SELF_CHECK = (
    (FokkerPlanck(cells=200), 2e-3),
    (QuantileJKO(levels=200), 1e-2),
    (Langevin(particles=20_000), 3e-2),
)


def doctor(options: argparse.Namespace) -> int:
    """Print what this machine has and whether wgf works on it; exit code 1 when the self-check fails."""
    content: dict[str, Any] = {
        "versions": _versions(),
        "optional": {name: _version(name) for name in OPTIONAL},
        "cores": os.cpu_count(),
        "numba_threads": _numba_threads(),
        "gpus": _gpus(),
        "kernels": _kernels(),
        "self_check": _self_check(),
    }
    say(content, _text(content), options.json)
    return FINE if all(check["ok"] for check in content["self_check"]) else FAILED


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _versions() -> dict[str, str | None]:
    import wgf

    found: dict[str, str | None] = {"wgf": wgf.__version__, "python": platform.python_version()}
    return found | {name: _version(name) for name in PACKAGES}


def _numba_threads() -> int:
    import numba

    return numba.get_num_threads()


def _gpus() -> list[str]:
    """Names of the GPUs the driver reports; none without a driver."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    asked = [command, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def _kernels() -> dict[str, dict[str, bool]]:
    """Every kernel and its forms; True marks the one a call would run."""
    for module in pkgutil.iter_modules(kernels.__path__, "wgf.kernels."):
        if not module.ispkg:
            importlib.import_module(module.name)
    return {name: kernel.forms() for name, kernel in sorted(TABLE.items())}


def _self_check() -> list[dict[str, Any]]:
    """Three schemes on Ornstein-Uhlenbeck against the exact solution."""
    problem = ornstein_uhlenbeck()
    exact = problem.exact
    assert exact is not None
    found = []
    for scheme, bound in SELF_CHECK:
        started = time.perf_counter()
        check: dict[str, Any] = {"scheme": type(scheme).__name__, "bound": bound, "ok": False}
        try:
            run = solve(problem, scheme, t_end=0.5, dt=0.01, seed=0, progress=False)
            check["w2"] = float(distance(run.final, exact(0.5), "w2"))
            check["ok"] = bool(check["w2"] < bound)
        except (WgfError, ValueError, ImportError) as error:
            check["error"] = str(error)
        check["seconds"] = time.perf_counter() - started
        found.append(check)
    return found


def _text(content: dict[str, Any]) -> str:
    lines = ["versions    " + ", ".join(f"{k} {v or 'missing'}" for k, v in content["versions"].items())]
    optional = (f"{k} {v or 'not installed'}" for k, v in content["optional"].items())
    lines.append("optional    " + ", ".join(optional))
    lines.append(f"threads     {content['numba_threads']} for numba, {content['cores']} cores")
    lines.append("GPUs        " + (", ".join(content["gpus"]) or "none found"))
    lines.append("kernels     (* runs)")
    width = max((len(name) for name in content["kernels"]), default=0)
    for name, forms in content["kernels"].items():
        shown = (form + "*" * runs for form, runs in forms.items())
        lines.append(f"  {name:{width}s}  " + ", ".join(shown))
    lines.append("self-check  Ornstein-Uhlenbeck at t = 0.5 against the exact solution")
    for check in content["self_check"]:
        verdict = "ok" if check["ok"] else "FAILED"
        shown = f"W2 {check['w2']:.1e} (bound {check['bound']:.0e})" if "w2" in check else check["error"]
        lines.append(f"  {check['scheme']:14s}{verdict:8s}{shown}, {check['seconds']:.1f} s")
    return "\n".join(lines)
