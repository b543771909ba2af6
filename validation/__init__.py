"""Validation: what `wgf` claims, measured again on every run.

A claim is data (`claims.py`): a name, what was computed, against what, the function that measures it,
and what is required of the number. `python -m validation` measures them, prints one line per claim,
rewrites the tables and figures under `results/` and ends with exit code 1 when a claim does not hold.
Each module of this package holds the claims of one subject; `performance/` holds the timed ones.

The yardsticks stand here on purpose, apart from `wgf`: closed forms, spectral references and a sparse
generator assembled afresh (`references.py`, `closed_forms.py`), so that a fault in the package cannot
hide by grading itself. Only the arithmetic of observed orders is `wgf.studies.observed_order`, so that
there is one rule for what an order is. Turned down: pytest as the runner (it has verdicts but no
numbers, and its output is not a table to publish) and `wgf.study` as the yardstick (its references are
among the things under test).
"""
