"""check_measure: do pdf, score, samples and moments belong to one and the same measure?"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import MeasureError
from wgf.measures.base import measure as measure_kind
from wgf.testing.report import NotApplicable, Report, require, run_check, within
from wgf.testing.statistics import FALSE_ALARM, SEEDS, mean_bound

DRAWS = 1500  # per batch; SEEDS batches measure their own noise
CELLS = {1: 4000, 2: 300}
INTEGRAL_ERROR = {1: 1e-5, 2: 1e-3}
REACH = 400.0  # standard deviations: what a heavy tail still holds beyond is below the tolerance
SCORE_ERROR = 1e-5
LEFT, RIGHT = 0.5 - 0.5 / 3**0.5, 0.5 + 0.5 / 3**0.5  # two Gauss points of a unit cell


def moments_have_their_shapes(measure: Any, seed: int) -> str:
    """mean() is (d,), cov() (d, d), symmetric and positive semidefinite."""
    d = measure.dimension
    mean, cov = np.asarray(measure.mean()), np.asarray(measure.cov())
    require(mean.shape == (d,), f"mean() has shape {mean.shape}, not ({d},)")
    require(cov.shape == (d, d), f"cov() has shape {cov.shape}, not ({d}, {d})")
    size = float(np.abs(cov).max())
    within(np.abs(cov - cov.T).max(), 1e-12 * size, "asymmetry of cov()")
    require(np.linalg.eigvalsh(cov)[0] >= -1e-10 * size, "cov() has a negative eigenvalue")
    return f"dimension {d}"


def _axis_nodes(measure: Any, axis: int, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights along one axis: the measure's own cells or box, else the whole line."""
    if hasattr(measure, "grid"):
        edges = measure.grid.edges(axis)
    elif hasattr(measure, "edges"):
        edges = measure.edges
    elif hasattr(measure, "bounds"):
        low, high = measure.bounds[axis]
        edges = np.linspace(low, high, cells + 1)
    else:
        center, std = measure.mean()[axis], float(np.sqrt(measure.cov()[axis, axis]))
        radius = float(getattr(measure, "radius", np.inf))
        reach = np.arcsinh(min(REACH, radius / std))
        edges = center + std * np.sinh(np.linspace(-reach, reach, cells + 1))
    width = np.diff(edges)
    nodes = np.concatenate([edges[:-1] + LEFT * width, edges[:-1] + RIGHT * width])
    return nodes, np.concatenate([width, width]) / 2


def pdf_integrates_to_one(measure: Any, seed: int) -> str:
    """The integral of pdf is the mass, by quadrature in one and two dimensions; pdf is >= 0."""
    _need(measure, "pdf")
    d = measure.dimension
    if d not in CELLS:
        raise NotApplicable(f"quadrature in dimension {d} is left out")
    measure.pdf(measure.sample(1, seed))  # a degenerate measure says here that it has no density
    axes = [_axis_nodes(measure, k, CELLS[d]) for k in range(d)]
    x = np.stack(np.meshgrid(*(nodes for nodes, _ in axes), indexing="ij"), axis=-1)
    pdf = np.asarray(measure.pdf(x))
    require(pdf.shape == x.shape[:-1], f"pdf of points {x.shape} has shape {pdf.shape}")
    require(pdf.min() >= 0, f"pdf reaches {pdf.min():.2g}")
    for _, weight in reversed(axes):
        pdf = pdf @ weight
    return within(abs(float(pdf) - getattr(measure, "mass", 1.0)), INTEGRAL_ERROR[d], "integral is off by")


def _need(measure: Any, name: str) -> None:
    if not hasattr(measure, name):
        raise NotApplicable(f"a {type(measure).__name__} has no {name}")


def log_density_is_the_log_of_pdf(measure: Any, seed: int) -> str:
    """log_density = log pdf at drawn points."""
    _need(measure, "pdf")
    _need(measure, "log_density")
    x = measure.sample(50, np.random.default_rng(seed))
    gap = np.abs(np.exp(measure.log_density(x)) / measure.pdf(x) - 1).max()
    return within(gap, 1e-10, "largest relative difference")


