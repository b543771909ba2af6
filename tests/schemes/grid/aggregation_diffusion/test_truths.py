"""AggregationDiffusion against exact solutions: porous medium, aggregation, equilibria, Keller-Segel.

Bounds are about twice what was measured; each control shows that the test would see a wrong formula.
"""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

import wgf
from wgf.energies.kernels import Newtonian, PowerLaw
from wgf.measures.averages import cell_averages
from wgf.schemes import FokkerPlanck
from wgf.schemes.grid.aggregation_diffusion import AggregationDiffusion


def final(problem, t_end, steps, **settings):
    run = wgf.solve(problem, AggregationDiffusion(**settings), t_end=t_end, dt=t_end / steps)
    assert run.stats["fallback_steps"] == 0
    return run


def l1_errors(make, t_end, cells, steps, **settings):
    problem = make()
    return np.array([
        wgf.distance(final(problem, t_end, steps(n), cells=n, **settings).final, problem.exact(t_end), "l1")
        for n in cells
    ])  # fmt: skip


def order(errors, factor=2.0):
    return np.log(errors[-2] / errors[-1]) / np.log(factor)


@pytest.mark.parametrize(
    ("d", "m", "flux", "cells", "least", "bound"),
    [
        (1, 2, "limited", (100, 200), 1.7, 2e-4),
        (1, 2, "upwind", (100, 200), 0.85, 6e-3),
        (1, 3, "limited", (100, 200), 0.9, 1e-3),
        (2, 2, "limited", (32, 64), 1.6, 2e-3),
        (2, 2, "upwind", (32, 64), 0.7, 3e-2),
        (2, 3, "limited", (32, 64), 0.9, 4e-3),
    ],
)
def test_a_barenblatt_profile_spreads_as_it_should(d, m, flux, cells, least, bound):
    """Free boundaries: L1 order near 2 for m = 2 and 1 for m = 3 (a root at the edge), 1 upwind."""
    errors = l1_errors(
        lambda: wgf.problems.barenblatt(dimension=d, m=m), 0.5, cells, lambda n: 1, time="ssp-rk3", flux=flux
    )
    assert errors[-1] < bound
    assert order(errors) > least
    late = wgf.problems.barenblatt(dimension=d, m=m).exact(0.55)
    early = wgf.problems.barenblatt(dimension=d, m=m).exact(0.5)
    grid = wgf.problems.barenblatt(dimension=d, m=m).grid(cells[-1])
    gap = wgf.distance(wgf.Density.from_measure(early, grid), wgf.Density.from_measure(late, grid), "l1")
    assert gap > 0.25 * bound  # a clock a tenth off would show


@pytest.mark.parametrize("time", ["implicit", "sdirk2", "ssp-rk3"])
def test_a_confined_porous_medium_reaches_the_profile_of_its_clock(time):
    problem = wgf.problems.barenblatt(dimension=1, m=2, t0=0.05, confinement=1.0)
    run = final(problem, 0.2, 40, cells=120, time=time)
    bound = 7e-3 if time == "implicit" else 8e-4
    assert wgf.distance(run.final, problem.exact(0.2), "l1") < bound
    assert wgf.distance(run.final, problem.exact(0.22), "l1") > 2 * bound


def test_fast_diffusion_is_second_order_with_a_tail():
    problem = wgf.problems.barenblatt(dimension=1, m=0.6, bounds=(-60.0, 60.0))
    errors = l1_errors(lambda: problem, 0.5, (200, 400), lambda n: n // 20, time="sdirk2")
    assert errors[-1] < 1.5e-3
    assert order(errors) > 1.8


@pytest.mark.parametrize("diffusion", [0.5, 0.0])
@pytest.mark.parametrize("d", [1, 2])
def test_quadratic_aggregation_gathers_around_its_mean(d, diffusion):
    problem = wgf.problems.quadratic_aggregation(dimension=d, diffusion=diffusion)
    errors = l1_errors(lambda: problem, 0.3, (24, 48), lambda n: 1, time="ssp-rk3")
    assert order(errors) > 1.4
    assert errors[-1] < (4e-3 if diffusion else 4e-2)
    run = final(problem, 0.3, 12, cells=48, time="sdirk2")
    assert wgf.distance(run.final, problem.exact(0.3), "l1") < (4e-3 if diffusion else 4e-2)
    assert_allclose(run.final.mean(), problem.exact(0.3).mean(), atol=1e-9)
    assert wgf.distance(run.final, problem.exact(0.36 if diffusion else 0.4), "l1") > (
        4e-3 if diffusion else 4e-2
    )


def test_without_internal_and_interaction_terms_the_upwind_flux_is_fokker_planck():
    """The same equations solved by other means: backward Euler on Scharfetter-Gummel rates."""
    energy = 0.7 * wgf.entropy() + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(-0.5, 0.1), bounds=(-2.5, 2.5))
    runs = [
        wgf.solve(problem, scheme, t_end=0.4, dt=0.05).final.values
        for scheme in (
            AggregationDiffusion(cells=90, flux="upwind"), FokkerPlanck(cells=90, time="backward-euler"),
        )
    ]  # fmt: skip
    assert_allclose(runs[0], runs[1], rtol=1e-9, atol=1e-13)
    other = wgf.solve(
        problem, AggregationDiffusion(cells=90, flux="limited"), t_end=0.4, dt=0.05
    ).final.values
    assert np.abs(other - runs[1]).max() > 1e-5


