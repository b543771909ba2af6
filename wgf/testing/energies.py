"""check_energy: is what an energy says of its slopes the slope of its value?"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures import Density, Grid, Particles
from wgf.testing.report import NotApplicable, Report, require, run_check, within

CELLS = {1: 240, 2: 40, 3: 14}
POINTS = 24
STEP = 1e-4  # of differences, with one Richardson step: truncation near 1e-12, rounding near 1e-11
SLOPE_ERROR = 1e-6  # relative


def _energy(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if isinstance(value, type) or not callable(getattr(value, "value", None)):
        raise checks.refuse(name, "an energy: something with value(measure)", value, TypeError)
    return value


energy_kind = checks.Kind("an energy", _energy, (3.0, "x", None, float("nan"), [1.0]))


class _Case:
    """An energy with a smooth positive density and a cloud to ask it about."""

    def __init__(self, energy: Any, dimension: int, bounds: Any, seed: int) -> None:
        self.energy = energy.at(0.5) if getattr(energy, "time_dependent", False) else energy
        box = bounds if len(bounds) == dimension else bounds * dimension
        self.grid = Grid(box, CELLS[dimension])
        self.rng = np.random.default_rng(seed)
        low, high = np.array(self.grid.bounds).T
        self.x = self.rng.uniform(0.9 * low + 0.1 * high, 0.1 * low + 0.9 * high, size=(POINTS, dimension))
        weights = self.rng.uniform(0.5, 1.5, size=POINTS)
        self.cloud = Particles(self.x, weights / weights.sum())

    def _wave(self) -> np.ndarray:
        """A smooth random field on the cells, of size 1."""
        low, high = np.array(self.grid.bounds).T
        unit = (self.grid.centers - low) / (high - low)
        waves = [
            np.cos(np.pi * unit @ self.rng.integers(0, 4, size=self.grid.dimension) + self.rng.uniform(0, 6))
            for _ in range(3)
        ]
        return np.sum(waves, axis=0) / 3

    @cached_property
    def density(self) -> Density:
        middle = np.array(self.grid.bounds).mean(axis=1)
        half = np.ptp(np.array(self.grid.bounds), axis=1) / 2
        bump = np.exp(-2 * (((self.grid.centers - middle) / half) ** 2).sum(-1)) * (1 + 0.3 * self._wave())
        return Density(self.grid, bump).normalised()

    @cached_property
    def direction(self) -> np.ndarray:
        """A change of the density that keeps its mass and its sign."""
        change = self.density.values * self._wave()
        return change - self.density.values * (change.sum() / self.density.values.sum())

    def value(self, measure: Any) -> float:
        return float(self.energy.value(measure))

    def on_cells(self, values: np.ndarray) -> float:
        return self.value(Density(self.grid, values))

    def on_points(self, x: np.ndarray) -> float:
        return self.value(Particles(x, self.cloud.w))

    def velocity(self) -> np.ndarray:
        return np.asarray(self.energy.velocity(self.cloud))


def _slope(f: Any, h: float = STEP) -> float:
    """f'(0) by central differences, extrapolated once."""
    wide, narrow = ((f(s) - f(-s)) / (2 * s) for s in (h, h / 2))
    return (4 * narrow - wide) / 3


def _agree(found: float, expected: float, size: float, what: str) -> str:
    require(np.isfinite(found) and np.isfinite(expected), f"{what}: not finite")
    return within(abs(found - expected) / max(size, 1e-300), SLOPE_ERROR, what)


def first_variation_is_the_slope_of_value(case: _Case) -> str:
    """The derivative of the value along a change of density is the integral of first variation * change."""
    variation = np.asarray(case.energy.first_variation(case.density))
    require(variation.shape == case.grid.cells, f"first_variation has shape {variation.shape}")
    pairs = variation * case.direction * case.grid.volume
    found = _slope(lambda s: case.on_cells(case.density.values + s * case.direction))
    return _agree(float(pairs.sum()), found, float(np.abs(pairs).sum()), "relative difference")


def velocity_is_minus_the_slope_of_value(case: _Case) -> str:
    """Moving the particles changes the value by - sum of w velocity . motion."""
    velocity, motion = case.velocity(), case.rng.normal(size=case.x.shape)
    require(velocity.shape == case.x.shape, f"velocity has shape {velocity.shape}")
    pairs = -case.cloud.w[:, None] * velocity * motion
    found = _slope(lambda s: case.on_points(case.x + s * motion))
    return _agree(float(pairs.sum()), found, float(np.abs(pairs).sum()), "relative difference")


