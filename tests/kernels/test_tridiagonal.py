"""Tridiagonal sweeps: every form against the reference, the reference against dense linear algebra."""

from __future__ import annotations

import numpy as np
import pytest

from wgf.kernels.registry import jit_disabled
from wgf.kernels.scharfetter_gummel import bernoulli, sg_factors
from wgf.kernels.tridiagonal import AHEAD, STAGE, euler_sweep, tr_bdf2_sweep

compiled = pytest.mark.skipif(jit_disabled(), reason="numba is switched off: only the reference runs")
KERNELS = (euler_sweep, tr_bdf2_sweep)
# one line; fewer lines than lanes; ragged blocks; blocks that straddle the outer axis; the smallest axes
SHAPES = ((7,), (2,), (5, 3), (24, 17), (17, 33), (32, 48), (4, 18, 20), (3, 2, 5), (2, 2))
STRENGTH, TEMPERATURE = 0.7, 0.5


def data(shape, steepness=3.0, seed=0):
    rng = np.random.default_rng(seed)
    return steepness * rng.normal(size=shape), rng.random(shape)


def dense(potential, periodic):
    """G h^2/D of one line as a full matrix."""
    n = len(potential)
    matrix = np.zeros((n, n))
    for i in range(n if periodic else n - 1):
        j = (i + 1) % n
        up, down = bernoulli(np.array((potential[j] - potential[i]) / TEMPERATURE))
        matrix[j, i] += up
        matrix[i, i] -= up
        matrix[i, j] += down
        matrix[j, j] -= down
    return matrix


def dense_step(kernel, matrix, rho):
    one = np.eye(len(rho))
    if kernel is euler_sweep:
        return np.linalg.solve(one - STRENGTH * matrix, rho)
    stage = np.linalg.solve(one - STRENGTH * matrix, rho + STRENGTH * matrix @ rho)
    return np.linalg.solve(one - STRENGTH * matrix, AHEAD * stage + (1 - AHEAD) * rho)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
@pytest.mark.parametrize("shape", [(7,), (2,), (12, 5), (3, 6, 4)])
def test_reference_solves_the_implicit_equations_of_dense_linear_algebra(kernel, shape, periodic):
    potential, rho = data(shape)
    for axis in range(len(shape)):
        factors = sg_factors.reference(potential, STRENGTH, TEMPERATURE, axis, periodic)
        result = np.empty(shape)
        kernel.reference(rho, result, np.empty(0), factors, axis, periodic)
        lines = (np.moveaxis(a, axis, 0).reshape(shape[axis], -1).T for a in (potential, rho, result))
        for v, before, after in zip(*lines, strict=True):
            np.testing.assert_allclose(
                after, dense_step(kernel, dense(v, periodic), before), rtol=1e-11, atol=1e-13
            )


