"""Claims on real data: Old Faithful, a Gaussian flowing onto a kernel density estimate of 272 eruptions.

The two columns (duration, waiting time) are standardised; the target is their kernel density estimate
with bandwidth 0.25; the flow of the KL divergence is run by the PDE to equilibrium and by particles.
"""

from __future__ import annotations

import functools
from importlib import resources
from pathlib import Path

import numpy as np

import wgf
from validation.claims import AtMost, Claim, Subject
from wgf.plot import style
from wgf.schemes import FokkerPlanck, Langevin

BOX = [(-4.0, 4.0), (-4.0, 4.0)]
BANDWIDTH, CELLS = 0.25, 256
PARTICLES = {False: 20_000, True: 100_000}  # by `full`; 272 kernels are summed for each


@functools.cache
def data() -> np.ndarray:
    """Durations and waiting times, standardised, (272, 2)."""
    with resources.files("wgf.problems").joinpath("data", "geyser.csv").open() as file:
        table = np.loadtxt(file, delimiter=",", skiprows=1, usecols=(0, 1))
    return (table - table.mean(0)) / table.std(0)


@functools.cache
def problem() -> wgf.Problem:
    """The flow of KL(. | target) from a standard Gaussian."""
    target = wgf.Mixture.kde(data(), bandwidth=BANDWIDTH)
    return wgf.Problem(wgf.kl(target), initial=wgf.Gaussian(mean=[0, 0], cov=1.0), bounds=BOX)


@functools.cache
def flow() -> wgf.Trajectory:
    """The PDE to t = 20."""
    scheme = FokkerPlanck(cells=CELLS)
    return wgf.solve(problem(), scheme, t_end=20.0, dt=0.02, save_at=1.0, record=["energy", "mass"])


def target_on_cells() -> np.ndarray:
    """Cell averages of the kernel density estimate, summed kernel by kernel from error functions."""
    from scipy.special import ndtr

    grid = flow().final.grid
    along = []
    for axis in range(2):
        steps = ndtr((grid.edges(axis)[:, None] - data()[:, axis]) / BANDWIDTH)
        along.append(np.diff(steps, axis=0) / grid.spacing[axis])
    return along[0] @ along[1].T / len(data())


def equilibrium_error(full: bool) -> float:
    """L1 distance of the PDE at t = 20 to the target, cell averages."""
    found = flow().final
    return float(np.abs(found.values - target_on_cells()).sum() * found.grid.volume)


def energy_rise(full: bool) -> float:
    """Largest rise of the energy between saved times."""
    return float(np.diff(flow().record["energy"]).max())


def mass_drift(full: bool) -> float:
    """Largest relative change of the mass."""
    mass = np.asarray(flow().record["mass"])
    return float(np.abs(mass / mass[0] - 1).max())


def particle_gap(full: bool) -> float:
    """Sliced W2 between the cloud and the PDE at t = 1, half-way to equilibrium."""
    scheme = Langevin(particles=PARTICLES[full])
    cloud = wgf.solve(problem(), scheme, t_end=1.0, dt=0.005, seed=0).final
    return wgf.distance(cloud, flow().at(1.0), "sliced_w2")


CLAIMS = (
    Claim(
        name="geyser/equilibrium",
        what=f"PDE on {CELLS}^2 cells at t = 20",
        against="the kernel density estimate, L1 of cell averages",
        measure=equilibrium_error,
        required=AtMost(1e-2),
    ),
    Claim(
        name="geyser/energy",
        what="largest rise of the energy between saved times of the PDE",
        against="energy decay",
        measure=energy_rise,
        required=AtMost(1e-12),
    ),
    Claim(
        name="geyser/mass",
        what="largest relative change of the mass over 1000 steps",
        against="exact conservation",
        measure=mass_drift,
        required=AtMost(1e-12),
    ),
    Claim(
        name="geyser/particles",
        what=f"{PARTICLES[False]} Langevin particles ({PARTICLES[True]} with --full) at t = 1, sliced W2",
        against="the PDE at t = 1",
        measure=particle_gap,
        required=AtMost(0.02),
    ),
)


def draw(folder: Path, full: bool) -> list[tuple[str, str]]:
    """The data over the PDE's density at t = 0, 1 and 20."""
    figure, frames = style.blank(columns=3, size=(11.0, 4.3), sharey=True)
    for frame, time in zip(frames, (0.0, 1.0, 20.0), strict=True):
        measure = flow().at(time)
        (x0, x1), (y0, y1) = measure.grid.bounds
        frame.imshow(measure.values.T, origin="lower", extent=(x0, x1, y0, y1), cmap="Blues", aspect="equal")
        frame.plot(*data().T, ".", color=style.VERMILION, markersize=2)
        style.dress(frame, "duration (standardised)", "", f"t = {time:g}", grid=False)
    frames[0].set_ylabel("waiting time (standardised)")
    style.finish(figure, str(folder / "geyser.png"))
    return [("geyser.png", "Density of the flow (blue) at three times, and the 272 eruptions (dots).")]


SUBJECT = Subject(name="geyser", title="Old Faithful", claims=CLAIMS, draw=draw)
