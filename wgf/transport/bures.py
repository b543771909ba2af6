"""Bures: the 2-Wasserstein distance of Gaussians, and of any two laws of one location-scatter family."""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.measures.gaussian import Gaussian

gaussian_kind = checks.instance("a Gaussian", Gaussian)


@checks.checked(g=gaussian_kind, h=gaussian_kind)
def bures(g: Any, h: Any) -> float:
    r"""Squared 2-Wasserstein distance between two Gaussians, N(m, A) and N(n, B).

    W2^2 = |m - n|^2 + tr(A + B - 2 (A^1/2 B A^1/2)^1/2) = |m - n|^2 + min_U |A^1/2 - B^1/2 U|_F^2

    over orthogonal U. The second form is computed (U is the polar factor of B^1/2 A^1/2): it has no
    cancellation, so nearly equal Gaussians keep their digits. Singular covariances are welcome.
    Returns a length squared.

    >>> bures(Gaussian([0, 0], [1, 4]), Gaussian([3, 4], [1, 1]))
    26.0

    Bhatia, Jain and Lim, On the Bures-Wasserstein distance, 2019, theorem 1.
    """
    if g.dimension != h.dimension:
        raise ValueError(f"h must have dimension {g.dimension} like g, got {h.dimension}.")
    return from_moments(g.center, g.covariance, h.center, h.covariance)


def from_moments(m: np.ndarray, a: np.ndarray, n: np.ndarray, b: np.ndarray) -> float:
    """The formula above from means (d,) and covariances (d, d)."""
    root_a, root_b = root(a), root(b)
    left, _, right = np.linalg.svd(root_b @ root_a)
    return float(((m - n) ** 2).sum() + ((root_a - root_b @ (left @ right)) ** 2).sum())


def root(a: np.ndarray) -> np.ndarray:
    """The symmetric square root of a positive semidefinite matrix, by eigh with clipped eigenvalues.

    The eigenvalues of a full matrix carry rounding of size eps |a|; what lies below is 0, because its
    root (1e-8 |a|^1/2) would be noise seen in the distance. Diagonal matrices are exact and kept.
    """
    values, vectors = np.linalg.eigh(a)
    diagonal = not (a - np.diag(np.diag(a))).any()
    floor = 0.0 if diagonal else a.shape[0] * np.finfo(np.float64).eps * abs(values[-1])
    return (vectors * np.sqrt(np.where(values > floor, values, 0.0))) @ vectors.T
