"""Distances between measures: exact where that is possible, and a clear no where it is not.

`w2_1d` (two sorts), `bures` (Gaussians), `w2_clouds` (assignment or linear programme) and `sliced_w2` (with
its gradient) return SQUARES of plain arrays, for those who want only the kernel; `distance` takes any two
measures and returns LENGTHS. `WeightedPoisson` finds the potential whose gradient moves a density at a
given rate, the tangent vector of a curve of measures.

Choices: on the line every law becomes a quantile function, made of straight pieces or smooth, so that one
integral serves all pairs (`lines.py`); in more dimensions measures are projected, a grid density as the
trapezoids its cells cast (`project.py`). L1 and KL against a grid compare cell averages. Turned down:
sampling a measure silently to make a pair comparable (the sampling error would pass for a distance), and
entropic smoothing in place of an exact solver.
"""

from wgf.transport.bures import bures
from wgf.transport.clouds import w2_clouds
from wgf.transport.distance import distance
from wgf.transport.sliced import SlicedW2, directions, sliced_w2
from wgf.transport.w2_1d import w2_1d
from wgf.transport.weighted_poisson import PoissonSolution, WeightedPoisson

__all__ = [
    "PoissonSolution",
    "SlicedW2",
    "WeightedPoisson",
    "bures",
    "directions",
    "distance",
    "sliced_w2",
    "w2_1d",
    "w2_clouds",
]
