"""The ONE time loop: `solve`, and what it owns so that schemes stay free of it.

`run.py` the loop itself, `lattice.py` steps and save times, `record.py` diagnostics and totals,
`guards.py` NaN and negative densities, `checkpoint.py` bitwise continuation, `provenance.py` what a run
must remember. Turned down: callbacks and trackers (every option here is an argument with a name), and a
loop inside the schemes.
"""

from wgf.loop.run import solve

__all__ = ["solve"]
