"""`Lanes`: several float64 numbers that travel together, so that one scalar loop body serves many lines.

A tridiagonal recurrence cannot be vectorised along its line, only across lines. LLVM would do it if it
knew that rows never overlap; it does not, and the scalar code it falls back to is three times slower
(measured, 256 x 256 cells). A body written with `load`, `store` and + - * / is compiled as it stands for
one float64 or for `Lanes`: the type of `like`, its first argument, decides. Lanes are lowered to vector
registers of any width the machine has. Turned down: switching numba's SLP vectoriser on, a global
setting of the user's process.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import intrinsic, lower_builtin, models, register_model

from wgf.kernels.scharfetter_gummel import LANES

VECTOR = ir.VectorType(ir.DoubleType(), LANES)
EMPTY = ir.Constant(VECTOR, ir.Undefined)
WORD = 8  # bytes: nothing better is promised about a row of somebody's array


class LanesType(types.Type):
    """The numba type of `Lanes`."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes[{LANES}]")


Lanes = LanesType()


@register_model(LanesType)
class LanesModel(models.PrimitiveModel):
    """`Lanes` in registers: an LLVM vector."""

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, VECTOR)


def _spread(builder: Any, value: Any) -> Any:
    """The number in every lane."""
    first = builder.insert_element(EMPTY, value, ir.Constant(ir.IntType(32), 0))
    everywhere = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(first, EMPTY, everywhere)


register: Any = infer_global


def _arithmetic(operation: Callable[..., Any], instruction: str, flags: tuple[str, ...]) -> None:
    """Teach numba `operation` for Lanes with Lanes and Lanes with numbers."""

    @register(operation)
    class Template(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if len(args) == 2 and Lanes in args and all(a in (Lanes, types.float64) for a in args):
                return signature(Lanes, *args)
            return None

    def lower(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        left, right = (
            value if kind is Lanes else _spread(builder, value)
            for value, kind in zip(args, sig.args, strict=True)
        )
        return getattr(builder, instruction)(left, right, flags=flags)

    for pair in ((Lanes, Lanes), (Lanes, types.float64), (types.float64, Lanes)):
        lower_builtin(operation, *pair)(lower)


# a*b + c may become one fused operation; a*b - c*d may not: equal products must cancel exactly, so that
# a uniform density has no flux.
_arithmetic(operator.add, "fadd", ("contract",))
_arithmetic(operator.mul, "fmul", ("contract",))
_arithmetic(operator.sub, "fsub", ())
_arithmetic(operator.truediv, "fdiv", ())


emitted: Any = intrinsic  # which passes the typing context itself: callers write the other arguments


def _address(context: Any, builder: Any, kind: Any, array: Any, index: Any, like: Any) -> Any:
    data = context.make_array(kind)(context, builder, array).data
    place = builder.gep(data, [index])
    return builder.bitcast(place, VECTOR.as_pointer()) if like is Lanes else place


@emitted
def load(typingctx: Any, like: Any, array: Any, index: Any) -> Any:
    """The number, or the LANES numbers, at array[index]; nothing is checked."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(
            _address(context, builder, sig.args[1], args[1], args[2], sig.args[0]), align=WORD
        )

    return signature(like, like, array, types.intp), code


@emitted
def store(typingctx: Any, value: Any, array: Any, index: Any) -> Any:
    """Write the number, or the LANES numbers, to array[index]; nothing is checked."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(
            args[0], _address(context, builder, sig.args[1], args[1], args[2], sig.args[0]), align=WORD
        )
        return context.get_dummy_value()

    return signature(types.void, value, array, types.intp), code


@emitted
def fill(typingctx: Any, value: Any) -> Any:
    """Lanes that all hold one number."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return _spread(builder, args[0])

    return signature(Lanes, types.float64), code


def _constant(kind: Any, value: float) -> Any:
    number = ir.Constant(ir.DoubleType(), value)
    return ir.Constant(VECTOR, [number] * LANES) if kind is Lanes else number


def _magnitude(builder: Any, kind: Any, value: Any) -> Any:
    negative = builder.fcmp_ordered("<", value, _constant(kind, 0.0))
    return builder.select(negative, builder.fsub(_constant(kind, 0.0), value), value)


@emitted
def flush(typingctx: Any, value: Any, smallest: Any) -> Any:
    """`value`, or 0 where |value| < smallest."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        value, smallest = args
        kind = sig.args[0]
        bound = _spread(builder, smallest) if kind is Lanes else smallest
        tiny = builder.fcmp_ordered("<", _magnitude(builder, kind, value), bound)
        return builder.select(tiny, _constant(kind, 0.0), value)

    return signature(value, value, types.float64), code


@emitted
def lesser(typingctx: Any, left: Any, right: Any) -> Any:
    """The smaller of two values, lane by lane."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[0], args[1])

    return signature(left, left, right), code


@emitted
def larger(typingctx: Any, left: Any, right: Any) -> Any:
    """The larger of two values, lane by lane."""

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered(">", args[0], args[1]), args[0], args[1])

    return signature(left, left, right), code
