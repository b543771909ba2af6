"""The gallery: named problems, each with its exact solution or reference and its source.

A function here returns a `Problem` that works out of the box: an initial measure, bounds that hold the
mass, and `exact(t)` where a closed form or a spectral reference of at least ten digits exists. Where there is
neither, `exact` is None, and what IS known (an equilibrium, a moment law, a rate) is a plain function
of its own, not an entry in a dictionary. `GALLERY` holds those that need no arguments, under the names
the command line uses; the two that read a file of the caller's are beside it.

Turned down: a class per problem (the problem IS `Problem`), references from fine grids (second order
cannot referee second order), and energies that reproduce a solution without being its equation.
"""

from __future__ import annotations

from wgf.problems.aggregation import quadratic_aggregation
from wgf.problems.data_density import density_of_file, old_faithful
from wgf.problems.keller_segel import (
    keller_segel,
    keller_segel_blow_up_time,
    keller_segel_second_moment,
)
from wgf.problems.logistic_regression import (
    bayesian_logistic_regression,
    laplace,
    logistic_regression_of_file,
)
from wgf.problems.ornstein_uhlenbeck import (
    heat,
    ornstein_uhlenbeck,
    ornstein_uhlenbeck_moments,
    ornstein_uhlenbeck_path,
    whitened_ornstein_uhlenbeck,
)
from wgf.problems.porous_medium import barenblatt
from wgf.problems.ring import ring, ring_equilibrium, ring_least_energy
from wgf.problems.wells import double_well, spectral_gap, tilted_wells, well_masses

GALLERY = {
    function.__name__.replace("_", "-"): function
    for function in (
        ornstein_uhlenbeck,
        heat,
        barenblatt,
        quadratic_aggregation,
        double_well,
        tilted_wells,
        ring,
        keller_segel,
        bayesian_logistic_regression,
        old_faithful,
    )
}

__all__ = [
    "GALLERY",
    "barenblatt",
    "bayesian_logistic_regression",
    "density_of_file",
    "double_well",
    "heat",
    "keller_segel",
    "keller_segel_blow_up_time",
    "keller_segel_second_moment",
    "laplace",
    "logistic_regression_of_file",
    "old_faithful",
    "ornstein_uhlenbeck",
    "ornstein_uhlenbeck_moments",
    "ornstein_uhlenbeck_path",
    "quadratic_aggregation",
    "ring",
    "ring_equilibrium",
    "ring_least_energy",
    "spectral_gap",
    "tilted_wells",
    "well_masses",
    "whitened_ornstein_uhlenbeck",
]
