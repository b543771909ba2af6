"""Argument checks at the door: one `Kind` per kind of argument, and the decorator that applies them.

A `Kind` turns what the user typed into what the code works with (a float, an integer, a finite
array), or refuses it with a sentence naming the argument, what it must be, and the value. Each kind
declares its own bad values once; `wgf.testing.bad_calls` reads them from `REGISTRY`, so a public
callable cannot be forgotten: one without registered kinds fails a test.

Turned down: a schema library (a second language between reader and code) and `assert` (vanishes
under -O and names nothing). Kernels and inner loops check nothing.
"""

from __future__ import annotations

import difflib
import functools
import inspect
import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Any, TypeVar

import numpy as np

NAN, INF = float("nan"), float("inf")
WEIGHT_TOLERANCE = 1e-6  # rounding of a float32 user's weights over 1e5 points; beyond it is a mistake

T = TypeVar("T")
Sizes = dict[str, int]


@dataclass(frozen=True)
class Kind:
    """What an argument may be: its name in words, how to convert it, and values it must refuse.

    `convert(name, value, sizes)` returns the converted value or raises; `sizes` holds the array sizes
    met so far in the same call, so that two arrays of one call can be held to the same `n` or `d`.
    """

    words: str
    convert: Callable[[str, Any, Sizes], Any]
    bad: tuple[Any, ...]

    def __call__(self, name: str, value: Any, sizes: Sizes | None = None) -> Any:
        """The converted value, or the refusal."""
        return self.convert(name, value, {} if sizes is None else sizes)


def shown(value: Any) -> str:
    """`value` as error sentences show it: short, on one line."""
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape} and type {value.dtype}"
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def refuse(name: str, words: str, value: Any, kind: type[Exception] = ValueError) -> Exception:
    """The one sentence of refusal: `dt must be a finite number > 0, got nan.`"""
    return kind(f"{name} must be {words}, got {shown(value)}.")


# --------------------------------------------------------------------------------------- the decorator


@dataclass(frozen=True)
class Door:
    """A public callable and the kinds of its arguments."""

    target: Callable[..., Any]
    kinds: dict[str, Kind]


REGISTRY: dict[str, Door] = {}


def checked(**kinds: Kind) -> Callable[[T], T]:
    """Check (and convert) the named arguments of a function, method or class before its body runs.

    Classes are guarded at `__init__`. Arguments are checked in the order of the signature; defaults
    are not checked. The callable is entered in `REGISTRY` under its module and qualified name.
    """

    def decorate(target: Any) -> Any:
        is_class = isinstance(target, type)
        inner = target.__init__ if is_class else target
        signature = inspect.signature(inner)
        unknown = set(kinds) - set(signature.parameters)
        assert not unknown, f"{target.__qualname__} has no arguments {unknown}"

        @functools.wraps(inner)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            bound = _bind(target.__qualname__, signature, args, kwargs)
            sizes: Sizes = {}
            for name in bound.arguments:
                if name in kinds:
                    bound.arguments[name] = kinds[name](name, bound.arguments[name], sizes)
            return inner(*bound.args, **bound.kwargs)

        door = target if is_class else guarded
        if is_class:
            target.__init__ = guarded
        REGISTRY[f"{target.__module__}.{target.__qualname__}"] = Door(door, kinds)
        return door

    return decorate


def _bind(name: str, signature: inspect.Signature, args: Any, kwargs: Any) -> inspect.BoundArguments:
    """The arguments by name; a TypeError that names the callable and, for a misspelt word, the near one."""
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        known = [p for p in signature.parameters if p != "self"]
        unknown = [word for word in kwargs if word not in known]
        hint = nearest(unknown[0], known) if unknown else ""
        raise TypeError(f"{name}({', '.join(known)}): {error}{hint}.") from None


def optional(kind: Kind) -> Kind:
    """`kind`, or None."""

    def convert(name: str, value: Any, sizes: Sizes) -> Any:
        return None if value is None else kind.convert(name, value, sizes)

    return Kind(f"{kind.words}, or None", convert, tuple(b for b in kind.bad if b is not None))


def either(words: str, *kinds: Kind) -> Kind:
    """The first of `kinds` that accepts the value; bad is what every one of them refuses."""

    def convert(name: str, value: Any, sizes: Sizes) -> Any:
        for kind in kinds:
            try:
                return kind.convert(name, value, sizes)
            except (TypeError, ValueError):
                continue
        raise refuse(name, words, value)

    def refused(value: Any) -> bool:
        for kind in kinds:
            try:
                kind("value", value)
            except (TypeError, ValueError):
                continue
            return False
        return True

    pool = [b for kind in kinds for b in kind.bad]
    return Kind(words, convert, tuple(b for b in pool if refused(b)))


# ------------------------------------------------------------------------------------------- numbers


