"""Every scheme through the public conformance suite."""

from __future__ import annotations

import pytest

import wgf
from wgf.schemes import (
    AggregationDiffusion,
    BackAndForthJKO,
    DynamicJKO,
    EntropicJKO,
    FokkerPlanck,
    GaussianJKO,
    Langevin,
    QuantileJKO,
    SlicedJKO,
    SpectralFokkerPlanck,
)
from wgf.testing import check_scheme

SCHEMES = [
    *(FokkerPlanck(cells=100, time=t) for t in ("tr-bdf2", "backward-euler", "lie", "strang", "exponential")),
    *(AggregationDiffusion(cells=64, time=t) for t in ("implicit", "ssp-rk3")),
    pytest.param(AggregationDiffusion(cells=64, time="sdirk2"), marks=pytest.mark.slow),
    SpectralFokkerPlanck(cells=100),
    *(BackAndForthJKO(cells=64, time=t) for t in ("jko", "midpoint")),
    EntropicJKO(cells=64),  # not debiased=False: its bias epsilon / (2 dt) grows as dt falls
    *(GaussianJKO(time=t) for t in ("jko", "bdf2", "evbdf2", "midpoint")),
    *(QuantileJKO(levels=200, time=t) for t in ("jko", "bdf2", "midpoint")),
    *(Langevin(integrator=i) for i in ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted")),
    Langevin(dtype="float32"),
]


ON_THE_LINE = [
    DynamicJKO(cells=80),  # the plane takes minutes
    SlicedJKO(cells=80),  # on the line the sliced metric and its clock are those of W2
]


@pytest.mark.parametrize("scheme", ON_THE_LINE, ids=repr)
def test_scheme_keeps_every_promise_on_the_line(scheme):
    report = check_scheme(scheme, [wgf.problems.ornstein_uhlenbeck(dimension=1)], strict=True)
    assert report.passed, str(report)


@pytest.mark.parametrize("scheme", SCHEMES, ids=repr)
def test_scheme_keeps_every_promise_of_the_protocol(scheme):
    """Stochastic checks have a false-alarm probability of 1e-6 each."""
    report = check_scheme(scheme, strict=True)
    assert report.passed, str(report)
