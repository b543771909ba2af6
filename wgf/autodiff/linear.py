"""Rules for products and linear algebra; what reduces to a product is spelled out as one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from wgf.autodiff.composites import NotDifferentiable, spelled
from wgf.autodiff.rules import RULES, Rule, enter, like, unbroadcast
from wgf.autodiff.tensor import primitive, strip

# -------------------------------------------------------------------------------------------- products


def _turned(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _matmul_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    if np.ndim(b) == 1:
        return unbroadcast(np.expand_dims(g, -1) * b, a)
    if np.ndim(a) == 1:
        return unbroadcast(np.squeeze(np.matmul(b, np.expand_dims(g, -1)), -1), a)
    return unbroadcast(np.matmul(g, _turned(b)), a)


def _matmul_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    if np.ndim(a) == 1:
        row = np.expand_dims(g, -2) if np.ndim(b) > 1 else g
        return unbroadcast((np.expand_dims(a, -1) if np.ndim(b) > 1 else a) * row, b)
    if np.ndim(b) == 1:
        return unbroadcast(np.squeeze(np.matmul(_turned(a), np.expand_dims(g, -1)), -1), b)
    return unbroadcast(np.matmul(_turned(a), g), b)


RULES[np.matmul] = Rule((_matmul_left, _matmul_right))


@spelled(np.tensordot)
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    if isinstance(axes, (int, np.integer)):
        axes = (tuple(range(np.ndim(a) - axes, np.ndim(a))), tuple(range(axes)))
    left, right = (tuple(np.atleast_1d(np.asarray(x, dtype=int))) for x in axes)
    left, right = tuple(k % np.ndim(a) for k in left), tuple(k % np.ndim(b) for k in right)
    rows = tuple(k for k in range(np.ndim(a)) if k not in left)
    columns = tuple(k for k in range(np.ndim(b)) if k not in right)
    size = int(np.prod([np.shape(a)[k] for k in left], dtype=int))
    shape = tuple(np.shape(a)[k] for k in rows) + tuple(np.shape(b)[k] for k in columns)
    flat_a = np.reshape(np.transpose(a, rows + left), (-1, size))
    flat_b = np.reshape(np.transpose(b, right + columns), (size, -1))
    return np.reshape(np.matmul(flat_a, flat_b), shape)


@spelled(np.dot)
def _dot(a: Any, b: Any) -> Any:
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return np.matmul(a, b) if np.ndim(b) <= 2 else _tensordot(a, b, ((-1,), (np.ndim(b) - 2,)))


@spelled(np.inner)
def _inner(a: Any, b: Any) -> Any:
    return a * b if np.ndim(a) == 0 or np.ndim(b) == 0 else _tensordot(a, b, ((-1,), (-1,)))


@spelled(np.outer, np.linalg.outer)
def _outer(a: Any, b: Any) -> Any:
    return np.reshape(a, (-1, 1)) * np.reshape(b, (1, -1))


@spelled(np.vdot)
def _vdot(a: Any, b: Any) -> Any:
    return np.sum(np.reshape(a, -1) * np.reshape(b, -1))


if hasattr(np, "vecdot"):  # NumPy 2.1 and later

    @spelled(np.vecdot)
    def _vecdot(a: Any, b: Any) -> Any:
        return np.sum(a * b, axis=-1)


def _labels(subscripts: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    """The subscripts of each operand and of the result, with the ellipses spelled out in capitals."""
    subscripts = subscripts.replace(" ", "")
    inputs, arrow, result = subscripts.partition("->")
    parts = inputs.split(",")
    letters = [c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if c not in subscripts]
    spans = [np.ndim(x) - len(p.replace("...", "")) for p, x in zip(parts, operands, strict=True)]
    widest = max((s for s, p in zip(spans, parts, strict=True) if "..." in p), default=0)
    full = [
        p.replace("...", "".join(letters[widest - s : widest])) for p, s in zip(parts, spans, strict=True)
    ]
    common = "".join(letters[:widest])
    if not arrow:
        once = sorted(c for c in set(inputs) - set(".,") if inputs.count(c) == 1)
        return full, common + "".join(once)
    return full, result.replace("...", common)


@primitive
def contract(subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    """np.einsum with its subscripts as a string."""
    return np.einsum(subscripts, *operands, optimize=optimize)


@spelled(np.einsum)
def _einsum(subscripts: Any, *operands: Any, optimize: Any = False) -> Any:
    if not isinstance(subscripts, str):
        raise NotDifferentiable("subscripts as lists")
    return contract(subscripts, *operands, optimize=optimize)


@enter(contract, sequence=True)
def _contract(g: Any, y: Any, k: int, subscripts: str, *operands: Any, optimize: Any = False) -> Any:
    k = k - 1  # the subscripts are argument 0
    parts, result = _labels(subscripts, operands)
    sizes: dict[str, int] = {}
    for part, x in zip(parts, operands, strict=True):
        for letter, size in zip(part, np.shape(x), strict=True):
            sizes[letter] = max(size, sizes.get(letter, 1))
    terms = [result, *parts[:k], *parts[k + 1 :]]
    factors = [g, *operands[:k], *operands[k + 1 :]]
    spare = [c for c in "abcdefghijklmnopqrstuvwxyz" if c not in subscripts]
    target = ""
    for letter in parts[k]:
        if letter in target:  # a repeated label reads a diagonal: put the cotangent back on it
            fresh = spare.pop()
            terms, factors = [*terms, letter + fresh], [*factors, np.eye(sizes[letter], dtype=g.dtype)]
            letter = fresh
        elif not any(letter in term for term in terms):  # summed out of this operand alone
            terms, factors = [*terms, letter], [*factors, np.ones(sizes[letter], dtype=g.dtype)]
        target += letter
    return unbroadcast(np.einsum(",".join(terms) + "->" + target, *factors, optimize=optimize), operands[k])


# ------------------------------------------------------------------------------------- linear algebra


def _solve_right(g: Any, y: Any, a: Any, b: Any) -> Any:
    column = np.expand_dims(g, -1) if np.ndim(b) == 1 else g
    back = np.linalg.solve(_turned(a), column)
    return unbroadcast(np.squeeze(back, -1) if np.ndim(b) == 1 else back, b)


def _solve_left(g: Any, y: Any, a: Any, b: Any) -> Any:
    column, solution = (np.expand_dims(v, -1) if np.ndim(b) == 1 else v for v in (g, y))
    back = np.linalg.solve(_turned(a), column)
    return unbroadcast(-np.matmul(back, _turned(solution)), a)


RULES[np.linalg.solve] = Rule((_solve_left, _solve_right))


@enter(np.linalg.inv)
def _inv(g: Any, y: Any, a: Any) -> Any:
    return like(-np.matmul(_turned(y), np.matmul(g, _turned(y))), a)


def _per_matrix(g: Any) -> Any:
    return np.expand_dims(g, (-1, -2))


@primitive
def logabsdet(a: Any) -> Any:
    """The log of the absolute determinant of each matrix of a stack."""
    return np.linalg.slogdet(a)[1]


@enter(logabsdet)
def _logabsdet(g: Any, y: Any, a: Any) -> Any:
    return like(_per_matrix(g) * _turned(np.linalg.inv(a)), a)


class SlogdetResult(NamedTuple):
    """As np.linalg.slogdet returns it: the sign is piecewise constant."""

    sign: Any
    logabsdet: Any


@spelled(np.linalg.slogdet)
def _slogdet(a: Any) -> SlogdetResult:
    return SlogdetResult(np.linalg.slogdet(strip(a))[0], logabsdet(a))


@enter(np.linalg.det)
def _det(g: Any, y: Any, a: Any) -> Any:
    return like(_per_matrix(g) * _cofactors(a), a)


def _cofactors(a: Any) -> Any:
    """The matrix of cofactors; by minors below size 4, so that singular matrices are right there too."""
    size = np.shape(a)[-1]
    if size > 3:
        return _per_matrix(np.linalg.det(a)) * _turned(np.linalg.inv(a))
    if size == 1:
        return np.ones_like(a)
    rows = []
    for i in range(size):
        keep = [k for k in range(size) if k != i]
        minors = [a[..., keep, :][..., [k for k in range(size) if k != j]] for j in range(size)]
        rows.append(np.stack([(-1) ** (i + j) * np.linalg.det(m) for j, m in enumerate(minors)], axis=-1))
    return np.stack(rows, axis=-2)


@enter(np.linalg.cholesky)
def _cholesky(g: Any, y: Any, a: Any) -> Any:
    half = np.tril(np.matmul(_turned(y), g))
    half = half - 0.5 * half * np.eye(np.shape(a)[-1], dtype=g.dtype)
    inner = np.linalg.solve(_turned(y), _turned(np.linalg.solve(_turned(y), _turned(half))))
    return like(0.5 * (inner + _turned(inner)), a)


@spelled(np.linalg.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """Vector norms of any order and the Frobenius norm; at 0 their derivative is given as 0."""
    if axis is None and ord is None:
        axis = tuple(range(np.ndim(x)))
    matrix = (np.ndim(x) == 2 and axis is None) or (isinstance(axis, tuple) and len(axis) == 2)
    if ord is None or ord == "fro" or (ord == 2 and not matrix):
        axis = (-2, -1) if axis is None and ord == "fro" else axis
        return np.sqrt(np.sum(x * x, axis=axis, keepdims=keepdims))
    if matrix:
        raise NotDifferentiable(f"ord={ord!r} of a matrix")
    if ord == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=keepdims)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=keepdims)
    total = np.sum(np.abs(x) ** ord, axis=axis, keepdims=keepdims)
    return total ** (1.0 / ord)


@spelled(np.linalg.vector_norm)
def _vector_norm(x: Any, *, axis: Any = None, ord: Any = 2, keepdims: bool = False) -> Any:
    if axis is None:
        x, axis = np.reshape(x, -1), 0
    return _norm(x, ord, axis, keepdims)
