"""One measure in one picture: a curve or histogram on the line, an image or points in the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from wgf import checks
from wgf.measures.base import measure as measure_kind
from wgf.plot import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from wgf.measures.base import Measure

TAIL = 5e-4  # mass left out at either end of the default window
PADDING = 0.08  # of the window, on either side
SAMPLES = 20_000  # points drawn from a measure that has neither density nor points
DOTS = 4_000  # points of a cloud that are drawn; more only darken the picture
RESOLUTION = 401  # points of a curve, pixels of an image
GAMMA = 0.6  # colour = (density / maximum)^GAMMA, so that tails are seen beside peaks


@checks.checked(
    measure=measure_kind,
    bounds=checks.optional(checks.bounds),
    title=checks.text,
    path=checks.optional(checks.path),
)
def measure(measure: Measure, *, bounds: Any = None, title: str = "", path: str | None = None) -> Figure:
    """A picture of one measure; returns the matplotlib figure.

    On the line: the density as a curve, or a histogram of points. In the plane: the density as an image
    with contours, or the points (4000 of them at most), both axes to the same scale. Beyond the plane:
    the marginal of the first two coordinates.
    bounds: the window, (low, high) per axis; by default where the mass is. path: also write it there.

    >>> from wgf.measures.gaussian import Gaussian
    >>> measure(Gaussian(0.0, 1.0)).axes[0].get_ylabel()
    'density'
    """
    window = frame([measure], bounds)
    if measure.dimension == 1:
        figure, (axes,) = style.blank(size=(6.0, 3.6))
        draw_line(axes, measure, window[0], style.BLUE, fill=True)
        style.dress(axes, "x", "density", title)
        return style.finish(figure, path)
    figure, (axes,) = style.blank(size=plane_size(window))
    image = draw_plane(axes, measure, window)
    style.dress(axes, "$x_1$", "$x_2$", title, grid=False)
    if image is not None:
        figure.colorbar(image, ax=axes, label="density", shrink=0.9)
    return style.finish(figure, path)


def plane_size(window: list[tuple[float, float]]) -> tuple[float, float]:
    """Inches (width, height) of a figure for one picture of this window, drawn to scale."""
    (a, b), (c, d) = window
    return 5.4, float(np.clip(4.2 * (d - c) / (b - a), 1.8, 6.5)) + 0.6


# ------------------------------------------------------------------------------------- where to look


def frame(measures: list[Any], bounds: Any = None) -> list[tuple[float, float]]:
    """The window that shows all `measures`: (low, high) for each of the (at most two) axes drawn."""
    if bounds is not None:
        return list(bounds)[:2]
    ends = np.array([_extent(m) for m in measures])  # (measures, axes, 2)
    low, high = ends[..., 0].min(0), ends[..., 1].max(0)
    pad = PADDING * np.maximum(high - low, 1e-12 + 1e-9 * np.abs(high))
    low, high = low - pad, high + pad
    box = getattr(getattr(measures[0], "grid", None), "bounds", None)
    if box is not None:  # beyond a grid there is nothing to see
        low = np.maximum(low, [a for a, _ in box][:2])
        high = np.minimum(high, [b for _, b in box][:2])
    return list(zip(low.tolist(), high.tolist(), strict=True))


def _extent(measure: Any) -> np.ndarray:
    """Where all but 2 TAIL of the mass of each marginal lies, (axes, 2)."""
    if hasattr(measure, "grid"):
        found = []
        for axis in range(min(measure.dimension, 2)):
            others = tuple(k for k in range(measure.dimension) if k != axis)
            share = np.cumsum(np.abs(measure.values).sum(axis=others))
            inside = np.searchsorted(share / share[-1], [TAIL, 1 - TAIL])
            edges = measure.grid.edges(axis)
            found.append([edges[inside[0]], edges[min(inside[1] + 1, len(edges) - 1)]])
        return np.array(found)
    if hasattr(measure, "edges"):
        inside = np.interp([TAIL, 1 - TAIL], np.append(0.0, np.cumsum(measure.masses)), measure.edges)
        return inside[None]
    if hasattr(measure, "x"):
        return np.quantile(measure.x[:, :2], [TAIL, 1 - TAIL], axis=0).T
    width = 3.5 * np.sqrt(np.diag(measure.cov())[:2])
    center = measure.mean()[:2]
    return np.stack([center - width, center + width], axis=-1)


# ----------------------------------------------------------------------------------------- the line


def draw_line(
    axes: Axes, measure: Any, window: tuple[float, float], color: Any, label: str = "", fill: bool = False
) -> float:
    """Draw a measure on the line into `axes`; returns the highest density drawn."""
    kind = {"color": color, "linewidth": 1.8, "label": label or None}
    if hasattr(measure, "x") and fill:
        heights, edges = _histogram(measure, window)
        axes.stairs(heights, edges, fill=True, color=color, alpha=0.30)
        axes.stairs(heights, edges, **kind)
    else:
        x, heights = curve(measure, window)
        axes.plot(x, heights, **kind)
        if fill:
            axes.fill_between(x, heights, color=color, alpha=0.15, linewidth=0)
    axes.set_xlim(*window)
    top = float(np.max(heights))
    axes.set_ylim(0, max(axes.get_ylim()[1], 1.06 * top))
    return top


def curve(measure: Any, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Points (n,) and density (n,) of a measure on the line, as it is best drawn."""
    if hasattr(measure, "grid"):
        return measure.grid.axes[0], measure.values
    if hasattr(measure, "edges"):
        heights = measure.masses / np.diff(measure.edges)
        return np.repeat(measure.edges, 2)[1:-1], np.repeat(heights, 2)
    if hasattr(measure, "pdf"):
        x = np.linspace(*window, RESOLUTION)
        return x, measure.pdf(x[:, None])
    points, weights = _points(measure)
    return _kernel_curve(points[:, 0], weights, window)


