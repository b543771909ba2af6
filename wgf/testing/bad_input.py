"""Bad input, generated: every registered argument kind declares values it must refuse; here they are read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from wgf import checks


def door_of(target: Callable[..., Any]) -> checks.Door | None:
    """The registered door of a public callable, None when it has no checks.

    A class is registered under its own name or, when only its constructor is decorated, under that of
    its `__init__`; bound methods and classmethods under the name of their function.
    """
    name = f"{target.__module__}.{target.__qualname__}"
    return checks.REGISTRY.get(name) or checks.REGISTRY.get(f"{name}.__init__")


@checks.checked(target=checks.function)
def bad_calls(target: Callable[..., Any]) -> Iterator[tuple[str, Any]]:
    """Every (argument, bad value) the checks of a public callable must refuse.

    target: a function, class or method decorated with `checks.checked`. Put each bad value in place of
    the argument in a call that is otherwise right: it must raise ValueError or TypeError naming the argument.
    Raises ValueError when the callable has no registered checks, so that none can be forgotten.

    >>> import wgf
    >>> sorted({name for name, _ in bad_calls(wgf.internal)})
    ['m']
    """
    door = door_of(target)
    if door is None:
        raise ValueError(
            f"target must have registered checks, got {target!r}. Decorate it with checks.checked."
        )
    return ((name, value) for name, kind in door.kinds.items() for value in kind.bad)
