"""Minimising movements on the line, exactly: `QuantileJKO`.

W2 is the flat L2 distance of quantile functions, so a step is a smooth convex problem in N + 1 edges with a
tridiagonal Hessian. `scheme` is the class, `mesh` cuts the initial measure into cells of fixed mass,
`mass`, `functional` and `interaction` are the objective, `newton` its solver.

Turned down: particles with equal masses and a log-gap entropy (one order less at free boundaries, a bias in
the entropy), and gradient descent on the edges (the log barrier makes it stiff).
"""

from wgf.schemes.jko.quantile.scheme import QuantileJKO

__all__ = ["QuantileJKO"]
