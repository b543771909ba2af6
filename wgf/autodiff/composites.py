"""Calls that need no derivative rule: piecewise-constant ones, and ones that are other calls in disguise.

Keeping these apart keeps the rule table short: a rule is written only where calculus is needed, and
everything spelled out here nests to any order because it is ordinary NumPy on whatever it is given.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

# Answers that do not change under a small change of the input (or whose derivative is 0 where it
# exists): given as plain arrays. np.searchsorted, np.digitize and np.histogram are left out on purpose:
# what is looked up with them is a table, whose slope would be lost silently.
PLAIN: set[Callable[..., Any]] = {
    np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal,
    np.logical_and, np.logical_or, np.logical_not, np.logical_xor,
    np.isfinite, np.isinf, np.isnan, np.isneginf, np.isposinf, np.signbit, np.isclose, np.allclose,
    np.array_equal, np.sign, np.floor, np.ceil, np.rint, np.trunc, np.fix, np.round, np.around,
    np.floor_divide, np.heaviside, np.all, np.any, np.argmax, np.argmin, np.argsort, np.argwhere,
    np.nonzero, np.flatnonzero, np.count_nonzero, np.shape, np.ndim, np.size, np.zeros_like,
    np.ones_like, np.full_like, np.empty_like, np.result_type, np.iscomplexobj, np.isrealobj,
}  # fmt: skip

COMPOSITES: dict[Callable[..., Any], Callable[..., Any]] = {}

REDUCTIONS: dict[tuple[Any, str], Callable[..., Any]] = {
    (np.add, "reduce"): np.sum,
    (np.multiply, "reduce"): np.prod,
    (np.maximum, "reduce"): np.max,
    (np.minimum, "reduce"): np.min,
    (np.add, "accumulate"): lambda x, axis=0: np.cumsum(x, axis),
}


def spelled(*functions: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Enter the decorated function as the spelling of these NumPy functions."""

    def enter(spelling: Callable[..., Any]) -> Callable[..., Any]:
        for function in functions:
            COMPOSITES[function] = spelling
        return spelling

    return enter


class NotDifferentiable(TypeError):
    """Raised inside a spelled-out call for an option it does not cover; the text names the option."""


@functools.cache
def _signature(function: Callable[..., Any]) -> tuple[float, frozenset[str]]:
    parameters = inspect.signature(function).parameters.values()
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        return float("inf"), frozenset(p.name for p in parameters if p.kind is p.KEYWORD_ONLY)
    positional = [p for p in parameters if p.kind is not p.KEYWORD_ONLY]
    return len(positional), frozenset(p.name for p in parameters)


def uncovered(function: Callable[..., Any], count: int, words: Iterable[str]) -> str | None:
    """The option of a call with `count` positional arguments and keywords `words` that `function` lacks."""
    most, names = _signature(function)
    if count > most:
        return f"{count} positional arguments"
    return next((f"{word}=" for word in words if word not in names), None)


def _shape(x: Any) -> tuple[int, ...]:
    return tuple(np.shape(x))


# ----------------------------------------------------------------------------- elementwise and sums


def _logaddexp_reduce(x: Any, axis: Any = 0, keepdims: bool = False) -> Any:
    """The log of a sum of exponentials along `axis`, shifted by the maximum so that nothing overflows."""
    top = np.max(x, axis=axis, keepdims=True)
    shift = np.where(np.isfinite(top), top, 0.0)
    total = np.log(np.sum(np.exp(x - shift), axis=axis, keepdims=True)) + shift
    return total if keepdims else np.squeeze(total, axis)


REDUCTIONS[np.logaddexp, "reduce"] = _logaddexp_reduce


@spelled(np.clip)
def _clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    if low is not None:
        x = np.where(np.less(x, low), low, x)
    return x if high is None else np.where(np.greater(x, high), high, x)


