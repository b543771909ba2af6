"""The Langevin family: exact recursions, stationary laws, weak orders, walls, and what may not change a bit."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import wgf
from wgf.energies.named import DoubleWell, Quadratic
from wgf.kernels import langevin as kernel
from wgf.kernels.philox import NOISE, normals
from wgf.schemes.particles import Langevin

INTEGRATORS = ["euler-maruyama", "leimkuhler-matthews", "heun", "adjusted"]
LINEAR = INTEGRATORS[:3]


def problem(V=None, D=1.0, mean=(0.0,), cov=1.0, **kwargs):
    V = Quadratic(np.eye(len(mean))) if V is None else V
    return wgf.Problem(D * wgf.entropy() + wgf.potential(V), initial=wgf.Gaussian(list(mean), cov), **kwargs)


def advance(scheme, p, dt, steps, seed=0, state=None):
    rng = np.random.default_rng(seed)
    state = scheme.init(p, rng) if state is None else state
    for _ in range(steps):
        state, _ = scheme.step(p.at(state.step * dt), state, dt, rng)
    return state


def linear_map(integrator, dt, stiffness=2.0, D=0.7):
    """(a, b, c) of the step x' = a x + b z_n + c z_{n+1} that the scheme really makes for a quadratic V."""
    p = problem(Quadratic(stiffness), D=D)
    scheme = Langevin(particles=50, integrator=integrator)
    state = scheme.init(p, np.random.default_rng(0))
    from_zero = scheme.step(p, state._replace(x=np.zeros((1, 50))), dt, None)[0].x[0]
    from_one = scheme.step(p, state._replace(x=np.ones((1, 50))), dt, None)[0].x[0]
    np.testing.assert_allclose(from_one - from_zero, (from_one - from_zero)[0], rtol=1e-12)
    noise = np.stack([normals(state.key, k, NOISE, 50, 1, np.float64)[0] for k in (0, 1)], axis=1)
    (b, c), *_ = np.linalg.lstsq(noise, from_zero)
    np.testing.assert_allclose(noise @ [b, c], from_zero, rtol=1e-11, atol=1e-13)
    return from_one[0] - from_zero[0], b, c


# ------------------------------------------------------------------------------------ exact, without sampling


@pytest.mark.parametrize("dt", [0.01, 0.3])
def test_the_steps_are_the_textbook_linear_maps(dt):
    z, a2 = 2.0 * dt, 2 * 0.7 * dt
    np.testing.assert_allclose(linear_map("euler-maruyama", dt), [1 - z, a2**0.5, 0], atol=1e-13)
    half = 0.5 * a2**0.5
    np.testing.assert_allclose(linear_map("leimkuhler-matthews", dt), [1 - z, half, half], atol=1e-13)
    np.testing.assert_allclose(
        linear_map("heun", dt), [1 - z + z**2 / 2, a2**0.5 * (1 - z / 2), 0], atol=1e-13
    )


@pytest.mark.parametrize("dt", [0.05, 0.2, 0.4])
def test_stationary_variances_of_a_quadratic_are_the_closed_forms(dt):
    """var = (b^2 + c^2 + 2 a b c) / (1 - a^2): z_n is in x_n already, with weight c."""
    z, target = 2.0 * dt, 0.7 / 2.0
    expected = {
        "euler-maruyama": target / (1 - z / 2),
        "leimkuhler-matthews": target,
        "heun": 2 * 0.7 * dt * (1 - z / 2) ** 2 / (1 - (1 - z + z**2 / 2) ** 2),
    }
    for integrator, variance in expected.items():
        a, b, c = linear_map(integrator, dt)
        np.testing.assert_allclose((b**2 + c**2 + 2 * a * b * c) / (1 - a**2), variance, rtol=1e-10)


@pytest.mark.parametrize(
    ("integrator", "order"), [("euler-maruyama", 1), ("leimkuhler-matthews", 1), ("heun", 2)]
)
def test_mean_and_variance_of_a_quadratic_converge_at_the_weak_order(integrator, order):
    steps = np.array([16, 32, 64, 128])
    errors = []
    for n in steps:
        a, b, c = linear_map(integrator, 1.0 / n)
        mean, s = a**n, 0.0
        for k in range(n):
            s = a**2 * s + b**2 + c**2 + (2 * a * b * c if k else 0.0)
        errors.append([abs(mean - np.exp(-2.0)), abs(s - 0.35 * (1 - np.exp(-4.0)))])
    slopes = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    np.testing.assert_allclose(slopes[-1], order, atol=0.1)


