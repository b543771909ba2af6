"""What every JKO step keeps, on 200 random problems each: energy inequality, symmetries, contraction."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from wgf.energies import Quadratic, entropy, interaction, internal, potential
from wgf.measures import Barenblatt, Gaussian, Mixture, Quantiles, Uniform
from wgf.problem import Problem
from wgf.schemes.jko import QuantileJKO
from wgf.schemes.jko.quantile.functional import QuantileEnergy, StepObjective
from wgf.schemes.jko.quantile.mass import squared_norm

RNG = np.random.default_rng(0)  # no scheme here draws from it
SLACK = 1e-12  # rounding of energies of order 1 to 10
many = settings(max_examples=200, deadline=None)


class Wave:
    """stiffness (x - shift)^2 / 2 + height cos(frequency (x - shift) + phase), with its gradient; may be mirrored."""

    def __init__(self, stiffness, height, frequency, phase, shift=0.0, sign=1.0, scale=1.0) -> None:
        self.k, self.h, self.w, self.p, self.c, self.s, self.l = (
            stiffness, height, frequency, phase, shift, sign, scale,
        )  # fmt: skip

    def __call__(self, x):
        z = self.s * (x - self.c) / self.l
        return (0.5 * self.k * z**2 + self.h * np.cos(self.w * z + self.p)).sum(-1)

    def gradient(self, x):
        z = self.s * (x - self.c) / self.l
        return self.s / self.l * (self.k * z - self.h * self.w * np.sin(self.w * z + self.p))

    @property
    def lowest(self) -> float:
        """A bound below V'' (scale 1)."""
        return self.k - abs(self.h) * self.w**2

    def changed(self, **new) -> Wave:
        return Wave(self.k, self.h, self.w, self.p, **new)


waves = st.builds(
    Wave,
    stiffness=st.floats(0.2, 4),
    height=st.floats(-1, 1),
    frequency=st.floats(0.3, 4),
    phase=st.floats(-3, 3),
)
convex = waves.filter(lambda v: v.lowest > 0.05)
pressures = st.one_of(
    st.floats(0.02, 3).map(lambda d: (d, 1.0)),
    st.tuples(st.floats(0.1, 2), st.sampled_from([0.6, 1.5, 2.0, 3.0])),
)
steps = st.floats(-4, 1).map(lambda e: 10.0**e)
masses_and_widths = st.integers(0, 2**32 - 1)


def cells(seed: int, n: int = 40) -> Quantiles:
    """Random cells: widths and masses over a factor of 20 each."""
    rng = np.random.default_rng(seed)
    masses, widths = np.exp(rng.uniform(-1.5, 1.5, n)), np.exp(rng.uniform(-1.5, 1.5, n))
    edges = np.concatenate([[0.0], np.cumsum(widths / widths.sum())]) * rng.uniform(0.5, 4)
    return Quantiles(edges - edges.mean() + rng.uniform(-1, 1), masses / masses.sum())


def pressure(kind: tuple[float, float]):
    coefficient, m = kind
    return coefficient * (entropy() if m == 1 else internal(m))


def step(
    energy, initial: Quantiles, dt: float, time: str = "jko", bounds=None
) -> tuple[np.ndarray, np.ndarray]:
    problem = Problem(energy, initial=initial, bounds=bounds)
    scheme = QuantileJKO(levels=initial.masses.size, time=time, tol=1e-11)
    before = scheme.init(problem, RNG)
    after, info = scheme.step(problem, before, dt, RNG)
    assume(info.accepted)  # a midpoint that would cross cells has become a JKO step
    return before.edges, after.edges


@many
@given(pressures, waves, steps, masses_and_widths, st.booleans())
@example(
    (1.625, 1.0), Wave(1.0, 1.0, 3.75, 1.0), 10.0**0.5, 38, True
)  # an end one rounding error off its wall
def test_a_step_lowers_the_energy_by_half_its_squared_speed(kind, wave, dt, seed, boxed) -> None:
    """E(n+1) + W2^2 / (2 dt) <= E(n) for convex and concave V, any dt, with and without walls."""
    energy, initial = pressure(kind) + potential(wave), cells(seed)
    bounds = (float(initial.edges[0]), float(initial.edges[-1]) + 0.3) if boxed else None
    before, after = step(energy, initial, dt, bounds=bounds)
    functional = QuantileEnergy(energy, initial.masses)
    moved = squared_norm(initial.masses, after - before)
    size = 1 + abs(functional.value(before)) + moved / dt
    assert functional.value(after) + moved / (2 * dt) <= functional.value(before) + SLACK * size
    assert (np.diff(after) > 0).all()
    if bounds:
        assert bounds[0] <= after[0] < after[-1] <= bounds[1]


@many
@given(pressures, convex, steps, masses_and_widths)
def test_the_minimiser_beats_random_perturbations(kind, wave, dt, seed) -> None:
    energy, initial = pressure(kind) + potential(wave), cells(seed)
    _, after = step(energy, initial, dt)
    objective = StepObjective(QuantileEnergy(energy, initial.masses), initial.edges, dt)
    best, rng = objective.value(after), np.random.default_rng(seed)
    for size in (1e-3, 1e-1):
        shift = rng.standard_normal(after.size) * size * np.diff(after).min() * 0.3
        assert objective.value(after + shift) >= best - SLACK * (1 + abs(best))
        assert objective.value(after + size) > best  # a translation: strictly worse by size^2 / (2 dt)


@many
@given(pressures, convex, steps, masses_and_widths, masses_and_widths)
def test_two_solutions_contract_as_the_convexity_of_v_demands(kind, wave, dt, seed, other) -> None:
    """|X' - Y'| <= |X - Y| / (1 + lambda dt), exact for the discrete energy, Gauss quadrature included."""
    energy, one = pressure(kind) + potential(wave), cells(seed)
    two = Quantiles(cells(other).edges, one.masses)
    _, x = step(energy, one, dt)
    _, y = step(energy, two, dt)
    gap = np.sqrt(squared_norm(one.masses, one.edges - two.edges))
    assert np.sqrt(squared_norm(one.masses, x - y)) <= gap / (1 + wave.lowest * dt) + 1e-9 * (1 + gap)


@many
@given(
    pressures,
    convex,
    steps,
    masses_and_widths,
    st.sampled_from(["jko", "midpoint"]),
    st.sampled_from([1.0, -1.0]),
    st.floats(0.1, 10),
    st.floats(-20, 20),
)
@example(
    (0.125, 1.0), Wave(2.046875, -0.859375, 0.3125, 0.0), 1.0, 278710875, "jko", 1.0, 1.0, 0.0
)  # energies that cancel to nearly 0
def test_mirrored_scaled_and_shifted_data_have_such_steps(
    kind, wave, dt, seed, time, sign, scale, shift
) -> None:
    """x -> c +- s x, dt -> s^2 dt, pressure coefficient times s^(m - 1), V(x) -> V(+- (x - c) / s)."""
    initial, (coefficient, m) = cells(seed), kind
    edges, order = shift + sign * scale * initial.edges, slice(None, None, int(sign))
    image = Quantiles(edges[order], initial.masses[order])
    _, here = step(pressure(kind) + potential(wave), initial, dt, time)
    energy = pressure((coefficient * scale ** (m - 1), m))
    energy += potential(wave.changed(sign=sign, scale=scale, shift=shift))
    _, there = step(energy, image, scale**2 * dt, time)
    back = sign * (there[order] - shift) / scale
    assert np.sqrt(squared_norm(initial.masses, back - here)) < 1e-8 * max(1, 1 / scale)


@many
@given(pressures, st.floats(0.1, 3), steps, masses_and_widths, st.sampled_from(["jko", "midpoint"]))
def test_even_interactions_keep_the_centre_of_mass_and_quadratic_potentials_pull_it(
    kind, stiffness, dt, seed, time
) -> None:
    initial = cells(seed)

    def mean(edges: np.ndarray) -> float:
        return float(initial.masses @ (edges[:-1] + edges[1:])) / 2

    _, free = step(pressure(kind) + stiffness * interaction(Quadratic(1.0)), initial, dt, time)
    _, bound = step(pressure(kind) + potential(Quadratic(stiffness)), initial, dt, time)
    tau = dt / 2 if time == "midpoint" else dt
    factor = 2 / (1 + stiffness * tau) - 1 if time == "midpoint" else 1 / (1 + stiffness * tau)
    assert abs(mean(free) - mean(initial.edges)) < 1e-9
    assert abs(mean(bound) - factor * mean(initial.edges)) < 1e-9


measures = st.one_of(
    st.builds(lambda c, v: Gaussian(c, v), st.floats(-3, 3), st.floats(1e-3, 9)),
    st.builds(lambda a, w: Uniform((a, a + w)), st.floats(-3, 3), st.floats(1e-2, 5)),
    st.builds(
        lambda m, t: Barenblatt(dimension=1, m=m, t0=t), st.sampled_from([0.8, 1.5, 2.0, 4.0]), st.floats(0.1, 5)
    ),
    st.builds(
        lambda p, c, v: Mixture([p, 1 - p], [Gaussian(-c, v), Gaussian(c, 1.0)]),
        st.floats(0.1, 0.9), st.floats(0, 6), st.floats(1e-2, 4),
    ),
)  # fmt: skip


@many
@given(
    measures,
    pressures,
    steps,
    st.integers(5, 120),
    st.sampled_from(["jko", "bdf2", "midpoint"]),
    st.booleans(),
)
def test_any_initial_measure_can_be_marched_with_its_mass_kept(
    measure, kind, dt, levels, time, boxed
) -> None:
    bounds = (-20.0, 20.5) if boxed else None
    problem = Problem(pressure(kind) + potential(Quadratic(0.5)), initial=measure, bounds=bounds)
    scheme = QuantileJKO(levels=levels, time=time)
    state = scheme.init(problem, RNG)
    masses = state.masses.copy()
    for _ in range(3):
        state, info = scheme.step(problem, state, dt, RNG)
        assert info.residual < 1e-6
    assert np.array_equal(state.masses, masses)
    assert abs(masses.sum() - 1) < 1e-13
    assert (np.diff(state.edges) > 0).all()
    if boxed:
        assert state.edges[0] >= -20.0
        assert state.edges[-1] <= 20.5
