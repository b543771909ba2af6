"""The second truth for linear problems: `SpectralFokkerPlanck`, no finite volumes in it.

`scheme` is the class. `axis` holds functions orthonormal for a weight on one axis, `quadratures` where they
are integrated and read, `flow` the weak form in them and its eigenproblem, `energy` the certificate of a run.
"""

from wgf.schemes.grid.spectral.scheme import SpectralFokkerPlanck

__all__ = ["SpectralFokkerPlanck"]
