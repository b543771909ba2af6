"""The exceptions of wgf. Each says in its text what was wrong, with which value, and the way out.

All derive from `WgfError`, so `except wgf.WgfError` catches whatever this package raises on purpose
beyond `ValueError` and `TypeError`, which are raised for arguments refused at the door (`checks.py`).
"""

from __future__ import annotations

from typing import Any


class WgfError(Exception):
    """Anything wgf raises on purpose that is not a plain ValueError or TypeError."""


class SchemeError(WgfError, ValueError):
    """A scheme was given a problem it cannot solve; the sentence is the scheme's own `supports`."""


class MeasureError(WgfError, TypeError):
    """A measure was asked for something its kind does not have (the density of a particle cloud, say)."""


class DivergedError(WgfError, ArithmeticError):
    """A run left the finite numbers, or a density became negative.

    `trajectory` is the partial trajectory up to the last good saved time.
    """

    trajectory: Any = None


class NotFiniteError(WgfError, ValueError):
    """A user's function returned NaN or infinity; during a run the loop turns it into DivergedError."""


class ConvergenceError(WgfError, ArithmeticError):
    """An inner iteration stopped short of its tolerance; `trajectory` is what was computed before."""

    trajectory: Any = None


class CheckpointError(WgfError, OSError):
    """A file could not be read, written or continued; the text names the path and what differs."""


class MissingExtra(WgfError, ImportError):
    """An optional dependency is not installed; the text names the extra that brings it."""

    def __init__(self, extra: str, package: str) -> None:
        super().__init__(f"this needs {package}: pip install 'wgf[{extra}]'.")
