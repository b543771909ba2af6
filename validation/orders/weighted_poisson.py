r"""Observed orders of `WeightedPoisson`: gradients in the norm weighted by the density.

Theory: centred two-point fluxes on a uniform grid are consistent to second order whatever the mean of the
face density, since geometric, arithmetic and harmonic means differ from the point value by O(h^2). Box
and data are such that what lies outside weighs less than 1e-10.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np
from numpy.polynomial import hermite_e

from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.measures import Density, Grid
from wgf.transport.weighted_poisson import PoissonSolution, WeightedPoisson

Function = Callable[[np.ndarray], np.ndarray]
CENTRES = np.array([[-1.2, -0.9], [1.1, 0.9], [0.9, -1.3]])
WEIGHTS = (0.4, 0.35, 0.25)
EYE = np.eye(2)


def turned(angle: float, variances: tuple[float, float]) -> np.ndarray:
    """A covariance with these variances along turned axes."""
    c, s = np.cos(angle), np.sin(angle)
    R = np.array([[c, -s], [s, c]])
    return R @ np.diag(variances) @ R.T


class MovingMixture:
    r"""The mixture sum w_k N(M m_k, M S_k M' + Sigma) and how it moves at one time of a path.

    It is the law of x = M xb + Sigma^(1/2) eps for data xb from N(m_k, S_k). `field` is E[dx/dt | x], which
    satisfies the continuity equation and, when M and Sigma are multiples of 1, is a gradient.
    """

    def __init__(
        self, covs: list[np.ndarray], M: np.ndarray, Sigma: np.ndarray, dM: np.ndarray, dSigma: np.ndarray
    ) -> None:
        self.covs, self.M, self.Sigma, self.dM, self.dSigma = covs, M, Sigma, dM, dSigma

    def parts(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Per component: density, d/dt of its logarithm, its field."""
        found = []
        pull = 0.5 * self.dSigma @ np.linalg.inv(self.Sigma)
        for w, m, S in zip(WEIGHTS, CENTRES, self.covs, strict=True):
            C = self.M @ S @ self.M.T + self.Sigma
            dC = self.dM @ S @ self.M.T + self.M @ S @ self.dM.T + self.dSigma
            y, inverse = x - self.M @ m, np.linalg.inv(C)
            z = y @ inverse
            density = w * np.exp(-0.5 * (y * z).sum(-1)) / np.sqrt(np.linalg.det(2 * np.pi * C))
            rate = z @ (self.dM @ m) + 0.5 * ((z @ dC) * z).sum(-1) - 0.5 * np.trace(inverse @ dC)
            data = m + z @ (S @ self.M.T).T
            found.append((density, rate, data @ self.dM.T + (x - data @ self.M.T) @ pull.T))
        densities, rates, fields = zip(*found, strict=True)
        return np.array(densities), np.array(rates), np.array(fields)

    def density(self, x: np.ndarray) -> np.ndarray:
        """rho at x (..., 2)."""
        return self.parts(x)[0].sum(0)

    def source(self, x: np.ndarray) -> np.ndarray:
        """d rho/dt."""
        densities, rates, _ = self.parts(x)
        return (densities * rates).sum(0)

    def field(self, x: np.ndarray) -> np.ndarray:
        """E[dx/dt | x] where rho > 0."""
        densities, _, fields = self.parts(x)
        return (densities[..., None] * fields).sum(0) / densities.sum(0)[..., None]


def straight(t: float) -> MovingMixture:
    """x = t xb + (1 - t) eps for three skewed components."""
    covs = [turned(0.5, (0.3, 0.05)), turned(-0.4, (0.2, 0.05)), turned(1.0, (0.15, 0.04))]
    return MovingMixture(covs, t * EYE, (1 - t) ** 2 * EYE, EYE, -2 * (1 - t) * EYE)


def filtering(t: float) -> MovingMixture:
    """Prior N(0, 1), likelihood covariance diag(0.5, 0.02): an anisotropic path, whose field has curl."""
    precision = np.diag([2.0, 50.0])
    Sigma = np.linalg.inv(EYE + t * precision)
    dSigma = -Sigma @ precision @ Sigma
    covs = [s * EYE for s in (0.1, 0.05, 0.08)]
    return MovingMixture(covs, t * Sigma @ precision, Sigma, (Sigma + t * dSigma) @ precision, dSigma)


def solved(path: MovingMixture, cells: int, box: float, face: str = "geometric") -> PoissonSolution:
    """The solution on a square, from point values at the centres."""
    grid = Grid([(-box, box)] * 2, cells)
    density = Density(grid, path.density(grid.centers))
    return WeightedPoisson(density, face).solve(path.source(grid.centers))


def gradient_error(solution: PoissonSolution, field: Function, density: Function) -> float:
    """Relative error of the face gradients in L2(rho)."""
    error = size = 0.0
    for axis, slopes in enumerate(solution.gradient):
        axes = list(solution.grid.axes)
        axes[axis] = solution.grid.edges(axis)[1:-1]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        rho, exact = density(x), field(x)[..., axis]
        error += float((rho * (slopes - exact) ** 2).sum())
        size += float((rho * exact**2).sum())
    return float(np.sqrt(error / size))


@functools.cache
def hermite(n: int, full: bool) -> Ladder:
    """rho = N(0, s^2), f = rho n/s^2 He_n(x/s): phi = He_n(x/s)."""
    s, series = 0.8, [0] * n + [1]
    cells, errors = (50, 100, 200, 400, *((800, 1600) if full else ())), []
    for count in cells:
        grid = Grid((-8.0, 8.0), count)

        def density(x: np.ndarray) -> np.ndarray:
            return np.exp(-0.5 * (x[..., 0] / s) ** 2) / (np.sqrt(2 * np.pi) * s)

        def field(x: np.ndarray) -> np.ndarray:
            return hermite_e.hermeval(x / s, hermite_e.hermeder(series)) / s

        rho = density(grid.centers)
        source = rho * n / s**2 * hermite_e.hermeval(grid.axes[0] / s, series)
        solution = WeightedPoisson(Density(grid, rho)).solve(source)
        errors.append(gradient_error(solution, field, density))
    return Ladder(f"weighted Poisson, Hermite polynomial {n}", "cells", cells, tuple(errors), "L2(rho)")


@functools.cache
def mixture(t: float, face: str, full: bool) -> Ladder:
    """Three skewed components on a straight path, against the closed form."""
    path, cells = straight(t), (24, 48, 96, 192, *((384,) if full else ()))
    errors = [gradient_error(solved(path, n, 5.0, face), path.field, path.density) for n in cells]
    return Ladder(f"weighted Poisson, mixture at t = {t}, {face}", "cells", cells, tuple(errors), "L2(rho)")


def pythagoras(full: bool) -> float:
    """Defect of |v|^2 = |grad phi|^2 + |v - grad phi|^2 of a field with curl, relative, all on the faces."""
    path = filtering(0.5)
    solution = solved(path, 256 if full else 128, 5.5)
    whole = part = rest = 0.0
    for axis, slopes in enumerate(solution.gradient):
        axes = list(solution.grid.axes)
        axes[axis] = solution.grid.edges(axis)[1:-1]
        x = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)
        rho, exact = path.density(x), path.field(x)[..., axis]
        whole += float((rho * exact**2).sum())
        part += float((rho * slopes**2).sum())
        rest += float((rho * (exact - slopes) ** 2).sum())
    return abs(whole - part - rest) / whole