def _expectation(integrator, n, monkeypatch):
    """E cos(2 x(1)) + x(1) from x(0) = 0.3, in a non-convex V, by backward quadrature: no sampling error."""
    p = problem(lambda x: 0.5 * (x**2).sum(-1) + 0.5 * np.cos(2 * x[..., 0]), D=0.5)
    scheme = Langevin(integrator=integrator)
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    line = np.cos(np.pi * (np.arange(121) + 0.5) / 121)  # Chebyshev nodes of [-8, 8] / 8
    state = scheme.init(p, np.random.default_rng(0))._replace(x=np.repeat(8 * line, 40)[None])
    noise = np.tile(nodes, 121)[None]
    monkeypatch.setattr(kernel, "normals", lambda *args: noise.copy())
    monkeypatch.setattr("wgf.schemes.particles.langevin.langevin_step", kernel.langevin_step.reference)
    there = np.clip(scheme.step(p, state, 1.0 / n, None)[0].x.reshape(121, 40) / 8, -1, 1)
    vander = np.polynomial.chebyshev.chebvander
    averaged = np.einsum("ijk,j->ik", vander(there, 120), weights / weights.sum())
    one_step = averaged @ np.linalg.inv(vander(line, 120))  # values on the nodes to their expectation
    values = np.linalg.matrix_power(one_step, n) @ (np.cos(16 * line) + 8 * line)
    return (vander(0.3 / 8, 120) @ np.linalg.solve(vander(line, 120), values)).item()


@pytest.mark.parametrize(("integrator", "order"), [("euler-maruyama", 1), ("heun", 2)])
def test_a_nonlinear_drift_converges_at_the_weak_order(integrator, order, monkeypatch):
    """The law is carried by quadrature through the scheme's own step, so that the orders have no noise."""
    exact = (4 * _expectation("heun", 256, monkeypatch) - _expectation("heun", 128, monkeypatch)) / 3
    errors = [abs(_expectation(integrator, n, monkeypatch) - exact) for n in (16, 32, 64)]
    np.testing.assert_allclose(np.log2(errors[1] / errors[2]), order, atol=0.15)


def test_the_recorded_noise_gives_the_recursion_of_mean_and_variance():
    p = problem(Quadratic(2.0), D=0.7, mean=(1.0,), cov=0.5)
    scheme, dt = Langevin(particles=4000), 0.1
    state = scheme.init(p, np.random.default_rng(3))
    x, key = state.x[0], state.key
    for k in range(20):
        x = (1 - 2 * dt) * x + np.sqrt(2 * 0.7 * dt) * normals(key, k, NOISE, 4000, 1, np.float64)[0]
    final = advance(scheme, p, dt, 20, state=state)
    np.testing.assert_allclose(final.x[0], x, rtol=1e-12, atol=1e-13)
    assert final.step == 20


# ------------------------------------------------------------------------------------------- with sampling


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_the_stationary_variance_is_met_by_a_cloud(integrator):
    """z = 0.5, 40 000 particles, 40 steps from the target: 5.5 standard errors, false alarm below 1e-7."""
    n, dt = 40_000, 0.25
    p = problem(Quadratic(2.0), D=0.7, cov=0.35)
    x = advance(Langevin(particles=n, integrator=integrator), p, dt, 40).x[0]
    z = 2.0 * dt
    heun = 2 * 0.7 * dt * (1 - z / 2) ** 2 / (1 - (1 - z + z**2 / 2) ** 2)
    variance = {"euler-maruyama": 0.35 / (1 - z / 2), "heun": heun}.get(integrator, 0.35)
    assert abs(x.var() / variance - 1) < 5.5 * np.sqrt(2 / n)
    assert abs(x.mean()) < 5.5 * np.sqrt(variance / n)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_adjusted_scheme_leaves_its_target_alone_at_any_step(dtype):
    """Kolmogorov-Smirnov against the exact Gibbs law of a double well, p > 1e-6, at a step EM could not take."""
    V, D, n = DoubleWell(), 0.5, 40_000
    p = problem(V, D=D)
    line = np.linspace(-3, 3, 6001)
    density = np.exp(-V(line[:, None]) / D)
    cdf = np.cumsum(density) - 0.5 * density
    cdf /= density.sum()
    scheme = Langevin(particles=n, integrator="adjusted", dtype=dtype)
    state = scheme.init(p, np.random.default_rng(0))
    x = np.interp(np.random.default_rng(1).random(n), cdf, line).astype(dtype)[None]
    state = state._replace(x=x, value=V(x.T.astype(float)), gradient=V.gradient(x.T).T)
    state = advance(scheme, p, 0.3, 30, state=state)
    acceptance = scheme.stats(state)["acceptance"]
    assert 0.3 < acceptance < 0.9
    assert stats.kstest(state.x[0], lambda v: np.interp(v, line, cdf)).pvalue > 1e-6


