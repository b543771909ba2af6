"""How good a sample is: autocorrelation time, effective sample size, R-hat, of arrays of chains.

Plain functions of arrays, because that is what a sampler leaves behind: states of particles at successive
times are chains (particle = chain, saved time = draw), whatever scheme or package made them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri

from wgf import checks

FEWEST_DRAWS = 8  # two halves of four: fewer say nothing about correlation


def _chains(name: str, value: Any, sizes: checks.Sizes) -> np.ndarray:
    x = checks.as_float(name, value).astype(np.float64, copy=False)
    if x.ndim not in (2, 3) or x.size == 0 or x.shape[1] < FEWEST_DRAWS:
        raise ValueError(
            f"{name} must have shape (chains, draws) or (chains, draws, d) with at least {FEWEST_DRAWS} "
            f"draws, got {x.shape}. One chain is x[None]."
        )
    if (np.ptp(x, axis=(0, 1)) == 0).any():
        raise ValueError(f"{name} must vary, got a constant. Check that the chains have moved.")
    return x


chains_kind = checks.Kind(
    "an array (chains, draws) or (chains, draws, d)",
    _chains,
    (
        np.zeros((2, 20)),
        np.full((2, 20), np.nan),
        np.zeros((2, 3)),
        np.zeros(20),
        np.zeros((0, 9)),
        "a",
        None,
    ),
)


def _per_coordinate(function: Any, x: np.ndarray) -> Any:
    if x.ndim == 2:
        return float(function(x))
    return np.array([function(x[:, :, k]) for k in range(x.shape[2])])


def _halves(x: np.ndarray) -> np.ndarray:
    """Every chain cut into two, so that a drifting chain disagrees with itself."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _autocovariance(x: np.ndarray) -> np.ndarray:
    """Biased autocovariance (chains, draws) of every chain around its own mean, by FFT."""
    n = x.shape[1]
    centred = x - x.mean(1, keepdims=True)
    spectrum = np.fft.rfft(centred, 2 * n, axis=1)  # padded: no wrap-around
    return np.fft.irfft(np.abs(spectrum) ** 2, 2 * n, axis=1)[:, :n] / n


def _pooled_variance(x: np.ndarray) -> tuple[float, float]:
    """W, the mean variance within chains, and var+, which adds the variance between them."""
    n = x.shape[1]
    within = float(x.var(1, ddof=1).mean())
    between = float(x.mean(1).var(ddof=1)) if len(x) > 1 else 0.0
    return within, within * (n - 1) / n + between


def _time(x: np.ndarray) -> float:
    """tau = 1 + 2 sum rho_t, summed in pairs that are positive and made decreasing (Geyer)."""
    x = _halves(x)
    n = x.shape[1]
    within, total = _pooled_variance(x)
    correlation = 1 - (within - _autocovariance(x).mean(0) * n / (n - 1)) / total
    correlation[0] = 1.0
    pairs = correlation[: n - n % 2].reshape(-1, 2).sum(1)  # positive and decreasing for a reversible chain
    negative = np.nonzero(pairs <= 0)[0]
    pairs = np.minimum.accumulate(pairs[: negative[0]] if len(negative) else pairs)
    draws = x.size
    # anticorrelated draws are worth more than independent ones, but no more than this (Vehtari et al.)
    return max(2 * float(pairs.sum()) - 1, 1 / np.log10(draws))


@checks.checked(x=chains_kind)
def autocorrelation_time(x: Any) -> Any:
    r"""Draws per independent draw, tau = 1 + 2 sum_{t >= 1} rho_t.

    x: (chains, draws) -> a number, or (chains, draws, d) -> (d,), in the unit of draws. The variance of
    the mean over n draws is var(x) tau / n. The sum stops by Geyer's initial monotone sequence; chains
    that disagree with each other (or with their own other half) have a long tau. Trust it when it is
    below a twentieth of the draws.

    >>> rng = np.random.default_rng(0)
    >>> bool(0.9 < autocorrelation_time(rng.standard_normal((4, 5000))) < 1.1)
    True

    Geyer 1992, section 3.3; Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, eq. 10.
    """
    return _per_coordinate(_time, x)


@checks.checked(x=chains_kind)
def effective_sample_size(x: Any) -> Any:
    """Number of independent draws the mean is worth: chains * draws / tau; never above that * log10 of it.

    x: (chains, draws) -> a number, or (chains, draws, d) -> (d,). Ask for at least 100 per chain before
    quoting a mean.

    >>> rng = np.random.default_rng(0)
    >>> bool(18_000 < effective_sample_size(rng.standard_normal((4, 5000))) < 22_000)
    True

    Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, eq. 11.
    """
    return _per_coordinate(lambda y: _halves(y).size / _time(y), x)


def _plain_r_hat(x: np.ndarray) -> float:
    within, total = _pooled_variance(x)
    return float(np.sqrt(total / within)) if within > 0 else np.inf


def _normal_scores(x: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata  # half a second to import

    return ndtri((rankdata(x).reshape(x.shape) - 0.375) / (x.size + 0.25))


def _r_hat(x: np.ndarray) -> float:
    x = _halves(x)
    folded = np.abs(x - np.median(x))
    return max(_plain_r_hat(_normal_scores(x)), _plain_r_hat(_normal_scores(folded)))


@checks.checked(x=chains_kind)
def r_hat(x: Any) -> Any:
    """Do the chains agree? Rank-normalised split R-hat, the larger of location and scale.

    x: (chains, draws) -> a number, or (chains, draws, d) -> (d,). 1 in agreement; above 1.01 the chains
    have not mixed. It works for heavy tails too, because only ranks enter.

    >>> rng = np.random.default_rng(0)
    >>> bool(r_hat(rng.standard_normal((4, 1000))) < 1.01)
    True
    >>> bool(r_hat(rng.standard_normal((4, 1000)) + np.arange(4)[:, None]) > 1.5)
    True

    Vehtari, Gelman, Simpson, Carpenter & Buerkner 2021, eqs. 4 and 14 to 16.
    """
    return _per_coordinate(_r_hat, x)
