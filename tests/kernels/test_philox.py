"""The counter-based generator: published vectors, reference against compiled form, and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from wgf.kernels import philox
from wgf.kernels.philox import ACCEPT, FINE, LANES, NOISE, TILE

KEY = np.array([0x01234567, 0x89ABCDEF, 0xDEADBEEF, 0xFFFFFFFF], np.uint32)
SIZES, DIMENSIONS = [0, 1, 2, 3, 17, 1000, 10_000], [1, 2, 3, 10]

# Random123 1.14, tests/kat_vectors, lines "philox4x32 10": counter, key, result.
VECTORS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]


def words(text):
    return np.array([int(word, 16) for word in text.split()], np.uint32)


@pytest.mark.parametrize("form", [philox.philox4x32, philox.philox4x32.reference])
def test_the_published_vectors_are_reproduced(form):
    counters = np.stack([words(c) for c, _, _ in VECTORS], axis=1)
    for i, (_, key, result) in enumerate(VECTORS):
        np.testing.assert_array_equal(form(counters, words(key))[:, i], words(result))


def test_a_uniform_is_the_word_its_documented_counter_gives():
    n, step, draw = 3 * TILE, 5, 2
    u = philox.uniforms(KEY, step, ACCEPT, n, 3)[draw]
    for i in (0, 1, LANES, 2 * LANES + 7, TILE, 3 * TILE - 1):
        tile, r = divmod(i, TILE)
        group, word = tile * LANES + r % LANES, r // LANES
        coarse, fine = (
            int(
                philox.philox4x32(
                    np.array([[group], [step], [ACCEPT ^ KEY[2]], [k ^ KEY[3]]], np.uint32), KEY
                )[word, 0]
            )
            for k in (np.uint32(draw), np.uint32(FINE + draw))
        )
        assert u[i] == pytest.approx((coarse + (fine + 0.5) / 2**32) / 2**32, rel=1e-15)


@pytest.mark.parametrize("d", DIMENSIONS)
@pytest.mark.parametrize("n", SIZES)
def test_the_compiled_form_agrees_with_the_reference(n, d):
    np.testing.assert_array_equal(
        philox.uniforms(KEY, 3, NOISE, n, d), philox.uniforms.reference(KEY, 3, NOISE, n, d)
    )
    for real, tolerance in ((np.float32, 2e-6), (np.float64, 1e-14)):
        z = philox.normals(KEY, 3, NOISE, n, d, real)
        assert z.shape == (d, n)
        assert z.dtype == real
        np.testing.assert_allclose(
            z, philox.normals.reference(KEY, 3, NOISE, n, d, real), rtol=tolerance, atol=tolerance
        )


def test_a_particles_numbers_do_not_depend_on_the_number_of_particles():
    for real in (np.float32, np.float64):
        many = philox.normals(KEY, 9, NOISE, 5000, 3, real)
        for n in (1, 2, 255, 256, 257, 4097):
            np.testing.assert_array_equal(philox.normals(KEY, 9, NOISE, n, 3, real), many[:, :n])


def test_single_precision_noise_is_the_double_precision_noise_rounded():
    single = philox.normals(KEY, 9, NOISE, 5000, 2, np.float32)
    double = philox.normals(KEY, 9, NOISE, 5000, 2, np.float64)
    # a radius near 0 is coarse in float32 (log of a number next to 1): absolute, not relative
    np.testing.assert_allclose(single, double, rtol=1e-6, atol=2e-4)
    assert np.abs(single - double).mean() < 1e-6


def test_step_purpose_dimension_and_every_word_of_the_key_matter():
    base = philox.normals(KEY, 1, NOISE, 64, 2, np.float64)
    others = [
        philox.normals(KEY, 2, NOISE, 64, 2, np.float64),
        philox.normals(KEY, 1, ACCEPT, 64, 2, np.float64),
    ]
    for word in range(4):
        key = KEY.copy()
        key[word] ^= 0x40000000  # a low bit of word 3 would only exchange draws
        others.append(philox.normals(key, 1, NOISE, 64, 2, np.float64))
    for other in others:
        assert not np.isin(other, base).any()
    assert not np.isin(base[0], base[1]).any()


@pytest.mark.parametrize("real", [np.float32, np.float64])
def test_normals_are_normal(real):
    """False alarms below 1e-6: moments within 5.5 sigma each (8 of them), Kolmogorov-Smirnov p > 1e-7."""
    n = 500_000
    z = philox.normals(KEY, 0, NOISE, n, 2, real).astype(np.float64)
    for row in z:
        for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
            assert abs((row**power).mean() - mean) < 5.5 * np.sqrt(variance / n)
        assert stats.kstest(row, "norm").pvalue > 1e-7
    pairs = [
        (z[0], z[1]),
        (z[0, :-1], z[0, 1:]),
        (z[0, :-LANES], z[0, LANES:]),
        (z[0] ** 2 - 1, z[1] ** 2 - 1),
    ]
    pairs.append((z[0], philox.normals(KEY, 1, NOISE, n, 1, real)[0]))
    for a, b in pairs:
        assert abs(np.corrcoef(a, b)[0, 1]) < 5.5 / np.sqrt(n)


def test_uniforms_are_uniform_and_never_reach_the_ends():
    """Kolmogorov-Smirnov p > 1e-7: false alarm 1e-7."""
    u = philox.uniforms(KEY, 0, ACCEPT, 500_000, 1)[0]
    assert u.min() > 0
    assert u.max() < 1
    assert stats.kstest(u, "uniform").pvalue > 1e-7


def test_the_tails_reach_where_they_should():
    """Expected numbers beyond 4.5 sigma in 4e6 draws: 27; Poisson outside [4, 65] has probability 1e-8."""
    z = philox.normals(KEY, 0, NOISE, 1_000_000, 4, np.float32)
    assert 4 <= (np.abs(z) > 4.5).sum() <= 65


def test_run_keys_come_from_the_generator():
    a, b = (philox.run_key(np.random.default_rng(seed)) for seed in (0, 0))
    np.testing.assert_array_equal(a, b)
    assert a.dtype == np.uint32
    assert not np.array_equal(a, philox.run_key(np.random.default_rng(1)))
