"""Rules for reductions, shapes, joins and indexing.

Gathering and scattering are each other's rule: reading `x[index]` scatters the cotangent back, and
scattering reads it. Repeated indices add up by `np.bincount`, which sums in a fixed order.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from wgf.autodiff.rules import RULES, Rule, enter, like, times, unbroadcast
from wgf.autodiff.tensor import cast, primitive

RULES[cast] = Rule((lambda g, y, x, dtype: like(g, x),))


# ------------------------------------------------------------------------------------------ reductions


def _kept(g: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """`g` with the axes that a reduction of `x` removed put back at length 1."""
    if axis is None:
        return np.reshape(g, (1,) * np.ndim(x))
    return g if keepdims else np.expand_dims(g, axis)


def _spread(g: Any, x: Any) -> Any:
    return like(np.broadcast_to(g, np.shape(x)), x)


@enter(np.sum)
def _sum(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(_kept(g, x, axis, keepdims), x)


@enter(np.mean)
def _mean(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(_kept(g, x, axis, keepdims) * (max(np.size(y), 1) / np.size(x)), x)


@enter(np.max, np.min)
def _extreme(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    ties = np.equal(x, _kept(y, x, axis, keepdims))
    share = ties / np.sum(ties, axis=axis, keepdims=True)
    return like(_kept(g, x, axis, keepdims) * share, x)


@enter(np.prod)
def _prod(g: Any, y: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    flat, line = (np.reshape(x, -1), 0) if axis is None else (x, axis)
    if isinstance(line, tuple):
        line = tuple(a % np.ndim(x) for a in line)
        first = tuple(k for k in range(np.ndim(x)) if k not in line)
        order = line + first
        packed = np.reshape(np.transpose(x, order), (-1, *[np.shape(x)[k] for k in first]))
        others = np.reshape(_others(packed), [np.shape(x)[k] for k in order])
        others = np.transpose(others, np.argsort(order))
    else:
        others = np.moveaxis(_others(np.moveaxis(flat, line, 0)), 0, line)
    return like(times(_kept(g, x, axis, keepdims), np.reshape(others, np.shape(x))), x)


def _others(x: Any) -> Any:
    """For each row of `x` the product of all other rows; exact also where rows are zero."""
    one = np.ones_like(x[:1])
    before = np.concatenate([one, np.cumprod(x[:-1], axis=0)]) if len(x) > 1 else one
    after = np.concatenate([np.flip(np.cumprod(np.flip(x[1:], 0), axis=0), 0), one]) if len(x) > 1 else one
    return before * after


@enter(np.cumsum)
def _cumsum(g: Any, y: Any, x: Any, axis: int | None = None) -> Any:
    if axis is None:
        return np.reshape(np.flip(np.cumsum(np.flip(g, 0), axis=0), 0), np.shape(x))
    return np.flip(np.cumsum(np.flip(g, axis), axis=axis), axis)


# ---------------------------------------------------------------------------------------------- shapes


@enter(np.reshape)
def _reshape(g: Any, y: Any, x: Any, shape: Any) -> Any:
    return np.reshape(g, np.shape(x))


@enter(np.squeeze)
def _squeeze(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return np.reshape(g, np.shape(x))


@enter(np.transpose, np.permute_dims)
def _transpose(g: Any, y: Any, x: Any, axes: Any = None) -> Any:
    return np.transpose(g, None if axes is None else np.argsort([a % np.ndim(x) for a in axes]))


@enter(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(g: Any, y: Any, x: Any) -> Any:
    return np.swapaxes(g, -1, -2)


@enter(np.swapaxes)
def _swapaxes(g: Any, y: Any, x: Any, axis1: int, axis2: int) -> Any:
    return np.swapaxes(g, axis1, axis2)


@enter(np.moveaxis)
def _moveaxis(g: Any, y: Any, x: Any, source: Any, destination: Any) -> Any:
    return np.moveaxis(g, destination, source)


@enter(np.broadcast_to)
def _broadcast_to(g: Any, y: Any, x: Any, shape: Any) -> Any:
    return unbroadcast(g, x)


@enter(np.flip)
def _flip(g: Any, y: Any, x: Any, axis: Any = None) -> Any:
    return np.flip(g, axis)


@enter(np.roll)
def _roll(g: Any, y: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    return np.roll(g, tuple(-s for s in shift) if isinstance(shift, (tuple, list)) else -shift, axis)


RULES[np.where] = Rule(
    (
        None,
        lambda g, y, c, a, b: unbroadcast(np.where(c, g, 0.0), a),
        lambda g, y, c, a, b: unbroadcast(np.where(c, 0.0, g), b),
    )
)


# ----------------------------------------------------------------------------------- joins and indices


@enter(np.concatenate, sequence=True)
def _concatenate(g: Any, y: Any, k: int, arrays: Any, axis: int | None = 0) -> Any:
    if axis is None:
        start = sum(int(np.size(a)) for a in arrays[:k])
        return like(np.reshape(g[start : start + np.size(arrays[k])], np.shape(arrays[k])), arrays[k])
    axis = axis % np.ndim(g)
    start = sum(np.shape(a)[axis] for a in arrays[:k])
    window = (slice(None),) * axis + (slice(start, start + np.shape(arrays[k])[axis]),)
    return like(g[window], arrays[k])


def _is_basic(index: Any) -> bool:
    """True when `index` names every entry at most once without integer arrays."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None or p is Ellipsis or isinstance(p, (int, np.integer, slice)) or np.asarray(p).dtype == bool
        for p in parts
    )


@primitive
def scatter(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros of `shape` with `g` added at `index`: the transpose of reading `x[index]`."""
    if _is_basic(index):
        result = np.zeros_like(g, shape=shape)
        result[index] = g
        return result
    size = int(np.prod(shape, dtype=np.int64))
    places = np.arange(size).reshape(shape)[index]
    total = np.bincount(places.ravel(), weights=np.broadcast_to(g, places.shape).ravel(), minlength=size)
    return total.reshape(shape).astype(g.dtype)


RULES[operator.getitem] = Rule((lambda g, y, x, index: scatter(g, index, np.shape(x)),))
RULES[scatter] = Rule((lambda g, y, x, index, shape: g[index],))
