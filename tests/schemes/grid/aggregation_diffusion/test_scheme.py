"""AggregationDiffusion as a scheme: its door, its step record, its orders in time, what may be added to a flow."""

from __future__ import annotations

import functools

import numpy as np
import pytest

import wgf
from wgf.errors import ConvergenceError
from wgf.kernels.aggregation import face_ratios, jump_rates
from wgf.schemes import QuantileJKO
from wgf.schemes.grid.aggregation_diffusion.scheme import TIMES, AggregationDiffusion, AggregationState
from wgf.testing import check_scheme
from wgf.testing.schemes import default_problems

QUADRATIC = wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
ATTRACTION = wgf.interaction(lambda z: -0.3 * np.cos(2 * np.pi * z[..., 0]))


def torus(energy, cells=32, **more):
    """A flow on the circle from a wave."""
    grid = wgf.Grid((0.0, 1.0), cells, "periodic")
    values = 1 + 0.5 * np.cos(2 * np.pi * grid.axes[0] + 0.3)
    start = wgf.Density(grid, values / (values.sum() * grid.volume))
    return wgf.Problem(energy, initial=start, bounds=(0.0, 1.0), boundary="periodic", **more)


MIXED = (
    0.05 * wgf.entropy() + 0.1 * wgf.internal(2) + wgf.potential(lambda x: 0.3 * np.cos(2 * np.pi * x[..., 0]))
    + ATTRACTION
)  # fmt: skip


@pytest.mark.parametrize("time", TIMES)
def test_a_density_that_nothing_moves_stays_and_has_a_finite_step(time):
    flat = wgf.potential(lambda x: 0 * x[..., 0])
    problem = wgf.Problem(flat, initial=wgf.Uniform((-1, 1)), bounds=(-2, 2))
    scheme = AggregationDiffusion(cells=20, time=time)
    run = wgf.solve(problem, scheme, t_end=0.1, dt=0.05)
    np.testing.assert_array_equal(run.final.values, scheme.init(problem, None).rho)
    assert 0 < scheme.suggest_dt(problem) < 1


@pytest.mark.parametrize("time", TIMES)
def test_it_passes_the_conformance_suite(time):
    report = check_scheme(
        AggregationDiffusion(cells=48, time=time), problems=default_problems()[:1], strict=True
    )
    assert report.passed, str(report)


@pytest.mark.parametrize(
    ("problem", "settings", "words"),
    [
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(np.zeros(4), 1.0)), {}, "one to three dimensions, got 4"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1.0)), {}, "needs a box"),
        (wgf.Problem(wgf.internal(0.7), initial=wgf.Gaussian(0, 1.0), bounds=(-3, 3)), {"time": "ssp-rk3"}, "m < 1"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian([0, 0], 1.0), bounds=[(-3, 3)] * 2), {"cells": (8, 8, 8)},
         "cells for 3 axes"),
        (wgf.Problem(wgf.entropy(), initial=wgf.Gaussian([0, 0], 1.0), bounds=[(-3, 3)] * 2), {"cells": 2000},
         "4,000,000 cells are more"),
    ],
)  # fmt: skip
def test_what_it_cannot_solve_is_refused_with_the_reason(problem, settings, words):
    assert words in AggregationDiffusion(**settings).supports(problem)
    with pytest.raises(wgf.SchemeError, match="AggregationDiffusion cannot solve this problem"):
        wgf.solve(problem, AggregationDiffusion(**settings), t_end=0.1, dt=0.1)


@pytest.mark.parametrize(
    "settings", [{"time": "explicit"}, {"flux": "central"}, {"peak": 1.5}, {"cells": 1}, {"tol": 1}]
)
def test_bad_settings_are_refused_by_name(settings):
    with pytest.raises((ValueError, TypeError), match=next(iter(settings))):
        AggregationDiffusion(**settings)


