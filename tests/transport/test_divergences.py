"""L1 and KL: closed forms without a grid, cell averages with one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from wgf.errors import MeasureError
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Quantiles, Uniform
from wgf.transport import distance


def disguised(g: Gaussian) -> Mixture:
    return Mixture([0.5, 0.5], [g, g])


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4))
def test_kl_of_gaussians_is_the_textbook_formula_and_not_negative(seed, d):
    rng = np.random.default_rng(seed)
    f, h = rng.normal(size=(2, d, d))
    a, b = (
        Gaussian(rng.normal(size=d), f @ f.T + 0.1 * np.eye(d)),
        Gaussian(rng.normal(size=d), h @ h.T + 0.1 * np.eye(d)),
    )
    inverse, shift = np.linalg.inv(b.covariance), a.center - b.center
    log_ratio = np.linalg.slogdet(b.covariance)[1] - np.linalg.slogdet(a.covariance)[1]
    truth = 0.5 * (np.trace(inverse @ a.covariance) - d + log_ratio + shift @ inverse @ shift)
    np.testing.assert_allclose(distance(a, b, "kl"), truth, rtol=1e-8, atol=1e-8)
    assert abs(distance(a, a, "kl")) < 1e-20


def test_kl_of_nearly_equal_gaussians_keeps_its_digits():
    np.testing.assert_allclose(distance(Gaussian(0, (1 + 1e-6) ** 2), Gaussian(0, 1), "kl"), 1e-12, rtol=1e-5)


def test_kl_to_a_singular_gaussian_is_infinite_unless_equal():
    flat = Gaussian([0, 0], [1.0, 0.0])
    assert distance(Gaussian([0, 0], 1.0), flat, "kl") == np.inf
    assert distance(flat, Gaussian([0, 0], 1.0), "kl") == np.inf
    assert distance(flat, flat, "kl") == 0.0


@pytest.mark.parametrize("d", [1, 2])
def test_quadrature_of_densities_matches_closed_forms(d):
    a, b = Gaussian(np.zeros(d), 1.0), Gaussian(np.full(d, 0.5), 1.0)
    apart = 0.5 * d**0.5
    np.testing.assert_allclose(
        distance(a, b, "l1"), 2 * (2 * ndtr(apart / 2) - 1), rtol=1e-6 if d == 1 else 2e-4
    )
    np.testing.assert_allclose(distance(disguised(a), b, "kl"), 0.5 * apart**2, rtol=1e-10)


def test_quadrature_far_in_the_tails_neither_overflows_nor_vanishes():
    a, b = disguised(Gaussian(0, 1)), Gaussian(100.0, 1.0)
    np.testing.assert_allclose(distance(a, b, "kl"), 5000.0, rtol=1e-8)
    np.testing.assert_allclose(distance(a, b, "l1"), 2.0, rtol=1e-8)


def test_supports_decide_whether_kl_is_finite():
    np.testing.assert_allclose(distance(Uniform((0, 1)), Uniform((0, 4)), "kl"), np.log(4), rtol=1e-12)
    assert distance(Uniform((0, 4)), Uniform((0, 1)), "kl") == np.inf
    np.testing.assert_allclose(distance(Uniform((0, 1)), Uniform((0, 4)), "l1"), 1.5, rtol=1e-12)
    assert distance(Gaussian(0, 1), Barenblatt(1, 2.0, 1.0), "kl") == np.inf
    assert 0 < distance(Barenblatt(1, 2.0, 1.0), Gaussian(0, 1), "kl") < np.inf


def test_quantiles_are_compared_edge_by_edge():
    q = Quantiles([0.0, 0.3, 1.0], [0.6, 0.4])
    truth = 0.6 * np.log(2) + 0.4 * np.log(0.4 / 0.7)
    np.testing.assert_allclose(distance(q, Uniform((0, 1)), "kl"), truth, rtol=1e-12)
    np.testing.assert_allclose(distance(q, Uniform((0, 1)), "l1"), 0.6, rtol=1e-12)


def test_a_density_is_compared_by_cell_averages():
    g = Gaussian([0, 0], 1.0)
    density = Density.from_measure(g, Grid([(-6, 6)] * 2, 20))
    assert distance(density, g, "l1") == 0.0
    assert distance(density, g, "kl") == 0.0
    np.testing.assert_allclose(
        distance(density, Gaussian([0.1, 0], 1.0), "l1"), 2 * (2 * ndtr(0.05) - 1), rtol=0.05
    )


def test_of_two_nested_grids_the_coarser_decides():
    coarse, fine = Grid((0, 1), 2), Grid((0, 1), 4)
    a, b = Density(fine, [1.0, 3.0, 0.0, 0.0]), Density(coarse, [1.0, 1.0])
    assert distance(a, b, "l1") == distance(b, a, "l1") == 1.0
    np.testing.assert_allclose(distance(a, b, "kl"), np.log(2), rtol=1e-14)
    assert distance(b, a, "kl") == np.inf


@pytest.mark.parametrize(
    ("other", "l1", "kl"),
    [
        (Grid((0, 1), 3), 0.0, 0.0),
        (Grid((0, 2), 4), 1.0, np.log(2)),
        (Grid((-1, 1), 2), 1.0, np.log(2)),
        (Grid((3, 4), 2), 2.0, np.inf),
    ],
)
def test_grids_that_are_not_nested_are_compared_on_the_coarser_one_and_outside_it(other, l1, kl):
    a = Density(Grid((0, 1), 4), np.ones(4))
    b = Density(other, np.ones(other.cells) / (other.size * other.volume))
    np.testing.assert_allclose([distance(a, b, "l1"), distance(b, a, "l1")], l1, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(distance(a, b, "kl"), kl, rtol=1e-12, atol=1e-12)
    assert distance(b, a, "kl") == (np.inf if l1 else 0.0)


def test_l1_sees_components_narrower_than_any_uniform_panel():
    """Two narrow peaks against one wide law: 2 minus twice the overlap, here by scipy's quadrature."""
    narrow, wide = Mixture([0.5, 0.5], [Gaussian(-5, 1e-6), Gaussian(5, 1e-6)]), Gaussian(0, 1)
    x = np.linspace(-10, 10, 400_001) * 1e-3
    overlap = 2 * np.trapezoid(np.minimum(narrow.pdf(5 + x[:, None]), wide.pdf(5 + x[:, None])), x)
    np.testing.assert_allclose(distance(narrow, wide, "l1"), 2 - 2 * overlap, rtol=0, atol=1e-10)
    assert overlap > 1e-9


