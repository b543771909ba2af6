"""Minimising movements in the sliced Wasserstein distance: `SlicedJKO`, on its own clock.

`scheme` is the class, `objective` what one step minimises on the shadows of cells, `newton` the iteration,
`step` what a step does with it where cells may be empty.
"""

from wgf.schemes.jko.sliced.scheme import SlicedJKO

__all__ = ["SlicedJKO"]