def potential_gradient_is_the_slope_of_its_value(case: _Case) -> str:
    """grad V against differences of V, point by point."""
    if not getattr(case.energy, "has_potential", False):
        raise NotApplicable("the energy has no potential")
    gradient = np.asarray(case.energy.potential_gradient(case.x))
    require(gradient.shape == case.x.shape, f"potential_gradient has shape {gradient.shape}")
    worst = 0.0
    for axis in range(case.grid.dimension):
        shift = np.eye(case.grid.dimension)[axis]
        found = _slope(lambda s, shift=shift: case.energy.potential_value(case.x + s * shift))
        worst = max(worst, float(np.abs(found - gradient[:, axis]).max()))
    require(np.isfinite(gradient).all(), "potential_gradient is not finite")
    return _agree(worst, 0.0, 1 + float(np.abs(gradient).max()), "largest relative difference")


def value_falls_along_its_flow_on_cells(case: _Case) -> str:
    """A small step of d_t rho = div(rho grad dE/drho) lowers the value."""
    rho, variation = case.density.values, np.asarray(case.energy.first_variation(case.density))
    change, rate = np.zeros_like(rho), 0.0
    for axis, h in enumerate(case.grid.spacing):
        r, f = np.moveaxis(rho, axis, 0), np.moveaxis(variation, axis, 0)
        slope = np.diff(f, axis=0) / h
        flux = 0.5 * (r[1:] + r[:-1]) * slope
        padded = np.concatenate([np.zeros_like(flux[:1]), flux, np.zeros_like(flux[:1])])
        change += np.moveaxis(np.diff(padded, axis=0) / h, 0, axis)
        rate += float((flux * slope).sum() * case.grid.volume)
    if rate == 0:
        raise NotApplicable("the density is stationary")
    small = 1e-6 * float((rho / (np.abs(change) + 1e-300)).min())
    found = _slope(lambda s: case.on_cells(rho + s * change), small)
    require(found < 0, f"the value changes at the rate {found:.3g}, which should be {-rate:.3g}")
    return _agree(-found, rate, rate, "rate against minus the mean squared velocity, relative difference")


def value_falls_along_its_flow_on_points(case: _Case) -> str:
    """A small step of the particles along `velocity` lowers the value at the mean square speed."""
    velocity = case.velocity()
    rate = float(case.cloud.w @ (velocity**2).sum(-1))
    if rate == 0:
        raise NotApplicable("the particles are at rest")
    found = _slope(
        lambda s: case.on_points(case.x + s * velocity), STEP / (1 + float(np.abs(velocity).max()))
    )
    require(found < 0, f"the value changes at the rate {found:.3g}, which should be {-rate:.3g}")
    return _agree(-found, rate, rate, "rate against minus the mean squared velocity, relative difference")


def multiples_scale_and_sums_add(case: _Case) -> str:
    """(2 E).value = 2 E.value = (E + E).value."""
    once = case.on_cells(case.density.values)
    for name, energy in (("2 * E", 2.0 * case.energy), ("E + E", case.energy + case.energy)):
        gap = abs(float(energy.value(case.density)) - 2 * once)
        within(gap, 1e-12 * (1 + abs(once)), f"value of {name} is off by")
    return "2 * E and E + E have twice the value"


CHECKS = (
    first_variation_is_the_slope_of_value,
    velocity_is_minus_the_slope_of_value,
    potential_gradient_is_the_slope_of_its_value,
    value_falls_along_its_flow_on_cells,
    value_falls_along_its_flow_on_points,
    multiples_scale_and_sums_add,
)


@checks.checked(
    energy=energy_kind, dimension=checks.integer(1, 3), bounds=checks.bounds, seed=checks.integer(0)
)
def check_energy(energy: Any, dimension: int = 1, bounds: Any = ((-2.0, 2.0),), seed: int = 0) -> Report:
    """Hold an energy's first variation, velocity and gradients to differences of its value.

    energy: an Energy, or anything with value, first_variation, velocity, potential_value and
    potential_gradient. dimension: of the points it is asked about, 1 to 3. bounds: the box they are drawn
    in, one pair for all axes or one per axis; take one where the energy is smooth. seed: of the random
    density, cloud and directions.

    Differences are good to about 1e-9 and 1e-6 relative is allowed. Checked too: the flow lowers the
    value at exactly the rate of the mean squared velocity. What an energy has no answer to (the entropy of a
    cloud) is reported as not applicable.

    >>> import wgf
    >>> check_energy(wgf.entropy() + wgf.potential(lambda x: (x**4).sum(-1))).passed
    True
    """
    case = _Case(energy, dimension, bounds, seed)
    lines = tuple(run_check("", check, case, excused=(MeasureError,)) for check in CHECKS)
    return Report(f"check_energy({energy!r}, dimension={dimension})", lines)
