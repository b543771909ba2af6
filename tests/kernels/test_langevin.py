"""The fused Langevin step: every form, potential and integrator, and what must not change its bits."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from wgf.energies.named import DoubleWell, Quadratic, Ring
from wgf.kernels.langevin import INTEGRATORS, langevin_step
from wgf.kernels.philox import NOISE, normals

KEY = np.array([11, 22, 33, 44], np.uint32)


def potentials(d):
    root = np.random.default_rng(d).standard_normal((d, d))
    yield Quadratic(np.arange(1.0, d + 1), center=np.linspace(-1, 1, d))
    yield Quadratic(root @ root.T + np.eye(d), center=np.linspace(0.5, 1, d))
    yield DoubleWell(barrier=0.7, stiffness=2.0, tilt=0.3)
    yield Ring(radius=1.5, stiffness=0.4)


def written_out(x, V, dt, amplitude, step, integrator, tamed):
    """The three formulas, with the gradient of the potential's own NumPy form."""

    def move(y):
        g = dt * V.gradient(y.T).T
        return g / (1 + np.linalg.norm(g, axis=0)) if tamed else g

    z, after = (
        amplitude * normals.reference(KEY, s, NOISE, *x.shape[::-1], np.float64) for s in (step, step + 1)
    )
    if integrator == "leimkuhler-matthews":
        return x - move(x) + 0.5 * (z + after)
    y = x - move(x) + z
    return y if integrator == "euler-maruyama" else x - 0.5 * (move(x) + move(y)) + z


@pytest.mark.parametrize("integrator", list(INTEGRATORS))
@pytest.mark.parametrize("d", [1, 2, 3, 10])
@pytest.mark.parametrize("n", [1, 2, 3, 17, 1000])
def test_every_form_is_the_formula(integrator, d, n):
    x = np.random.default_rng(n).standard_normal((d, n))
    for V in potentials(d):
        for tamed in (False, True):
            expected = written_out(x, V, 0.05, 0.3, 6, integrator, tamed)
            for real, tolerance in ((np.float64, 1e-13), (np.float32, 2e-5)):
                for form in (langevin_step, langevin_step.reference):
                    y = form(x.astype(real), *V.fused, 0.05, 0.3, KEY, 6, integrator, tamed)[0]
                    assert y.dtype == real
                    np.testing.assert_allclose(y, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("integrator", ["euler-maruyama", "leimkuhler-matthews"])
@pytest.mark.parametrize("n", [1, 17, 5000])
def test_a_given_gradient_is_the_same_step(integrator, n):
    x = np.random.default_rng(n).standard_normal((2, n))
    V = Ring()
    for tamed in (False, True):
        given = langevin_step(x, "given", V.gradient(x.T).T, 0.05, 0.3, KEY, 6, integrator, tamed)[0]
        fused = langevin_step(x, *V.fused, 0.05, 0.3, KEY, 6, integrator, tamed)[0]
        np.testing.assert_allclose(given, fused, rtol=1e-13, atol=1e-13)


def test_the_input_is_left_alone_and_nothing_is_shared():
    x = np.ones((2, 5000))
    y = langevin_step(x, *Ring().fused, 0.05, 0.3, KEY, 6, "heun", False)[0]
    assert (x == 1).all()
    assert not np.shares_memory(x, y)


def test_a_particle_does_not_depend_on_the_others():
    x = np.random.default_rng(0).standard_normal((3, 9000))
    whole = langevin_step(x, *DoubleWell().fused, 0.05, 0.3, KEY, 6, "heun", False)[0]
    for n in (1, 257, 4096, 4097):
        part = langevin_step(x[:, :n].copy(), *DoubleWell().fused, 0.05, 0.3, KEY, 6, "heun", False)[0]
        np.testing.assert_array_equal(part, whole[:, :n])


@pytest.mark.parametrize("n", [1, 300, 9000])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_step_knows_whether_its_result_is_finite(n, value):
    for real in (np.float32, np.float64):
        x = np.zeros((2, n), real)
        for form in (langevin_step, langevin_step.reference):
            assert form(x, *DoubleWell().fused, 0.05, 0.3, KEY, 6, "euler-maruyama", False)[1] is True
            x[1, n - 1] = value
            with np.errstate(invalid="ignore"):
                assert form(x, *DoubleWell().fused, 0.05, 0.3, KEY, 6, "euler-maruyama", False)[1] is False
            x[1, n - 1] = 0


def test_nan_stays_with_its_particle():
    x = np.zeros((2, 300))
    x[1, 123] = np.nan
    y = langevin_step(x, *Ring().fused, 0.05, 0.3, KEY, 6, "euler-maruyama", False)[0]
    assert np.isnan(y[:, 123]).any()
    assert np.isfinite(np.delete(y, 123, axis=1)).all()


SCRIPT = """
import hashlib, json, sys
import numba, numpy as np
from wgf.kernels.langevin import langevin_step
from wgf.kernels.mixture import mixture_score_isotropic
from wgf.kernels.philox import normals
key = np.arange(4, dtype=np.uint32)
x = np.random.default_rng(0).standard_normal((2, 20_001))
digests = []
for threads in (1, 2, 4):
    numba.set_num_threads(threads)
    results = [
        langevin_step(x, "double-well", np.array([1.0, 1.0, 0.1]), 0.01, 0.1, key, 3, name, False)[0]
        for name in ("euler-maruyama", "leimkuhler-matthews", "heun")
    ]
    results.append(normals(key, 1, 0, 20_001, 2, np.float64))
    results.append(mixture_score_isotropic(np.ascontiguousarray(x.T), np.zeros(9), x[:, :9].T.copy(), 2.0))
    digests.append([hashlib.sha256(r.tobytes()).hexdigest() for r in results])
print(json.dumps(digests))
"""


def test_one_two_and_four_threads_give_the_same_bits():
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "NUMBA_NUM_THREADS": "4"},
    )
    one, two, four = json.loads(done.stdout)
    assert len(set(one)) == len(one)
    assert one == two == four
