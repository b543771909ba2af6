"""Gradients of whole functions: closed forms, deep graphs, nesting, memory, and errors by name."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest
import scipy.special

from wgf.autodiff import Tensor, grad, value_and_grad


def test_the_gradient_of_a_quadratic_form_is_its_closed_form():
    rng = np.random.default_rng(0)
    a, x = rng.normal(size=(4, 4)), rng.normal(size=4)
    np.testing.assert_allclose(grad(lambda z: 0.5 * z @ a @ z)(x), (a + a.T) @ x / 2, rtol=1e-13, atol=1e-13)


def test_the_gradient_of_a_log_sum_exp_is_the_softmax():
    x = np.random.default_rng(1).normal(size=(5, 3)) * 300
    found = grad(lambda z: np.sum(np.logaddexp.reduce(z, axis=-1)))(x)
    np.testing.assert_allclose(found, scipy.special.softmax(x, axis=-1), rtol=1e-12, atol=1e-300)


def test_the_gradient_of_the_log_determinant_is_the_inverse():
    a = np.eye(3) * 2 + np.random.default_rng(2).normal(size=(3, 3)) / 4
    found = grad(lambda z: np.linalg.slogdet(z)[1])(a)
    np.testing.assert_allclose(found, np.linalg.inv(a).T, rtol=1e-12, atol=1e-13)


def test_rows_of_a_summed_potential_do_not_mix():
    x = np.random.default_rng(3).normal(size=(50, 2))

    def potential(z):
        return (z[..., 0] ** 2 - 1) ** 2 + np.log1p(np.exp(z[..., 1])) * np.cos(z[..., 0])

    together = grad(lambda z: np.sum(potential(z)))(x)
    alone = np.stack([grad(potential)(row) for row in x])
    np.testing.assert_allclose(together, alone, rtol=1e-14, atol=1e-14)


def test_a_graph_of_20000_steps_needs_no_recursion():
    def deep(x):
        for _ in range(20_000):
            x = x * 0.9999 + 1e-5
        return x

    assert sys.getrecursionlimit() < 20_000
    np.testing.assert_allclose(grad(deep)(1.0), 0.9999**20_000, rtol=1e-10, atol=0)


def test_a_value_used_many_times_collects_every_contribution():
    def f(x):
        y = x * x
        for _ in range(60):  # 2^60 paths: only a walk that visits each node once ends
            y = y + y
        return np.sum(y)

    np.testing.assert_array_equal(grad(f)(np.array([1.0, 3.0])), 2.0**61 * np.array([1.0, 3.0]))


def test_a_later_node_feeding_an_earlier_branch_is_walked_in_order():
    def f(x):
        a = np.sin(x)
        b = a * x
        c = np.exp(a) + b
        return np.sum(c * a + b)

    x, v, h = np.array([0.3, 1.1]), np.array([0.7, -0.2]), 1e-5
    np.testing.assert_allclose(grad(f)(x) @ v, (f(x + h * v) - f(x - h * v)) / (2 * h), rtol=1e-8, atol=0)


def test_gradients_nest():
    def third(f):
        return grad(grad(grad(f)))

    np.testing.assert_allclose(third(np.exp)(0.7), np.exp(0.7), rtol=1e-14, atol=0)
    np.testing.assert_allclose(third(np.sin)(0.7), -np.cos(0.7), rtol=1e-14, atol=0)


def test_an_inner_derivative_does_not_confuse_its_variable_with_the_outer_one():
    found = grad(lambda x: x * grad(lambda y: x * y)(2.0))(3.0)  # d/dx of x^2
    np.testing.assert_allclose(found, 6.0, rtol=1e-15, atol=0)


def test_value_and_grad_gives_both_and_passes_further_arguments_on():
    value, slope = value_and_grad(lambda x, p, scale=1.0: scale * np.sum(x**p))(np.ones(2), 3, scale=2.0)
    assert value == 4.0
    np.testing.assert_array_equal(slope, [6.0, 6.0])


def test_a_constant_function_has_gradient_zero():
    assert (grad(lambda x: 3.0)(np.ones(2)) == 0).all()
    assert (grad(lambda x: np.sum(np.sign(x)))(np.ones(2)) == 0).all()
    assert grad(lambda x: np.sum(x * 0 + 1))(np.float32(2)).dtype == np.float32


def test_integers_are_differentiated_as_floats():
    np.testing.assert_array_equal(grad(lambda x: np.sum(x**2))([1, 2]), [2.0, 4.0])


def test_the_gradient_may_be_written_to():
    g = grad(np.sum)(np.ones(3))
    g += 1
    np.testing.assert_array_equal(g, np.full(3, 2.0))


def test_the_graph_is_freed_after_the_walk():
    kept = []

    def f(x):
        y = np.exp(x)
        kept.append(weakref.ref(y.node))
        return np.sum(y)

    grad(f)(np.ones(3))
    gc.collect()
    assert kept[0]() is None


def test_operators_methods_and_constants_on_either_side_work():
    x = np.array([0.5, 1.5])
    for f, expected in [
        (lambda z: np.sum(3.0 * z), [3.0, 3.0]),
        (lambda z: np.sum(np.pi - z), [-1.0, -1.0]),
        (lambda z: np.sum(1 / z), -1 / x**2),
        (lambda z: np.sum(2.0**z), np.log(2) * 2**x),
        (lambda z: np.sum(-z + abs(z) + +z), [1.0, 1.0]),
        (lambda z: np.sum(np.array([2.0, 3.0]) * z), [2.0, 3.0]),
        (lambda z: np.sum([2.0, 3.0] * z), [2.0, 3.0]),
        (lambda z: np.float64(2.0) * z.sum(), [2.0, 2.0]),
        (lambda z: np.eye(2)[0] @ z, [1.0, 0.0]),
        (lambda z: (z * (z > 1)).sum(), [0.0, 1.0]),
        (lambda z: sum(z), [1.0, 1.0]),
        (lambda z: z[np.argmax(z)], [0.0, 1.0]),
        (lambda z: np.sum(z % 1.0), [1.0, 1.0]),
    ]:
        np.testing.assert_allclose(grad(f)(x), expected, rtol=1e-14, atol=1e-14)


def test_a_tensor_shows_itself_and_its_shape():
    seen = []
    grad(lambda x: seen.append((repr(x), x.shape, x.ndim, x.size, len(x), str(x.dtype))) or np.sum(x))(
        np.ones(2)
    )
    assert seen == [("Tensor(array([1., 1.]))", (2,), 1, 2, 2, "float64")]


# ------------------------------------------------------------------------------------- errors by name

NOT_DIFFERENTIABLE = {
    "np.searchsorted": lambda x: np.searchsorted(np.arange(3.0), x),
    "np.interp": lambda x: np.interp(x, [0.0, 1.0], [1.0, 2.0]),
    "np.digitize": lambda x: np.digitize(x, np.arange(3.0)),
    "np.fft.fft": np.fft.fft,
    "np.linalg.eigh": np.linalg.eigh,
    "np.convolve": lambda x: np.convolve(x, x),
    "np.bitwise_and": lambda x: np.bitwise_and(x, 1),
    "np.subtract.outer": lambda x: np.subtract.outer(x, x),
    "np.sum with where=": lambda x: np.sum(x, where=[True, False]),
    "np.exp with where=": lambda x: np.exp(x, where=np.array([True, False])),
    "np.var with mean=": lambda x: np.var(x, mean=1.0),
    "np.concatenate with dtype=": lambda x: np.concatenate([x, x], dtype=float),
    "np.einsum with subscripts as lists": lambda x: np.einsum(x, [0], x, [0]),
    "np.linalg.norm with ord=2 of a matrix": lambda x: np.linalg.norm(np.outer(x, x), 2),
    "jv": lambda x: scipy.special.jv(x, 1.0),
}


@pytest.mark.parametrize("name", NOT_DIFFERENTIABLE)
def test_what_cannot_be_differentiated_says_so_by_name(name):
    with pytest.raises(TypeError) as caught:
        grad(NOT_DIFFERENTIABLE[name])(np.ones(2))
    assert str(caught.value) == f"{name} is not differentiable here; pass grad= to potential(...)."


def _write(x):
    a = np.zeros(2)
    a[0] = x[0]
    return a.sum()


def _add_in_place(x):
    a = np.zeros(2)
    a += x
    return a.sum()


def _write_into_the_tensor(x):
    x[0] = 1.0
    return x.sum()


@pytest.mark.parametrize(
    ("words", "call"),
    [
        ("np.array([tensor])", lambda x: np.array([x])),
        ("np.array([tensor])", lambda x: np.array([x[0], x[1]])),
        ("np.asarray", np.asarray),
        ("float(tensor)", lambda x: float(x[0])),
        ("int(tensor)", lambda x: int(x[0])),
        ("complex(tensor)", lambda x: complex(x[0])),
        ("bool(tensor)", lambda x: x if x[0] else -x),
        ("tensor as an index", lambda x: [1.0, 2.0][x[0]]),
        ("tensor.item()", lambda x: x[0].item()),
        ("tensor.tolist()", lambda x: x.tolist()),
        ("into an array", _write),
        ("np.add cannot write", _add_in_place),
        ("tensor[...] = value", _write_into_the_tensor),
        ("by position, not by keyword", lambda x: np.sum(a=x)),
    ],
)
def test_losing_the_derivative_is_refused_by_name(words, call):
    with pytest.raises(TypeError) as caught:
        grad(lambda x: np.sum(call(x)))(np.ones(2))
    assert words in str(caught.value)


def test_a_function_of_many_numbers_has_no_gradient():
    with pytest.raises(ValueError, match=r"f must return one number .* got shape \(2,\)"):
        grad(lambda x: x)(np.ones(2))


@pytest.mark.parametrize("bad", ["a", None, 1j, [[1.0], [1.0, 2.0]], np.array(["a"])])
def test_differentiating_at_something_else_than_real_numbers_is_refused(bad):
    with pytest.raises(TypeError, match="x must be an array of real numbers"):
        grad(lambda x: 1.0)(bad)


@pytest.mark.parametrize("verb", [grad, value_and_grad])
def test_only_functions_are_differentiated(verb):
    with pytest.raises(TypeError, match="f must be a function, got 3.0"):
        verb(3.0)


def test_an_error_of_the_users_own_function_passes_unchanged():
    def f(x):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="^mine$"):
        grad(f)(np.ones(2))


def test_the_walk_warns_of_nothing(recwarn):
    grad(lambda x: np.sum(np.where(x > 0, x, 0) ** 0.5))(np.array([0.0, 1.0]))
    assert len(recwarn) == 0


def test_tensor_is_public():
    seen = []
    grad(lambda x: seen.append(isinstance(x, Tensor)) or np.sum(x))(np.ones(1))
    assert seen == [True]
