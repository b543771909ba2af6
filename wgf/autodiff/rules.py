"""The table of derivative rules, and its elementwise part.

A rule gives, for one positional argument of a NumPy function, the cotangent of that argument: called
as `rule(g, y, *args, **kwargs)` with g the cotangent of the result y. Rules are written with NumPy
functions on whatever they are given, never with raw loops or in-place writes, so that they can
themselves be differentiated (their arguments are then Tensors of the enclosing differentiation).

For elementwise functions it is enough to give the partial derivatives; `elementwise` makes the rules:
it multiplies by g, where a zero of g stays zero whatever the derivative is (so that a NaN in the branch
np.where did not take cannot leak), undoes the broadcasting and returns to the argument's type.
Kinks: |x| and sign at 0 give 0, sqrt, cbrt and hypot at 0 give 0, ties of max, min share equally.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wgf.autodiff.composites import uncovered
from wgf.autodiff.tensor import cast, name_of, refusal, strip

Derivative = Callable[..., Any]


@dataclass(frozen=True)
class Rule:
    """The cotangent rules of one function, one per differentiable positional argument (None: no rule).

    `sequence` marks functions whose tensors stand in one list (np.concatenate) or whose operand count is
    free (np.einsum): their single rule takes the operand's number as third argument.
    """

    cotangents: tuple[Derivative | None, ...]
    sequence: bool = False

    def acts_on(self, place: int) -> bool:
        """Whether the argument at `place` has a derivative; others are taken as constants."""
        return self.sequence or (place < len(self.cotangents) and self.cotangents[place] is not None)


RULES: dict[Callable[..., Any], Rule] = {}
SPECIAL: dict[str, Rule] = {}  # ufuncs of scipy.special by name: importing wgf need not import them


def enter(*functions: Any, sequence: bool = False) -> Callable[..., Any]:
    """Decorator: the function is the rule for the first argument of these NumPy functions."""

    def add(cotangent: Derivative) -> Derivative:
        for function in functions:
            RULES[function] = Rule((cotangent,), sequence)
        return cotangent

    return add


def find(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Rule:
    """The rule of `function`, or a TypeError naming the function or the option no rule covers."""
    rule = RULES.get(function)
    if rule is None and isinstance(function, np.ufunc):
        rule = SPECIAL.get(function.__name__)
    if rule is None:
        raise refusal(name_of(function))
    first = next(c for c in rule.cotangents if c is not None)
    option = uncovered(first, len(args) + 2 + rule.sequence, kwargs)
    if option is not None:
        raise refusal(f"{name_of(function)} with {option}")
    return rule


def unbroadcast(g: Any, x: Any) -> Any:
    """Sum `g` over the axes along which `x` was broadcast, and return it in the type of `x`."""
    shape = np.shape(x)
    if np.shape(g) != shape:
        extra = np.ndim(g) - len(shape)
        if extra:
            g = np.sum(g, axis=tuple(range(extra)))
        stretched = tuple(k for k, n in enumerate(shape) if n == 1 and np.shape(g)[k] != 1)
        if stretched:
            g = np.sum(g, axis=stretched, keepdims=True)
    return like(g, x)


def like(g: Any, x: Any) -> Any:
    """`g` in the floating type of `x`."""
    dtype = getattr(x, "dtype", None)
    return g if dtype is None or g.dtype == dtype or dtype.kind != "f" else cast(g, dtype)


def times(g: Any, slope: Any) -> Any:
    """g * slope, where a zero of g stays zero even if the slope there is infinite or NaN."""
    if isinstance(slope, int):
        return g if slope == 1 else g * slope
    product = g * slope
    if np.isfinite(product).all():
        return product
    return np.where(np.equal(g, 0), 0.0, product)


def _cotangent(slope: Derivative, k: int) -> Derivative:
    return lambda g, y, *args: unbroadcast(times(g, slope(y, *args)), args[k])


def elementwise(ufunc: Any, *slopes: Derivative) -> None:
    """Enter an elementwise function by its partial derivatives `slope(y, *args)`."""
    rule = Rule(tuple(_cotangent(slope, k) for k, slope in enumerate(slopes)))
    if isinstance(ufunc, str):
        SPECIAL[ufunc] = rule
    else:
        RULES[ufunc] = rule


def safe(x: Any, where: Any) -> Any:
    """`x` with 1 in the places where `where` does not hold: a divisor that cannot be zero there."""
    return np.where(where, x, 1)


# ------------------------------------------------------------------------------------------ arithmetic


def _power_base(y: Any, x: Any, p: Any) -> Any:
    if isinstance(p, (int, float)) and p >= 1:  # the common powers, without a general pow
        return 1 if p == 1 else p * (x if p == 2 else np.power(x, p - 1))
    constant = np.equal(p, 0) | (np.equal(x, 0) & np.less(p, 1))
    return np.where(constant, 0.0, p * np.power(x, np.where(constant, 1, p - 1)))


def _power_exponent(y: Any, x: Any, p: Any) -> Any:
    above = np.greater(x, 0)
    return np.where(above, y * np.log(safe(x, above)), 0.0)


elementwise(np.add, lambda y, a, b: 1, lambda y, a, b: 1)
elementwise(np.subtract, lambda y, a, b: 1, lambda y, a, b: -1)
elementwise(np.multiply, lambda y, a, b: b, lambda y, a, b: a)
elementwise(np.divide, lambda y, a, b: 1 / b, lambda y, a, b: -y / b)
elementwise(np.remainder, lambda y, a, b: 1, lambda y, a, b: -np.floor_divide(a, b))
elementwise(np.power, _power_base, _power_exponent)
elementwise(np.float_power, _power_base, _power_exponent)
elementwise(np.negative, lambda y, x: -1)
elementwise(np.positive, lambda y, x: 1)
elementwise(np.reciprocal, lambda y, x: -y * y)
elementwise(np.square, lambda y, x: 2 * x)
elementwise(np.sqrt, lambda y, x: np.where(np.equal(y, 0), 0.0, 0.5 / safe(y, np.not_equal(y, 0))))
elementwise(np.cbrt, lambda y, x: np.where(np.equal(y, 0), 0.0, 1 / (3 * safe(y * y, np.not_equal(y, 0)))))
elementwise(np.absolute, lambda y, x: np.sign(x))
elementwise(np.fabs, lambda y, x: np.sign(x))
elementwise(np.copysign, lambda y, a, b: np.sign(a) * np.sign(y), lambda y, a, b: 0)
elementwise(np.deg2rad, lambda y, x: math.pi / 180)
elementwise(np.radians, lambda y, x: math.pi / 180)
elementwise(np.rad2deg, lambda y, x: 180 / math.pi)
elementwise(np.degrees, lambda y, x: 180 / math.pi)
elementwise(np.nan_to_num, lambda y, x: np.isfinite(x))

# -------------------------------------------------------------------------------- exponentials, angles

elementwise(np.exp, lambda y, x: y)
elementwise(np.exp2, lambda y, x: math.log(2) * y)
elementwise(np.expm1, lambda y, x: y + 1)
elementwise(np.log, lambda y, x: 1 / x)
elementwise(np.log2, lambda y, x: 1 / (math.log(2) * x))
elementwise(np.log10, lambda y, x: 1 / (math.log(10) * x))
elementwise(np.log1p, lambda y, x: 1 / (1 + x))
elementwise(np.sin, lambda y, x: np.cos(x))
elementwise(np.cos, lambda y, x: -np.sin(x))
elementwise(np.tan, lambda y, x: 1 + y * y)
elementwise(np.arcsin, lambda y, x: 1 / np.sqrt(1 - x * x))
elementwise(np.arccos, lambda y, x: -1 / np.sqrt(1 - x * x))
elementwise(np.arctan, lambda y, x: 1 / (1 + x * x))
elementwise(np.sinh, lambda y, x: np.cosh(x))
elementwise(np.cosh, lambda y, x: np.sinh(x))
elementwise(np.tanh, lambda y, x: 1 - y * y)
elementwise(np.arcsinh, lambda y, x: 1 / np.sqrt(1 + x * x))
elementwise(np.arccosh, lambda y, x: 1 / np.sqrt((x - 1) * (x + 1)))
elementwise(np.arctanh, lambda y, x: 1 / ((1 - x) * (1 + x)))


# ----------------------------------------------------------------------------------- of two arguments


def _share(wins: Callable[..., Any]) -> tuple[Derivative, Derivative]:
    """Slopes of a pointwise maximum or minimum: 1 for the winner, one half each for a tie."""
    return (
        lambda y, a, b: np.where(np.equal(a, b), 0.5, wins(a, b)),
        lambda y, a, b: np.where(np.equal(a, b), 0.5, wins(b, a)),
    )


def _soft(exponential: Callable[..., Any]) -> tuple[Derivative, Derivative]:
    """Slopes of a log of a sum of exponentials; where both are -inf the difference is taken as 0."""
    return (
        lambda y, a, b: exponential(np.where(np.equal(a, y), 0.0, a - y)),
        lambda y, a, b: exponential(np.where(np.equal(b, y), 0.0, b - y)),
    )


def _radius(y: Any) -> Any:
    return safe(y, np.not_equal(y, 0))


elementwise(np.maximum, *_share(np.greater))
elementwise(np.fmax, *_share(np.greater))
elementwise(np.minimum, *_share(np.less))
elementwise(np.fmin, *_share(np.less))
elementwise(np.logaddexp, *_soft(np.exp))
elementwise(np.logaddexp2, *_soft(np.exp2))
elementwise(np.hypot, lambda y, a, b: a / _radius(y), lambda y, a, b: b / _radius(y))
elementwise(
    np.arctan2,
    lambda y, a, b: b / _radius(a * a + b * b),
    lambda y, a, b: -a / _radius(a * a + b * b),
)

# -------------------------------------------------------------------------- special functions, by name

_ERF = 2 / math.sqrt(math.pi)


def _special(name: str) -> Callable[..., Any]:
    """A function of scipy.special, imported when first called."""

    def call(*args: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*args)

    return call


elementwise("erf", lambda y, x: _ERF * np.exp(-x * x))
elementwise("erfc", lambda y, x: -_ERF * np.exp(-x * x))
elementwise("expit", lambda y, x: y * (1 - y))
elementwise("log_expit", lambda y, x: -np.expm1(y))
elementwise("logit", lambda y, x: 1 / (x * (1 - x)))
elementwise("ndtr", lambda y, x: np.exp(-x * x / 2) / math.sqrt(2 * math.pi))
elementwise("log_ndtr", lambda y, x: np.exp(-x * x / 2 - y) / math.sqrt(2 * math.pi))
elementwise("gammaln", lambda y, x: _special("psi")(strip(x)))
elementwise("xlogy", lambda y, a, b: _special("xlogy")(np.ones_like(a), b), lambda y, a, b: a / b)
elementwise("xlog1py", lambda y, a, b: np.log1p(b), lambda y, a, b: a / (1 + b))
