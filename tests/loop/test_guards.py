"""Faults of a state: what they are called and where they are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from wgf.loop.guards import find_fault
from wgf.measures.base import NEGATIVE_TOLERANCE


class Cloud(NamedTuple):
    x: np.ndarray
    key: np.ndarray
    step: int


class Cells(NamedTuple):
    rho: np.ndarray


def cloud(**places):
    x = np.arange(6.0).reshape(3, 2)
    for value, index in places.values():
        x[index] = value
    return Cloud(x, np.arange(4, dtype=np.uint32), 3)


def test_a_sound_state_has_no_fault():
    assert find_fault(cloud()) is None
    assert find_fault(Cells(np.array([0.0, 1.0, 2.0]))) is None


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_named_with_its_place(value):
    fault = find_fault(cloud(bad=(value, (2, 1))))
    assert fault == (f"x became {value}", "index (2, 1)")


def test_numbers_whose_squares_overflow_are_still_finite():
    assert find_fault(cloud(big=(1e200, (0, 0)))) is None


def test_a_field_called_rho_must_not_be_negative_beyond_rounding():
    rho = np.ones((3, 4))
    rho[1, 2] = -0.031
    assert find_fault(Cells(rho)) == ("density became negative (min -3.1e-02)", "cell (1, 2)")
    rho[1, 2] = -0.9 * NEGATIVE_TOLERANCE
    assert find_fault(Cells(rho)) is None
    rho[1, 2] = -1.1 * NEGATIVE_TOLERANCE
    assert find_fault(Cells(rho)) is not None


def test_other_fields_may_be_negative_or_empty():
    assert find_fault(Cloud(np.array([-1.0]), np.empty(0), -3)) is None


def test_numbers_of_a_state_are_guarded_too():
    assert find_fault(Cells(np.nan)) == ("rho became nan", "index ()")
