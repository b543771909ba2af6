"""JKO steps in the plane, timed: back-and-forth against bare cosine transforms, and the other solvers.

One step of the porous-medium flow (m = 2) in the unit square from the Barenblatt profile of age 3.84e-4
(radius 1/4), dt a quarter of that age; the exact minimiser is a dilation of the profile, and every time
stands beside the L1 distance of the cell averages to it. An iteration is priced by the difference of two
runs that stop at different residuals, so set-up and coarse grids are not in it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft

import wgf
from validation import closed_forms
from validation.claims import AtMost, Claim
from validation.performance import harness
from validation.report import markdown_table
from wgf.measures import Density
from wgf.schemes.jko.back_and_forth import BackAndForthJKO
from wgf.schemes.jko.dynamic import DynamicJKO
from wgf.schemes.jko.entropic import EntropicJKO

AGE, DT, CENTER, BOX = 3.84e-4, 9.6e-5, (0.5, 0.5), ((0.0, 1.0), (0.0, 1.0))
TIGHT = 1e-5  # residual of the longer run that prices an iteration: ten more than the default takes
HEAT_DT = 2e-3  # in which a Gaussian of variance 0.01 gains 40 per cent of it
SIZES = (128, 256, 512)


@functools.cache
def start() -> wgf.Barenblatt:
    """The profile before the step."""
    return wgf.Barenblatt(dimension=2, m=2, t0=AGE, center=CENTER)


@functools.cache
def minimiser(cells: int) -> np.ndarray:
    """Cell averages of the exact minimiser."""
    l = float(closed_forms.barenblatt_flow(2, 2, DT, 1, t0=AGE)[-1])
    exact = wgf.Barenblatt(dimension=2, m=2, t0=closed_forms.profile_time(l, 2, 2), center=CENTER)
    return Density.from_measure(exact, wgf.Grid(BOX, cells)).values


@functools.cache
def averages(cells: int) -> wgf.Density:
    """Cell averages of the profile before the step: every code starts from them."""
    return Density.from_measure(start(), wgf.Grid(BOX, cells))


@functools.cache
def spread_out(cells: int) -> wgf.Density:
    """A Gaussian that fills the box: no window around a support helps its step."""
    return Density.from_measure(wgf.Gaussian(CENTER, 0.01), wgf.Grid(BOX, cells)).normalised()


def step(scheme: Any, heat: bool = False) -> Callable[[], tuple[np.ndarray, int]]:
    """One step, from a new problem each time: (cell averages, iterations)."""
    energy = wgf.entropy() if heat else wgf.internal(2)
    initial, dt = (spread_out(scheme.cells), HEAT_DT) if heat else (averages(scheme.cells), DT)

    def run() -> tuple[np.ndarray, int]:
        problem = wgf.Problem(energy, initial=initial, bounds=BOX)
        state, info = scheme.step(problem, scheme.init(problem, None), dt, None)
        return state.rho, info.iterations

    return run


def error(values: np.ndarray) -> float:
    """L1 distance to the exact minimiser."""
    return float(np.abs(values - minimiser(len(values))).mean())


@functools.cache
def back_and_forth() -> dict[int, harness.Timing]:
    """Whole steps at the default tolerance."""
    runs = {str(n): step(BackAndForthJKO(cells=n)) for n in SIZES}
    return {int(n): timing for n, timing in harness.race(runs, repeats=7).items()}


@functools.cache
def iteration(heat: bool = False) -> tuple[float, float]:
    """(CPU seconds of one iteration at 512^2, of two pairs of DCT-II and DCT-III), medians."""
    field = np.random.default_rng(0).random((512, 512))

    def pairs() -> None:
        for _ in range(2):
            scipy.fft.idctn(scipy.fft.dctn(field, type=2), type=2)

    contestants: dict[str, Callable[[], Any]] = {
        "short": step(BackAndForthJKO(cells=512), heat),
        "long": step(BackAndForthJKO(cells=512, tol=TIGHT), heat),
        "transforms": pairs,
    }
    times = harness.race(contestants, repeats=7)
    more = times["long"].result[1] - times["short"].result[1]
    return (times["long"].cpu - times["short"].cpu) / more, times["transforms"].cpu


def iteration_ratio(full: bool) -> float:
    """CPU time of an iteration over that of two pairs of transforms."""
    one, pairs = iteration()
    return one / pairs


@functools.cache
def others() -> dict[str, harness.Timing]:
    """The other solvers of the plane on the same step."""
    schemes = {
        "entropic, 128^2": EntropicJKO(cells=128),
        "entropic, 256^2": EntropicJKO(cells=256),
        "dynamic K = 1, 64^2": DynamicJKO(cells=64),
        "dynamic K = 8, 64^2": DynamicJKO(cells=64, substeps=8),
    }
    return harness.race({name: step(scheme) for name, scheme in schemes.items()}, repeats=3)


def _within(cells: int, l1: float, seconds: float) -> tuple[Claim, Claim]:
    name = f"performance/jko-{cells}"
    return (
        Claim(
            name=f"{name}-error",
            what=f"back-and-forth JKO step at {cells}^2, default tolerance",
            against="exact minimiser, L1 of cell averages",
            measure=lambda full: error(back_and_forth()[cells].result[0]),
            required=AtMost(l1),
        ),
        Claim(
            name=f"{name}-time",
            what=f"CPU seconds of that step at {cells}^2, compiled",
            against=f"{seconds:g} s",
            measure=lambda full: back_and_forth()[cells].cpu,
            required=AtMost(seconds),
        ),
    )


CLAIMS = (
    Claim(
        name="performance/jko-iteration",
        what="CPU time of one back-and-forth iteration at 512^2 over that of two DCT-II/III pairs",
        against="scipy.fft",
        measure=iteration_ratio,
        required=AtMost(5),
    ),
    *_within(256, 1.2e-3, 0.2),
    *_within(512, 3e-4, 1.5),
)


def sections() -> list[str]:
    """The tables of this workload for the performance page."""
    rows = [(f"back-and-forth, {n}^2", t) for n, t in back_and_forth().items()]
    one, pairs = iteration()
    lines = [
        (name, f"{error(t.result[0]):.2e}", str(t.result[1]), f"{t.cpu:.3f}", f"{t.peak:.0f}")
        for name, t in (*rows, *others().items())
    ]
    return [
        "## A JKO step in the plane",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        markdown_table(("solver", "L1 to the minimiser", "iterations", "CPU s", "peak MiB"), lines),
        f"One more iteration at 512^2: {1e3 * one:.1f} ms CPU; two DCT-II/III pairs: {1e3 * pairs:.1f} ms. "
        "An iteration solves Newton's equation of the dual problem by conjugate gradients under such "
        "transforms, in the window around the support; a density that fills "
        "the box has no window:",
        markdown_table(("step", "one iteration over two DCT pairs"), _prices()),
    ]


def _prices() -> list[tuple[str, str]]:
    """What an iteration costs with a window and without."""
    lines = []
    for name, heat in (("porous medium", False), ("heat, all cells filled", True)):
        one, pairs = iteration(heat)
        lines.append((name, f"{one / pairs:.1f}"))
    return lines
