"""Schemes on cells: finite volumes whose fluxes vanish on the exact equilibrium.

What is here: `FokkerPlanck` (diffusion and a potential), built from one-axis tridiagonal sweeps over face
fluxes (`splitting`), one sparse solve (`unsplit`) or dense exponentials (`exponential`), all on the same
Scharfetter-Gummel rates (`rates`). So every way to step keeps mass, positivity of the rates and
exp(-V/D) by the same argument, and they can be checked against each other.

Turned down: central differences (negative cells where the drift is strong, boundary fluxes that do not
vanish), upwind fluxes (first order, wrong equilibrium), an unsplit second-order solve as default (a sparse
LU costs 40 times the sweeps at 256^2), and clipping of negative values (it makes mass).
"""

from wgf.schemes.grid.fokker_planck import FokkerPlanck

__all__ = ["FokkerPlanck"]