def multiplier(scheme, problem, state):
    """xi on the cells that carry mass, and the spread of it there."""
    xi = problem.energy.first_variation(scheme.measure(problem, state))
    full = state.rho > 1e-8 * state.rho.max()
    return xi[full], float(np.ptp(xi[full]))


@pytest.mark.parametrize("flux", ["limited", "upwind"])
@pytest.mark.parametrize("name", ["porous medium", "mixed", "aggregation"])
def test_at_rest_the_first_variation_is_constant_on_the_support(name, flux):
    quadratic = wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    energy = {
        "porous medium": wgf.internal(2) + quadratic,
        "mixed": 0.3 * wgf.entropy() + wgf.internal(3) + wgf.interaction(lambda z: 0.5 * (z**2).sum(-1)),
        "aggregation": wgf.internal(2) + wgf.interaction(lambda z: -2 * np.exp(-(z**2).sum(-1))),
    }[name]
    middle = 0.1 if name == "porous medium" else 0.0  # else it would drift to the lattice's nearest symmetry
    problem = wgf.Problem(energy, initial=wgf.Gaussian(middle, 0.3), bounds=(-3.0, 3.0))
    scheme = AggregationDiffusion(cells=60, flux=flux)
    state = scheme.init(problem, None)
    assert multiplier(scheme, problem, state)[1] > 1e-2
    for _ in range(120):
        state, _ = scheme.step(problem, state, 1.0, None)
    assert multiplier(scheme, problem, state)[1] < 1e-10
    again, _ = scheme.step(problem, state, 1.0, None)
    assert_allclose(again.rho, state.rho, atol=1e-10 * state.rho.max())


def test_the_equilibrium_of_the_porous_medium_is_the_parabola_of_mass_1():
    """xi = 2 rho + x^2/2 = C on the support: rho = (C - x^2/2)_+ / 2, mass 1 gives C = (3 / (2 sqrt 2))^(2/3)."""
    problem = wgf.Problem(
        wgf.internal(2) + wgf.potential(lambda x: 0.5 * (x**2).sum(-1)),
        initial=wgf.Gaussian(0.3, 0.3), bounds=(-3.0, 3.0),
    )  # fmt: skip
    errors = []
    for cells in (60, 120, 240):
        run = final(problem, 60.0, 30, cells=cells)
        level = (3 / (2 * 2**0.5)) ** (2 / 3)  # mass of the parabola: (2/3) C^(3/2) sqrt(2)
        exact = cell_averages(
            lambda x, c=level: np.clip(c - 0.5 * x[..., 0] ** 2, 0, None) / 2, run.final.grid
        )
        assert abs(exact.sum() * run.final.grid.volume - 1) < 1e-4
        errors.append(np.abs(run.final.values - exact).sum() * run.final.grid.volume)
    assert errors[-1] < 2e-4
    assert errors[0] / errors[-1] > 8


def test_the_ring_of_the_plane_has_its_radius_energy_and_second_moment():
    """W = |z|^4/4 - |z|^2/2: radius 1/sqrt(3), energy -1/12, second moment 1/3, cov = I/6; a blob starts at more."""
    problem = wgf.Problem(
        wgf.interaction(PowerLaw(4, 2)),
        initial=wgf.Gaussian([0.05, 0.0], [0.04, 0.05]),
        bounds=[(-1.0, 1.0)] * 2,
    )
    scheme = AggregationDiffusion(cells=48, time="ssp-rk3")
    run = wgf.solve(problem, scheme, t_end=16.0, dt=1.0, record=["energy"])
    h = float(run.final.grid.spacing[0])
    assert np.diff(run.record["energy"]).max() <= 0
    assert abs(run.record["energy"][-1] + 1 / 12) < 1e-3
    radius = np.sqrt((run.final.grid.centers**2).sum(-1))
    mean_radius = float((run.final.cell_masses * radius).sum())
    assert abs(mean_radius - 3**-0.5) < 0.5 * h
    assert_allclose(run.final.cov() - h**2 / 12 * np.eye(2), np.eye(2) / 6, atol=0.01)
    assert run.final.cell_masses[np.abs(radius - 3**-0.5) > 4 * h].sum() < 1e-3


