"""The manufactured sources against computer algebra, and what a solution needs at the walls."""

from __future__ import annotations

import numpy as np
import pytest
import sympy

from validation.orders.manufactured_cases import BOUNDARIES, linear_cases, nonlinear_cases
from validation.orders.manufactured_waves import Waves, constant, cosine, sine, wave

CASES = [
    case
    for d in (1, 2)
    for boundary in BOUNDARIES
    for case in (*linear_cases(d, boundary), *nonlinear_cases(d, boundary))
]
NAMES = [f"{case.term}, {case.dimension}-D, {case.boundary}" for case in CASES]
X, T = sympy.symbols("x0 x1", real=True), sympy.Symbol("t", real=True)
RNG = np.random.default_rng(0)


def symbolic(f: Waves) -> sympy.Expr:
    """The real expression of a field, wave by wave."""
    total = sympy.Integer(0)
    for k, c in f.coefficients.items():
        phase = sum((sympy.pi * n * x for n, x in zip(k[:-1], X, strict=False)), k[-1] * T)
        total += sympy.Float(c.real, 17) * sympy.cos(phase) - sympy.Float(c.imag, 17) * sympy.sin(phase)
    return total


def source(case) -> sympy.Expr:
    """s from the equation as the book writes it, the pressure in the form rho grad U'(rho)."""
    d = case.dimension
    axes = X[:d]
    rho = symbolic(case.rho)
    V = symbolic(case.potential) if case.potential is not None else sympy.Integer(0)
    W = symbolic(case.rho.convolved(case.kernel)) if case.kernel is not None else sympy.Integer(0)
    M = (
        sympy.eye(d)
        if case.mobility is None
        else sympy.Matrix(d, d, lambda i, j: symbolic(case.mobility[i][j]))
    )
    b = sympy.zeros(d, 1) if case.drift is None else sympy.Matrix([symbolic(f) for f in case.drift])
    result = sympy.diff(rho, T)
    for i in range(d):
        flux = -rho * b[i]
        for j in range(d):
            if case.form == "ito":
                flux += sympy.diff(case.diffusion * M[i, j] * rho, axes[j])
            else:
                flux += case.diffusion * M[i, j] * sympy.diff(rho, axes[j])
            flux += M[i, j] * rho * sympy.diff(V + W, axes[j])
        for c, m in case.powers:
            flux += rho * sympy.diff(c * sympy.Rational(m, m - 1) * rho ** (m - 1), axes[i])
        result -= sympy.diff(flux, axes[i])
    return result


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_the_source_is_that_of_computer_algebra(case):
    x, t = RNG.random((20, case.dimension)), 0.37
    expected = sympy.lambdify((*X[: case.dimension], T), source(case), "numpy")(*x.T, t)
    scale = np.abs(expected).max()
    assert scale > 0.1
    np.testing.assert_allclose(case.source(x, t), expected, rtol=0, atol=1e-12 * scale)


@pytest.mark.parametrize("case", [c for c in CASES if c.kernel is not None])
def test_the_convolution_is_the_integral_over_the_box(case):
    """Equally spaced points integrate these waves exactly over their period."""
    line = np.arange(24) / 24
    y = np.stack(np.meshgrid(*[line] * case.dimension, indexing="ij"), -1).reshape(-1, case.dimension)
    x = RNG.random((5, case.dimension))
    expected = np.mean(case.kernel(x[:, None, :] - y) * case.rho(y, 0.37), axis=1)
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(case.rho.convolved(case.kernel)(x, 0.37), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("case", [c for c in CASES if c.boundary == "noflux"])
def test_no_flux_leads_through_the_walls(case):
    """The normal component on every face; inside it is far from zero."""
    for axis in range(case.dimension):
        x = RNG.random((40, case.dimension))
        inside = np.abs(case.flux[axis](x, 0.37)).max()
        for wall in (0.0, 1.0):
            x[:, axis] = wall
            assert np.abs(case.flux[axis](x, 0.37)).max() < 1e-12 * inside


@pytest.mark.parametrize("case", [c for c in CASES if c.boundary == "periodic"])
def test_periodic_fields_have_period_one(case):
    x = RNG.random((10, case.dimension))
    for f in (case.rho, case.source, case.potential, *(case.drift or ())):
        if f is not None:
            np.testing.assert_allclose(f(x + 1.0, 0.37), f(x, 0.37), rtol=0, atol=1e-11)


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_densities_are_positive_and_mobilities_positive_definite(case):
    x = RNG.random((400, case.dimension))
    assert min(case.rho(x, t).min() for t in np.linspace(0, 0.5, 6)) > 0.3
    if case.mobility is not None:
        M = np.array([[f(x) for f in row] for row in case.mobility])
        assert np.linalg.eigvalsh(np.moveaxis(M, -1, 0)).min() > 0.2


def test_waves_obey_the_rules_of_calculus():
    """Products, derivatives and powers against finite differences of values."""
    f = 1.0 + 0.3 * cosine(0, 1, 2) * sine(1, 2, 2) * cosine(2, 3, 2)
    g = wave(2, -1, 1, phase=0.7) - 0.4
    x, t, h = RNG.random((8, 2)), 0.3, 1e-5
    np.testing.assert_allclose((f * g**3)(x, t), f(x, t) * g(x, t) ** 3, rtol=0, atol=1e-12)
    for axis in range(2):
        step = h * np.eye(2)[axis]
        slope = (f(x + step, t) - f(x - step, t)) / (2 * h)
        np.testing.assert_allclose(f.along(axis)(x, t), slope, rtol=0, atol=1e-8)
    np.testing.assert_allclose(f.rate(x, t), (f(x, t + h) - f(x, t - h)) / (2 * h), rtol=0, atol=1e-8)


def test_averages_over_cells_are_those_of_quadrature():
    f = 1.0 + 0.3 * wave(2, 3, 1, phase=0.7)
    fine = f.averages(600, 0.3).reshape(6, 100, 6, 100).mean((1, 3))
    np.testing.assert_allclose(f.averages(6, 0.3), fine, rtol=0, atol=1e-14)
    x = np.stack(np.meshgrid(*[(np.arange(600) + 0.5) / 600] * 2, indexing="ij"), -1)
    np.testing.assert_allclose(f.averages(600, 0.3), f(x, 0.3), rtol=0, atol=2e-5)


def test_waves_of_another_period_are_not_convolved():
    with pytest.raises(ValueError, match="period 1"):
        cosine(0, 1, 1).convolved(cosine(0, 2, 1))
    np.testing.assert_allclose(constant(2.0, 1).convolved(constant(3.0, 1))(np.zeros((1, 1))), 6.0)
