"""The Tensor: an array that tells a recorder of every NumPy call made with it, and knows no derivatives.

NumPy's two dispatch protocols bring every `np.*` call with a Tensor here. `dispatch` sorts it: calls
whose answer is piecewise constant (comparisons, shapes, argsort) are answered with plain arrays; calls
that are other calls in disguise (`np.var`) are spelled out; the rest goes to the recorder of the
innermost differentiation, which alone knows what a derivative is (`reverse.py`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from wgf.autodiff.composites import COMPOSITES, PLAIN, REDUCTIONS, NotDifferentiable, uncovered


class Recorder(Protocol):
    """Who listens to a Tensor. `level` grows inwards: of two recorders in one call the higher one acts."""

    level: int

    def apply(self, function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
        """The result of a call, remembered."""
        ...


def name_of(function: Callable[..., Any]) -> str:
    """The name a user knows this function by: `np.searchsorted`, `np.linalg.eigh`."""
    name = getattr(function, "__name__", repr(function))
    if getattr(np.linalg, name, None) is function:
        return f"np.linalg.{name}"
    module = getattr(function, "__module__", None) or ""
    if getattr(np, name, None) is function or not module.startswith("numpy."):
        return f"np.{name}" if getattr(np, name, None) is function else name
    return f"np{module[5:]}.{name}".replace("._", ".")


def refusal(what: str) -> TypeError:
    """The one sentence for what cannot be differentiated."""
    return TypeError(f"{what} is not differentiable here; pass grad= to potential(...).")


def strip(value: Any) -> Any:
    """`value` without any Tensor around or inside it, whatever the depth of nesting."""
    while isinstance(value, Tensor):
        value = value.value
    if isinstance(value, (list, tuple)) and any(isinstance(v, (Tensor, list, tuple)) for v in value):
        return type(value)([strip(v) for v in value])
    return value


def tensors(values: Any) -> Iterator[Tensor]:
    """Every Tensor among `values` and inside their lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from tensors(value)


def dispatch(function: Callable[..., Any], args: tuple, kwargs: dict[str, Any]) -> Any:
    """Answer a call made with Tensors: plainly, spelled out, or through the innermost recorder."""
    if function in PLAIN:
        return function(*map(strip, args), **{k: strip(v) for k, v in kwargs.items()})
    composite = COMPOSITES.get(function)
    if composite is not None:
        option = uncovered(composite, len(args), kwargs)
        if option is not None:
            raise refusal(f"{name_of(function)} with {option}")
        try:
            return composite(*args, **kwargs)
        except NotDifferentiable as error:
            raise refusal(f"{name_of(function)} with {error}") from None
    for value in tensors(kwargs.values()):
        raise TypeError(f"{name_of(function)}: pass the array {value!r} by position, not by keyword.")
    return max((t.recorder for t in tensors(args)), key=lambda r: r.level).apply(function, args, kwargs)


