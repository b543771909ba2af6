"""What every kind of measure promises, on one example of each."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate

import wgf
from wgf.measures import KINDS
from wgf.testing import check_measure

EXAMPLES = {
    "gaussian 1-D": wgf.Gaussian(0.5, 0.3),
    "gaussian 2-D": wgf.Gaussian([0.5, -1.0], [[1.0, 0.4], [0.4, 0.5]]),
    "mixture 1-D": wgf.Mixture([0.3, 0.7], [wgf.Gaussian(-1, 0.2), wgf.Gaussian(2, 0.5)]),
    "mixture 2-D": wgf.Mixture(
        [0.25, 0.75], [wgf.Gaussian([0, 0], 0.5), wgf.Gaussian([2, 1], [[0.6, 0.2], [0.2, 0.3]])]
    ),
    "kde 2-D": wgf.Mixture.kde(np.random.default_rng(0).standard_normal((20, 2)), bandwidth=0.4),
    "uniform": wgf.Uniform([(-1, 2), (0, 3)]),
    "barenblatt": wgf.Barenblatt(1, 2, 1.3, center=[0.4]),
    "barenblatt 2-D": wgf.Barenblatt(2, 3, 0.7),
    "fast diffusion": wgf.Barenblatt(1, 0.8, 1.0),
    "density": wgf.Density.from_measure(wgf.Gaussian(0.2, 0.5), wgf.Grid((-5, 5), 200)),
    "quantiles": wgf.Quantiles([0.0, 0.5, 2.0, 2.5], [0.2, 0.5, 0.3]),
}
CLOUD = wgf.Particles([[0.0, 1.0], [2.0, 0.0], [1.0, 1.0]], [0.5, 0.25, 0.25])


@pytest.mark.parametrize("name", EXAMPLES)
def test_density_score_moments_and_samples_agree(name):
    report = check_measure(EXAMPLES[name])
    assert report.passed, str(report)


@pytest.mark.parametrize("name", ["gaussian 1-D", "mixture 1-D", "barenblatt", "fast diffusion", "quantiles"])
def test_cdf_is_the_integral_of_the_pdf_and_quantile_its_inverse(name):
    measure = EXAMPLES[name]
    u = np.array([0.03, 0.3, 0.5, 0.8, 0.97])
    x = measure.quantile(u)
    np.testing.assert_allclose(measure.cdf(x), u, rtol=0, atol=1e-10)
    for low, high, part in zip(x[:-1], x[1:], np.diff(u), strict=True):
        breaks = [e for e in getattr(measure, "edges", []) if low < e < high] or None
        value, _ = integrate.quad(
            lambda s: float(measure.pdf(np.array([s]))), low, high, points=breaks, epsabs=1e-11
        )
        assert abs(value - part) < 1e-9


@pytest.mark.parametrize("measure", [*EXAMPLES.values(), CLOUD], ids=[*EXAMPLES, "particles"])
def test_arrays_rebuild_the_same_measure_bit_by_bit(measure):
    again = KINDS[measure.kind].from_arrays(measure.arrays())
    for name, value in measure.arrays().items():
        assert np.array_equal(value, again.arrays()[name])
    np.testing.assert_array_equal(again.mean(), measure.mean())


def test_measures_are_values():
    with pytest.raises(ValueError, match="read-only"):
        CLOUD.x[0, 0] = 3.0
    source = np.ones((2, 1))
    cloud = wgf.Particles(source)
    source[0, 0] = 7.0
    assert cloud.x[0, 0] == 1.0


def test_particle_moments_are_population_moments_with_weights():
    np.testing.assert_allclose(CLOUD.mean(), [0.75, 0.75], rtol=0, atol=1e-15)
    expected = np.cov(CLOUD.x.T, aweights=CLOUD.w, ddof=0)
    np.testing.assert_allclose(CLOUD.cov(), expected, rtol=0, atol=1e-14)


def test_scott_bandwidth_is_scipys():
    from scipy.stats import gaussian_kde

    data = np.random.default_rng(1).standard_normal((40, 2)) @ [[1.0, 0.3], [0.0, 0.5]]
    mine, theirs = wgf.Mixture.kde(data), gaussian_kde(data.T)
    x = np.array([[0.1, 0.2], [1.0, -1.0]])
    np.testing.assert_allclose(mine.pdf(x), theirs(x.T), rtol=1e-12, atol=0)


def test_mixture_score_is_finite_however_far_away():
    score = EXAMPLES["mixture 2-D"].score(np.array([[1e6, -1e6], [1e150, 0.0]]))
    assert np.isfinite(score).all()
    assert (score[0] * [1, -1] < 0).all()


def test_barenblatt_constants_are_those_of_the_literature():
    """Constants C for unit mass, to 12 digits (Vazquez, 2007, section 17.5, evaluated)."""
    expected = {(1, 2): 0.360562392577, (1, 3): 0.183776298474, (2, 2): 0.199471140201, (2, 3): 0.088943166629,
                (3, 2): 0.134810140819, (3, 3): 0.058711299317, (1, 0.5): 1.948888544860, (2, 0.75): 2.112307020511,
                (3, 0.8): 2.614597266411}  # fmt: skip
    for (d, m), constant in expected.items():
        assert abs(wgf.Barenblatt(d, m, 1.0).C / constant - 1) < 1e-11
    assert abs(wgf.Barenblatt(1, 2, 1.0).radius - 2.080083823052) < 1e-11


def test_csv_round_trip_keeps_every_bit(tmp_path):
    for cloud in (CLOUD, wgf.Particles(np.random.default_rng(0).standard_normal((5, 3)))):
        cloud.to_csv(tmp_path / "cloud.csv")
        again = wgf.Particles.from_csv(tmp_path / "cloud.csv")
        assert np.array_equal(again.x, cloud.x)
        np.testing.assert_allclose(again.w, cloud.w, rtol=0, atol=1e-15)


def test_csv_with_words_reads_the_columns_of_numbers(tmp_path):
    (tmp_path / "t.csv").write_text("a,kind,b\n1,x,2\n3,y,4\n")
    assert wgf.Particles.from_csv(tmp_path / "t.csv").x.tolist() == [[1, 2], [3, 4]]
    assert wgf.Particles.from_csv(tmp_path / "t.csv", columns=["b"]).x.tolist() == [[2], [4]]
    with pytest.raises(ValueError, match="columns"):
        wgf.Particles.from_csv(tmp_path / "t.csv", columns=["c"])
    with pytest.raises(wgf.CheckpointError, match="nowhere"):
        wgf.Particles.from_csv(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("build", "word"),
    [
        (lambda: wgf.Gaussian(0, -1.0), "cov"),
        (lambda: wgf.Gaussian([0, 0], [[1, 2], [2, 1]]), "cov"),
        (lambda: wgf.Gaussian([0, 0], [[1, 0.5], [0.2, 1]]), "cov"),
        (lambda: wgf.Mixture([0.5, 0.6], [wgf.Gaussian(0, 1)] * 2), "weights"),
        (lambda: wgf.Mixture([0.5, 0.5], [wgf.Gaussian(0, 1)]), "components"),
        (lambda: wgf.Barenblatt(2, 0.4, 1.0), "m must be"),
        (lambda: wgf.Quantiles([0.0, 0.0, 1.0], [0.5, 0.5]), "edges"),
        (lambda: wgf.Density(wgf.Grid((0, 1), 3), [1.0, 1.0]), "values"),
        (lambda: wgf.Gaussian(0, 1).pdf(np.zeros(5)), "x must have shape"),
        (lambda: wgf.Gaussian([0, 0], 0.0).pdf(np.zeros(2)), "singular.*variance"),
        (lambda: wgf.Gaussian([0, 0], 1.0).cdf(0.0), "cdf and quantile need one dimension.*marginal"),
    ],
)
def test_bad_input_is_refused_by_name(build, word):
    with pytest.raises((ValueError, TypeError), match=word):
        build()


def test_mixture_quantiles_keep_their_digits_far_in_both_tails():
    two = wgf.Mixture([0.3, 0.7], [wgf.Gaussian(-1, 0.25), wgf.Gaussian(2, 0.25)])
    u = np.array([1e-200, 1e-30, 1e-9, 0.3, 0.5])
    np.testing.assert_allclose(two.cdf(two.quantile(u)), u, rtol=1e-11, atol=0)
    mirror = wgf.Mixture([0.7, 0.3], [wgf.Gaussian(-2, 0.25), wgf.Gaussian(1, 0.25)])
    v = np.array([0.25, 1e-9, 2.0**-50])
    np.testing.assert_allclose(two.quantile(1 - v), -mirror.quantile(1 - (1 - v)), rtol=0, atol=1e-13)
    assert two.quantile([[0.0, 1.0]]).tolist() == [[-np.inf, np.inf]]


def test_a_gaussian_without_width_is_a_step_on_the_line():
    point = wgf.Gaussian(1.5, 0.0)
    assert point.cdf([1.4, 1.5, 1.6]).tolist() == [0.0, 1.0, 1.0]
    assert point.quantile([0.0, 0.3, 1.0]).tolist() == [1.5, 1.5, 1.5]


def test_arrays_of_measures_are_read_only():
    kde = wgf.Mixture.kde([[0.0], [2.0]], bandwidth=1.0)
    weighted = wgf.Particles.from_arrays({"x": np.ones((2, 1)), "w": np.array([0.5, 0.5])})
    for array in (kde.covariances, EXAMPLES["mixture 2-D"].covariances, weighted.w):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 3.0
