"""A full tensor at a wall: flow along it is conducted to second order in L1, with every weight nonnegative."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wgf
from wgf.measures.averages import cell_averages
from wgf.schemes.grid.fokker_planck import FokkerPlanck
from wgf.schemes.grid.fokker_planck.selling import selling
from wgf.schemes.grid.fokker_planck.walls import wall_tensors

OBLIQUE = {"bonds of reach 1": (0.7, 1.0), "bonds of reach 2": (2.2, 1.0), "bonds of reach 3": (9.2, 1.0)}
OFF = {"bonds of reach 1": -0.6, "bonds of reach 2": 1.4, "bonds of reach 3": 3.0}


def matrix(name):
    return np.array([[OBLIQUE[name][0], OFF[name]], [OFF[name], OBLIQUE[name][1]]])


@pytest.mark.parametrize("name", OBLIQUE)
def test_a_wave_along_an_oblique_wall_decays_to_second_order(name):
    """sin(2 pi (y - r x)), r = M_xy/M_xx, has no flux across x = const and decays with the Schur complement."""
    M, errors = matrix(name), []
    r, rate = M[0, 1] / M[0, 0], 4 * np.pi**2 * (M[1, 1] - M[0, 1] ** 2 / M[0, 0])
    end = 0.5 / rate
    for n in (16, 32, 64):
        grid = wgf.Grid(((0, 1), (0, 1)), n, ("noflux", "periodic"))
        wave = cell_averages(lambda x: np.sin(2 * np.pi * (x[..., 1] - r * x[..., 0])), grid)
        problem = wgf.Problem(
            wgf.entropy(),
            initial=wgf.Density(grid, 1 + 0.5 * wave),
            bounds=grid.bounds,
            boundary=grid.boundary,
            mobility=wgf.Mobility(M),
        )
        run = wgf.solve(problem, FokkerPlanck(cells=n), t_end=end, dt=end / (n // 2))
        assert run.stats["fallback_steps"] == 0
        errors.append(np.abs(run.final.values - 1 - 0.5 * np.exp(-0.5) * wave).mean())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert np.all(orders > 1.6)
    assert errors[-1] < 3e-4


def test_a_wave_along_an_oblique_wall_of_a_box_in_space():
    M = np.array([[1.0, 0.4, -0.3], [0.4, 0.9, 0.2], [-0.3, 0.2, 0.8]])
    slope = M[0, 1:] / M[0, 0]
    schur = M[1:, 1:] - np.outer(M[0, 1:], M[0, 1:]) / M[0, 0]
    k = 2 * np.pi * np.array([1.0, 1.0])
    end, errors = 0.3 / (k @ schur @ k), []
    for n in (6, 12):
        grid = wgf.Grid(((0, 1),) * 3, n, ("noflux", "periodic", "periodic"))
        wave = cell_averages(lambda x: np.sin(x[..., 1:] @ k - (k @ slope) * x[..., 0]), grid)
        problem = wgf.Problem(
            wgf.entropy(),
            initial=wgf.Density(grid, 1 + 0.5 * wave),
            bounds=grid.bounds,
            boundary=grid.boundary,
            mobility=wgf.Mobility(M),
        )
        run = wgf.solve(problem, FokkerPlanck(cells=n), t_end=end, dt=end / n)
        errors.append(np.abs(run.final.values - 1 - 0.5 * np.exp(-0.3) * wave).mean())
    assert np.log2(errors[0] / errors[1]) > 1.75
    assert errors[-1] < 6e-3


@settings(max_examples=200, deadline=None)
@given(st.sampled_from((2, 3)), st.floats(0.0, 1.0), st.integers(0, 2**32))
def test_the_wall_conducts_between_half_and_all_of_the_schur_complement_in_its_own_layer(d, decades, seed):
    """At least half: bonds through the wall lost at most half. No weight is negative."""
    rng = np.random.default_rng(seed)
    turned = np.linalg.qr(rng.normal(size=(20, d, d)))[0]
    M = np.einsum("nij,nj,nkj->nik", turned, 10 ** rng.uniform(-decades, decades, size=(20, d)), turned)
    weights, offsets = selling(M)
    for axis in range(d):
        along = np.arange(d) != axis
        mixed = M[:, axis][:, along]
        schur = (
            M[:, along][:, :, along] - mixed[:, :, None] * mixed[:, None, :] / M[:, axis, axis, None, None]
        )
        found = wall_tensors(M, weights, offsets, axis)
        assert np.linalg.eigvalsh(found - 0.5 * schur).min() >= -1e-9 * np.abs(schur).max()
        if np.abs(offsets[weights > 0][:, axis]).max() == 1:
            assert np.linalg.eigvalsh(schur - found).min() >= -1e-9 * np.abs(schur).max()


@pytest.mark.parametrize("name", ["bonds of reach 2", "bonds of reach 3"])
def test_the_layers_near_a_wall_conduct_what_a_minimisation_over_them_says(name):
    """Brute force: the energy per length of a deep strip, minimised over chi, is that of the wall put right."""
    M, depth = matrix(name), 200
    weights, offsets = selling(M[None])
    u = offsets[0, :, 1] - offsets[0, :, 0] * M[0, 1] / M[0, 0]
    chain, force, fixed = np.zeros((depth, depth)), np.zeros(depth), 0.0
    for a, m, c in zip(weights[0], offsets[0, :, 0], u, strict=True):
        difference = np.eye(depth, k=m)[: depth - m] - np.eye(depth)[: depth - m]
        chain += a * difference.T @ difference
        force += a * c * difference.sum(axis=0)
        fixed += a * c**2 * (depth - m)
    least = fixed - force @ np.linalg.pinv(chain) @ force
    schur = M[1, 1] - M[0, 1] ** 2 / M[0, 0]
    in_bulk = sum(a * c**2 for a, m, c in zip(weights[0], offsets[0, :, 0], u, strict=True) if m == 0)
    added = wall_tensors(M[None], weights, offsets, 0)[0, 0, 0] - in_bulk
    assert least + 2 * added == pytest.approx(depth * schur, rel=1e-7)
