"""Named potentials: gradients against differences, what kernels are told, automatic differentiation, refusals."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.autodiff import grad
from wgf.energies.named import DoubleWell, Logistic, NegativeLogDensity, Quadratic, Ring

RNG = np.random.default_rng(0)
A = np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 3.0]])
FEATURES, LABELS = RNG.standard_normal((30, 3)), (RNG.random(30) < 0.4).astype(int)
MIXTURE = wgf.Mixture([0.3, 0.7], [wgf.Gaussian([0, 0, 0], 1.0), wgf.Gaussian([1, 2, 0], np.linalg.inv(A))])
POTENTIALS = [
    Quadratic(A),
    Quadratic(A, center=[1.0, -2.0, 0.5]),
    Quadratic([1.0, 2.0, 3.0]),
    DoubleWell(barrier=0.7, stiffness=2.0, tilt=0.3),
    Ring(radius=1.5, stiffness=0.4),
    Logistic(FEATURES, LABELS, prior_variance=2.0),
    NegativeLogDensity(MIXTURE),
    NegativeLogDensity(wgf.Gaussian([1, 0, 0], A)),
]


@pytest.mark.parametrize("V", POTENTIALS, ids=repr)
def test_the_gradient_is_that_of_the_value(V):
    x = RNG.standard_normal((4, 5, 3))
    step = 1e-5
    slope = np.stack([(V(x + step * e) - V(x - step * e)) / (2 * step) for e in np.eye(3)], axis=-1)
    assert V(x).shape == (4, 5)
    assert V.gradient(x).shape == (4, 5, 3)
    np.testing.assert_allclose(V.gradient(x), slope, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("V", POTENTIALS[:6], ids=repr)
def test_automatic_differentiation_sees_through_the_call(V):
    x = RNG.standard_normal((7, 3))
    np.testing.assert_allclose(grad(lambda y: V(y).sum())(x), V.gradient(x), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("V", POTENTIALS[:5], ids=repr)
def test_single_precision_stays_single(V):
    x = RNG.standard_normal((7, 3)).astype(np.float32)
    assert V(x).dtype == V.gradient(x).dtype == np.float32
    np.testing.assert_allclose(V.gradient(x), V.gradient(x.astype(float)), rtol=1e-5, atol=1e-5)


def test_values_by_hand():
    x = np.array([2.0, 1.0, -1.0])
    assert Quadratic(A)(x) == pytest.approx(0.5 * x @ A @ x)
    assert Quadratic(A, center=x)(x) == 0
    assert DoubleWell(barrier=2.0, stiffness=3.0, tilt=0.5)(x) == pytest.approx(2 * 9 + 0.5 * 2 + 1.5 * 2)
    assert Ring(radius=2.0, stiffness=3.0)(x) == pytest.approx(0.75 * (6 - 4) ** 2)
    signs = np.where(LABELS == 1, 1, -1)
    by_hand = np.log(1 + np.exp(-signs * (FEATURES @ x))).sum() + x @ x / 4
    assert Logistic(FEATURES, LABELS, 2.0)(x) == pytest.approx(by_hand)
    assert NegativeLogDensity(MIXTURE)(x) == pytest.approx(-np.log(MIXTURE.pdf(x)))


def test_labels_of_any_two_values_mean_the_same():
    x = RNG.standard_normal((5, 3))
    np.testing.assert_array_equal(Logistic(FEATURES, LABELS)(x), Logistic(FEATURES, 2 * LABELS - 1)(x))


def test_a_large_cloud_goes_through_logistic_in_pieces(monkeypatch):
    x = RNG.standard_normal((50, 3))
    V = Logistic(FEATURES, LABELS)
    whole = V.gradient(x)
    monkeypatch.setattr("wgf.energies.named.ROWS", 120)
    np.testing.assert_allclose(V.gradient(x), whole, rtol=1e-14, atol=1e-14)


def test_what_a_quadratic_tells():
    assert Quadratic(2.0 * np.eye(3)).isotropic == 2.0
    assert Quadratic(A).isotropic is None
    assert Quadratic(2.0).A.shape == (1, 1)
    assert Quadratic([1.0, 2.0]).fused[0] == "quadratic-diagonal"
    assert Quadratic(A).fused[0] == "quadratic"
    assert Quadratic(A).center is None


def test_potentials_are_compared_by_identity_and_hashable():
    assert Ring() != Ring()
    assert len({*POTENTIALS, POTENTIALS[0]}) == len(POTENTIALS)


def test_a_measure_without_score_is_differentiated():
    class Cauchy:
        dimension = 1

        def pdf(self, x):
            return 1 / (np.pi * (1 + x[..., 0] ** 2))

    x = np.array([[0.5], [2.0]])
    np.testing.assert_allclose(NegativeLogDensity(Cauchy()).gradient(x), 2 * x / (1 + x**2), rtol=1e-12)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Quadratic([[1.0, 2.0], [0.0, 1.0]]), "A must be a symmetric"),
        (lambda: Quadratic(np.ones((2, 3))), "A must be"),
        (lambda: Quadratic(np.nan), "A must be finite"),
        (lambda: Quadratic(np.eye(2), center=[1.0, 2.0, 3.0]), "center must have shape"),
        (lambda: DoubleWell(barrier=-1.0), "barrier must be"),
        (lambda: Ring(radius=0.0), "radius must be"),
        (lambda: Logistic(FEATURES, np.zeros(30)), "labels must hold exactly two"),
        (lambda: Logistic(FEATURES, LABELS[:5]), "labels must have shape"),
        (lambda: NegativeLogDensity(3.0), "measure must be"),
    ],
)
def test_wrong_arguments_are_refused_by_name(make, words):
    with pytest.raises((ValueError, TypeError), match=words):
        make()
