from __future__ import annotations

import numpy as np
import pytest

import wgf

X = np.random.default_rng(0).normal(size=(6, 2))
SQUARE = wgf.Gaussian(mean=[0.0, 0.0], cov=1.0)


def problem(**more):
    return wgf.Problem(wgf.entropy(), initial=SQUARE, bounds=[(-4, 4)] * 2, **more)


@pytest.mark.parametrize(
    ("M", "shape"),
    [
        (2.0, (6,)),
        ([1.0, 2.0], (6, 2)),
        ([[2.0, 1.0], [1.0, 3.0]], (6, 2, 2)),
        (lambda x: 1 + x[..., 0] ** 2, (6,)),
    ],
)
def test_values_have_the_shape_of_their_kind(M, shape):
    assert wgf.Mobility(M, form="ito").at(X).shape == shape


def test_a_function_must_name_its_form_and_a_constant_need_not():
    with pytest.raises(ValueError, match="form must be 'fick' or 'ito'"):
        wgf.Mobility(lambda x: 1 + x[..., 0] ** 2)
    assert wgf.Mobility(2.0).form == "fick"


@pytest.mark.parametrize(
    ("M", "words"),
    [
        (lambda x: -1 - x[..., 0] ** 2, "finite and > 0"),
        (lambda x: np.full(x.shape[0], np.nan), "finite and > 0"),
        (lambda x: x[..., :1], "one of the shapes"),
        (lambda x: np.tile([[1.0, 2.0], [2.0, 1.0]], (len(x), 1, 1)), "positive definite"),
        (lambda x: np.tile([[1.0, 0.5], [0.0, 1.0]], (len(x), 1, 1)), "symmetric"),
    ],
)
def test_a_problem_refuses_a_mobility_that_is_none(M, words):
    with pytest.raises(ValueError, match=words):
        problem(mobility=wgf.Mobility(M, form="fick"))


def test_a_problem_says_what_it_has_beyond_a_gradient_flow():
    plain = problem()
    fick = problem(mobility=wgf.Mobility(lambda x: 2 + np.cos(x[..., 0]), form="fick"))
    ito = problem(mobility=wgf.Mobility(lambda x: 2 + np.cos(x[..., 0]), form="ito"), drift=lambda x: -x)
    assert (plain.extensions, fick.extensions, ito.extensions) == ((), ("mobility",), ("drift", "mobility"))
    assert plain.gradient_flow
    assert fick.gradient_flow
    assert not ito.gradient_flow
    assert problem(mobility=wgf.Mobility(3.0, form="ito")).gradient_flow


def test_drift_and_source_are_frozen_at_the_time_asked_for():
    moving = problem(drift=lambda x, t: t * x, source=lambda x, t: t + 0 * x[..., 0])
    frozen = moving.at(0.5)
    assert moving.time_dependent
    np.testing.assert_allclose(frozen.drift_value(X), 0.5 * X, rtol=1e-15)
    np.testing.assert_allclose(frozen.at(2.0).source_value(X), 2.0, rtol=1e-15)


@pytest.mark.parametrize(
    ("field", "value"),
    [("drift", lambda x: x[..., 0]), ("source", lambda x: x), ("source", lambda x: np.inf * x[..., 0])],
)
def test_a_problem_refuses_fields_of_a_wrong_shape_or_value(field, value):
    with np.errstate(invalid="ignore"), pytest.raises((ValueError, wgf.WgfError), match=field):
        problem(**{field: value})


def test_solve_refuses_what_a_scheme_does_not_follow_and_names_those_that_do():
    line = wgf.Problem(
        wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1)),
        initial=wgf.Gaussian(0, 1),
        bounds=(-6, 6),
        drift=lambda x: 1 + 0 * x,
    )
    with pytest.raises(wgf.SchemeError, match=r"does not follow the drift.*FokkerPlanck"):
        wgf.solve(line, "quantile-jko", t_end=0.1, dt=0.1)


def test_a_checkpoint_of_another_drift_is_refused(tmp_path):
    def line(strength):
        return wgf.Problem(
            wgf.entropy(), initial=wgf.Gaussian(0, 1), bounds=(-6, 6), drift=lambda x: strength + 0 * x
        )

    path = tmp_path / "run.npz"
    wgf.solve(line(1.0), "fokker-planck", t_end=0.1, dt=0.1, checkpoint=path)
    with pytest.raises(wgf.CheckpointError, match="drift, source"):
        wgf.solve(line(1.001), "fokker-planck", t_end=0.1, dt=0.1, checkpoint=path)


def test_a_drift_makes_the_dissipation_unrecordable():
    swirl = problem(drift=lambda x: np.stack([-x[..., 1], x[..., 0]], axis=-1))
    with pytest.raises(wgf.SchemeError, match="no gradient flow"):
        wgf.solve(swirl, wgf.schemes.FokkerPlanck(cells=16), t_end=0.1, dt=0.1, record=["dissipation"])
