"""2-D Fokker-Planck, timed: `FokkerPlanck` against a sparse LU and against py-pde's compiled stepping.

Problem P1: V = x.Ax/2 with A = [[1.5, 0.5], [0.5, 1]], D = 1, box [-8, 8]^2, N((1.5, -1), 0.4 I) to t = 1,
whose exact solution is Gaussian. Every code starts from the same cell averages and is charged for all
that depends on the step: assembly, factorisation, stepping. The number of steps is chosen by one rule
for all: the fewest of `STEPS` that bring the L1 error of the cell averages under the target.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import wgf
from validation import references
from validation.claims import AtLeast, AtMost, Claim
from validation.performance import harness, peers
from validation.rates import exponent
from validation.report import markdown_table
from wgf.schemes import FokkerPlanck

A = np.array([[1.5, 0.5], [0.5, 1.0]])
MEAN, COV = np.array([1.5, -1.0]), 0.4 * np.eye(2)
BOX, T_END = (-8.0, 8.0), 1.0
STEPS = (6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 50)
TARGETS = {256: 6e-4, 512: 1.7e-4}
# From 1024^2 on a density (8 MiB) no longer fits beside its coefficients in a core's cache, so these sizes
# grow by one law; 4096^2 takes 2 GB, and a larger one would not fit beside other work on a small machine.
CELLS_OF_GROWTH = (1024, 1448, 2048, 2896, 4096)
SMALL_OF_GROWTH = (256, 512)  # in cache: they show the step up to 1024^2, and take no part in the fit
# Five sizes and the least of four runs: one burst of page faults or of a neighbour's bends no exponent.
STEPS_OF_GROWTH, REPEATS_OF_GROWTH = 6, 4
PYPDE_DT = 9e-4  # of the explicit limit h^2 / 4 = 9.8e-4 at 256 cells
# Each of six tridiagonal passes a step (three axis substeps, two solves each) must at the least read
# the density and one pair of coefficients and write the density: 6 x 4 doubles.
LEAST_BYTES = 6 * 4 * 8


@dataclass(frozen=True)
class Case:
    """P1 on n x n cells: what every code is given, and the answer."""

    spacing: float
    potential: np.ndarray
    gradient: np.ndarray
    start: np.ndarray
    exact: np.ndarray

    def error(self, values: np.ndarray) -> float:
        """L1 distance of cell averages to the exact ones."""
        return float(np.abs(values - self.exact).sum() * self.spacing**2)


@functools.lru_cache(maxsize=2)
def case(cells: int) -> Case:
    """Tabulate P1."""
    axis = references.centres(*BOX, cells)
    x = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    moments = references.ou_moments(A, MEAN, COV, T_END)
    exact = references.cell_average(references.gaussian_pdf(*moments), (axis, axis), nodes=3)
    potential = 0.5 * np.einsum("...i,ij,...j->...", x, A, x)
    spacing = (BOX[1] - BOX[0]) / cells
    return Case(spacing, potential, np.moveaxis(x @ A, -1, 0), start(cells), exact)


def start(cells: int) -> np.ndarray:
    """Cell averages of the initial Gaussian: its axes are independent, so two lines suffice at any size."""
    axis = references.centres(*BOX, cells)
    lines = [
        references.cell_average(references.gaussian_pdf(MEAN[k : k + 1], COV[k : k + 1, k : k + 1]), (axis,))
        for k in range(2)
    ]
    return np.multiply.outer(*lines)


def quadratic(x: np.ndarray) -> np.ndarray:
    """V as a user writes it."""
    return 0.75 * x[..., 0] ** 2 + 0.5 * x[..., 0] * x[..., 1] + 0.5 * x[..., 1] ** 2


def ours(cells: int, steps: int, t_end: float = T_END) -> Callable[[], np.ndarray]:
    """One `wgf.solve` of P1, on a new problem each time so that nothing is remembered between runs."""
    grid = wgf.Grid((BOX, BOX), (cells, cells))
    initial = wgf.Density(grid, start(cells))
    energy = wgf.entropy() + wgf.potential(quadratic)

    def run() -> np.ndarray:
        problem = wgf.Problem(energy, initial=initial, bounds=(BOX, BOX))
        scheme = FokkerPlanck(cells=cells, time="tr-bdf2")
        return wgf.solve(problem, scheme, t_end=t_end, dt=t_end / steps).final.values

    return run


def theirs(cells: int, steps: int) -> Callable[[], np.ndarray]:
    """One sparse-LU solve of P1."""
    given = case(cells)
    spacing = (given.spacing, given.spacing)
    return lambda: peers.splu_tr_bdf2(given.potential, spacing, given.start, T_END, steps)


def fewest(cells: int, code: Callable[[int, int], Callable[[], np.ndarray]]) -> tuple[int, float]:
    """(steps, error): the fewest steps of `STEPS` whose error is under the target, else the last."""
    steps, error = STEPS[-1], math.nan
    for steps in STEPS:
        error = case(cells).error(code(cells, steps)())
        if error <= TARGETS[cells]:
            break
    return steps, error


@dataclass(frozen=True)
class Entry:
    """One row of the table: a code at one size."""

    code: str
    cells: int
    steps: int
    error: float
    timing: harness.Timing

    @property
    def limit(self) -> float:
        """CPU seconds that the least traffic would take at the measured bandwidth."""
        return LEAST_BYTES * self.cells**2 * self.steps / harness.bandwidth()

    def row(self) -> tuple[str, ...]:
        """The entry as text."""
        t = self.timing
        cost = 1e9 * t.cpu / (self.cells**2 * self.steps)
        return (
            self.code,
            f"{self.cells}^2",
            str(self.steps),
            "" if math.isnan(self.error) else f"{self.error:.2e}",
            f"{t.cpu:.4f}",
            f"{t.wall:.4f}",
            f"{cost:.1f}",
            f"{t.peak:.0f}",
            str(t.threads),
            f"{self.limit:.4f}",
        )


HEAD = ("code", "cells", "steps", "L1", "CPU s", "wall s", "ns/(cell step)", "peak MiB", "threads", "limit s")


@functools.cache
def to_target() -> dict[tuple[str, int], Entry]:
    """wgf and the sparse LU to the target at 256^2 and 512^2, in one round-robin per size."""
    found = {}
    for cells in TARGETS:
        plans = {name: (code, *fewest(cells, code)) for name, code in (("wgf", ours), ("scipy splu", theirs))}
        runs = {name: code(cells, steps) for name, (code, steps, _) in plans.items()}
        times = harness.race({"wgf": runs["wgf"]}, repeats=15)
        times |= harness.race({"scipy splu": runs["scipy splu"]}, repeats=3)
        for name, (_, steps, error) in plans.items():
            found[name, cells] = Entry(name, cells, steps, error, times[name])
    return found


@functools.cache
def pypde() -> Entry:
    """py-pde at 256^2: error of its run to t = 1, price of a step from the difference of two runs."""
    given = case(256)
    steps = math.ceil(T_END / PYPDE_DT)
    with harness.threads(1):
        stepper = peers.PyPDE([BOX, BOX], given.start, given.gradient, T_END / steps)
        error = given.error(stepper.run(steps))
        cpu, wall = stepper.step_cost()
    timing = harness.Timing(cpu * steps, wall * steps, 1, math.nan, 1)
    return Entry("py-pde stepping", 256, steps, error, timing)


@functools.cache
def growth() -> list[Entry]:
    """A few steps at 1024^2 and beyond, and the same at 256^2 and 512^2 to show the cache step."""
    t_end = 0.02 * STEPS_OF_GROWTH
    runs = {str(n): ours(n, STEPS_OF_GROWTH, t_end) for n in (*SMALL_OF_GROWTH, *CELLS_OF_GROWTH)}
    times = harness.race(runs, repeats=REPEATS_OF_GROWTH, middle=min)  # in turn: a busy minute bends nothing
    return [Entry("wgf", int(n), STEPS_OF_GROWTH, math.nan, timing) for n, timing in times.items()]


def growth_exponent(full: bool) -> float:
    """Exponent of user CPU time in the number of cells, from 1024^2 up.

    From 2048^2 on every density is fresh memory from the operating system, which clears it page by page
    at a price that differs several times between machines and minutes: it is reported apart.
    """
    return _fit(lambda timing: timing.user)


def _fit(seconds: Callable[[harness.Timing], float]) -> float:
    large = [entry for entry in growth() if entry.cells in CELLS_OF_GROWTH]
    return exponent([entry.cells**2 for entry in large], [seconds(entry.timing) for entry in large])


def ratio(entry: Entry) -> float:
    """How many times the CPU time of wgf another code needs to the same target."""
    return entry.timing.cpu / to_target()["wgf", entry.cells].timing.cpu


def cell_cost(full: bool) -> float:
    """CPU time per cell to 1.7e-4 at 512^2 over that to 6e-4 at 256^2."""
    small, large = (to_target()["wgf", cells] for cells in TARGETS)
    return (large.timing.cpu / large.cells**2) / (small.timing.cpu / small.cells**2)


def cache_step() -> float:
    """Cost of a cell and step at 1024^2 over that at 256^2."""
    cost = {entry.cells: entry.timing.cpu / entry.cells**2 for entry in growth()}
    return cost[1024] / cost[256]


CLAIMS = (
    Claim(
        name="performance/fp-256-error",
        what="2-D Fokker-Planck P1 at 256^2, fewest steps to the target",
        against="exact Gaussian, L1 of cell averages",
        measure=lambda full: to_target()["wgf", 256].error,
        required=AtMost(6e-4),
    ),
    Claim(
        name="performance/fp-256-splu",
        what="CPU time of scipy splu TR-BDF2 to the same target over that of wgf.solve, 256^2",
        against="scipy sparse LU",
        measure=lambda full: ratio(to_target()["scipy splu", 256]),
        required=AtLeast(40),
    ),
    Claim(
        name="performance/fp-256-pypde",
        what="CPU time of py-pde's stepping to t = 1 over that of wgf.solve, 256^2",
        against="py-pde explicit Euler, difference of runs of 500 and 2500 steps",
        measure=lambda full: ratio(pypde()),
        required=AtLeast(20),
    ),
    Claim(
        name="performance/fp-512-error",
        what="2-D Fokker-Planck P1 at 512^2, fewest steps to the target",
        against="exact Gaussian, L1 of cell averages",
        measure=lambda full: to_target()["wgf", 512].error,
        required=AtMost(1.7e-4),
    ),
    Claim(
        name="performance/fp-512-splu",
        what="CPU time of scipy splu TR-BDF2 to the same target over that of wgf.solve, 512^2",
        against="scipy sparse LU",
        measure=lambda full: ratio(to_target()["scipy splu", 512]),
        required=AtLeast(20),
    ),
    Claim(
        name="performance/fp-512-cell-cost",
        what="CPU time per cell to 1.7e-4 at 512^2 over that to 6e-4 at 256^2",
        against="wgf at 256^2",
        measure=cell_cost,
        required=AtMost(3),
    ),
    Claim(
        name="performance/fp-growth",
        what="exponent of user CPU time in the number of cells, five sizes, 1024^2 to 4096^2",
        against="linear cost",
        measure=growth_exponent,
        required=AtMost(1.1),
    ),
)


def sections() -> list[str]:
    """The tables of this workload for the performance page."""
    race = [*to_target().values()]
    try:
        race.append(pypde())
    except harness.Skip as reason:
        note = f"py-pde: {reason}."
    else:
        note = "py-pde is charged for stepping only; compiling its stepping function takes seconds more."
    return [
        "## 2-D Fokker-Planck, problem P1",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        "Each row: CPU and wall time of one code to its error (L1, against the exact Gaussian), one thread.",
        markdown_table(HEAD, [entry.row() for entry in race]),
        f"{note} limit: {LEAST_BYTES} bytes per cell and step at the measured "
        f"{harness.bandwidth() / 1e9:.1f} GB/s (one-thread triad).",
        f"### Growth, {STEPS_OF_GROWTH} steps, set-up included",
        "Each row: the same steps on more cells, the least of four runs; wgf is compared with itself, so no "
        "error is stated.",
        markdown_table(HEAD, [entry.row() for entry in growth()]),
        f"Exponent in the number of cells from 1024^2 up: {growth_exponent(False):.3f} for user CPU time, "
        f"{_fit(lambda timing: timing.cpu):.3f} with the system's clearing of fresh pages, which is "
        + ", ".join(f"{1 - e.timing.user / e.timing.cpu:.0%} at {e.cells}^2" for e in growth())
        + f" of the time. The cache step, cost "
        f"of a cell at 1024^2 over that at 256^2: {cache_step():.2f}.",
    ]