@pytest.mark.parametrize("flux", ["limited", "upwind"])
@pytest.mark.parametrize("boundary", ["noflux", "periodic"])
def test_an_implicit_step_solves_its_equation(boundary, flux):
    """rho' - rho = dt inflow at rho' with W * (rho + rho')/2, ratios of the old density: by the kernel's reference."""
    rng, n, dt = np.random.default_rng(0), 30, 0.05
    problem = wgf.Problem(MIXED, initial=wgf.Gaussian(0.5, 0.01), bounds=(0.0, 1.0), boundary=boundary)
    scheme = AggregationDiffusion(cells=n, flux=flux)
    rho = 0.2 + rng.random(n)
    after = scheme.step(problem, AggregationState(rho), dt, None)[0].rho
    grid, periodic = problem.grid(n), boundary == "periodic"
    ((c, term),) = problem.energy.interactions
    V = problem.energy.potential_value(grid.centers)

    def zeta(u, middle):
        return 0.2 * u + V + c * term.convolve(wgf.Density(grid, middle))

    start, end = zeta(rho, rho), zeta(after, 0.5 * (rho + after))
    p = q = np.ones(n)
    if flux == "limited":
        p, q = face_ratios(rho, np.roll(start, -1) - start, 0.05, 0, periodic)
    up, down = jump_rates(np.roll(end, -1) - end + 0.05 * np.log(p / q), 0.05, 1 / n)
    passed = up * p * after - down * q * np.roll(after, -1)
    if not periodic:
        passed[-1] = 0.0
    np.testing.assert_allclose(after - rho, -dt * (passed - np.roll(passed, 1)), rtol=0, atol=1e-11)
    assert np.abs(after - rho).max() > 0.05


def test_newtons_method_converges_in_a_few_iterations():
    """With the exact Jacobian four or five bring a step to rounding, at a free boundary and with W."""
    for problem in (wgf.problems.barenblatt(dimension=1, m=2), torus(MIXED)):
        scheme = AggregationDiffusion(cells=32)
        _, info = scheme.step(problem, scheme.init(problem, None), 0.02, None)
        assert 2 <= info.iterations <= 5
        assert info.residual < 1e-11


def test_its_energy_is_the_energy_of_the_measure():
    problem = torus(MIXED)
    scheme = AggregationDiffusion(cells=32)
    state = scheme.init(problem, None)
    np.testing.assert_allclose(
        scheme.energy(problem, state), problem.energy.value(scheme.measure(problem, state)), rtol=1e-13
    )


@functools.cache
def exact_in_time(flux, t_end):
    scheme = AggregationDiffusion(cells=32, time="ssp-rk3", flux=flux)
    return wgf.solve(torus(MIXED), scheme, t_end=t_end, dt=4e-5).final.values


def time_errors(time, flux, steps, t_end=0.1):
    problem, found = torus(MIXED), []
    for count in steps:
        run = wgf.solve(
            problem, AggregationDiffusion(cells=32, time=time, flux=flux), t_end=t_end, dt=t_end / count
        )
        assert run.stats["fallback_steps"] == 0
        assert run.stats["substeps"] == count
        found.append(np.abs(run.final.values - exact_in_time(flux, t_end)).mean())
    return np.array(found)


@pytest.mark.parametrize("flux", ["limited", "upwind"])
@pytest.mark.parametrize(
    ("time", "steps", "order", "bound"),
    [("implicit", (80, 160), 1, 5e-3), ("sdirk2", (20, 40), 2, 1e-5), ("ssp-rk3", (200, 400), 3, 2e-9)],
)
def test_each_time_scheme_has_its_order(time, flux, steps, order, bound):
    errors = time_errors(time, flux, steps)
    assert abs(np.log2(errors[0] / errors[1]) - order) < 0.06
    assert errors[-1] < bound


@pytest.mark.parametrize(("time", "bound"), [("implicit", 1e-3), ("sdirk2", 1e-5)])
def test_the_dissipation_defect_vanishes_with_the_square_of_the_step(time, bound):
    """De Giorgi's functional: half the square of velocity minus gradient, plus a midpoint rule."""
    defects = []
    for steps in (20, 40, 80):
        run = wgf.solve(
            torus(MIXED), AggregationDiffusion(cells=32, time=time), t_end=0.1, dt=0.1 / steps,
            record=["dissipation"],
        )  # fmt: skip
        defects.append(abs(run.dissipation_defect()))
    dropped = run.stats["energy_start"] - run.stats["energy_end"]
    assert abs(np.log2(defects[-2] / defects[-1]) - 2) < 0.15
    assert defects[-1] < bound * dropped


def test_a_flow_with_a_drift_has_no_dissipation_defect():
    problem = torus(MIXED, drift=lambda x: np.ones_like(x))
    with pytest.raises(wgf.SchemeError, match="dissipation"):
        wgf.solve(problem, AggregationDiffusion(cells=32), t_end=0.1, dt=0.05, record=["dissipation"])


