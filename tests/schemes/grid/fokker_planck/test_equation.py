"""What a problem's potential, mobility and drift become on faces and bonds."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.kernels.scharfetter_gummel import bernoulli
from wgf.schemes.grid.fokker_planck import equation
from wgf.schemes.grid.rates import face_rates

D = 0.7


def V(x):
    return np.cos(x).sum(axis=-1) + 0.3 * x.prod(axis=-1)


def problem(d=2, mobility=None, drift=None, potential=V, boundary="noflux", source=None):
    return wgf.Problem(
        D * wgf.entropy() + wgf.potential(potential),
        initial=wgf.Gaussian(np.full(d, 0.5), 0.05),
        bounds=((-0.5, 1.5), (0.0, 2.0), (0.0, 1.0))[:d],
        boundary=boundary,
        mobility=mobility,
        drift=drift,
        source=source,
    )


def variable(x):
    return 1.5 + np.sin(2 * x).sum(axis=-1) / 4


def diagonal(x):
    return np.stack([variable(x), 2 + np.cos(x[..., 0])], axis=-1)


def matrix(x):
    off = 0.4 * np.sin(x.sum(axis=-1))
    return np.stack([np.stack([variable(x), off], -1), np.stack([off, 2 + x[..., 0] ** 2], -1)], -2)


def rates_of(p, cells=6):
    return equation.faces(p, p.grid(cells))


def test_without_extensions_the_rates_are_those_of_the_potential():
    p = problem()
    grid = p.grid(6)
    for found, expected in zip(rates_of(p), face_rates(V(grid.centers), grid, D), strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_fick_mobility_multiplies_rates_by_the_harmonic_mean():
    p = problem(mobility=wgf.Mobility(diagonal, form="fick"))
    grid = p.grid(6)
    M = diagonal(grid.centers)
    plain = face_rates(V(grid.centers), grid, D)
    for axis, ((up, down), (one, other)) in enumerate(zip(rates_of(p), plain, strict=True)):
        values = np.moveaxis(M[..., axis], axis, 0)
        mean = np.moveaxis(2 * values[1:] * values[:-1] / (values[1:] + values[:-1]), 0, axis)
        np.testing.assert_allclose(up, mean * one, rtol=1e-14, atol=0)
        np.testing.assert_allclose(down, mean * other, rtol=1e-14, atol=0)


@pytest.mark.parametrize("M", [1.7, [2.0, 0.3], [[2.0, 0.0], [0.0, 0.3]]])
def test_constant_mobilities_multiply_the_rates_in_either_form(M):
    scale = np.array(M) * np.ones(2) if np.ndim(M) < 2 else np.diag(M)
    p = problem(mobility=wgf.Mobility(M, form="ito"))
    assert not equation.full_tensor(p)
    np.testing.assert_array_equal(equation.constant_mobility(p), scale)
    grid = p.grid(5)
    for m, found, expected in zip(scale, rates_of(p, 5), face_rates(V(grid.centers), grid, D), strict=True):
        np.testing.assert_allclose(found, m * np.array(expected), rtol=1e-14, atol=0)


def test_a_scalar_mobility_in_itos_form_rests_on_exp_minus_v_over_m():
    p = problem(mobility=wgf.Mobility(variable, form="ito"))
    x = p.grid(6).centers
    rest = np.exp(-V(x) / D) / variable(x)
    for axis, (up, down) in enumerate(rates_of(p)):
        moved = np.moveaxis(rest, axis, 0)
        up, down = np.moveaxis(up, axis, 0), np.moveaxis(down, axis, 0)
        np.testing.assert_allclose(up * moved[:-1], down * moved[1:], rtol=1e-13, atol=0)


def test_a_drift_enters_at_the_faces():
    b = lambda x: np.stack([x[..., 1] - x[..., 0], 2 * x[..., 0]], axis=-1)  # noqa: E731
    p = problem(drift=b, mobility=wgf.Mobility([2.0, 0.5]))
    grid = p.grid(6)
    (up, down), _ = rates_of(p)
    middle = 0.5 * (grid.centers[1:] + grid.centers[:-1])
    h, m = float(grid.spacing[0]), 2.0
    w = np.diff(V(grid.centers), axis=0) / D - b(middle)[..., 0] * h / (D * m)
    expected = D * m / h**2 * np.array(bernoulli(w))
    np.testing.assert_allclose(np.array([up, down]), expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", ["fick", "ito"])
def test_a_full_tensor_is_consistent_with_the_equation_in_both_forms(form):
    # rho = 1 on a fine periodic grid against derivatives of M and V by hand
    k = 2 * np.pi
    M = lambda x: np.stack(  # noqa: E731
        [
            np.stack([2 + np.cos(k * x[..., 1]), 0.5 * np.sin(k * x[..., 0])], -1),
            np.stack([0.5 * np.sin(k * x[..., 0]), 1.5 + 0.3 * np.sin(k * x[..., 1])], -1),
        ],
        -2,
    )
    errors = []
    for n in (16, 32, 64):
        p = wgf.Problem(
            D * wgf.entropy() + wgf.potential(lambda x: np.cos(k * x[..., 0]) / k),
            initial=wgf.Uniform(((0, 1), (0, 1))),
            bounds=((0, 1), (0, 1)),
            boundary="periodic",
            mobility=wgf.Mobility(M, form=form),
            drift=lambda x: np.stack([np.sin(k * x[..., 1]), np.sin(k * x[..., 1])], -1),
        )
        grid = p.grid(n)
        x, y = np.moveaxis(grid.centers, -1, 0)
        # div(M grad V), V_x = -sin: d_x(M11 V_x) + d_y(M12 V_x) = M11 V_xx; minus div b
        expected = -(2 + np.cos(k * y)) * k * np.cos(k * x) - k * np.cos(k * y)
        if form == "ito":  # D (d_xx M11 + 2 d_xy M12 + d_yy M22)
            expected += D * (-0.3 * k**2 * np.sin(k * y))
        bonds = equation.bonds(p, grid)
        found = bonds.inflow(bonds.fluxes(np.ones(grid.cells)), grid.cells)
        errors.append(np.abs(found - expected).mean())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 1.8)
    assert errors[-1] < 0.06


def test_which_problems_are_gradient_flows_of_their_energy():
    still = lambda x: np.zeros_like(x)  # noqa: E731
    assert problem().gradient_flow
    assert problem(mobility=wgf.Mobility(matrix, form="fick")).gradient_flow
    assert problem(mobility=wgf.Mobility(2.0, form="ito")).gradient_flow
    assert not problem(drift=still).gradient_flow
    assert not problem(source=lambda x: x[..., 0]).gradient_flow
    ito = problem(mobility=wgf.Mobility(variable, form="ito"), drift=still)
    assert equation.unbalanced(ito) == "a drift and a mobility in Ito's form"


def test_full_tensors_are_told_from_diagonals():
    assert equation.full_tensor(problem(mobility=wgf.Mobility([[2.0, 0.1], [0.1, 1.0]])))
    assert equation.full_tensor(problem(mobility=wgf.Mobility(matrix, form="fick")))
    assert not equation.full_tensor(problem(mobility=wgf.Mobility(diagonal, form="fick")))
    assert not equation.full_tensor(problem(1, mobility=wgf.Mobility(lambda x: 1 + x[..., None] ** 2, "ito")))


def test_on_the_line_a_matrix_a_vector_and_a_number_are_the_same_mobility():
    m = lambda x: 1 + x[..., 0] ** 2  # noqa: E731
    forms = (m, lambda x: m(x)[..., None], lambda x: m(x)[..., None, None])
    first, *others = (rates_of(problem(1, mobility=wgf.Mobility(f, form="fick")))[0] for f in forms)
    for other in others:
        np.testing.assert_array_equal(first, other)


def test_a_mobility_that_vanishes_and_a_drift_that_is_infinite_are_refused_by_name():
    zero = problem(mobility=wgf.Mobility(lambda x: (x[..., 0] > -0.46) + 0.0, form="fick"))
    with pytest.raises(ValueError, match="mobility must be positive"):
        rates_of(zero, 40)
    steep = problem(drift=lambda x: np.where(x > 1.95, np.inf, 0.0))
    with pytest.raises(ValueError, match="drift must be finite, got"):
        rates_of(steep, 40)


def test_the_largest_mobility_is_that_of_the_fastest_direction():
    assert equation.largest_mobility(problem()) == 1.0
    assert equation.largest_mobility(
        problem(mobility=wgf.Mobility([[2.0, 1.0], [1.0, 2.0]]))
    ) == pytest.approx(3)
    assert equation.largest_mobility(problem(mobility=wgf.Mobility([0.5, 4.0]))) == 4.0