@compiled
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
@pytest.mark.parametrize("shape", SHAPES)
def test_compiled_sweep_equals_the_reference(kernel, shape, periodic):
    potential, rho = data(shape)
    for axis in range(len(shape)):
        factors = sg_factors.reference(potential, STRENGTH, TEMPERATURE, axis, periodic)
        answers = []
        for form in (kernel.reference, kernel.load(kernel.cpu)):
            result, flux = np.empty(shape), np.ones(shape)
            least = form(rho, result, flux, factors, axis, periodic)
            assert least == result.min()
            answers.append((result, flux))
        for reference, compiled in zip(*answers, strict=True):
            np.testing.assert_allclose(compiled, reference, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
@pytest.mark.parametrize("form", ["reference", pytest.param("compiled", marks=compiled)])
def test_sweep_in_place_gives_the_same_bits(kernel, form, periodic):
    potential, rho = data((20, 37))
    run = kernel.reference if form == "reference" else kernel.load(kernel.cpu)
    for axis in (0, 1):
        factors = sg_factors(potential, STRENGTH, TEMPERATURE, axis, periodic)
        apart, same = np.empty_like(rho), rho.copy()
        run(rho, apart, np.empty(0), factors, axis, periodic)
        run(same, same, np.empty(0), factors, axis, periodic)
        np.testing.assert_array_equal(same, apart)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_reported_flux_is_what_changed_the_cells(kernel, periodic):
    potential, rho = data((9, 40))
    for axis in (0, 1):
        factors = sg_factors(potential, STRENGTH, TEMPERATURE, axis, periodic)
        result, flux = np.empty_like(rho), np.zeros_like(rho)
        kernel(rho, result, flux, factors, axis, periodic)
        np.testing.assert_allclose(result, rho - flux + np.roll(flux, 1, axis), rtol=1e-13, atol=1e-15)
        if not periodic:
            assert np.all(np.take(flux, -1, axis) == 0)


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_a_line_gives_the_same_result_alone_and_among_others(kernel):
    potential, rho = data((30, 19))
    together, alone = np.empty_like(rho), np.empty(30)
    kernel(rho, together, np.empty(0), sg_factors(potential, STRENGTH, TEMPERATURE, 0, False), 0, False)
    column = np.ascontiguousarray(potential[:, 18]), np.ascontiguousarray(rho[:, 18])
    kernel(column[1], alone, np.empty(0), sg_factors(column[0], STRENGTH, TEMPERATURE, 0, False), 0, False)
    np.testing.assert_allclose(alone, together[:, 18], rtol=1e-13, atol=1e-16)


@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_a_uniform_density_without_potential_does_not_move_by_a_bit(kernel, periodic):
    rho = np.full((50, 20), 0.3)
    for axis in (0, 1):
        factors = sg_factors(np.zeros(rho.shape), 1e5 / 3, 1.0, axis, periodic)
        result = np.empty_like(rho)
        kernel(rho, result, np.empty(0), factors, axis, periodic)
        np.testing.assert_array_equal(result, rho)


@compiled
@pytest.mark.parametrize("periodic", [False, True])
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
def test_mass_holds_to_rounding_on_a_long_stiff_line(kernel, periodic):
    rng = np.random.default_rng(5)
    potential, rho = np.cumsum(rng.normal(size=100_000)) * 0.1, rng.random(100_000)
    factors = sg_factors(potential, 1e7, 1.0, 0, periodic)
    result = np.empty_like(rho)
    kernel(rho, result, np.empty(0), factors, 0, periodic)
    assert abs(result.sum() / rho.sum() - 1) < 1e-14
    assert np.abs(result / rho - 1).max() > 0.1


@pytest.mark.parametrize("form", ["reference", pytest.param("compiled", marks=compiled)])
def test_subnormal_results_are_stored_as_zero(form):
    rho = np.zeros(400)
    rho[0] = 1.0
    run = euler_sweep.reference if form == "reference" else euler_sweep.load(euler_sweep.cpu)
    result = np.empty_like(rho)
    least = run(rho, result, np.empty(0), sg_factors(np.zeros(400), 1e-2, 1.0, 0, False), 0, False)
    positive = result[result > 0]
    assert least == 0.0
    assert positive.min() >= np.finfo(float).tiny
    assert 100 < len(positive) < 200


def test_two_threads_give_the_same_bits_as_one():
    numba = pytest.importorskip("numba")
    potential, rho = data((64, 50))
    factors = sg_factors(potential, STRENGTH, TEMPERATURE, 1, False)
    results = []
    most = numba.get_num_threads()
    for threads in (1, min(2, most)):
        numba.set_num_threads(threads)
        result = np.empty_like(rho)
        tr_bdf2_sweep(rho, result, np.empty(0), factors, 1, False)
        results.append(result)
    numba.set_num_threads(most)
    np.testing.assert_array_equal(*results)


def test_the_stage_of_tr_bdf2_is_the_one_that_makes_it_second_order_and_damping():
    # R(z) = (1 + (1 - 2a) z)/(1 - a z)^2 agrees with e^z through z^2 and vanishes at -infinity.
    z = 1e-3
    stability = (1 + (1 - 2 * STAGE) * z) / (1 - STAGE * z) ** 2
    assert abs(stability - np.exp(z)) < 1e-9 * 0.1
    stage = (1 + STAGE * z) / (1 - STAGE * z)
    assert abs((AHEAD * stage + 1 - AHEAD) / (1 - STAGE * z) - stability) < 1e-15
