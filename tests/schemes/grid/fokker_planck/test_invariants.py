"""What every step of FokkerPlanck keeps, on random problems: mass, rest, positivity, order, symmetry."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.fokker_planck.scheme import TIMES, FokkerPlanckState

SAFE = ("backward-euler", "lie", "exponential")


class Waves:
    """V = sum over axes of waves, plus a coupling of all axes when asked for."""

    def __init__(self, seed, d, steepness, coupled, period):
        rng = np.random.default_rng(seed)
        self.a = steepness * rng.normal(size=(d, 3))
        self.c = rng.uniform(0, 2 * np.pi, size=(d, 3))
        self.coupling = steepness * rng.normal() * coupled
        self.k = 2 * np.pi * np.arange(1, 4) / np.asarray(period)[:, None]

    def __call__(self, x):
        waves = (self.a * np.cos(self.k * x[..., None] + self.c)).sum(axis=(-1, -2))
        return waves + self.coupling * np.cos(self.k[:, 0] * x).prod(axis=-1)


@st.composite
def problems(draw, times=TIMES, dimensions=(1, 2, 3)):
    """(scheme, problem, rho, dt): any dimension, boundary, D, steepness, sparse or full data."""
    time = draw(st.sampled_from(times))
    d = draw(st.sampled_from(dimensions))
    cells = tuple(draw(st.integers(2, {1: 64, 2: 14, 3: 6}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(("noflux", "periodic"))) for _ in range(d))
    lengths = [draw(st.floats(0.5, 4.0)) for _ in range(d)]
    diffusion = draw(st.sampled_from((1e-3, 0.1, 1.0, 10.0)))
    steepness = diffusion * draw(st.sampled_from((0.0, 0.1, 1.0, 10.0, 60.0)))
    seed = draw(st.integers(0, 2**32))
    V = Waves(seed, d, steepness, time != "exponential", lengths)
    problem = wgf.Problem(
        diffusion * wgf.entropy() + wgf.potential(V),
        initial=wgf.Gaussian(np.zeros(d), 1.0),
        bounds=tuple((0.0, length) for length in lengths),
        boundary=boundary,
    )
    dt = draw(st.sampled_from((1e-4, 1e-2, 0.3, 10.0)))
    rho = density(seed, cells, draw(st.booleans()))
    return FokkerPlanck(cells=cells, time=time), problem, rho, dt


def density(seed, cells, sparse):
    rng = np.random.default_rng(seed + 1)
    rho = rng.random(cells) * (rng.random(cells) < 0.3 if sparse else 1.0)
    rho.flat[seed % rho.size] += 1.0
    return rho


def stiffness(scheme, problem, dt):
    """dt D/h^2, the number rounding is measured by."""
    return dt * problem.energy.diffusion / problem.grid(scheme.cells).spacing.min() ** 2


def conditioning(scheme, problem, dt):
    """A bound on the condition number of I - dt G: its inverse is stochastic, so cond_1 = 1 + 2 dt max |G_ii|."""
    potential = problem.energy.potential_value(problem.grid(scheme.cells).centers)
    peclet = max(np.abs(np.diff(potential, axis=k)).max() for k in range(problem.dimension))
    return 1 + 4 * problem.dimension * stiffness(scheme, problem, dt) * (
        1 + peclet / problem.energy.diffusion
    )


def advance(scheme, problem, rho, dt):
    state, info = scheme.step(problem, FokkerPlanckState(rho), dt, None)
    return state.rho, info


@settings(max_examples=200, deadline=None)
@given(problems())
def test_mass_is_conserved_to_rounding(case):
    scheme, problem, rho, dt = case
    after = rho
    for _ in range(3):
        after, _ = advance(scheme, problem, after, dt)
    assert abs(after.sum() / rho.sum() - 1) <= 1e-14


@settings(max_examples=200, deadline=None)
@given(problems())
def test_the_gibbs_state_is_at_rest(case):
    scheme, problem, _, dt = case
    grid = problem.grid(scheme.cells)
    v = problem.energy.potential_value(grid.centers) / problem.energy.diffusion
    gibbs = np.exp(v.min() - v)
    after, info = advance(scheme, problem, gibbs, dt)
    assert info.accepted
    allowed = max(1e-12, 1e-15 * stiffness(scheme, problem, dt))
    visible = gibbs > 1e-290
    assert np.abs(after[visible] / gibbs[visible] - 1).max() <= allowed


@settings(max_examples=200, deadline=None)
@given(problems(times=SAFE))
def test_densities_stay_nonnegative_and_their_order_is_kept(case):
    scheme, problem, rho, dt = case
    larger = rho + density(7, rho.shape, True)
    after, info = advance(scheme, problem, rho, dt)
    above, _ = advance(scheme, problem, larger, dt)
    assert info.accepted
    assert after.min() >= 0
    assert (above - after).min() >= -1e-12 * above.max()


@settings(max_examples=200, deadline=None)
@given(problems(times=SAFE))
def test_the_distance_of_two_densities_does_not_grow(case):
    scheme, problem, rho, dt = case
    other = density(11, rho.shape, False)
    gap = np.abs(advance(scheme, problem, rho, dt)[0] - advance(scheme, problem, other, dt)[0]).sum()
    assert gap <= np.abs(rho - other).sum() + 1e-12 * (rho.sum() + other.sum())


@settings(max_examples=200, deadline=None)
@given(problems(times=SAFE))
def test_the_energy_never_rises(case):
    scheme, problem, rho, dt = case
    grid = problem.grid(scheme.cells)
    rho = rho / (rho.sum() * grid.volume)
    after, _ = advance(scheme, problem, rho, dt)
    before = problem.energy.value(wgf.Density(grid, rho))
    scale = (
        abs(before) + np.abs(problem.energy.potential_value(grid.centers)).max() + problem.energy.diffusion
    )
    assert problem.energy.value(wgf.Density(grid, after)) <= before + 1e-11 * scale


@settings(max_examples=200, deadline=None)
@given(problems())
def test_no_way_to_step_leaves_a_cell_negative_beyond_rounding(case):
    scheme, problem, rho, dt = case
    after, info = advance(scheme, problem, rho, dt)
    assert after.min() >= -1e-13 * after.max()
    assert info.substeps == (1 if info.accepted else 2)


@settings(max_examples=200, deadline=None)
@given(problems(dimensions=(1, 2)))
def test_mirrored_data_give_the_mirrored_result(case):
    scheme, problem, rho, dt = case
    lengths = np.array(problem.bounds)[:, 1]
    (_, term) = problem.energy.potentials[0]
    mirrored = wgf.Problem(
        problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: term.V(lengths - x)),
        initial=problem.initial,
        bounds=problem.bounds,
        boundary=problem.boundary,
    )
    after, info = advance(scheme, problem, rho, dt)
    image, image_info = advance(scheme, mirrored, np.ascontiguousarray(np.flip(rho)), dt)
    if info.accepted == image_info.accepted:  # at the very threshold rounding may decide
        # V itself is mirrored only up to rounding, which the exponent V/D and dt D/h^2 magnify
        tolerance = 1e-11 * max(1.0, 1e-3 * stiffness(scheme, problem, dt))
        np.testing.assert_allclose(np.flip(image), after, rtol=0, atol=tolerance * after.max())


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(TIMES),
    st.integers(2, 40),
    st.integers(0, 39),
    st.integers(0, 2**32),
    st.sampled_from((0.001, 0.1, 10)),
)
def test_a_periodic_flow_commutes_with_translations(time, n, shift, seed, dt):
    values = np.random.default_rng(seed).normal(size=n)

    def problem(moved):
        table = np.roll(values, moved)
        V = lambda x: table[np.clip((x[..., 0] * n).astype(int), 0, n - 1)]  # noqa: E731
        energy = wgf.entropy() + wgf.potential(V)
        return wgf.Problem(energy, initial=wgf.Gaussian(0.5, 1.0), bounds=(0, 1), boundary="periodic")

    rho, scheme = density(seed, (n,), False), FokkerPlanck(cells=n, time=time)
    still, info = advance(scheme, problem(0), rho, dt)
    moved, moved_info = advance(scheme, problem(shift), np.roll(rho, shift), dt)
    if info.accepted == moved_info.accepted:
        np.testing.assert_allclose(np.roll(moved, -shift), still, rtol=0, atol=1e-12 * still.max())


@settings(max_examples=200, deadline=None)
@given(problems(times=("backward-euler", "exponential"), dimensions=(2, 3)))
def test_unsplit_schemes_do_not_know_the_order_of_the_axes(case):
    scheme, problem, rho, dt = case
    (_, term) = problem.energy.potentials[0]
    turned = wgf.Problem(
        problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: term.V(x[..., ::-1])),
        initial=problem.initial,
        bounds=problem.bounds[::-1],
        boundary=problem.boundary[::-1],
    )
    after, _ = advance(scheme, problem, rho, dt)
    other = FokkerPlanck(cells=scheme.cells[::-1], time=scheme.time)
    result, _ = advance(other, turned, np.ascontiguousarray(rho.T), dt)
    tolerance = 16 * np.finfo(float).eps * conditioning(scheme, problem, dt)
    np.testing.assert_allclose(result.T, after, rtol=0, atol=tolerance * after.max())


@pytest.mark.parametrize("time", ["backward-euler", "lie", "tr-bdf2", "strang"])
def test_one_dimension_has_nothing_to_split(time):
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: np.cos(x[..., 0])),
        initial=wgf.Gaussian(1.5, 0.2),
        bounds=(0, 3),
    )
    twin = {"backward-euler": "lie", "lie": "backward-euler", "tr-bdf2": "strang", "strang": "tr-bdf2"}[time]
    rho = density(3, (40,), False)
    np.testing.assert_array_equal(
        advance(FokkerPlanck(cells=40, time=time), problem, rho, 0.1)[0],
        advance(FokkerPlanck(cells=40, time=twin), problem, rho, 0.1)[0],
    )
