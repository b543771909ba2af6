"""Minimising movements of Gaussians in closed form: `GaussianJKO`, any dimension.

`scheme` is the class, `energy` recognises quadratic potentials and interactions, `steps` are the maps of one
step: JKO, BDF2, its geodesic extrapolation, midpoint.
"""

from wgf.schemes.jko.gaussian.scheme import GaussianJKO

__all__ = ["GaussianJKO"]
