"""Particles: a weighted cloud of points, and its comma-separated file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np

from wgf import checks
from wgf.errors import CheckpointError


def _columns(name: str, value: Any, sizes: checks.Sizes) -> list[Any]:
    words = "a list of column names or positions >= 0"
    if isinstance(value, str) or not isinstance(value, Sequence | np.ndarray):
        raise checks.refuse(name, words, value, TypeError)
    if not len(value):
        raise checks.refuse(name, words + ", at least one", value)
    return [c if isinstance(c, str) else checks.integer(0)(f"{name}[{k}]", c) for k, c in enumerate(value)]


columns_kind = checks.Kind(
    "a list of column names or positions", _columns, (5, "x", checks.NAN, [], [1.5], [None], [-1], [True])
)


@final
class Particles:
    """The discrete measure sum_i w_i delta_{x_i}.

    x: (n, d) points ((n,) is n points on the line). w: (n,) weights summing to 1; default equal.
    Attributes: `x`, `w`, `mass`. Moments are population moments (1/n). float32 points stay float32.

    >>> Particles([[0.0], [2.0]]).cov().item()
    1.0
    """

    kind = "particles"

    @checks.checked(x=checks.cloud(), w=checks.optional(checks.weights()))
    def __init__(self, x: Any, w: Any = None) -> None:
        self.x = x.copy(order="K")  # a solver's coordinate-first array stays as it is in memory
        self.x.flags.writeable = False
        self.weighted = w is not None
        self.w = np.full(len(x), 1.0 / len(x)) if w is None else w.copy()
        self.w.flags.writeable = False

    def __repr__(self) -> str:
        return f"Particles({len(self.x)} points in dimension {self.dimension})"

    @property
    def dimension(self) -> int:
        """d."""
        return self.x.shape[1]

    @property
    def mass(self) -> float:
        """Sum of the weights: 1 up to rounding."""
        return float(self.w.sum())

    def mean(self) -> np.ndarray:
        """The weighted mean, (d,)."""
        return self.w @ self.x.astype(np.float64, copy=False)

    def cov(self) -> np.ndarray:
        """The population covariance, (d, d)."""
        spread = self.x - self.mean()
        return (spread.T * self.w) @ spread

    @checks.checked(n=checks.integer(1), rng=checks.rng)
    def sample(self, n: int, rng: Any) -> np.ndarray:
        """n points drawn with replacement, (n, d); rng is an int or a Generator."""
        return self.x[rng.choice(len(self.x), size=n, p=self.w if self.weighted else None)]

    @classmethod
    @checks.checked(path=checks.path, columns=checks.optional(columns_kind))
    def from_csv(cls, path: str, columns: Any = None) -> Particles:
        """Read a cloud from a comma-separated file with a header line.

        columns: names or positions (from 0) to read; default: all columns that hold numbers. A column
        named "weight" holds the weights.
        """
        try:
            table = np.genfromtxt(path, delimiter=",", names=True, dtype=None, encoding="utf8")
        except (OSError, ValueError) as error:
            raise CheckpointError(
                f"path {path!r} could not be read as comma-separated numbers: {error}"
            ) from None
        known = table.dtype.names or ()
        numeric = [name for name in known if table.dtype[name].kind in "iuf" and name != "weight"]
        chosen = numeric
        if columns is not None:
            for c in columns:
                if c not in known and not (isinstance(c, int) and c < len(known)):
                    raise ValueError(f"columns must be among {list(known)} or their positions, got {c!r}.")
            chosen = [known[c] if isinstance(c, int) else c for c in columns]
        for name in chosen:
            if table.dtype[name].kind not in "iuf":
                raise ValueError(f"columns must hold numbers, got {name!r} of {path!r}, which does not.")
        if not chosen:
            raise ValueError(
                f"columns must name at least one column of numbers of {path!r}, got {columns!r}."
            )
        x = np.stack([np.atleast_1d(table[name]).astype(float) for name in chosen], axis=1)
        return cls(x, np.atleast_1d(table["weight"]) if "weight" in known else None)

    @checks.checked(path=checks.path)
    def to_csv(self, path: str) -> None:
        """Write columns x0, x1, ... (and weight, when the cloud is weighted) with 17 digits."""
        columns = np.column_stack([self.x, self.w]) if self.weighted else self.x
        header = [f"x{k}" for k in range(self.dimension)] + (["weight"] if self.weighted else [])
        np.savetxt(path, columns, delimiter=",", header=",".join(header), comments="", fmt="%.17g")

    def arrays(self) -> dict[str, np.ndarray]:
        """What a file needs to hold."""
        return {"x": self.x, "w": self.w} if self.weighted else {"x": self.x}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Particles:
        """The inverse of `arrays`, without renormalising: bits are kept."""
        result = cls(arrays["x"], arrays.get("w"))
        if "w" in arrays:
            result.w = arrays["w"].copy()
            result.w.flags.writeable = False
        return result
