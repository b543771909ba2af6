"""Grid schemes beyond the plane, timed: three dimensions, a long line, a step with an interaction.

Cost and memory of a cell in three dimensions are held to those of a cell in two; 1e5 cells on the line to
an absolute time at a stated accuracy; an explicit aggregation step to the transforms that it cannot do
without: one real FFT there and one back, on the doubled box, for each evaluation of W * rho.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

import wgf
from validation import references
from validation.claims import AtMost, Claim
from validation.performance import fokker_planck, harness
from validation.rates import exponent
from validation.report import markdown_table
from wgf.problems.keller_segel import keller_segel
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion

A3 = np.array([[1.2, 0.3, 0.0], [0.3, 1.0, 0.2], [0.0, 0.2, 0.8]])
MEAN3, VARIANCE3, BOX3, T3 = np.array([0.8, -0.5, 0.3]), 0.6, (-6.0, 6.0), 0.5
SPACE_CELLS, SPACE_STEPS = (48, 64, 96, 128), 4
LINE_CELLS, LINE_STEPS, LINE_START = 100_000, 100, (-0.6, 0.05)
PULL_CELLS, PULL_STEP = 256, 1e-4
SWEEPS = {2: 3, 3: 5}  # one-axis substeps of a Strang step


# ------------------------------------------------------------------------------- three dimensions


def quadratic(x: np.ndarray) -> np.ndarray:
    """V = x.Ax/2 as a user writes it."""
    return 0.5 * ((x @ A3) * x).sum(-1)


def space(cells: int, steps: int, t_end: float) -> Callable[[], np.ndarray]:
    """A coupled Ornstein-Uhlenbeck flow on cells^3, a new problem each time."""
    bounds = [BOX3] * 3
    initial = wgf.Gaussian(mean=MEAN3, cov=VARIANCE3)
    grid = wgf.Grid(bounds, cells)
    start = wgf.Density.from_measure(initial, grid)
    energy = wgf.entropy() + wgf.potential(quadratic)

    def run() -> np.ndarray:
        problem = wgf.Problem(energy, initial=start, bounds=bounds)
        return wgf.solve(problem, FokkerPlanck(cells=cells), t_end=t_end, dt=t_end / steps).final.values

    return run


@functools.cache
def three() -> dict[int, harness.Timing]:
    """A few steps on growing cubes; the least of three runs."""
    runs = {str(n): space(n, SPACE_STEPS, 0.02 * SPACE_STEPS) for n in SPACE_CELLS}
    return {int(n): timing for n, timing in harness.race(runs, repeats=3, middle=min).items()}


@functools.cache
def plane() -> harness.Timing:
    """The same number of steps on 1448^2 cells, about as many as 128^3."""
    run = fokker_planck.ours(1448, SPACE_STEPS, 0.02 * SPACE_STEPS)
    return harness.race({"plane": run}, repeats=3, middle=min)["plane"]


def cell_cost(full: bool) -> float:
    """Cost of a cell, step and sweep at 128^3 over that at 1448^2."""
    cube = three()[128].cpu / 128**3 / SWEEPS[3]
    return cube / (plane().cpu / 1448**2 / SWEEPS[2])


def memory_growth(full: bool) -> float:
    """Exponent of the peak memory in the number of cells, 48^3 to 128^3."""
    return exponent([n**3 for n in SPACE_CELLS], [three()[n].peak for n in SPACE_CELLS])


def bytes_per_cell(full: bool) -> float:
    """Peak memory of a run at 128^3 above what was there before, in bytes per cell."""
    return three()[128].peak * 2**20 / 128**3


def cube_error(full: bool) -> float:
    """L1 error at t = 0.5 on 128^3 cells after 20 steps."""
    cells = 128
    values = space(cells, 20, T3)()
    moments = references.ou_moments(A3, MEAN3, VARIANCE3 * np.eye(3), T3)
    axis = references.centres(*BOX3, cells)
    exact = references.cell_average(references.gaussian_pdf(*moments), (axis,) * 3, nodes=2)
    return float(np.abs(values - exact).sum() * ((BOX3[1] - BOX3[0]) / cells) ** 3)


# ------------------------------------------------------------------------------------- a long line


def well(x: np.ndarray) -> np.ndarray:
    """V = (x^2 - 1)^2 on the line."""
    return (x[..., 0] ** 2 - 1) ** 2


@functools.cache
def line() -> tuple[harness.Timing, float]:
    """(timing, L1 error) of the double well on 1e5 cells, 100 steps of TR-BDF2 to t = 1."""
    initial = wgf.Gaussian(*LINE_START)
    start = wgf.Density.from_measure(initial, wgf.Grid((-3.0, 3.0), LINE_CELLS))
    energy = wgf.entropy() + wgf.potential(well)

    def run() -> np.ndarray:
        problem = wgf.Problem(energy, initial=start, bounds=(-3.0, 3.0))
        return wgf.solve(problem, FokkerPlanck(cells=LINE_CELLS), t_end=1.0, dt=1.0 / LINE_STEPS).final.values

    timing = harness.race({"line": run}, repeats=5)["line"]
    density = references.well().solve(lambda x: initial.pdf(x[:, None]), 1.0)
    exact = references.line_averages(density, -3.0, 3.0, LINE_CELLS)
    return timing, float(np.abs(timing.result - exact).sum() * 6.0 / LINE_CELLS)


# ----------------------------------------------------------------------------- a step that attracts


@functools.cache
def pull() -> tuple[harness.Timing, harness.Timing, int]:
    """Timings of an explicit Keller-Segel step at 256^2 and of its bare transforms, evaluations a step."""
    problem = keller_segel(mass=4 * math.pi)
    scheme: Any = AggregationDiffusion(cells=PULL_CELLS, time="ssp-rk3")
    state = scheme.init(problem, None)
    _, info = scheme.step(problem, state, PULL_STEP, None)
    evaluations = 3 * info.substeps
    padded = np.zeros((2 * PULL_CELLS,) * 2)

    def transforms() -> None:
        for _ in range(evaluations):
            scipy.fft.irfft2(scipy.fft.rfft2(padded), s=padded.shape)

    runs = {"step": lambda: scheme.step(problem, state, PULL_STEP, None), "transforms": transforms}
    times = harness.race(runs, repeats=9)
    return times["step"], times["transforms"], evaluations


def pull_ratio(full: bool) -> float:
    """CPU time of the step over that of its transforms."""
    step, transforms, _ = pull()
    return step.cpu / transforms.cpu


CLAIMS = (
    Claim(
        name="performance/fp-128-cubed-cell",
        what="CPU time of a cell, step and axis sweep at 128^3 over that at 1448^2",
        against="wgf in the plane",
        measure=cell_cost,
        required=AtMost(2),
    ),
    Claim(
        name="performance/fp-128-cubed-error",
        what="3-D Ornstein-Uhlenbeck on 128^3 cells, 20 steps to t = 0.5",
        against="exact Gaussian, L1 of cell averages",
        measure=cube_error,
        required=AtMost(2e-3),
    ),
    Claim(
        name="performance/fp-memory-growth",
        what="exponent of peak memory in the number of cells, 48^3 to 128^3",
        against="linear memory",
        measure=memory_growth,
        required=AtMost(1.05),
    ),
    Claim(
        name="performance/fp-memory-cell",
        what="peak memory of a 128^3 run in bytes per cell, set-up included",
        against="25 doubles",
        measure=bytes_per_cell,
        required=AtMost(200),
    ),
    Claim(
        name="performance/line-1e5-error",
        what="double well on 1e5 cells, 100 steps of TR-BDF2 to t = 1",
        against="sine-Galerkin solution, L1 of cell averages",
        measure=lambda full: line()[1],
        required=AtMost(2e-6),
    ),
    Claim(
        name="performance/line-1e5-time",
        what="CPU seconds of that run, everything included but compilation",
        against="0.2 s",
        measure=lambda full: line()[0].cpu,
        required=AtMost(0.2),
    ),
    Claim(
        name="performance/aggregation-step",
        what="CPU time of an explicit Keller-Segel step at 256^2 over that of its bare transforms",
        against="scipy.fft, a real transform there and back on the doubled box per evaluation",
        measure=pull_ratio,
        required=AtMost(4),
    ),
)


def sections() -> list[str]:
    """The tables of this workload for the performance page."""
    rows = [
        (f"{n}^3", f"{t.cpu:.4f}", f"{1e9 * t.cpu / (n**3 * SPACE_STEPS):.1f}", f"{t.peak:.0f}")
        for n, t in three().items()
    ]
    t = plane()
    rows.append(("1448^2", f"{t.cpu:.4f}", f"{1e9 * t.cpu / (1448**2 * SPACE_STEPS):.1f}", f"{t.peak:.0f}"))
    step, transforms, evaluations = pull()
    timing, error = line()
    return [
        "## Three dimensions, a long line, an attracting step",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        f"Each row: {SPACE_STEPS} steps of `FokkerPlanck`, set-up included, least of three runs, one thread.",
        markdown_table(("cells", "CPU s", "ns/(cell step)", "peak MiB"), rows),
        f"1e5 cells on the line, {LINE_STEPS} steps: {timing.cpu:.3f} s CPU, L1 {error:.2e}.",
        f"Explicit Keller-Segel step at {PULL_CELLS}^2, {evaluations} evaluations: {1e3 * step.cpu:.1f} ms "
        f"CPU; its transforms alone {1e3 * transforms.cpu:.1f} ms.",
    ]