@pytest.mark.parametrize("time", TIMES)
def test_a_drift_carries_a_wave_round_the_circle(time):
    """d_t rho + c rho' = D rho'': the wave turns by c t and decays by exp(-4 pi^2 D t)."""
    D, c, t = 0.02, 1.5, 0.2
    problem = torus(D * wgf.entropy(), cells=128, drift=lambda x: np.full_like(x, c))
    run = wgf.solve(problem, AggregationDiffusion(cells=128, time=time), t_end=t, dt=t / 80)
    x, k = run.final.grid.axes[0], 2 * np.pi
    bound = 2e-2 if time == "implicit" else 2e-3
    for speed, close in ((c, True), (-c, False)):
        exact = 1 + 0.5 * np.exp(-(k**2) * D * t) * np.cos(k * (x - speed * t) + 0.3)
        assert (np.abs(run.final.values - exact).mean() < bound) == close


@pytest.mark.parametrize("time", TIMES)
def test_a_source_is_followed_in_time(time):
    """rho = 1 + 0.5 e^-t cos(2 pi x) under d_t rho = (rho^2)'' + s, s from the formula, mass added by 0.3 t."""
    k = 2 * np.pi

    def source(x, t):
        wave, slope = 0.5 * np.exp(-t) * np.cos(k * x[..., 0]), -0.5 * k * np.exp(-t) * np.sin(k * x[..., 0])
        rho = 1 + 0.3 * t + wave
        return 0.3 - wave - (2 * slope**2 - 2 * k**2 * rho * wave)

    grid, t = wgf.Grid((0.0, 1.0), 32, "periodic"), 0.1
    sinc = np.sinc(1 / 32)
    start = wgf.Density(grid, 1 + 0.5 * sinc * np.cos(k * grid.axes[0]))
    problem = wgf.Problem(
        wgf.internal(2), initial=start, bounds=(0.0, 1.0), boundary="periodic", source=source
    )
    run = wgf.solve(problem, AggregationDiffusion(cells=32, time=time), t_end=t, dt=0.01)
    exact = 1 + 0.3 * t + 0.5 * sinc * np.exp(-t) * np.cos(k * grid.axes[0])
    assert np.abs(run.final.values - exact).mean() < 5e-3
    assert np.abs(start.values - exact).mean() > 1.5e-2
    if time == "ssp-rk3":
        assert abs(run.final.mass - 1.03) < 1e-12


@pytest.mark.parametrize("time", TIMES)
def test_a_moving_potential_carries_the_mean(time):
    """V = (x - t)^2/2: the mean follows m' = t - m, m = t - 1 + e^-t, and lags by 1 - e^-t."""
    energy = 0.1 * wgf.entropy() + wgf.potential(lambda x, t: 0.5 * (x[..., 0] - t) ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(0.0, 0.1), bounds=(-3.0, 4.0))
    run = wgf.solve(problem, AggregationDiffusion(cells=200, time=time), t_end=1.0, dt=0.02)
    assert abs(float(run.final.mean()[0]) - np.exp(-1.0)) < (1e-2 if time == "implicit" else 1e-3)


@pytest.mark.parametrize("time", TIMES)
def test_no_mass_enters_an_obstacle_or_passes_it(time):
    def wall(x):
        return np.where(np.abs(x[..., 0] - 0.5) < 0.1, np.inf, -2 * x[..., 0])

    grid = wgf.Grid((0.0, 1.0), 40)
    values = np.where(grid.axes[0] < 0.3, 1.0, 0.0)
    start = wgf.Density(grid, values / (values.sum() * grid.volume))
    problem = wgf.Problem(0.1 * wgf.internal(2) + wgf.potential(wall), initial=start, bounds=(0.0, 1.0))
    run = wgf.solve(problem, AggregationDiffusion(cells=40, time=time), t_end=0.4, dt=0.02, record=["energy"])
    assert run.final.values[grid.axes[0] > 0.4].max() == 0.0
    assert abs(run.final.mass - 1) < 1e-12
    assert run.final.values[grid.axes[0] < 0.4].argmax() == 15  # it piles up at the wall
    assert run.record["energy"][-1] < run.record["energy"][0]


def test_a_step_that_goes_negative_is_replaced_and_says_so():
    """Support receding over many cells in one step: sdirk2 extrapolates below zero and gives way."""
    problem = wgf.problems.barenblatt(dimension=1, m=2, t0=1.0, confinement=4.0)
    scheme = AggregationDiffusion(cells=100, time="sdirk2")
    state = scheme.init(problem, None)
    after, info = scheme.step(problem, state, 0.3, None)
    assert not info.accepted
    assert info.substeps == 2
    assert after.rho.min() >= 0
    small, info = scheme.step(problem, state, 1e-4, None)
    assert info.accepted
    assert small.rho.min() >= 0


