"""Time, memory and growth of `wgf` and its peers: same process, same inputs, accuracy beside time.

`harness.py` holds the rules and the clock, `peers.py` the codes timed against, and one module per
workload its claims and tables. The bars are claims like any other, so a slower package fails a run
(`python -m validation performance`); the peers need the extra `peers` and are skipped without it.
Turned down: a benchmark framework (they time functions, but state neither accuracy nor limits).
"""

from __future__ import annotations

from validation.claims import Subject
from validation.performance import fokker_planck, grids, harness, jko_plane, langevin
from validation.report import versions

WORKLOADS = (fokker_planck, grids, jko_plane, langevin)


def sections(full: bool) -> list[str]:
    """The tables of every workload."""
    first = f"Peers: {versions('py-pde', 'torch')}. Thread pools: {harness.pools()}. Times are medians."
    return [first, *(part for workload in WORKLOADS for part in workload.sections())]


SUBJECT = Subject(
    name="performance",
    title="Performance",
    claims=tuple(claim for workload in WORKLOADS for claim in workload.CLAIMS),
    sections=sections,
)
