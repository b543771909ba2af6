"""Every rule of the autodiff table against central differences, in value, type, shape and second order."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import scipy.special
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wgf.autodiff import grad
from wgf.autodiff.composites import COMPOSITES, PLAIN
from wgf.autodiff.linear import contract, logabsdet
from wgf.autodiff.rules import RULES, SPECIAL, elementwise
from wgf.autodiff.shapes import scatter
from wgf.autodiff.tensor import cast, strip

RELATIVE = 1e-6  # central differences with one Richardson step are good to about 1e-9 here


@dataclass(frozen=True)
class Case:
    """A call to differentiate, the intervals its inputs are drawn from, and what it is a case of."""

    name: str
    call: Callable[..., Any]
    shapes: tuple[tuple[int, ...], ...] = ((3,),)
    low: float = -1.5
    high: float = 1.5
    order: int = 2
    covers: Any = None


def slope_by_differences(f: Callable[[np.ndarray], float], x: np.ndarray, v: np.ndarray) -> float:
    """Derivative of f at x along v: central differences at h and h/2, extrapolated."""

    def central(h: float) -> float:
        return (f(x + h * v) - f(x - h * v)) / (2 * h)

    h = 2e-4
    return (4 * central(h / 2) - central(h)) / 3


def check(call: Callable[..., Any], inputs: list[np.ndarray], rng: np.random.Generator, order: int) -> None:
    """Hold the gradient in every input, and the gradient of the gradient, to differences."""
    weight = rng.normal(size=np.shape(call(*inputs)))
    for k, x in enumerate(inputs):

        def scalar(z: Any, k: int = k) -> Any:
            return np.sum(call(*inputs[:k], z, *inputs[k + 1 :]) * weight)

        v = rng.normal(size=x.shape)
        gradient = grad(scalar)(x)
        assert gradient.shape == x.shape
        assert gradient.dtype == x.dtype
        expected = slope_by_differences(scalar, x, v)
        np.testing.assert_allclose(np.sum(gradient * v), expected, rtol=RELATIVE, atol=RELATIVE)
        if order == 2:

            def sloped(z: Any, scalar: Any = scalar, v: np.ndarray = v) -> Any:
                return np.sum(grad(scalar)(z) * v)

            second, u = grad(sloped)(x), rng.normal(size=x.shape)
            expected = slope_by_differences(sloped, x, u)
            np.testing.assert_allclose(np.sum(second * u), expected, rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------------------------------- elementwise

UNARY = {
    np.negative: (-2, 2), np.positive: (-2, 2), np.reciprocal: (0.5, 2), np.square: (-2, 2),
    np.sqrt: (0.5, 3), np.cbrt: (0.5, 3), np.absolute: (0.1, 2), np.fabs: (-2, -0.1),
    np.deg2rad: (-2, 2), np.radians: (-2, 2), np.rad2deg: (-2, 2), np.degrees: (-2, 2),
    np.exp: (-2, 2), np.exp2: (-2, 2), np.expm1: (-2, 2), np.log: (0.5, 3), np.log2: (0.5, 3),
    np.log10: (0.5, 3), np.log1p: (-0.5, 3), np.sin: (-3, 3), np.cos: (-3, 3), np.tan: (-1, 1),
    np.arcsin: (-0.8, 0.8), np.arccos: (-0.8, 0.8), np.arctan: (-2, 2), np.sinh: (-2, 2),
    np.cosh: (-2, 2), np.tanh: (-2, 2), np.arcsinh: (-2, 2), np.arccosh: (1.3, 3),
    np.arctanh: (-0.8, 0.8), np.nan_to_num: (-2, 2), np.sinc: (-2, 2),
    scipy.special.erf: (-2, 2), scipy.special.erfc: (-2, 2), scipy.special.expit: (-2, 2),
    scipy.special.log_expit: (-2, 2), scipy.special.logit: (0.2, 0.8), scipy.special.ndtr: (-2, 2),
    scipy.special.log_ndtr: (-2, 2), scipy.special.gammaln: (0.5, 3),
}  # fmt: skip
BINARY = {
    np.add: (-2, 2), np.subtract: (-2, 2), np.multiply: (-2, 2), np.divide: (0.5, 2),
    np.power: (0.5, 2), np.float_power: (0.5, 2), np.maximum: (-2, 2), np.minimum: (-2, 2),
    np.fmax: (-2, 2), np.fmin: (-2, 2), np.logaddexp: (-2, 2), np.logaddexp2: (-2, 2),
    np.hypot: (0.3, 2), np.arctan2: (0.3, 2), np.copysign: (0.3, 2),
    scipy.special.xlogy: (0.3, 2), scipy.special.xlog1py: (0.3, 2),
}  # fmt: skip
ONCE = {scipy.special.gammaln}  # its derivative (digamma) has no rule


def name_of(function: Any) -> str:
    return getattr(function, "__name__", str(function))


seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("ufunc", UNARY, ids=name_of)
@settings(max_examples=60, deadline=None)
@given(shape=hnp.array_shapes(min_dims=0, max_dims=3, max_side=3), seed=seeds)
def test_a_unary_rule_agrees_with_differences_on_any_shape(ufunc, shape, seed):
    rng = np.random.default_rng(seed)
    check(ufunc, [rng.uniform(*UNARY[ufunc], size=shape)], rng, 1 if ufunc in ONCE else 2)


@pytest.mark.parametrize("ufunc", BINARY, ids=name_of)
@settings(max_examples=60, deadline=None)
@given(shapes=hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), seed=seeds)
def test_a_binary_rule_agrees_with_differences_under_broadcasting(ufunc, shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.uniform(*BINARY[ufunc], size=s) for s in shapes.input_shapes)
    if ufunc in (np.maximum, np.minimum, np.fmax, np.fmin) and (np.abs(a - b) < 1e-3).any():
        return  # differences straddle the kink
    check(ufunc, [a, b], rng, 2)


# ------------------------------------------------------------------- everything that has a shape in it

M, V, S = (3, 4), (4,), (3, 3)
INDEX = np.array([[2, 0], [0, 0]])
MASK = np.array([True, False, True])
SPD = 2 * np.eye(3)


def _positive_definite(x: Any) -> Any:
    return x @ np.swapaxes(x, -1, -2) + SPD


CASES = [
    Case("remainder", lambda a, b: np.remainder(a + 2.4, b), ((3,), (3,)), 1.6, 1.9, covers=np.remainder),
    Case("floor divide is flat", lambda x: x * np.floor_divide(x, 0.77), low=0.8, high=1.5),
    *[
        Case(f"{f.__name__} {kw}", lambda x, f=f, kw=kw: f(x, **kw), (shape,), covers=f)
        for f in (np.sum, np.mean, np.max, np.min, np.prod, np.var, np.std)
        for shape, kw in [
            (M, {}), (M, {"axis": 0}), (M, {"axis": -1, "keepdims": True}), ((2, 1, 3), {"axis": (0, 2)}),
            ((2, 1, 3), {"axis": 1}), ((), {}), ((2, 3, 2), {"axis": (2, 0), "keepdims": True}),
        ]
    ],
    Case("var ddof", lambda x: np.var(x, axis=0, ddof=1), (M,)),
    Case("prod with a zero", lambda x: np.prod(x - x[0, 0], axis=0), (M,), order=1),
    Case("prod of all", lambda x: x.prod(), (V,)),
    Case("cumsum", lambda x: np.cumsum(x, axis=1), (M,), covers=np.cumsum),
    Case("cumsum flat", lambda x: x.cumsum(), (M,)),
    Case("cumprod", lambda x: np.cumprod(x, axis=1), (M,), covers=np.cumprod),
    Case("cumprod flat", lambda x: np.cumprod(x), (V,)),
    Case("add.reduce", lambda x: np.add.reduce(x), (M,)),
    Case("logaddexp.reduce", lambda x: np.logaddexp.reduce(x, axis=-1), (M,)),
    Case("logaddexp.reduce keepdims", lambda x: np.logaddexp.reduce(x, keepdims=True), (M,)),
    Case("add.accumulate", lambda x: np.add.accumulate(x), (M,)),
    Case("average", lambda x: np.average(x, axis=0, weights=[1.0, 2.0, 3.0]), (M,), covers=np.average),
    Case("average plain", lambda x: np.average(x), (M,)),
    Case("average in the weights", lambda w: np.average(np.arange(4.0), weights=w), (V,), 0.5, 1.5),
    Case("ptp", lambda x: np.ptp(x, axis=0), (M,), covers=np.ptp),
    Case("clip", lambda x: np.clip(x, -0.4, 0.6), (M,), covers=np.clip),
    Case("clip to arrays", lambda x, lo: np.clip(x, lo, None), (M, V)),
    Case("clip keywords", lambda x: np.clip(x, min=-0.3, max=0.7), (M,)),
    Case("clip method", lambda x: x.clip(-0.3, 0.7), (M,)),
    Case("polyval", lambda p, x: np.polyval(p, x), (V, (2, 3)), covers=np.polyval),
    Case("trapezoid", lambda y: np.trapezoid(y, dx=0.3, axis=0), (M,), covers=np.trapezoid),
    Case("trapezoid on points", lambda y, x: np.trapezoid(y, x), (V, V)),
    Case("where", lambda a, b: np.where(MASK[:, None], a, b), ((3, 1), (3, 4)), covers=np.where),
    Case("where by comparison", lambda x: np.where(x > 0, x**3, np.sin(x)), (M,)),
    Case("select", lambda x: np.select([x > 0.5, x > 0], [x**2, x], -x), (M,), covers=np.select),
    Case("tril", lambda x: np.tril(x, -1), ((2, 3, 4),), covers=np.tril),
    Case("triu", lambda x: np.triu(x, 1), (M,), covers=np.triu),
    Case("take", lambda x: np.take(x, INDEX, axis=0), (M,), covers=np.take),
    Case("take flat", lambda x: x.take([3, 3, 1]), (M,)),
    Case("take_along_axis", lambda x: np.take_along_axis(x, np.array([[0, 2], [1, 1], [3, 0]]), 1), (M,),
         covers=np.take_along_axis),
    Case("take_along_axis flat", lambda x: np.take_along_axis(x, np.array([1, 1, 5]), None), (M,)),
    Case("sort", lambda x: np.sort(x, axis=0), (M,), covers=np.sort),
    Case("sort flat", lambda x: np.sort(x, axis=None), (M,)),
    Case("repeat", lambda x: np.repeat(x, 2, axis=1), (M,), covers=np.repeat),
    Case("repeat unevenly", lambda x: x.repeat([1, 0, 2, 1]), ((2, 2),)),
    Case("diagonal", lambda x: np.diagonal(x, 1, 0, 2), ((3, 2, 4),), covers=np.diagonal),
    Case("trace", lambda x: np.trace(x, -1), (M,), covers=np.trace),
    Case("linalg.trace", lambda x: np.linalg.trace(x), ((2, 3, 3),), covers=np.linalg.trace),
    Case("linalg.diagonal", lambda x: np.linalg.diagonal(x, offset=1), ((2, 3, 3),),
         covers=np.linalg.diagonal),
    Case("diag of a matrix", lambda x: np.diag(x, -1), (S,), covers=np.diag),
    Case("diag of a vector", lambda x: np.diag(x, 1) + np.diag(x, -1), (V,)),
    Case("diff", lambda x: np.diff(x, n=2, axis=0), (M,), covers=np.diff),
    Case("ravel", lambda x: np.ravel(x) + x.flatten(), (M,), covers=np.ravel),
    Case("copy", lambda x: np.copy(x) * x.copy(), (M,), covers=np.copy),
    Case("expand_dims", lambda x: np.expand_dims(x, (0, 2)), (M,), covers=np.expand_dims),
    Case("new axes", lambda x: x[:, None] - x[None], (M,)),
    Case("atleast_1d", lambda x: np.atleast_1d(x), ((),), covers=np.atleast_1d),
    Case("atleast_2d", lambda x: np.atleast_2d(x), (V,), covers=np.atleast_2d),
    Case("stack", lambda a, b: np.stack([a, b], axis=-1), (M, M), covers=np.stack),
    Case("vstack", lambda a, b: np.vstack([a, b]), (M, V), covers=np.vstack),
    Case("hstack", lambda a, b: np.hstack([a, b]), ((3, 1), (3, 2)), covers=np.hstack),
    Case("hstack of vectors", lambda a, b: np.hstack([a, b]), ((3,), (2,))),
    Case("column_stack", lambda a, b: np.column_stack([a, b]), ((3,), (3, 2)), covers=np.column_stack),
    Case("concatenate", lambda a, b: np.concatenate([a, b, a], axis=1), ((3, 1), (3, 2)),
         covers=np.concatenate),
    Case("concatenate flat", lambda a, b: np.concatenate((a, b), axis=None), ((3, 1), (2,))),
    Case("split", lambda x: np.split(x, 2, axis=1)[1], (M,), covers=np.split),
    Case("array_split", lambda x: np.array_split(x, [1, 2])[1], (M,), covers=np.array_split),
    Case("tile", lambda x: np.tile(x, (2, 1, 3)), (M,), covers=np.tile),
    Case("tile fewer", lambda x: np.tile(x, 2), (M,)),
    Case("broadcast_arrays", lambda a, b: np.multiply(*np.broadcast_arrays(a, b)), ((3, 1), (4,)),
         covers=np.broadcast_arrays),
    Case("meshgrid", lambda a, b: np.subtract(*np.meshgrid(a, b)), ((3,), (2,)), covers=np.meshgrid),
    Case("meshgrid ij", lambda a, b: np.subtract(*np.meshgrid(a, b, indexing="ij")), ((3,), (2,))),
    Case("reshape", lambda x: np.reshape(x, (2, 6)) * x.reshape(2, -1), (M,), covers=np.reshape),
    Case("squeeze", lambda x: np.squeeze(x) * x.squeeze(1), ((3, 1, 2),), covers=np.squeeze),
    Case("transpose", lambda x: np.transpose(x, (2, 0, -2)), ((3, 1, 2),), covers=np.transpose),
    Case("T", lambda x: x.T @ x.mT, (S,)),
    Case("transpose method", lambda x: x.transpose(1, 0, 2) + x.transpose((1, 0, 2)), ((2, 3, 2),)),
    Case("permute_dims", lambda x: np.permute_dims(x, (1, 0)), (M,), covers=np.permute_dims),
    Case("matrix_transpose", lambda x: np.matrix_transpose(x), (M,), covers=np.matrix_transpose),
    Case("linalg.matrix_transpose", lambda x: np.linalg.matrix_transpose(x), (M,),
         covers=np.linalg.matrix_transpose),
    Case("swapaxes", lambda x: np.swapaxes(x, 0, -1), ((3, 1, 2),), covers=np.swapaxes),
    Case("moveaxis", lambda x: np.moveaxis(x, (0, 1), (-1, 0)), ((3, 1, 2),), covers=np.moveaxis),
    Case("broadcast_to", lambda x: np.broadcast_to(x, (2, 3, 4)), ((3, 1),), covers=np.broadcast_to),
    Case("flip", lambda x: np.flip(x, 0) * np.flip(x), (M,), covers=np.flip),
    Case("roll", lambda x: np.roll(x, (1, -2), axis=(0, 1)) * np.roll(x, 3), (M,), covers=np.roll),
    Case("getitem slices", lambda x: x[1:, ::-2] * x[0, 0], (M,)),
    Case("getitem ellipsis", lambda x: x[..., 1] + x[:, None, 0, ...], ((3, 2, 2),)),
    Case("getitem booleans", lambda x: x[MASK], (M,)),
    Case("getitem repeated", lambda x: x[INDEX] * x[[0, 2, 0]][:, None][:2], (V,)),
    Case("getitem pairs", lambda x: x[INDEX, [1, 1]], (M,)),
    Case("getitem mixed", lambda x: x[INDEX, ..., 0], ((3, 2, 2),)),
    Case("iteration", lambda x: sum(k * row for k, row in enumerate(x)), (M,)),
    Case("astype", lambda x: x.astype(np.float64) * 2, (M,), covers=cast),
    # products
    Case("dot scalar", lambda a, b: np.dot(a, b), ((), V), covers=np.dot),
    Case("dot of many axes", lambda a, b: np.dot(a, b), ((2, 3), (2, 3, 2))),
    Case("dot method", lambda a, b: a.dot(b) if hasattr(a, "recorder") else np.dot(a, b), (M, V)),
    Case("inner", lambda a, b: np.inner(a, b), ((2, 4), (3, 4)), covers=np.inner),
    Case("inner scalar", lambda a, b: np.inner(a, b), ((), (3,))),
    Case("outer", lambda a, b: np.outer(a, b), ((2, 2), (3,)), covers=np.outer),
    Case("linalg.outer", lambda a, b: np.linalg.outer(a, b), ((2,), (3,)), covers=np.linalg.outer),
    Case("vdot", lambda a, b: np.vdot(a, b), (M, M), covers=np.vdot),
    Case("vecdot", lambda a, b: np.vecdot(a, b), (M, V), covers=np.vecdot),
    Case("tensordot", lambda a, b: np.tensordot(a, b, axes=([1, 0], [0, 2])), ((2, 3, 2), (3, 1, 2)),
         covers=np.tensordot),
    Case("tensordot number", lambda a, b: np.tensordot(a, b, axes=1), ((2, 3), (3, 2))),
    Case("linalg.norm", lambda x: np.linalg.norm(x, axis=-1), (M,), covers=np.linalg.norm),
    Case("norm of all", lambda x: np.linalg.norm(x), ((2, 2, 2),)),
    Case("norm 1", lambda x: np.linalg.norm(x, 1, axis=0, keepdims=True), (M,)),
    Case("norm 3", lambda x: np.linalg.norm(x, 3), (V,)),
    Case("norm inf", lambda x: np.linalg.norm(x, np.inf) + np.linalg.norm(x, -np.inf), (V,)),
    Case("norm fro", lambda x: np.linalg.norm(x, "fro"), (M,)),
    Case("vector_norm", lambda x: np.linalg.vector_norm(x), (M,), covers=np.linalg.vector_norm),
    Case("vector_norm axis", lambda x: np.linalg.vector_norm(x, axis=1, ord=1), (M,)),
    # linear algebra
    Case("inv", lambda x: np.linalg.inv(x + 4 * np.eye(3)), ((2, 3, 3),), covers=np.linalg.inv),
    Case("det 1", np.linalg.det, ((2, 1, 1),), covers=np.linalg.det),
    Case("det 2", np.linalg.det, ((2, 2, 2),)),
    Case("det 3", np.linalg.det, (S,)),
    Case("det 4", lambda x: np.linalg.det(x + 3 * np.eye(4)), ((4, 4),)),
    Case("det of rank 2", lambda x: np.linalg.det(x.T @ x), ((2, 3),), order=1),
    Case("slogdet", lambda x: np.linalg.slogdet(_positive_definite(x)).logabsdet, ((2, 3, 3),),
         covers=np.linalg.slogdet),
    Case("solve", lambda a, b: np.linalg.solve(a + 4 * np.eye(3), b), (S, (3, 2)), covers=np.linalg.solve),
    Case("solve vector", lambda a, b: np.linalg.solve(a + 4 * np.eye(3), b), (S, (3,))),
    Case("solve stack", lambda a, b: np.linalg.solve(a + 4 * np.eye(3), b), ((2, 3, 3), (3, 2))),
    Case("cholesky", lambda x: np.linalg.cholesky(_positive_definite(x)), ((2, 3, 3),),
         covers=np.linalg.cholesky),
]  # fmt: skip

MATMUL = [((3,), (3,)), ((3,), (3, 2)), ((2, 3), (3,)), ((2, 3), (3, 2)), ((4, 2, 3), (3, 1)),
          ((3,), (2, 3, 1)), ((2, 1, 2, 3), (4, 3, 2)), ((2, 2, 3), (3,)), ((1, 3), (5, 3, 2))]  # fmt: skip
EINSUM = ["ij,jk->ik", "ij,jk", "ij->", "ij->j", "ii", "ii->i", "iij->j", "i,j,ij->ij", "...i,...i->...",
          "...i,ij", "i...,j->j...", "ij,ij->i", "bi,ij,bj->b", "ij,kl->il"]  # fmt: skip
SIZES = {"i": 3, "j": 2, "k": 2, "l": 1, "b": 2}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_a_rule_of_arrays_agrees_with_differences(case):
    for seed in range(5):
        rng = np.random.default_rng(seed)
        inputs = []
        for k, shape in enumerate(case.shapes, start=1):  # no two entries equal: no kinks
            spread = np.linspace(case.low, case.high, int(np.prod(shape))) + 0.0137 * k
            inputs.append(rng.permuted(spread).reshape(shape))
        check(case.call, inputs, rng, case.order)


@pytest.mark.parametrize("shapes", MATMUL, ids=str)
def test_matmul_of_any_shapes_agrees_with_differences(shapes):
    rng = np.random.default_rng(3)
    check(lambda a, b: a @ b, [rng.normal(size=s) for s in shapes], rng, 2)


@pytest.mark.parametrize("subscripts", EINSUM)
def test_einsum_agrees_with_differences(subscripts):
    rng = np.random.default_rng(4)
    parts = subscripts.split("->")[0].split(",")
    shapes = [sum(((2, 1) if c == "." else (SIZES[c],) for c in p.replace("...", ".")), ()) for p in parts]
    check(lambda *x: np.einsum(subscripts, *x), [rng.normal(size=s) for s in shapes], rng, 2)


def test_a_rule_wrong_by_a_thousandth_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, np.sin, RULES[np.sin])
    elementwise(np.sin, lambda y, x: 1.001 * np.cos(x))
    with pytest.raises(AssertionError):
        check(np.sin, [np.array([0.3, 0.4])], np.random.default_rng(0), 1)


def test_a_second_derivative_that_is_lost_is_caught(monkeypatch):
    monkeypatch.setitem(RULES, np.sin, RULES[np.sin])
    elementwise(np.sin, lambda y, x: strip(np.cos(x)))
    with pytest.raises(AssertionError):
        check(np.sin, [np.array([0.3, 0.4])], np.random.default_rng(0), 2)


def test_no_rule_is_without_a_case():
    covered = {c.covers for c in CASES} | set(UNARY) | set(BINARY) | {np.matmul, np.einsum}
    names = {f.__name__ for f in covered if f is not None}
    ours = {operator.getitem, scatter, contract, logabsdet}  # reached through indexing, einsum, slogdet
    public = [f for f in (*RULES, *COMPOSITES) if f not in ours]
    assert [f.__name__ for f in public if f not in covered] == []
    assert set(SPECIAL) <= names


def test_every_floating_ufunc_of_numpy_is_differentiable_or_flat_or_refused_on_purpose():
    refused = {"frexp", "ldexp", "modf", "nextafter", "spacing", "fmod", "divmod", "conjugate", "matvec",
               "vecmat"}  # fmt: skip
    for name in dir(np):
        f = getattr(np, name)
        if isinstance(f, np.ufunc) and any("d" in t for t in f.types) and f.__name__ not in refused:
            assert f in RULES or f in COMPOSITES or f in PLAIN, name


# ----------------------------------------------------------------------------------- kinks and conventions


@pytest.mark.parametrize(
    "call",
    [
        np.abs,
        np.fabs,
        np.sqrt,
        np.cbrt,
        np.linalg.norm,
        lambda x: x**0.5,
        lambda x: np.hypot(x, 0.0),
        np.sign,
    ],
)
def test_a_kink_at_zero_has_derivative_zero(call):
    assert (grad(lambda x: np.sum(call(x)))(np.zeros(3)) == 0).all()


@pytest.mark.parametrize("call", [np.max, np.min])
def test_ties_share_the_derivative_equally(call):
    np.testing.assert_array_equal(grad(call)(np.ones(4)), np.full(4, 0.25))
    np.testing.assert_array_equal(grad(lambda x: np.maximum(x, 1.0).sum())(np.ones(2)), [0.5, 0.5])


def test_a_nan_in_the_branch_not_taken_does_not_leak():
    x = np.array([-1.0, 0.0, 2.0])
    with np.errstate(all="ignore"):
        found = grad(lambda z: np.sum(np.where(z > 0, np.log(z) + np.sqrt(z) + z**-1.0, 0.0)))(x)
    np.testing.assert_allclose(found, [0.0, 0.0, 0.5 + 0.5 / np.sqrt(2) - 0.25], rtol=1e-14, atol=0)


def test_powers_are_right_where_the_general_formula_is_not():
    x = np.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(grad(lambda z: np.sum(z**2))(x), 2 * x)
    np.testing.assert_array_equal(grad(lambda z: np.sum(z**1))(x), np.ones(3))
    np.testing.assert_array_equal(grad(lambda z: np.sum(z**0))(x), np.zeros(3))
    np.testing.assert_array_equal(grad(lambda p: np.sum(np.power([0.0, 1.0, 2.0], p)))(np.full(3, 2.0)),
                                  [0.0, 0.0, 4 * np.log(2.0)])  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_float32_stays_float32(case):
    if case.name in ("astype",):
        return
    rng = np.random.default_rng(0)
    inputs = [rng.uniform(case.low, case.high, size=s).astype(np.float32) for s in case.shapes]
    found = grad(lambda x: np.sum(case.call(x, *inputs[1:])))(inputs[0])
    assert strip(found).dtype == np.float32


@pytest.mark.parametrize("ufunc", [*UNARY, *BINARY], ids=name_of)
def test_float32_stays_float32_in_elementwise_functions(ufunc):
    low, high = UNARY.get(ufunc) or BINARY[ufunc]
    x = np.linspace(low, high, 6).astype(np.float32)
    found = grad(lambda z: np.sum(ufunc(z) if ufunc in UNARY else ufunc(z, x)))(x)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
