"""What the tests of the gallery share: derivatives by differences of order eight."""

from __future__ import annotations

import numpy as np
import pytest

STENCIL = np.array([1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280])


def derivative(f, at, step):
    """f'(at) for f of one number returning a number or an array; error step^8 and rounding / step."""
    return sum(c * f(at + k * step) for c, k in zip(STENCIL, range(-4, 5), strict=True) if c) / step


def divergence(flux, x, step):
    """The divergence at points x (n, d) of flux: (n, d) -> (n, d)."""
    total = np.zeros(len(x))
    for k in range(x.shape[1]):
        unit = np.eye(x.shape[1])[k]
        total += derivative(lambda s, e=unit, k=k: flux(x + s * e)[:, k], 0.0, step)
    return total


def residual(exact, flux, x, t, step=0.02, time_step=0.01):
    """Largest |d_t rho - div flux(x, t)| at points x (n, d), relative to the largest |d_t rho| there."""
    left = derivative(lambda s: exact(s).pdf(x), t, time_step)
    right = divergence(lambda y: flux(y, t), x, step)
    assert np.abs(left).max() > 1e-3, "a vacuous check: nothing moves at these points"
    return np.abs(left - right).max() / np.abs(left).max()


@pytest.fixture(scope="session")
def pde_residual():
    return residual


@pytest.fixture(scope="session")
def time_derivative():
    return derivative