def _points(measure: Any) -> tuple[np.ndarray, np.ndarray]:
    if hasattr(measure, "x"):
        return measure.x, measure.w
    x = measure.sample(SAMPLES, 0)
    return x, np.full(len(x), 1 / len(x))


def _histogram(measure: Any, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Weighted histogram (heights, edges) with Freedman and Diaconis' bin width."""
    points, weights = _points(measure)
    middle = np.subtract(*np.quantile(points[:, 0], [0.75, 0.25]))
    width = 2 * middle * len(points) ** (-1 / 3)
    count = int(np.clip((window[1] - window[0]) / width if width > 0 else 1, 12, 160))
    edges = np.linspace(*window, count + 1)
    return np.histogram(points[:, 0], edges, weights=weights)[0] / np.diff(edges), edges


def _kernel_curve(x: np.ndarray, w: np.ndarray, window: tuple[float, float]) -> tuple[np.ndarray, np.ndarray]:
    """Kernel density estimate on a lattice, by binning and one convolution (any number of points)."""
    low, high = window
    cells = 2 * RESOLUTION
    width = (high - low) / cells
    mass = np.histogram(x, cells, range=window, weights=w)[0]
    deviation = np.sqrt(max(np.sum(w * x**2) - np.sum(w * x) ** 2, width**2))
    quartiles = np.subtract(*np.quantile(x, [0.75, 0.25])) / 1.349
    scale = min(deviation, quartiles) if quartiles > 0 else deviation
    bandwidth = max(0.9 * scale * (1 / np.sum(w**2)) ** -0.2, width)  # Silverman 1986, (3.31)
    reach = int(np.ceil(4 * bandwidth / width))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * width / bandwidth) ** 2)
    heights = np.convolve(mass, kernel / kernel.sum())[reach : reach + cells] / width
    return low + width * (np.arange(cells) + 0.5), heights


# ---------------------------------------------------------------------------------------- the plane


def image_of(
    measure: Any, window: list[tuple[float, float]]
) -> tuple[np.ndarray, tuple[float, float, float, float]] | None:
    """Density values (n1, n2) and their extent, or None for a measure that is drawn as points."""
    if hasattr(measure, "grid"):
        values = measure.values
        if measure.dimension > 2:
            others = tuple(range(2, measure.dimension))
            values = values.sum(axis=others) * float(np.prod(measure.grid.spacing[2:]))
        (a, b), (c, d) = measure.grid.bounds[:2]
        return values, (a, b, c, d)
    if hasattr(measure, "pdf") and measure.dimension == 2:
        lattice = [np.linspace(*ends, RESOLUTION) for ends in window]
        points = np.stack(np.meshgrid(*lattice, indexing="ij"), axis=-1)
        return measure.pdf(points), (*window[0], *window[1])
    return None


def draw_plane(axes: Axes, measure: Any, window: list[tuple[float, float]], top: float | None = None) -> Any:
    """Draw a measure in the plane; returns the image (for a colour bar), None when drawn as points."""
    from matplotlib.colors import PowerNorm

    axes.set_xlim(*window[0])
    axes.set_ylim(*window[1])
    axes.set_aspect("equal")
    picture = image_of(measure, window)
    if picture is None:
        points, weights = _points(measure)
        chosen = slice(None, None, max(1, -(-len(points) // DOTS)))
        sizes = 5.0 * np.clip(weights[chosen] / weights[chosen].mean(), 0, 20)
        axes.scatter(*points[chosen, :2].T, s=sizes, color=style.BLUE, alpha=0.35, linewidths=0)
        return None
    values, extent = picture
    peak = float(values.max())
    norm = PowerNorm(GAMMA, vmin=0.0, vmax=top if top is not None else peak)
    shown = axes.imshow(values.T, extent=extent, origin="lower", norm=norm, cmap=style.SEQUENTIAL,
                        interpolation="nearest")  # fmt: skip
    (a, b, c, d), (n, m) = extent, values.shape
    x, y = a + (b - a) * (np.arange(n) + 0.5) / n, c + (d - c) * (np.arange(m) + 0.5) / m
    if peak > 0:
        axes.contour(x, y, values.T, levels=peak * np.array([0.1, 0.3, 0.5, 0.7, 0.9]), colors="white",
                     linewidths=0.5, alpha=0.55)  # fmt: skip
    axes.set_xlim(*window[0])
    axes.set_ylim(*window[1])
    return shown
