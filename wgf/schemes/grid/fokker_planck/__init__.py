"""Linear Fokker-Planck equations: `FokkerPlanck` and the ways it steps.

`scheme` is the class. `equation` reads from a problem what potential, mobility and drift are on faces;
`splitting` (one-axis tridiagonal sweeps), `unsplit` (one sparse solve) and `exponential` (exact in time)
advance it. A full diffusion tensor jumps along other directions than the axes: `bonds`, `tensor`, chosen by
`selling` so that no rate is negative, completed at the box by `walls`.
"""

from wgf.schemes.grid.fokker_planck.scheme import FokkerPlanck

__all__ = ["FokkerPlanck"]
