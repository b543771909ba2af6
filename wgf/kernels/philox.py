r"""Random numbers that are a function of (key, step, purpose, particle, draw): Philox4x32-10.

A counter-based generator has no state to carry, so the noise of a particle does not depend on the number
of threads, on the number of particles, on what was drawn before or on whether the run was resumed.

Run key: four uint32. Words 0 and 1 key the cipher, words 2 and 3 are xor-ed into the last two words of
the counter, which is (group of particles, step, purpose, draw). Two runs can share a counter only if
their keys agree in all but the few low bits that purposes and draws use: for keys drawn from a generator
the probability is about 2^-100.

Particle to counter: particles come in tiles of `TILE` = 4 `LANES`. Particle i of tile t = i // TILE, r =
i % TILE, owns word r // LANES of counter group t * LANES + r % LANES; the draw is the coordinate. Four
particles share a counter, so no word is wasted in any dimension, and the words of a tile leave the
vector unit as contiguous runs. (Lane i % 4 of group i // 4, turned down, means a shuffle per word.)

Normals are Box-Muller pairs: words 0 and 1 of a counter give the radius and the angle of the normals
of their two particles, words 2 and 3 likewise. float32 uses 32-bit uniforms (tail to 6.7 sigma); float64
adds 32 bits below each from a second counter, of draw `FINE` + draw (tail to 9.4 sigma). The leading
words being the same, a float32 run is, up to rounding, the float64 run of the same key.

Salmon, Moraes, Dror & Shaw 2011 (SC11), section 3.2 (Philox); Box & Muller 1958.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.kernels.registry import Kernel

LANES = 64
TILE = 4 * LANES
FINE = 1 << 31  # added to the draw where a word's lower 32 bits come from
NOISE, ACCEPT = range(2)  # purposes: one stream each

MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
MASK, WORD = np.uint64(0xFFFFFFFF), np.uint64(32)


def run_key(rng: np.random.Generator) -> np.ndarray:
    """A fresh 128-bit run key (four uint32) from `rng`."""
    return rng.integers(0, 2**32, size=4, dtype=np.uint32)


def _philox4x32(counter: Any, key: Any) -> np.ndarray:
    """Philox4x32-10: counter (4, n) and key (2,) of uint32 give four random words each, (4, n)."""
    c = [np.asarray(word, np.uint64) for word in counter]
    k = [np.uint64(word) for word in key]
    for _ in range(10):
        p0, p1 = MULTIPLIERS[0] * c[0], MULTIPLIERS[1] * c[2]
        c = [(p1 >> WORD) ^ c[1] ^ k[0], p1 & MASK, (p0 >> WORD) ^ c[3] ^ k[1], p0 & MASK]
        k = [(k[0] + WEYL[0]) & MASK, (k[1] + WEYL[1]) & MASK]
    return np.stack(c).astype(np.uint32)


def _words(key: Any, step: int, purpose: int, n: int, draw: int) -> np.ndarray:
    """The words (tiles, 4, LANES) of one draw, as float64 holding integers."""
    tiles = -(-n // TILE)
    group = np.arange(tiles * LANES, dtype=np.uint64)
    rest = (np.full_like(group, v) for v in (step, purpose ^ int(key[2]), draw ^ int(key[3])))
    words = _philox4x32((group, *rest), key[:2])
    return words.reshape(4, tiles, LANES).transpose(1, 0, 2).astype(np.float64)


def _uniforms(key: Any, step: int, purpose: int, n: int, d: int) -> np.ndarray:
    """Uniform numbers (d, n) in the open interval (0, 1), float64, 64 bits rounded to 53."""
    out = np.empty((d, n))
    for k in range(d):
        fine = (_words(key, step, purpose, n, FINE + k) + 0.5) * 2.0**-32
        u = (_words(key, step, purpose, n, k) + fine) * 2.0**-32
        out[k] = np.minimum(u, 1 - 2.0**-53).reshape(-1)[:n]
    return out


def _normals(key: Any, step: int, purpose: int, n: int, d: int, dtype: Any = np.float64) -> np.ndarray:
    """Standard normal numbers (d, n) in float32 or float64; column i never depends on n.

    key (4,) uint32, 0 <= step < 2^32, purpose `NOISE` or `ACCEPT`.

    >>> import numpy as np
    >>> key = np.array([1, 2, 3, 4], dtype=np.uint32)
    >>> few, many = (normals(key, 0, NOISE, n, 2, np.float64) for n in (3, 3000))
    >>> bool((few == many[:, :3]).all())
    True
    """
    out = np.empty((d, n), dtype)
    single = out.dtype == np.float32
    for k in range(d):
        words = _words(key, step, purpose, n, k)
        fine = 0.5 if single else (_words(key, step, purpose, n, FINE + k) + 0.5) * 2.0**-32
        words = words + fine
        u = words[:, 0::2] * 2.0**-32
        radius = np.sqrt(-2 * np.log(u.astype(out.dtype)))
        quarters = np.floor(words[:, 1::2] * 2.0**-30 + 0.5)
        angle = 2 * np.pi * ((words[:, 1::2] - quarters * 2.0**30) * 2.0**-32)
        sin, cos = np.sin(angle), np.cos(angle)
        quarters = quarters.astype(int) % 4
        first = radius * np.choose(quarters, [cos, -sin, -cos, sin])
        second = radius * np.choose(quarters, [sin, cos, -sin, -cos])
        out[k] = np.stack([first, second], axis=2).reshape(-1)[:n]
    return out


philox4x32 = Kernel(reference=_philox4x32, cpu="wgf.kernels.cpu.philox:philox4x32")
uniforms = Kernel(reference=_uniforms, cpu="wgf.kernels.cpu.philox:uniforms")
normals = Kernel(reference=_normals, cpu="wgf.kernels.cpu.philox:normals")
