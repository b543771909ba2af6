"""Minimising movements: each step solves argmin W2^2(rho, rho_n) / (2 dt) + E(rho).

On the line (`quantile.py`) W2 is the flat L2 distance of quantile functions, so the step is a smooth
convex problem in N + 1 edge positions with a tridiagonal Hessian, and the higher-order methods of
Hilbert spaces (BDF2, implicit midpoint) apply as they stand. `quantile_mesh.py` cuts the initial measure
into cells, `quantile_functional.py` and `quantile_interaction.py` are the objective, `newton.py` the solver.

Turned down: particles with equal masses and a log-gap entropy (one order less at free boundaries, a bias in
the entropy), and gradient descent on the edges (the log barrier makes it stiff).
"""

from wgf.schemes.jko.quantile import QuantileJKO

__all__ = ["QuantileJKO"]
