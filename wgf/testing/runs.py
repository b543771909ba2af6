"""Case: one scheme on one problem, with the runs that several checks share computed once."""

from __future__ import annotations

import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from wgf.loop import solve
from wgf.problem import Problem
from wgf.testing.report import NotApplicable
from wgf.testing.statistics import SEEDS

SHORT = 9  # steps of the bit-by-bit checks


class Case:
    """A scheme, a problem and their remembered runs."""

    def __init__(self, scheme: Any, problem: Problem) -> None:
        self.scheme, self.problem = scheme, problem
        self._finals: dict[Any, list[Any]] = {}

    def states(self, seed: int, steps: int = SHORT, dt: float = 0.02) -> list[Any]:
        """The states of a bare run, without the loop around it: the initial one and one per step."""
        rng = np.random.default_rng(seed)
        states = [self.scheme.init(self.problem.at(0.0), rng)]
        for k in range(steps):
            states.append(self.scheme.step(self.problem.at(k * dt), states[-1], dt, rng)[0])
        return states

    @cached_property
    def stochastic(self) -> bool:
        """True when two seeds give different bits."""
        return bits(self.states(1)[-1]) != bits(self.states(2)[-1])

    def finals(self, t_end: float, dt: float, problem: Problem | None = None) -> list[Any]:
        """The final measures: one per seed of a stochastic scheme, else a single one."""
        problem = self.problem if problem is None else problem
        key = (id(problem), t_end, dt)
        if key not in self._finals:
            seeds = range(1, SEEDS + 1) if self.stochastic else (0,)
            self._finals[key] = [
                solve(problem, self.scheme, t_end=t_end, dt=dt, seed=seed, progress=False).final
                for seed in seeds
            ]
        return self._finals[key]

    @cached_property
    def at_rest(self) -> Problem:
        """The same problem started at its equilibrium, where that is known."""
        free = self.problem
        if "periodic" not in free.boundary:
            free = replace(free, bounds=None)
        for candidate in (free, self.problem):
            minimum = self.problem.energy.minimum(candidate)
            if minimum is not None:
                return replace(
                    self.problem, initial=minimum.measure, exact=partial(_constant, minimum.measure)
                )
        raise NotApplicable("the equilibrium of this problem is not known")


def _constant(measure: Any, t: float) -> Any:
    return measure


def bits(state: Any) -> list[tuple[str, bytes]]:
    """The fields of a state as bytes: equal exactly when the states agree bit by bit."""
    return [(name, np.asarray(value).tobytes()) for name, value in state._asdict().items()]


def twin(thing: Any) -> Any:
    """An independent copy of a state or a scheme."""
    return copy.deepcopy(thing)
