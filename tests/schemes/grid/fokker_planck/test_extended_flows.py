"""FokkerPlanck with mobilities, drifts and obstacles against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import cumulative_simpson

import wgf
from wgf.errors import SchemeError
from wgf.measures.averages import cell_averages
from wgf.problems.ornstein_uhlenbeck import ornstein_uhlenbeck_path
from wgf.schemes.grid.fokker_planck.scheme import FokkerPlanck, FokkerPlanckState

M2 = np.array([[1.0, 0.6], [0.6, 0.8]])
K2 = np.array([[1.2, -0.3], [-0.3, 0.9]])
M3 = np.array([[1.0, 0.4, -0.2], [0.4, 0.8, 0.3], [-0.2, 0.3, 0.9]])
BOX = (-8.0, 8.0)


def quadratic(K):
    return wgf.potential(lambda x: 0.5 * ((x @ K) * x).sum(-1))


def error(problem, scheme, exact, t_end, steps):
    """L1 error of cell averages; refuses runs with fallback steps or lost mass."""
    run = wgf.solve(problem, scheme, t_end=t_end, dt=t_end / steps)
    assert run.stats["fallback_steps"] == 0
    assert abs(run.final.mass - 1) < 1e-12
    grid = run.final.grid
    values = wgf.Density.from_measure(exact, grid).values if hasattr(exact, "pdf") else exact(grid)
    return float(np.abs(run.final.values - values).sum() * grid.volume)


def orders(errors):
    errors = np.array(errors)
    return np.log2(errors[:-1] / errors[1:])


# ------------------------------------------------------------------------- constant mobilities, drifts


def linear_flow(A, M, mean=(1.5, -1.0), cov=0.4, box=BOX):
    """d_t rho = div(rho A x) + div(M grad rho): the gradient part as a potential, the rest as a drift."""
    S = np.linalg.solve(M, A)
    rest = A - M @ (0.5 * (S + S.T))
    return wgf.Problem(
        wgf.entropy() + quadratic(0.5 * (S + S.T)),
        initial=wgf.Gaussian(np.array(mean), cov),
        bounds=(box,) * len(A),
        mobility=None if np.array_equal(M, np.eye(len(A))) else wgf.Mobility(M),
        drift=None if np.abs(rest).max() < 1e-14 else lambda x: -x @ rest.T,
        exact=ornstein_uhlenbeck_path(A, M, np.array(mean), cov),
    )


LINEAR = {
    "tensor": (M2 @ K2, M2, 8e-3),
    "diagonal": (np.diag([2.0, 0.5]) @ K2, np.diag([2.0, 0.5]), 7e-3),
    "circulating": (np.array([[1.0, 1.5], [-1.0, 0.8]]), np.eye(2), 1e-2),
    "circulating, tensor": (np.array([[0.9, 1.0], [-0.6, 0.9]]), M2, 2.3e-2),
}


@pytest.mark.parametrize("name", LINEAR)
def test_gaussians_follow_the_ornstein_uhlenbeck_formula_to_second_order(name):
    A, M, bound = LINEAR[name]
    problem = linear_flow(A, M)
    errors = [error(problem, FokkerPlanck(cells=n), problem.exact(1.0), 1.0, n) for n in (32, 64, 128)]
    assert np.all(np.abs(orders(errors) - 2) < 0.25)
    assert abs(orders(errors)[-1] - 2) < 0.1
    assert errors[1] < bound


def test_a_tensor_in_three_dimensions_follows_the_formula():
    problem = linear_flow(M3 @ (0.8 * np.eye(3)), M3, (0.5, -0.4, 0.2), 0.8, (-4.5, 4.5))
    errors = [error(problem, FokkerPlanck(cells=n), problem.exact(0.3), 0.3, n // 2) for n in (10, 20)]
    assert abs(orders(errors)[0] - 2) < 0.35
    assert errors[-1] < 2.5e-2


@pytest.mark.parametrize(("time", "order", "bound"), [("tr-bdf2", 2, 1e-4), ("backward-euler", 1, 4e-3)])
@pytest.mark.parametrize("name", ["tensor", "circulating"])
def test_time_orders_with_a_tensor_and_with_a_drift(name, time, order, bound):
    A, M, _ = LINEAR[name]
    problem, scheme = linear_flow(A, M, (1.0, -0.5), 1.0), FokkerPlanck(cells=40, time=time)
    results = [wgf.solve(problem, scheme, t_end=1.0, dt=1 / steps).final for steps in (16, 32, 64, 128)]
    gaps = [
        np.abs(a.values - b.values).sum() * a.grid.volume for a, b in zip(results, results[1:], strict=False)
    ]
    assert np.all(np.abs(orders(gaps) - order) < 0.2)
    assert gaps[-1] < bound


def test_a_moving_drift_is_followed_to_second_order():
    # b = cos 2t carries the mean by sin(2t)/2 against the pull of x^2/2
    problem = wgf.Problem(
        wgf.entropy() + quadratic(np.eye(1)),
        initial=wgf.Gaussian(0.0, 0.5),
        bounds=(-7, 7),
        drift=lambda x, t: np.cos(2 * t) + 0 * x,
    )
    exact = (np.cos(2.0) + 2 * np.sin(2.0) - np.exp(-1.0)) / 5
    scheme = FokkerPlanck(cells=200)
    means = [wgf.solve(problem, scheme, t_end=1.0, dt=1 / n).final.mean()[0] for n in (10, 20, 40, 80)]
    assert np.all(np.abs(orders(np.abs(np.diff(means))) - 2) < 0.1)
    assert abs(means[-1] - exact) < 3e-4


def test_a_drift_around_the_circle_ends_in_a_steady_current():
    """rho' + rho (V' - b) = -J has the periodic solution e^-U (c - J int e^U), U = V - b x."""
    b, k = 1.5, 2 * np.pi
    V = lambda x: np.cos(k * x[..., 0])  # noqa: E731
    x = np.linspace(0, 1, 20_001)
    U = np.cos(k * x) - b * x
    inner = cumulative_simpson(np.exp(U), x=x, initial=0)
    c = inner[-1] / (1 - np.exp(-b))  # of rho(0) = rho(1) with J = 1
    rest = np.exp(-U) * (c - inner)
    total = cumulative_simpson(rest, x=x, initial=0)
    errors = []
    for n in (20, 40, 80, 160):
        problem = wgf.Problem(
            wgf.entropy() + wgf.potential(V),
            initial=wgf.Uniform((0.0, 1.0)),
            bounds=(0.0, 1.0),
            boundary="periodic",
            drift=lambda x: np.full(x.shape, b),
        )
        found = wgf.solve(problem, FokkerPlanck(cells=n), t_end=3.0, dt=0.1).final.values
        exact = np.diff(np.interp(np.linspace(0, 1, n + 1), x, total)) / total[-1] * n
        errors.append(np.abs(found - exact).mean())
    assert np.all(np.abs(orders(errors) - 2) < 0.05)
    assert errors[-1] < 4e-4


# ------------------------------------------------------------------------------- variable mobilities


def stretched(form, d=1, a=0.5, D=0.5):
    """An Ornstein-Uhlenbeck process seen through x = sinh(a y)/a per axis: M = 1 + a^2 x^2.

    dX = -M V' dt + (D/2) M' dt + sqrt(2 D M) dB with V = y^2/2; the forms differ in how much of the middle
    term they hold themselves, and the potential holds the rest: V -+ (D/2) log M.
    """
    M = lambda x: 1 + (a * x) ** 2  # noqa: E731
    sign = 0.5 if form == "fick" else -0.5
    V = lambda x: (0.5 * (np.arcsinh(a * x) / a) ** 2 + sign * D * np.log(M(x))).sum(-1)  # noqa: E731
    mean, var = 0.8, 0.3

    def density(t):
        m, v = mean * np.exp(-t), D + (var - D) * np.exp(-2 * t)

        def pdf(x):
            y = np.arcsinh(a * x) / a
            return (np.exp(-0.5 * (y - m) ** 2 / v) / np.sqrt(2 * np.pi * v * M(x))).prod(axis=-1)

        return lambda grid: cell_averages(pdf, grid)

    def problem(cells):
        grid = wgf.Grid(((-12.0, 12.0),) * d, cells)
        return wgf.Problem(
            D * wgf.entropy() + wgf.potential(V),
            initial=wgf.Density(grid, density(0.0)(grid)),
            bounds=grid.bounds,
            mobility=wgf.Mobility(M if d > 1 else lambda x: M(x[..., 0]), form=form),
        )

    return problem, density


@pytest.mark.parametrize("time", ["tr-bdf2", "exponential"])
@pytest.mark.parametrize("form", ["fick", "ito"])
def test_variable_diffusion_follows_a_stretched_ornstein_uhlenbeck_process(form, time):
    problem, density = stretched(form)
    errors = [
        error(problem(n), FokkerPlanck(cells=n, time=time), density(0.5), 0.5, n // 4) for n in (60, 120, 240)
    ]
    assert np.all(np.abs(orders(errors) - 2) < 0.15)
    assert errors[-1] < 1.2e-3


@pytest.mark.parametrize("form", ["fick", "ito"])
def test_diagonal_diffusion_follows_the_same_process_on_each_axis(form):
    problem, density = stretched(form, d=2)
    errors = [error(problem(n), FokkerPlanck(cells=n), density(0.5), 0.5, n // 4) for n in (48, 96)]
    assert abs(orders(errors)[0] - 2) < 0.3
    assert errors[-1] < 2e-2


# --------------------------------------------------------------------------------------- obstacles


def reflected(variance, grid):
    """Cell averages of N(0, variance) and of its image at 2, on x < 1."""

    def pdf(x):
        both = sum(np.exp(-0.5 * (x[..., 0] - m) ** 2 / variance) for m in (0.0, 2.0))
        return np.where(x[..., 0] < 1, both / np.sqrt(2 * np.pi * variance), 0.0)

    return cell_averages(pdf, grid)


def test_a_wall_reflects_heat_like_an_image_source():
    """V = +inf on x > 1: the heat equation on the half line, rho(x) + rho(2 - x)."""
    wall = lambda x: np.where(x[..., 0] < 1, 0.0, np.inf)  # noqa: E731
    errors = []
    for n in (40, 80, 160, 320):
        grid = wgf.Grid((-4.0, 4.0), n)
        problem = wgf.Problem(
            wgf.entropy() + wgf.potential(wall),
            initial=wgf.Density(grid, reflected(0.02, grid)),
            bounds=(-4, 4),
        )
        errors.append(error(problem, FokkerPlanck(cells=n), lambda g: reflected(0.52, g), 0.25, n))
    assert np.all(np.abs(orders(errors) - 2) < 0.15)
    assert errors[-1] < 2e-4


def test_rooms_behind_a_closed_wall_keep_their_mass():
    wall = lambda x: np.where(np.abs(x[..., 0]) < 0.25, np.inf, x[..., 1] ** 2)  # noqa: E731
    grid = wgf.Grid(((-2.0, 2.0), (-1.0, 1.0)), (16, 8))
    rho = np.random.default_rng(0).random(grid.cells)
    rho[7:9] = 0.0
    problem = wgf.Problem(
        wgf.entropy() + wgf.potential(wall), initial=wgf.Density(grid, rho), bounds=grid.bounds
    )
    for time in ("tr-bdf2", "lie", "backward-euler"):
        run = wgf.solve(
            problem, FokkerPlanck(cells=grid.cells, time=time), t_end=2.0, dt=0.1, record=["energy"]
        )
        left = run.measures[0].values[:7].sum()
        assert run.final.values[:7].sum() == pytest.approx(left, rel=1e-13)
        np.testing.assert_array_equal(run.final.values[7:9], 0.0)
        assert np.isfinite(run.record["energy"]).all()


def test_an_obstacle_that_moves_onto_mass_is_refused():
    V = lambda x, t: np.where(x[..., 0] < 1 - t, 0.0, np.inf)  # noqa: E731
    problem = wgf.Problem(wgf.entropy() + wgf.potential(V), initial=wgf.Uniform((0.0, 1.0)), bounds=(0, 2))
    with pytest.raises(SchemeError, match=r"V\(x, t\) became \+inf where there is mass"):
        wgf.solve(problem, FokkerPlanck(cells=20), t_end=0.5, dt=0.1)


# -------------------------------------------------------------------------------- dissipation, the door


@pytest.mark.parametrize("M", [wgf.Mobility(M2), wgf.Mobility(lambda x: 1 + 0.5 * np.sin(x), form="fick")])
def test_the_dissipation_functional_vanishes_in_the_metric_of_the_mobility(M):
    problem, defects = linear_flow(K2, np.eye(2), cov=0.8, box=(-6.0, 6.0)), []
    problem = wgf.Problem(problem.energy, initial=problem.initial, bounds=problem.bounds, mobility=M)
    for steps in (20, 40, 80):
        run = wgf.solve(problem, FokkerPlanck(cells=40), t_end=0.4, dt=0.4 / steps, record=["dissipation"])
        defects.append(abs(run.dissipation_defect()))
    assert np.all(orders(defects) > 1.8)
    assert defects[-1] < 5e-4


def test_the_speed_and_slope_of_a_tensor_step_are_the_energy_it_loses():
    problem = linear_flow(M2 @ K2, M2, cov=0.8, box=(-6.0, 6.0))
    for time in ("tr-bdf2", "backward-euler"):
        scheme = FokkerPlanck(cells=32, time=time)
        before = scheme.init(problem, None)
        after, _ = scheme.step(problem, before, 1e-3, None)
        speed, slope = scheme.rates(problem, before, after, 1e-3)
        lost = problem.energy.value(scheme.measure(problem, before)) - problem.energy.value(
            scheme.measure(problem, after)
        )
        assert 0.5 * (speed + slope) * 1e-3 == pytest.approx(lost, rel=2e-3)


def test_what_is_no_gradient_flow_has_no_dissipation_and_says_why():
    problem = linear_flow(*LINEAR["circulating"][:2])
    scheme = FokkerPlanck(cells=16)
    state = scheme.init(problem, None)
    with pytest.raises(SchemeError, match="this problem has a drift"):
        scheme.rates(problem, state, state, 0.1)
    with pytest.raises(SchemeError, match="record cannot hold 'dissipation'"):
        wgf.solve(problem, scheme, t_end=0.2, dt=0.1, record=["dissipation"])
    assert wgf.solve(problem, scheme, t_end=0.2, dt=0.1, record=["energy"]).status == "finished"


def test_combinations_it_cannot_do_are_refused_with_a_reason():
    tensor = linear_flow(M2 @ K2, M2)
    for time in ("lie", "strang", "exponential"):
        reason = FokkerPlanck(cells=8, time=time).supports(tensor)
        assert reason is not None
        assert 'use time="tr-bdf2" or "backward-euler"' in reason
    circulating = linear_flow(*LINEAR["circulating"][:2])
    reason = FokkerPlanck(cells=8, time="exponential").supports(circulating)
    assert reason is not None
    assert "M_k, b_k of x_k alone" in reason
    own = wgf.Problem(
        circulating.energy + quadratic(-np.array([[0.0, 0.25], [0.25, 0.0]])),
        initial=circulating.initial,
        bounds=circulating.bounds,
        drift=lambda x: 0.1 * x,
        mobility=wgf.Mobility(lambda x: 1 + 0.1 * x**2, form="ito"),
    )
    assert FokkerPlanck(cells=8, time="exponential").supports(own) is None


def test_the_exponential_is_exact_for_drifts_and_mobilities_of_each_axis_alone():
    problem = wgf.Problem(
        wgf.entropy() + quadratic(np.diag([1.0, 0.5])),
        initial=wgf.Gaussian([0.5, -0.5], 0.5),
        bounds=((-4, 4), (-4, 4)),
        drift=lambda x: np.sin(x),
        mobility=wgf.Mobility(lambda x: 1 + 0.1 * x**2, form="fick"),
    )
    once = wgf.solve(problem, FokkerPlanck(cells=(16, 14), time="exponential"), t_end=0.5, dt=0.5).final
    fine = wgf.solve(problem, FokkerPlanck(cells=(16, 14)), t_end=0.5, dt=0.5 / 400).final
    assert np.abs(once.values - fine.values).max() < 2e-6


def test_the_suggested_step_knows_the_mobility():
    problem = linear_flow(M2 @ K2, M2)
    fastest = float(np.linalg.eigvalsh(M2)[-1])
    assert FokkerPlanck(cells=128).suggest_dt(problem) == pytest.approx(0.1 * 0.4 / (2 * fastest))


def test_densities_narrower_than_the_step_fall_back_with_a_tensor_too():
    problem = linear_flow(M2 @ K2, M2, cov=0.01, box=(-3.0, 3.0))
    scheme = FokkerPlanck(cells=40)
    state = scheme.init(problem, None)
    after, info = scheme.step(problem, state, 0.3, None)
    assert not info.accepted
    euler = FokkerPlanck(cells=40, time="backward-euler")
    half, _ = euler.step(problem, state, 0.15, None)
    np.testing.assert_array_equal(
        after.rho, euler.step(problem, FokkerPlanckState(half.rho), 0.15, None)[0].rho
    )
