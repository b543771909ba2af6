"""Dynamic JKO against exact minimisers, against quantiles, and for what every step keeps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from validation import closed_forms, references
from wgf.errors import ConvergenceError
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko import QuantileJKO
from wgf.schemes.jko.dynamic import step as dynamic_step
from wgf.schemes.jko.dynamic.faces import faces_of, mobility
from wgf.schemes.jko.dynamic.newton import Step, maximise
from wgf.schemes.jko.dynamic.path import kinetic_energy
from wgf.schemes.jko.dynamic.scheme import DynamicJKO, DynamicState

RNG = np.random.default_rng(0)  # no scheme here draws from it
SLACK = 1e-12
many = settings(max_examples=200, deadline=None)
mobilities = pytest.mark.parametrize("mobility", ["upwind", "centred"])


def quadratic(x: np.ndarray) -> np.ndarray:
    return 0.5 * (x**2).sum(-1)


def well(x: np.ndarray) -> np.ndarray:
    return (x[..., 0] ** 2 - 1) ** 2


def one_step(problem: wgf.Problem, scheme: DynamicJKO, dt: float) -> tuple[np.ndarray, wgf.StepInfo]:
    state, info = scheme.step(problem, scheme.init(problem, RNG), dt, RNG)
    return state.rho, info


def on_cells(grid: wgf.Grid, rho: np.ndarray, energy: wgf.Energy) -> wgf.Problem:
    rho = rho.reshape(grid.cells)
    initial = wgf.Density(grid, rho / (rho.sum() * grid.volume))
    return wgf.Problem(energy, initial=initial, bounds=grid.bounds, boundary=grid.boundary)


# ----------------------------------------------------------------------------------- exact minimisers


def dilation_error(m: float, dimension: int, cells: int, dt: float, **fields: object) -> float:
    """L1 distance to the exact minimiser of one step from a Barenblatt profile."""
    start = wgf.Barenblatt(dimension, m, 1.0)
    reach = 1.4 * start.radius
    problem = wgf.Problem(wgf.internal(m), initial=start, bounds=[(-reach, reach)] * dimension)
    run = wgf.solve(problem, DynamicJKO(cells=cells, **fields), t_end=dt, dt=dt)
    scale = float(closed_forms.barenblatt_flow(m, dimension, dt, 1)[-1])
    exact = wgf.Barenblatt(dimension, m, closed_forms.profile_time(scale, m, dimension))
    assert abs(run.final.mass - 1) < 1e-13
    assert run.final.values.min() >= 0
    return wgf.distance(run.final, exact, "l1")


@pytest.mark.parametrize(
    ("m", "dimension", "cells", "substeps", "bound"),
    [(2, 1, 200, 1, 8e-3), (2, 1, 200, 16, 1.6e-3), (3, 1, 200, 16, 3e-3), (2, 2, 32, 2, 2e-2)],
)
def test_steps_from_a_barenblatt_profile_are_its_dilations(m, dimension, cells, substeps, bound) -> None:
    error = dilation_error(m, dimension, cells, 0.25, substeps=substeps)
    assert error < bound
    assert dilation_error(m, dimension, cells, 0.5, substeps=substeps) > error  # another step, another error


def gaussian_error(dt: float, **fields: object) -> float:
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic), initial=wgf.Gaussian(0.5, 0.4), bounds=(-6, 6)
    )
    flow = closed_forms.gaussian_flow(np.array([0.5]), np.array([[0.4]]), dt, 1, stiffness=1.0)
    rho, _ = one_step(problem, DynamicJKO(**fields), dt)
    axis = np.linspace(-6, 6, rho.size + 1)
    centers = 0.5 * (axis[1:] + axis[:-1])
    exact = references.cell_average(references.gaussian_pdf(flow.means[-1], flow.covariances[-1]), (centers,))
    return float(np.abs(rho - exact).sum() * (axis[1] - axis[0]))


def test_doubling_the_substeps_halves_the_distance_to_the_gaussian_minimiser() -> None:
    errors = [gaussian_error(0.1, cells=400, substeps=k) for k in (2, 4, 8, 16)]
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (np.abs(orders - 1) < 0.06).all()
    assert errors[-1] < 6.5e-4


def test_centred_faces_are_of_order_two_and_upwind_ones_of_order_one_in_space() -> None:
    """Against 16 times finer cells of the same mobility and K: the space error alone."""
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic), initial=wgf.Gaussian(0.5, 0.4), bounds=(-6, 6)
    )
    for name, expected in (("centred", 2.0), ("upwind", 1.0)):
        finest, _ = one_step(problem, DynamicJKO(cells=960, mobility=name), 0.03)
        errors = []
        for cells in (30, 60, 120):
            rho, _ = one_step(problem, DynamicJKO(cells=cells, mobility=name), 0.03)
            averages = finest.reshape(cells, -1).mean(axis=1)
            errors.append(np.abs(rho - averages).sum() * 12 / cells)
        orders = np.log2(np.array(errors[:-1]) / errors[1:])
        assert abs(orders[-1] - expected) < 0.3


@pytest.mark.parametrize("name", ["heat", "ornstein-uhlenbeck", "well", "porous", "cubic", "box"])
def test_many_substeps_agree_with_quantiles(name) -> None:
    energy, initial, bounds, dt = {
        "heat": (wgf.entropy(), wgf.Gaussian(0, 0.3), (-6, 6), 0.1),
        "ornstein-uhlenbeck": (
            wgf.entropy() + wgf.potential(quadratic), wgf.Gaussian(1.0, 0.3), (-6, 6), 0.1,
        ),
        "well": (wgf.entropy() + wgf.potential(well), wgf.Gaussian(-0.6, 0.2), (-2.5, 2.5), 0.02),
        "porous": (wgf.internal(2), wgf.Barenblatt(1, 2, 1.0), (-3, 3), 0.1),
        "cubic": (wgf.internal(3), wgf.Barenblatt(1, 3, 1.0), (-3, 3), 0.1),
        "box": (wgf.entropy(), wgf.Uniform((-1, 1)), (-4, 4), 0.05),
    }[name]  # fmt: skip
    problem = wgf.Problem(energy, initial=initial, bounds=bounds)
    truth = wgf.solve(problem, QuantileJKO(levels=2000), t_end=dt, dt=dt).final
    errors = []
    for substeps in (1, 16):
        run = wgf.solve(problem, DynamicJKO(cells=200, substeps=substeps), t_end=dt, dt=dt)
        errors.append(wgf.distance(run.final, truth, "w2"))
        assert run.stats.get("fallback_steps", 0) == 0
    assert errors[1] < 0.65 * errors[0]  # at a free boundary the space error is in both
    assert errors[1] < 0.015


def test_quadratic_attraction_equals_confinement_around_the_mean() -> None:
    attracted = wgf.Problem(
        wgf.entropy() + wgf.interaction(quadratic), initial=wgf.Gaussian(0, 0.5), bounds=(-6, 6)
    )
    confined = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic), initial=wgf.Gaussian(0, 0.5), bounds=(-6, 6)
    )
    one, _ = one_step(attracted, DynamicJKO(cells=60), 0.2)
    two, _ = one_step(confined, DynamicJKO(cells=60), 0.2)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-8)


# ------------------------------------------------------------------------------------- the minimiser


def functional(step: Step, flux: np.ndarray) -> float:
    """s/2 sum m^2 / theta + E per unit volume of the fluxes m through the faces, one substep, upwind.

    Written out here: rho by continuity, theta of the cell the mass comes from.
    """
    rate = step.tau * flux * np.sqrt(step.faces.weight)
    rho = step.rho.copy()
    np.subtract.at(rho, step.faces.below, rate)
    np.add.at(rho, step.faces.above, rate)
    if rho.min() < 0:
        return np.inf
    source = rho[np.where(flux > 0, step.faces.below, step.faces.above)]
    moving = flux != 0
    with np.errstate(divide="ignore"):
        kinetic = 0.5 * step.tau * float((flux[moving] ** 2 / source[moving]).sum())
    return kinetic + float((step.internal.value(rho) + step.potential * rho).sum())


@pytest.mark.parametrize(
    "energy", [wgf.entropy(), wgf.internal(2), wgf.internal(3), wgf.internal(0.7)], ids=str
)
def test_no_random_flux_beats_the_minimiser(energy) -> None:
    grid, rng = wgf.Grid([(0.0, 1.0), (0.0, 1.0)], 8), np.random.default_rng(3)
    found = faces_of(grid, np.ones(grid.size, dtype=bool))
    potential = 2 * (grid.centers**2).sum(-1).ravel()
    step = Step(0.5 + rng.random(grid.size), potential, InternalEnergy.of(energy), found, 0.02, 1)
    best = maximise(step, -step.internal.derivative(step.rho) - potential, 1e-12, 60)
    at = best.along.levels[0]
    difference = at.phi[found.above] - at.phi[found.below]
    flux = mobility(best.rhos[0], at, found) * difference * np.sqrt(found.weight)
    least = functional(step, flux)
    assert least < functional(step, 0 * flux)
    for size in (1e-5, 1e-3, 1e-1):
        for _ in range(20):
            other = functional(step, flux + size * rng.standard_normal(flux.size))
            assert other > least + 1e-6 * size**2  # strictly convex: a minimiser off by size would be seen
    gap = functional(step, flux * (1 + 1e-3)) - least
    assert 0 < gap < 1e-4  # stationary: second order in the change


@pytest.mark.parametrize("substeps", [1, 3])
@pytest.mark.parametrize("centring", [0.0, 0.5])
def test_kinetic_energy_is_paid_for_and_the_duality_gap_closes(substeps, centring) -> None:
    """E(rho_K) + W2^2 / (2 dt) <= E(rho_0), the difference being that of primal and dual elsewhere: 0 here."""
    grid, rng = wgf.Grid([(0.0, 1.0), (0.0, 1.0)], 8, "periodic"), np.random.default_rng(6)
    found = faces_of(grid, np.ones(grid.size, dtype=bool))
    internal = InternalEnergy.of(wgf.internal(2) + 0.1 * wgf.entropy())
    step = Step(1 + rng.random(grid.size), rng.random(grid.size), internal, found, 2e-3, substeps)
    best = maximise(step, -internal.derivative(step.rho) - step.potential, 1e-12, 60)
    found = found._replace(centring=np.full(found.below.size, centring))
    step = step._replace(faces=found)
    best = maximise(step, best.along.psi, 1e-12, 60)

    def energy(rho: np.ndarray) -> float:
        return float((internal.value(rho) + step.potential * rho).sum())

    primal = kinetic_energy(best.along, best.rhos, found) + energy(best.rhos[-1])
    dual = -float(internal.conjugate(-best.along.psi - step.potential).sum())
    dual -= float(step.rho @ best.along.levels[0].phi)
    assert primal < energy(step.rho) - 1e-3
    assert abs(primal - dual) < 1e-11
    assert best.residual < 1e-11


def mixed_problem(seed: int, dimension: int, kind: str, boundary: str) -> wgf.Problem:
    """Rough, perhaps half-empty data under a random wave potential."""
    rng = np.random.default_rng(seed)
    cells = int(rng.integers(6, 25)) if dimension == 1 else (int(rng.integers(4, 8)), int(rng.integers(4, 8)))
    grid = wgf.Grid([(0.0, 1.0)] * dimension, cells, boundary)
    rho = rng.random(grid.cells) * (rng.random(grid.cells) < rng.uniform(0.2, 1.2))
    rho.flat[rng.integers(rho.size)] = 1.0
    height, phase = rng.uniform(0, 3), rng.uniform(0, 6)
    energy = {"entropy": wgf.entropy(), "m2": wgf.internal(2), "m3": wgf.internal(3)}[kind]
    wave = wgf.potential(lambda x: height * np.cos(2 * np.pi * x + phase).sum(-1))
    return on_cells(grid, rho, rng.uniform(0.05, 1.0) * energy + wave)


@many
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([1, 1, 2]),
    st.sampled_from(["entropy", "m2", "m3"]),
    st.sampled_from(["noflux", "periodic"]),
    st.sampled_from(["upwind", "centred"]),
    st.sampled_from([1, 2, 3]),
    st.floats(-4, -1.3),
)
def test_mass_positivity_and_the_energy_inequality_hold_for_rough_data(
    seed, dimension, kind, boundary, mobility, substeps, log_dt
) -> None:
    """E falls, rho >= 0 exactly, mass to rounding: for any mobility, step and number of inner steps."""
    problem = mixed_problem(seed, dimension, kind, boundary)
    scheme = DynamicJKO(cells=problem.initial.grid.cells, substeps=substeps, mobility=mobility)
    before = scheme.init(problem, RNG)
    after, info = scheme.step(problem, before, 10**log_dt, RNG)
    assert after.rho.min() >= 0
    assert abs(after.rho.sum() / before.rho.sum() - 1) < 1e-13
    size = 1 + abs(scheme.energy(problem, before))
    assert scheme.energy(problem, after) <= scheme.energy(problem, before) + SLACK * size
    assert info.residual < 1e-6
    assert info.speed_squared >= 0


@mobilities
@pytest.mark.parametrize("energy", [wgf.entropy(), 0.3 * wgf.entropy() + wgf.internal(2)], ids=str)
def test_an_equilibrium_stays_where_it_is(mobility, energy) -> None:
    grid = wgf.Grid((-2.0, 2.0), 40)
    internal = InternalEnergy.of(energy)
    rho = internal.inverse(1.0 - well(grid.centers))
    problem = on_cells(grid, rho, energy + wgf.potential(well))
    scheme = DynamicJKO(cells=40, mobility=mobility)
    state = DynamicState(rho, 0.0, 0)
    after, info = scheme.step(problem, state, 10.0, RNG)
    np.testing.assert_allclose(after.rho, rho, rtol=1e-12, atol=1e-13)
    assert info.slope_squared < 1e-20
    moved, _ = scheme.step(problem, DynamicState(rho * (1 + 1e-3 * grid.axes[0]), 0.0, 0), 10.0, RNG)
    assert np.abs(moved.rho - rho * (1 + 1e-3 * grid.axes[0])).max() > 1e-4


@mobilities
def test_vanishing_steps_change_nothing_and_long_ones_end_at_equilibrium(mobility) -> None:
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic), initial=wgf.Uniform((-1, 0.5)), bounds=(-4, 4)
    )
    scheme = DynamicJKO(cells=50, mobility=mobility)
    before = scheme.init(problem, RNG).rho
    after, _ = one_step(problem, scheme, 1e-9)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-6)
    run = wgf.solve(problem, scheme, t_end=20.0, dt=0.5)
    pi = np.exp(-quadratic(run.final.grid.centers))
    np.testing.assert_allclose(run.final.values, pi / (pi.sum() * 0.16), rtol=0, atol=1e-7)


@mobilities
def test_mirrored_shifted_and_transposed_data_have_such_steps(mobility) -> None:
    rng = np.random.default_rng(8)
    grid = wgf.Grid([(0.0, 1.0)] * 2, (7, 5), "periodic")
    rho = 0.1 + rng.random(grid.cells)
    scheme = DynamicJKO(cells=(7, 5), mobility=mobility, substeps=2)
    here, _ = one_step(on_cells(grid, rho, wgf.internal(2)), scheme, 0.01)
    for image in (lambda a: a[::-1], lambda a: np.roll(a, (2, 3), (0, 1)), lambda a: a[:, ::-1]):
        there, _ = one_step(on_cells(grid, image(rho), wgf.internal(2)), scheme, 0.01)
        np.testing.assert_allclose(there, image(here), rtol=0, atol=1e-8)
    turned = wgf.Grid([(0.0, 1.0)] * 2, (5, 7), "periodic")
    across = DynamicJKO(cells=(5, 7), mobility=mobility, substeps=2)
    there, _ = one_step(on_cells(turned, rho.T, wgf.internal(2)), across, 0.01)
    np.testing.assert_allclose(there, here.T, rtol=0, atol=1e-8)
    assert np.abs(here - rho / (rho.mean())).max() > 1e-2  # the step is not idle


def test_no_mass_enters_an_obstacle() -> None:
    def walled(x: np.ndarray) -> np.ndarray:
        return np.where(np.abs(x[..., 0]) < 2, 0.5 * x[..., 0] ** 2, np.inf)

    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(walled), initial=wgf.Uniform((-1, 1.5)), bounds=(-3, 3)
    )
    run = wgf.solve(problem, DynamicJKO(cells=60), t_end=0.5, dt=0.05, save_at=0.05, record=["energy"])
    outside = np.abs(run.final.grid.axes[0]) > 2
    assert (run.final.values[outside] == 0).all()
    assert (run.final.values[~outside] > 0).all()
    assert (np.diff(run.record["energy"]) < 0).all()


def test_the_dissipation_defect_is_of_order_two() -> None:
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(quadratic), initial=wgf.Gaussian(0.5, 0.4), bounds=(-6, 6)
    )
    defects = []
    for steps in (8, 16, 32):
        scheme = DynamicJKO(cells=100)
        run = wgf.solve(problem, scheme, t_end=0.4, dt=0.4 / steps, record=["dissipation"])
        defects.append(abs(run.dissipation_defect()))
    assert (np.abs(np.log2(np.array(defects[:-1]) / defects[1:]) - 2) < 0.2).all()


def test_cells_that_centred_faces_would_empty_are_made_upwind(monkeypatch) -> None:
    """With half-and-half faces even next to empty cells, a step undershoots; the safeguard must mend it."""
    grid = wgf.Grid((0.0, 1.0), 30)
    rho = np.where(np.abs(grid.axes[0] - 0.5) < 0.2, 1.0, 1e-3)
    energy = 0.1 * wgf.internal(2) + wgf.potential(lambda x: 4 * (x[..., 0] - 0.5) ** 2)
    problem = on_cells(grid, rho, energy)
    monkeypatch.setattr(dynamic_step, "THIN", 0.0)
    monkeypatch.setattr(dynamic_step, "_least", lambda rho, faces: np.ones(faces.below.size))
    monkeypatch.setattr(dynamic_step, "_centring", lambda rho, faces: np.full(faces.below.size, 0.5))
    rounds = []
    solve = dynamic_step.maximise

    def watched(*arguments: object) -> object:
        found = solve(*arguments)
        rounds.append(min(density.min() for density in found.rhos))
        return found

    monkeypatch.setattr(dynamic_step, "maximise", watched)
    after, _ = one_step(problem, DynamicJKO(cells=30), 0.02)
    assert min(rounds) < -1e-12  # it did undershoot
    assert after.min() >= 0
    assert abs(after.sum() / 30 - 1) < 1e-13


def test_slope_and_speed_of_a_step_agree_with_the_exact_dilation() -> None:
    """speed^2 = (l - mu)^2 m2 / dt^2, and |dE|^2 of the new state the same by optimality."""
    dt, start = 0.1, wgf.Barenblatt(1, 2, 1.0)
    problem = wgf.Problem(wgf.internal(2), initial=start, bounds=(-3, 3))
    _, info = one_step(problem, DynamicJKO(cells=400, substeps=16), dt)
    scales = closed_forms.barenblatt_flow(2, 1, dt, 1)
    exact = float((scales[1] - scales[0]) ** 2 * start.cov()[0, 0] / dt**2)
    np.testing.assert_allclose(info.speed_squared, exact, rtol=1e-2)
    np.testing.assert_allclose(info.slope_squared, exact, rtol=1e-2)
    _, coarse = one_step(problem, DynamicJKO(cells=400), dt)
    assert abs(coarse.speed_squared / exact - 1) > 0.05  # the minimiser for K = 1 is another


# --------------------------------------------------------------------------------------------- the door


def test_problems_it_cannot_solve_are_refused_with_the_reason() -> None:
    cube = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(np.zeros(3), 1.0), bounds=[(-3, 3)] * 3)
    drift = wgf.Problem(wgf.potential(quadratic), initial=wgf.Gaussian(0, 1), bounds=(-3, 3))
    unbounded = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1))
    plane = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian([0, 0], 1), bounds=[(-3, 3)] * 2)
    assert "one or two dimensions, got 3" in DynamicJKO().supports(cube)
    assert "neither" in DynamicJKO().supports(drift)
    assert "bounds None" in DynamicJKO().supports(unbounded)
    assert "1,000,000" in DynamicJKO(cells=1001).supports(plane)
    assert "cells for 3 axes" in DynamicJKO(cells=(3, 3, 3)).supports(plane)
    assert DynamicJKO().supports(plane) is None


def test_too_few_iterations_are_an_error_that_says_what_to_change() -> None:
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Barenblatt(1, 2, 1.0), bounds=(-3, 3))
    with pytest.raises(ConvergenceError, match="after 1 of 1 Newton iterations. Use a smaller dt"):
        one_step(problem, DynamicJKO(cells=100, iterations=1, mobility="upwind"), 0.3)


def test_the_suggested_step_moves_a_tenth_of_the_spread() -> None:
    """N(0, s^2) under entropy: |dE| = 1/s, so 0.1 s^2."""
    problem = wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 0.25), bounds=(-4, 4))
    suggested = DynamicJKO(cells=400).suggest_dt(problem)
    assert 0.02 < suggested < 0.05


def test_a_moving_potential_is_taken_at_the_end_of_the_step() -> None:
    def moving(x: np.ndarray, t: float) -> np.ndarray:
        return 0.5 * (x[..., 0] - 3 * t) ** 2

    start = wgf.Gaussian(0, 0.5)
    now = wgf.Problem(wgf.entropy() + wgf.potential(moving), initial=start, bounds=(-4, 4))
    end = wgf.Problem(wgf.entropy() + wgf.potential(lambda x: moving(x, 0.3)), initial=start, bounds=(-4, 4))
    one, _ = one_step(now.at(0.2), DynamicJKO(cells=40), 0.1)
    two, _ = one_step(end, DynamicJKO(cells=40), 0.1)
    np.testing.assert_allclose(one, two, rtol=0, atol=1e-12)
