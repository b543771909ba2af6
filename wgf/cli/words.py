"""What a user typed, turned into problems, schemes and numbers; a miss names the nearest match."""

from __future__ import annotations

import ast
import dataclasses
import inspect
from typing import Any

from wgf import checks
from wgf.problems import GALLERY
from wgf.schemes.names import known

DEFAULT_DT = 0.01  # for a scheme that suggests none
MOST_STEPS = 1000  # a suggested dt is not taken below t_end / MOST_STEPS


def split(text: str, mark: str) -> list[str]:
    """Split at `mark`, but not inside brackets: a setting may be a tuple.

    >>> split("fokker-planck:cells=(64,32),langevin", ",")
    ['fokker-planck:cells=(64,32)', 'langevin']
    """
    parts, depth, last = [], 0, 0
    for k, letter in enumerate(text):
        depth += (letter in "([") - (letter in ")]")
        if letter == mark and depth == 0:
            parts.append(text[last:k])
            last = k + 1
    return [*parts, text[last:]]


def value(text: str) -> Any:
    """A number, tuple, True, False or None when the text is one, else the text itself."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return float(text) if text in ("nan", "inf", "-inf") else text


def settings(words: list[str], owner: str, known_names: list[str]) -> dict[str, Any]:
    """`key=value` words as keyword arguments of `owner`."""
    found = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not equals or not key or not text:
            raise ValueError(f"a setting of {owner} must read key=value, got {word!r}.")
        key = key.replace("-", "_")
        if key not in known_names:
            options, near = ", ".join(known_names) or "none", checks.nearest(key, known_names)
            raise ValueError(f"{owner} has the settings {options}, got {key!r}{near}.")
        found[key] = value(text)
    return found


def problem(text: str) -> Any:
    """The gallery problem of `name` or `name:key=value:...`."""
    name, *words = split(text, ":")
    build = GALLERY[checks.choice(*GALLERY)("problem", name)]
    return build(**settings(words, name, list(inspect.signature(build).parameters)))


def scheme(text: str, name: str = "scheme") -> Any:
    """The scheme of `name` or `name:key=value:...`."""
    kind, *words = split(text, ":")
    classes = known()
    chosen: Any = classes[checks.choice(*classes)(name, kind)]
    return chosen(**settings(words, kind, [f.name for f in dataclasses.fields(chosen)]))


def schemes(text: str) -> list[Any]:
    """Schemes separated by commas."""
    return [scheme(word, "schemes") for word in split(text, ",")]


def vary(texts: list[str]) -> dict[str, list[Any]]:
    """`cells=50,100,200` words as the `vary` of a study."""
    found = {}
    for text in texts:
        key, equals, numbers = text.partition("=")
        if not equals or not numbers:
            raise ValueError(f"vary must read setting=value,value,..., got {text!r}.")
        found[key.replace("-", "_")] = [value(word) for word in split(numbers, ",")]
    return found


def step(given: float | None, chosen: list[Any], problem: Any, t_end: float) -> float:
    """The dt that was typed, else the smallest that the schemes suggest, within reason."""
    if given is not None:
        return given
    able = [s for s in chosen if s.supports(problem) is None and hasattr(s, "suggest_dt")]
    suggested = [float(s.suggest_dt(problem)) for s in able]
    return min(max(min(suggested, default=DEFAULT_DT), t_end / MOST_STEPS), t_end)
