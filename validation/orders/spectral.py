r"""Observed orders of `spectrum`, and what `SpectralFokkerPlanck` promises beyond orders.

Theory: the Scharfetter-Gummel generator is consistent to second order and symmetric in L2(pi), so its
eigenvalues are off by O(h^2), and so are its eigenfunctions away from crossings. The spectral scheme
has no order: its errors fall faster than any power of the modes and stand at rounding here, whatever the
step in time. Its references share nothing with it: closed forms, a sine basis, Fourier collocation.
"""

from __future__ import annotations

import functools

import numpy as np

import wgf
from validation import references
from validation.claims import AtMost, Claim
from validation.finite_volumes import A2, l1, quadratic, torus_potential, torus_slope, torus_start, well
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.errors import ConvergenceError
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.spectral import SpectralFokkerPlanck
from wgf.schemes.grid.spectrum import spectrum

MODES_TRIED = (10, 20, 30, 40, 60, 80, 120)
STARTS = ((0.0, 0.3), (0.5, 0.6), (1.0, 0.5), (1.5, 0.25), (2.0, 0.9))  # means and variances
HONEST = 1e-6  # tolerance of the runs that are scanned for silent errors


class Smooth:
    """A measure of a unit box by its density alone."""

    def __init__(self, density, dimension: int) -> None:
        self.density, self.dimension = density, dimension

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x (..., d)."""
        return self.density(x)

    def mean(self) -> np.ndarray:
        """The middle of the box: only a scale is read from it."""
        return np.full(self.dimension, 0.5)

    def cov(self) -> np.ndarray:
        """About that of a uniform density."""
        return np.eye(self.dimension) / 12

    def sample(self, n: int, rng) -> np.ndarray:
        """Not asked for by grid schemes."""
        return np.random.default_rng(rng).random((n, self.dimension))


def ornstein_uhlenbeck(A: np.ndarray, mean: np.ndarray, variance: float, box: float) -> wgf.Problem:
    """The process of V = x.Ax/2 from N(mean, variance I)."""
    energy = wgf.entropy() + wgf.potential(quadratic(A))
    return wgf.Problem(energy, initial=wgf.Gaussian(mean, variance), bounds=[(-box, box)] * len(A))


# ------------------------------------------------------------------------------------- the spectrum


def double_well(D: float) -> wgf.Problem:
    """V = (x^2 - 1)^2 on (-4, 4)."""
    energy = D * wgf.entropy() + wgf.potential(well)
    return wgf.Problem(energy, initial=wgf.Gaussian(-1.0, 0.05), bounds=(-4.0, 4.0))


@functools.cache
def gap(D: float, full: bool) -> Ladder:
    """The spectral gap of the double well against a sine basis, relative."""
    cells = (100, 200, 400, 800, *((1600, 3200) if full else ()))
    exact = references.well(D).gap
    errors = tuple(abs(spectrum(double_well(D), n, 2).gap / exact - 1) for n in cells)
    return Ladder(f"spectral gap of the double well, D = {D:g}", "cells", cells, errors, "relative")


@functools.cache
def plane_rates(full: bool) -> Ladder:
    """The first six rates of a skewed Ornstein-Uhlenbeck process, worst relative error."""
    cells = (25, 50, 100, 200)
    own, counts = np.linalg.eigvalsh(A2), np.stack(np.meshgrid(np.arange(9), np.arange(9)), axis=-1)
    exact = np.sort((counts @ own).ravel())[1:6]
    problem = ornstein_uhlenbeck(A2, np.zeros(2), 0.5, 8.0)
    errors = tuple(float(np.abs(spectrum(problem, n, 6).rates[1:] / exact - 1).max()) for n in cells)
    return Ladder("rates of a skewed Ornstein-Uhlenbeck process", "cells", cells, errors, "relative")


@functools.cache
def circle_rates(full: bool) -> Ladder:
    """Heat on the unit circle: (2 pi k)^2, k = 2, each twice."""
    cells = (20, 40, 80, 160, 320)
    initial = Smooth(lambda x: np.ones(x.shape[:-1]), 1)
    problem = wgf.Problem(wgf.entropy(), initial=initial, bounds=(0.0, 1.0), boundary="periodic")
    exact = (4 * np.pi) ** 2
    errors = tuple(float(np.abs(spectrum(problem, n, 5).rates[3:] / exact - 1).max()) for n in cells)
    return Ladder("rates of heat on a circle", "cells", cells, errors, "relative")


@functools.cache
def eigenfunction(full: bool) -> Ladder:
    """The slowest mode g of the double well, times sqrt(pi), against a sine basis, in L2."""
    cells, errors, exact = (100, 200, 400, 800), [], references.well(1.0)
    for n in cells:
        found = spectrum(double_well(1.0), n, 2)
        mode = found.functions[1] * np.sqrt(found.equilibrium.values)
        sine = exact.vectors[:, 1] @ exact._basis(found.grid.axes[0])
        errors.append(float(np.linalg.norm(mode * np.sign(mode @ sine) - sine) * np.sqrt(8 / n)))
    return Ladder("slowest mode of the double well", "cells", cells, tuple(errors), "L2")


# -------------------------------------------------------------------------- volumes towards the series


def egg_box(x: np.ndarray) -> np.ndarray:
    """A coupled potential on the unit square, whose slope does not vanish at the walls."""
    waves = np.cos(2 * np.pi * x[..., 0]) * np.cos(2 * np.pi * x[..., 1])
    return 0.5 * waves + 0.2 * np.sin(2 * np.pi * x[..., 0])


def ripple(x: np.ndarray) -> np.ndarray:
    """The initial density on the unit square."""
    return 1 + 0.3 * np.cos(2 * np.pi * x[..., 0]) * np.cos(4 * np.pi * x[..., 1])


@functools.cache
def volumes(boundary: str, full: bool) -> Ladder:
    """FokkerPlanck towards SpectralFokkerPlanck for a coupled V, dt tied to h."""
    problem = wgf.Problem(
        0.5 * wgf.entropy() + wgf.potential(egg_box),
        initial=Smooth(ripple, 2),
        bounds=[(0.0, 1.0)] * 2,
        boundary=boundary,
    )
    scheme = SpectralFokkerPlanck(cells=16, modes=50, tol=1e-8)
    exact = wgf.solve(problem, scheme, t_end=0.02, dt=0.02).final.values
    cells, errors = (16, 32, 64, 128, *((256,) if full else ())), []
    for n in cells:
        run = wgf.solve(problem, FokkerPlanck(cells=n), t_end=0.02, dt=0.08 / n)
        assert run.stats["fallback_steps"] == 0
        coarse = run.final.values.reshape(16, n // 16, 16, n // 16).mean((1, 3))
        errors.append(l1(coarse, exact, 1 / 16**2))
    return Ladder(f"finite volumes towards the series, {boundary}", "cells", cells, tuple(errors))


# --------------------------------------------------------------------------------- the spectral scheme


def gaussian_error(problem: wgf.Problem, scheme: SpectralFokkerPlanck, t: float, A: np.ndarray) -> float:
    """L1 error of cell averages against the exact Gaussian."""
    found = wgf.solve(problem, scheme, t_end=t, dt=t).final
    moments = references.ou_moments(A, problem.initial.mean(), problem.initial.cov(), t)
    exact = references.cell_average(references.gaussian_pdf(*moments), found.grid.axes, nodes=8)
    return l1(found.values, exact, found.grid.volume)


def line_error(full: bool) -> float:
    """Ornstein-Uhlenbeck on the line."""
    problem = ornstein_uhlenbeck(np.eye(1), np.array([1.5]), 0.25, 8.0)
    return gaussian_error(problem, SpectralFokkerPlanck(cells=100), 0.5, np.eye(1))


def plane_error(full: bool) -> float:
    """A skewed Ornstein-Uhlenbeck process; the start of the baselines' P1 when full."""
    if full:
        problem, modes = ornstein_uhlenbeck(A2, np.array([1.5, -1.0]), 0.4, 8.0), 80
    else:
        problem, modes = ornstein_uhlenbeck(A2, np.array([0.5, -0.3]), 0.7, 8.0), 50
    return gaussian_error(problem, SpectralFokkerPlanck(cells=64, modes=modes), 1.0, A2)


