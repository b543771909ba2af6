"""Observed orders of convergence: one row per (scheme, problem, norm), one module per scheme.

Each module states `ROWS`, orders over a refinement with an absolute bound, and `CLAIMS`, what is no order
(conservation, positivity, certificates, exactness). The modules are loaded only when asked for: a row's
module may build on the measures of other subjects.
"""

from __future__ import annotations

import importlib
from collections import Counter
from dataclasses import replace
from types import ModuleType

from validation.claims import Claim
from validation.orders.row import Row

MODULES = (
    "fokker_planck",
    "spectral",
    "weighted_poisson",
    "aggregation_diffusion",
    "back_and_forth",
    "dissipation",
    "dynamic",
    "entropic",
    "gaussian",
    "sliced",
    "quantile",
    "manufactured",
)
SUBJECT = "grid"  # whose page and claim names these are


def _modules() -> list[ModuleType]:
    return [importlib.import_module(f"validation.orders.{name}") for name in MODULES]


def rows() -> tuple[Row, ...]:
    """Every row, scheme by scheme."""
    return tuple(row for module in _modules() for row in module.ROWS)


def claims() -> tuple[Claim, ...]:
    """Every row as a claim, then the modules' other claims, all with names of one subject."""
    seen: Counter[str] = Counter()
    found = []
    for row in rows():
        seen[row.slug] += 1
        again = f"-{seen[row.slug]}" if seen[row.slug] > 1 else ""
        found.append(row.claim(f"{SUBJECT}/{row.slug}{again}"))
    others = [claim for module in _modules() for claim in getattr(module, "CLAIMS", ())]
    return (*found, *(replace(claim, name=_within(claim.name)) for claim in others))


def _within(name: str) -> str:
    """A claim's name as one of the subject."""
    return name if name.startswith(f"{SUBJECT}/") else f"{SUBJECT}/{name.replace('/', '-')}"


def table(full: bool) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    """Head and lines of the table of orders."""
    head = ("scheme", "problem", "norm", "over", "levels", "orders", "limit", "theory", "finest", "bound", "")
    lines = []
    for row in rows():
        ladder = row.measured(full)
        order = ladder.order
        lines.append(
            (
                row.scheme,
                row.problem,
                row.norm,
                ladder.parameter,
                " ".join(f"{value:.4g}" for value in ladder.values),
                " ".join(f"{pair:.2f}" for pair in order.pairwise),
                f"{order.extrapolated:.3f}",
                f"{row.expected:g} ± {row.tolerance:g}",
                f"{ladder.finest:.2e}",
                f"{row.bound:.1e}",
                "held" if row.judge(ladder) else "FAILED",
            )
        )
    return head, lines