def primitive(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a function of ours dispatch on Tensors as NumPy's own functions do."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if any(isinstance(a, Tensor) for a in args):
            return dispatch(call, args, kwargs)
        return function(*args, **kwargs)

    call.__name__, call.__doc__ = function.__name__, function.__doc__
    return call


@primitive
def cast(x: Any, dtype: Any) -> Any:
    """`x` in another floating type."""
    return x.astype(dtype)


def _binary(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: ufunc(self, other)


def _reflected(ufunc: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self, other: ufunc(other, self)


def _unary(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda self: function(self)


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    """`x.sum(-1)` means `np.sum(x, -1)`."""
    return lambda self, *args, **kwargs: function(self, *args, **kwargs)


def _forbidden(what: str, advice: str) -> Callable[..., Any]:
    def refuse(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        raise TypeError(f"{what} would lose the derivative of a wgf.autodiff.Tensor; {advice}.")

    return refuse


class Tensor:
    """An array under differentiation: behaves like an ndarray in NumPy calls, operators and methods.

    Users write functions of NumPy arrays and meet a Tensor only inside `grad`; `value` is the array
    (or, in nested differentiation, the outer Tensor) it stands for.

    >>> from wgf.autodiff import grad
    >>> grad(lambda x: np.sum(3.0 * x ** 2))(np.array([1.0, 2.0]))
    array([ 6., 12.])
    """

    __slots__ = ("__weakref__", "node", "recorder", "value")

    def __init__(self, value: Any, recorder: Recorder, node: Any) -> None:
        self.value = value
        self.recorder = recorder
        self.node = node

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if kwargs.get("out") is not None:
            raise TypeError(
                f"{name_of(ufunc)} cannot write a wgf.autodiff.Tensor into an array (out=, or an in-place "
                "operator like +=); write a = a + b instead."
            )
        if method == "__call__":
            return dispatch(ufunc, inputs, kwargs)
        function = REDUCTIONS.get((ufunc, method))
        if function is None:
            raise refusal(f"{name_of(ufunc)}.{method}")
        if method == "reduce" and "axis" not in kwargs and len(inputs) == 1:
            kwargs["axis"] = 0  # a ufunc's own default, unlike that of np.sum
        return function(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return dispatch(function, args, kwargs)

    __array__ = _forbidden(
        "np.array(tensor) (also np.asarray, np.array([tensor]), or writing it into an array)",
        "use np.stack or np.concatenate",
    )
    __float__ = _forbidden("float(tensor)", "keep the array, and use np.sin rather than math.sin")
    __int__ = _forbidden("int(tensor)", "keep the array")
    __index__ = _forbidden("tensor as an index", "use np.argsort, np.nonzero or a comparison")
    __complex__ = _forbidden("complex(tensor)", "keep the array")
    __bool__ = _forbidden("bool(tensor)", "compare it first (x > 0), or use np.where")
    __setitem__ = _forbidden("tensor[...] = value", "use np.where, np.stack or np.concatenate")
    item = _forbidden("tensor.item()", "keep the array")
    tolist = _forbidden("tensor.tolist()", "keep the array")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the value."""
        return self.value.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.value.ndim

    @property
    def size(self) -> int:
        """Number of entries."""
        return self.value.size

    @property
    def dtype(self) -> Any:
        """Floating type of the value."""
        return self.value.dtype

    @property
    def T(self) -> Tensor:
        """All axes reversed."""
        return np.transpose(self)  # type: ignore[return-value]

    @property
    def mT(self) -> Tensor:
        """The last two axes exchanged."""
        return np.swapaxes(self, -1, -2)  # type: ignore[return-value]

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Tensor]:
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index: Any) -> Tensor:
        return dispatch(operator.getitem, (self, index), {})

    def __repr__(self) -> str:
        return f"Tensor({self.value!r})"

    def reshape(self, *shape: Any) -> Tensor:
        """`np.reshape` with the shape as one tuple or as numbers."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape)  # type: ignore[return-value]

    def transpose(self, *axes: Any) -> Tensor:
        """`np.transpose` with the axes as one tuple or as numbers."""
        order = axes[0] if len(axes) == 1 else (axes or None)
        return np.transpose(self, order)  # type: ignore[return-value]

    def flatten(self) -> Tensor:
        """One axis."""
        return self.reshape(-1)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Another floating type; other types give a plain array, whose derivative is 0."""
        if np.dtype(dtype).kind == "f":
            return cast(self, dtype)
        return strip(self).astype(dtype)

    def copy(self) -> Tensor:
        """The same values."""
        return self + 0

    __add__, __radd__ = _binary(np.add), _reflected(np.add)
    __sub__, __rsub__ = _binary(np.subtract), _reflected(np.subtract)
    __mul__, __rmul__ = _binary(np.multiply), _reflected(np.multiply)
    __truediv__, __rtruediv__ = _binary(np.divide), _reflected(np.divide)
    __floordiv__, __rfloordiv__ = _binary(np.floor_divide), _reflected(np.floor_divide)
    __mod__, __rmod__ = _binary(np.remainder), _reflected(np.remainder)
    __pow__, __rpow__ = _binary(np.power), _reflected(np.power)
    __matmul__, __rmatmul__ = _binary(np.matmul), _reflected(np.matmul)
    __neg__, __pos__, __abs__ = _unary(np.negative), _unary(np.positive), _unary(np.absolute)
    __lt__, __le__ = _binary(np.less), _binary(np.less_equal)
    __gt__, __ge__ = _binary(np.greater), _binary(np.greater_equal)
    __eq__, __ne__ = _binary(np.equal), _binary(np.not_equal)  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    sum, mean, prod, cumsum = _method(np.sum), _method(np.mean), _method(np.prod), _method(np.cumsum)
    max, min, std, var = _method(np.max), _method(np.min), _method(np.std), _method(np.var)
    argmax, argmin, argsort = _method(np.argmax), _method(np.argmin), _method(np.argsort)
    all, any, nonzero, round = _method(np.all), _method(np.any), _method(np.nonzero), _method(np.round)
    dot, trace, diagonal = _method(np.dot), _method(np.trace), _method(np.diagonal)
    ravel, squeeze, swapaxes = _method(np.ravel), _method(np.squeeze), _method(np.swapaxes)
    clip, take, repeat = _method(np.clip), _method(np.take), _method(np.repeat)
