"""Nonlinear and nonlocal equations: `AggregationDiffusion`.

`scheme` is the class. `flow` is the space-discrete flow (first variation, limited faces, energy),
`explicit` steps it by SSP-RK3, `newton` solves its implicit stages.
"""

from wgf.schemes.grid.aggregation_diffusion.scheme import AggregationDiffusion

__all__ = ["AggregationDiffusion"]
