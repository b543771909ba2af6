"""Hypothesis strategies that draw problems and measures together with their exact answers.

For property-based tests: `@given(gaussian_flows())` draws Ornstein-Uhlenbeck problems whose `exact(t)` is
known, `@given(translations())` pairs of clouds whose W2 is known. Hypothesis is imported when a strategy is
built, so wgf does not need it. Parameters stay in ranges where time scales are of order 1.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf import checks
from wgf.energies import Quadratic, entropy, potential
from wgf.measures import Gaussian, Particles
from wgf.problem import Problem
from wgf.problems import ornstein_uhlenbeck_path, quadratic_aggregation

__all__ = [
    "Confined",
    "Pair",
    "aggregations",
    "diracs",
    "dilations",
    "gaussian_flows",
    "gaussians",
    "permutations",
    "smooth_potentials",
    "translations",
]

POINTS = 12  # most points of a drawn cloud


class Pair(NamedTuple):
    """Two clouds and their exact W2 distance (a length)."""

    a: Particles
    b: Particles
    w2: float


class Confined(NamedTuple):
    """A smooth potential on the line, its derivative in closed form, and a problem made of it."""

    V: Any
    slope: Any
    problem: Problem


def _matrix(draw: Any, d: int, low: float, high: float) -> np.ndarray:
    """A symmetric matrix with eigenvalues between low and high, in a random frame."""
    from hypothesis import strategies as st

    values = [draw(st.floats(low, high)) for _ in range(d)]
    seed = draw(st.integers(0, 2**32 - 1))
    frame, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))
    matrix = frame * values @ frame.T
    return 0.5 * (matrix + matrix.T)


@checks.checked(max_dimension=checks.integer(1, 5))
def gaussians(max_dimension: int = 2) -> Any:
    """Gaussians with means in [-2, 2]^d and standard deviations between 0.3 and 1.5."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Gaussian:
        d = draw(st.integers(1, max_dimension))
        mean = [draw(st.floats(-2, 2)) for _ in range(d)]
        return Gaussian(mean, _matrix(draw, d, 0.09, 2.25))

    return drawn()


@checks.checked(max_dimension=checks.integer(1, 5))
def gaussian_flows(max_dimension: int = 2) -> Any:
    """Ornstein-Uhlenbeck problems, all parameters random; `exact(t)` is the answer."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Problem:
        start = draw(gaussians(max_dimension))
        stiffness = _matrix(draw, start.dimension, 0.5, 2.0)
        diffusion = draw(st.floats(0.3, 1.5))
        reach = np.linalg.norm(start.center) + 7 * max(1.5, (diffusion / 0.5) ** 0.5)  # at all times
        return Problem(
            diffusion * entropy() + potential(Quadratic(stiffness)),
            initial=start,
            bounds=[(-reach, reach)] * start.dimension,
            exact=ornstein_uhlenbeck_path(stiffness, diffusion, start.center, start.covariance),
            name="ornstein-uhlenbeck",
        )

    return drawn()


@checks.checked()
def aggregations() -> Any:
    """Gaussians on the line under quadratic attraction and diffusion; `exact(t)` is known."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Problem:
        return quadratic_aggregation(
            diffusion=draw(st.sampled_from([0.0, 0.5])),
            mean=draw(st.floats(-1, 1)),
            cov=draw(st.floats(0.2, 1.5)),
        )

    return drawn()


def _clouds(draw: Any, max_dimension: int) -> np.ndarray:
    from hypothesis import strategies as st

    n, d = draw(st.integers(1, POINTS)), draw(st.integers(1, max_dimension))
    values = draw(st.lists(st.floats(-3, 3), min_size=n * d, max_size=n * d))
    return np.array(values).reshape(n, d)


@checks.checked(max_dimension=checks.integer(1, 5))
def translations(max_dimension: int = 2) -> Any:
    """A cloud and its translate by v: W2 = |v|."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Pair:
        x = _clouds(draw, max_dimension)
        shift = np.array([draw(st.floats(-5, 5)) for _ in range(x.shape[1])])
        return Pair(Particles(x), Particles(x + shift), float(np.linalg.norm(shift)))

    return drawn()


@checks.checked(max_dimension=checks.integer(1, 5))
def dilations(max_dimension: int = 2) -> Any:
    """A cloud and its dilation by s >= 0 about its mean: W2 = |s - 1| sqrt(trace cov)."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Pair:
        x = _clouds(draw, max_dimension)
        factor = draw(st.floats(0, 4))
        center = x.mean(axis=0)
        spread = float(np.sqrt(((x - center) ** 2).sum(-1).mean()))
        return Pair(Particles(x), Particles(center + factor * (x - center)), abs(factor - 1) * spread)

    return drawn()


@checks.checked(max_dimension=checks.integer(1, 5))
def permutations(max_dimension: int = 2) -> Any:
    """A cloud and the same cloud in another order: W2 = 0."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Pair:
        x = _clouds(draw, max_dimension)
        order = draw(st.permutations(range(len(x))))
        return Pair(Particles(x), Particles(x[list(order)]), 0.0)

    return drawn()


@checks.checked(max_dimension=checks.integer(1, 5))
def diracs(max_dimension: int = 2) -> Any:
    """A point mass at p and a cloud: W2^2 = mean of |x - p|^2."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Pair:
        x = _clouds(draw, max_dimension)
        point = np.array([[draw(st.floats(-3, 3)) for _ in range(x.shape[1])]])
        return Pair(Particles(point), Particles(x), float(np.sqrt(((x - point) ** 2).sum(-1).mean())))

    return drawn()


@checks.checked()
def smooth_potentials() -> Any:
    """Random confining potentials on the line: a (x - c)^2 / 2 plus three cosines, with their derivative."""
    from hypothesis import strategies as st

    @st.composite
    def drawn(draw: Any) -> Confined:
        stiffness, center = draw(st.floats(0.5, 2.0)), draw(st.floats(-1, 1))
        height = np.array([draw(st.floats(-0.5, 0.5)) for _ in range(3)])
        phase = np.array([draw(st.floats(0, 6)) for _ in range(3)])
        frequency = np.arange(1.0, 4.0)

        def V(x: Any) -> Any:
            bowl = 0.5 * stiffness * ((x - center) ** 2).sum(-1)
            return bowl + (height * np.cos(frequency * x + phase)).sum(-1)

        def slope(x: Any) -> Any:
            waves = (-height * frequency * np.sin(frequency * x + phase)).sum(-1, keepdims=True)
            return stiffness * (x - center) + waves

        problem = Problem(
            entropy() + potential(V), initial=Gaussian(draw(st.floats(-1, 1)), 0.25), bounds=(-8.0, 8.0)
        )
        return Confined(V, slope, problem)

    return drawn()
