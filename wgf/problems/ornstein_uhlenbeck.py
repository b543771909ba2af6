r"""Ornstein-Uhlenbeck and heat flows: Gaussians stay Gaussian, for any drift matrix and diffusion tensor.

d_t rho = div(rho A x) + div(D grad rho). With symmetric A and D = (number) * identity it is the gradient
flow of D int rho log rho + int x.Ax/2 rho, and `ornstein_uhlenbeck` is a Problem any scheme can take.
With a tensor D and D^-1 A symmetric it is one in the coordinates y = D^(-1/2) x:
`whitened_ornstein_uhlenbeck`. Otherwise (probability keeps circulating at equilibrium) no energy exists;
the exact path `ornstein_uhlenbeck_path` is there all the same. Turned down: time-dependent potentials
that reproduce the same Gaussians, because they are a different equation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import expm

from wgf import checks
from wgf.energies import entropy, potential
from wgf.energies.named import Quadratic
from wgf.measures import Gaussian
from wgf.measures.gaussian import covariance_matrix
from wgf.problem import Problem
from wgf.problems.boxes import (
    Bounds,
    bounds_or_none,
    box_around,
    chosen,
    dimension_kind,
    initial_gaussian,
    mean_or_none,
    numbers,
    numbers_or_none,
)

ROUNDING = 1e-12  # relative asymmetry a user's matrix product may carry
RELAXATIONS = 20.0  # relaxation times after which the box counts as at equilibrium
SOURCE = "Uhlenbeck & Ornstein, 1930; covariance integral: Van Loan, 1978, theorem 1"


def _square(name: str, value: Any, dimension: int | None) -> np.ndarray:
    """A (d, d) matrix from a number or a matrix; `dimension` None takes the matrix's own."""
    matrix = np.asarray(checks.as_float(name, value), dtype=float)
    if matrix.ndim == 0:
        matrix = float(matrix) * np.eye(dimension or 1)
    d = matrix.shape[0] if dimension is None else dimension
    if matrix.shape != (d, d) or d == 0:
        raise ValueError(f"{name} must be a number or a matrix of shape ({d}, {d}), got {np.shape(value)}.")
    return matrix


def _diffusion(value: Any, dimension: int) -> np.ndarray:
    tensor = covariance_matrix("diffusion", value, dimension)
    if np.linalg.eigvalsh(tensor)[0] <= 0:
        raise ValueError(f"diffusion must be > 0 (a tensor: positive definite), got {checks.shown(value)}.")
    return tensor


def _symmetric(matrix: np.ndarray) -> bool:
    return bool(np.abs(matrix - matrix.T).max() <= ROUNDING * max(1.0, np.abs(matrix).max()))


