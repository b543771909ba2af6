"""What schemes on cells or levels promise of every run: mass, falling energy, no negative density; one loop.

A scheme joins by one line of `CONTESTANTS`, with the promises its docstring makes. The runs are meant to be
hard on the promises and not on the eye: a double well or a free boundary, steps much too large for accuracy.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

import wgf
from validation.claims import AtMost, Claim
from validation.report import markdown_table
from wgf.schemes import FokkerPlanck, QuantileJKO
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion
from wgf.schemes.grid.spectral import SpectralFokkerPlanck
from wgf.schemes.jko.back_and_forth import BackAndForthJKO
from wgf.schemes.jko.dynamic import DynamicJKO
from wgf.schemes.jko.entropic import EntropicJKO
from wgf.schemes.jko.sliced import SlicedJKO

STEPS = 20


def well(x: np.ndarray) -> np.ndarray:
    """V = (x^2 - 1)^2 (+ y^2) on the line (in the plane)."""
    return (x[..., 0] ** 2 - 1) ** 2 + (x[..., 1:] ** 2).sum(-1)


@functools.cache
def problem(kind: str) -> wgf.Problem:
    """The runs: "line" and "plane" are linear, "porous" has a free boundary, "crowd" attracts as well."""
    if kind == "line":
        energy = wgf.entropy() + wgf.potential(well)
        return wgf.Problem(energy, initial=wgf.Gaussian(-0.5, 0.1), bounds=(-2.4, 2.4))
    if kind == "plane":
        energy = wgf.entropy() + wgf.potential(well)
        initial = wgf.Gaussian([-0.5, 0.3], 0.1)
        return wgf.Problem(energy, initial=initial, bounds=[(-2.4, 2.4), (-2.4, 2.4)])
    if kind == "porous":
        initial = wgf.Barenblatt(dimension=2, m=2, t0=0.1, center=(0.2, 0.0))
        energy = wgf.internal(2) + wgf.potential(lambda x: (x**2).sum(-1))
        return wgf.Problem(energy, initial=initial, bounds=[(-1.6, 1.6), (-1.6, 1.6)])
    energy = 0.2 * wgf.entropy() + wgf.internal(2) + wgf.interaction(lambda z: (z**2).sum(-1))
    return wgf.Problem(energy, initial=wgf.Gaussian(0.3, 0.2), bounds=(-2.4, 2.4))


@dataclass(frozen=True)
class Contestant:
    """A scheme on a kind of problem with steps of dt, and what it promises beside mass."""

    name: str
    scheme: Any
    kind: str
    dt: float
    positive: bool = True
    decays: bool = True


CONTESTANTS = (
    Contestant("FokkerPlanck, tr-bdf2", FokkerPlanck(cells=48), "plane", 0.01, positive=False, decays=False),
    Contestant("FokkerPlanck, backward-euler", FokkerPlanck(cells=48, time="backward-euler"), "plane", 0.2),
    Contestant("FokkerPlanck, lie", FokkerPlanck(cells=48, time="lie"), "plane", 0.2),
    Contestant("FokkerPlanck, exponential", FokkerPlanck(cells=48, time="exponential"), "plane", 0.2),
    Contestant("SpectralFokkerPlanck", SpectralFokkerPlanck(), "line", 0.1, positive=False, decays=False),
    Contestant("AggregationDiffusion, implicit", AggregationDiffusion(cells=100), "crowd", 0.1),
    Contestant(
        "AggregationDiffusion, sdirk2",
        AggregationDiffusion(cells=32, time="sdirk2"),
        "porous",
        0.005,
        positive=False,
        decays=False,
    ),
    Contestant(
        "AggregationDiffusion, ssp-rk3", AggregationDiffusion(cells=60, time="ssp-rk3"), "crowd", 0.02
    ),
    Contestant("QuantileJKO, jko", QuantileJKO(levels=150), "crowd", 0.1),
    Contestant("QuantileJKO, bdf2", QuantileJKO(levels=150, time="bdf2"), "crowd", 0.05, decays=False),
    Contestant("QuantileJKO, midpoint", QuantileJKO(levels=400, time="midpoint"), "line", 0.01, decays=False),
    Contestant("BackAndForthJKO, jko", BackAndForthJKO(cells=64), "porous", 0.05),
    Contestant(
        "BackAndForthJKO, midpoint", BackAndForthJKO(cells=64, time="midpoint"), "porous", 0.02, decays=False
    ),
    Contestant("DynamicJKO, K = 1", DynamicJKO(cells=32), "porous", 0.02),
    Contestant("DynamicJKO, K = 4", DynamicJKO(cells=100, substeps=4), "line", 0.02),
    Contestant("EntropicJKO, debiased", EntropicJKO(cells=64), "porous", 0.02),
    Contestant("SlicedJKO, cells", SlicedJKO(cells=32), "plane", 0.02),
)


@dataclass(frozen=True)
class Kept:
    """Mass error, largest relative rise of the energy in a step, lowest density of one run."""

    mass: float
    rise: float
    least: float


def mass(measure: Any) -> float:
    """The mass of a measure on cells or of quantiles, summed exactly."""
    if hasattr(measure, "masses"):
        return math.fsum(measure.masses)
    return math.fsum(measure.values.ravel()) * measure.grid.volume


def least(measure: Any) -> float:
    """The lowest density; of quantiles it is negative when two edges cross."""
    if hasattr(measure, "edges"):
        return float((measure.masses / np.diff(measure.edges)).min())
    return float(measure.values.min())


@functools.cache
def kept(contestant: Contestant) -> Kept:
    """One run of `STEPS` steps, every one of them looked at."""
    run = wgf.solve(
        problem(contestant.kind),
        contestant.scheme,
        t_end=STEPS * contestant.dt,
        dt=contestant.dt,
        save_at=contestant.dt,
        record=["energy"],
    )
    energies = np.asarray(run.record["energy"], float)
    start = mass(run.measures[0])
    return Kept(
        float(np.max([abs(mass(measure) / start - 1) for measure in run.measures])),
        float(np.max(np.diff(energies) / np.abs(energies[:-1]))),
        float(np.min([least(measure) for measure in run.measures])),
    )


def worst_mass(full: bool) -> float:
    """The largest mass error of all runs."""
    return float(np.max([kept(c).mass for c in CONTESTANTS]))


def worst_rise(full: bool) -> float:
    """The largest relative rise of an energy in one step, of schemes that promise none."""
    return float(np.max([kept(c).rise for c in CONTESTANTS if c.decays]))


def lowest(full: bool) -> float:
    """Minus the lowest density, of schemes that promise none below 0."""
    return 0.0 - float(np.min([kept(c).least for c in CONTESTANTS if c.positive]))


COUNT = len(CONTESTANTS)
DECAYING, POSITIVE = sum(c.decays for c in CONTESTANTS), sum(c.positive for c in CONTESTANTS)
CLAIMS = (
    Claim(
        name="grid/promise-mass",
        what=f"largest mass error of a run, {COUNT} schemes and time integrators",
        against="exact conservation",
        measure=worst_mass,
        required=AtMost(1e-12),
    ),
    Claim(
        name="grid/promise-energy",
        what=f"largest relative rise of the energy in a step, the {DECAYING} that promise decay",
        against="energy decay",
        measure=worst_rise,
        required=AtMost(1e-12),
    ),
    Claim(
        name="grid/promise-positive",
        what=f"minus the lowest density, the {POSITIVE} that promise positivity",
        against="positivity without clipping",
        measure=lowest,
        required=AtMost(0.0),
    ),
)


def table() -> str:
    """Every run for the page."""
    lines = []
    for c in CONTESTANTS:
        k = kept(c)
        lines.append(
            (
                c.name,
                c.kind,
                f"{c.dt:g}",
                f"{k.mass:.1e}",
                f"{k.rise:.1e}" + ("" if c.decays else " (not promised)"),
                f"{k.least:.1e}" + ("" if c.positive else " (not promised)"),
            )
        )
    return markdown_table(("scheme", "problem", "dt", "mass error", "energy rise", "least density"), lines)
