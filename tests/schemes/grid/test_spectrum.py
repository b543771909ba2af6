"""Eigenvalues of the generator: known spectra, order two, and the rate at which a run forgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import wgf
from wgf.errors import SchemeError
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.fokker_planck.bonds import face_bonds
from wgf.schemes.grid.rates import face_rates
from wgf.schemes.grid.spectrum import spectrum

SKEWED = np.array([[1.5, 0.5], [0.5, 1.0]])


def well(x):
    return ((x**2 - 1) ** 2).sum(-1)


def problem_of(V, D=1.0, bounds=(-4.0, 4.0), boundary="noflux"):
    d = 1 if np.ndim(bounds) == 1 else len(bounds)
    middle = np.atleast_2d(bounds).mean(1)
    energy = D * wgf.entropy() if V is None else D * wgf.entropy() + wgf.potential(V)
    return wgf.Problem(
        energy, initial=wgf.Gaussian(middle, 0.02 * np.ones(d)), bounds=bounds, boundary=boundary
    )


def quadratic(A):
    return lambda x: 0.5 * ((x @ A) * x).sum(-1)


@pytest.mark.parametrize(("D", "gap"), [(1.0, 0.748681672), (0.5, 0.2272733010), (0.25, 0.0297795933)])
def test_gaps_of_the_double_well_to_second_order(D, gap):
    errors = [spectrum(problem_of(well, D), n, 2).gap - gap for n in (200, 400, 800)]
    assert abs(errors[-1]) < 1e-5 * gap / D**2
    assert_allclose(np.log2(np.array(errors[:-1]) / errors[1:]), 2, rtol=0, atol=0.02)
    extrapolated = (4 * errors[-1] - errors[-2]) / 3
    assert abs(extrapolated) < 2e-8  # and so 2e-5 of a wrong gap would show: the control
    assert abs(extrapolated + 1e-3 * gap) > 2e-5


def test_higher_rates_of_the_double_well():
    coarse, fine = (spectrum(problem_of(well), n, 4).rates for n in (800, 1600))
    assert_allclose(((4 * fine - coarse) / 3)[2:], [6.004, 11.660], rtol=0, atol=2e-3)


def test_an_exponentially_small_gap_keeps_its_digits():
    """Kramers' rate at D = 0.03 is 6e-15, a part in 1e19 of the largest rate of the generator."""
    gaps = [spectrum(problem_of(well, 0.03), n, 2).gap for n in (500, 1000, 2000)]
    kramers = np.sqrt(32.0) / np.pi * np.exp(-1 / 0.03)
    assert_allclose(gaps[-1], kramers, rtol=0.05)
    assert_allclose((gaps[0] - gaps[1]) / (gaps[1] - gaps[2]), 4, rtol=0.1)


@pytest.mark.parametrize(
    ("A", "bounds", "cells"),
    [
        (np.array([[1.7]]), (-7.0, 7.0), (100, 200)),
        (SKEWED, ((-6.0, 6.0),) * 2, (50, 100)),
        (np.diag([1.0, 1.6, 2.5]), ((-5.0, 5.0),) * 3, (13, 26)),
    ],
)
def test_rates_of_an_ornstein_uhlenbeck_process_are_all_sums_of_eigenvalues(A, bounds, cells):
    own = np.linalg.eigvalsh(A)
    counts = np.stack(np.meshgrid(*[np.arange(9)] * len(A)), axis=-1)
    exact = np.sort((counts * own).sum(-1).ravel())[:7]
    coarse, fine = (spectrum(problem_of(quadratic(A), 0.8, bounds), n, 7).rates for n in cells)
    assert_allclose(fine, exact, rtol=0.02 if len(A) < 3 else 0.3, atol=0)
    extrapolated = (4 * fine - coarse) / 3
    assert_allclose(extrapolated, exact, rtol=2e-3 if len(A) < 3 else 0.05, atol=0)
    assert (np.abs(extrapolated - exact) <= 0.35 * np.abs(fine - exact)).all()  # order 2, not 1


def test_heat_on_circles_and_boxes():
    circle = spectrum(problem_of(None, 1.0, (0.0, 1.0), "periodic"), 200, 5)
    assert_allclose(circle.rates, (2 * np.pi) ** 2 * np.array([0, 1, 1, 4, 4]), rtol=4e-4, atol=0)
    n, k = 40, np.arange(4)
    box = spectrum(problem_of(None, 1.0, ((0.0, 1.0), (0.0, 2.0))), n, 4)
    line = 4 * n**2 * np.sin(np.pi * k / (2 * n)) ** 2  # of the discrete cosine transform, exactly
    exact = np.sort((line[:, None] + line / 4).ravel())[:4]
    assert_allclose(box.rates, exact, rtol=1e-9, atol=1e-9)


def test_a_rate_that_is_wrong_by_a_thousandth_is_noticed():
    found = spectrum(problem_of(None, 1.001, (0.0, 1.0), "periodic"), 1000, 3).rates
    assert (np.abs(found[1:] / (2 * np.pi) ** 2 - 1) > 5e-4).all()


