"""What every step keeps with mobilities, drifts and obstacles, on random problems."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import xlogy

import wgf
from wgf.schemes.grid.fokker_planck import equation
from wgf.schemes.grid.fokker_planck.scheme import FokkerPlanck, FokkerPlanckState

SAFE = ("backward-euler", "lie")
SECOND = ("tr-bdf2", "strang")
FLOOR = 1e-290  # below it a double loses its relative accuracy


class Case(NamedTuple):
    """A scheme on a problem, with data and a step."""

    scheme: FokkerPlanck
    problem: wgf.Problem
    rho: np.ndarray
    dt: float

    @property
    def grid(self):
        return self.problem.grid(self.scheme.cells)

    @property
    def potential(self):
        return self.problem.energy.potential_value(self.grid.centers)

    @property
    def stiffness(self):
        """dt D M/h^2, the number rounding is measured by."""
        fastest = equation.largest_mobility(self.problem)
        return self.dt * self.problem.energy.diffusion * fastest / self.grid.spacing.min() ** 2

    def step(self, rho=None, problem=None):
        """The density after dt and the step's info."""
        start = FokkerPlanckState(self.rho if rho is None else rho)
        state, info = self.scheme.step(self.problem if problem is None else problem, start, self.dt, None)
        return state.rho, info


class Waves:
    """A smooth function of period `lengths`, between -size and size."""

    def __init__(self, rng, lengths, size):
        d = len(lengths)
        self.k = 2 * np.pi * rng.integers(1, 3, size=d) / np.asarray(lengths)
        self.c, self.size = rng.uniform(0, 2 * np.pi, size=(2, d)), size * rng.uniform(0.3, 1.0)

    def __call__(self, x):
        single = np.cos(self.k * x + self.c[0]).mean(axis=-1)
        return 0.5 * self.size * (single + np.sin(self.k * x + self.c[1]).prod(axis=-1))


class Matrix:
    """A smooth positive definite tensor of period `lengths`: a turned diagonal."""

    def __init__(self, rng, lengths):
        d = len(lengths)
        self.base = rng.normal(size=(d, d))
        self.waves = [Waves(rng, lengths, 1.0) for _ in range(d)]

    def __call__(self, x):
        root = self.base + np.stack([w(x) for w in self.waves], -1)[..., None] * np.eye(len(self.waves))
        return np.einsum("...ik,...jk->...ij", root, root) + 0.2 * np.eye(len(self.waves))


def mobility(kind, rng, lengths):
    """A Mobility of this kind: "none", "scalar", "scalar ito", "diagonal", "constant tensor", "tensor"."""
    d = len(lengths)
    if kind.startswith("scalar"):
        wave = Waves(rng, lengths, 1.5)
        return wgf.Mobility(lambda x: np.exp(wave(x)), form="ito" if "ito" in kind else "fick")
    if kind == "diagonal":
        waves = [Waves(rng, lengths, 1.5) for _ in range(d)]
        return wgf.Mobility(lambda x: np.exp(np.stack([w(x) for w in waves], axis=-1)), form="fick")
    if kind == "constant tensor":
        root = rng.normal(size=(d, d))
        return wgf.Mobility(root @ root.T + 0.1 * np.eye(d))
    return wgf.Mobility(Matrix(rng, lengths), form="fick") if kind == "tensor" else None


