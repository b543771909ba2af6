"""The toy scheme misbehaves only inside the test that asked for it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

_SPEC = importlib.util.spec_from_file_location("toy", Path(__file__).with_name("toy.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
_TOY = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(_TOY)


@pytest.fixture
def toy(monkeypatch):
    """The module of the toy scheme, its mischief emptied."""
    monkeypatch.setattr(_TOY.Toy, "mischief", {})
    return _TOY
