r"""Selling's decomposition: a symmetric positive definite matrix as a sum of nonnegative weights times e e^T.

M = sum over k of a_k e_k e_k^T with a_k >= 0 and integer vectors e_k, 3 of them in the plane and 6 in space:
the stencil on which diffusion with a full tensor keeps its maximum principle. It is read off an obtuse
superbase e_0 + ... + e_d = 0 with e_i.M e_j <= 0, found by Selling's sign changes; e_k reaches as far as
the square root of the ratio of the eigenvalues. Turned down: nine-point cross derivatives, whose
off-diagonal entries change sign with M_12.

Selling, 1874; Conway & Sloane, 1992; on grids: Fehrenbach & Mirebeau, 2014.
"""

from __future__ import annotations

import itertools

import numpy as np

MOST_CHANGES = 1000  # sign changes; a ratio of eigenvalues of 1e6 needs some 30 in the plane
ROUNDING = 1e-14  # of |e_i|_M |e_j|_M: a product this small is as good as zero


def superbase(matrices: np.ndarray) -> np.ndarray:
    """Obtuse superbases (n, d + 1, d) of integers for matrices (n, d, d), d = 2 or 3."""
    n, d, _ = matrices.shape
    start = np.concatenate([np.eye(d, dtype=np.int64), -np.ones((1, d), dtype=np.int64)])
    base = np.broadcast_to(start, (n, d + 1, d)).copy()
    pairs = np.array(list(itertools.combinations(range(d + 1), 2)))
    active = np.arange(n)
    for _ in range(MOST_CHANGES):
        e = base[active].astype(np.float64)
        products = np.einsum("nik,nkl,njl->nij", e, matrices[active], e)
        lengths = np.sqrt(np.einsum("nii->ni", products))
        angles = products / (lengths[:, :, None] * lengths[:, None, :])
        angles = angles[:, pairs[:, 0], pairs[:, 1]]
        worst = angles.argmax(axis=1)
        acute = angles[np.arange(len(active)), worst] > ROUNDING
        active, worst = active[acute], worst[acute]
        if not len(active):
            return base
        i, j = pairs[worst].T
        turned = base[active, i]
        if d == 2:
            base[active, 3 - i - j] = turned - base[active, j]
        else:
            base[active] += turned[:, None, :]
            base[active, j] -= turned
        base[active, i] = -turned
    raise ArithmeticError(f"no obtuse superbase in {MOST_CHANGES} changes: a matrix is as good as singular.")


def selling(matrices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(weights (n, k), offsets (n, k, d)) with matrix = sum of weights e e^T; k = 1, 3, 6 for d = 1, 2, 3.

    matrices: (n, d, d), symmetric positive definite. The first entry of an offset that is not zero is > 0.

    >>> weights, offsets = selling(np.array([[[2.0, 1.0], [1.0, 3.0]]]))
    >>> np.einsum("nk,nki,nkj->nij", weights, offsets, offsets).tolist()
    [[[2.0, 1.0], [1.0, 3.0]]]
    """
    d = matrices.shape[-1]
    if d == 1:
        return matrices[:, :, 0], np.ones((len(matrices), 1, 1), dtype=np.int64)
    base = superbase(matrices)
    e = base.astype(np.float64)
    products = np.einsum("nik,nkl,njl->nij", e, matrices, e)
    weights, offsets = [], []
    for i, j in itertools.combinations(range(d + 1), 2):
        others = [k for k in range(d + 1) if k not in (i, j)]
        if d == 2:
            across = base[:, others[0]] @ np.array([[0, 1], [-1, 0]])
        else:
            across = np.cross(base[:, others[0]], base[:, others[1]])
        weights.append(np.maximum(-products[:, i, j], 0.0))
        offsets.append(across)
    found = np.stack(offsets, axis=1)
    leading = np.take_along_axis(found, (found != 0).argmax(axis=2)[..., None], axis=2)
    return np.stack(weights, axis=1), found * np.sign(leading)
