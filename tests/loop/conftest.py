"""The toy scheme misbehaves only inside the test that asked for it."""

from __future__ import annotations

import pytest
import toy as module


@pytest.fixture
def toy(monkeypatch):
    """The module of the toy scheme, its mischief emptied."""
    monkeypatch.setattr(module.Toy, "mischief", {})
    return module