@st.composite
def situations(draw):
    d = draw(st.integers(1, 2))
    cells = tuple(draw(st.integers(4, {1: 30, 2: 8}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(("noflux", "periodic"))) for _ in range(d))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    table = draw(st.floats(0.1, 4.0)) * rng.normal(size=cells)
    bounds = ((0.0, draw(st.floats(0.5, 4.0))),) * d
    grid = wgf.Grid(bounds, cells, boundary)

    def V(x):
        return table[grid.indices(x)[0]]

    return problem_of(V, draw(st.floats(0.2, 3.0)), bounds, boundary), cells, grid, table


@settings(max_examples=100, deadline=None)
@given(situations())
def test_eigenfunctions_are_those_of_the_generator_orthonormal_and_real(situation):
    problem, cells, grid, table = situation
    found = spectrum(problem, cells, 4)
    D = problem.energy.diffusion
    G = face_bonds(face_rates(table, grid, D), grid).generator(grid.size).toarray()
    scale = np.abs(G).max()
    root = np.sqrt(found.equilibrium.values * grid.volume)
    rounding = 1e-12 * scale  # of the symmetrised modes sqrt(pi) g
    for rate, left, right in zip(found.rates, found.functions, found.densities, strict=True):
        for gap, weight in ((G @ right.ravel() + rate * right.ravel(), grid.volume / root.max()),
                            (left.ravel() @ G + rate * left.ravel(), root.min())):  # fmt: skip
            assert np.abs(gap).max() * weight <= rounding
    pairs = found.functions.reshape(4, -1) @ found.densities.reshape(4, -1).T
    assert_allclose(pairs * grid.volume, np.eye(4), rtol=0, atol=1e-9)
    assert_allclose(found.functions[0], 1.0, rtol=1e-12)
    assert_allclose(found.equilibrium.mass, 1.0, rtol=1e-12)
    assert found.rates[0] == 0.0
    assert (np.diff(found.rates) >= -1e-11 * scale).all()
    spectrum_of_G = np.sort(np.linalg.eigvals(-G).real)[:4]
    assert_allclose(found.rates, spectrum_of_G, rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("cells", [24, 40])
def test_an_obstacle_holds_no_mass_and_two_chambers_have_no_gap(cells):
    """A wall through the middle; with a door in it the gap is small and positive. Dense and sparse."""

    def walled(door):
        def V(x):
            wall = (np.abs(x[..., 0]) < 0.15) & (np.abs(x[..., 1]) > door)
            return np.where(wall, np.inf, 0.2 * (x**2).sum(-1))

        return problem_of(V, 1.0, ((-1.0, 1.0),) * 2)

    shut, ajar = (spectrum(walled(door), cells, 3) for door in (-1.0, 0.2))
    assert shut.gap < 1e-8 * shut.rates[2]
    assert 0.1 < ajar.gap < 0.6 * ajar.rates[2]
    inside = ajar.equilibrium.values == 0
    assert inside.any()
    assert (ajar.functions[:, inside] == 0).all()
    assert (ajar.densities[:, inside] == 0).all()


def test_cells_that_do_not_touch_all_have_the_rate_zero():
    """Every second cell is an obstacle: four islands, four rates 0, orthonormal modes none the less."""

    def V(x):
        return np.where(np.floor(8 * x[..., 0]) % 2 == 1, np.inf, x[..., 0])

    found = spectrum(problem_of(V, 1.0, (0.0, 1.0)), 8, 4)
    assert_allclose(found.rates, 0.0, rtol=0, atol=1e-12)
    pairs = found.functions @ found.densities.T * found.grid.volume
    assert_allclose(pairs, np.eye(4), rtol=0, atol=1e-12)


@pytest.mark.parametrize("D", [1.0, 0.5])
def test_a_run_forgets_at_the_rate_of_the_gap(D):
    """|rho/pi - 1| in L2(pi) over the last unit of time, against exp(-gap t), to one per cent."""
    problem = wgf.Problem(
        D * wgf.entropy() + wgf.potential(well), initial=wgf.Gaussian(-0.6, 0.05), bounds=(-3.0, 3.0)
    )
    found = spectrum(problem, 200, 2)
    run = wgf.solve(problem, FokkerPlanck(cells=200), t_end=4.0, dt=0.01, save_at=[3.0, 4.0])
    pi = found.equilibrium.values
    gaps = [np.sqrt((pi * (m.values / pi - 1) ** 2).sum()) for m in run.measures[-2:]]
    assert_allclose(np.log(gaps[0] / gaps[1]), found.gap, rtol=0.01)
    amplitude = [(m.values * found.functions[1]).sum() for m in run.measures[-2:]]
    assert_allclose(np.log(amplitude[0] / amplitude[1]), found.gap, rtol=1e-4)


def test_a_density_is_the_sum_of_its_modes():
    problem = problem_of(well, 1.0, (-2.5, 2.5))
    found = spectrum(problem, 60, 60)
    run = wgf.solve(problem, FokkerPlanck(cells=60, time="exponential"), t_end=0.1, dt=0.1)
    start = run.measures[0].values
    parts = (found.functions * start).sum(1) * found.grid.volume
    assert_allclose(
        (parts * np.exp(-0.1 * found.rates)) @ found.densities, run.final.values, rtol=0, atol=1e-10
    )


def test_what_has_no_spectrum_here_is_refused():
    initial = wgf.Gaussian(0, 1)
    with pytest.raises(SchemeError, match="it needs a box"):
        spectrum(wgf.Problem(wgf.entropy() + wgf.potential(well), initial=initial))
    with pytest.raises(SchemeError, match="it takes entropy, potential terms"):
        spectrum(wgf.Problem(wgf.internal(2), initial=initial, bounds=(-3, 3)))
    with pytest.raises(SchemeError, match="coefficient > 0"):
        spectrum(wgf.Problem(wgf.potential(well), initial=initial, bounds=(-3, 3)))
    with pytest.raises(ValueError, match="count must be at most the number of free cells, 10, got 11"):
        spectrum(problem_of(well), 10, 11)
