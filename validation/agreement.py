"""Agreement of four JKO solvers: one step from the same measure, compared with each other and the truth.

Quantile functions (the line only), back-and-forth (Kantorovich potentials), dynamic (Benamou-Brenier with
K inner steps) and entropic transport (epsilon) minimise the same W2^2 / (2 dt) + E by methods that share
nothing but the energy. Distances are L1 between cell averages on one grid. The dynamic cost is right to
1/K and the entropic one to a power of epsilon, so both columns must fall towards the others.
"""

from __future__ import annotations

import functools
import itertools
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import wgf
from validation import closed_forms
from validation.claims import AtLeast, AtMost, Claim
from validation.report import markdown_table
from wgf.measures import Density
from wgf.schemes import QuantileJKO
from wgf.schemes.jko.back_and_forth import BackAndForthJKO
from wgf.schemes.jko.dynamic import DynamicJKO
from wgf.schemes.jko.entropic import EntropicJKO

CELLS = {1: 200, 2: 48}
LEVELS = 3200
INNER = {1: (1, 4, 16), 2: (1, 4, 16)}  # K
WIDTHS = {1: (16, 4, 1), 2: (4, 1)}  # epsilon over h^2 of the plain entropic steps
CLOSE = ("quantile", "back-and-forth", "entropic, debiased")
SHOWN = ("quantile", "back-and-forth", "dynamic, K = 16", "entropic, debiased")


@dataclass(frozen=True, eq=False)
class Step:
    """One JKO step: a problem in its box, dt, and its exact minimiser where one is known."""

    name: str
    problem: wgf.Problem
    dt: float
    truth: Any = None

    @property
    def grid(self) -> wgf.Grid:
        """The cells on which all are compared."""
        return self.problem.grid(CELLS[self.problem.dimension])


def gaussian(name: str, mean: Any, cov: Any, stiffness: Any, dt: float, box: float) -> Step:
    """entropy + x . stiffness x / 2 from a Gaussian: the minimiser is Gaussian."""
    mean = np.atleast_1d(mean)
    flow = closed_forms.gaussian_flow(mean, cov, dt, 1, stiffness=stiffness)
    matrix = np.asarray(stiffness) * (np.eye(mean.size) if np.ndim(stiffness) == 0 else 1.0)
    energy = wgf.entropy()
    if np.any(matrix):
        energy = energy + wgf.potential(lambda x: 0.5 * ((x @ matrix) * x).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean=mean, cov=cov), bounds=[(-box, box)] * mean.size)
    return Step(name, problem, dt, wgf.Gaussian(mean=flow.means[1], cov=flow.covariances[1]))


def barenblatt(name: str, d: int, m: float, dt: float, box: float, confinement: float = 0.0) -> Step:
    """internal(m) + confinement |x|^2 / 2 from a Barenblatt profile: the minimiser is a dilation of it."""
    l = float(closed_forms.barenblatt_flow(m, d, dt, 1, confinement=confinement)[-1])
    energy = wgf.internal(m)
    if confinement:
        energy = energy + wgf.potential(lambda x: 0.5 * confinement * (x**2).sum(-1))
    start = wgf.Barenblatt(dimension=d, m=m, t0=1.0)
    problem = wgf.Problem(energy, initial=start, bounds=[(-box, box)] * d)
    return Step(name, problem, dt, wgf.Barenblatt(dimension=d, m=m, t0=closed_forms.profile_time(l, m, d)))


def unknown(name: str, energy: wgf.Energy, initial: Any, dt: float, box: float) -> Step:
    """A step without a closed form: the quantile solver stands for the truth."""
    return Step(name, wgf.Problem(energy, initial=initial, bounds=(-box, box)), dt)


@functools.cache
def steps() -> tuple[Step, ...]:
    """The problems, the line first."""
    well = wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2)
    start = wgf.Gaussian(mean=0.3, cov=0.25)
    return (
        gaussian("heat", 0.3, 0.25, 0.0, 0.1, 3.6),
        gaussian("Ornstein-Uhlenbeck", 0.7, 0.25, 1.0, 0.1, 3.6),
        barenblatt("Barenblatt, m = 2", 1, 2, 0.25, 4.0),
        barenblatt("Barenblatt, m = 3", 1, 3, 0.25, 4.0),
        barenblatt("confined, m = 2", 1, 2, 0.25, 4.0, confinement=1.0),
        unknown("double well", wgf.entropy() + well, start, 0.05, 2.0),
        unknown("entropy and m = 2", 0.5 * wgf.entropy() + wgf.internal(2) + well, start, 0.05, 2.0),
        gaussian(
            "Ornstein-Uhlenbeck, plane", [0.6, -0.4], np.diag([0.3, 0.5]), np.diag([1.0, 0.6]), 0.1, 3.6
        ),
        barenblatt("Barenblatt, m = 2, plane", 2, 2, 0.25, 3.0),
    )


def one(step: Step, scheme: Any) -> np.ndarray:
    """Cell averages of what the scheme makes of the step; a replaced step is refused."""
    run = wgf.solve(step.problem, scheme, t_end=step.dt, dt=step.dt)
    assert run.stats.get("fallback_steps", 0) == 0, "the step was replaced by its safe substitute"
    return Density.from_measure(run.final, step.grid).values


@functools.cache
def contestants(step: Step) -> dict[str, Any]:
    """The solvers that can take the step, by name."""
    d = step.problem.dimension
    cells, h = CELLS[d], float(step.grid.spacing.max())
    found: dict[str, Any] = {"quantile": QuantileJKO(levels=LEVELS)} if d == 1 else {}
    found["back-and-forth"] = BackAndForthJKO(cells=cells, tol=2e-3)
    for K in INNER[d]:
        found[f"dynamic, K = {K}"] = DynamicJKO(cells=cells, substeps=K)
    for width in WIDTHS[d]:
        found[f"entropic, {width} h²"] = EntropicJKO(cells=cells, epsilon=width * h * h, debiased=False)
    found["entropic, debiased"] = EntropicJKO(cells=cells)
    return found


