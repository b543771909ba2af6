"""The fast c-transform: against all pairs, its algebra on random potentials, both forms alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.kernels.c_transform import c_transform, envelope

many = settings(max_examples=200, deadline=None)
SHAPES = [(1,), (2,), (32,), (1, 7), (9, 8), (4, 5, 3)]


def brute_force(potential, curvatures):
    """min over all pairs of cells, in as many axes as there are."""
    cells = np.stack(np.meshgrid(*map(np.arange, potential.shape), indexing="ij"), -1)
    points = cells.reshape(-1, potential.ndim)
    cost = ((points[:, None] - points) ** 2 * np.array(curvatures)).sum(-1)
    return (cost - potential.ravel()).min(1).reshape(potential.shape)


def potential_of(seed: int, shape: tuple[int, ...], roughness: float) -> np.ndarray:
    return roughness * np.random.default_rng(seed).standard_normal(shape)


potentials = st.builds(
    potential_of, st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.floats(-3, 3).map(lambda e: 10.0**e)
)
curvature_triples = st.tuples(*[st.floats(-3, 2).map(lambda e: 10.0**e)] * 3)


@many
@given(potentials, curvature_triples)
def test_it_is_the_minimum_over_all_pairs(phi, triple) -> None:
    curvatures = triple[: phi.ndim]
    size = np.abs(phi).max() + sum(c * n * n for c, n in zip(curvatures, phi.shape, strict=True))
    np.testing.assert_allclose(
        c_transform(phi, curvatures), brute_force(phi, curvatures), rtol=0, atol=1e-14 * size
    )


@many
@given(potentials, curvature_triples)
def test_three_transforms_are_one(phi, triple) -> None:
    """phi^ccc = phi^c, and phi^cc lies above phi."""
    curvatures = triple[: phi.ndim]
    once = c_transform(phi, curvatures)
    twice = c_transform(once, curvatures)
    size = np.abs(once).max() + np.abs(phi).max()
    np.testing.assert_allclose(c_transform(twice, curvatures), once, rtol=0, atol=1e-13 * size)
    assert (twice >= phi - 1e-13 * size).all()


@many
@given(potentials, curvature_triples, st.integers(0, 2**32 - 1), st.floats(-5, 5))
def test_it_reverses_order_and_shifts(phi, triple, seed, shift) -> None:
    curvatures = triple[: phi.ndim]
    below = c_transform(phi, curvatures)
    higher = phi + np.abs(potential_of(seed, phi.shape, 1.0))
    assert (c_transform(higher, curvatures) <= below).all()
    size = np.abs(below).max() + abs(shift)
    np.testing.assert_allclose(
        c_transform(phi + shift, curvatures), below - shift, rtol=0, atol=1e-14 * size + 1e-300
    )


def test_a_wrong_curvature_is_noticed() -> None:
    """The control: a thousandth more curvature changes the transform by more than the tolerance of the tests."""
    phi = potential_of(3, (32,), 1.0)
    assert np.abs(c_transform(phi, (0.1001,)) - brute_force(phi, (0.1,))).max() > 1e-6


@pytest.mark.parametrize("form", ["reference", "cpu"])
def test_both_forms_pass_over_cells_that_offer_nothing(form) -> None:
    lines = np.random.default_rng(0).standard_normal((6, 40))
    lines[0] = -np.inf
    lines[1, 3:30] = -np.inf
    lines[2, :39] = -np.inf
    out = np.empty_like(lines)
    run = envelope.reference if form == "reference" else envelope.load(envelope.cpu)
    run(lines, 0.03, out)
    assert (out[0] == np.inf).all()
    np.testing.assert_allclose(out[2], 0.03 * (39.0 - np.arange(40)) ** 2 - lines[2, 39], rtol=1e-14)
    np.testing.assert_allclose(out[1], brute_force_line(lines[1], 0.03), rtol=1e-13)


def brute_force_line(line, curvature):
    cells = np.arange(line.size)
    return (curvature * (cells[:, None] - cells) ** 2 - line).min(1)
