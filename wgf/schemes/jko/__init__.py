"""Minimising movements: each step solves argmin W2^2(rho, rho_n) / (2 dt) + E(rho). One folder a solver.

`quantile/` the line, exactly; `back_and_forth/` cells, by the dual problem and c-transforms; `dynamic/`
cells, by the Benamou-Brenier formula; `entropic/` cells, by scalings; `gaussian/` Gaussians in closed form,
any dimension; `sliced/` cells, with the sliced distance in place of W2. The five that share a metric are
held to each other and to closed forms in `validation/agreement.py`; none of them imports another.

Turned down: general-purpose minimisers over cell values with W2 by linear programming (W2 between close
densities is a hard test on any grid, and JKO steps are exactly that).
"""

from wgf.schemes.jko.back_and_forth import BackAndForthJKO
from wgf.schemes.jko.dynamic import DynamicJKO
from wgf.schemes.jko.entropic import EntropicJKO
from wgf.schemes.jko.gaussian import GaussianJKO
from wgf.schemes.jko.quantile import QuantileJKO
from wgf.schemes.jko.sliced import SlicedJKO

__all__ = ["BackAndForthJKO", "DynamicJKO", "EntropicJKO", "GaussianJKO", "QuantileJKO", "SlicedJKO"]
