"""Schemes: ways to advance a problem by dt. One room per kind of discretisation.

`grid/` finite volumes on cells, `jko/` minimising movements, `particles/` clouds; `names.py` makes
'fokker-planck', FokkerPlanck and FokkerPlanck() mean the same; `cells.py` and `internal_energy.py` are what
schemes on cells share. A scheme is a frozen dataclass of settings with pure functions `supports`, `init`,
`step`, `measure` (see `wgf.base`); it holds no state and has no time loop. Turned down: a base class with a
time loop in it, and registration as a side effect of subclassing.
"""

from wgf.schemes.grid import AggregationDiffusion, FokkerPlanck, SpectralFokkerPlanck, Spectrum, spectrum
from wgf.schemes.jko import (
    BackAndForthJKO,
    DynamicJKO,
    EntropicJKO,
    GaussianJKO,
    QuantileJKO,
    SlicedJKO,
)
from wgf.schemes.particles import Langevin

__all__ = [
    "AggregationDiffusion",
    "BackAndForthJKO",
    "DynamicJKO",
    "EntropicJKO",
    "FokkerPlanck",
    "GaussianJKO",
    "Langevin",
    "QuantileJKO",
    "SlicedJKO",
    "SpectralFokkerPlanck",
    "Spectrum",
    "spectrum",
]