def test_the_adjusted_scheme_reflects_and_wraps_reversibly():
    """A tilted V on a mirrored box and a periodic one: both truncated laws are kept; p > 1e-6 each."""
    n, D = 40_000, 0.5

    def V(x):
        return np.cos(2 * np.pi * x[..., 0]) + 0.8 * np.sin(2 * np.pi * x[..., 0])

    line = np.linspace(0, 1, 4001)
    for boundary, reflect, W in (("periodic", False, V), ("noflux", True, lambda x: V(x) + 2 * x[..., 0])):
        density = np.exp(-W(line[:, None]) / D)
        cdf = np.concatenate([[0], np.cumsum(0.5 * (density[1:] + density[:-1]))])
        cdf /= cdf[-1]
        p = wgf.Problem(
            D * wgf.entropy() + wgf.potential(W),
            initial=wgf.Uniform((0, 1)),
            bounds=(0, 1),
            boundary=boundary,
        )
        scheme = Langevin(particles=n, integrator="adjusted", reflect=reflect)
        state = advance(scheme, p, 0.03, 60)
        assert state.x.min() >= 0
        assert state.x.max() <= 1
        assert scheme.stats(state)["acceptance"] < 0.95
        assert stats.kstest(state.x[0], lambda v: np.interp(v, line, cdf)).pvalue > 1e-6


@pytest.mark.parametrize("integrator", ["euler-maruyama", "heun"])
def test_reflection_keeps_the_uniform_law_of_a_box(integrator):
    """p > 1e-6."""
    p = wgf.Problem(wgf.entropy(), initial=wgf.Uniform((0, 1)), bounds=(0, 1))
    scheme = Langevin(particles=20_000, integrator=integrator, reflect=True)
    x = advance(scheme, p, 0.05, 20).x[0]
    assert stats.kstest(x, "uniform").pvalue > 1e-6
    free = advance(Langevin(particles=20_000, integrator=integrator), p, 0.05, 20).x[0]
    assert free.max() > 1


@pytest.mark.parametrize("integrator", ["euler-maruyama", "heun"])
@pytest.mark.parametrize(("boundary", "reflect"), [("noflux", True), ("periodic", False)])
def test_a_step_in_a_box_is_the_fold_of_a_step_in_the_unfolded_space(integrator, boundary, reflect):
    """V is continued evenly (or periodically) over the whole line and stepped there without walls."""

    def V(x):
        return 0.5 * (x**2).sum(-1) + x[..., 0]

    def fold(x):
        y = np.mod(x, 2.0 if reflect else 1.0)
        return np.where(y > 1, 2 - y, y) if reflect else y

    def unfolded_gradient(x):
        return np.where(reflect & (np.mod(x, 2.0) > 1), -1.0, 1.0) * (fold(x) + 1)

    start = wgf.Particles(np.random.default_rng(0).random((500, 1)))
    scheme = Langevin(integrator=integrator, reflect=reflect)
    box = wgf.Problem(wgf.entropy() + wgf.potential(V), initial=start, bounds=(0, 1), boundary=boundary)
    state = scheme.init(box, np.random.default_rng(0))
    noise = np.sqrt(2 * 0.1) * normals(state.key, 0, NOISE, 500, 1, np.float64)
    first = unfolded_gradient(state.x)
    there = state.x - 0.1 * first + noise
    if integrator == "heun":
        there = state.x - 0.05 * (first + unfolded_gradient(there)) + noise
    assert np.mean((there < 0) | (there > 1)) > 0.2
    after = scheme.step(box, state, 0.1, None)[0].x
    np.testing.assert_allclose(after, fold(there), rtol=0, atol=1e-13)