@st.composite
def cases(
    draw,
    times=(*SAFE, *SECOND),
    kinds=("none", "scalar", "scalar ito", "diagonal", "constant tensor", "tensor"),
    drifting=False,
    blocked=False,
    boundaries=("noflux", "periodic"),
):
    """Random V, D, M, grid, boundary, dt, full or sparse data; a drift and obstacles when asked for."""
    kind = draw(st.sampled_from(kinds))
    d = draw(st.sampled_from((2, 3) if "tensor" in kind else (1, 2, 3)))
    tensor = "tensor" in kind
    time = draw(st.sampled_from([t for t in times if not tensor or t in ("tr-bdf2", "backward-euler")]))
    cells = tuple(draw(st.integers(3 if blocked else 2, {1: 40, 2: 10, 3: 5}[d])) for _ in range(d))
    boundary = tuple(draw(st.sampled_from(boundaries)) for _ in range(d))
    lengths = [draw(st.floats(0.5, 4.0)) for _ in range(d)]
    diffusion = draw(st.sampled_from((1e-2, 1.0, 10.0)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    wave = Waves(rng, lengths, diffusion * draw(st.sampled_from((0.1, 1.0, 20.0))))
    waves = [Waves(rng, lengths, diffusion * draw(st.sampled_from((0.1, 10.0)))) for _ in range(d)]
    widths, hole = np.array(lengths) / cells, rng.random(cells) < 0.3

    def V(x):
        if not blocked:
            return wave(x)
        index = tuple(np.clip((x[..., k] / widths[k]).astype(int), 0, cells[k] - 1) for k in range(d))
        return np.where(hole[index], np.inf, wave(x))

    problem = wgf.Problem(
        diffusion * wgf.entropy() + wgf.potential(V),
        initial=wgf.Gaussian(np.zeros(d), 1.0),
        bounds=tuple((0.0, length) for length in lengths),
        boundary=boundary,
        mobility=mobility(kind, rng, lengths),
        drift=(lambda x: np.stack([w(x) for w in waves], axis=-1)) if drifting else None,
    )
    rho = rng.random(cells) * (rng.random(cells) < draw(st.sampled_from((0.3, 1.0))))
    rho.flat[rng.integers(rho.size)] += 1.0
    dt = draw(st.sampled_from((1e-4, 1e-2, 0.3, 10.0)))
    return Case(FokkerPlanck(cells=cells, time=time), problem, np.where(hole & blocked, 0.0, rho), dt)


@settings(max_examples=200, deadline=None)
@given(cases(drifting=True) | cases() | cases(blocked=True))
def test_mass_is_conserved_to_rounding(case):
    after = case.rho
    for _ in range(3):
        after, _ = case.step(after)
    assert abs(after.sum() - case.rho.sum()) <= 3e-14 * case.rho.sum()


@settings(max_examples=200, deadline=None)
@given(cases(drifting=True) | cases() | cases(blocked=True))
def test_no_cell_is_left_negative_beyond_rounding(case):
    after, info = case.step()
    assert after.min() >= -1e-13 * after.max()
    assert info.substeps == (1 if info.accepted else 2)


@settings(max_examples=200, deadline=None)
@given(
    cases(kinds=("none", "scalar", "diagonal", "constant tensor", "tensor")) | cases(kinds=("scalar ito",))
)
def test_the_equilibrium_rests_whatever_the_mobility(case):
    """exp(-V/D) in Fick's form, exp(-V/D)/M for a scalar M in Ito's."""
    v = case.potential / case.problem.energy.diffusion
    if not case.problem.gradient_flow:
        v = v + np.log(case.problem.mobility.at(case.grid.centers))
    rest = np.exp(v.min() - v)
    after, info = case.step(rest)
    assert info.accepted
    visible = rest > FLOOR
    # an LU solve rounds relative to the largest cell, a sweep cell by cell
    scale = (
        rest.max() if after.ndim > 1 and case.scheme.time in ("backward-euler", "tr-bdf2") else rest[visible]
    )
    allowed = max(1e-12, 4e-15 * case.stiffness)
    assert (np.abs(after[visible] - rest[visible]) / scale).max() <= allowed


@settings(max_examples=200, deadline=None)
@given(cases(times=SAFE, drifting=True) | cases(times=SAFE) | cases(times=SAFE, blocked=True))
def test_first_order_steps_stay_positive_and_keep_the_order_of_two_densities(case):
    rng = np.random.default_rng(5)
    larger = case.rho * (1 + rng.random(case.rho.shape)) + (rng.random(case.rho.shape) < 0.2)
    larger[np.isinf(case.potential)] = 0.0
    after, info = case.step()
    above, _ = case.step(larger)
    assert info.accepted
    allowed = 1e-12 * max(1.0, 1e-3 * case.stiffness) * above.max()
    assert after.min() >= 0
    assert (above - after).min() >= -allowed


@settings(max_examples=200, deadline=None)
@given(cases(times=SAFE, drifting=True) | cases(times=SAFE) | cases(times=SAFE, blocked=True))
def test_the_l1_distance_of_two_densities_does_not_grow(case):
    other = np.random.default_rng(6).random(case.rho.shape) * np.isfinite(case.potential)
    gap = np.abs(case.step()[0] - case.step(other)[0]).sum()
    allowed = 1e-12 * max(1.0, 1e-3 * case.stiffness)
    assert gap <= np.abs(case.rho - other).sum() + allowed * (case.rho.sum() + other.sum())


@settings(max_examples=200, deadline=None)
@given(cases(times=SAFE, kinds=("none", "scalar", "diagonal", "constant tensor", "tensor")))
def test_the_ratio_to_equilibrium_obeys_the_maximum_principle(case):
    v = np.clip(case.potential / case.problem.energy.diffusion, -20, 20)
    rest = np.exp(-v)
    before, after = case.rho / rest, case.step()[0] / rest
    slack = 1e-11 * max(1.0, 1e-3 * case.stiffness) * case.rho.max() / rest.min()
    assert after.max() <= before.max() + slack
    assert after.min() >= before.min() - slack


@settings(max_examples=200, deadline=None)
@given(cases(times=SAFE, kinds=("none", "scalar", "diagonal", "constant tensor", "tensor")))
def test_relative_entropies_do_not_rise(case):
    """sum of pi f(rho/pi), pi = exp(-V/D), for f = r log r and f = (r - 1)^2."""
    v = case.potential / case.problem.energy.diffusion
    rest = np.exp(v.min() - v)
    rho = case.rho * rest
    before, after = rho / rest, case.step(rho)[0] / rest
    slack = 1e-12 * max(1.0, 1e-3 * case.stiffness)
    for f in (lambda r: xlogy(r, r), lambda r: (r - 1) ** 2):
        size = (rest * (np.abs(f(before)) + 1)).sum()
        assert (rest * f(np.maximum(after, 0.0))).sum() <= (rest * f(before)).sum() + slack * size


@settings(max_examples=200, deadline=None)
@given(cases(blocked=True) | cases(blocked=True, drifting=True))
def test_obstacles_stay_exactly_empty_and_make_no_nan(case):
    after, _ = case.step()
    after, _ = case.step(after)
    assert np.isfinite(after).all()
    np.testing.assert_array_equal(after[np.isinf(case.potential)], 0.0)


def changed(case, turn):
    """The problem seen through y = turn(x), an involution of the box that keeps the axes."""
    (_, term) = case.problem.energy.potentials[0]
    problem, sign = case.problem, turn(np.zeros(case.problem.dimension)) != 0
    flip = np.where(sign, -1.0, 1.0)
    M = problem.mobility

    def turned(x):
        values = M.at(turn(x))
        return values * flip[:, None] * flip if values.ndim == x.ndim + 1 else values

    return wgf.Problem(
        problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: term.V(turn(x))),
        initial=problem.initial,
        bounds=problem.bounds,
        boundary=problem.boundary,
        mobility=None if M is None else wgf.Mobility(turned, form=M.form),
        drift=None if problem.drift is None else lambda x: flip * problem.drift(turn(x)),
    )


@settings(max_examples=100, deadline=None)
@given(cases(drifting=True))
def test_mirrored_problems_give_the_mirrored_density(case):
    lengths = np.array(case.problem.bounds)[:, 1]
    first = np.eye(len(lengths))[0]
    mirrored = changed(case, lambda x: x + first * (lengths - 2 * x))
    after, info = case.step()
    image, image_info = case.step(np.ascontiguousarray(np.flip(case.rho, 0)), mirrored)
    if info.accepted == image_info.accepted:  # at the very threshold rounding may decide
        # V and b are mirrored up to rounding, which dt D/h^2 magnifies
        allowed = 1e-10 * max(1.0, case.stiffness)
        np.testing.assert_allclose(np.flip(image, 0), after, rtol=0, atol=min(allowed, 1e-4) * after.max())


@settings(max_examples=100, deadline=None)
@given(cases(drifting=True, kinds=("none", "diagonal", "scalar ito", "tensor"), boundaries=("periodic",)))
def test_periodic_problems_commute_with_translations(case):
    shift = np.zeros(case.problem.dimension)
    shift[0] = case.grid.spacing[0]
    moved = changed_by_translation(case, shift)
    after, info = case.step()
    image, image_info = case.step(np.ascontiguousarray(np.roll(case.rho, 1, 0)), moved)
    if info.accepted == image_info.accepted:
        allowed = 1e-10 * max(1.0, case.stiffness)
        np.testing.assert_allclose(
            np.roll(image, -1, 0), after, rtol=0, atol=min(allowed, 1e-4) * after.max()
        )


def changed_by_translation(case, shift):
    (_, term) = case.problem.energy.potentials[0]
    problem, M = case.problem, case.problem.mobility
    return wgf.Problem(
        problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: term.V(x - shift)),
        initial=problem.initial,
        bounds=problem.bounds,
        boundary=problem.boundary,
        mobility=None if M is None else wgf.Mobility(lambda x: M.at(x - shift), form=M.form),
        drift=lambda x: problem.drift(x - shift),
    )


