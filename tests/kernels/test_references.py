"""Every compiled kernel is its NumPy reference, and one thread its two, on what real runs ask of it.

Small runs of all schemes are recorded call by call; each kernel's calls are then repeated by the reference
and by the compiled form. A kernel that no run and no table below exercises fails the last test, so that a
new one cannot be forgotten.
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
from collections import defaultdict

import numpy as np
import pytest

import wgf
import wgf.kernels
from wgf.energies import DoubleWell
from wgf.kernels.registry import TABLE, Kernel
from wgf.kernels.scharfetter_gummel import unpack
from wgf.schemes import AggregationDiffusion, EntropicJKO, FokkerPlanck, Langevin, SlicedJKO
from wgf.schemes.jko.back_and_forth import BackAndForthJKO

numba = pytest.importorskip("numba")
for module in pkgutil.iter_modules(wgf.kernels.__path__):
    if not module.ispkg:
        importlib.import_module(f"wgf.kernels.{module.name}")

KEPT = 6  # calls of one kernel, the first of each kind of argument
NAMES = sorted(TABLE)
TOLERANCE = 1e-12  # of the largest entry
TOLERANCES = {"line_transport": 1e-9}  # second differences of sums over bins


def plane(*energies, boundary="noflux"):
    start = wgf.Gaussian([0.3, -0.2], [[0.4, 0.1], [0.1, 0.3]])
    return wgf.Problem(sum(energies[1:], energies[0]), start, bounds=[(-3, 3)] * 2, boundary=boundary)


def runs():
    """(problem, scheme, dt): together they call every kernel that numba code does not call by itself."""
    well, porous = wgf.potential(DoubleWell()), wgf.internal(2)
    line = wgf.Problem(0.5 * wgf.entropy() + well, wgf.Gaussian(0.2, 0.3), bounds=(-3, 3))
    yield line, FokkerPlanck(cells=60), 0.05
    for time in ("lie", "tr-bdf2", "strang"):
        yield (
            plane(0.5 * wgf.entropy(), well, boundary="periodic"),
            FokkerPlanck(cells=(40, 36), time=time),
            0.05,
        )
    moving = wgf.Problem(
        line.energy, line.initial, bounds=(-3, 3), mobility=wgf.Mobility(lambda x: 1 + x[..., 0] ** 2, form="fick")
    )  # fmt: skip
    yield moving, FokkerPlanck(cells=50), 0.02
    for flux in ("limited", "upwind"):
        yield plane(porous, well), AggregationDiffusion(cells=20, time="ssp-rk3", flux=flux), 0.01
    yield plane(porous, well), BackAndForthJKO(cells=(32, 28)), 0.02
    yield plane(porous, well), BackAndForthJKO(cells=(24, 28), time="midpoint", push_forward="jacobian"), 0.02
    yield plane(0.5 * wgf.entropy(), well), EntropicJKO(cells=48, epsilon=0.016, tol=1e-3), 0.5
    yield plane(0.5 * wgf.entropy(), well), SlicedJKO(cells=12), 0.02
    target = wgf.Mixture.kde(np.random.default_rng(0).standard_normal((40, 2)), 0.4)
    yield wgf.Problem(wgf.kl(target), wgf.Gaussian([0, 0], 1.0)), Langevin(particles=3000), 0.01
    for integrator in ("euler-maruyama", "adjusted"):
        yield line, Langevin(particles=3000, integrator=integrator), 0.01


def table():
    """Calls of the kernels that compiled code calls from inside, and of shapes that the runs do not reach."""
    rng = np.random.default_rng(1)
    x = rng.uniform(-50, 50, 5000)
    weights, means = np.log(np.full(9, 1 / 9)), rng.standard_normal((9, 2))
    roots = rng.standard_normal((9, 2, 2))
    precisions = roots @ roots.transpose(0, 2, 1) + np.eye(2)
    points, key = rng.standard_normal((700, 2)), np.array([1, 2, 3, 4], np.uint32)
    yield "exp", (x,)
    yield "log", (np.abs(x) + 1e-3,)
    yield "sincos", (rng.uniform(-1, 1, 5000),)
    yield "philox4x32", (rng.integers(0, 2**32, (4, 500), dtype=np.uint32), key[:2])
    yield "uniforms", (key, 7, 0, 3000, 2)
    yield "normals", (key, 7, 0, 3000, 3)
    for form in ("mixture_log_density", "mixture_score"):
        yield form, (points, weights, means, precisions)
        yield f"{form}_isotropic", (points, weights, means, 1.7)
    grid = rng.random((3, 17, 40))
    yield (
        "weighted_laplacian",
        (grid, *(rng.random(s) for s in ((2, 17, 40), (3, 16, 40), (3, 17, 39))), grid + 1, grid * 0),
    )
    empty = np.where(rng.random((5, 60)) < 0.3, -np.inf, rng.normal(0, 400, (5, 60)))
    yield "log_blur", (empty, np.zeros((5, 60)), 0.3)
    yield "sg_factors", (rng.normal(0, 3, (30, 20)), 0.7, 0.4, 0, True)
    yield "sg_factors", (rng.normal(0, 3, (6, 20, 9)), 30.0, 0.4, 1, False)
    for axis in (1, 2):
        yield "ordered", (np.cumsum(rng.normal(0.3, 1.0, (3, 30, 30)), axis), axis)


@pytest.fixture(scope="module")
def calls():
    """Per kernel: the arguments of its first calls, as they were before the call."""
    kept, kinds = defaultdict(list), defaultdict(set)
    plain = Kernel.__call__

    def keeping(self, *arguments):
        kind = str(
            [(a.shape, a.flags.c_contiguous) if isinstance(a, np.ndarray) else type(a) for a in arguments]
        )
        if len(kept[self.name]) < KEPT and kind not in kinds[self.name]:
            kinds[self.name].add(kind)
            kept[self.name].append(copy.deepcopy(arguments))
        return plain(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Kernel, "__call__", keeping)
        for problem, scheme, dt in runs():
            wgf.solve(problem, scheme, t_end=dt, dt=dt)
    for name, arguments in table():
        kept[name].append(arguments)
    return kept


def outcome(name, form, arguments):
    """All numbers a call returns or writes into its arguments."""
    arguments = copy.deepcopy(arguments)
    with np.errstate(all="ignore"):
        result = form(*arguments)
    if name == "sg_factors":  # what pads its blocks is never read
        potential, axis = arguments[0], arguments[3]
        result = unpack(result, potential.size // potential.shape[axis])
    found: list[np.ndarray] = []

    def gather(value):
        if isinstance(value, (tuple, list)):
            for part in value:
                gather(part)
        elif isinstance(value, (np.ndarray, float, int, np.generic)):
            values = np.asarray(value)
            found.append(values.astype(np.int64) if values.dtype == bool else values)

    gather([result, [a for a in arguments if isinstance(a, np.ndarray)]])
    return found


def apart(one, two):
    """The widest gap between finite numbers, relative to the largest; infinite unless all else is equal."""
    if one.shape != two.shape or one.dtype.kind != two.dtype.kind:
        return np.inf
    finite = np.isfinite(one)
    if not (finite == np.isfinite(two)).all() or not np.array_equal(
        one[~finite], two[~finite], equal_nan=True
    ):
        return np.inf
    if not finite.any():
        return 0.0
    size = np.abs(one[finite]).max()
    return (
        float(np.abs(one[finite] - two[finite]).max() / size)
        if size > 0
        else float(np.abs(two[finite]).max())
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_compiled_form_is_the_reference_and_two_threads_are_one(name, calls):
    kernel = TABLE[name]
    compiled, most = Kernel.load(kernel.cpu), numba.get_num_threads()
    assert calls[name], "no run or table exercises it"
    for arguments in calls[name]:
        reference, results = outcome(name, kernel.reference, arguments), []
        try:
            for threads in (1, min(2, most)):
                numba.set_num_threads(threads)
                results.append(outcome(name, compiled, arguments))
        finally:
            numba.set_num_threads(most)
        assert len(reference) == len(results[0]) > 0
        assert all(a.tobytes() == b.tobytes() for a, b in zip(*results, strict=True))
        gaps = [apart(a, b) for a, b in zip(reference, results[0], strict=True)]
        assert max(gaps) <= TOLERANCES.get(name, TOLERANCE), gaps


def test_the_comparison_sees_a_digit_a_nan_and_a_missing_number():
    x = np.array([1.0, 2.0, -np.inf])
    assert apart(x, x.copy()) == 0.0
    assert apart(x, x * (1 + 1e-11)) > TOLERANCE
    assert apart(x, np.array([1.0, np.nan, -np.inf])) == np.inf
    assert apart(x, x[:2]) == np.inf
