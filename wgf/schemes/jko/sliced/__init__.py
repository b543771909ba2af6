"""Minimising movements in the sliced Wasserstein distance: `SlicedJKO`, on its own clock.

`scheme` is the class, `step` the Newton iteration of one step on shadows of cells.
"""

from wgf.schemes.jko.sliced.scheme import SlicedJKO

__all__ = ["SlicedJKO"]
