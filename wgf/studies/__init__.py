"""Studies: tables of runs, with errors against a reference and the orders of convergence they show.

`study` varies the resolution of one scheme, `compare` sets several schemes side by side; both give a
`Study`, a table that prints itself, goes to JSON and CSV, and draws its slope. `orders` holds the rules:
deterministic rows are judged by pairwise and extrapolated orders, stochastic ones by bootstrap intervals
over seeds, and levels are dropped only by rules fixed in advance. A unit of work is one (problem, scheme,
seed) triple that knows its seed, so runs in processes or on a cluster give the bits of the serial run.
`autocorrelation_time`, `effective_sample_size` and `r_hat` say how good a sampler's chains are.

Turned down: regression intervals for deterministic errors (they exclude the right answer), a data frame
(rows are plain dicts; pandas reads them as they are), and an engine of our own for many runs (anything
with `map` will do).
"""

from __future__ import annotations

from wgf.studies.compare import compare
from wgf.studies.orders import Order, observed_order
from wgf.studies.sampling import autocorrelation_time, effective_sample_size, r_hat
from wgf.studies.study import study
from wgf.studies.tables import Study

__all__ = [
    "Order",
    "Study",
    "autocorrelation_time",
    "compare",
    "effective_sample_size",
    "observed_order",
    "r_hat",
    "study",
]