def _real(name: str, value: Any, words: str) -> float:
    if isinstance(value, np.ndarray) and value.ndim == 0:
        value = value.item()
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise refuse(name, words, value, TypeError)
    return float(value)


def number(words: str, accept: Callable[[float], bool], *bad: float) -> Kind:
    """A real number that `accept` accepts; NaN is always refused."""

    def convert(name: str, value: Any, sizes: Sizes) -> float:
        real = _real(name, value, words)
        if math.isnan(real) or not accept(real):
            raise refuse(name, words, value)
        return real

    return Kind(words, convert, (NAN, "a", None, 1j, [1.0, 2.0], np.zeros((0,)), *bad))


finite = number("a finite number", math.isfinite, INF, -INF)
positive = number("a finite number > 0", lambda v: 0 < v < INF, INF, -INF, 0.0, -1.0)
nonnegative = number("a finite number >= 0", lambda v: 0 <= v < INF, INF, -INF, -1.0)


def between(low: float, high: float) -> Kind:
    """A number in the open interval (low, high)."""
    return number(f"a number in ({low:g}, {high:g})", lambda v: low < v < high, INF, low, high, low - 1)


def integer(minimum: int, maximum: int | None = None) -> Kind:
    """An integer >= `minimum` (and <= `maximum`); floats with an integral value are refused too."""
    words = f"an integer >= {minimum}" + (f" and <= {maximum}" if maximum is not None else "")

    def convert(name: str, value: Any, sizes: Sizes) -> int:
        if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
            raise refuse(name, words, value, TypeError)
        if value < minimum or (maximum is not None and value > maximum):
            raise refuse(name, words, value)
        return int(value)

    beyond = () if maximum is None else (maximum + 1,)
    return Kind(words, convert, (NAN, INF, minimum - 1, 2.5, "a", None, [3, 4], *beyond))


def _boolean(name: str, value: Any, sizes: Sizes) -> bool:
    if not isinstance(value, (bool, np.bool_)):
        raise refuse(name, "True or False", value, TypeError)
    return bool(value)


boolean = Kind("True or False", _boolean, (1, 0.0, "yes", None, NAN))


# -------------------------------------------------------------------------------- strings, functions


def nearest(value: str, options: Sequence[str]) -> str:
    """` (did you mean 'langevin'?)` when an option is close to `value`, else nothing."""
    close = difflib.get_close_matches(value, options, n=1)
    return f" (did you mean '{close[0]}'?)" if close else ""


def choice(*options: str) -> Kind:
    """One of the given strings; a miss offers the nearest."""
    words = "one of " + ", ".join(repr(o) for o in options)

    def convert(name: str, value: Any, sizes: Sizes) -> str:
        if not isinstance(value, str):
            raise refuse(name, words, value, TypeError)
        if value not in options:
            raise ValueError(f"{name} must be {words}, got {value!r}{nearest(value, options)}.")
        return value

    return Kind(words, convert, ("no-such-option", "", 3, None, NAN))


def _function(name: str, value: Any, sizes: Sizes) -> Callable[..., Any]:
    if not callable(value):
        raise refuse(name, "a function", value, TypeError)
    return value


function = Kind("a function", _function, (3.0, "x", None, NAN, [1.0]))


def _path(name: str, value: Any, sizes: Sizes) -> str:
    if not isinstance(value, (str, PathLike)) or not fspath(value):
        raise refuse(name, "a file path", value, TypeError)
    return str(fspath(value))


path = Kind("a file path", _path, (3, "", None, NAN, ["a"]))


def _text(name: str, value: Any, sizes: Sizes) -> str:
    if not isinstance(value, str):
        raise refuse(name, "a string", value, TypeError)
    return value


text = Kind("a string", _text, (3, None, NAN, ["a"]))


def instance(words: str, *types: type) -> Kind:
    """An object of one of `types`."""

    def convert(name: str, value: Any, sizes: Sizes) -> Any:
        if not isinstance(value, types):
            raise refuse(name, words, value, TypeError)
        return value

    return Kind(words, convert, (3.0, "x", None, NAN, [1.0]))


# ------------------------------------------------------------------------------------------- arrays


def _fit(name: str, value: np.ndarray, shape: Sequence[str | int], sizes: Sizes) -> None:
    """Hold `value.shape` to `shape`, whose words are sizes shared by the arguments of one call."""
    wanted = "(" + ", ".join(str(sizes.get(s, s) if isinstance(s, str) else s) for s in shape)
    wanted += ",)" if len(shape) == 1 else ")"
    if value.ndim != len(shape):
        raise ValueError(f"{name} must have shape {wanted}, got {value.shape}.")
    if value.size == 0:
        raise ValueError(f"{name} must not be empty, got shape {value.shape}.")
    for size, expected in zip(value.shape, shape, strict=True):
        known = sizes.setdefault(expected, size) if isinstance(expected, str) else expected
        if size != known:
            raise ValueError(f"{name} must have shape {wanted}, got {value.shape}.")


