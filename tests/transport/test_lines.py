"""Smooth laws on the line against each other, pieces and atoms: closed forms and 40-digit integrals."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from wgf.errors import MeasureError
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Quantiles, Uniform
from wgf.transport.lines import line
from wgf.transport.w2_1d import between_lines


def between(a, b) -> float:
    return between_lines(line(a, "a"), line(b, "b"))


def gaussian_truth(left, right, mass, mean: float, std: float) -> float:
    """W2^2 of cells (left, right, mass) to N(mean, std^2), from closed-form integrals in 40 digits."""
    with mpmath.workdps(40):
        total, start = mpmath.mpf(0), mpmath.mpf(0)
        left, right = [mpmath.mpf(float(v)) for v in left], [mpmath.mpf(float(v)) for v in right]
        whole = mpmath.fsum(mpmath.mpf(float(m)) for m in mass)
        for low, high, part in zip(left, right, mass, strict=True):
            end = start + mpmath.mpf(float(part)) / whole
            lo = -mpmath.inf if start == 0 else _normal_quantile(start)
            hi = mpmath.inf if end >= 1 - mpmath.mpf(10) ** -36 else _normal_quantile(end)
            slope = (high - low) / (end - start)
            # (c + slope u - std z)^2 against the normal density of z, term by term
            c = low - slope * start - mpmath.mpf(mean)
            f = [_moment(k, lo, hi) for k in ("1", "z", "zz", "u", "uu", "uz")]
            total += c**2 * f[0] - 2 * c * std * f[1] + std**2 * f[2]
            total += 2 * c * slope * f[3] + slope**2 * f[4] - 2 * slope * std * f[5]
            start = end
        return float(total)


def _normal_quantile(u):
    return mpmath.sqrt(2) * mpmath.erfinv(2 * u - 1)


def _moment(kind, lo, hi):
    return _antiderivative(kind, hi) - _antiderivative(kind, lo)


def _antiderivative(kind, z):
    """Of phi(z) times 1, z, z^2, Phi, Phi^2 and z Phi."""
    cdf, pdf = mpmath.ncdf(z), mpmath.npdf(z)
    tail = mpmath.mpf(0) if mpmath.isinf(z) else z * pdf
    return {
        "1": cdf,
        "z": -pdf,
        "zz": cdf - tail,
        "u": cdf**2 / 2,
        "uu": cdf**3 / 3,
        "uz": -cdf * pdf + mpmath.ncdf(mpmath.sqrt(2) * z) / (2 * mpmath.sqrt(mpmath.pi)),
    }[kind]


@pytest.mark.parametrize("cells", [7, 60])
@pytest.mark.parametrize("shift", [0.0, 1e-3])
def test_a_density_against_a_gaussian_matches_forty_digits(cells, shift):
    density = Density.from_measure(Gaussian(0.9, 0.72), Grid((-6, 6), cells))
    edges = density.grid.edges(0)
    truth = gaussian_truth(edges[:-1], edges[1:], density.values, 0.9 + shift, 0.8)
    np.testing.assert_allclose(between(density, Gaussian(0.9 + shift, 0.64)), truth, rtol=1e-10)


def test_quantiles_against_a_gaussian_match_forty_digits():
    inner = Gaussian(0.1, 1.1).quantile(np.linspace(0, 1, 41)[1:-1])
    edges = np.concatenate(([-4.0], inner, [4.5]))
    quantiles = Quantiles(edges, np.full(40, 1 / 40))
    truth = gaussian_truth(edges[:-1], edges[1:], quantiles.masses, 0.1, np.sqrt(1.1))
    np.testing.assert_allclose(between(quantiles, Gaussian(0.1, 1.1)), truth, rtol=1e-10)


@pytest.mark.parametrize("weighted", [False, True])
def test_particles_against_a_gaussian_match_forty_digits(weighted):
    rng = np.random.default_rng(2)
    x, w = np.sort(rng.normal(size=50)), rng.dirichlet(np.full(50, 0.3))
    mass = w if weighted else np.full(50, 1 / 50)
    truth = gaussian_truth(x, x, mass, -0.2, 1.3)
    np.testing.assert_allclose(
        between(Particles(x, w if weighted else None), Gaussian(-0.2, 1.69)), truth, rtol=1e-10
    )


def test_many_optimal_points_are_as_near_as_the_closed_form_says():
    # medians of n equal cells of a uniform law: W2^2 = 1 / (12 n^2)
    n = 200_000
    x = (np.arange(n) + 0.5) / n
    np.testing.assert_allclose(between(Particles(x), Uniform((0, 1))), 1 / (12 * n**2), rtol=1e-9)


def test_gaussians_in_disguise_give_the_bures_value():
    two = Mixture([0.5, 0.5], [Gaussian(1.3, 0.25), Gaussian(1.3, 0.25)])
    np.testing.assert_allclose(between(Gaussian(0.3, 0.64), two), 1 + 0.09, rtol=1e-13)
    np.testing.assert_allclose(between(Gaussian(0.3, 0.64), Gaussian(1.3, 0.25)), 1 + 0.09, rtol=1e-13)
    assert between(two, Gaussian(1.3, 0.25)) < 1e-28


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e8])
@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_every_smooth_pair_is_symmetric_and_scales(scale, shift):
    def family(s):
        return [
            Gaussian(0.3 * s, (0.8 * s) ** 2),
            Mixture([0.3, 0.7], [Gaussian(-s, (0.5 * s) ** 2), Gaussian((2 + shift) * s, (0.2 * s) ** 2)]),
            Uniform((0, s)),
        ]

    for i, (a, one) in enumerate(zip(family(scale), family(1.0), strict=True)):
        for b, other in list(zip(family(scale), family(1.0), strict=True))[:i]:
            value = between(a, b)
            np.testing.assert_allclose(between(b, a), value, rtol=1e-13)
            np.testing.assert_allclose(value, scale**2 * between(one, other), rtol=1e-10)


@pytest.mark.parametrize("m", [0.5, 0.7, 2.0, 3.0, 5.0])
def test_a_barenblatt_is_its_variance_away_from_its_centre_and_dilates(m):
    profile, later = Barenblatt(1, m, 1.0), Barenblatt(1, m, 4.0)
    variance = profile.cov()[0, 0]
    np.testing.assert_allclose(between(profile, Particles([0.7])), variance + 0.49, rtol=1e-10)
    step = later.cov()[0, 0] ** 0.5 - variance**0.5
    np.testing.assert_allclose(between(profile, later), step**2, rtol=1e-9)


def test_a_mixture_is_its_variance_away_from_a_point_and_a_dirac_gaussian_is_a_point():
    mixture = Mixture([0.3, 0.7], [Gaussian(-5, 0.25), Gaussian(5, 0.04)])
    truth = mixture.cov()[0, 0] + (mixture.mean()[0] - 2) ** 2
    np.testing.assert_allclose(between(mixture, Particles([2.0])), truth, rtol=1e-12)
    np.testing.assert_allclose(between(mixture, Gaussian(2, 0)), truth, rtol=1e-12)


def test_two_separated_mixtures_match_a_direct_quadrature():
    a = Mixture([0.3, 0.7], [Gaussian(-1, 0.25), Gaussian(1, 0.04)])
    b = Mixture([0.6, 0.4], [Gaussian(-2, 0.04), Gaussian(1.5, 0.09)])
    u = (np.arange(200_000) + 0.5) / 200_000
    direct = np.mean((a.quantile(u) - b.quantile(u)) ** 2)  # midpoint rule: 1e-6 here
    np.testing.assert_allclose(between(a, b), direct, rtol=1e-5)


def test_a_stranger_with_quantile_cdf_and_pdf_is_welcome_and_without_them_is_not():
    class Logistic:
        dimension = 1

        def mean(self):
            return np.zeros(1)

        def quantile(self, u):
            return np.log(u) - np.log1p(-u)

        def cdf(self, x):
            return 1 / (1 + np.exp(-x))

        def pdf(self, x):
            return 0.25 / np.cosh(0.5 * x[..., 0]) ** 2

    np.testing.assert_allclose(between(Logistic(), Particles([1.0])), np.pi**2 / 3 + 1, rtol=1e-11)
    with pytest.raises(MeasureError, match="a is a Stranger without quantile"):
        line(type("Stranger", (), {"dimension": 1})(), "a")


def test_a_negative_density_is_refused_and_rounding_below_zero_is_not():
    grid = Grid((0, 1), 4)
    assert between(Density(grid, [1.0, 1.0, 2.0, -1e-17]), Density(grid, [1.0, 1.0, 2.0, 0.0])) < 1e-30
    with pytest.raises(MeasureError, match="negative"):
        line(Density(grid, [1.0, 2.0, 2.0, -1.0]), "a")