def test_explicit_substeps_obey_both_limits():
    """Substeps grow as 1/h for transport and as 1/h^2 for diffusion."""
    counts = {}
    for name, energy in (("transport", QUADRATIC), ("diffusion", wgf.entropy())):
        for cells in (100, 200, 400):
            problem = wgf.Problem(energy, initial=wgf.Gaussian(0.5, 0.3), bounds=(-3.0, 3.0))
            scheme = AggregationDiffusion(cells=cells, time="ssp-rk3")
            counts[name, cells] = scheme.step(problem, scheme.init(problem, None), 0.2, None)[1].substeps
    assert 1.7 < counts["transport", 400] / counts["transport", 200] < 2.3
    assert 3.6 < counts["diffusion", 400] / counts["diffusion", 200] < 4.4


def test_concentration_is_the_share_in_one_block():
    problem = wgf.problems.keller_segel()
    scheme = AggregationDiffusion(cells=8)
    rho = np.zeros((8, 8))
    rho[3, 4] = rho[4, 5] = 1.0
    assert scheme.concentration(problem, AggregationState(rho)) == 1.0
    assert scheme.concentration(problem, AggregationState(np.ones((8, 8)))) == 4 / 64


def test_a_run_ends_where_the_mass_stands_in_few_cells():
    problem = wgf.problems.quadratic_aggregation(dimension=1, diffusion=0.0)
    scheme = AggregationDiffusion(cells=60, time="ssp-rk3", peak=0.5)
    run = wgf.solve(problem, scheme, t_end=10.0, dt=0.1, on_failure="return")
    assert run.status == "diverged"
    assert 0.5 < run.times[-1] < 5.0
    free = wgf.solve(problem, AggregationDiffusion(cells=60, time="ssp-rk3"), t_end=10.0, dt=0.1)
    assert free.status == "finished"


def test_an_iteration_that_may_not_converge_says_what_to_change():
    problem = wgf.Problem(wgf.internal(2), initial=wgf.Gaussian(0.5, 0.01), bounds=(0.0, 1.0))
    with pytest.raises(
        wgf.ConvergenceError, match="did not converge to tol = 1.0e-11 in 1 iterations.*smaller dt"
    ):
        wgf.solve(problem, AggregationDiffusion(cells=40, iterations=1), t_end=1.0, dt=1.0)


@pytest.mark.parametrize("d", [1, 2])
def test_the_suggested_step_follows_the_flow_to_a_few_per_cent(d):
    problem = wgf.problems.barenblatt(dimension=d, m=2)
    scheme = AggregationDiffusion(cells=40)
    dt = scheme.suggest_dt(problem)
    run = wgf.solve(problem, scheme, t_end=0.5, dt=dt)
    assert wgf.distance(run.final, problem.exact(0.5), "l1") < 0.05
    assert 1e-3 < dt < 0.5


def test_three_dimensions_are_solved():
    problem = wgf.problems.barenblatt(dimension=3, m=2)
    for time in TIMES:
        run = wgf.solve(problem, AggregationDiffusion(cells=14, time=time), t_end=0.2, dt=0.1)
        assert wgf.distance(run.final, problem.exact(0.2), "l1") < 0.08
        assert abs(run.final.mass - 1) < 1e-12


def test_checkpoints_and_files_hold_a_run(tmp_path):
    problem = wgf.problems.keller_segel()
    scheme = AggregationDiffusion(cells=16)
    path = str(tmp_path / "run.npz")
    wgf.solve(problem, scheme, t_end=0.1, dt=0.05, checkpoint=path)
    again = wgf.solve(problem, scheme, t_end=0.1, dt=0.05)
    np.testing.assert_array_equal(wgf.load(path).final.values, again.final.values)


def test_advice_for_fast_diffusion_names_only_schemes_that_take_it() -> None:
    """Explicit steps refuse m < 1, so a failing implicit one must not recommend them."""
    energy = wgf.internal(0.5) + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    problem = wgf.Problem(energy, initial=wgf.Uniform((-1, 1)), bounds=(-6, 6))
    with pytest.raises(ConvergenceError, match="QuantileJKO") as caught:
        wgf.solve(problem, AggregationDiffusion(cells=200), t_end=0.05, dt=0.05)
    assert "ssp-rk3" not in str(caught.value)
    assert QuantileJKO().supports(problem) is None
