"""distance: every sensible pair answers, with lengths; the others say why not and what to do."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.errors import MeasureError
from wgf.measures import Barenblatt, Density, Gaussian, Grid, Mixture, Particles, Quantiles, Uniform
from wgf.transport import bures, directions, distance, sliced_w2

ON_THE_LINE = {
    "gaussian": Gaussian(0.2, 0.5),
    "mixture": Mixture([0.3, 0.7], [Gaussian(-1, 0.2), Gaussian(1, 0.1)]),
    "uniform": Uniform((-1, 2)),
    "barenblatt": Barenblatt(1, 2.0, 1.0),
    "heavy": Barenblatt(1, 0.6, 1.0),
    "density": Density.from_measure(Gaussian(0, 1), Grid((-7, 7), 40)),
    "particles": Particles(
        np.random.default_rng(0).normal(size=30), np.random.default_rng(1).dirichlet(np.ones(30))
    ),
    "quantiles": Quantiles([-1.0, 0.0, 0.5, 2.0], [0.2, 0.5, 0.3]),
}
IN_THE_PLANE = {
    "gaussian": Gaussian([0.2, 0], [1.0, 0.5]),
    "mixture": Mixture([0.3, 0.7], [Gaussian([-1, 0], 0.2), Gaussian([1, 0], 0.1)]),
    "uniform": Uniform([(-1, 2), (0, 1)]),
    "density": Density.from_measure(Gaussian([0, 0], 1), Grid([(-7, 7)] * 2, 40)),
    "particles": Particles(np.random.default_rng(0).normal(size=(30, 2))),
}


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations_with_replacement(ON_THE_LINE, 2)))
def test_every_pair_on_the_line_has_a_w2(one, two):
    a, b = ON_THE_LINE[one], ON_THE_LINE[two]
    value = distance(a, b)
    np.testing.assert_allclose(distance(b, a), value, rtol=1e-10, atol=1e-9)
    assert value < 1e-8 if one == two else value > 1e-2
    # between the distance of the means and the cost of moving independently
    apart = ((a.mean() - b.mean()) ** 2).sum()
    assert apart <= value**2 + 1e-15
    assert value**2 <= apart + a.cov()[0, 0] + b.cov()[0, 0]
    np.testing.assert_allclose(distance(a, b, "sliced_w2"), value, rtol=1e-12, atol=1e-12)


def test_the_triangle_inequality_holds_across_kinds():
    table = {
        (i, j): distance(ON_THE_LINE[i], ON_THE_LINE[j]) for i, j in itertools.product(ON_THE_LINE, repeat=2)
    }
    for i, j, k in itertools.product(ON_THE_LINE, repeat=3):
        assert table[i, k] <= table[i, j] + table[j, k] + 1e-8


@pytest.mark.parametrize(("one", "two"), list(itertools.combinations_with_replacement(IN_THE_PLANE, 2)))
def test_every_pair_in_the_plane_has_a_sliced_w2(one, two):
    a, b = IN_THE_PLANE[one], IN_THE_PLANE[two]
    value = distance(a, b, "sliced_w2", directions=12)
    np.testing.assert_allclose(distance(b, a, "sliced_w2", directions=12), value, rtol=1e-9, atol=1e-9)
    assert value < 1e-8 if one == two else value > 1e-2
    assert value**2 >= 0.5 * ((a.mean() - b.mean()) ** 2).sum() - 1e-12


def test_sliced_w2_of_gaussians_is_the_closed_form():
    g, h = Gaussian([0.3, -0.2], [[1.0, 0.4], [0.4, 0.5]]), Gaussian([0, 1.0], [[0.3, 0.0], [0.0, 2.0]])
    thetas = directions(2, 64)
    std = [np.sqrt(np.einsum("li,ij,lj->l", thetas, m.covariance, thetas)) for m in (g, h)]
    truth = np.mean((thetas @ (g.center - h.center)) ** 2 + (std[0] - std[1]) ** 2) ** 0.5
    np.testing.assert_allclose(distance(g, h, "sliced_w2"), truth, rtol=1e-12)
    np.testing.assert_allclose(distance(g, h, "sliced_w2", directions=200), truth, rtol=1e-6)
    fine = Density.from_measure(g, Grid([(-8, 8)] * 2, 256))
    np.testing.assert_allclose(distance(fine, h, "sliced_w2"), truth, rtol=1e-3)


def test_particles_of_a_density_approach_it_like_one_over_root_n():
    """2500 uniform draws a cell shadow: the gap is below 3 times its expectation, false alarm < 1e-6."""
    density = IN_THE_PLANE["density"]
    gap = distance(Particles(density.sample(40_000, 0)), density, "sliced_w2", directions=16)
    assert 1e-3 < gap < 3e-2


def test_barenblatts_of_two_exponents_are_no_dilates():
    a, b = Barenblatt(1, 2.0, 1.0), Barenblatt(1, 4.0, 1.0)
    u = (np.arange(400_000) + 0.5) / 400_000
    direct = np.mean((a.quantile(u) - b.quantile(u)) ** 2) ** 0.5  # midpoint rule: 1e-6 relative
    np.testing.assert_allclose(distance(a, b), direct, rtol=1e-4)
    assert distance(a, b) > 1.005 * abs(a.cov()[0, 0] ** 0.5 - b.cov()[0, 0] ** 0.5)
    with pytest.raises(MeasureError, match="not computable exactly"):
        distance(Barenblatt(2, 2.0, 1.0), Barenblatt(2, 3.0, 1.0))


def test_distances_are_lengths_and_kernels_are_squares():
    x, y = np.random.default_rng(0).normal(size=(2, 20, 2))
    np.testing.assert_allclose(
        distance(x, y, "sliced_w2", directions=9) ** 2, sliced_w2(x, y, 9).value, rtol=1e-12
    )
    g, h = Gaussian([0, 0], 1.0), Gaussian([1, 2], [4.0, 9.0])
    np.testing.assert_allclose(distance(g, h) ** 2, bures(g, h), rtol=1e-14)
    assert distance([0.0, 1.0], [1.0, 2.0]) == 1.0
    assert distance([0.0, 1.0], [1.0, 2.0], "sliced_w2", directions=[[3.0]]) == 3.0


@settings(max_examples=200, deadline=None)
@given(st.floats(-5, 5), st.floats(0.1, 3), st.integers(1, 3), st.sampled_from([0.8, 2.0, 3.5]))
def test_families_closed_under_dilation_have_closed_forms_in_any_dimension(shift, scale, d, m):
    unit = Barenblatt(d, m, 1.0)
    other = Barenblatt(d, m, scale ** (1 / unit.b), np.full(d, shift))
    truth = d * shift**2 + d * (scale - 1) ** 2 * unit.cov()[0, 0]
    np.testing.assert_allclose(distance(unit, other) ** 2, truth, rtol=1e-9, atol=1e-14)
    box = Uniform([(shift, shift + scale)] * d)
    truth = d * ((shift + 0.5 * scale - 0.5) ** 2 + (scale - 1) ** 2 / 12)
    np.testing.assert_allclose(distance(Uniform([(0, 1)] * d), box) ** 2, truth, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("kind", IN_THE_PLANE)
def test_a_single_point_is_exactly_far_from_anything(kind):
    measure = IN_THE_PLANE[kind]
    truth = np.trace(measure.cov()) + ((measure.mean() - 1) ** 2).sum()
    truth *= max(1.0, measure.mass)  # the box of a Density holds 1 + 1e-10
    np.testing.assert_allclose(distance(measure, [[1.0, 1.0]]) ** 2, truth, rtol=1e-12)


def test_what_has_no_exact_w2_says_so_with_the_way_out():
    for other in ("gaussian", "mixture", "density", "particles", "uniform"):
        with pytest.raises(MeasureError, match="not computable exactly. Use kind='sliced_w2'"):
            distance(IN_THE_PLANE["density"], IN_THE_PLANE[other])
    with pytest.raises(MeasureError, match="too large"):
        distance(np.zeros((6000, 2)), np.zeros((6000, 2)))
    with pytest.raises(MeasureError, match="not sampled silently"):
        distance(Barenblatt(2, 2.0, 1.0), IN_THE_PLANE["gaussian"], "sliced_w2")


def test_masses_must_agree():
    grid = Grid((0, 1), 4)
    with pytest.raises(MeasureError, match="a has mass 2 and b has mass 1"):
        distance(Density(grid, 2 * np.ones(4)), Density(grid, np.ones(4)))
    with pytest.raises(MeasureError, match="mass"):
        distance(Density(grid, np.zeros(4)), Density(grid, np.ones(4)))
    halves = [Density(grid, v) for v in ([4.0, 0, 0, 0], [0, 0, 0, 4.0])]
    doubled = [Density(grid, 4 * h.values) for h in halves]
    np.testing.assert_allclose(distance(*doubled), 2 * distance(*halves), rtol=1e-14)
    np.testing.assert_allclose(distance(*halves), 0.75, rtol=1e-14)


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((3.0, Gaussian(0, 1)), {}, "a"),
        ((Gaussian(0, 1), "b"), {}, "b"),
        ((Gaussian(0, 1), [1.0, np.nan]), {}, "b"),
        ((Gaussian(0, 1), Gaussian([0, 0], 1)), {}, "b"),
        ((Gaussian, Gaussian(0, 1)), {}, "a"),
        ((Gaussian(0, 1), Gaussian(0, 1), "w3"), {}, "kind"),
        ((Gaussian(0, 1), Gaussian(0, 1), "w2"), {"directions": 8}, "directions"),
        ((Gaussian([0, 0], 1), Gaussian([0, 0], 1), "sliced_w2"), {"directions": 0}, "directions"),
        ((Gaussian([0, 0], 1), Gaussian([0, 0], 1), "sliced_w2"), {"directions": np.eye(3)}, "directions"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, options, name):
    with pytest.raises((ValueError, TypeError), match=f"^{name} must"):
        distance(*arguments, **options)


def test_weighted_clouds_in_the_plane_are_matched():
    cloud = Particles(np.random.default_rng(0).standard_normal((40, 2)))
    weighted = Particles(cloud.x + [3.0, 0.0], w=np.full(40, 1 / 40))
    assert abs(distance(cloud, weighted) - 3) < 1e-9
    assert abs(distance(weighted, cloud) - 3) < 1e-9


def test_what_lies_outside_the_box_of_a_density_counts():
    flat = Density(Grid((0, 1), 4), np.ones(4))
    assert abs(distance(Uniform((0.5, 1.5)), flat, "l1") - 1) < 1e-12
    assert abs(distance(Uniform((2, 3)), flat, "l1") - 2) < 1e-12
    assert distance(Uniform((0.5, 1.5)), flat, "kl") == np.inf
    assert abs(distance(flat, Uniform((-0.5, 1.5)), "kl") - np.log(2)) < 1e-12


@pytest.mark.parametrize("d", [2, 3, 5, 6, 7])
def test_the_usual_directions_give_a_translation_its_length(d):
    """SW2 of a translate by b is |b| / sqrt(d) exactly when the directions have second moment I / d."""
    far = Gaussian(np.r_[3, 4, np.zeros(d - 2)], 1.0)
    found = distance(Gaussian(np.zeros(d), 1.0), far, "sliced_w2")
    assert abs(found * np.sqrt(d) / 5 - 1) < (5e-3 if d == 3 else 1e-12)
