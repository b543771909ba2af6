"""Sliced transport on a grid: shadows keep mass and moments, the adjoint is exact, W2^2 has two derivatives."""

from __future__ import annotations

import numba
import numpy as np
import pytest

from wgf.kernels import sliced_grid as kernels
from wgf.measures import Density, Grid
from wgf.transport import distance, sliced_w2
from wgf.transport.sliced import directions

GRIDS = [((9,), 1), ((6, 7), 2), ((8, 3), 2), ((5, 4, 3), 3)]
SPACING = np.array([0.3, 0.2, 0.25])


def case(cells, d, seed=0, count=7):
    rng = np.random.default_rng(seed)
    places = kernels.shadows(directions(d, count), SPACING[:d], cells)
    masses = [rng.random(places.cells) ** 3 for _ in range(2)]
    return places, *(m / m.sum() for m in masses), rng


@pytest.mark.parametrize(("cells", "d"), GRIDS)
def test_compiled_forms_equal_their_references(cells, d) -> None:
    places, a, b, rng = case(cells, d)
    b.flat[rng.random(b.size) < 0.5] = 0.0  # gaps
    b /= b.sum()
    here, there = (kernels.sliced_project.reference(m, places) for m in (a, b))
    np.testing.assert_allclose(kernels.sliced_project(a, places), here, rtol=0, atol=1e-15)
    values = rng.random(here.shape)
    expected = kernels.sliced_adjoint.reference(values, places)
    np.testing.assert_allclose(kernels.sliced_adjoint(values, places), expected, rtol=1e-13)
    pairs = zip(
        kernels.line_transport(here, there, places.bin),
        kernels.line_transport.reference(here, there, places.bin),
        strict=True,
    )
    for found, reference in pairs:
        np.testing.assert_allclose(found, reference, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(("cells", "d"), GRIDS)
def test_shadows_keep_mass_and_mean_and_widen_by_no_more_than_a_bin(cells, d) -> None:
    places, a, _, _ = case(cells, d)
    bins = kernels.sliced_project(a, places)
    np.testing.assert_allclose(bins.sum(1), 1.0, rtol=0, atol=1e-14)
    grid = Grid([(0.0, n * h) for n, h in zip(cells, SPACING, strict=False)], cells)
    density = Density(grid, a.reshape(cells) / grid.volume)
    thetas = directions(d, 7)
    corner = np.minimum(thetas * (np.array(cells) * SPACING[:d]), 0).sum(1)
    x = (np.arange(places.bins) + 0.5) * places.bin[:, None]
    mean = (bins * x).sum(1)
    np.testing.assert_allclose(mean, thetas @ density.mean() - corner, rtol=0, atol=0.06 * places.bin.max())
    variance = (bins * (x - mean[:, None]) ** 2).sum(1) + places.bin**2 / 12
    exact = np.einsum("li,ij,lj->l", thetas, density.cov(), thetas)
    np.testing.assert_allclose(variance, exact, rtol=0, atol=0.3 * places.bin.max() ** 2)


@pytest.mark.parametrize(("cells", "d"), GRIDS)
def test_the_adjoint_is_the_transpose_of_the_projection(cells, d) -> None:
    places, a, _, rng = case(cells, d)
    values = rng.standard_normal((len(places.start), places.bins))
    left = float(np.vdot(kernels.sliced_project(a, places), values))
    right = float(np.vdot(a, kernels.sliced_adjoint(values, places)))
    assert abs(left - right) <= 1e-13 * np.abs(values).sum()
    assert abs(left - 1.001 * right) > 1e-6 * abs(right)


@pytest.mark.parametrize("gaps", [False, True])
def test_the_transport_is_that_of_cells_and_its_two_derivatives_are_right(gaps) -> None:
    places, a, b, rng = case((6, 7), 2)
    if gaps:
        b[0, 2:4] = 0.0
        b /= b.sum()
    here, there = kernels.sliced_project(a, places), kernels.sliced_project(b, places)
    if gaps:
        there[:, 4:7] = 0.0
        there /= there.sum(1, keepdims=True)
    found = kernels.line_transport(here, there, places.bin)
    for l, size in enumerate(places.bin):
        grid = Grid((0.0, places.bins * size), places.bins)
        laws = [Density(grid, m[l] / size) for m in (here, there)]
        np.testing.assert_allclose(found.value[l], distance(*laws, "w2") ** 2, rtol=1e-10)
    change = rng.standard_normal(here.shape) * here * 0.1
    change -= here * change.sum(1, keepdims=True)
    step = 1e-4
    up, down = (kernels.line_transport(here + s * change, there, places.bin) for s in (step, -step))
    slope = (found.slope * change).sum(1)
    np.testing.assert_allclose((up.value - down.value) / (2 * step), slope, rtol=1e-7, atol=1e-10)
    dF = np.concatenate([np.zeros((len(here), 1)), np.cumsum(change, axis=1)], axis=1)
    left, right, bend = dF[:, :-1], dF[:, 1:], found.bend
    curvature = (bend[..., 0] * left**2 + 2 * bend[..., 1] * left * right + bend[..., 2] * right**2).sum(1)
    measured = ((up.slope - down.slope) * change).sum(1) / (4 * step)
    np.testing.assert_allclose(measured, curvature, rtol=1e-5 if gaps else 1e-8)


def test_there_is_no_kink_at_rest_where_atoms_have_one() -> None:
    """Mass e moved to the next cell costs e h^2 between atoms, and O(e^2) between shadows."""
    places = kernels.shadows(np.ones((1, 1)), np.array([0.1]), (20,))
    masses = np.full((1, 1, 20), 0.05)
    costs, atoms = [], []
    x = 0.1 * np.arange(20)[:, None]
    for e in (1e-3, 1e-4):
        moved = masses.copy()
        moved[0, 0, 9:11] += (-e, e)
        pair = [kernels.sliced_project(m, places) for m in (moved, masses)]
        costs.append(kernels.line_transport(*pair, places.bin).value[0])
        atoms.append(sliced_w2(x, x, 1, a=moved.ravel(), b=masses.ravel()).value)
    assert abs(np.log10(costs[0] / costs[1]) - 2) < 0.01
    assert abs(np.log10(atoms[0] / atoms[1]) - 1) < 0.01
    np.testing.assert_allclose(atoms[0], 1e-3 * 0.1**2, rtol=1e-9)


def test_equal_laws_are_at_distance_zero_to_the_last_tail() -> None:
    x = np.linspace(-12, 12, 64)
    masses = np.exp(-0.5 * (x[:, None] ** 2 + x**2))[None]
    masses /= masses.sum()
    places = kernels.shadows(directions(2, 16), np.array([0.375, 0.375]), (64, 64))
    bins = kernels.sliced_project(masses, places)
    found = kernels.line_transport(bins, bins, places.bin)
    assert found.value.max() <= 1e-28
    assert np.abs(found.slope).max() <= 1e-11


def test_results_do_not_depend_on_the_number_of_threads() -> None:
    places, a, b, _ = case((40, 30), 2, count=16)
    before = numba.get_num_threads()
    results = []
    try:
        for threads in (1, before):
            numba.set_num_threads(threads)
            pair = [kernels.sliced_project(m, places) for m in (a, b)]
            found = kernels.line_transport(*pair, places.bin)
            results.append((*pair, *found, kernels.sliced_adjoint(found.slope, places)))
    finally:
        numba.set_num_threads(before)
    for one, many in zip(*results, strict=True):
        assert one.tobytes() == many.tobytes()
