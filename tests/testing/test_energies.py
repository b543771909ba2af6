"""check_energy: our energies pass in 1 to 3 dimensions, and each planted fault is named."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.energies import DoubleWell, Quadratic, Ring
from wgf.testing import check_energy


def bumpy(x):
    return np.cos(2 * x).sum(-1) + 0.25 * (x**4).sum(-1)


def soft(z):
    return np.log1p((z**2).sum(-1))


ENERGIES = [
    (wgf.entropy(), 1),
    (wgf.entropy() + wgf.potential(bumpy), 2),
    (2 * wgf.internal(2.0) + 0.5 * wgf.potential(bumpy) + wgf.interaction(soft), 1),
    (wgf.internal(0.5), 2),
    (wgf.interaction(soft), 2),
    (wgf.potential(lambda x, t: t * (x**2).sum(-1)), 1),
    (wgf.kl(wgf.Gaussian([0.0, 0.0], [1.0, 2.0])), 2),
    (wgf.kl(wgf.Mixture([0.5, 0.5], [wgf.Gaussian(-1, 0.3), wgf.Gaussian(1, 0.5)])), 1),
    (wgf.potential(DoubleWell(barrier=2.0, stiffness=1.5, tilt=0.3)), 2),
    (wgf.potential(Ring(radius=0.8, stiffness=2.0)), 3),
    (wgf.interaction(Quadratic([[2.0]])), 1),
]


@pytest.mark.parametrize(("energy", "dimension"), ENERGIES, ids=str)
def test_our_energies_pass(energy, dimension):
    report = check_energy(energy, dimension=dimension)
    assert report.passed, report


class Wrong:
    """An energy whose answers are scaled: 1 everywhere is right."""

    has_potential = True

    def __init__(self, variation=1.0, velocity=1.0, gradient=1.0, multiple=1.0):
        self.right = wgf.potential(bumpy) + wgf.interaction(soft)
        self.factors = variation, velocity, gradient, multiple

    def value(self, measure):
        return self.right.value(measure)

    def first_variation(self, density):
        return self.factors[0] * self.right.first_variation(density)

    def velocity(self, particles):
        return self.factors[1] * self.right.velocity(particles)

    def potential_value(self, x):
        return self.right.potential_value(x)

    def potential_gradient(self, x):
        return self.factors[2] * self.right.potential_gradient(x)

    def __rmul__(self, factor):
        return factor * self.factors[3] * self.right

    def __add__(self, other):
        return self.right + other.right


@pytest.mark.parametrize("dimension", [1, 2])
def test_an_energy_of_ones_own_passes(dimension):
    report = check_energy(Wrong(), dimension=dimension)
    assert {line.verdict for line in report.lines} == {"held"}, report


@pytest.mark.parametrize(
    ("wrong", "check"),
    [
        ({"variation": 1.0001}, "first variation is the slope of value"),
        ({"variation": -1.0}, "value falls along its flow on cells"),
        ({"velocity": 1.0001}, "velocity is minus the slope of value"),
        ({"velocity": -1.0}, "value falls along its flow on points"),
        ({"gradient": 1.0001}, "potential gradient is the slope of its value"),
        ({"multiple": 1.0001}, "multiples scale and sums add"),
        ({"variation": np.nan}, "first variation is the slope of value"),
        ({"gradient": np.nan}, "potential gradient is the slope of its value"),
    ],
    ids=str,
)
def test_a_planted_fault_is_named(wrong, check):
    report = check_energy(Wrong(**wrong))
    assert check in {line.name for line in report.failed}, report


def test_what_a_cloud_cannot_answer_is_not_applicable():
    verdicts = {line.name: line.verdict for line in check_energy(wgf.entropy()).lines}
    assert verdicts["velocity is minus the slope of value"] == "not applicable"
    assert verdicts["first variation is the slope of value"] == "held"