@spelled(np.var)
def _var(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    centred = x - np.mean(x, axis=axis, keepdims=True)
    total = np.sum(centred * centred, axis=axis, keepdims=keepdims)
    return total / (x.size / max(np.size(total), 1) - ddof)


@spelled(np.std)
def _std(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return np.sqrt(_var(x, axis, ddof=ddof, keepdims=keepdims))


@spelled(np.average)
def _average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    if weights is None:
        return np.mean(x, axis=axis)
    if np.shape(weights) != np.shape(x) and axis is not None:
        shape = [1] * np.ndim(x)
        shape[axis] = np.size(weights)
        weights = np.reshape(weights, shape)
    return np.sum(x * weights, axis=axis) / np.sum(weights * np.ones_like(x), axis=axis)


@spelled(np.ptp)
def _ptp(x: Any, axis: Any = None) -> Any:
    return np.max(x, axis=axis) - np.min(x, axis=axis)


@spelled(np.cumprod)
def _cumprod(x: Any, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = np.ravel(x), 0
    moved = np.moveaxis(x, axis, 0)
    rows = [moved[0]]
    for k in range(1, len(moved)):
        rows.append(rows[-1] * moved[k])
    return np.moveaxis(np.stack(rows), 0, axis)


@spelled(np.sinc)
def _sinc(x: Any) -> Any:
    away = np.abs(np.pi * x) > 1e-3  # below it the series is exact to rounding and smooth at 0
    y = np.where(away, np.pi * x, 1.0)
    z = np.where(away, 0.0, np.pi * x) ** 2
    return np.where(away, np.sin(y) / y, 1 - z / 6 + z * z / 120)


@spelled(np.polyval)
def _polyval(p: Any, x: Any) -> Any:
    total: Any = 0.0
    for coefficient in p:
        total = total * x + coefficient
    return total


@spelled(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    y = np.moveaxis(y, axis, -1)
    step = dx if x is None else np.diff(x if np.ndim(x) == 1 else np.moveaxis(x, axis, -1))
    return np.sum(step * (y[..., 1:] + y[..., :-1]) / 2, axis=-1)


# --------------------------------------------------------------------------------- choosing entries


@spelled(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    for condition, chosen in zip(reversed(condlist), reversed(choicelist), strict=True):
        default = np.where(condition, chosen, default)
    return default


@spelled(np.tril)
def _tril(x: Any, k: int = 0) -> Any:
    return np.where(np.tri(*_shape(x)[-2:], k=k, dtype=bool), x, 0.0)


@spelled(np.triu)
def _triu(x: Any, k: int = 0) -> Any:
    return np.where(np.tri(*_shape(x)[-2:], k=k - 1, dtype=bool), 0.0, x)


@spelled(np.take)
def _take(x: Any, indices: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.ravel(x)[np.asarray(indices)]
    return x[(slice(None),) * (axis % np.ndim(x)) + (np.asarray(indices),)]


@spelled(np.take_along_axis)
def _take_along_axis(x: Any, indices: Any, axis: int | None = -1) -> Any:
    if axis is None:
        return np.ravel(x)[np.asarray(indices)]
    grid = list(np.ogrid[tuple(slice(n) for n in np.shape(indices))])
    grid[axis % np.ndim(x)] = indices
    return x[tuple(grid)]


@spelled(np.sort)
def _sort(x: Any, axis: int | None = -1) -> Any:
    if axis is None:
        x, axis = np.ravel(x), 0
    return _take_along_axis(x, np.argsort(x, axis=axis, kind="stable"), axis)


@spelled(np.repeat)
def _repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    if axis is None:
        x, axis = np.ravel(x), 0
    return _take(x, np.repeat(np.arange(_shape(x)[axis]), repeats), axis)


@spelled(np.diagonal)
def _diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    moved = np.moveaxis(x, (axis1, axis2), (-2, -1))
    rows, columns = _shape(moved)[-2:]
    k = np.arange(max(0, min(rows + min(offset, 0), columns - max(offset, 0))))
    return moved[..., k - min(offset, 0), k + max(offset, 0)]


@spelled(np.trace)
def _trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return np.sum(_diagonal(x, offset, axis1, axis2), axis=-1)


@spelled(np.linalg.diagonal)
def _matrix_diagonal(x: Any, *, offset: int = 0) -> Any:
    return _diagonal(x, offset, -2, -1)


@spelled(np.linalg.trace)
def _matrix_trace(x: Any, *, offset: int = 0) -> Any:
    return _trace(x, offset, -2, -1)


@spelled(np.diag)
def _diag(x: Any, k: int = 0) -> Any:
    if np.ndim(x) == 2:
        return _diagonal(x, k)
    size = _shape(x)[0]
    placed = np.arange(size + abs(k)) - max(k, 0)
    inside = (placed >= 0) & (placed < size)
    rows = np.where(inside, x[np.clip(placed, 0, size - 1)], 0.0)
    return np.where(np.eye(size + abs(k), k=k, dtype=bool), rows, 0.0)


@spelled(np.diff)
def _diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    moved = np.moveaxis(x, axis, -1)
    for _ in range(n):
        moved = moved[..., 1:] - moved[..., :-1]
    return np.moveaxis(moved, -1, axis)


# ------------------------------------------------------------------------------ shapes and sequences


@spelled(np.ravel)
def _ravel(x: Any) -> Any:
    return np.reshape(x, -1)


@spelled(np.copy)
def _copy(x: Any) -> Any:
    return x + 0


@spelled(np.expand_dims)
def _expand_dims(x: Any, axis: Any) -> Any:
    axes = axis if isinstance(axis, (tuple, list)) else (axis,)
    total = np.ndim(x) + len(axes)
    places = {a % total for a in axes}
    sizes = iter(_shape(x))
    return np.reshape(x, tuple(1 if k in places else next(sizes) for k in range(total)))


@spelled(np.atleast_1d)
def _atleast_1d(x: Any) -> Any:
    return np.reshape(x, 1) if np.ndim(x) == 0 else x


@spelled(np.atleast_2d)
def _atleast_2d(x: Any) -> Any:
    return x if np.ndim(x) >= 2 else np.reshape(x, (1, -1))


@spelled(np.stack)
def _stack(arrays: Any, axis: int = 0) -> Any:
    return np.concatenate([np.expand_dims(a, axis) for a in arrays], axis=axis)


@spelled(np.vstack)
def _vstack(tup: Any) -> Any:
    return np.concatenate([np.atleast_2d(a) for a in tup], axis=0)


@spelled(np.hstack)
def _hstack(tup: Any) -> Any:
    rows = [np.atleast_1d(a) for a in tup]
    return np.concatenate(rows, axis=0 if rows[0].ndim == 1 else 1)


@spelled(np.column_stack)
def _column_stack(tup: Any) -> Any:
    return np.concatenate([np.reshape(a, (-1, 1)) if np.ndim(a) < 2 else a for a in tup], axis=1)


@spelled(np.array_split, np.split)
def _split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    parts = np.array_split(np.arange(_shape(x)[axis]), indices_or_sections)
    return [_take(x, part, axis) for part in parts]


@spelled(np.tile)
def _tile(x: Any, reps: Any) -> Any:
    reps = tuple(np.atleast_1d(np.asarray(reps)))
    shape = (1,) * (len(reps) - np.ndim(x)) + _shape(x)
    reps = (1,) * (len(shape) - len(reps)) + reps
    doubled = tuple(n for pair in zip(reps, shape, strict=True) for n in pair)
    single = tuple(n for size in shape for n in (1, size))
    wide = np.broadcast_to(np.reshape(x, single), doubled)
    return np.reshape(wide, tuple(r * n for r, n in zip(reps, shape, strict=True)))


@spelled(np.broadcast_arrays)
def _broadcast_arrays(*arrays: Any) -> Any:
    shape = np.broadcast_shapes(*map(_shape, arrays))
    return tuple(np.broadcast_to(a, shape) for a in arrays)


@spelled(np.meshgrid)
def _meshgrid(*axes: Any, indexing: str = "xy") -> Any:
    if len(axes) > 1 and indexing == "xy":
        grids = _meshgrid(axes[1], axes[0], *axes[2:], indexing="ij")
        return (grids[1], grids[0], *grids[2:])
    sizes = tuple(int(np.size(a)) for a in axes)
    shapes = [tuple(n if j == k else 1 for j in range(len(axes))) for k, n in enumerate(sizes)]
    return tuple(np.broadcast_to(np.reshape(a, s), sizes) for a, s in zip(axes, shapes, strict=True))
