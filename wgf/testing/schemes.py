"""check_scheme: the public conformance suite any scheme can be put under.

The checks are small named functions of a `Case` in `scheme_checks.py` (protocol, reproducibility) and
`scheme_truth.py` (exact answers); this file says on which problems they are asked and collects the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wgf import checks
from wgf.problem import Problem
from wgf.problems import ornstein_uhlenbeck
from wgf.schemes.names import scheme_kind
from wgf.testing import scheme_checks, scheme_truth
from wgf.testing.report import FAILED, SKIPPED, Line, Report, run_check
from wgf.testing.runs import Case
from wgf.testing.scheme_input import refuses_bad_settings


def _problems(name: str, value: Any, sizes: checks.Sizes) -> tuple[Problem, ...]:
    words = "a nonempty sequence of Problems"
    if isinstance(value, Problem):
        return (value,)
    if isinstance(value, str) or not isinstance(value, Sequence) or not value:
        raise checks.refuse(name, words, value, TypeError)
    for item in value:
        if not isinstance(item, Problem):
            raise checks.refuse(name, words, item, TypeError)
    return tuple(value)


problems_kind = checks.Kind("Problems", _problems, (3.0, "x", (), [1.0], float("nan")))


def default_problems() -> tuple[Problem, ...]:
    """Confined entropy + potential problems with exact answers: on the line, and skew in the plane."""
    line = ornstein_uhlenbeck(mean=1.5, cov=0.25, bounds=(-6.0, 6.0))
    plane = ornstein_uhlenbeck(
        A=[[1.2, 0.4], [0.4, 1.8]], mean=[1.0, -0.5], cov=[[0.4, 0.1], [0.1, 0.3]], bounds=[(-5.0, 5.0)] * 2
    )
    return line, plane


@checks.checked(scheme=scheme_kind, problems=checks.optional(problems_kind), strict=checks.boolean)
def check_scheme(scheme: Any, problems: Sequence[Problem] | None = None, strict: bool = False) -> Report:
    """Put a scheme under the conformance suite: protocol, reproducibility, and the right answers.

    scheme: anything with supports, init, step, measure (an instance, a class or a name). problems: by
    default Ornstein-Uhlenbeck on the line and in the plane; others should have `exact` and time scales of
    order 1, as the runs go to t = 0.5, 1 and 3 with steps 0.02 and 0.04,
    some 500 steps in all (16 times that for a stochastic scheme). strict: also ask that the
    constructor refuses bad settings by name.

    What is allowed: a deterministic scheme's error must be explained by its step (twice the change on
    halving dt) up to 1 % of the standard deviation; a stochastic one's by 1.5 dt plus noise, where the noise
    is measured over 16 seeds and a right scheme fails a check with probability at most 1e-6. With 2000
    particles a drift that is wrong by a fifth or a noise wrong by a tenth is caught; with more, less.

    Returns a `Report`: `passed`, `lines`; print it. A problem the scheme does not support is reported as
    not applicable; if none is supported, that is a failure.

    >>> from wgf.schemes import FokkerPlanck
    >>> check_scheme(FokkerPlanck(cells=60), problems=default_problems()[:1]).passed
    True
    """
    chosen = default_problems() if problems is None else problems
    return Report(f"check_scheme({scheme!r})", tuple(_lines(scheme, chosen, strict)))


def _lines(scheme: Any, problems: Sequence[Problem], strict: bool) -> Iterator[Line]:
    yield run_check("", scheme_checks.answers_supports, scheme)
    if strict:
        yield run_check("", refuses_bad_settings, scheme)
    supported = 0
    for number, problem in enumerate(problems):
        label = f"{problem.name or f'problem {number}'}, {problem.dimension}-D"
        reason = scheme.supports(problem)
        if reason is not None:
            yield Line("supports", SKIPPED, str(reason), label)
            continue
        supported += 1
        case = Case(scheme, problem)
        for check in (*scheme_checks.CHECKS, *scheme_truth.CHECKS):
            yield run_check(label, check, case)
    if not supported:
        yield Line("supports some problem", FAILED, f"none of the {len(problems)} problems is supported")