def well_error(full: bool) -> float:
    """The double well at t = 1 against a sine basis on a wider interval."""
    initial = wgf.Gaussian(-0.6, 0.05)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(well), initial=initial, bounds=(-3.0, 3.0))
    found = wgf.solve(problem, SpectralFokkerPlanck(cells=128), t_end=1.0, dt=1.0).final
    density = references.well().solve(lambda x: initial.pdf(x[:, None]), 1.0)
    return l1(found.values, references.line_averages(density, -3.0, 3.0, 128), found.grid.volume)


def circle_error(full: bool) -> float:
    """A landscape on the circle at t = 0.02."""
    initial = Smooth(lambda x: torus_start(x[..., 0]), 1)
    energy = wgf.entropy() + wgf.potential(torus_potential)
    problem = wgf.Problem(energy, initial=initial, bounds=(0.0, 1.0), boundary="periodic")
    found = wgf.solve(problem, SpectralFokkerPlanck(cells=64), t_end=0.02, dt=0.02).final
    return l1(found.values, references.torus_averages(torus_slope, torus_start, 0.02, 64), 1 / 64)


def time_error(full: bool) -> float:
    """One step against a hundred, L1."""
    problem = ornstein_uhlenbeck(np.eye(1), np.array([1.0]), 0.4, 8.0)
    scheme = SpectralFokkerPlanck(cells=100)
    one, many = (wgf.solve(problem, scheme, t_end=1.0, dt=dt).final.values for dt in (1.0, 0.01))
    return l1(one, many, 16 / 100)


