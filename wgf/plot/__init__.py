"""Figures of measures, trajectories and observed orders.

matplotlib is imported inside the functions, so `import wgf` stays light, and figures are made without
pyplot: no window, no global state, nothing to close; a notebook shows the returned figure by itself.
Colours are those of Okabe and Ito (lines) and viridis (densities, times), which readers with any
common colour blindness can tell apart; every axis is labelled, and the plane is drawn to scale.

Measures are recognised by what they have (`grid` and `values`, `edges` and `masses`, `x` and `w`,
`pdf`), not by class, so a user's own measure is drawn too. Turned down: one `plot` method per measure
class (the drawing would be spread over seven files) and pyplot (a global figure per call).
"""

from __future__ import annotations

from wgf.plot.flows import animation, trajectory
from wgf.plot.rates import order
from wgf.plot.shapes import measure

__all__ = ["animation", "measure", "order", "trajectory"]
