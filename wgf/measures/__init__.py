"""Probability measures: what goes into a problem and what comes out of a solver.

Each kind is one final class of immutable arrays with the methods it can honestly offer: `mean`, `cov`
and `sample` always, `pdf`, `log_density`, `score` where there is a density, `cdf` and `quantile` on the
line. A measure is never "an array whose meaning you must remember". Anything of a user's with `pdf` and
`sample` may be passed instead. `kind` and `arrays()` let a file hold any of them without pickle.

Turned down: a base class with default methods (a cloud has no density; pretending costs more than it
saves) and normalising silently (a Density says its mass).
"""

from wgf.measures.barenblatt import Barenblatt
from wgf.measures.base import Measure
from wgf.measures.density import Density
from wgf.measures.gaussian import Gaussian
from wgf.measures.grid import Grid
from wgf.measures.mixture import Mixture
from wgf.measures.particles import Particles
from wgf.measures.quantiles import Quantiles
from wgf.measures.uniform import Uniform

KINDS = {c.kind: c for c in (Barenblatt, Density, Gaussian, Mixture, Particles, Quantiles, Uniform)}

__all__ = [
    "Barenblatt",
    "Density",
    "Gaussian",
    "Grid",
    "Measure",
    "Mixture",
    "Particles",
    "Quantiles",
    "Uniform",
]
