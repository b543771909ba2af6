"""Mobility: the matrix M(x) by which a flow's velocity answers its force, with the form of the equation.

A constant factor is a choice of clock; a variable one changes the metric, so it belongs to the problem
and not to the energy. Two equations share the letter D(x) in the literature, and they differ by a drift:
the class makes the user say which one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.measures.averages import evaluate

FORMS = ("fick", "ito")
SYMMETRIC = 1e-12  # relative: rounding of a product such as R.T @ S @ R


def _matrix(name: str, value: Any, sizes: checks.Sizes) -> Any:
    if callable(value):
        return value
    array = checks.as_float(name, value).astype(np.float64)
    if array.ndim > 2 or array.size == 0 or (array.ndim == 2 and array.shape[0] != array.shape[1]):
        raise checks.refuse(name, matrix_kind.words, value)
    if array.ndim == 2:
        _require_positive(name, array[None])
    elif not (array > 0).all():
        raise checks.refuse(name, "positive", value)
    return array


matrix_kind = checks.Kind(
    "a number > 0, a vector of them (d,), a symmetric positive definite matrix (d, d), or a function of x",
    _matrix,
    (0.0, -1.0, np.nan, "a", None, np.zeros((0,)), np.ones((2, 3)), [[1.0, 2.0], [2.0, 1.0]], 1j),
)
form_kind = checks.optional(checks.choice(*FORMS))


def _require_positive(name: str, matrices: np.ndarray) -> None:
    """Refuse matrices (n, d, d) that are not symmetric positive definite."""
    gap = np.abs(matrices - matrices.swapaxes(-1, -2)).max()
    if not gap <= SYMMETRIC * np.abs(matrices).max():
        raise ValueError(f"{name} must be symmetric, got matrices off their transposes by {gap:.2e}.")
    least = float(np.linalg.eigvalsh(matrices)[..., 0].min())
    if not least > 0:
        raise ValueError(f"{name} must be positive definite, got an eigenvalue {least:.3g}.")


@checks.checked(M=matrix_kind, form=form_kind)
@final
@dataclass(frozen=True, eq=False)
class Mobility:
    """M(x) in d_t rho = div(M (D grad rho + rho grad V)), or with M inside both derivatives.

    M: a number, a vector (d,) (the diagonal), a symmetric positive definite matrix (d, d), or a plain NumPy
    function of x (..., d) with values (...), (..., d) or (..., d, d).
    ValueError where it is not positive definite: constants at once, functions wherever they are looked at.
    form: "fick": d_t rho = div(M (D grad rho + rho grad V)), the gradient flow of the energy in the
    metric weighted with M; at rest on exp(-V/D) whatever M. "ito":
    d_t rho = sum_ij d_i d_j (M_ij D rho) + div(M rho grad V), the law of
    dX = -M grad V dt + sqrt(2 D M) dB; it has the further drift -D div M. The two agree for a constant M,
    and a function must say which is meant.

    >>> Mobility(2.0).at(np.zeros((3, 2))).tolist()
    [2.0, 2.0, 2.0]
    >>> Mobility(lambda x: 1 + x[..., 0] ** 2, form="ito").form
    'ito'

    Risken, The Fokker-Planck Equation, 1989, section 4 (both forms).
    """

    M: Any
    form: str | None = None

    def __post_init__(self) -> None:
        if self.form is None:
            if callable(self.M):
                raise ValueError(
                    "form must be 'fick' or 'ito' when M is a function, got None: div(M D grad rho) and "
                    "div grad (M D rho) are different equations."
                )
            object.__setattr__(self, "form", "fick")

    @property
    def constant(self) -> bool:
        """True when M does not depend on x: then both forms are one."""
        return not callable(self.M)

    def at(self, x: np.ndarray) -> np.ndarray:
        """M at points x (..., d): (...) for a scalar, (..., d) for a diagonal, (..., d, d) for a matrix."""
        if not callable(self.M):
            return np.broadcast_to(self.M, (*x.shape[:-1], *self.M.shape)).copy()
        return np.asarray(self.M(x), dtype=np.float64)

    def probe(self, x: np.ndarray) -> None:
        """Refuse an M whose values at points x (n, d) have a wrong shape or are not positive definite."""
        n, d = x.shape
        values = self.at(x)
        allowed = ((n,), (n, d), (n, d, d))
        if values.shape not in allowed:
            raise ValueError(
                f"M must return one of the shapes {', '.join(map(str, allowed))} for points of shape "
                f"{x.shape}, got {values.shape}."
            )
        if values.ndim == 3:
            evaluate("M", lambda _: values.sum((-1, -2)), x)
            _require_positive("M", values)
        elif not (np.isfinite(values) & (values > 0)).all():
            where = int(np.argmin(np.where(np.isfinite(values), values, -np.inf).reshape(n, -1).min(1)))
            raise ValueError(f"M must be finite and > 0, got {values[where]} at x = {x[where].tolist()}.")
