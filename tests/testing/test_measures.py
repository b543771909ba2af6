"""check_measure: every kind of measure passes, and each planted fault is named."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.testing import check_measure

RNG = np.random.default_rng(0)
MEASURES = [
    wgf.Gaussian(1, 2),
    wgf.Gaussian([0, 1], [[2, 0.5], [0.5, 1]]),
    wgf.Gaussian([0, 1, 2], [1, 2, 3]),
    wgf.Mixture([0.3, 0.7], [wgf.Gaussian(-2, 0.1), wgf.Gaussian(1, 0.5)]),
    wgf.Mixture.kde(RNG.normal(size=(30, 2))),
    wgf.Uniform((0, 2)),
    wgf.Uniform([(0, 2), (1, 5)]),
    wgf.Barenblatt(1, 2.0, 1.0),
    wgf.Barenblatt(2, 3.0, 0.5),
    wgf.Barenblatt(1, 0.7, 1.0),
    wgf.Density(wgf.Grid((-1, 2), 30), RNG.random(30)).normalised(),
    wgf.Density(wgf.Grid([(-1, 2), (0, 1)], (30, 20)), RNG.random((30, 20))),
    wgf.Particles(RNG.normal(size=(30, 2))),
    wgf.Particles(RNG.normal(size=(3, 1)), [0.5, 0.3, 0.2]),
    wgf.Quantiles(np.sort(RNG.random(9)), np.full(8, 1 / 8)),
]


@pytest.mark.parametrize("measure", MEASURES, ids=str)
def test_our_measures_pass(measure):
    """False alarms: at most 2 statistical checks of 1e-6 each per measure; the seed is fixed."""
    report = check_measure(measure)
    assert report.passed, report


class Wrong:
    """A standard normal on the line whose parts can be broken."""

    dimension = 1

    def __init__(self, **parts):
        self.right = wgf.Gaussian(0.0, 1.0)
        for name, part in parts.items():
            setattr(self, name, part)

    def __getattr__(self, name):
        return getattr(self.right, name)


RIGHT = wgf.Gaussian(0.0, 1.0)


@pytest.mark.parametrize(
    ("part", "check"),
    [
        ({"pdf": lambda x: 1.0001 * RIGHT.pdf(x)}, "pdf integrates to one"),
        ({"pdf": lambda x: RIGHT.pdf(x) - 0.01}, "pdf integrates to one"),
        ({"pdf": lambda x: RIGHT.pdf(x)[..., None]}, "pdf integrates to one"),
        ({"log_density": lambda x: RIGHT.log_density(x) + 1e-6}, "log density is the log of pdf"),
        ({"score": lambda x: 1.001 * RIGHT.score(x)}, "score is the gradient of log density"),
        ({"score": lambda x: RIGHT.score(x)[..., 0]}, "score is the gradient of log density"),
        ({"score": lambda x: np.nan * x}, "score is the gradient of log density"),
        ({"mean": lambda: np.array([0.2])}, "samples have the moments"),
        ({"cov": lambda: np.array([[1.3]])}, "samples have the moments"),
        ({"mean": lambda: 0.0}, "moments have their shapes"),
        ({"cov": lambda: np.array([1.0])}, "moments have their shapes"),
        ({"cov": lambda: np.array([[-1.0]])}, "moments have their shapes"),
        ({"sample": lambda n, rng: RIGHT.sample(n, rng)[:, 0]}, "samples have the moments"),
        ({"sample": lambda n, rng: RIGHT.sample(n, np.random.default_rng())}, "sampling is reproducible"),
        ({"cdf": lambda x: RIGHT.cdf(np.asarray(x) * 1.1)}, "samples have the law"),
        ({"quantile": lambda u: 1.001 * RIGHT.quantile(u)}, "quantile inverts cdf"),
    ],
)
def test_a_planted_fault_is_named(part, check):
    assert check_measure(Wrong()).passed
    report = check_measure(Wrong(**part))
    assert check in {line.name for line in report.failed}, report


def test_a_degenerate_gaussian_has_no_density_and_that_is_not_a_fault():
    verdicts = {line.name: line.verdict for line in check_measure(wgf.Gaussian([0.0, 0.0], [1.0, 0.0])).lines}
    assert verdicts["pdf integrates to one"] == "not applicable"
    assert verdicts["samples have the moments"] == "held"
