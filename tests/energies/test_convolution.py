"""W * rho by FFT against the double sum, and the facts that energy and momentum identities rest on."""

from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import wgf
from wgf.energies.convolution import Convolution
from wgf.energies.kernels import Newtonian, PowerLaw


def skew(z):
    """Even, but not in each component alone."""
    return np.cos(z.sum(-1)) * np.exp(-((z**2) @ np.arange(1.0, 1 + z.shape[-1])))


def double_sum(W, grid, rho):
    """volume * sum_j W(x_i - x_j) rho_j; on a periodic axis the nearest image, both if two are as near."""
    index = np.stack(np.meshgrid(*map(np.arange, grid.cells), indexing="ij"), -1).reshape(-1, grid.dimension)
    cells = np.array(grid.cells)
    periodic = np.array([kind == "periodic" for kind in grid.boundary])

    def nearest(k):
        k = np.where(periodic, k % cells, k)
        return np.where(periodic & (k > cells // 2), k - cells, k) * grid.spacing

    k = index[:, None] - index[None]
    matrix = 0.5 * (W(nearest(k)) + W(nearest(-k)))
    return (grid.volume * matrix @ rho.ravel()).reshape(rho.shape)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_the_transform_is_the_double_sum_on_every_grid(data):
    d = data.draw(st.integers(1, 3))
    cells = tuple(data.draw(st.integers(2, {1: 40, 2: 9, 3: 5}[d])) for _ in range(d))
    boundary = tuple(data.draw(st.sampled_from(("noflux", "periodic"))) for _ in range(d))
    grid = wgf.Grid([(0.0, 1.0 + k) for k in range(d)], cells, boundary)
    rho = np.random.default_rng(data.draw(st.integers(0, 2**32))).random(cells)
    found = Convolution(skew, grid)(rho)
    assert_allclose(found, double_sum(skew, grid, rho), rtol=0, atol=1e-14 * rho.sum() * grid.volume + 1e-15)


@functools.cache
def plans(cells, boundary):
    grid = wgf.Grid([(0.0, 1.0)] * len(cells), cells, boundary)
    kernels = (skew, Newtonian(len(cells), strength=-1.0), PowerLaw(4, -0.5))
    return [Convolution(W, grid) for W in kernels]


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from([(300,), (9, 8), (4, 5, 3)]),
    st.sampled_from(["noflux", "periodic"]),
)
def test_the_operator_is_symmetric(seed, cells, boundary):
    """<sigma, W * rho> = <rho, W * sigma>: without it neither energy nor momentum identities hold."""
    rng = np.random.default_rng(seed)
    rho, sigma = rng.random(cells), rng.random(cells)
    for K in plans(cells, boundary):
        one, other = np.sum(sigma * K(rho)), np.sum(rho * K(sigma))
        assert abs(one - other) <= 1e-13 * np.sum(sigma * np.abs(K(rho)))


def test_mass_does_not_come_round_a_no_flux_box_and_does_round_a_periodic_one():
    rho = np.zeros(400)
    rho[0] = 400.0  # mass 1 in the first cell of [0, 1]

    def narrow(z):
        return np.exp(-200 * (z**2).sum(-1))

    closed = Convolution(narrow, wgf.Grid((0.0, 1.0), 400))(rho)
    ring = Convolution(narrow, wgf.Grid((0.0, 1.0), 400, "periodic"))(rho)
    assert abs(closed[-1]) < 1e-14
    assert_allclose(ring[-1], narrow(np.array([1 / 400])), rtol=1e-12)


@pytest.mark.parametrize(("W", "d", "order"), [(Newtonian(2), 2, 2.0), (PowerLaw(2, -0.5), 1, 0.5)], ids=repr)
def test_a_singular_kernel_converges(W, d, order):
    """The energy of a Gaussian against quadrature: order 2, or d - a for |z|^-a with a > d - 2."""
    gaussian = wgf.Gaussian(np.zeros(d), 0.09)
    if (
        d == 2
    ):  # half of E(-log|X - Y|)/(2 pi), X - Y normal with variance s^2: E log|Z| = (log 2 s^2 - gamma)/2
        exact = -0.25 * (np.log(4 * 0.09) - np.euler_gamma) / (2 * np.pi)
    else:  # E|Z|^p = (2 s^2)^(p/2) Gamma((p+1)/2)/sqrt(pi) with s^2 = 0.18
        from scipy.special import gamma

        def moment(p):
            return 0.36 ** (p / 2) * gamma((p + 1) / 2) / np.sqrt(np.pi)

        exact = 0.5 * (moment(2.0) / 2 - moment(-0.5) / -0.5)
    errors = []
    for cells in (16, 32, 64, 128):
        density = wgf.Density.from_measure(gaussian, wgf.Grid([(-2.0, 2.0)] * d, cells))
        errors.append(abs(wgf.interaction(W).value(density) - exact))
    observed = np.log2(np.array(errors[:-1]) / errors[1:])
    assert observed[-1] > order - 0.1
    assert errors[-1] < (1e-3 if d == 2 else 2e-2) * abs(exact)


def test_the_transform_of_a_kernel_is_computed_once_per_grid_and_does_not_travel():
    calls = []

    def counted(z):
        calls.append(z.shape)
        return np.exp(-(z**2).sum(-1))

    term = wgf.interaction(counted).interactions[0][1]
    density = wgf.Density(wgf.Grid((0.0, 1.0), 300), np.ones(300))
    first = term.convolve(density)
    before = len(calls)
    np.testing.assert_array_equal(term.convolve(density), first)
    assert len(calls) == before
    assert "_plans" in term.__dict__
    assert "_plans" not in copy.deepcopy(wgf.interaction(Newtonian(1)).interactions[0][1]).__dict__
    named = wgf.interaction(Newtonian(1)).interactions[0][1]
    named.convolve(density)
    assert "_plans" not in pickle.loads(pickle.dumps(named)).__dict__


def test_the_stiffness_of_the_green_function_is_its_strength():
    """-Laplace W = strength * delta: the symbol is the strength at every scale, up to the grid's own."""
    for cells in (16, 32):
        plan = Convolution(Newtonian(2, strength=3.0), wgf.Grid([(0.0, 1.0)] * 2, cells))
        assert 3.0 <= plan.steepest <= 1.5 * 3.0
    assert Convolution(lambda z: -np.exp(-50 * (z**2).sum(-1)), wgf.Grid((0.0, 4.0), 64)).steepest < 1e-6