def _propagator(t: float, drift: np.ndarray, diffusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """e^(-At) and the covariance gained, the integral over (0, t) of e^(-As) 2D e^(-A's).

    Van Loan's block exponential holds e^(+At) too and overflows for long times; here it serves one
    short piece, and doubling does the rest: no cancellation, no inverse of A.
    """
    d = len(drift)
    doublings = max(0, int(np.ceil(np.log2(max(np.abs(drift).sum(axis=1).max() * t, 1.0)))))
    piece = t / 2**doublings
    block = expm(piece * np.block([[drift, 2 * diffusion], [np.zeros((d, d)), -drift.T]]))
    decay = expm(-piece * drift)
    gained = decay @ block[:d, d:]
    for _ in range(doublings):
        gained = gained + decay @ gained @ decay.T
        decay = decay @ decay
    return decay, 0.5 * (gained + gained.T)


@checks.checked(
    t=checks.nonnegative,
    A=numbers,
    diffusion=numbers,
    mean=mean_or_none,
    cov=numbers_or_none,
)
def ornstein_uhlenbeck_moments(
    t: float, A: Any = 1.0, diffusion: Any = 1.0, mean: Any = 1.5, cov: Any = 0.25
) -> tuple[np.ndarray, np.ndarray]:
    r"""Mean (d,) and covariance (d, d) at time t of an Ornstein-Uhlenbeck flow, any A and tensor D.

    m(t) = e^(-At) m(0);  S(t) = e^(-At) S(0) e^(-A't) + int_0^t e^(-As) 2D e^(-A's) ds.

    t: time >= 0. A: (d, d), need be neither symmetric nor stable. diffusion: a number, (d,) or a
    positive definite (d, d). mean, cov: of the initial measure, of any law: moments close.

    >>> mean, cov = ornstein_uhlenbeck_moments(np.log(2.0), mean=1.5, cov=0.25)
    >>> mean.round(12).tolist(), cov.round(12).tolist()
    ([0.75], [[0.8125]])

    Van Loan, 1978, theorem 1.
    """
    return ornstein_uhlenbeck_path(A, diffusion, mean, cov).moments(t)


class _Path:
    """The Gaussian at each time; callable, so that it can stand as a Problem's `exact`."""

    def __init__(self, drift: np.ndarray, diffusion: np.ndarray, initial: Gaussian) -> None:
        self.drift, self.diffusion, self.initial = drift, diffusion, initial

    def moments(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        decay, gained = _propagator(t, self.drift, self.diffusion)
        return (
            decay @ self.initial.center,
            decay @ self.initial.covariance @ decay.T + gained,
        )

    def __call__(self, t: float) -> Gaussian:
        return Gaussian(*self.moments(t))

    def box(self) -> Bounds:
        """Bounds for all times when A is stable, else up to t = 1."""
        slowest = np.linalg.eigvals(self.drift).real.min()
        horizon = RELAXATIONS / slowest if slowest > 0 else 1.0
        times = np.concatenate([[0.0], np.geomspace(1e-3 * horizon, horizon, 60)])
        return box_around([self(t) for t in times])


@checks.checked(A=numbers, diffusion=numbers, mean=mean_or_none, cov=numbers_or_none)
def ornstein_uhlenbeck_path(
    A: Any = 1.0, diffusion: Any = 1.0, mean: Any = 1.5, cov: Any = 0.25
) -> Callable[[float], Gaussian]:
    """The exact solution t -> Gaussian from a Gaussian, for any matrix A and positive definite tensor D.

    Arguments as in `ornstein_uhlenbeck_moments`.

    >>> turning = ornstein_uhlenbeck_path([[1.0, 2.0], [-2.0, 1.0]], mean=[1.0, 0.0], cov=1.0)
    >>> (turning(0.5).cov().round(12) + 0.0).tolist()  # at equilibrium, and still circulating
    [[1.0, 0.0], [0.0, 1.0]]
    """
    drift = _square("A", A, None if np.ndim(A) else np.size(mean))
    d = len(drift)
    return _Path(drift, _diffusion(diffusion, d), initial_gaussian(d, mean, cov))


@checks.checked(
    dimension=checks.optional(dimension_kind),
    A=numbers_or_none,
    diffusion=numbers,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def ornstein_uhlenbeck(
    dimension: int | None = None,
    A: Any = None,
    diffusion: Any = 1.0,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""Ornstein-Uhlenbeck flow of a Gaussian: the closed form every scheme is first held against.

    d_t rho = div(rho A x) + D Laplace(rho);  E = D int rho log rho + int x.Ax/2 rho.

    dimension: d; by default that of A, else 1. A: symmetric (d, d) or a number, identity by default; need
    not be definite. diffusion: D > 0. mean: 1.5 on every axis by default; cov: 0.25 by default.
    bounds: by default a box with at most 1e-10 of the mass outside at all times (up to t = 1 when A
    is not positive definite). A non-symmetric A or a genuine diffusion tensor has no energy in these
    coordinates and is refused, naming what is possible.

    >>> problem = ornstein_uhlenbeck(dimension=2)
    >>> problem.exact(np.log(2.0)).mean().round(12).tolist()
    [0.75, 0.75]

    Uhlenbeck & Ornstein, 1930; Risken, 1989, section 6.5.
    """
    given = None if A is None or np.ndim(A) == 0 else len(A)
    d = dimension or given or 1
    drift = _square("A", 1.0 if A is None else A, d)
    tensor = _diffusion(diffusion, d)
    start = initial_gaussian(d, 1.5 if mean is None else mean, 0.25 if cov is None else cov)
    isotropic = np.abs(tensor - tensor[0, 0] * np.eye(d)).max() <= ROUNDING * tensor[0, 0]
    if not (isotropic and _symmetric(drift)):
        raise ValueError(_refusal(drift, tensor, bool(isotropic)))
    path = _Path(drift, tensor, start)
    energy = float(tensor[0, 0]) * entropy() + potential(Quadratic(0.5 * (drift + drift.T)))
    return Problem(
        energy,
        initial=start,
        bounds=chosen(bounds, path.box()),
        exact=path,
        name="ornstein-uhlenbeck",
        reference=SOURCE,
    )


def _refusal(drift: np.ndarray, tensor: np.ndarray, isotropic: bool) -> str:
    """Why this equation is no gradient flow in x, and what can be done with it."""
    exact = "Its exact solution is ornstein_uhlenbeck_path(A, diffusion, mean, cov)."
    if _symmetric(np.linalg.solve(tensor, drift)):
        way = (
            "Because diffusion^-1 A is symmetric, whitened_ornstein_uhlenbeck is this flow in y = D^(-1/2) x."
        )
        return f"diffusion must be a number for an energy in these coordinates, got a tensor. {way} {exact}"
    name = "A" if isotropic else "diffusion^-1 A"
    return f"{name} must be symmetric: otherwise the drift is no gradient and the flow has no energy. {exact}"


@checks.checked(
    A=numbers,
    diffusion=numbers,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def whitened_ornstein_uhlenbeck(
    A: Any, diffusion: Any, mean: Any = None, cov: Any = None, bounds: Any = None
) -> Problem:
    r"""A reversible Ornstein-Uhlenbeck flow with a diffusion tensor, in the coordinates y = D^(-1/2) x.

    In y the flow is d_t rho = div(rho B y) + Laplace(rho) with B = D^(-1/2) A D^(1/2), symmetric exactly when
    D^-1 A is: an ordinary gradient flow with unit diffusion.

    A: (d, d). diffusion: (d,) or positive definite (d, d). mean, cov: of the initial Gaussian IN x
    (1.5 on every axis and 0.25 by default). bounds: in y. The Problem's measures live in y; x = D^(1/2) y.

    >>> problem = whitened_ornstein_uhlenbeck(A=[[4.0, 0.0], [0.0, 1.0]], diffusion=[4.0, 1.0])
    >>> problem.initial.mean().tolist()
    [0.75, 1.5]
    """
    drift = _square("A", A, None if np.ndim(A) else max(np.shape(diffusion)[:1] or (1,)))
    d = len(drift)
    tensor = _diffusion(diffusion, d)
    if not _symmetric(np.linalg.solve(tensor, drift)):
        raise ValueError(_refusal(drift, tensor, False))
    values, vectors = np.linalg.eigh(tensor)
    inverse_root = (vectors / np.sqrt(values)) @ vectors.T
    start = initial_gaussian(d, 1.5 if mean is None else mean, 0.25 if cov is None else cov)
    white = inverse_root @ drift @ (vectors * np.sqrt(values)) @ vectors.T
    return ornstein_uhlenbeck(
        d,
        0.5 * (white + white.T),
        1.0,
        inverse_root @ start.center,
        inverse_root @ start.covariance @ inverse_root,
        bounds,
    )


@checks.checked(
    dimension=dimension_kind,
    diffusion=checks.positive,
    mean=mean_or_none,
    cov=numbers_or_none,
    bounds=bounds_or_none,
)
def heat(
    dimension: int = 1,
    diffusion: float = 1.0,
    mean: Any = None,
    cov: Any = None,
    bounds: Any = None,
) -> Problem:
    r"""The heat equation from a Gaussian: the gradient flow of the entropy alone.

    d_t rho = D Laplace(rho): the covariance grows by 2 D t.

    dimension: d. diffusion: D > 0. mean: 0 by default. cov: 0.25 by default. bounds: by default a box
    with at most 1e-10 of the mass outside up to t = 1; the exact solution is that of the whole space.

    >>> heat().exact(1.0).cov().item()
    2.25

    Fourier, 1822; as a gradient flow: Jordan, Kinderlehrer & Otto, 1998, theorem 5.1.
    """
    start = initial_gaussian(dimension, 0.0 if mean is None else mean, 0.25 if cov is None else cov)
    path = _Path(np.zeros((dimension, dimension)), diffusion * np.eye(dimension), start)
    return Problem(
        diffusion * entropy(),
        initial=start,
        bounds=chosen(bounds, path.box()),
        exact=path,
        name="heat",
        reference="Jordan, Kinderlehrer & Otto, 1998, theorem 5.1",
    )
