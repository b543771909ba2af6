"""How tables call a scheme: its name, its size in words, and the settings that are not defaults."""

from __future__ import annotations

import dataclasses
from typing import Any

from wgf.schemes.names import kebab

# Fields that say how large a scheme's discretisation is. The first one a scheme has counts.
SIZES = ("cells", "levels", "particles")


def scheme_name(scheme: Any) -> str:
    """The name of a scheme, a user's own included: its class in kebab case."""
    return kebab(type(scheme).__name__)


def size(scheme: Any) -> tuple[str, Any] | None:
    """The field that says how large a scheme's discretisation is, and its value; None if there is none."""
    for field in SIZES:
        value = getattr(scheme, field, None)
        if value is not None:
            return field, value
    return None


def size_text(scheme: Any, points: int = 0) -> str:
    """`size` as tables show it: '400 cells', '128 x 64 cells'; of a scheme without one its cloud's points."""
    found = size(scheme)
    if found is None:
        return f"{points} particles" if points else ""
    field, value = found
    number = " x ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return f"{number} {field}"


def label(scheme: Any) -> str:
    """The name and every setting that is not at its default, the size left out."""
    settings = []
    if dataclasses.is_dataclass(scheme):
        found = size(scheme)
        for field in dataclasses.fields(scheme):
            value = getattr(scheme, field.name)
            if value != field.default and (found is None or field.name != found[0]):
                settings.append(f"{field.name}={value}")
    return " ".join([scheme_name(scheme), *settings])


def step_size(value: Any) -> float:
    """What an order refers to: 1/value for a count (of an axis' cells: the first), the value itself else."""
    first = value[0] if isinstance(value, tuple) else value
    return 1 / first if isinstance(first, int) else float(first)
