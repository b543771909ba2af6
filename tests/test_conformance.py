"""Every scheme through the public conformance suite."""

from __future__ import annotations

import pytest

from wgf.schemes import FokkerPlanck, Langevin, QuantileJKO
from wgf.testing import check_scheme

SCHEMES = [
    *(FokkerPlanck(cells=100, time=t) for t in ("tr-bdf2", "backward-euler", "lie", "strang", "exponential")),
    *(QuantileJKO(levels=200, time=t) for t in ("jko", "bdf2", "midpoint")),
    *(Langevin(integrator=i) for i in ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted")),
    Langevin(dtype="float32"),
]


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_scheme_keeps_every_promise_of_the_protocol(scheme):
    """Stochastic checks have a false-alarm probability of 1e-6 each."""
    report = check_scheme(scheme, strict=True)
    assert report.passed, str(report)
