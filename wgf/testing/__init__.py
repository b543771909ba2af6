"""The public conformance suites: put your own scheme, energy or measure under the checks ours pass.

`check_scheme` (problems and report in `schemes.py`, the checks in `scheme_checks.py`, `scheme_truth.py` and
`scheme_input.py`, shared runs in `runs.py`), `check_energy`, `check_measure`; `strategies` draws problems
with their exact answers for property-based tests; `bad_calls` generates the bad calls of any public
callable. Each returns a `Report` of named lines instead of raising, so that all findings are seen at once.
Choices: a check is a plain function that returns what it found; statistical checks measure their own
noise over seeds and state their false-alarm probability. Turned down: test classes to inherit from (they
tie users to one test runner) and tolerances per scheme (a suite that knows its subjects judges none).
"""

from __future__ import annotations

from wgf.testing import strategies
from wgf.testing.bad_input import bad_calls
from wgf.testing.energies import check_energy
from wgf.testing.measures import check_measure
from wgf.testing.report import Line, Report
from wgf.testing.schemes import check_scheme

__all__ = ["Line", "Report", "bad_calls", "check_energy", "check_measure", "check_scheme", "strategies"]