# --------------------------------------------------------------------------------- what must not matter


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_named_potential_and_the_same_lambda_give_the_same_particles(integrator):
    named = problem(DoubleWell(), mean=(0.5, 0.0))
    plain = problem(lambda x: (x[..., 0] ** 2 - 1) ** 2 + 0.5 * x[..., 1] ** 2, mean=(0.5, 0.0))
    for tamed in (False, True):
        scheme = Langevin(particles=300, integrator=integrator, tamed=tamed)
        a, b = advance(scheme, named, 0.02, 10), advance(scheme, plain, 0.02, 10)
        np.testing.assert_allclose(a.x, b.x, rtol=1e-10, atol=1e-12)


def test_coefficients_multiply_potential_and_noise():
    energy = 0.5 * wgf.entropy() + 3.0 * wgf.potential(Quadratic(np.eye(2))) + wgf.entropy()
    p = wgf.Problem(energy, initial=wgf.Gaussian([1.0, 2.0], 1.0))
    state = Langevin(particles=10).init(p, np.random.default_rng(0))
    after = Langevin(particles=10).step(p, state, 0.1, None)[0]
    noise = normals(state.key, 0, NOISE, 10, 2, np.float64)
    np.testing.assert_allclose(after.x, 0.7 * state.x + np.sqrt(2 * 1.5 * 0.1) * noise, rtol=1e-13)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_a_step_is_a_function_of_the_state_alone(integrator):
    p = problem(DoubleWell(), mean=(0.5, 0.0))
    scheme = Langevin(particles=500, integrator=integrator)
    rng = np.random.default_rng(0)
    state = scheme.init(p, rng)
    before, used = state.x.copy(), rng.bit_generator.state
    first, second = (scheme.step(p, state, 0.05, rng)[0] for _ in range(2))
    assert rng.bit_generator.state == used
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(state.x, before)
    assert not np.array_equal(first.x, before)


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_single_precision_follows_double_precision(integrator):
    p = problem(DoubleWell(), mean=(0.5, 0.0))
    a, b = (
        advance(Langevin(particles=300, integrator=integrator, dtype=t), p, 0.02, 10)
        for t in ("float32", "float64")
    )
    assert a.x.dtype == np.float32
    assert b.x.dtype == np.float64
    # a Metropolis decision may fall differently for a borderline particle
    assert np.mean(np.abs(a.x - b.x).max(0) < 2e-4) > 0.98


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_solve_runs_it_and_a_run_of_two_halves_is_the_whole(integrator, tmp_path):
    p = problem(DoubleWell(), mean=(0.5, 0.0))
    scheme = Langevin(particles=200, integrator=integrator)
    run = wgf.solve(p, scheme, t_end=0.4, dt=0.02, seed=7, save_at=0.1)
    again = wgf.solve(p, scheme, t_end=0.4, dt=0.02, seed=7)
    np.testing.assert_array_equal(run.final.x, again.final.x)
    state = advance(scheme, p, 0.02, 20, seed=7)
    np.testing.assert_array_equal(run.final.x, state.x.T)
    assert ("acceptance" in run.stats) == (integrator == "adjusted")


# ------------------------------------------------------------------------------------------ time, taming, doors


def test_a_potential_that_moves_is_read_at_the_right_times():
    energy = wgf.entropy() + wgf.potential(lambda x, t: 0.5 * ((x - t) ** 2).sum(-1))
    p = wgf.Problem(energy, initial=wgf.Gaussian([0.0], 1.0))
    t, dt = 0.6, 0.2
    for integrator in ("euler-maruyama", "heun", "adjusted"):
        scheme = Langevin(particles=50, integrator=integrator)
        state = scheme.init(p.at(0.0), np.random.default_rng(0))
        noise = np.sqrt(2 * dt) * normals(state.key, 0, NOISE, 50, 1, np.float64)
        after = scheme.step(p.at(t), state, dt, None)[0].x
        euler = state.x - dt * (state.x - t) + noise
        if integrator == "heun":
            expected = state.x - dt / 2 * (state.x - t + euler - (t + dt)) + noise
        else:
            expected = euler
        same = np.isclose(after, expected, rtol=0, atol=1e-12)
        assert same.all() if integrator != "adjusted" else (same | (after == state.x)).all()
        assert same.mean() > 0.5


def test_taming_keeps_a_quartic_well_from_blowing_up():
    p = problem(DoubleWell(barrier=10.0), mean=(30.0,))
    assert np.isfinite(advance(Langevin(particles=50, tamed=True), p, 0.05, 100).x).all()
    with np.errstate(all="ignore"):
        assert not np.isfinite(advance(Langevin(particles=50), p, 0.05, 100).x).all()


