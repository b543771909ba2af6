"""Gaussian smoothing along lines, of logarithms: the one operation entropic transport is made of.

Logarithms because the scalings of entropic transport range over thousands of powers of ten while what is
made of them does not. Smoothing in several dimensions is smoothing along one axis after another.
"""

from __future__ import annotations

import numpy as np

from wgf.kernels.registry import Kernel

NEGLIGIBLE = -42.0  # exponents below the largest by this much add nothing: e^-42 is 6e-19


def _log_blur(values: np.ndarray, target: np.ndarray, sharpness: float) -> None:
    """target_i = log of the sum over j of exp(values_j - sharpness (i - j)^2) along every line.

    values, target: (lines, n), not the same array; -inf is the logarithm of an empty cell, and an empty
    line stays empty. sharpness: h^2 / (2 epsilon).
    """
    index = np.arange(values.shape[1], dtype=np.float64)
    cost = sharpness * (index[:, None] - index) ** 2
    for line, result in zip(values, target, strict=True):
        exponents = line - cost
        top = exponents.max(1)
        filled = top > -np.inf
        result[~filled] = -np.inf
        shifted = np.exp(exponents[filled] - top[filled, None])
        result[filled] = top[filled] + np.log(shifted.sum(1))


log_blur = Kernel(_log_blur, cpu="wgf.kernels.cpu.entropic:log_blur")
