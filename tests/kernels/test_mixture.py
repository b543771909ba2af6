"""The mixture kernel: against an extended-precision sum, its reference, differences, and far away."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.kernels import mixture

SIZES, DIMENSIONS = [0, 1, 2, 3, 17, 1000], [1, 2, 3, 10]


def case(n, d, K, seed=0):
    rng = np.random.default_rng(seed)
    x, means = 2 * rng.standard_normal((n, d)), rng.standard_normal((K, d))
    root = rng.standard_normal((K, d, d + 2)) / np.sqrt(d)
    return x, np.log(rng.dirichlet(np.ones(K))), means, root @ root.transpose(0, 2, 1)


def naive(x, log_weights, means, precisions):
    """Log density and score in extended precision, one point and one component at a time."""
    x, log_weights, means, precisions = (
        np.asarray(a, np.longdouble) for a in (x, log_weights, means, precisions)
    )
    density, score = [], []
    for point in x:
        exponents = [
            log_weights[j] - 0.5 * (point - means[j]) @ precisions[j] @ (point - means[j])
            for j in range(len(means))
        ]
        top = max(exponents)
        shares = np.array([np.exp(e - top) for e in exponents])
        density.append(top + np.log(shares.sum()))
        pulls = [precisions[j] @ (means[j] - point) for j in range(len(means))]
        score.append(sum(s * p for s, p in zip(shares, pulls)) / shares.sum())
    return np.array(density), np.array(score)


@pytest.mark.parametrize(("real", "tolerance"), [(np.float64, 2e-13), (np.float32, 5e-5)])
@pytest.mark.parametrize("d", DIMENSIONS)
def test_values_and_scores_are_those_of_an_extended_precision_sum(d, real, tolerance):
    x, log_weights, means, precisions = case(40, d, 23)
    x = x.astype(real)
    for P, q in ((precisions, precisions), (1.7, np.broadcast_to(1.7 * np.eye(d), (23, d, d)))):
        density, score = naive(x, log_weights, means, q)
        names = ("", "") if np.ndim(P) else ("_isotropic", "_isotropic")
        for kernel, exact in (("log_density", density), ("score", score)):
            values = getattr(mixture, f"mixture_{kernel}{names[0]}")(x, log_weights, means, P)
            assert values.dtype == real
            error = np.abs(values - exact).max() / np.abs(exact).max()
            assert error < tolerance


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("K", [1, 8, 9])
def test_the_compiled_form_agrees_with_the_reference(n, d, K):
    x, log_weights, means, precisions = case(n, d, K, seed=n + d)
    for name, P in (("", precisions), ("_isotropic", 0.8)):
        for what, shape in (("log_density", (n,)), ("score", (n, d))):
            kernel = getattr(mixture, f"mixture_{what}{name}")
            values = kernel(x, log_weights, means, P)
            assert values.shape == shape
            if n:
                np.testing.assert_allclose(
                    values, kernel.reference(x, log_weights, means, P), rtol=1e-12, atol=1e-12
                )


def test_the_score_is_the_gradient_of_the_log_density():
    x, log_weights, means, precisions = case(30, 3, 11)
    step = 1e-5
    for name, P in (("", precisions), ("_isotropic", 0.8)):
        density, score = (getattr(mixture, f"mixture_{w}{name}") for w in ("log_density", "score"))
        slope = [
            (density(x + step * e, log_weights, means, P) - density(x - step * e, log_weights, means, P))
            / (2 * step)
            for e in np.eye(3)
        ]
        np.testing.assert_allclose(score(x, log_weights, means, P), np.stack(slope, 1), rtol=0, atol=2e-8)


@pytest.mark.parametrize(("real", "far"), [(np.float64, 1e9), (np.float32, 1e6)])
def test_far_away_the_score_is_the_pull_of_the_components_and_finite(real, far):
    means = np.array([[1.0, 0.0], [-1.0, 0.0]])
    x = np.array([[far, 0.0], [-far, 0.0], [0.0, far]], real)
    log_weights = np.log([0.5, 0.5])
    for P in (2.0, np.broadcast_to(2 * np.eye(2), (2, 2, 2))):
        name = "" if np.ndim(P) else "_isotropic"
        score = getattr(mixture, f"mixture_score{name}")(x, log_weights, means, P)
        nearest = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
        np.testing.assert_allclose(score, 2 * (nearest - x), rtol=4 * np.finfo(real).eps, atol=0)
        assert np.isfinite(getattr(mixture, f"mixture_log_density{name}")(x, log_weights, means, P)).all()


def test_a_component_without_weight_changes_nothing():
    x, log_weights, means, precisions = case(20, 2, 5)
    more = (
        np.append(log_weights, -np.inf),
        np.vstack([means, [[0.0, 0.0]]]),
        np.concatenate([precisions, np.eye(2)[None]]),
    )
    for kernel in (mixture.mixture_log_density, mixture.mixture_score):
        np.testing.assert_allclose(kernel(x, *more), kernel(x, log_weights, means, precisions), rtol=1e-14)


def test_nan_stays_with_its_point():
    x, log_weights, means, precisions = case(20, 2, 5)
    clean = mixture.mixture_score(x, log_weights, means, precisions)
    x[7] = np.nan
    for kernel in (mixture.mixture_log_density, mixture.mixture_score):
        assert np.isnan(kernel(x, log_weights, means, precisions)[7]).all()
    np.testing.assert_array_equal(
        np.delete(mixture.mixture_score(x, log_weights, means, precisions), 7, 0), np.delete(clean, 7, 0)
    )


def test_a_point_does_not_depend_on_its_neighbours():
    x, log_weights, means, precisions = case(300, 3, 20)
    whole = mixture.mixture_score(x, log_weights, means, precisions)
    for part in (slice(0, 1), slice(5, 70), slice(299, 300)):
        np.testing.assert_array_equal(
            mixture.mixture_score(x[part], log_weights, means, precisions), whole[part]
        )
