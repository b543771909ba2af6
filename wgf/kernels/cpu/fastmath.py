"""exp, log and sin/cos that LLVM can vectorise inside a numba loop: no branches, no calls, no tables.

Without Intel's SVML numba calls the scalar C library once per element, which makes `exp` the whole cost
of a kernel sum and `log`, `sin`, `cos` that of a normal variate. These are polynomial forms of the same
functions (coefficients: Chebyshev fits at 50 digits), a few ulp at most: the bounds are stated in
`wgf.kernels.fastmath` and tested over the whole range.

Every function is forced inline and carries only the flag `contract` (fused multiply-add): the
reductions must not be reassociated, and NaN must come out as NaN. `exp`, `log`, `sincos` pick the
float32 or float64 form from the argument's type, so a kernel is written once for both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit, types
from numba.core.errors import TypingError
from numba.extending import overload

LOG2E = 1.4426950408889634
# Adding 1.5 * 2^52 (1.5 * 2^23) rounds to an integer and leaves it in the low bits of the sum: a
# conversion that vectorises for every instruction set and does not trap on NaN.
MAGIC64, MAGIC64_BITS = 6755399441055744.0, 0x4338000000000000
MAGIC32 = np.float32(12582912.0)
# log 2 in two parts; the first has enough zero bits for n * LN2_HIGH to be exact.
LN2_HIGH, LN2_LOW = 0.6931471803691238, 1.9082149292705878e-10
LN2_HIGH32, LN2_LOW32 = np.float32(0.693145751953125), np.float32(1.42860682e-6)
EXP_LOWEST, EXP_LOWEST32 = -708.0, np.float32(-87.0)  # below it the result is 0, never subnormal
SQRT_HALF_BITS, SQRT_HALF_BITS32 = 0x3FE6A09E667F3BCD, 0x3F3504F3
TWO_PI, TWO_PI_LOW = 6.283185307179586, 2.4492935982947064e-16
TWO_PI32, TWO_PI_LOW32 = np.float32(6.2831855), np.float32(-1.7484556e-7)

inlined = njit(fastmath={"contract"}, error_model="numpy", forceinline=True)


@inlined
def exp64(x):
    """exp(x) for x <= 700; exactly 0 below -708."""
    y = EXP_LOWEST if x < EXP_LOWEST else x
    t = y * LOG2E + MAGIC64
    n = t - MAGIC64
    r = (y - n * LN2_HIGH) - n * LN2_LOW
    p = 2.0914755325893202e-9
    p = p * r + 2.5105312729622102e-8
    p = p * r + 2.7557273478718581e-7
    p = p * r + 2.7557255170000887e-6
    p = p * r + 2.4801587325677462e-5
    p = p * r + 1.9841269875002279e-4
    p = p * r + 1.3888888888883711e-3
    p = p * r + 8.3333333333260831e-3
    p = p * r + 4.1666666666666670e-2
    p = p * r + 1.6666666666666671e-1
    p = p * r + 0.5
    p = (p * r) * r + r + 1.0
    bits = np.int64((np.float64(t).view(np.int64) + 1023) << 52)
    return 0.0 if x < EXP_LOWEST else p * bits.view(np.float64)


@inlined
def exp32(x):
    """exp(x) for x <= 80; exactly 0 below -87."""
    y = EXP_LOWEST32 if x < EXP_LOWEST32 else x
    t = y * np.float32(LOG2E) + MAGIC32
    n = t - MAGIC32
    r = (y - n * LN2_HIGH32) - n * LN2_LOW32
    p = np.float32(1.989108046e-4)
    p = p * r + np.float32(1.393373072e-3)
    p = p * r + np.float32(8.333310845e-3)
    p = p * r + np.float32(4.16664642e-2)
    p = p * r + np.float32(1.666666668e-1)
    p = p * r + np.float32(0.5000000014)
    p = (p * r) * r + r + np.float32(1.0)
    bits = np.int32((np.float32(t).view(np.int32) + np.int32(127)) << np.int32(23))
    return np.float32(0.0) if x < EXP_LOWEST32 else p * bits.view(np.float32)


@inlined
def log64(x):
    """log(x) for positive normal x."""
    bits = np.float64(x).view(np.int64)
    e = (bits - SQRT_HALF_BITS) >> 52
    f = np.int64(bits - (e << 52)).view(np.float64) - 1.0  # in [sqrt(1/2) - 1, sqrt(2) - 1)
    ef = np.int64(e + MAGIC64_BITS).view(np.float64) - MAGIC64
    s = f / (2.0 + f)
    w = s * s
    p = 0.14616452399826441
    p = p * w + 0.15331721380921013
    p = p * w + 0.18182889131869306
    p = p * w + 0.22222211134704390
    p = p * w + 0.28571428625976041
    p = p * w + 0.39999999999899503
    p = p * w + 0.66666666666666697
    h = 0.5 * f * f
    return ef * LN2_HIGH - ((h - (s * (h + w * p) + ef * LN2_LOW)) - f)


@inlined
def log32(x):
    """log(x) for positive normal x."""
    bits = np.float32(x).view(np.int32)
    e = np.int32(np.int32(bits - np.int32(SQRT_HALF_BITS32)) >> np.int32(23))
    f = np.int32(bits - np.int32(e << np.int32(23))).view(np.float32) - np.float32(1.0)
    ef = np.float32(e)
    p = np.float32(6.971620541e-2)
    p = p * f - np.float32(0.1147974863)
    p = p * f + np.float32(0.1168542357)
    p = p * f - np.float32(0.1242568569)
    p = p * f + np.float32(0.1424905714)
    p = p * f - np.float32(0.1666780237)
    p = p * f + np.float32(0.2000071576)
    p = p * f - np.float32(0.2499999696)
    p = p * f + np.float32(0.3333333118)
    z = f * f
    return ef * LN2_HIGH32 + (f + (p * (f * z) + (ef * LN2_LOW32 - np.float32(0.5) * z)))


@inlined
def sincos_eighth64(r):
    """sin and cos of 2 pi r for |r| <= 1/8."""
    z = r * r
    s = 3.7864333161885740
    s = s * z - 15.094054180906519
    s = s * z + 42.058689180870858
    s = s * z - 76.705859735620870
    s = s * z + 81.605249276051700
    s = s * z - 41.341702240399755
    c = -1.6990343787754520
    c = c * z + 7.9032069109126295
    c = c * z - 26.426253275844221
    c = c * z + 60.244641352701932
    c = c * z - 85.456817206643804
    c = c * z + 64.939394022668243
    c = c * z - 19.739208802178717
    return r * TWO_PI + r * (s * z + TWO_PI_LOW), c * z + 1.0


@inlined
def sincos_eighth32(r):
    """sin and cos of 2 pi r for |r| <= 1/8."""
    z = r * r
    s = np.float32(-75.72630197)
    s = s * z + np.float32(81.59951996)
    s = s * z - np.float32(41.34169727)
    c = np.float32(59.42410517)
    c = c * z - np.float32(85.44882007)
    c = c * z + np.float32(64.93936905)
    c = c * z - np.float32(19.73920879)
    return r * TWO_PI32 + r * (s * z + TWO_PI_LOW32), c * z + np.float32(1.0)


@inlined
def turn_by_quarters(s, c, quarters):
    """sin and cos of an angle advanced by `quarters` right angles (only its two low bits count)."""
    odd = (quarters & 1) != 0
    a = c if odd else s
    b = s if odd else c
    a = -a if (quarters & 2) != 0 else a
    b = -b if ((quarters + 1) & 2) != 0 else b
    return a, b


@inlined
def sincos64(u):
    """sin and cos of 2 pi u for |u| <= 1e6 turns."""
    t = 4.0 * u + MAGIC64
    s, c = sincos_eighth64(u - 0.25 * (t - MAGIC64))
    return turn_by_quarters(s, c, np.float64(t).view(np.int64))


@inlined
def sincos32(u):
    """sin and cos of 2 pi u for |u| <= 1e6 turns."""
    t = np.float32(4.0) * u + MAGIC32
    s, c = sincos_eighth32(u - np.float32(0.25) * (t - MAGIC32))
    return turn_by_quarters(s, c, np.float32(t).view(np.int32))


def exp(x: Any) -> Any:
    """exp of a float32 or float64 scalar inside compiled code; x <= 0 is the range that is tested."""
    raise TypeError("exp runs inside compiled code only.")


def log(x: Any) -> Any:
    """log of a positive normal float32 or float64 scalar inside compiled code."""
    raise TypeError("log runs inside compiled code only.")


def sincos(u: Any) -> Any:
    """sin(2 pi u), cos(2 pi u) of a float32 or float64 scalar inside compiled code."""
    raise TypeError("sincos runs inside compiled code only.")


def _by_type(name: str, argument: Any, form32: Any, form64: Any) -> Any:
    if argument == types.float32:
        return form32
    if argument == types.float64:
        return form64
    raise TypingError(f"{name} takes a float32 or a float64 scalar, got {argument}.")


@overload(exp, inline="always")
def _exp(x):
    form = _by_type("exp", x, exp32, exp64)
    return lambda x: form(x)


@overload(log, inline="always")
def _log(x):
    form = _by_type("log", x, log32, log64)
    return lambda x: form(x)


@overload(sincos, inline="always")
def _sincos(u):
    form = _by_type("sincos", u, sincos32, sincos64)
    return lambda u: form(u)


@njit(cache=True, error_model="numpy")
def exp_array(x):
    """exp of every element of a flat array."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = exp(x[i])
    return out


@njit(cache=True, error_model="numpy")
def log_array(x):
    """log of every element of a flat array."""
    out = np.empty_like(x)
    for i in range(x.size):
        out[i] = log(x[i])
    return out


@njit(cache=True, error_model="numpy")
def sincos_array(u):
    """sin(2 pi u) and cos(2 pi u), stacked, of a flat array."""
    out = np.empty((2, u.size), u.dtype)
    for i in range(u.size):
        out[0, i], out[1, i] = sincos(u[i])
    return out
