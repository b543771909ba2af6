"""The mass matrix on the line: against fine sums of the squared interpolant, and against itself."""

from __future__ import annotations

import numpy as np

from wgf.schemes.jko.quantile.mass import lumped, mass_matrix, mass_product, squared_norm

MASSES = np.random.default_rng(0).dirichlet(np.ones(12))
Z = np.sin(3 * np.linspace(-1, 2, 13))


def test_the_norm_is_the_integral_of_the_squared_interpolant() -> None:
    per_cell = 500
    share = (np.arange(per_cell) + 0.5) / per_cell
    between = Z[:-1, None] * (1 - share) + Z[1:, None] * share
    integral = MASSES @ (between**2).mean(1)
    np.testing.assert_allclose(squared_norm(MASSES, Z), integral, rtol=1e-5, atol=0)


def test_product_norm_matrix_and_lumped_masses_are_of_one_matrix() -> None:
    diagonal, beside = mass_matrix(MASSES)
    dense = np.diag(diagonal) + np.diag(beside, 1) + np.diag(beside, -1)
    np.testing.assert_allclose(mass_product(MASSES, Z), dense @ Z, rtol=0, atol=1e-15)
    np.testing.assert_allclose(squared_norm(MASSES, Z), Z @ dense @ Z, rtol=1e-13, atol=0)
    np.testing.assert_allclose(lumped(MASSES), dense.sum(1), rtol=1e-13, atol=0)
    assert abs(lumped(MASSES).sum() - 1) < 1e-14


def test_a_shift_is_as_long_as_it_is_far() -> None:
    assert abs(squared_norm(MASSES, np.full(13, 0.3)) - 0.09) < 1e-15
