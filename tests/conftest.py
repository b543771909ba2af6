"""Shared by all tests: no display, floating-point traps raise, no mischief left behind."""

from __future__ import annotations

import os

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def floating_point_traps():
    """Invalid operations and divisions by zero are errors in every test; underflow is not."""
    with np.errstate(invalid="raise", divide="raise"):
        yield