def worst_residual(full: bool) -> float:
    """Of a Gaussian in boxes over which it ranges 1e35 to 1e70."""
    found = []
    for box in (6.0, 7.5, 8.7):
        grid = Grid([(-box, box)] * 2, 128)
        x = grid.centers
        rho = np.exp(-0.5 * ((x @ np.linalg.inv([[1.0, 0.4], [0.4, 0.7]])) * x).sum(-1))
        found.append(WeightedPoisson(Density(grid, rho)).solve(rho * x[..., 0]).residual)
    return max(found)


def energy_defect(full: bool) -> float:
    """|J + K|/K of a solution, J the Ritz value and K the kinetic energy: 0 on every grid."""
    solution = solved(straight(0.3), 128, 5.0)
    return abs(solution.energy + solution.kinetic) / solution.kinetic


MIXTURE = "t = {}, {} face mean: three skewed Gaussians on a straight path, closed form"

ROWS = (
    Row(
        scheme="weighted-poisson",
        problem="Hermite polynomial 2 on the line",
        norm="L2(rho)",
        expected=2,
        bound=2e-3,
        ladder=functools.partial(hermite, 2),
    ),
    Row(
        scheme="weighted-poisson",
        problem="Hermite polynomial 4 on the line",
        norm="L2(rho)",
        expected=2,
        bound=3e-3,
        ladder=functools.partial(hermite, 4),
    ),
    *(
        Row(
            scheme="weighted-poisson",
            problem=MIXTURE.format(t, face),
            norm="L2(rho)",
            expected=2,
            bound=bound,
            ladder=functools.partial(mixture, t, face),
        )
        for t, face, bound in (
            (0.3, "geometric", 8e-4),
            (0.7, "geometric", 3e-3),
            (0.3, "arithmetic", 2.5e-3),
            (0.3, "harmonic", 2.7e-3),
        )
    ),
)

CLAIMS = (
    Claim(
        name="weighted-poisson/residual",
        what="relative L1 residual for a Gaussian that ranges over 1e35 to 1e70 in the box, 128^2 cells",
        against="the equation itself",
        measure=worst_residual,
        required=AtMost(1e-12),
    ),
    Claim(
        name="weighted-poisson/energy",
        what="Ritz value plus kinetic energy, relative, three Gaussians in the plane, 128^2 cells",
        against="0, exactly on every grid",
        measure=energy_defect,
        required=AtMost(1e-12),
    ),
    Claim(
        name="weighted-poisson/pythagoras",
        what="|v|^2 - |grad phi|^2 - |v - grad phi|^2 of a field with curl, relative, 128^2 cells",
        against="orthogonality of gradients and divergence-free fields",
        measure=pythagoras,
        required=AtMost(1e-3),
    ),
)