def as_float(name: str, value: Any) -> np.ndarray:
    """`value` as a finite float array; float32 stays float32, everything else becomes float64."""
    if isinstance(value, (str, bytes)) or value is None:
        raise refuse(name, "an array of numbers", value, TypeError)
    try:
        array = np.asarray(value)
    except ValueError:
        raise refuse(name, "an array of numbers", value, TypeError) from None
    if array.dtype.kind not in "iuf":
        raise refuse(name, "an array of real numbers", value, TypeError)
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    if not np.isfinite(array).all():
        where = tuple(int(k) for k in np.argwhere(~np.isfinite(array))[0])
        raise ValueError(f"{name} must be finite, got {array[where]} at index {where}.")
    return array


def array(*shape: str | int) -> Kind:
    """A finite real array of this shape; a name in `shape` is a size shared across the call."""
    words = f"a finite array of shape ({', '.join(str(s) for s in shape)})"

    def convert(name: str, value: Any, sizes: Sizes) -> np.ndarray:
        result = as_float(name, value)
        _fit(name, result, shape, sizes)
        return result

    sample = np.ones(tuple(3 if isinstance(s, str) else s for s in shape))
    with_nan, with_inf = sample.copy(), sample.copy()
    with_nan.flat[-1], with_inf.flat[0] = NAN, INF
    empty = np.zeros((0, *sample.shape[1:]))
    deeper = np.ones((2, *sample.shape, 1))
    return Kind(words, convert, (with_nan, with_inf, empty, deeper, "a", None, sample + 1j))


points = array("n", "d")


def _lift(name: str, value: Any, sizes: Sizes, n: str) -> np.ndarray:
    result = as_float(name, value)
    if result.ndim == 1:
        result = result[:, None]
    _fit(name, result, (n, "d"), sizes)
    return result


def cloud(n: str = "n") -> Kind:
    """Points (n, d); a flat array is n points on the line."""
    bad = tuple(b for b in array("n", "d").bad if b is not None)
    return Kind(f"points of shape ({n}, d)", lambda a, v, s: _lift(a, v, s, n), (*bad, None, 3.0))


def weights(n: str = "n") -> Kind:
    """Probability weights (n,): finite, >= 0, summing to 1 within 1e-6 (then normalised exactly)."""

    def convert(name: str, value: Any, sizes: Sizes) -> np.ndarray:
        result = as_float(name, value).astype(np.float64, copy=False)
        _fit(name, result, (n,), sizes)
        if (result < 0).any():
            where = int(np.argmax(result < 0))
            raise ValueError(f"{name} must be >= 0, got {result[where]} at index {where}.")
        total = result.sum()
        if abs(total - 1) > WEIGHT_TOLERANCE:
            raise ValueError(f"{name} must sum to 1, got the sum {total:.6g}. Divide by it.")
        return result / total

    bad = (np.array([0.5, NAN]), np.array([1.5, -0.5]), np.zeros(3), np.ones(2), np.zeros(0), "a", None)
    return Kind("weights >= 0 that sum to 1", convert, (*bad, np.ones((2, 2)) / 4))


def _axis_bounds(name: str, value: Any, sizes: Sizes) -> tuple[tuple[float, float], ...]:
    words = "(low, high) or one such pair per axis, low < high and finite"
    try:
        pairs = as_float(name, value)
    except (TypeError, ValueError):
        raise refuse(name, words, value) from None
    pairs = pairs[None] if pairs.ndim == 1 else pairs
    if pairs.ndim != 2 or pairs.shape[1] != 2 or pairs.size == 0 or (pairs[:, 0] >= pairs[:, 1]).any():
        raise refuse(name, words, value)
    return tuple((float(a), float(b)) for a, b in pairs)


bounds = Kind(
    "(low, high) or one such pair per axis",
    _axis_bounds,
    ((1.0, 0.0), (0.0, INF), (NAN, 1.0), (0.0, 0.0), (1.0,), "ab", None, [], [(0, 1, 2)]),
)


# ---------------------------------------------------------------------------------------- randomness


def _rng(name: str, value: Any, sizes: Sizes) -> np.random.Generator:
    words = "an integer >= 0 or a numpy.random.Generator"
    if isinstance(value, np.random.Generator):
        return value
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, np.integer)):
        raise refuse(name, words, value, TypeError)
    if value < 0:
        raise refuse(name, words, value)
    return np.random.default_rng(int(value))


rng = Kind("an integer >= 0 or a numpy.random.Generator", _rng, (-1, 0.5, NAN, "a", None, [1]))
