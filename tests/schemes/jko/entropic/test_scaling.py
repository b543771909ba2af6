"""What an entropic step is made of: the kernel at any range, self terms, sweeps that keep all mass."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from validation import closed_forms
from validation.orders.entropic import dilated, stepped
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.entropic import EntropicJKO
from wgf.schemes.jko.entropic.kernel import GaussianKernel
from wgf.schemes.jko.entropic.prox import Proximal
from wgf.schemes.jko.entropic.scaling import scale, self_scaling


@pytest.mark.parametrize("shape", [(30,), (9, 14), (5, 7, 6)])
def test_matrix_products_and_logarithms_of_lines_are_the_dense_kernel(shape) -> None:
    bounds = [(-1.0, 1.0), (0.0, 2.5), (-0.5, 1.0)][: len(shape)]
    grid = wgf.Grid(bounds, shape)
    kernel = GaussianKernel(grid, 0.3)
    values = 30 * np.random.default_rng(0).standard_normal(shape)
    points = grid.centers.reshape(-1, len(shape))
    cost = ((points[:, None] - points) ** 2).sum(-1) / 0.6
    dense = np.log(np.exp(values.ravel() - cost).sum(1) * grid.volume / (0.6 * np.pi) ** (len(shape) / 2))
    everywhere = np.full(shape, True)
    for found in (kernel.log_apply(values, everywhere), kernel.log_lines(values)):
        np.testing.assert_allclose(found, dense.reshape(shape), rtol=1e-12)


def test_a_range_that_plain_numbers_cannot_hold_is_found_where_it_is_needed() -> None:
    grid = wgf.Grid((0.0, 1.0), 100)
    kernel = GaussianKernel(grid, 2e-4)
    values = np.where(np.arange(100) < 5, 0.0, -np.inf)
    far = kernel.log_apply(values, np.arange(100) == 99)
    assert np.isfinite(far).all()
    assert far[99] < -2000
    near = kernel.log_apply(values, np.arange(100) < 5)
    assert near[99] == -np.inf
    np.testing.assert_allclose(near[:5], far[:5], rtol=1e-13)


def test_logarithms_throughout_take_the_same_step_as_plain_numbers(monkeypatch) -> None:
    problem, _, _ = dilated()
    for debiased in (True, False):
        scheme = EntropicJKO(cells=48, debiased=debiased)
        plain = stepped(problem, scheme, 9.6e-5).final.values
        with monkeypatch.context() as patch:
            patch.setattr(GaussianKernel, "log_apply", lambda self, values, needed: self.log_lines(values))
            careful = stepped(problem, scheme, 9.6e-5).final.values
        np.testing.assert_allclose(careful, plain, rtol=1e-9, atol=1e-9 * plain.max())


def test_a_large_ratio_of_dt_to_epsilon_finds_what_underflows() -> None:
    """dt U' / epsilon = 740: plain numbers alone lose the edges of the profile (L1 4.6e-4)."""
    start = wgf.Barenblatt(dimension=1, m=2, t0=1.0)
    problem = wgf.Problem(wgf.internal(2), initial=start, bounds=(-4, 4))
    scale = closed_forms.barenblatt_flow(2, 1, 0.25, 1)[1]
    exact = wgf.Barenblatt(dimension=1, m=2, t0=closed_forms.profile_time(float(scale), 2, 1))
    scheme = EntropicJKO(cells=512, epsilon=(8 / 512) ** 2)
    assert wgf.distance(stepped(problem, scheme, 0.25).final, exact, "l1") < 2e-5


def test_the_self_scaling_reproduces_its_density() -> None:
    grid = wgf.Grid([(0.0, 1.0), (0.0, 1.0)], 32)
    kernel = GaussianKernel(grid, 2 / 32**2)
    rho = np.random.default_rng(0).random(grid.cells) * (grid.centers.sum(-1) < 1.2)
    with np.errstate(divide="ignore"):
        log_rho = np.log(rho)
    d = self_scaling(kernel, log_rho, 0.5 * log_rho)
    filled = rho > 0
    found = (d + kernel.log_apply(d, filled))[filled]
    np.testing.assert_allclose(np.exp(found), rho[filled], rtol=1e-9, atol=1e-13)


def test_the_plan_has_all_mass_long_before_it_converges() -> None:
    """So the scheme's last touch on the mass is a matter of rounding, not of convergence."""
    grid = wgf.Grid([(0.0, 1.0), (0.0, 1.0)], 32)
    kernel = GaussianKernel(grid, 2 / 32**2)
    log_mu = np.log(np.random.default_rng(0).random(grid.cells))
    prox = Proximal(InternalEnergy.of(wgf.internal(2)), np.sin(9 * grid.centers).sum(-1), 5.0)
    own = self_scaling(kernel, log_mu, 0.5 * log_mu)
    masses = []
    for tol in (0.3, 1e-3, 1e-9):
        found = scale(kernel, log_mu, prox, (own, own), True, True, 1.3, tol, 500)
        masses.append(np.exp(found.rho).sum() / np.exp(log_mu).sum())
        assert found.residual <= tol
    np.testing.assert_allclose(masses, 1.0, rtol=2e-14)
