"""What a scheme, a step, a method and a model are: protocols, so that a user's own class is one too."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from wgf.problem import Problem


class StepInfo(NamedTuple):
    """What one step learnt.

    iterations: inner iterations. residual: of the inner solve, 0 when exact. accepted: False when the
    scheme's own step was refused and its safe substitute taken (counted as a fallback step).
    substeps: inner steps taken. speed_squared, slope_squared: the mean of |rho'|^2 and |dE|^2 over the
    step in W2, where the scheme knows them (they make the dissipation defect). finite: True when the step
    saw in passing that all it wrote is finite, which spares the loop's own look; None when it did not look.

    >>> StepInfo(iterations=3).accepted
    True

    Ambrosio, Gigli & Savare, 2008, chapter 11 (speed and slope).
    """

    iterations: int = 0
    residual: float = 0.0
    accepted: bool = True
    substeps: int = 1
    speed_squared: float | None = None
    slope_squared: float | None = None
    finite: bool | None = None


@runtime_checkable
class Scheme(Protocol):
    """How to advance a problem by dt: pure functions of a state, settings in frozen fields.

    State is a NamedTuple of arrays and numbers. Optional methods the loop asks for when present:
    `energy(problem, state) -> float` (its own discrete energy), `suggest_dt(problem) -> float`,
    `rates(problem, before, after, dt) -> (speed_squared, slope_squared)`. Optional attribute `extensions`:
    which of "drift", "source" and "mobility" of a problem it follows; `solve` refuses the others for it.
    """

    def supports(self, problem: Problem) -> str | None:
        """None when this scheme can solve `problem`, else the reason as the end of a sentence."""
        ...

    def init(self, problem: Problem, rng: np.random.Generator) -> Any:
        """The initial state."""
        ...

    def step(self, problem: Problem, state: Any, dt: float, rng: np.random.Generator) -> tuple[Any, StepInfo]:
        """The state after dt, and what the step learnt."""
        ...

    def measure(self, problem: Problem, state: Any) -> Any:
        """The state as a Measure: the only door by which schemes meet."""
        ...


class Method(Protocol):
    """Frozen settings of something to be trained."""

    def init(self, rng: np.random.Generator) -> Any:
        """The initial training state."""
        ...

    def step(self, state: Any, rng: np.random.Generator) -> tuple[Any, StepInfo]:
        """The state after one optimisation step."""
        ...

    def model(self, state: Any) -> Model:
        """What has been learnt."""
        ...


class Model(Protocol):
    """What training produced: it can sample."""

    def sample(self, n: int, rng: int | np.random.Generator) -> np.ndarray:
        """n points (n, d)."""
        ...
