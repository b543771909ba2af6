"""Schemes by name: the one place where 'fokker-planck', FokkerPlanck and FokkerPlanck() mean the same.

The names are the class names of `wgf.schemes` in kebab case, so they cannot drift from the classes.
"""

from __future__ import annotations

import functools
import importlib
import re
from typing import Any

from wgf import checks

METHODS = ("supports", "init", "step", "measure")
_WORD_START = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def kebab(name: str) -> str:
    """A class name in kebab case.

    >>> kebab("QuantileJKO"), kebab("SVGD"), kebab("BackAndForthJKO")
    ('quantile-jko', 'svgd', 'back-and-forth-jko')
    """
    return _WORD_START.sub("-", name).lower()


@functools.cache
def known() -> dict[str, type]:
    """Every scheme of `wgf.schemes` by its name."""
    room = importlib.import_module("wgf.schemes")
    found = [getattr(room, name) for name in room.__all__]
    return {kebab(c.__name__): c for c in found if isinstance(c, type) and hasattr(c, "step")}


def resolve_scheme(value: Any, name: str = "scheme") -> Any:
    """A scheme instance from a name, a class or an instance.

    A name or a class is built with its defaults. Raises ValueError with the nearest name on a miss,
    TypeError for anything else.
    """
    if isinstance(value, str):
        classes = known()
        return classes[checks.choice(*classes)(name, value)]()
    scheme = value() if isinstance(value, type) and hasattr(value, "step") else value
    if isinstance(scheme, type) or not all(callable(getattr(scheme, method, None)) for method in METHODS):
        words = "a scheme, its class or its name (such as 'fokker-planck')"
        raise checks.refuse(name, words, value, TypeError)
    return scheme


scheme_kind = checks.Kind(
    "a scheme, its class or its name",
    lambda name, value, sizes: resolve_scheme(value, name),
    (3.0, None, "no-such-scheme", float("nan"), [1.0], int),
)
