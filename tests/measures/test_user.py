"""A user's class with nothing but pdf and sample passes every door."""

from __future__ import annotations

import cloudpickle
import numpy as np
import pytest

import wgf
from wgf.energies import Quadratic
from wgf.measures.user import UserMeasure
from wgf.schemes import FokkerPlanck, Langevin, QuantileJKO
from wgf.testing import check_measure


class Bump:
    """N(0.5, 0.3) written by a user; any number of points (n, 1) at once."""

    def pdf(self, x):
        return np.exp(-((x[:, 0] - 0.5) ** 2) / 0.6) / np.sqrt(0.6 * np.pi)

    def sample(self, n, rng):
        return 0.5 + np.sqrt(0.3) * rng.standard_normal((n, 1))


TWIN = wgf.Gaussian(0.5, 0.3)
OU = wgf.entropy() + wgf.potential(Quadratic([[1.0]]))


def test_a_grid_scheme_solves_from_it_as_from_its_twin():
    runs = [
        wgf.solve(wgf.Problem(OU, initial=m, bounds=(-5, 5)), FokkerPlanck(cells=100), t_end=0.2, dt=0.05)
        for m in (Bump(), TWIN)
    ]
    np.testing.assert_allclose(runs[0].final.values, runs[1].final.values, rtol=0, atol=1e-6)
    assert runs[0].final.values.max() > 0.3


def test_particles_and_quantiles_start_from_it():
    """Mean within 6 standard errors: false-alarm probability 2e-9."""
    problem = wgf.Problem(OU, initial=Bump(), bounds=(-5, 5))
    assert problem.dimension == 1
    run = wgf.solve(problem, Langevin(particles=4000), t_end=0.1, dt=0.05, record=["mass"])
    assert abs(run.final.mean()[0] - 0.5 * np.exp(-0.1)) < 6 * np.sqrt(0.5 / 4000) + 2e-3
    run = wgf.solve(problem, QuantileJKO(levels=50, time="midpoint"), t_end=0.1, dt=0.05)
    assert abs(run.final.mean()[0] - 0.5 * np.exp(-0.1)) < 1e-3


def test_distances_and_kl_take_it():
    assert abs(wgf.distance(Bump(), TWIN, "l1")) < 1e-9
    np.testing.assert_allclose(wgf.distance(Bump(), wgf.Gaussian(0, 0.3), "kl"), 0.25 / 0.6, rtol=1e-9)
    assert abs(wgf.kl(Bump()).value(TWIN)) < 1e-9
    np.testing.assert_allclose(wgf.kl(Bump()).potential_gradient([[1.0]]), [[0.5 / 0.3]], rtol=1e-10)


def test_its_moments_come_from_a_fixed_sample():
    """Within 6 standard errors of 2^17 points: false-alarm probability 4e-9."""
    measure = UserMeasure(Bump())
    assert abs(measure.mean()[0] - 0.5) < 6 * np.sqrt(0.3 / 2**17)
    assert abs(measure.cov()[0, 0] - 0.3) < 6 * 0.3 * np.sqrt(2 / 2**17)
    assert measure.mean() == UserMeasure(Bump()).mean()


def test_density_score_moments_and_samples_agree():
    report = check_measure(Bump())
    assert report.passed, str(report)


def test_it_travels_to_a_worker():
    again = cloudpickle.loads(cloudpickle.dumps(UserMeasure(Bump())))
    assert again.dimension == 1
    np.testing.assert_allclose(again.log_density([[0.5]]), TWIN.log_density([[0.5]]), rtol=1e-14)


def test_a_pdf_that_cannot_be_differentiated_has_a_score_by_differences():
    class Opaque(Bump):
        def pdf(self, x):
            return np.array([float(TWIN.pdf(p)) for p in np.array(x, dtype=float)])

    np.testing.assert_allclose(UserMeasure(Opaque()).score([[1.2]]), TWIN.score([[1.2]]), rtol=1e-7)


def test_what_misses_is_said():
    class Wide(Bump):
        def pdf(self, x):
            return TWIN.pdf(x)[:, None]

    class Flat(Bump):
        def sample(self, n, rng):
            return rng.standard_normal(n)

    class Silent:
        pdf = Bump.pdf

    with pytest.raises(ValueError, match="pdf must return shape"):
        wgf.distance(Wide(), TWIN, "l1")
    with pytest.raises(ValueError, match="sample.* must have shape"):
        wgf.Problem(OU, initial=Flat())
    with pytest.raises(TypeError, match=r"must have sample\(n, rng\)"):
        wgf.Problem(OU, initial=Silent())