def test_logarithmic_repulsion_fills_the_unit_disc_evenly():
    """W = |z|^2/2 - log|z|: density 1/pi on |x| < 1, energy 3/8."""
    problem = wgf.Problem(
        wgf.interaction(PowerLaw(2, 0)), initial=wgf.Gaussian([0.0, 0.0], 0.2), bounds=[(-2.0, 2.0)] * 2
    )
    run = wgf.solve(
        problem, AggregationDiffusion(cells=64, time="ssp-rk3"), t_end=5.0, dt=1.0, record=["energy"]
    )
    radius = np.sqrt((run.final.grid.centers**2).sum(-1))
    assert abs(run.record["energy"][-1] - 3 / 8) < 1e-3
    assert_allclose(run.final.values[radius < 0.9], 1 / np.pi, rtol=2e-2)
    assert run.final.cell_masses[radius > 1.1].sum() < 1e-3
    assert abs(run.record["energy"][0] - 3 / 8) > 1e-2


# ---------------------------------------------------------------------------------------- Keller-Segel


def point_moment(density):
    """The second moment of the masses at the cell centres around their mean."""
    return float(np.trace(density.cov()) - (density.grid.spacing**2).sum() / 12)


@pytest.mark.parametrize("mass", [4 * np.pi, 8 * np.pi])
def test_keller_segel_obeys_its_moment_law(mass):
    """m2(t) = m2(0) + 4 (1 - M/(8 pi)) t: second order in h; at 8 pi it stands still."""
    problem, t = wgf.problems.keller_segel(mass=mass), 0.1
    errors = []
    for cells in (32, 64):
        run = final(problem, t, 1, cells=cells, time="ssp-rk3")
        start, end = point_moment(run.measures[0]), point_moment(run.final)
        errors.append(abs(end - wgf.problems.keller_segel_second_moment(t, mass, start)))
    assert errors[-1] < 2e-3
    assert errors[-1] < 0.45 * errors[0]
    wrong = wgf.problems.keller_segel_second_moment(t, 1.03 * mass, start)
    assert abs(end - wrong) > 2e-3


def test_keller_segel_blows_up_before_the_bound_above_the_critical_mass_and_not_below():
    below = wgf.problems.keller_segel(mass=6 * np.pi, bounds=(-3.5, 3.5))
    scheme = AggregationDiffusion(cells=40, time="ssp-rk3", peak=0.25)
    assert wgf.solve(below, scheme, t_end=0.2, dt=0.02).status == "finished"
    mass = 24 * np.pi
    above = wgf.problems.keller_segel(mass=mass, bounds=(-3.0, 3.0))
    bound = wgf.problems.keller_segel_blow_up_time(mass, 0.5)
    times = []
    for cells in (40, 80):
        scheme = AggregationDiffusion(cells=cells, time="ssp-rk3", peak=0.5 * 8 * np.pi / mass)
        with pytest.raises(
            wgf.DivergedError, match="the share .* of the mass stands in one block of 2 x 2"
        ) as caught:
            wgf.solve(above, scheme, t_end=2 * bound, dt=bound / 25)
        stats = caught.value.trajectory.stats
        times.append((stats["steps"] + 1) * stats["dt"])
    assert 0.2 * bound < times[0] <= bound
    assert 0.2 * bound < times[1] <= bound
    assert abs(times[1] - times[0]) <= 0.25 * bound  # more cells do not delay it


def test_attraction_by_the_green_function_needs_the_sign():
    """The positive Green function repels: the second moment then grows faster than by diffusion alone."""
    start = wgf.Gaussian([0.0, 0.0], 0.25)
    moments = {}
    for strength in (-5.0, 5.0):
        problem = wgf.Problem(
            wgf.entropy() + wgf.interaction(Newtonian(2, strength=strength)),
            initial=start,
            bounds=[(-4.0, 4.0)] * 2,
        )
        moments[strength] = point_moment(final(problem, 0.1, 1, cells=40, time="ssp-rk3").final)
    assert_allclose(moments[5.0] - moments[-5.0], 2 * 5.0 * 4 / (8 * np.pi) * 0.1, rtol=2e-2)
