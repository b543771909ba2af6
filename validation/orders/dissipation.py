"""Orders of the dissipation defect: the certificate that needs no exact solution tends to 0 like dt^2.

De Giorgi's functional E(rho_T) - E(rho_0) + 1/2 int |rho'|^2 + 1/2 int |dE|^2 vanishes for the gradient flow
alone. Every scheme that knows its velocity states it; taken with speed and slope at the middle of a step (or
their means over both ends) the sums are right to dt^2, whatever the order of the scheme. Problem:
Ornstein-Uhlenbeck on the line to t = 1/2, on enough cells that the error in space is out of sight. Schemes
with a row of their own on a harder problem stand in their own modules.
"""

from __future__ import annotations

import functools
from typing import Any

import wgf
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.schemes import FokkerPlanck, QuantileJKO
from wgf.schemes.jko.back_and_forth import BackAndForthJKO
from wgf.schemes.jko.entropic import EntropicJKO

T_END = 0.5
CONTESTANTS: tuple[tuple[str, str, Any, int, float], ...] = (  # scheme, time, instance, first steps, bound
    ("fokker-planck", "tr-bdf2", FokkerPlanck(cells=400), 8, 2e-5),
    ("fokker-planck", "backward-euler", FokkerPlanck(cells=400, time="backward-euler"), 8, 1.5e-5),
    ("quantile-jko", "jko", QuantileJKO(levels=800), 8, 1.5e-4),
    ("quantile-jko", "bdf2", QuantileJKO(levels=800, time="bdf2"), 8, 1.2e-4),
    ("back-and-forth-jko", "jko", BackAndForthJKO(cells=1000, tol=1e-3), 4, 5e-4),
    ("entropic-jko", "debiased", EntropicJKO(cells=560), 4, 5e-4),
)


@functools.cache
def problem() -> wgf.Problem:
    """entropy + x^2 / 2 from N(0.8, 0.4)."""
    energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    return wgf.Problem(energy, initial=wgf.Gaussian(0.8, 0.4), bounds=(-5.0, 5.0))


@functools.cache
def defects(scheme: Any, first: int, full: bool) -> Ladder:
    """|D| over dt."""
    counts = [first * 2**k for k in range(5 if full else 4)]
    found = []
    for steps in counts:
        run = wgf.solve(problem(), scheme, t_end=T_END, dt=T_END / steps, record=["dissipation"])
        replaced = run.stats.get("fallback_steps", 0)
        assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
        found.append(abs(run.dissipation_defect()))
    return Ladder("dissipation defect", "dt", tuple(T_END / n for n in counts), tuple(found), "defect")


ROWS = tuple(
    Row(
        scheme=name,
        problem=f"dissipation defect, {time}",
        norm="defect",
        expected=2,
        bound=bound,
        ladder=functools.partial(defects, scheme, first),
    )
    for name, time, scheme, first, bound in CONTESTANTS
)
