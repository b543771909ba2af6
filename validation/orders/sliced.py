r"""Observed orders of `SlicedJKO` on cells: space where the sliced step is known exactly, time on one grid.

The sliced flow is not the Wasserstein flow, so it is held only to what is known of it. For isotropic
Gaussians (and homotheties, such as Barenblatt profiles) a sliced step of dt IS a Wasserstein step of d dt,
of closed form; on the line it is the JKO step, which `QuantileJKO` solves in other coordinates; the sliced
flow of any Gaussian under a quadratic V obeys

    dm/dt = -d A (m - b),    E_theta[ theta theta' (theta' dS/dt theta) / (2 theta' S theta) ] = S^-1 - A.

Theory: cells blur by h^2/12 and shadows by as much, W2^2 between binned laws errs by O(h^2): order 2 in
space; steps are implicit Euler in the sliced metric: order 1 in time, measured on one grid between dt and
dt/2, so that no error in space enters.
"""

from __future__ import annotations

import functools
import itertools

import numpy as np
from scipy.integrate import solve_ivp

import wgf
from validation import closed_forms
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.energies import DoubleWell, Quadratic
from wgf.schemes import QuantileJKO
from wgf.schemes.jko.sliced import SlicedJKO

Array = np.ndarray
NAME = "sliced-jko"
SKEW, CENTER = np.array([[2.0, 0.6], [0.6, 0.8]]), np.array([0.5, -0.2])
ANGLES = np.pi * (np.arange(400) + 0.5) / 400
LINES = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
BASIS = (np.diag([1.0, 0.0]), np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([0.0, 1.0]))
UPPER = np.triu_indices(2)


def confined(stiffness: Array | float, initial: wgf.Gaussian, half: float, center: Array | None = None):
    """entropy + quadratic V on a square box."""
    matrix = np.asarray(stiffness, dtype=float) * (np.eye(2) if np.ndim(stiffness) == 0 else 1.0)
    energy = wgf.entropy() + wgf.potential(Quadratic(matrix, center=center))
    return wgf.Problem(energy, initial=initial, bounds=[(-half, half)] * 2)


def l1(found: wgf.Density, exact: object) -> float:
    """L1 distance of cell averages."""
    return wgf.distance(found, wgf.Density.from_measure(exact, found.grid), "l1")


@functools.cache
def in_space(full: bool) -> Ladder:
    """Two steps of 0.1 of an isotropic Gaussian against two W2 steps of 0.2."""
    levels = (16, 32, 64, 128, *((256,) if full else ()))
    problem = confined(1.0, wgf.Gaussian([0.6, 0.3], 0.8), 6.0)
    flow = closed_forms.gaussian_flow(np.array([0.6, 0.3]), 0.8 * np.eye(2), 0.2, 2, stiffness=1.0)
    exact = wgf.Gaussian(flow.means[-1], flow.covariances[-1])
    runs = [wgf.solve(problem, SlicedJKO(cells=n, directions=n), t_end=0.2, dt=0.1) for n in levels]
    return Ladder("space, isotropic Gaussian", "cells", levels, tuple(l1(r.final, exact) for r in runs))


@functools.cache
def on_the_line(full: bool) -> Ladder:
    """Four steps in a double well on the line against QuantileJKO with 3200 levels."""
    levels = (50, 100, 200, 400, *((800,) if full else ()))
    energy = wgf.entropy() + wgf.potential(DoubleWell())
    problem = wgf.Problem(energy, initial=wgf.Gaussian(1.2, 0.09), bounds=(-4.0, 4.0))
    fine = wgf.solve(problem, QuantileJKO(levels=3200), t_end=0.2, dt=0.05).final
    errors = [
        wgf.distance(wgf.solve(problem, SlicedJKO(cells=n), t_end=0.2, dt=0.05).final, fine, "w2")
        for n in levels
    ]
    return Ladder("space, double well on the line", "cells", levels, tuple(errors), "W2")


@functools.cache
def in_time(full: bool) -> Ladder:
    """A skew Gaussian in a skew bowl on one grid: L1 between dt and dt / 2."""
    counts = (4, 8, 16, 32, 64, *((128,) if full else ()))
    problem = confined(SKEW, wgf.Gaussian([1.5, 0.5], [1.0, 2.0]), 7.0, CENTER)
    ends = [
        wgf.solve(problem, SlicedJKO(cells=24, directions=24), t_end=0.2, dt=0.2 / n).final for n in counts
    ]
    gaps = [wgf.distance(a, b, "l1") for a, b in itertools.pairwise(ends)]
    return Ladder("time, skew Gaussian, one grid", "dt", tuple(0.2 / n for n in counts[:-1]), tuple(gaps))


def sliced_rate(cov: Array) -> Array:
    """dS/dt of the sliced flow under SKEW, by equispaced angles (spectrally accurate)."""
    spread = np.einsum("li,ij,lj->l", LINES, cov, LINES)
    columns = []
    for H in BASIS:
        share = np.einsum("li,ij,lj->l", LINES, H, LINES) / (2 * spread)
        columns.append(np.einsum("l,li,lj->ij", share, LINES, LINES)[UPPER] / len(LINES))
    solved = np.linalg.solve(np.stack(columns, axis=1), (np.linalg.inv(cov) - SKEW)[UPPER])
    return np.asarray(sum(c * H for c, H in zip(solved, BASIS, strict=True)))


