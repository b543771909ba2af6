"""Nonlinear and nonlocal equations: `AggregationDiffusion`.

`scheme` is the class. `flow` is the space-discrete flow (first variation, limited faces, energy),
`explicit` steps it by SSP-RK3, `implicit` by implicit rules whose stages `newton` solves.
"""

from wgf.schemes.grid.aggregation_diffusion.scheme import AggregationDiffusion

__all__ = ["AggregationDiffusion"]
