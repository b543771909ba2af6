"""Pictures: labelled axes, fixed scales, the right data in the right place."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import wgf
from wgf import plot
from wgf.plot import shapes, style

TIMES = np.linspace(0, 1, 7)
LINE = wgf.Grid((-6, 6), 200)
PLANE = wgf.Grid([(-4, 4), (-3, 3)], (40, 30))


def flow(kind, dimension):
    """A trajectory-like object of Gaussians moving to the right."""
    measures = []
    for t in TIMES:
        g = wgf.Gaussian(np.full(dimension, t), 0.3 + 0.3 * t)
        if kind == "density":
            g = wgf.Density.from_measure(g, LINE if dimension == 1 else PLANE)
        elif kind == "quantiles":
            g = wgf.Density.from_measure(g, LINE).to_quantiles()
        elif kind == "particles":
            g = wgf.Particles(g.sample(300, 0))
        measures.append(g)
    return SimpleNamespace(times=TIMES, measures=measures, record={})


def axes_of(figure):
    """The axes that hold data; a colour bar has only its own label."""
    return [a for a in figure.axes if a.get_label() != "<colorbar>"]


KINDS = [(k, 1) for k in ("density", "quantiles", "particles", "gaussian")]
KINDS += [("density", 2), ("particles", 2), ("gaussian", 2), ("particles", 3)]


@pytest.mark.parametrize(("kind", "dimension"), KINDS)
def test_every_axis_is_labelled_and_the_file_is_written(kind, dimension, tmp_path):
    run = flow(kind, dimension)
    path = tmp_path / "flow.png"
    figures = [plot.trajectory(run, str(path)), plot.measure(run.measures[0])]
    with Image.open(path) as picture:
        assert picture.size[0] > 400
    for figure in figures:
        shown = axes_of(figure)
        assert shown
        assert all(a.get_xlabel() for a in shown)
        assert shown[0].get_ylabel()
        for bar in set(figure.axes) - set(shown):
            assert bar.get_ylabel() == "density"


def test_a_trajectory_on_the_line_has_a_legend_with_times():
    figure = plot.trajectory(flow("density", 1))
    texts = [t.get_text() for t in figure.axes[0].get_legend().get_texts()]
    assert texts[0] == "t = 0"
    assert texts[-1] == "t = 1"
    assert len(texts) == 6
    lines = figure.axes[0].get_lines()
    x, y = lines[-1].get_data()
    np.testing.assert_allclose(
        np.average(x, weights=y), 1.0, rtol=0, atol=1e-3
    )  # the last time is the last curve


def test_the_times_shown_are_spread_over_the_way_and_not_over_the_clock():
    centers = 1 - np.exp(-np.linspace(0, 20, 41))
    measures = [wgf.Gaussian(c, 0.1) for c in centers]
    run = SimpleNamespace(times=np.linspace(0, 20, 41), measures=measures, record={})
    texts = [t.get_text() for t in plot.trajectory(run).axes[0].get_legend().get_texts()]
    times = [float(t.removeprefix("t = ")) for t in texts]
    assert times[0] == 0
    assert times[-1] == 20
    assert len(set(times)) == 6
    assert sum(t <= 3 for t in times) >= 4  # by the clock it would be one
    still = SimpleNamespace(times=np.arange(9.0), measures=[measures[0]] * 9, record={})
    assert len(plot.trajectory(still).axes[0].get_lines()) == 6


def test_recorded_energy_is_drawn_beside_the_densities():
    run = flow("density", 1)
    run.record = {"energy": np.exp(-TIMES)}
    figure = plot.trajectory(run)
    assert [a.get_ylabel() for a in figure.axes] == ["density", "energy E"]
    np.testing.assert_array_equal(figure.axes[1].get_lines()[0].get_ydata(), run.record["energy"])


def test_the_plane_is_drawn_to_scale_with_the_first_coordinate_to_the_right():
    run = flow("density", 2)
    figure = plot.trajectory(run)
    shown = axes_of(figure)
    assert len(shown) == 4
    assert all(a.get_aspect() == 1 for a in shown)
    image = shown[-1].get_images()[0]
    np.testing.assert_array_equal(image.get_array(), run.measures[-1].values.T)
    assert list(image.get_extent()) == [-4, 4, -3, 3]
    tops = {a.get_images()[0].get_clim()[1] for a in shown}
    assert tops == {float(run.measures[0].values.max())}  # one colour scale for all times


@pytest.mark.parametrize("kind", ["density", "quantiles", "gaussian", "particles"])
def test_drawn_densities_have_mass_one(kind):
    measure = flow(kind, 1).measures[4]
    x, y = shapes.curve(measure, (-6.0, 6.0))
    np.testing.assert_allclose(np.trapezoid(y, x), 1.0, rtol=0, atol=5e-4)
    if kind == "particles":
        heights, edges = shapes._histogram(measure, (-6.0, 6.0))
        np.testing.assert_allclose(np.sum(heights * np.diff(edges)), 1.0, rtol=0, atol=1e-9)


def test_weights_of_particles_are_respected():
    cloud = wgf.Particles([[0.0], [1.0]], [0.25, 0.75])
    x, y = shapes.curve(cloud, (-3.0, 4.0))
    np.testing.assert_allclose(np.average(x, weights=y), 0.75, rtol=0, atol=1e-2)


def test_the_window_holds_the_mass_of_every_time():
    run = flow("particles", 1)
    ((low, high),) = shapes.frame(run.measures)
    points = np.concatenate([m.x for m in run.measures])
    assert np.mean((points > low) & (points < high)) > 0.998
    assert shapes.frame(run.measures, ((-1.0, 2.0),)) == [(-1.0, 2.0)]


def test_an_animation_has_a_frame_per_saved_time(tmp_path):
    for kind, dimension in (("density", 1), ("particles", 2)):
        path = str(tmp_path / f"{kind}.gif")
        assert plot.animation(flow(kind, dimension), path) == path
        with Image.open(path) as picture:
            assert picture.n_frames == len(TIMES)


def test_the_order_plot_draws_points_slope_theory_and_dropped_levels(tmp_path):
    h = 0.1 / 2.0 ** np.arange(4)
    figure = plot.order(
        h, h**2, dropped=[3], value=2.0, expected=2.0, x_label="1/cells", y_label="L1 error",
        ticks=["1/10", "1/20", "1/40", "1/80"], path=str(tmp_path / "order.pdf"),
    )  # fmt: skip
    (axes,) = figure.axes
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    labels = {line.get_label(): line for line in axes.get_lines()}
    np.testing.assert_allclose(labels["measured"].get_xdata(), h[:3], rtol=1e-14)
    np.testing.assert_allclose(labels["dropped by rule"].get_xdata(), h[3:], rtol=1e-14)
    x, y = labels["observed order 2.00"].get_data()
    np.testing.assert_allclose(np.diff(np.log(y)) / np.diff(np.log(x)), 2.0, rtol=1e-12)
    assert "theory 2" in [t.get_text() for t in axes.texts]
    corners = axes.patches[0].get_xy()
    rise = np.log(corners[:, 1].max() / corners[:, 1].min())
    run = np.log(corners[:, 0].max() / corners[:, 0].min())
    np.testing.assert_allclose(rise / run, 2.0, rtol=1e-12)
    assert [t.get_text() for t in axes.get_xticklabels()] == ["1/10", "1/20", "1/40", "1/80"]


def test_a_picture_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(wgf.CheckpointError, match="no-such-folder"):
        plot.measure(wgf.Gaussian(0, 1), path=str(tmp_path / "no-such-folder" / "a.png"))
    with pytest.raises(wgf.CheckpointError, match="xyz"):
        plot.measure(wgf.Gaussian(0, 1), path=str(tmp_path / "a.xyz"))


def test_bad_arguments_are_refused_by_name():
    with pytest.raises(TypeError, match="trajectory must be"):
        plot.trajectory(3.0)
    with pytest.raises(TypeError, match="measure must be"):
        plot.measure(3.0)
    with pytest.raises(ValueError, match="bounds must be"):
        plot.measure(wgf.Gaussian(0, 1), bounds=(1, 0))


def test_colours_in_order_are_told_apart_by_their_lightness():
    weights = np.array([0.2126, 0.7152, 0.0722])
    lightness = [float(np.dot(weights, c[:3])) for c in style.shades(6)]
    assert np.all(np.diff(lightness) > 0.03)


def test_spread_keeps_both_ends():
    assert list(style.spread(5, 6)) == [0, 1, 2, 3, 4]
    assert list(style.spread(101, 5)) == [0, 25, 50, 75, 100]


def test_importing_wgf_leaves_matplotlib_alone():
    code = "import sys, wgf, wgf.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