def test_l1_on_the_line_meets_the_crossing_of_the_densities():
    exact = 2 * (2 * ndtr(0.25) - 1)
    assert abs(distance(Gaussian(0, 1), Gaussian(0.5, 1), "l1") - exact) < 1e-12
    heavy = Barenblatt(1, 0.6, 1.0)
    shifted = Barenblatt(1, 0.6, 1.0, [1.0])
    exact = 2 * float(heavy.cdf(0.5) - heavy.cdf(-0.5))
    assert abs(distance(heavy, shifted, "l1") - exact) < 1e-10


def test_a_pdf_whose_integral_is_not_one_is_refused():
    class Double:
        dimension, mass = 1, 1.0
        mean, cov, sample = (getattr(Gaussian(0, 1), name) for name in ("mean", "cov", "sample"))

        def pdf(self, x):
            return 2 * Gaussian(0, 1).pdf(x)

    with pytest.raises(MeasureError, match=r"finds the mass 2 instead of 1 .*Density\.from_measure"):
        distance(Double(), Gaussian(0, 1), "l1")


def test_clouds_have_no_density_and_high_dimensions_no_quadrature():
    with pytest.raises(MeasureError, match="b is a Particles, which has no density"):
        distance(Gaussian(0, 1), Particles([0.0]), "kl")
    four = Gaussian(np.zeros(4), 1.0)
    with pytest.raises(MeasureError, match="dimension 4"):
        distance(four, Gaussian(np.ones(4), 1.0), "l1")
