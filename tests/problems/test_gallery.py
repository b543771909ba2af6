"""The gallery as a whole: every name works out of the box."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from wgf.measures import Density
from wgf.problem import Problem
from wgf.problems import GALLERY


@pytest.fixture(scope="module", params=sorted(GALLERY))
def problem(request):
    return request.param, GALLERY[request.param]()


def test_every_entry_is_a_named_problem_with_a_source_and_bounds(problem):
    name, made = problem
    assert isinstance(made, Problem)
    assert made.name == name
    assert len(made.reference) > 10
    assert len(made.bounds) == made.dimension


def test_every_box_holds_the_initial_mass(problem):
    _, made = problem
    cells = 400 if made.dimension == 1 else 160
    assert abs(Density.from_measure(made.initial, made.grid(cells)).mass - 1) < 1e-6


def test_every_exact_solution_starts_in_the_initial_measure_and_keeps_its_mass(problem):
    _, made = problem
    if made.exact is None:
        pytest.skip("no exact solution, as its docstring says")
    x = made.initial.sample(50, 0)
    assert_allclose(made.exact(0.0).pdf(x), made.initial.pdf(x), rtol=1e-8)
    cells = 400 if made.dimension == 1 else 160
    for t in (0.05, 0.5, 1.0):
        assert abs(Density.from_measure(made.exact(t), made.grid(cells)).mass - 1) < 1e-6


def test_the_potentials_are_smooth_and_finite_in_the_box(problem):
    _, made = problem
    low, high = np.array(made.bounds).T
    x = low + (high - low) * np.random.default_rng(0).random((20, made.dimension))
    assert np.isfinite(made.energy.potential_value(x)).all()
    assert np.isfinite(made.energy.potential_gradient(x)).all()
