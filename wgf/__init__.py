"""wgf: Wasserstein gradient flows, defined once and solved four ways.

Write an energy over probability measures, say where the flow starts, and follow it with a grid PDE
solver, a minimising-movement (JKO) solver or particles; compare them with each other and with the exact
solution, and get the observed orders of convergence.

    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Gaussian(mean=1.5, cov=0.25), bounds=(-6, 6))
    print(wgf.compare(problem, ["fokker-planck", "quantile-jko", "langevin"], t_end=0.5, dt=0.02))

Importing this package compiles nothing and touches neither matplotlib nor CUDA.
"""

from wgf import problems, schemes, transport
from wgf.base import StepInfo
from wgf.energies import Energy, entropy, interaction, internal, kl, potential
from wgf.errors import (
    CheckpointError,
    ConvergenceError,
    DivergedError,
    MeasureError,
    MissingExtra,
    NotFiniteError,
    SchemeError,
    WgfError,
)
from wgf.loop import solve
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Quantiles, Uniform
from wgf.mobility import Mobility
from wgf.problem import Problem
from wgf.studies import compare, study
from wgf.trajectory import Trajectory, load
from wgf.transport import distance
from wgf.version import __version__

__all__ = [
    "Barenblatt",
    "CheckpointError",
    "ConvergenceError",
    "Density",
    "DivergedError",
    "Energy",
    "Gaussian",
    "Grid",
    "MeasureError",
    "MissingExtra",
    "Mixture",
    "Mobility",
    "NotFiniteError",
    "Particles",
    "Problem",
    "Quantiles",
    "SchemeError",
    "StepInfo",
    "Trajectory",
    "Uniform",
    "WgfError",
    "__version__",
    "compare",
    "distance",
    "entropy",
    "interaction",
    "internal",
    "kl",
    "load",
    "potential",
    "problems",
    "schemes",
    "solve",
    "study",
    "transport",
]
