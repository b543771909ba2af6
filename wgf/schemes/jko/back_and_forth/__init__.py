"""Minimising movements by the dual problem and its c-transforms: `BackAndForthJKO`.

`scheme` is the class, `dual` the potentials, the gap and the ascent of one step, `linear` Newton's equation
by conjugate gradients under a cosine transform, `jumps` what densities that jump need, `start` the cascade of
coarser grids and the window around the support.
"""

from wgf.schemes.jko.back_and_forth.scheme import BackAndForthJKO

__all__ = ["BackAndForthJKO"]