def sliced_covariance(cov: Array, t: float) -> Array:
    """S(t) of the sliced flow from S(0) = cov."""

    def rate(_: float, y: Array) -> Array:
        return sliced_rate(np.array([[y[0], y[1]], [y[1], y[2]]]))[UPPER]

    y = solve_ivp(rate, (0, t), cov[UPPER], rtol=1e-10, atol=1e-12).y[:, -1]
    return np.array([[y[0], y[1]], [y[1], y[2]]])


@functools.cache
def skew_run(full: bool) -> tuple[Array, Array]:
    """Covariances at t = 0.2 on 32^2 and 64^2 cells, extrapolated to dt = 0 (first order), and to h = 0."""
    limits = []
    for n in (32, 64):
        problem = confined(SKEW, wgf.Gaussian([1.5, 1.0], 2.0), 8.0, CENTER)
        covs = [
            wgf.solve(problem, SlicedJKO(cells=n, directions=48), t_end=0.2, dt=dt).final.cov()
            for dt in (0.025, 0.0125)
        ]
        limits.append(2 * covs[1] - covs[0])
    return limits[1], (4 * limits[1] - limits[0]) / 3


def skew_error(full: bool) -> float:
    """Largest entry of the extrapolated covariance's departure from the sliced flow."""
    return float(np.abs(skew_run(full)[1] - sliced_covariance(2 * np.eye(2), 0.2)).max())


def barenblatt_error(full: bool) -> float:
    """L1 of one step of 0.1 of a Barenblatt profile, m = 2, 64^2 cells, to the dilation by 0.2."""
    problem = wgf.Problem(
        wgf.internal(2), initial=wgf.Barenblatt(dimension=2, m=2, t0=1.0), bounds=[(-3.0, 3.0)] * 2
    )
    scale = float(closed_forms.barenblatt_flow(2, 2, 0.2, 1)[-1])
    exact = wgf.Barenblatt(dimension=2, m=2, t0=closed_forms.profile_time(scale, 2, 2))
    return l1(wgf.solve(problem, SlicedJKO(cells=64, directions=64), t_end=0.1, dt=0.1).final, exact)


@functools.cache
def confined_run(full: bool) -> wgf.Trajectory:
    """A double well from a box, twenty steps."""
    energy = wgf.entropy() + wgf.potential(DoubleWell())
    problem = wgf.Problem(energy, initial=wgf.Uniform([(-1.0, 0.5), (-1.0, 1.0)]), bounds=[(-3.0, 3.0)] * 2)
    scheme = SlicedJKO(cells=32, directions=32)
    return wgf.solve(problem, scheme, t_end=4.0, dt=0.2, save_at=0.2, record=["energy", "mass", "minimum"])


def energy_rise(full: bool) -> float:
    """Largest rise of the energy over a step, relative."""
    energy = confined_run(full).record["energy"]
    return float(np.diff(energy).max() / np.abs(energy).max())


def mass_error(full: bool) -> float:
    """Largest departure of the mass from 1."""
    return float(np.abs(confined_run(full).record["mass"] - 1).max())


def rest_error(full: bool) -> float:
    """L1 of the end of a long run to exp(-V)/Z at the cell centres."""
    final = confined_run(full).final
    gibbs = np.exp(-final.grid.evaluate(DoubleWell()))
    return float(np.abs(final.values - gibbs / gibbs.sum() / final.grid.volume).sum() * final.grid.volume)


def lowest(full: bool) -> float:
    """Minus the least density of the run."""
    return float(-np.min(confined_run(full).record["minimum"]))


ROWS = (
    Row(
        scheme=NAME,
        problem="space, isotropic Gaussian against W2 steps of d dt",
        norm="L1",
        expected=2,
        bound=3e-4,
        ladder=in_space,
    ),
    Row(
        scheme=NAME,
        problem="space, double well on the line against the JKO steps of quantile-jko",
        norm="W2",
        expected=2,
        bound=1.2e-4,
        ladder=on_the_line,
    ),
    Row(
        scheme=NAME,
        problem="time, skew Gaussian on one grid, dt against dt/2",
        norm="L1",
        expected=1,
        bound=4e-3,
        ladder=in_time,
    ),
)

CLAIMS = (
    Claim(
        name="sliced/skew-gaussian",
        what="covariance of a skew Gaussian at sliced time 0.2, extrapolated to dt = 0 and h = 0",
        against="covariance equation of the sliced flow, largest entry",
        measure=skew_error,
        required=AtMost(2e-3),
    ),
    Claim(
        name="sliced/barenblatt-step",
        what="one step of 0.1 of a Barenblatt profile, m = 2, 64^2 cells and 64 directions",
        against="exact W2 step of 0.2, a dilation, L1",
        measure=barenblatt_error,
        required=AtMost(2e-3),
    ),
    Claim(
        name="sliced/mass",
        what="departure of the mass from 1 over twenty steps, double well in the plane",
        against="exact conservation",
        measure=mass_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="sliced/energy-decays",
        what="largest rise of the energy over a step of the same run, relative",
        against="the minimising property",
        measure=energy_rise,
        required=AtMost(1e-12),
    ),
    Claim(
        name="sliced/positive",
        what="minus the lowest cell of the same run, which starts with empty ones",
        against="positivity",
        measure=lowest,
        required=AtMost(0.0),
    ),
    Claim(
        name="sliced/rest",
        what="end of the same run, at sliced time 4",
        against="exp(-V)/Z at the cell centres, L1",
        measure=rest_error,
        required=AtMost(1e-3),
    ),
)