def test_the_adjusted_scheme_refuses_proposals_without_a_finite_potential():
    def V(x):
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(x[..., 0] > 0, -np.log(np.maximum(x[..., 0], 0)), np.inf) + x[..., 0]

    def gradient(x):
        return np.where(x > 0, -1 / np.where(x > 0, x, 1) + 1, np.nan)

    energy = wgf.entropy() + wgf.potential(V, grad=gradient)  # a Gamma(2) law, dead on the left
    p = wgf.Problem(energy, initial=wgf.Particles(np.random.default_rng(0).gamma(2.0, size=(20_000, 1))))
    state = advance(Langevin(integrator="adjusted"), p, 0.5, 20)
    assert state.x.min() > 0
    assert stats.kstest(state.x[0], "gamma", (2.0,)).pvalue > 1e-6


def test_a_cloud_is_used_as_it_is_and_keeps_its_weights():
    cloud = wgf.Particles([[0.0], [1.0], [2.0]], [0.5, 0.3, 0.2])
    p = wgf.Problem(wgf.potential(Quadratic(1.0)), initial=cloud)
    run = wgf.solve(p, Langevin(), t_end=0.1, dt=0.1)
    np.testing.assert_allclose(run.final.x, 0.9 * cloud.x, rtol=1e-15)
    np.testing.assert_array_equal(run.final.w, cloud.w)
    assert len(wgf.solve(p, Langevin(particles=7), t_end=0.1, dt=0.1).final.x) == 7
    assert len(wgf.solve(problem(), Langevin(), t_end=0.1, dt=0.1).final.x) == 1000


def test_a_larger_cloud_moves_with_the_same_noise():
    x = np.random.default_rng(0).standard_normal((600, 2))
    few, many = (
        wgf.Problem(wgf.entropy() + wgf.potential(Quadratic(np.eye(2))), initial=wgf.Particles(x[:n]))
        for n in (100, 600)
    )
    a, b = (advance(Langevin(), p, 0.1, 5) for p in (few, many))
    np.testing.assert_array_equal(a.x, b.x[:, :100])


def test_the_suggested_step_is_a_quarter_of_the_explicit_limit():
    assert Langevin().suggest_dt(problem(Quadratic([1.0, 8.0]), mean=(0, 0))) == pytest.approx(
        2 / 8 / 4, rel=1e-6
    )
    assert Langevin().suggest_dt(wgf.Problem(wgf.entropy(), initial=wgf.Gaussian(0, 1))) == 1.0


def test_the_suggested_step_knows_the_curvature_across_the_axes():
    """All axes together are 40 times as steep as each alone."""
    A = np.ones((40, 40)) + 1e-3 * np.eye(40)
    suggested = Langevin().suggest_dt(problem(Quadratic(A), mean=np.zeros(40)))
    assert suggested == pytest.approx(0.25 * 2 / 40.001, rel=1e-6)


def test_the_suggested_step_looks_at_several_points_in_many_dimensions():
    V = wgf.potential(lambda x: 0.25 * (x**4).sum(-1))
    p = wgf.Problem(wgf.entropy() + V, initial=wgf.Gaussian(np.zeros(300), 1.0))
    assert 0.5 / (3 * 5**2) < Langevin().suggest_dt(p) < 0.5 / (3 * 2**2)


@pytest.mark.parametrize(
    ("scheme", "energy", "bounds", "words"),
    [
        (Langevin(), wgf.internal(2), None, "internal"),
        (Langevin(reflect=True), wgf.entropy(), None, "bounds"),
        (Langevin(integrator="adjusted"), wgf.potential(Quadratic(1.0)), None, "entropy"),
        (Langevin(integrator="leimkuhler-matthews", reflect=True), wgf.entropy(), (0, 1), "reflection"),
    ],
)
def test_what_it_cannot_solve_is_said_in_a_sentence(scheme, energy, bounds, words):
    p = wgf.Problem(energy, initial=wgf.Gaussian(0.5, 0.01), bounds=bounds)
    assert words in scheme.supports(p)
    with pytest.raises(wgf.SchemeError, match=words):
        wgf.solve(p, scheme, t_end=0.1, dt=0.1)


@pytest.mark.parametrize(
    "settings",
    [dict(particles=0), dict(integrator="eulr"), dict(dtype="float16"), dict(reflect=1), dict(tamed=None)],
)
def test_wrong_settings_are_refused_by_name(settings):
    with pytest.raises((ValueError, TypeError), match=next(iter(settings))):
        Langevin(**settings)