def score_is_the_gradient_of_log_density(measure: Any, seed: int) -> str:
    """score against differences of log_density at drawn points."""
    _need(measure, "score")
    x = measure.sample(50, np.random.default_rng(seed))
    score = np.asarray(measure.score(x))
    require(score.shape == x.shape, f"score of points {x.shape} has shape {score.shape}")
    log_density = getattr(measure, "log_density", lambda z: np.log(measure.pdf(z)))
    step = 1e-4 / (1 / np.sqrt(np.diag(measure.cov())) + np.abs(score).max())
    worst = 0.0
    for axis, h in enumerate(step):
        wide, narrow = (
            (log_density(x + s * np.eye(len(step))[axis]) - log_density(x - s * np.eye(len(step))[axis]))
            / (2 * s)
            for s in (h, h / 2)
        )
        gap = np.abs((4 * narrow - wide) / 3 - score[:, axis]).max()
        worst = max(worst, float(gap)) if np.isfinite(gap) else np.inf
    return within(worst / (1 + float(np.abs(score).max())), SCORE_ERROR, "largest relative difference")


def samples_have_the_moments(measure: Any, seed: int) -> str:
    """Mean and covariance of 24000 points are mean() and cov(), within the noise measured over batches."""
    d, rng = measure.dimension, np.random.default_rng(seed)
    batches = [measure.sample(DRAWS, rng) for _ in range(SEEDS)]
    require(batches[0].shape == (DRAWS, d), f"sample({DRAWS}, rng) has shape {batches[0].shape}")
    mean, cov = np.asarray(measure.mean()), np.asarray(measure.cov())
    scale = np.sqrt(np.linalg.eigvalsh(cov)[-1]) or 1.0
    upper = np.triu_indices(d)
    deviations = []
    for x in batches:
        z = (x - mean) / scale
        deviations.append(np.concatenate([z.mean(axis=0), (z.T @ z / len(z) - cov / scale**2)[upper]]))
    error, noise = mean_bound(np.array(deviations))
    excess = np.abs(error) - noise
    require(np.isfinite(error).all(), "samples are not finite")
    worst = int(np.argmax(excess))
    quantity = "mean" if worst < d else "covariance"
    found = within(abs(error[worst]), noise[worst] + 1e-12, f"sample {quantity} is off by")
    return f"{found} (false alarm {FALSE_ALARM:g})"


def samples_have_the_law(measure: Any, seed: int) -> str:
    """On the line: the empirical distribution function is near cdf (Dvoretzky-Kiefer-Wolfowitz)."""
    _need(measure, "cdf")
    if measure.dimension != 1:
        raise NotApplicable("cdf is for the line")
    x = np.sort(measure.sample(20_000, np.random.default_rng(seed + 1))[:, 0])
    n = len(x)
    cdf = np.asarray(measure.cdf(x))
    gap = max(np.abs(cdf - np.arange(n) / n).max(), np.abs(cdf - np.arange(1, n + 1) / n).max())
    bound = float(np.sqrt(np.log(2 / FALSE_ALARM) / (2 * n)))
    return within(gap, bound, "largest gap to cdf") + f" (false alarm {FALSE_ALARM:g})"


def quantile_inverts_cdf(measure: Any, seed: int) -> str:
    """cdf(quantile(u)) = u on the line."""
    _need(measure, "quantile")
    if measure.dimension != 1:
        raise NotApplicable("quantile is for the line")
    u = np.linspace(0.001, 0.999, 201)
    return within(np.abs(measure.cdf(measure.quantile(u)) - u).max(), 1e-9, "largest gap")


def sampling_is_reproducible(measure: Any, seed: int) -> str:
    """An integer seed and a generator of that seed give the same points."""
    first, second = measure.sample(40, seed), measure.sample(40, np.random.default_rng(seed))
    require((first == second).all(), "sample(n, seed) differs from sample(n, default_rng(seed))")
    return "same points from a seed and from its generator"


CHECKS = (
    moments_have_their_shapes,
    pdf_integrates_to_one,
    log_density_is_the_log_of_pdf,
    score_is_the_gradient_of_log_density,
    samples_have_the_moments,
    samples_have_the_law,
    quantile_inverts_cdf,
    sampling_is_reproducible,
)


@checks.checked(measure=measure_kind, seed=checks.integer(0))
def check_measure(measure: Any, seed: int = 0) -> Report:
    """Hold a measure's pdf, score, distribution function, samples and moments against each other.

    measure: anything with dimension, mean, cov and sample; pdf, log_density, score, cdf, quantile are
    checked where present. seed: of the draws; each statistical check has a false-alarm probability of 1e-6.

    >>> import wgf
    >>> check_measure(wgf.Gaussian([0.0, 1.0], [1.0, 2.0])).passed
    True
    """
    lines = tuple(run_check("", check, measure, seed, excused=(MeasureError,)) for check in CHECKS)
    return Report(f"check_measure({measure!r})", lines)
