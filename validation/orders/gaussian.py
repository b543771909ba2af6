r"""Observed orders of `GaussianJKO`: time alone, in any dimension, with matrices that do not commute.

There is no mesh, so every error is one of time. Theory: implicit Euler (JKO) is of order 1; the midpoint,
extrapolated BDF2 and variational BDF2 steps are the classical second-order methods up to the curvature of the
space of covariances, which enters at dt^3 in a step, so of order 2. The exact Gaussian of the equation is
S(t) = A^-1 + e^-tA (S(0) - A^-1) e^-tA. The energy's defect D tends to 0 like dt^2 for all of them, since the
speed of a step departs from -grad dE/drho by O(dt) and D is half of its square.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from scipy.linalg import expm

import wgf
from validation.claims import AtMost, Claim
from validation.orders.row import Row
from validation.rates import Ladder
from wgf.energies import Quadratic
from wgf.schemes.jko.gaussian import GaussianJKO

Array = np.ndarray
NAME = "gaussian-jko"
ORDERS = {"jko": 1, "bdf2": 2, "evbdf2": 2, "midpoint": 2}
COUNTS = (20, 40, 80, 160, 320, 640)
PUBLISHED = {  # W2 errors with 10, 20, ..., 160 steps
    "jko": (5.631e-2, 2.853e-2, 1.436e-2, 7.202e-3, 3.606e-3),
    "midpoint": (2.127e-3, 5.306e-4, 1.326e-4, 3.314e-5, 8.284e-6),
    "evbdf2": (8.995e-3, 2.184e-3, 5.381e-4, 1.336e-4, 3.328e-5),
    "bdf2": (8.995e-3, 2.184e-3, 5.381e-4, 1.336e-4, 3.328e-5),
}


class Skew:
    """D entropy + (x - c).A (x - c)/2 [+ attraction z.K z/2] from N(m, S): nothing commutes."""

    def __init__(self, d: int, attraction: float = 0.0) -> None:
        if d == 2:
            self.A, self.center = np.array([[2.0, 0.6], [0.6, 0.7]]), np.array([0.5, -1.0])
            self.mean, self.cov = np.array([2.0, 1.0]), np.array([[0.5, -0.4], [-0.4, 1.2]])
        else:
            rng = np.random.default_rng(d)
            turns = [np.linalg.qr(rng.standard_normal((d, d)))[0] for _ in range(2)]
            self.A = (turns[0] * np.linspace(0.3, 2.5, d)) @ turns[0].T
            self.cov = (turns[1] * np.geomspace(0.2, 2.0, d)) @ turns[1].T
            self.center, self.mean = rng.standard_normal((2, d))
        self.attraction = attraction

    def problem(self) -> wgf.Problem:
        """The problem as a user writes it."""
        energy = wgf.entropy() + wgf.potential(Quadratic(self.A, center=self.center))
        if self.attraction:
            energy = energy + wgf.interaction(lambda z: 0.5 * self.attraction * (z**2).sum(-1))
        return wgf.Problem(energy, initial=wgf.Gaussian(self.mean, self.cov))

    def exact(self, t: float) -> wgf.Gaussian:
        """Of the equation; attraction stiffens the covariance and leaves the mean."""
        stiff = self.A + self.attraction * np.eye(len(self.A))
        rest, decay = np.linalg.inv(stiff), expm(-t * stiff)
        cov = rest + decay @ (self.cov - rest) @ decay
        return wgf.Gaussian(self.center + expm(-t * self.A) @ (self.mean - self.center), 0.5 * (cov + cov.T))


def solved(skew: Skew, time: str, steps: int) -> wgf.Trajectory:
    """The run to t = 1; a replaced step would spoil an order, so it is refused."""
    run = wgf.solve(skew.problem(), GaussianJKO(time=time), t_end=1.0, dt=1 / steps)
    replaced = run.stats.get("fallback_steps", 0)
    assert replaced == 0, f"{replaced} steps were replaced by their safe substitute"
    return run


@functools.cache
def in_time(time: str, d: int, attraction: float, full: bool) -> Ladder:
    """W2 error at t = 1 against the equation."""
    skew, counts = Skew(d, attraction), COUNTS[: 6 if full else 4]
    found = [wgf.distance(solved(skew, time, n).final, skew.exact(1.0), "w2") for n in counts]
    return Ladder(f"time, {time}, {d}-D Gaussian", "dt", tuple(1 / n for n in counts), tuple(found), "W2")


@functools.cache
def defects(time: str, full: bool) -> Ladder:
    """The dissipation defect to t = 1."""
    skew, counts = Skew(2), COUNTS[: 6 if full else 4]
    found = [solved(skew, time, n).dissipation_defect() for n in counts]
    return Ladder(f"dissipation defect, {time}", "dt", tuple(1 / n for n in counts), tuple(found), "defect")


def departure(full: bool) -> float:
    """Largest relative departure from the published errors, which have four digits."""
    skew, gaps = Skew(2), []
    for time, errors in PUBLISHED.items():
        for k, error in enumerate(errors):
            found = wgf.distance(solved(skew, time, 10 * 2**k).final, skew.exact(1.0), "w2")
            gaps.append(abs(found / error - 1))
    return float(np.max(gaps))


def energy_balance(full: bool) -> float:
    """Largest violation of E(n+1) + W2^2 / (2 dt) <= E(n) over ten JKO steps of 0.5."""
    run = wgf.solve(
        Skew(5).problem(), GaussianJKO(), t_end=5.0, dt=0.5, save_at=0.5, record=["energy"], progress=False
    )
    moved = [wgf.distance(a, b, "w2") ** 2 for a, b in zip(run.measures[:-1], run.measures[1:], strict=True)]
    return float(np.max(np.diff(run.record["energy"]) + np.array(moved) / (2 * 0.5)))


def rest_moved(full: bool) -> float:
    """Largest change of the equilibrium's covariance in ten steps of 0.3 of any scheme."""
    skew = Skew(5)
    rest, gaps = np.linalg.inv(skew.A), []
    for time in ORDERS:
        problem = wgf.Problem(skew.problem().energy, initial=wgf.Gaussian(skew.center, 0.5 * (rest + rest.T)))
        end = wgf.solve(problem, GaussianJKO(time=time), t_end=3.0, dt=0.3).final
        gaps.append(np.abs(end.covariance - rest).max())
    return float(np.max(gaps))


