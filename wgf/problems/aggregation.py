"""Quadratic aggregation: mutual attraction with a closed form, the first test of an interaction term."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.energies import entropy, interaction
from wgf.energies.named import Quadratic
from wgf.measures import Gaussian
from wgf.problem import Problem
from wgf.problems.boxes import (
    bounds_or_none,
    box_around,
    chosen,
    dimension_kind,
    initial_gaussian,
    mean_or_none,
    numbers_or_none,
)


class _Gathering:
    """The Gaussian around the conserved mean at each time."""

    def __init__(self, start: Gaussian, diffusion: float) -> None:
        self.start, self.diffusion = start, diffusion

    def __call__(self, t: float) -> Gaussian:
        rest = self.diffusion * np.eye(self.start.dimension)
        return Gaussian(self.start.center, rest + (self.start.covariance - rest) * np.exp(-2 * t))


@checks.checked(
    dimension=dimension_kind,
    diffusion=checks.nonnegative,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def quadratic_aggregation(
    dimension: int = 1,
    diffusion: float = 0.5,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""Everyone attracts everyone like a spring, against diffusion.

    d_t rho = div(rho grad(W * rho)) + D Laplace(rho), W(z) = |z|^2/2, so grad(W * rho) = x - mean.
    The mean is conserved; the covariance is D + (S(0) - D) e^(-2t).

    dimension: d. diffusion: D >= 0; with 0 the cloud only contracts, and grid schemes lose it below a
    cell. mean: 1 on every axis by default; cov: 1 by default. bounds: by default 7 standard deviations
    of the wider of start and end.

    >>> problem = quadratic_aggregation(diffusion=0.5)
    >>> problem.exact(10.0).cov().round(6).tolist(), problem.exact(10.0).mean().tolist()
    ([[0.5]], [1.0])

    Carrillo, McCann & Villani, 2003 (the model); the covariance follows by moments.
    """
    start = initial_gaussian(dimension, 1.0 if mean is None else mean, 1.0 if cov is None else cov)
    path = _Gathering(start, diffusion)
    energy = interaction(Quadratic(np.eye(dimension)))
    if diffusion > 0:
        energy = diffusion * entropy() + energy
    return Problem(
        energy,
        initial=start,
        bounds=chosen(bounds, box_around([path(t) for t in (0.0, 20.0)])),
        exact=path,
        name="quadratic-aggregation",
        reference="Carrillo, McCann & Villani, 2003",
    )