def mass_error(full: bool) -> float:
    """Largest relative error of the mass over a run in the coupled plane."""
    problem = ornstein_uhlenbeck(A2, np.array([0.5, -0.3]), 0.7, 8.0)
    scheme = SpectralFokkerPlanck(cells=48, modes=44, tol=1e-7)
    run = wgf.solve(problem, scheme, t_end=2.0, dt=0.2, save_at=0.2)
    return max(abs(measure.mass - 1) for measure in run.measures)


def defect(full: bool) -> float:
    """Dissipation defect of a coupled flow in the plane, 10 steps of 0.1."""
    problem = ornstein_uhlenbeck(A2, np.array([0.5, -0.3]), 0.7, 8.0)
    scheme = SpectralFokkerPlanck(cells=32, modes=44, tol=1e-7)
    run = wgf.solve(problem, scheme, t_end=1.0, dt=0.1, record=["dissipation"])
    return abs(run.dissipation_defect())


def silent_error(full: bool) -> float:
    """Largest L1 error, in units of tol, among the runs that were not refused; at least one must be."""
    kept, refused = [], 0
    for mean, variance in STARTS:
        problem = ornstein_uhlenbeck(np.eye(1), np.array([mean]), variance, 9.0)
        for modes in MODES_TRIED:
            scheme = SpectralFokkerPlanck(cells=60, modes=modes, tol=HONEST)
            for t in (0.01, 0.5):
                try:
                    kept.append(gaussian_error(problem, scheme, t, np.eye(1)))
                except ConvergenceError:
                    refused += 1
    assert refused > 0, "nothing was refused, not even 10 modes for a narrow start"
    assert len(kept) > 5, "nearly everything was refused"
    return max(kept) / HONEST


ROWS = (
    *(
        Row(
            scheme="spectrum",
            problem=f"D = {D:g}: gap of the double well",
            norm="relative",
            expected=2,
            bound=bound,
            ladder=functools.partial(gap, D),
        )
        for D, bound in ((1.0, 1e-5), (0.25, 2e-4))
    ),
    Row(
        scheme="spectrum",
        problem="rates of a skewed Ornstein-Uhlenbeck process, 2-D",
        norm="relative",
        expected=2,
        bound=5e-3,
        ladder=plane_rates,
    ),
    Row(
        scheme="spectrum",
        problem="heat on a circle",
        norm="relative",
        expected=2,
        bound=2e-4,
        ladder=circle_rates,
    ),
    Row(
        scheme="spectrum",
        problem="slowest mode of the double well",
        norm="L2",
        expected=2,
        bound=1e-4,
        ladder=eigenfunction,
    ),
    *(
        Row(
            scheme="fokker-planck",
            problem=f"{boundary} egg box in the plane, towards SpectralFokkerPlanck, dt tied to h",
            norm="L1",
            expected=2,
            bound=5e-4,
            ladder=functools.partial(volumes, boundary),
        )
        for boundary in ("noflux", "periodic")
    ),
)

CLAIMS = (
    Claim(
        name="spectral/line",
        what="SpectralFokkerPlanck, Ornstein-Uhlenbeck on the line to t = 0.5",
        against="exact Gaussian, L1 of cell averages",
        measure=line_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="spectral/plane",
        what="SpectralFokkerPlanck, a skewed Ornstein-Uhlenbeck process in the plane to t = 1",
        against="exact Gaussian, L1 of cell averages",
        measure=plane_error,
        required=AtMost(1e-10),
    ),
    Claim(
        name="spectral/double-well",
        what="SpectralFokkerPlanck, double well to t = 1",
        against="sine-Galerkin solution, L1 of cell averages",
        measure=well_error,
        required=AtMost(1e-11),
    ),
    Claim(
        name="spectral/circle",
        what="SpectralFokkerPlanck on the circle with a potential, t = 0.02",
        against="Fourier collocation, L1 of cell averages",
        measure=circle_error,
        required=AtMost(1e-11),
    ),
    Claim(
        name="spectral/exact-in-time",
        what="one step of SpectralFokkerPlanck to t = 1 against a hundred, L1",
        against="the semigroup property",
        measure=time_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="spectral/mass",
        what="largest error of the mass of SpectralFokkerPlanck over a run in the plane",
        against="conservation",
        measure=mass_error,
        required=AtMost(1e-12),
    ),
    Claim(
        name="spectral/dissipation",
        what="dissipation defect of SpectralFokkerPlanck in the plane, 10 steps to t = 1",
        against="0 for the gradient flow",
        measure=defect,
        required=AtMost(1e-9),
    ),
    Claim(
        name="spectral/never-silently-wrong",
        what="largest L1 error over tol among runs with 10 to 120 modes that were not refused",
        against="exact Gaussians of five widths and places",
        measure=silent_error,
        required=AtMost(1.0),
    ),
)
