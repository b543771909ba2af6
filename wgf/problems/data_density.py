"""Flows onto the density of measurements: from a standard Gaussian to a kernel density estimate."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import numpy as np

from wgf import checks
from wgf.energies import kl
from wgf.measures import Gaussian, Mixture
from wgf.measures.mixture import bandwidth_kind
from wgf.problem import Problem
from wgf.problems.boxes import DEVIATIONS, bounds_or_none, chosen
from wgf.problems.tables import columns_kind, read_numbers, standardised

START_DEVIATIONS = 5.5  # of the initial Gaussian inside the box: 4e-8 of it is outside
BANDWIDTHS = DEVIATIONS  # of a kernel beyond the outermost point: nothing of the target is outside


@checks.checked(
    path=checks.path,
    columns=checks.optional(columns_kind),
    bandwidth=bandwidth_kind,
    standardise=checks.boolean,
    bounds=bounds_or_none,
)
def density_of_file(
    path: str,
    columns: Any = None,
    bandwidth: float | str = "scott",
    standardise: bool = True,
    bounds: Any = None,
) -> Problem:
    r"""From a Gaussian onto the kernel density estimate of the columns of a data file.

    d_t rho = div(rho grad log(rho / q)), q the estimate: the gradient flow of KL(rho | q).

    path: a comma-separated file with a header line. columns: names, by default every column of
    numbers. bandwidth: the kernels' standard deviation in the unit of what is flowed (after
    standardising), or "scott"; small ones make valleys that take long to cross. standardise: shift and
    scale every column to mean 0 and deviation 1 (then the initial Gaussian is standard; else it has
    the data's mean and variances). bounds: by default 5.5 deviations of the initial Gaussian
    and 7 bandwidths around the data. The equilibrium is q itself: `energy.minimum(problem)` or the
    energy's target; no closed form on the way.

    >>> density_of_file(str(files("wgf.problems") / "data" / "geyser.csv"), ["duration"]).dimension
    1

    Scott, 1992, chapter 6 (the estimate); Jordan, Kinderlehrer & Otto, 1998 (the flow).
    """
    data = read_numbers(path, columns)
    data = standardised(data) if standardise else data
    target = Mixture.kde(data, bandwidth)
    start = Gaussian(data.mean(axis=0), data.var(axis=0))
    kernel = np.sqrt(np.diag(target.covariances[0]))
    spread = START_DEVIATIONS * np.sqrt(np.diag(start.covariance))
    low = np.minimum(start.center - spread, data.min(axis=0) - BANDWIDTHS * kernel)
    high = np.maximum(start.center + spread, data.max(axis=0) + BANDWIDTHS * kernel)
    return Problem(
        kl(target),
        initial=start,
        bounds=chosen(bounds, tuple((float(a), float(b)) for a, b in zip(low, high, strict=True))),
        name="density-of-file",
        reference="Scott, 1992, chapter 6; Jordan, Kinderlehrer & Otto, 1998",
    )


@checks.checked(bandwidth=bandwidth_kind, bounds=bounds_or_none)
def old_faithful(bandwidth: float | str = 0.25, bounds: Any = None) -> Problem:
    """Onto the density of 272 eruptions of the Old Faithful geyser: duration and waiting time.

    Two clusters, short eruptions after short waits and long after long: a double well drawn by nature.
    Both columns are standardised. bandwidth: as in `density_of_file`; at 0.25 the valley is crossed
    in a time of about 10, at 0.15 hardly at all.

    >>> old_faithful().dimension
    2

    Haerdle, 1991; Azzalini & Bowman, 1990 (the 272 eruptions).
    """
    path = str(files("wgf.problems") / "data" / "geyser.csv")
    problem = density_of_file(path, ["duration", "waiting"], bandwidth, True, bounds)
    return Problem(
        problem.energy,
        initial=problem.initial,
        bounds=problem.bounds,
        name="old-faithful",
        reference="data: Haerdle, 1991; Azzalini & Bowman, 1990",
    )