@settings(max_examples=100, deadline=None)
@given(cases(times=("backward-euler",), drifting=True))
def test_unsplit_steps_do_not_know_the_order_of_the_axes(case):
    problem, M = case.problem, case.problem.mobility
    (_, term) = problem.energy.potentials[0]

    def turned(x):
        values = M.at(x[..., ::-1])
        if values.ndim == x.ndim + 1:
            return values[..., ::-1, ::-1]
        return values[..., ::-1] if values.ndim == x.ndim else values

    other = wgf.Problem(
        problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: term.V(x[..., ::-1])),
        initial=problem.initial,
        bounds=problem.bounds[::-1],
        boundary=problem.boundary[::-1],
        mobility=None if M is None else wgf.Mobility(turned, form=M.form),
        drift=lambda x: problem.drift(x[..., ::-1])[..., ::-1],
    )
    scheme = FokkerPlanck(cells=case.scheme.cells[::-1], time="backward-euler")
    after, _ = case.step()
    state, _ = scheme.step(other, FokkerPlanckState(np.ascontiguousarray(case.rho.T)), case.dt, None)
    allowed = 1e-11 * max(1.0, case.stiffness)
    np.testing.assert_allclose(state.rho.T, after, rtol=0, atol=min(allowed, 1e-4) * after.max())


