r"""Log density and score of a Gaussian mixture at many points: the inner sums of `wgf.Mixture`.

    log p(x) = log sum_j exp(log_weights[j] - (x - means[j]) . P_j (x - means[j]) / 2)
    score(x) = sum_j r_j(x) P_j (means[j] - x),     r_j the share of component j in the sum

`log_weights[j]` holds the weight AND the normalisation log sqrt(det P_j / (2 pi)^d), so that the kernel
is one sum. A kernel density estimate has one scalar precision for all components, which has its own,
somewhat faster, form. Far from every component the largest exponent is subtracted first, so the
score stays the finite pull of the nearest component where the density itself underflows to 0: up to
1e150 standard deviations away (1e18 in float32). NaN in a point gives NaN for that point only.

Cost n K (d + 20) operations, memory n d. float32 in, float32 out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf.kernels.registry import Kernel

CHUNK = 2**22  # points x components of one reference sweep: bounds its memory to some 100 MB


def _shares(x: Any, log_weights: Any, means: Any, precisions: Any) -> tuple[Any, Any, Any, Any]:
    """Differences (n, K, d), forces P_j (m_j - x), largest exponents (n,) and shares relative to it."""
    away = means - x[:, None, :]
    pull = precisions * away if np.ndim(precisions) == 0 else np.einsum("jkl,njl->njk", precisions, away)
    exponents = log_weights - 0.5 * (pull * away).sum(-1)
    top = np.maximum(exponents.max(axis=1), np.finfo(x.dtype).min)
    return away, pull, top, np.exp(exponents - top[:, None])


def _by_chunks(function: Any, x: Any, components: int) -> Any:
    rows = max(1, CHUNK // components)
    return np.concatenate([function(x[lo : lo + rows]) for lo in range(0, len(x), rows)])


def _mixture_log_density(x: Any, log_weights: Any, means: Any, precisions: Any) -> Any:
    """Log density (n,) of the mixture at x (n, d).

    log_weights (K,), means (K, d), precisions (K, d, d).
    """

    def rows(part: Any) -> Any:
        _, _, top, shares = _shares(part, log_weights, means, precisions)
        return top + np.log(shares.sum(1))

    return _by_chunks(rows, x, len(log_weights)).astype(x.dtype, copy=False)


def _mixture_score(x: Any, log_weights: Any, means: Any, precisions: Any) -> Any:
    """Gradient (n, d) of the log density of the mixture at x (n, d).

    log_weights (K,), means (K, d), precisions (K, d, d).
    """

    def rows(part: Any) -> Any:
        _, pull, _, shares = _shares(part, log_weights, means, precisions)
        return (shares[:, :, None] * pull).sum(1) / shares.sum(1)[:, None]

    return _by_chunks(rows, x, len(log_weights)).astype(x.dtype, copy=False)


def _mixture_log_density_isotropic(x: Any, log_weights: Any, means: Any, precision: float) -> Any:
    """Log density (n,) at x (n, d); every component has the covariance identity / precision."""
    return _mixture_log_density(x, log_weights, means, float(precision))


def _mixture_score_isotropic(x: Any, log_weights: Any, means: Any, precision: float) -> Any:
    """Gradient (n, d) of the log density; every component has the covariance identity / precision."""
    return _mixture_score(x, log_weights, means, float(precision))


mixture_log_density = Kernel(
    reference=_mixture_log_density, cpu="wgf.kernels.cpu.mixture:mixture_log_density"
)
mixture_score = Kernel(reference=_mixture_score, cpu="wgf.kernels.cpu.mixture:mixture_score")
mixture_log_density_isotropic = Kernel(
    reference=_mixture_log_density_isotropic, cpu="wgf.kernels.cpu.mixture:mixture_log_density"
)
mixture_score_isotropic = Kernel(
    reference=_mixture_score_isotropic, cpu="wgf.kernels.cpu.mixture:mixture_score"
)
