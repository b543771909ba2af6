"""Minimising movements by the Benamou-Brenier formula: `DynamicJKO`.

`scheme` is the class, `step` one JKO step, `path` the dual over K time levels, `faces` one level with its
exact adjoint, `newton` the solver.
"""

from wgf.schemes.jko.dynamic.scheme import DynamicJKO

__all__ = ["DynamicJKO"]