@settings(max_examples=100, deadline=None)
@given(cases(drifting=True), st.sampled_from((0.5, 2.0, 8.0)), st.sampled_from((0.25, 4.0)))
def test_units_of_length_time_and_energy_do_not_matter(case, length, clock):
    """x -> length x, t -> clock t, V and D -> length^2/clock times, b -> length/clock times: the same numbers."""
    problem, M = case.problem, case.problem.mobility
    (_, term) = problem.energy.potentials[0]
    heat = length**2 / clock
    scaled = wgf.Problem(
        heat * problem.energy.diffusion * wgf.entropy() + wgf.potential(lambda x: heat * term.V(x / length)),
        initial=problem.initial,
        bounds=tuple((a * length, b * length) for a, b in problem.bounds),
        boundary=problem.boundary,
        mobility=None if M is None else wgf.Mobility(lambda x: M.at(x / length), form=M.form),
        drift=lambda x: length / clock * problem.drift(x / length),
    )
    after, info = case.step()
    state, other = case.scheme.step(scaled, FokkerPlanckState(case.rho), clock * case.dt, None)
    if info.accepted == other.accepted:
        allowed = 1e-10 * max(1.0, case.stiffness)
        np.testing.assert_allclose(state.rho, after, rtol=0, atol=min(allowed, 1e-4) * after.max())
