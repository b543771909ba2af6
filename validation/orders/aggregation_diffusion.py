"""Orders and claims of `AggregationDiffusion`.

Theory. Space: the limited Scharfetter-Gummel flux is second order for smooth positive data at every cell
Peclet number (van Leer, 1979, for the reconstruction), its upwind form first order without entropy. At the
free boundary of a Barenblatt profile with m = 2 the density is a parabola with a corner, which a
second-order scheme sees in one cell: L1 order 2 approached from below. Time: implicit Euler with the
interaction at the midpoint 1, the two-stage SDIRK method 2 (Alexander, 1977), SSP-RK3 3 (Shu & Osher, 1988),
measured on one grid against many more explicit steps, so that no space error enters. Keller-Segel obeys
m2(t) = m2(0) + 4 (1 - M/(8 pi)) t for the second moment around the mean, of the masses at the cell centres;
at the critical mass it stands still, and what moves is the scheme's error. The dissipation defect is half the
square of the difference between the velocity taken and the gradient, plus a midpoint rule: order 2 in dt
for a scheme of order 1 as well.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

import wgf
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.energies.kernels import PowerLaw
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion

NAME = "aggregation-diffusion"
CRITICAL = 8 * np.pi


def final(problem: wgf.Problem, t_end: float, steps: int, **settings: Any) -> wgf.Trajectory:
    """Solve, and refuse a run in which a step had to be replaced: its order would mean nothing."""
    run = wgf.solve(problem, AggregationDiffusion(**settings), t_end=t_end, dt=t_end / steps)
    assert run.stats["fallback_steps"] == 0, "steps were replaced by their safe substitute"
    return run


def space(
    title: str,
    make: Callable[[], wgf.Problem],
    t_end: float,
    cells: tuple[int, ...],
    more: int,
    **settings: Any,
) -> Callable[[bool], Ladder]:
    """The ladder of L1 errors at t_end over cells, SSP-RK3 in sub-steps; `more`: the level of a full run."""

    @functools.cache
    def ladder(full: bool) -> Ladder:
        problem, levels, errors = make(), (*cells, more) if full else cells, []
        assert problem.exact is not None
        for n in levels:
            run = final(problem, t_end, 1, cells=n, time="ssp-rk3", **settings)
            errors.append(wgf.distance(run.final, problem.exact(t_end), "l1"))
        return Ladder(title, "cells", levels, errors)

    return ladder


def point_moment(density: wgf.Density) -> float:
    """The second moment of the masses at the cell centres around their mean."""
    return float(np.trace(density.cov()) - (density.grid.spacing**2).sum() / 12)


@functools.cache
def critical_moment(full: bool) -> Ladder:
    """The change of the second moment of Keller-Segel at the critical mass until t = 0.1, over cells."""
    problem, cells, errors = wgf.problems.keller_segel(mass=CRITICAL), (32, 48, 72, 108), []
    cells = (*cells, 162) if full else cells
    for n in cells:
        run = final(problem, 0.1, 1, cells=n, time="ssp-rk3")
        errors.append(abs(point_moment(run.final) - point_moment(run.measures[0])))
    return Ladder("second moment, Keller-Segel at the critical mass", "cells", cells, errors, "second moment")


def wave(cells: int = 32) -> wgf.Problem:
    """All kinds of terms on the circle, from a wave: 0.05 entropy + 0.1 rho^2 + V + W."""
    grid = wgf.Grid((0.0, 1.0), cells, "periodic")
    values = 1 + 0.5 * np.cos(2 * np.pi * grid.axes[0] + 0.3)
    energy = (
        0.05 * wgf.entropy()
        + 0.1 * wgf.internal(2)
        + wgf.potential(lambda x: 0.3 * np.cos(2 * np.pi * x[..., 0]))
        + wgf.interaction(lambda z: -0.3 * np.cos(2 * np.pi * z[..., 0]))
    )
    start = wgf.Density(grid, values / (values.sum() * grid.volume))
    return wgf.Problem(energy, initial=start, bounds=(0.0, 1.0), boundary="periodic")


@functools.cache
def wave_exact(t_end: float) -> np.ndarray:
    """The semi-discrete solution, by 10 000 explicit steps."""
    return final(wave(), t_end, 10_000, cells=32, time="ssp-rk3").final.values


def in_time(time: str, steps: tuple[int, ...], more: int) -> Callable[[bool], Ladder]:
    """The ladder of L1 errors on one grid over dt."""

    @functools.cache
    def ladder(full: bool) -> Ladder:
        levels, t_end, errors = (*steps, more) if full else steps, 0.1, []
        for count in levels:
            run = final(wave(), t_end, count, cells=32, time=time)
            assert run.stats["substeps"] == count, "the steps were cut"
            errors.append(float(np.abs(run.final.values - wave_exact(t_end)).mean()))
        return Ladder(f"time, {time}, one grid", "dt", tuple(t_end / n for n in levels), errors)

    return ladder


def defect(time: str) -> Callable[[bool], Ladder]:
    """The dissipation defect on one grid over dt."""

    @functools.cache
    def ladder(full: bool) -> Ladder:
        levels, t_end, errors = (10, 20, 40, 80, *((160,) if full else ())), 0.1, []
        for count in levels:
            run = wgf.solve(
                wave(),
                AggregationDiffusion(cells=32, time=time),
                t_end=t_end,
                dt=t_end / count,
                record=["dissipation"],
            )
            assert run.stats["fallback_steps"] == 0, "steps were replaced by their safe substitute"
            errors.append(abs(run.dissipation_defect()))
        return Ladder(f"dissipation defect, {time}", "dt", tuple(t_end / n for n in levels), errors, "defect")

    return ladder


ROWS = (
    Row(
        scheme=NAME,
        problem="quadratic aggregation with diffusion on the line, limited flux",
        norm="L1",
        expected=2,
        bound=5e-5,
        ladder=space(
            "space, quadratic aggregation, 1-D", lambda: wgf.problems.quadratic_aggregation(), 0.3,
            (40, 80, 160, 320), 640,
        ),
    ),
    Row(
        scheme=NAME,
        problem="quadratic aggregation with diffusion in the plane, limited flux",
        norm="L1",
        expected=2,
        bound=1.5e-4,
        ladder=space(
            "space, quadratic aggregation, 2-D", lambda: wgf.problems.quadratic_aggregation(dimension=2), 0.3,
            (40, 80, 160, 240), 360,
        ),
    ),
    Row(
        scheme=NAME,
        problem="porous medium m = 2 on the line, limited flux; free boundary with a corner: 2 from below",
        norm="L1",
        expected=2,
        bound=4e-5,
        tolerance=0.15,
        ladder=space(
            "space, Barenblatt m = 2, 1-D", lambda: wgf.problems.barenblatt(dimension=1, m=2), 0.5,
            (50, 100, 200, 400), 800,
        ),
    ),
    Row(
        scheme=NAME,
        problem="porous medium m = 2 in the plane, limited flux; free boundary with a corner: 2 from below",
        norm="L1",
        expected=2,
        bound=4e-4,
        tolerance=0.15,
        ladder=space(
            "space, Barenblatt m = 2, 2-D", lambda: wgf.problems.barenblatt(dimension=2, m=2), 0.5,
            (24, 48, 96, 144), 216,
        ),
    ),
    Row(
        scheme=NAME,
        problem="upwind flux, porous medium m = 2 on the line: first order",
        norm="L1",
        expected=1,
        bound=3e-3,
        ladder=space(
            "space, Barenblatt m = 2, upwind", lambda: wgf.problems.barenblatt(dimension=1, m=2), 0.5,
            (50, 100, 200, 400), 800, flux="upwind",
        ),
    ),
    Row(
        scheme=NAME,
        problem="Keller-Segel at the critical mass, moment law",
        norm="second moment",
        expected=2,
        bound=7e-4,
        ladder=critical_moment,
    ),
    Row(
        scheme=NAME,
        problem="time implicit, all terms on the circle, one grid",
        norm="L1",
        expected=1,
        bound=5e-3,
        ladder=in_time("implicit", (20, 40, 80, 160), 320),
    ),
    Row(
        scheme=NAME,
        problem="time sdirk2, all terms on the circle, one grid",
        norm="L1",
        expected=2,
        bound=4e-6,
        ladder=in_time("sdirk2", (10, 20, 40, 80), 160),
    ),
    Row(
        scheme=NAME,
        problem="time ssp-rk3, all terms on the circle, one grid",
        norm="L1",
        expected=3,
        bound=4e-10,
        ladder=in_time("ssp-rk3", (200, 300, 450, 675), 1012),
    ),
    Row(
        scheme=NAME,
        problem="defect of time implicit, all terms on the circle; a square of the velocity's error: 2",
        norm="dissipation defect",
        expected=2,
        bound=1e-5,
        ladder=defect("implicit"),
    ),
    Row(
        scheme=NAME,
        problem="defect of time sdirk2, all terms on the circle",
        norm="dissipation defect",
        expected=2,
        bound=1e-7,
        ladder=defect("sdirk2"),
    ),
)  # fmt: skip


# -------------------------------------------------------------------------------- claims that are no orders


@functools.cache
def long_run(full: bool) -> wgf.Trajectory:
    """Attraction against m = 3 diffusion from sparse data, implicit steps beyond the explicit limit."""
    grid = wgf.Grid([(0.0, 1.0)] * 2, 24)
    rng = np.random.default_rng(1)
    values = rng.random(grid.cells) * (rng.random(grid.cells) < 0.2)
    start = wgf.Density(grid, values / (values.sum() * grid.volume))
    energy = 0.02 * wgf.internal(3) + wgf.interaction(lambda z: -np.exp(-8 * (z**2).sum(-1)))
    problem = wgf.Problem(energy, initial=start, bounds=grid.bounds)
    scheme, dt = AggregationDiffusion(cells=24), 0.05
    return wgf.solve(problem, scheme, t_end=40 * dt, dt=dt, save_at=dt, record=["energy", "mass", "minimum"])


def spread_of_multiplier(full: bool) -> float:
    """max - min of xi on the support after 120 implicit steps: porous medium in a well."""
    problem = wgf.Problem(
        wgf.internal(2) + wgf.potential(lambda x: 0.5 * (x**2).sum(-1)),
        initial=wgf.Gaussian(0.1, 0.3),
        bounds=(-3.0, 3.0),
    )
    found = final(problem, 120.0, 120, cells=60).final
    xi = problem.energy.first_variation(found)
    return float(np.ptp(xi[found.values > 1e-8 * found.values.max()]))


def ring_energy(full: bool) -> float:
    """|E + 1/12| of the ring that W = |z|^4/4 - |z|^2/2 makes in the plane on 48^2 cells."""
    problem = wgf.Problem(
        wgf.interaction(PowerLaw(4, 2)), initial=wgf.Gaussian([0.05, 0.0], 0.04), bounds=[(-1.0, 1.0)] * 2
    )
    run = wgf.solve(
        problem, AggregationDiffusion(cells=48, time="ssp-rk3"), t_end=12.0, dt=1.0, record=["energy"]
    )
    return abs(float(run.record["energy"][-1]) + 1 / 12)


def disc_density(full: bool) -> float:
    """Largest deviation from 1/pi, relative, within 0.9 of the unit disc that logarithmic repulsion fills."""
    problem = wgf.Problem(
        wgf.interaction(PowerLaw(2, 0)), initial=wgf.Gaussian([0.0, 0.0], 0.2), bounds=[(-2.0, 2.0)] * 2
    )
    found = final(problem, 5.0, 5, cells=64, time="ssp-rk3").final
    inside = (found.grid.centers**2).sum(-1) < 0.81
    return float(np.abs(np.pi * found.values[inside] - 1).max())


def blow_up_share(full: bool) -> float:
    """Blow-up time over the moment bound for Keller-Segel of three critical masses; inf when none is seen."""
    mass = 3 * CRITICAL
    problem = wgf.problems.keller_segel(mass=mass, bounds=(-3.0, 3.0))
    bound = wgf.problems.keller_segel_blow_up_time(mass, 0.5)
    scheme = AggregationDiffusion(cells=80, time="ssp-rk3", peak=0.5 * CRITICAL / mass)
    run = wgf.solve(problem, scheme, t_end=2 * bound, dt=bound / 50, on_failure="return")
    return (run.stats["steps"] + 1) * run.stats["dt"] / bound if run.status == "diverged" else np.inf


CLAIMS = (
    Claim(
        name="aggregation/mass",
        what="largest mass error of 40 implicit steps, attraction against m = 3 diffusion from sparse data",
        against="exact conservation",
        measure=lambda full: float(np.abs(long_run(full).record["mass"] - 1).max()),
        required=AtMost(1e-12),
    ),
    Claim(
        name="aggregation/energy-decays",
        what="largest rise of the energy in a step of the same run, relative",
        against="energy decay for every dt",
        measure=lambda full: float(
            (np.diff(long_run(full).record["energy"]) / np.abs(long_run(full).record["energy"][1:])).max()
        ),
        required=AtMost(1e-12),
    ),
    Claim(
        name="aggregation/positive",
        what="minus the lowest cell of the same run",
        against="positivity",
        measure=lambda full: 0.0 - float(long_run(full).record["minimum"].min()),
        required=AtMost(0.0),
    ),
    Claim(
        name="aggregation/at-rest",
        what="spread of the first variation over the support of the porous medium at rest in a well",
        against="a constant",
        measure=spread_of_multiplier,
        required=AtMost(1e-10),
    ),
    Claim(
        name="aggregation/ring",
        what="energy of the ring of |z|^4/4 - |z|^2/2 in the plane, 48^2 cells",
        against="-1/12",
        measure=ring_energy,
        required=AtMost(1e-3),
    ),
    Claim(
        name="aggregation/disc",
        what="density of the disc of |z|^2/2 - log|z| in the plane within 0.9 of its radius, 64^2 cells",
        against="1/pi, relative",
        measure=disc_density,
        required=AtMost(2e-2),
    ),
    Claim(
        name="aggregation/blow-up",
        what="blow-up time of Keller-Segel at three critical masses, seen by peak, over the moment bound",
        against="the bound m2(0) / (4 (M/(8 pi) - 1))",
        measure=blow_up_share,
        required=AtMost(1.0),
    ),
)
