"""Overdamped Langevin, timed: `Langevin` against the loops a NumPy and a torch user would write.

V = (x^2 - 1)^2 / 4 + y^2 / 2 in two dimensions, step 0.01, float32 on every side, all particles start
at 0. The cost of one particle and step is compared in CPU seconds, at one thread and at two. Accuracy:
variance of y against the exact recursion of the scheme, in standard errors.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import wgf
from validation.claims import AtLeast, AtMost, Claim
from validation.performance import harness, peers
from validation.rates import exponent
from validation.report import markdown_table
from wgf.energies.named import DoubleWell
from wgf.schemes import Langevin

PARTICLES, STEPS, H = 1_000_000, 100, 0.01
SIZES = (250_000, 1_000_000, 4_000_000)
# The two float32 coordinates of a particle are read and written once a step.
LEAST_BYTES = 2 * 2 * 4


def ours(particles: int, steps: int = STEPS) -> Callable[[], np.ndarray]:
    """One `wgf.solve`, the problem built outside."""
    energy = wgf.entropy() + wgf.potential(DoubleWell(barrier=0.25, stiffness=1.0))
    problem = wgf.Problem(energy, initial=wgf.Particles(np.zeros((particles, 2))))
    scheme = Langevin(dtype="float32")

    def run() -> np.ndarray:
        return wgf.solve(problem, scheme, t_end=steps * H, dt=H, seed=1).final.x

    return run


CODES: dict[str, Callable[[int], Callable[[], np.ndarray]]] = {
    "wgf": ours,
    "torch": lambda particles: peers.torch_langevin(particles, STEPS, H),
    "numpy": lambda particles: peers.numpy_langevin(particles, STEPS, H),
}


def deviation(x: np.ndarray) -> float:
    """How many standard errors the variance of y is away from the exact recursion of Euler-Maruyama."""
    exact = 2 * H * sum((1 - H) ** (2 * k) for k in range(STEPS))
    found = float((x[:, 1].astype(float) ** 2).mean())
    return abs(found / exact - 1) / math.sqrt(2 / len(x))


@dataclass(frozen=True)
class Entry:
    """One row of the table."""

    code: str
    particles: int
    deviation: float
    timing: harness.Timing

    @property
    def nanoseconds(self) -> float:
        """CPU nanoseconds of one particle and step."""
        return 1e9 * self.timing.cpu / (self.particles * STEPS)

    def row(self) -> tuple[str, ...]:
        """The entry as text."""
        t = self.timing
        limit = 1e9 * LEAST_BYTES / harness.bandwidth()
        return (
            self.code,
            f"{self.particles:.3g}",
            f"{self.deviation:.1f}",
            f"{t.cpu:.3f}",
            f"{t.wall:.3f}",
            f"{self.nanoseconds:.2f}",
            f"{1e9 * t.wall / (self.particles * STEPS):.2f}",
            f"{t.peak:.0f}",
            "1 (it has no more)" if self.code == "numpy" else str(t.threads),
            f"{limit:.2f}",
        )


HEAD = ("code", "n", "deviation", "CPU s", "wall s", "CPU ns", "wall ns", "peak MiB", "threads", "limit ns")


@functools.cache
def raced(code: str) -> dict[int, tuple[Entry, Entry]]:
    """Per number of threads (NumPy has one): wgf and the peer `code`, timed against each other."""
    runs = {"wgf": ours(PARTICLES), code: CODES[code](PARTICLES)}
    found = {}
    for count in (1,) if code == "numpy" else (1, 2):
        times = harness.race(runs, repeats=5, threads_used=count)
        first, second = (Entry(name, PARTICLES, deviation(t.result), t) for name, t in times.items())
        found[count] = (first, second)
    return found


@functools.cache
def growth() -> list[Entry]:
    """wgf at three sizes, one thread."""
    times = harness.race({str(n): ours(n) for n in SIZES}, repeats=3)
    return [Entry("wgf", int(n), deviation(timing.result), timing) for n, timing in times.items()]


def ratio(code: str) -> float:
    """The smallest, over the numbers of threads, of the peer's CPU time over that of wgf."""
    return float(np.min([theirs.timing.cpu / mine.timing.cpu for mine, theirs in raced(code).values()]))


def growth_exponent(full: bool) -> float:
    """Exponent of CPU time in the number of particles."""
    return exponent(SIZES, [entry.timing.cpu for entry in growth()])


def different_bits(full: bool) -> float:
    """How many coordinates differ in any bit between one thread and two."""
    finals = []
    for count in (1, 2):
        with harness.threads(count):
            finals.append(np.ascontiguousarray(ours(PARTICLES, 20)()).view(np.uint32))
    return float(np.count_nonzero(finals[0] != finals[1]))


CLAIMS = (
    Claim(
        name="performance/langevin-torch",
        what="CPU time of torch over that of wgf.solve, 1e6 particles, float32, worse of 1 and 2 threads",
        against="torch Euler-Maruyama loop",
        measure=lambda full: ratio("torch"),
        required=AtLeast(3),
    ),
    Claim(
        name="performance/langevin-numpy",
        what="CPU time of NumPy over that of wgf.solve, 1e6 particles, float32, 1 thread",
        against="NumPy Euler-Maruyama loop (NumPy has no threads)",
        measure=lambda full: ratio("numpy"),
        required=AtLeast(5),
    ),
    Claim(
        name="performance/langevin-deviation",
        what="variance of y of the timed run, in standard errors",
        against="exact recursion of Euler-Maruyama",
        measure=lambda full: growth()[1].deviation,
        required=AtMost(5),
    ),
    Claim(
        name="performance/langevin-bits",
        what="words of the final positions that differ between one thread and two",
        against="itself",
        measure=different_bits,
        required=AtMost(0),
    ),
    Claim(
        name="performance/langevin-growth",
        what="exponent of CPU time in the number of particles, 2.5e5 to 4e6",
        against="linear cost",
        measure=growth_exponent,
        required=AtMost(1.1),
    ),
)


def sections() -> list[str]:
    """The tables of this workload for the performance page."""
    rows, notes = [], ["NumPy has no threads for these operations, so it is compared at one thread only."]
    for code in ("torch", "numpy"):
        try:
            rows += [entry.row() for pair in raced(code).values() for entry in pair]
        except harness.Skip as reason:
            notes.append(f"{code}: {reason}.")
    limit = f"limit: {LEAST_BYTES} bytes per particle and step at {harness.bandwidth() / 1e9:.1f} GB/s."
    return [
        "## Overdamped Langevin, two dimensions",
        (__doc__ or "").split("\n\n", 1)[1].strip(),
        f"Each row: {STEPS} steps by one code; rows of the same number of threads were timed in turn. "
        "deviation: variance of y against the exact recursion, in standard errors.",
        markdown_table(HEAD, rows),
        " ".join([*notes, limit]),
        f"### Growth, {STEPS} steps, set-up included",
        f"Each row: wgf, {STEPS} steps on one thread, compared with itself at other sizes.",
        markdown_table(HEAD, [entry.row() for entry in growth()]),
        f"Exponent in the number of particles: {growth_exponent(False):.3f}.",
    ]
