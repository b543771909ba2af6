"""Energies over probability measures: a sum of weighted terms that knows nothing of grids, particles or time.

`build.py` holds the functions users write (`entropy() + potential(V)`), `terms.py` and `interaction.py`
what each term can compute, `convolution.py` W * rho on grids, `energy.py` the sum, `named.py` potentials
with compiled gradients, `kernels.py` interaction kernels with their exact cell averages, `equilibrium.py`
minimisers in closed form.

Choices: potentials are plain NumPy of points, differentiated automatically; `kl(target)` is a function
returning entropy + potential and not a term, so that KL flows and Fokker-Planck are visibly the same.
Turned down: an energy class per equation (the combinations multiply) and symbolic energies.
"""

from wgf.energies.build import entropy, interaction, internal, kl, potential
from wgf.energies.energy import Energy
from wgf.energies.equilibrium import Minimum
from wgf.energies.kernels import Newtonian, PowerLaw
from wgf.energies.named import DoubleWell, Logistic, NegativeLogDensity, Quadratic, Ring

__all__ = [
    "DoubleWell",
    "Energy",
    "Logistic",
    "Minimum",
    "NegativeLogDensity",
    "Newtonian",
    "PowerLaw",
    "Quadratic",
    "Ring",
    "entropy",
    "interaction",
    "internal",
    "kl",
    "potential",
]
