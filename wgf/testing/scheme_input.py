"""The strict check: a scheme's constructor refuses settings that cannot be right, naming them."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

from wgf.testing.bad_input import bad_calls, door_of
from wgf.testing.report import NotApplicable, require


def refuses_bad_settings(scheme: Any) -> str:
    """Every setting refuses its bad values with a ValueError or TypeError that names it."""
    if not dataclasses.is_dataclass(scheme):
        raise NotApplicable("the scheme is no dataclass, so its settings are not known")
    settings = [f for f in dataclasses.fields(scheme) if f.init]
    if not settings:
        raise NotApplicable("the scheme has no settings")
    tried = 0
    for name, value in _bad_settings(scheme, settings):
        verdict = _refusal(scheme, name, value)
        require(verdict is None, f"{name}={value!r} {verdict}")
        tried += 1
    return f"{tried} bad values refused"


def _bad_settings(scheme: Any, settings: list[Any]) -> list[tuple[str, Any]]:
    """Declared bad values where the class has registered checks, else ones its type cannot take."""
    if door_of(type(scheme)) is not None:
        return list(bad_calls(type(scheme)))
    pairs: list[tuple[str, Any]] = []
    for field in settings:
        value = getattr(scheme, field.name)
        if isinstance(value, bool):
            pairs += [(field.name, "yes"), (field.name, 2.5)]
        elif isinstance(value, int):
            pairs += [(field.name, bad) for bad in (math.nan, -1, 2.5, "a")]
        elif isinstance(value, float):
            pairs += [(field.name, bad) for bad in (math.nan, math.inf, "a")]
        elif isinstance(value, str):
            pairs += [(field.name, bad) for bad in ("no-such-option", 3)]
    return pairs


def _refusal(scheme: Any, name: str, value: Any) -> str | None:
    """None when the constructor refuses this setting by name, else what it did instead."""
    try:
        dataclasses.replace(scheme, **{name: value})
    except (ValueError, TypeError) as error:
        return None if name in str(error) else f"is refused without naming it: {error}"
    except Exception as error:
        return f"raises {type(error).__name__}: {error}"
    return "is accepted"
