"""What every run promises whatever the scheme: resumed equals uninterrupted, saving and threads change no bit."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.energies import DoubleWell, Quadratic
from wgf.schemes import (
    AggregationDiffusion,
    BackAndForthJKO,
    DynamicJKO,
    EntropicJKO,
    FokkerPlanck,
    Langevin,
    QuantileJKO,
)

SCHEMES = [
    *(FokkerPlanck(cells=24, time=t) for t in ("tr-bdf2", "backward-euler", "exponential")),
    *(AggregationDiffusion(cells=24, time=t) for t in ("implicit", "sdirk2", "ssp-rk3")),
    BackAndForthJKO(cells=24),
    DynamicJKO(cells=16),
    EntropicJKO(cells=24, tol=1e-4),
    *(QuantileJKO(levels=12, time=t) for t in ("jko", "bdf2", "midpoint")),
    *(
        Langevin(particles=9, integrator=i)
        for i in ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted")
    ),
    Langevin(particles=9, dtype="float32"),
]
POTENTIALS = [Quadratic([[1.0]]), DoubleWell(barrier=0.5), lambda x: np.cosh(x).sum(-1) - 0.3 * x[..., 0]]


@st.composite
def runs(draw):
    """A scheme, a problem on the line, and the arguments of a short run."""
    energy = draw(st.floats(0.2, 2)) * wgf.entropy() + wgf.potential(draw(st.sampled_from(POTENTIALS)))
    initial = wgf.Gaussian(draw(st.floats(-1, 1)), draw(st.floats(0.05, 0.5)))
    problem = wgf.Problem(energy, initial, bounds=(-5, 5))
    steps = draw(st.integers(2, 8))
    dt = draw(st.floats(1e-3, 5e-2))
    return (
        draw(st.sampled_from(SCHEMES)),
        problem,
        dict(t_end=steps * dt, dt=dt, seed=draw(st.integers(0, 99))),
        steps,
    )


def same(a, b):
    """Whether two measures hold the same bits."""
    left, right = a.arrays(), b.arrays()
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


class StopAfter:
    """A problem's potential cannot stop a run, a signal can: raised inside the chosen call of `step`."""

    def __init__(self, monkeypatch, scheme, stop):
        inner, calls = type(scheme).step, [0]

        def step(*arguments):
            calls[0] += 1
            if calls[0] == stop:
                signal.raise_signal(signal.SIGINT)
            return inner(*arguments)

        monkeypatch.setattr(type(scheme), "step", step)


@settings(max_examples=200, deadline=None)
@given(runs(), st.data())
def test_resumed_equals_uninterrupted_bit_by_bit(run, data):
    import pytest

    scheme, problem, arguments, steps = run
    arguments = {
        **arguments,
        "save_at": arguments["dt"] * data.draw(st.integers(1, steps)),
        "record": ["mean"],
    }
    whole = wgf.solve(problem, scheme, **arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.npz"
        with pytest.MonkeyPatch.context() as patch:
            StopAfter(patch, scheme, data.draw(st.integers(1, steps)))
            stopped = wgf.solve(problem, scheme, **arguments, checkpoint=path)
        assert stopped.status == "interrupted"
        rest = wgf.solve(problem, scheme, **arguments, checkpoint=path)
    assert rest.status == "finished"
    assert np.array_equal(rest.times, whole.times)
    assert np.array_equal(rest.record["mean"], whole.record["mean"])
    assert all(same(a, b) for a, b in zip(rest.measures, whole.measures, strict=True))


@settings(max_examples=200, deadline=None)
@given(runs(), st.data())
def test_save_at_and_records_change_no_bit(run, data):
    scheme, problem, arguments, _ = run
    plain = wgf.solve(problem, scheme, **arguments)
    spacing = data.draw(st.floats(0.1, 1.0)) * arguments["t_end"]
    kept = wgf.solve(problem, scheme, **arguments, save_at=spacing, record=["mass", "mean"])
    assert same(plain.final, kept.final)
    assert len(kept.times) == len(kept.record["mass"])


THREADS = """
import itertools
import numba, numpy as np, threadpoolctl, wgf
from wgf.energies import DoubleWell
from wgf.schemes import (
    AggregationDiffusion,
    BackAndForthJKO,
    DynamicJKO,
    EntropicJKO,
    FokkerPlanck,
    Langevin,
    QuantileJKO,
)

rng, compared = np.random.default_rng(0), 0
plane = wgf.Problem(wgf.entropy() + wgf.potential(DoubleWell()), wgf.Gaussian([0.3, 0.0], 0.3), bounds=[(-4, 4)] * 2)
kde = wgf.Problem(wgf.kl(wgf.Mixture.kde(rng.standard_normal((40, 2)), 0.4)), wgf.Gaussian([0, 0], 1.0))
A = np.cov(rng.standard_normal((30, 100)))
wide = wgf.Problem(wgf.entropy() + wgf.potential(lambda x: 0.5 * ((x @ A) * x).sum(-1)), wgf.Gaussian(np.zeros(30), 1.0))
line = wgf.Problem(wgf.entropy() + wgf.potential(DoubleWell()), wgf.Gaussian(0.3, 0.3), bounds=(-4, 4))
cases = [(plane, Langevin(particles=20_000, integrator=i, dtype=d))
         for i in ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted") for d in ("float64", "float32")]
cases += [(kde, Langevin(particles=20_000)), (line, QuantileJKO(levels=60)), (wide, Langevin(particles=3000))]
cases += [(plane, FokkerPlanck(cells=96, time=t)) for t in ("tr-bdf2", "lie", "exponential")]
for k in range(200):
    problem, scheme = cases[k % len(cases)]
    found = []
    for threads in (1, 2, 4):
        numba.set_num_threads(threads)
        dt = 0.002 * (1 + k // len(cases))
        with threadpoolctl.threadpool_limits(threads):
            final = wgf.solve(problem, scheme, t_end=2 * dt, dt=dt, seed=k).final
        found.append(b"".join(v.tobytes() for v in final.arrays().values()))
    assert found[0] == found[1] == found[2], (scheme, k)
    compared += 1
print(compared)
"""


def test_one_two_and_four_threads_give_the_same_bits():
    """200 runs over all schemes, each with 1, 2 and 4 threads."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "4"}
    done = subprocess.run(
        [sys.executable, "-c", THREADS], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.strip() == "200", done.stderr