@functools.cache
def solved(step: Step) -> dict[str, np.ndarray]:
    """Cell averages by every solver."""
    return {name: one(step, scheme) for name, scheme in contestants(step).items()}


@functools.cache
def truth(step: Step) -> np.ndarray:
    """Cell averages of the exact minimiser, or of the quantile solver's where none is known."""
    if step.truth is None:
        return solved(step)["quantile"]
    return Density.from_measure(step.truth, step.grid).values


def gap(step: Step, a: np.ndarray, b: np.ndarray) -> float:
    """L1 distance of cell averages."""
    return float(np.abs(a - b).sum() * step.grid.volume)


def away(step: Step) -> dict[str, float]:
    """The distance of every solver to the truth."""
    return {name: gap(step, values, truth(step)) for name, values in solved(step).items()}


def apart(step: Step, names: Sequence[str]) -> dict[tuple[str, str], float]:
    """The distances between every two of the named solvers that took the step."""
    found = solved(step)
    pairs = itertools.combinations([name for name in names if name in found], 2)
    return {pair: gap(step, found[pair[0]], found[pair[1]]) for pair in pairs}


def widest(number: int, full: bool) -> float:
    """The largest distance between the solvers that do not depend on K or epsilon, and to the truth."""
    step = steps()[number]
    close = [value for name, value in away(step).items() if name in CLOSE]
    return float(np.max([*apart(step, CLOSE).values(), *close]))


def finest_inner(number: int, full: bool) -> float:
    """The distance of the dynamic solver with the largest K to the truth."""
    step = steps()[number]
    return away(step)[f"dynamic, K = {INNER[step.problem.dimension][-1]}"]


def _worst_ratio(names: Callable[[Step], list[str]]) -> float:
    """The largest ratio of a distance to the one at the parameter before, over all steps."""
    ratios = []
    for step in steps():
        found = [away(step)[name] for name in names(step)]
        ratios += [later / before for before, later in itertools.pairwise(found)]
    return float(np.max(ratios))


def inner_falls(full: bool) -> float:
    """How slowly, at the worst, the distance of the dynamic solver falls as K grows."""
    return _worst_ratio(lambda step: [f"dynamic, K = {K}" for K in INNER[step.problem.dimension]])


def bias_order(full: bool) -> float:
    """The lowest order in epsilon of the plain entropic solver's distance, over all steps and widths."""
    orders = []
    for step in steps():
        widths = WIDTHS[step.problem.dimension]
        found = [away(step)[f"entropic, {width} h²"] for width in widths]
        pairs = zip(itertools.pairwise(found), itertools.pairwise(widths), strict=True)
        orders += [math.log(a / b) / math.log(v / w) for (a, b), (v, w) in pairs]
    return float(np.min(orders))


BOUNDS = (  # per step: distance of the close solvers, of the dynamic one with the largest K
    (9e-5, 5e-3),
    (1e-4, 3e-3),
    (8e-5, 2.5e-3),
    (7e-4, 5e-3),
    (6e-5, 6e-3),
    (8e-5, 2e-3),
    (8e-5, 2e-3),
    (1.7e-3, 6e-3),
    (2.4e-3, 1.3e-2),
)
CLAIMS = (
    *(
        claim
        for number, (step, (close, inner)) in enumerate(zip(steps(), BOUNDS, strict=True))
        for claim in (
            Claim(
                name=f"grid/agree-{re.sub('[^a-z0-9]+', '-', step.name.lower())}",
                what=f"{step.name}: widest gap among quantile, back-and-forth, debiased and truth",
                against="one JKO step, L1 of cell averages",
                measure=functools.partial(widest, number),
                required=AtMost(close),
            ),
            Claim(
                name=f"grid/agree-{re.sub('[^a-z0-9]+', '-', step.name.lower())}-inner",
                what=f"{step.name}: dynamic solver with the largest K",
                against="minimiser of the JKO step, L1 of cell averages",
                measure=functools.partial(finest_inner, number),
                required=AtMost(inner),
            ),
        )
    ),
    Claim(
        name="grid/agree-inner-steps",
        what="largest ratio of the dynamic solver's distance to that at a quarter of K, all steps",
        against="falling with K (on a coarse plane towards the error of the cells)",
        measure=inner_falls,
        required=AtMost(0.9),
    ),
    Claim(
        name="grid/agree-bias",
        what="lowest order in epsilon of the plain entropic solver's distance, all steps",
        against="its stated bias, order 1",
        measure=bias_order,
        required=AtLeast(0.85),
    ),
)


def tables() -> list[str]:
    """For the page: distances to the truth, then between the solvers."""
    names = list(dict.fromkeys(name for step in steps() for name in solved(step)))
    first = [(step.name, *(_shown(away(step).get(name)) for name in names)) for step in steps()]
    pairs = list(itertools.combinations(SHOWN, 2))
    second = [(step.name, *(_shown(apart(step, SHOWN).get(pair)) for pair in pairs)) for step in steps()]
    return [
        markdown_table(("step", *names), first),
        markdown_table(("step", *(" - ".join(pair) for pair in pairs)), second),
    ]


def _shown(distance: float | None) -> str:
    """A distance as text: empty where a solver cannot go, the truth's own marked."""
    if distance is None:
        return ""
    return f"{distance:.1e}" if distance > 0 else "reference"
