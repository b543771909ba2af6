"""Schemes on cells: finite volumes whose fluxes vanish on the exact equilibrium. One folder a scheme.

`fokker_planck/` linear diffusion with potential, mobility, drift, obstacles and sources;
`aggregation_diffusion/` any internal, potential and interaction energy; `spectral/` an independent second
truth for linear problems; `spectrum.py` decay rates and the spectral gap. Shared: `rates.py`, the
Scharfetter-Gummel rates of all of them, and `sources.py`, what a source creates in the cells.

So every way to step keeps mass, positivity of the rates and exp(-V/D) by the same argument, and they can be
checked against each other. Turned down: central differences (negative cells where the drift is strong,
boundary fluxes that do not vanish; for a tensor, cross terms of either sign), upwind fluxes as default
(first order, wrong equilibrium), an unsplit second-order solve as default (a sparse LU costs 40 times the
sweeps at 256^2), and clipping of negative values (it makes mass).
"""

from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion
from wgf.schemes.grid.fokker_planck import FokkerPlanck
from wgf.schemes.grid.spectral import SpectralFokkerPlanck
from wgf.schemes.grid.spectrum import Spectrum, spectrum

__all__ = ["AggregationDiffusion", "FokkerPlanck", "SpectralFokkerPlanck", "Spectrum", "spectrum"]
