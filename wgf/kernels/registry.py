"""The one table of kernels: each operation's plain NumPy reference and its compiled forms.

A form is named by module and function and imported on its first call, so importing wgf compiles
nothing and touches no compiler. With numba's JIT switched off (NUMBA_DISABLE_JIT=1) the reference
runs, which makes the whole package readable by a coverage tool and a debugger.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

TABLE: dict[str, Kernel] = {}


class Kernel:
    """One operation: `reference` (plain NumPy, the truth) and `cpu` ("module:function", numba).

    Calling it runs the fastest form this machine has; `forms()` says which there are. Every form has
    the reference's signature and is held to it by one parametrised test.
    """

    def __init__(self, reference: Callable[..., Any], cpu: str) -> None:
        self.name = reference.__name__.strip("_")
        self.reference = reference
        self.cpu = cpu
        self._call: Callable[..., Any] | None = None
        self.__doc__ = reference.__doc__
        TABLE[self.name] = self

    def __call__(self, *args: Any) -> Any:
        """Run the fastest form."""
        if self._call is None:
            self._call = self.reference if jit_disabled() else self.load(self.cpu)
        return self._call(*args)

    @staticmethod
    def load(address: str) -> Callable[..., Any]:
        """The function at `module:function`, importing (and so declaring to numba) on first use."""
        module, function = address.split(":")
        return getattr(importlib.import_module(module), function)

    def forms(self) -> dict[str, bool]:
        """Which forms exist and which one a call would run."""
        return {"reference": jit_disabled(), "numba": not jit_disabled()}


def jit_disabled() -> bool:
    """True when NUMBA_DISABLE_JIT asks for plain Python."""
    return os.environ.get("NUMBA_DISABLE_JIT", "0") not in ("", "0")
