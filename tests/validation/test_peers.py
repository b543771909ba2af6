"""The codes timed against are right themselves: a fast wrong peer would flatter nobody."""

from __future__ import annotations

import math

import numpy as np
import pytest

from validation import references
from validation.performance import peers


def test_the_sparse_lu_peer_is_second_order_in_time():
    x, y = references.centres(-4, 4, 20), references.centres(-3, 3, 16)
    spacing = (x[1] - x[0], y[1] - y[0])
    points = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1)
    V = 0.6 * points[..., 0] ** 2 + 0.3 * points[..., 0] * points[..., 1] + 0.4 * points[..., 1] ** 2
    start = references.gaussian_pdf(np.array([0.8, -0.5]), 0.5 * np.eye(2))(points)
    exact = references.semidiscrete(V, spacing, start, 1.0)
    errors = [np.abs(peers.splu_tr_bdf2(V, spacing, start, 1.0, n) - exact).sum() for n in (20, 40, 80)]
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 4, rtol=0.03)


@pytest.mark.parametrize("code", [peers.numpy_langevin, peers.torch_langevin])
def test_the_langevin_peers_have_the_variance_of_euler_maruyama(code):
    """Variance of y after 30 steps, 40 000 particles, within 5.5 standard errors: false alarm 4e-8."""
    if code is peers.torch_langevin:
        pytest.importorskip("torch")
    h, steps, particles = 0.05, 30, 40_000
    y = code(particles, steps, h)()[:, 1].astype(float)
    exact = 2 * h * sum((1 - h) ** (2 * k) for k in range(steps))
    assert abs((y**2).mean() / exact - 1) < 5.5 * math.sqrt(2 / particles)


@pytest.mark.parametrize("code", [peers.numpy_langevin, peers.torch_langevin])
def test_the_langevin_peers_take_their_force_from_the_double_well(code):
    """The mean of x^2 after two steps follows x1 = a z, x2 = x1 + h (x1 - x1^3) + a z'.

    E x2^2 = (1 + h)^2 a^2 - 6 h (1 + h) a^4 + 15 h^2 a^6 + a^2; 5.5 standard errors, false alarm 4e-8.
    """
    if code is peers.torch_langevin:
        pytest.importorskip("torch")
    h, particles = 0.2, 200_000
    x = code(particles, 2, h)()[:, 0].astype(float)
    a2 = 2 * h
    exact = (1 + h) ** 2 * a2 - 6 * h * (1 + h) * a2**2 + 15 * h**2 * a2**3 + a2
    squares = x**2
    assert abs(squares.mean() - exact) < 5.5 * squares.std() / math.sqrt(particles)
