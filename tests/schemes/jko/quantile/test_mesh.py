"""Cutting measures into cells: masses exact, supports found, tails cut, vacuum kept apart."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Quantiles, Uniform
from wgf.measures.intervals import interval_masses
from wgf.schemes.jko.quantile.mesh import TAIL, initial_cells

MEASURES = {
    "gaussian": Gaussian(1.5, 0.25),
    "mixture": Mixture([0.3, 0.7], [Gaussian(-8, 0.01), Gaussian(3, 0.5)]),
    "uniform": Uniform((-1, 2)),
    "barenblatt": Barenblatt(dimension=1, m=2, t0=1.0),
    "sharp": Barenblatt(dimension=1, m=4, t0=0.5, center=[2.0]),
    "heavy": Barenblatt(dimension=1, m=0.75, t0=1.0),
    "density": Density.from_measure(Gaussian(0.5, 0.3), Grid((-5, 5), 150)),
}


class Only:
    """A user's measure that knows nothing but its density."""

    dimension = 1

    def __init__(self, inner) -> None:
        self.pdf, self.mean, self.cov, self.sample = inner.pdf, inner.mean, inner.cov, inner.sample


@pytest.mark.parametrize("mesh", ["graded", "equal"])
@pytest.mark.parametrize("name", MEASURES)
def test_cells_carry_the_masses_of_the_measure(name: str, mesh: str) -> None:
    measure = MEASURES[name]
    edges, masses = initial_cells(measure, 300, mesh, None)
    assert edges.shape == (301,)
    assert (np.diff(edges) > 0).all()
    assert (masses > 0).all()
    np.testing.assert_allclose(masses.sum(), 1, rtol=1e-14)
    np.testing.assert_allclose(masses, np.diff(measure.cdf(edges)), rtol=0, atol=5e-10)
    found = Quantiles(edges, masses)
    np.testing.assert_allclose(found.mean(), measure.mean(), rtol=0, atol=2e-3 if mesh == "graded" else 2e-2)


@pytest.mark.parametrize("name", sorted(set(MEASURES) - {"mixture"}))
def test_equal_means_equal(name: str) -> None:
    _, masses = initial_cells(MEASURES[name], 100, "equal", None)
    np.testing.assert_allclose(masses, 0.01, rtol=5e-3)


@pytest.mark.parametrize("name", ["gaussian", "mixture", "barenblatt", "heavy"])
def test_a_measure_known_by_its_pdf_alone_gives_nearly_the_same_cells(name: str) -> None:
    edges, masses = initial_cells(Only(MEASURES[name]), 300, "graded", None)
    np.testing.assert_allclose(masses, np.diff(MEASURES[name].cdf(edges)), rtol=0, atol=1e-8)
    ends = MEASURES[name].cdf(edges[[0, -1]])
    np.testing.assert_allclose(ends, [0, 1], rtol=0, atol=5 * TAIL)


def test_tail_masses_keep_their_relative_accuracy_on_both_sides() -> None:
    """Differences of a cdf near 1 would lose all digits: mirror images must match to 1e-9."""
    edges = np.array([-8.0, -7.5, -7.0, -6.0, 0.0, 6.0, 7.0, 7.5, 8.0])
    masses = interval_masses(Gaussian(0, 1), edges)
    np.testing.assert_allclose(masses, masses[::-1], rtol=1e-9, atol=0)
    raw = np.diff(Gaussian(0, 1).cdf(edges))
    assert np.abs(raw / raw[::-1] - 1).max() > 1e-4  # the control: that is what is lost otherwise


def test_masses_of_a_grid_density_are_counted_from_the_nearer_end() -> None:
    edges = np.linspace(-5, 5, 101)
    density = Density(Grid((-5, 5), 100), Gaussian(0, 0.4).pdf(edges[:-1, None] + 0.05))
    masses = interval_masses(density, edges)
    np.testing.assert_allclose(masses, masses[::-1], rtol=1e-9, atol=0)
    np.testing.assert_allclose(masses, density.values / density.values.sum(), rtol=1e-9, atol=0)


def test_the_graded_mesh_is_uniform_on_a_compact_support() -> None:
    edges, _ = initial_cells(MEASURES["barenblatt"], 50, "graded", None)
    radius = MEASURES["barenblatt"].radius
    np.testing.assert_allclose(edges, np.linspace(-radius, radius, 51), rtol=0, atol=1e-12)


def test_infinite_supports_are_cut_at_the_stated_mass_and_at_the_box() -> None:
    edges, _ = initial_cells(Gaussian(0, 1), 50, "graded", None)
    np.testing.assert_allclose(Gaussian(0, 1).cdf(edges[0]), TAIL, rtol=1e-6)
    edges, masses = initial_cells(Gaussian(0, 1), 50, "graded", (-3.1, 9.0))
    assert edges[0] == -3.1
    assert edges[-1] < 8.0
    inside = Gaussian(0, 1).cdf(edges[1]) - Gaussian(0, 1).cdf(-3.1)
    np.testing.assert_allclose(masses[0], inside / (1 - Gaussian(0, 1).cdf(-3.1)), rtol=1e-10)


def test_vacuum_between_two_parts_becomes_one_cell() -> None:
    grid = Grid((-6, 6), 200)
    values = np.zeros(200)
    values[20:40], values[150:170] = 1.0, 2.0
    values /= values.sum() * grid.volume
    edges, masses = initial_cells(Density(grid, values), 100, "graded", None)
    assert masses.size == 100
    assert np.sum(masses < 1e-6) == 1
    gap = int(np.argmin(masses))
    np.testing.assert_allclose(edges[gap : gap + 2], [-3.6, 3.0], rtol=0, atol=0.01)
    np.testing.assert_allclose(masses[:gap].sum(), 1 / 3, rtol=1e-6)


def test_quantiles_of_the_right_size_are_taken_as_they_are() -> None:
    given = Quantiles([0.0, 0.5, 2.0, 2.5], [0.2, 0.5, 0.3])
    edges, masses = initial_cells(given, 3, "graded", (-1, 3))
    assert np.array_equal(edges, given.edges)
    assert np.array_equal(masses, given.masses)
    edges, _ = initial_cells(given, 3, "graded", (0.001, 3))
    assert edges[0] == 0.001


def test_a_measure_outside_the_box_is_refused() -> None:
    with pytest.raises(ValueError, match="bounds"):
        initial_cells(Uniform((0, 1)), 10, "graded", (2, 3))
    with pytest.raises(ValueError, match=r"initial .* \[0\.25, 3\] .* got the mass 0\.75 inside\. Widen"):
        initial_cells(Uniform((0, 1)), 10, "graded", (0.25, 3))
