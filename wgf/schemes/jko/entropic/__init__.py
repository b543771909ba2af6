"""Minimising movements by entropic transport: `EntropicJKO`, debiased by default.

`scheme` is the class, `scaling` the iteration of one step, `kernel` the Gaussian on a box, `prox` the
pointwise minimisation, `rates` energy and slope.
"""

from wgf.schemes.jko.entropic.scheme import EntropicJKO

__all__ = ["EntropicJKO"]
