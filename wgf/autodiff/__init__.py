"""Derivatives of plain NumPy functions: the user's potential is written once, its gradient comes free.

What lives here: `Tensor`, which NumPy's two dispatch protocols bring every call to; one table of
derivative rules (`rules` for elementwise functions, `shapes` for sums, shapes and indexing, `linear` for
products and linear algebra); `composites` for calls that are other calls in disguise; `reverse`, which
records and walks back.

Choices: rules are written with NumPy functions on whatever they are given, so that one definition serves
the device (CuPy speaks the same protocols) and any order of differentiation; the backward walk is a loop
over numbered nodes, never a recursion; a call without a rule raises a TypeError naming it and is never
treated as constant. Turned down: wrapping the NumPy module (users would have to import ours), a
deep-learning framework (large, and a second language for the user's function), and finite differences
(two step sizes to choose and half the digits lost).
"""

from __future__ import annotations

from wgf.autodiff import linear, shapes  # noqa: F401  (their rules enter the table on import)
from wgf.autodiff.reverse import grad, value_and_grad
from wgf.autodiff.tensor import Tensor

__all__ = ["Tensor", "grad", "value_and_grad"]