def frozen_half_order(full: bool) -> float:
    """Order of the step that freezes dE/drho at the old density in half of the energy, on the line.

    s' = -a s + 1/s from s = 2 to t = 1; (s' - s)/dt = -a s' + (1/s' + s'/s^2)/2, a quadratic in s'.
    """
    a, counts = 1.3, (40, 80, 160, 320)
    exact = math.sqrt(1 / a + (4 - 1 / a) * math.exp(-2 * a))
    errors = []
    for n in counts:
        s, dt = 2.0, 1 / n
        for _ in range(n):
            b = 1 + dt * (a - 0.5 / s**2)
            s = (s + math.sqrt(s**2 + 2 * dt * b)) / (2 * b)
        errors.append(abs(s - exact))
    return math.log2(errors[-2] / errors[-1])


BOUNDS = {"jko": 4e-3, "bdf2": 4e-5, "evbdf2": 4e-5, "midpoint": 9e-6}
ROWS = (
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, skew Gaussian in the plane, t = 1",
            norm="W2",
            expected=order,
            bound=BOUNDS[time],
            ladder=functools.partial(in_time, time, 2, 0.0),
        )
        for time, order in ORDERS.items()
    ),
    *(
        Row(
            scheme=NAME,
            problem=f"{time}, five dimensions with attraction, t = 1",
            norm="W2",
            expected=2,
            bound=bound,
            ladder=functools.partial(in_time, time, 5, 0.5),
        )
        for time, bound in (("midpoint", 3e-5), ("evbdf2", 1e-4))
    ),
    *(
        Row(
            scheme=NAME,
            problem=f"dissipation defect, {time}",
            norm="defect",
            expected=2,
            bound=2.5e-4,
            ladder=functools.partial(defects, time),
        )
        for time in ORDERS
    ),
)

CLAIMS = (
    Claim(
        name="gaussian/published-errors",
        what="W2 errors of four time schemes with 10 to 160 steps, largest relative departure",
        against="the same errors computed apart, to their four digits",
        measure=departure,
        required=AtMost(5.1e-4),
    ),
    Claim(
        name="gaussian/energy-balance",
        what="largest violation of E(n+1) + W2^2/(2 dt) <= E(n), five dimensions, ten JKO steps of 0.5",
        against="the minimising property",
        measure=energy_balance,
        required=AtMost(1e-12),
    ),
    Claim(
        name="gaussian/rest",
        what="largest change of the equilibrium in ten steps of 0.3 of any time scheme, five dimensions",
        against="exact stationarity",
        measure=rest_moved,
        required=AtMost(1e-12),
    ),
    Claim(
        name="gaussian/frozen-half-control",
        what="order of a step that looks like Crank-Nicolson: half of the energy frozen at the old density",
        against="order 1 (a negative control: it must not pass for order 2)",
        measure=frozen_half_order,
        required=AtMost(1.1),
    ),
)
