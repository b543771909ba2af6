"""Data that jump: steps from uniform densities converge, and to the right answer."""

from __future__ import annotations

import numpy as np
import pytest

import wgf
from wgf.errors import ConvergenceError
from wgf.schemes import QuantileJKO
from wgf.schemes.jko.back_and_forth import BackAndForthJKO, dual, jumps

RNG = np.random.default_rng(0)


def bowl(x):
    return 0.5 * (x**2).sum(-1)


FLOWS = {
    "heat": (wgf.entropy(), (-1.0, 1.0)),
    "Ornstein-Uhlenbeck": (wgf.entropy() + wgf.potential(bowl), (0.5, 1.5)),
    "from a wall": (wgf.entropy(), (-4.0, -3.0)),
}


@pytest.mark.parametrize("cells", [200, 400])
@pytest.mark.parametrize("dt", [0.01, 0.1, 0.5])
@pytest.mark.parametrize("name", FLOWS)
def test_a_uniform_density_on_the_line_steps_where_its_quantiles_do(name, dt, cells) -> None:
    """Two steps. The control is that of the same bound against the density before."""
    energy, interval = FLOWS[name]
    problem = wgf.Problem(energy, initial=wgf.Uniform(interval), bounds=(-4, 4))
    run = wgf.solve(problem, BackAndForthJKO(cells=cells), t_end=2 * dt, dt=dt)
    assert run.stats["max_residual"] <= BackAndForthJKO().tol
    quantiles = wgf.solve(problem, QuantileJKO(levels=2000), t_end=2 * dt, dt=dt)
    assert wgf.distance(run.final, quantiles.final, "l1") < 4e-3
    assert wgf.distance(problem.initial, quantiles.final, "l1") > 4e-2


def test_without_the_recall_of_faces_the_same_step_fails(monkeypatch) -> None:
    """The control of the module: Newton's equation linearised in the vacuum goes nowhere."""
    problem = wgf.Problem(wgf.entropy(), initial=wgf.Uniform((-1, 1)), bounds=(-4, 4))
    scheme = BackAndForthJKO(cells=400)
    scheme.step(problem, scheme.init(problem, RNG), 0.1, RNG)
    monkeypatch.setattr(dual, "shore", lambda mu: None)
    with pytest.raises(ConvergenceError, match="residual"):
        scheme.step(problem, scheme.init(problem, RNG), 0.1, RNG)


def test_a_square_steps_as_the_product_of_two_intervals() -> None:
    """Heat keeps products: the answer in the plane is the outer product of the one on the line."""
    dt, cells = 0.01, 64
    line = wgf.Problem(wgf.entropy(), initial=wgf.Uniform((-1, 1)), bounds=(-4, 4))
    square = wgf.Problem(wgf.entropy(), initial=wgf.Uniform([(-1, 1)] * 2), bounds=[(-4, 4)] * 2)
    scheme = BackAndForthJKO(cells=cells)
    factor, _ = scheme.step(line, scheme.init(line, RNG), dt, RNG)
    state, info = scheme.step(square, scheme.init(square, RNG), dt, RNG)
    grid = square.grid(cells)
    assert info.residual <= dual.TOLERATED * scheme.tol
    product = factor.rho[:, None] * factor.rho
    assert np.abs(state.rho - product).sum() * grid.volume < 1e-2
    start = scheme.init(square, RNG).rho
    assert np.abs(start - product).sum() * grid.volume > 0.1


def test_only_jumps_make_a_shore() -> None:
    x = np.linspace(-4, 4, 200).reshape(1, 1, -1)
    assert jumps.shore(np.exp(-(x**2))) is None
    found = jumps.shore(np.where(np.abs(x) < 1, 1.0, 1e-12))
    assert found is not None
    np.testing.assert_array_equal(found.held, np.abs(x) < 1)
    inside = np.flatnonzero(np.abs(x.ravel()) < 1)
    np.testing.assert_array_equal(found.nearest[2].ravel(), np.clip(np.arange(200), inside[0], inside[-1]))


def test_a_face_beyond_a_jump_is_called_back_to_it() -> None:
    """The image 7.5 of a face whose cells ask for mass belongs to the edge at 5; one inside stays."""
    mu = np.where(np.arange(10) < 5, 1.0, 1e-12).reshape(1, 1, -1)
    found = jumps.shore(mu)
    assert found is not None
    line = np.array([0.0, 1, 2, 3, 4.25, 4.5, 7.5, 8, 8.5, 9, 10])
    sides = (
        np.stack([np.zeros((1, 10)), np.ones((1, 10))]),
        np.stack([np.zeros((1, 10)), np.ones((1, 10))], 1),
        line.reshape(1, 1, -1),
    )
    asked = np.full(mu.shape, 0.01)
    away, content = jumps.recalled(found, mu, asked, sides, line[1:-1].reshape(1, 1, -1), 2)
    np.testing.assert_allclose(away.ravel(), [0, 0, 0, 0, 0, 2.5, 3, 3.5, 4, 0], rtol=0, atol=1e-14)
    np.testing.assert_allclose(content.ravel(), [1] * 9 + [0], rtol=0, atol=1e-14)
    folded = jumps.recalled(found, mu, asked, sides, line[1:-1].reshape(1, 1, -1) + 0.5, 2)[0]
    np.testing.assert_allclose(folded.ravel()[:9] - away.ravel()[:9], 0.5, rtol=0, atol=1e-14)
