"""The terms an energy is a sum of, except interactions: entropy, internal energies, potentials.

A term says what it can: `density_value` (sum over nodes carrying mass and density), `first_variation`
on cells, `gradient` on points. Which scheme needs which is in the schemes' `supports`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, final

import numpy as np
from scipy.special import xlogy

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures.averages import evaluate
from wgf.measures.nodes import Nodes

GRADIENT_TOLERANCE = 1e-4  # relative; a user's wrong gradient is off by O(1), rounding by 1e-10


def _need_density(nodes: Nodes, term: str) -> np.ndarray:
    if nodes.rho is None:
        raise MeasureError(
            f"{term} of a particle cloud is not defined: a cloud has no density. Ask for it on a Density "
            "(Density.from_measure(particles, grid)) or use a scheme with a regularised energy."
        )
    return nodes.rho


@final
@dataclass(frozen=True)
class Entropy:
    """The integral of rho log rho; first variation log rho + 1."""

    kind = "entropy"

    def __repr__(self) -> str:
        return "entropy()"

    def value(self, nodes: Nodes) -> float:
        """sum mass log rho, zero cells contributing 0."""
        rho = _need_density(nodes, "entropy")
        return float(np.sum(xlogy(nodes.mass, np.where(rho > 0, rho, 1.0))))

    def first_variation(self, rho: np.ndarray) -> np.ndarray:
        """log rho + 1; -inf on empty cells."""
        with np.errstate(divide="ignore"):
            return np.log(rho) + 1.0


@final
@dataclass(frozen=True)
class Internal:
    """The integral of rho^m / (m - 1); first variation m/(m-1) rho^(m-1); pressure rho^m."""

    m: float
    kind = "internal"

    def __repr__(self) -> str:
        return f"internal({self.m:g})"

    def value(self, nodes: Nodes) -> float:
        """sum mass rho^(m-1) / (m-1)."""
        rho = _need_density(nodes, "internal energy")
        full = rho > 0
        return float(np.sum(nodes.mass[full] * rho[full] ** (self.m - 1)) / (self.m - 1))

    def first_variation(self, rho: np.ndarray) -> np.ndarray:
        """m/(m-1) rho^(m-1); -inf on empty cells when m < 1."""
        with np.errstate(divide="ignore"):
            return self.m / (self.m - 1) * rho ** (self.m - 1)


def takes_time(f: Callable[..., Any]) -> bool:
    """True when f is V(x, t): a second positional argument without default, or one called t."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        return False
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return len(positional) >= 2 and (
        positional[1].default is inspect.Parameter.empty or positional[1].name == "t"
    )


@final
@dataclass(frozen=True)
class Potential:
    """The integral of V rho for a plain NumPy V: (..., d) -> (...), or V(x, t).

    Its gradient is `grad` when the user gave one, else V.gradient of an object that has it (both checked
    against automatic differentiation on first use), else automatic differentiation of V.
    """

    V: Callable[..., Any]
    grad: Callable[..., Any] | None = None
    time: float | None = None
    kind = "potential"

    def __repr__(self) -> str:
        return f"potential({getattr(self.V, '__name__', None) or repr(self.V)})"

    @cached_property
    def time_dependent(self) -> bool:
        """True when V takes (x, t)."""
        return takes_time(self.V)

    def at(self, t: float) -> Potential:
        """The same term frozen at time t."""
        return replace(self, time=t) if self.time_dependent else self

    def _arguments(self) -> tuple[float, ...]:
        return (0.0 if self.time is None else self.time,) if self.time_dependent else ()

    def __call__(self, x: Any) -> Any:
        """V at x (..., d)."""
        return self.V(x, *self._arguments())

    def probe(self, x: np.ndarray) -> None:
        """Refuse a V that returns a wrong shape for points x (n, d) or mixes them; values are free."""
        with np.errstate(all="ignore"):
            together = np.asarray(self(x))
            alone = np.asarray(self(x[-1:]))
        if together.shape != x.shape[:-1]:
            evaluate("V", lambda _: together, x)
        if alone.shape != (1,) or not np.allclose(alone[0], together[-1], equal_nan=True):
            raise ValueError(
                f"V must treat points separately, got another value for the last of {len(x)} points than for "
                "it alone. It takes x of shape (..., d): index the last axis, x[..., 0]."
            )

    def values(self, x: np.ndarray) -> np.ndarray:
        """V at x (..., d), held to its shape and to finite numbers or +inf, an obstacle."""
        return evaluate("V", self, x, obstacles=True)

    def value(self, nodes: Nodes) -> float:
        """sum mass V; an obstacle without mass in it counts nothing."""
        filled = nodes.mass != 0
        return float(nodes.mass[filled] @ self.values(nodes.x[filled]))

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """grad V at x (..., d)."""
        given = self.grad if self.grad is not None else getattr(self.V, "gradient", None)
        if given is None:
            return self._automatic(x)
        if self.grad is not None or not type(self.V).__module__.startswith("wgf."):
            _trust(self, given, x)
        return np.asarray(given(x, *self._arguments()))

    def _automatic(self, x: np.ndarray) -> np.ndarray:
        from wgf.autodiff import grad

        return grad(lambda y: self(y).sum())(x)


_TRUSTED: set[Potential] = set()


def _trust(term: Potential, gradient: Callable[..., Any], x: np.ndarray) -> None:
    """Hold a user's gradient to automatic differentiation once per session, at a few points."""
    timeless = replace(term, time=None)
    if timeless in _TRUSTED:
        return
    times = (term.time or 0.0, (term.time or 0.0) + 0.37) if term.time_dependent else (None,)
    for time in times:  # a gradient may be right at one moment only
        _compare(replace(term, time=time), gradient, x)
    _TRUSTED.add(timeless)


def _compare(term: Potential, gradient: Callable[..., Any], x: np.ndarray) -> None:
    few = np.asarray(x, dtype=np.float64).reshape(-1, x.shape[-1])[:5]
    given = np.asarray(gradient(few, *term._arguments()))
    if given.shape != few.shape:
        raise ValueError(f"grad must return shape {few.shape} for points of that shape, got {given.shape}.")
    try:
        expected = term._automatic(few)
    except TypeError:  # V is not differentiable automatically, which is why the user gave grad
        expected = _differences(term, few)
    gap = float(np.abs(given - expected).max())
    if not gap <= GRADIENT_TOLERANCE * (1 + float(np.abs(expected).max())):
        raise ValueError(
            f"grad must be the gradient of V, got values off by {gap:.2e} at x = {few[0].tolist()} "
            "against automatic differentiation. Leave grad= out to have it computed."
        )


def _differences(term: Potential, x: np.ndarray) -> np.ndarray:
    step = 1e-6 * (1 + np.abs(x).max())
    shifts = step * np.eye(x.shape[-1])
    return np.stack([(term(x + s) - term(x - s)) / (2 * step) for s in shifts], axis=-1)


# What V returns is held to its shape where it meets points: at the door of `Problem`.
potential_kind = checks.Kind("a function V(x) or V(x, t)", checks.function.convert, checks.function.bad)
