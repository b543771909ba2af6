"""Reverse mode: record the calls made while a function runs, then walk them back.

Nodes carry increasing numbers, so taking the largest number first is a reverse topological order: the
walk is a loop over a heap, and a graph of any depth (an ODE of 20000 steps) needs no recursion. The
walk calls the rules on the recorded values themselves: plain arrays when differentiating once, Tensors
of the enclosing differentiation when nested.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from wgf import arrays, checks
from wgf.autodiff.rules import Rule, find, like
from wgf.autodiff.tensor import Tensor, strip

WRITTEN = (
    "np.array([tensor]), or writing a wgf.autodiff.Tensor into an array, would lose its derivative; "
    "use np.stack or np.concatenate."
)

_levels = itertools.count(1)
_numbers = itertools.count(1)


class Node:
    """One recorded call: where its tensors came from and how to send a cotangent back to each."""

    __slots__ = ("__weakref__", "args", "kwargs", "number", "parents", "rule", "value")

    def __init__(
        self, value: Any, parents: list[tuple[int, Node]], rule: Any, args: Any, kwargs: Any
    ) -> None:
        self.number = next(_numbers)
        self.value, self.parents, self.rule = value, parents, rule
        self.args, self.kwargs = args, kwargs

    def cotangent(self, place: int, g: Any) -> Any:
        """The cotangent of the tensor that stood at `place` in the call, from that of the result."""
        rule: Rule = self.rule
        if rule.sequence:
            return rule.cotangents[0](g, self.value, place, *self.args, **self.kwargs)  # type: ignore[misc]
        return rule.cotangents[place](g, self.value, *self.args, **self.kwargs)  # type: ignore[misc]


class Reverse:
    """The recorder of one differentiation."""

    def __init__(self) -> None:
        self.level = next(_levels)

    def variable(self, value: Any) -> Tensor:
        """A Tensor that came from no call: what is differentiated in."""
        return Tensor(value, self, Node(value, [], None, (), {}))

    def apply(self, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """Run `function` one level further out and remember the call."""
        rule = find(function, args, kwargs)
        parents: list[tuple[int, Node]] = []
        opened = []
        for place, value in enumerate(args):
            if rule.sequence and isinstance(value, (list, tuple)):
                opened.append([self._open(v, k, parents) for k, v in enumerate(value)])
            elif rule.acts_on(place):
                value = np.asarray(value) if isinstance(value, list) else value
                opened.append(self._open(value, place, parents))
            else:
                opened.append(strip(value))
        value = function(*opened, **kwargs)
        return Tensor(value, self, Node(value, parents, rule, opened, kwargs)) if parents else value

    def _open(self, value: Any, place: int, parents: list[tuple[int, Node]]) -> Any:
        if isinstance(value, Tensor) and value.recorder is self:
            parents.append((place, value.node))
            return value.value
        return value

    def pull_back(self, result: Tensor, g: Any, variable: Tensor) -> Any:
        """The cotangent of `variable` when that of `result` is `g`."""
        pending = {result.node.number: (result.node, g)}
        heap = [-result.node.number]
        target = variable.node.number
        with np.errstate(all="ignore"):  # infinite slopes are handled by `rules.times`, without noise
            while heap and -heap[0] > target:
                node, g = pending.pop(-heapq.heappop(heap))
                for place, parent in node.parents:
                    contribution = node.cotangent(place, g)
                    if parent.number in pending:
                        contribution = pending[parent.number][1] + contribution
                    else:
                        heapq.heappush(heap, -parent.number)
                    pending[parent.number] = (parent, contribution)
        if target not in pending:
            return np.zeros_like(variable.value)
        return like(pending[target][1], variable.value)


def _as_variable(name: str, x: Any) -> Any:
    """`x` as a floating array; float32, device arrays and outer Tensors stay what they are."""
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    if kind == "f" and (isinstance(x, Tensor) or arrays.namespace(x) is not np):
        return x
    try:
        array = np.asarray(x)
    except ValueError:
        raise checks.refuse(name, "an array of real numbers", x, TypeError) from None
    if array.dtype.kind not in "fiu":
        raise checks.refuse(name, "an array of real numbers", x, TypeError)
    return array if array.dtype.kind == "f" else array.astype(np.float64)


@checks.checked(f=checks.function)
def value_and_grad(f: Callable[..., Any]) -> Callable[..., tuple[Any, Any]]:
    """The function x -> (f(x), gradient of f at x), at about the cost of four calls of f.

    f: takes one NumPy array of any shape (further arguments are passed on and not differentiated) and
    returns one number. It is written in plain NumPy; what cannot be differentiated raises a TypeError
    naming the call. The gradient has the shape and the floating type of x.
    For a potential of shape (..., d) -> (...), differentiate its sum: the rows do not mix.

    >>> value_and_grad(lambda x: np.sum(np.exp(x)))(np.zeros(2))
    (np.float64(2.0), array([1., 1.]))

    Griewank and Walther, Evaluating Derivatives, 2008, section 3.2.
    """

    def differentiated(x: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
        recorder = Reverse()
        variable = recorder.variable(_as_variable("x", x))
        try:
            result = f(variable, *args, **kwargs)
        except ValueError as error:
            if "setting an array element" not in str(error):
                raise
            raise TypeError(WRITTEN) from error
        if np.shape(result) != ():
            raise ValueError(
                f"f must return one number to have a gradient, got shape {np.shape(result)}. "
                "Differentiate its sum: lambda x: np.sum(f(x))."
            )
        if not (isinstance(result, Tensor) and result.recorder is recorder):
            return result, np.zeros_like(variable.value)
        gradient = recorder.pull_back(result, np.ones_like(result.value), variable)
        return result.value, gradient if isinstance(gradient, Tensor) else gradient + 0.0

    return differentiated


@checks.checked(f=checks.function)
def grad(f: Callable[..., Any]) -> Callable[..., Any]:
    """The gradient of a scalar function of one array: `grad(f)(x)` has the shape and type of x.

    f: as for `value_and_grad`; further arguments of the returned function are passed on to f.

    >>> grad(lambda x: np.sum(x**2, axis=None))(np.array([1.0, -2.0]))
    array([ 2., -4.])
    """
    both = value_and_grad(f)
    return lambda x, *args, **kwargs: both(x, *args, **kwargs)[1]
