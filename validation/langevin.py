"""Claims of the particle scheme `Langevin`: formulas path by path, weak orders, bias, Monte-Carlo rate.

Three routes, because plain sampling is too noisy to see a weak order:

* path by path: the normals a run used are read off a run without potential under the same seed, and
  the textbook recursion is fed with them; positions must agree to rounding, for a nonlinear V;
* weak orders on the Ornstein-Uhlenbeck process, with the exact solution driven by the same normals as
  control variate: scheme and control differ by O(h^p), so noise shrinks with the error it hides;
* stationary variances against their closed forms, in standard errors.
"""

from __future__ import annotations

import functools
import math

import numpy as np

import wgf
from validation import references
from validation.claims import AtMost, Claim, Order, Subject, converges
from validation.rates import Ladder
from validation.report import markdown_table
from wgf.schemes import Langevin

START, T_END = 1.5, 1.0
FALSE_ALARM = 5.0  # standard errors: a false alarm in 2e6
WEAK_ORDERS = {"euler-maruyama": 1, "heun": 2}
WEAK_BOUNDS = {"euler-maruyama": 2.5e-3, "heun": 1e-5}
STATIONARY_STEP = 0.5


def stationary_variance(integrator: str, h: float) -> float:
    """Variance that the scheme keeps for V = x^2 / 2, exactly."""
    if integrator == "euler-maruyama":
        return 1 / (1 - h / 2)
    if integrator == "heun":
        return 2 * h * (1 - h / 2) ** 2 / (1 - (1 - h + h**2 / 2) ** 2)
    return 1.0  # Leimkuhler-Matthews and the adjusted scheme have no bias on a quadratic


def tilted_well(x: np.ndarray) -> np.ndarray:
    """A nonlinear V on the line."""
    return 0.25 * (x[..., 0] ** 2 - 1) ** 2 + 0.3 * x[..., 0]


def tilted_slope(x: np.ndarray) -> np.ndarray:
    """Its derivative, for the recursion written here."""
    return x**3 - x + 0.3


def half_square(x: np.ndarray) -> np.ndarray:
    """V of the Ornstein-Uhlenbeck process."""
    return 0.5 * (x**2).sum(-1)


def flat(x: np.ndarray) -> np.ndarray:
    """No potential."""
    return 0.0 * x[..., 0]


def solved(V, integrator: str, particles: int, steps: int, seed: int, every: bool = True) -> wgf.Trajectory:
    """A run from START to T_END, with every step saved or only the end."""
    initial = wgf.Particles(np.full((particles, 1), START))
    problem = wgf.Problem(wgf.entropy() + wgf.potential(V), initial=initial)
    scheme, h = Langevin(integrator=integrator), T_END / steps
    return wgf.solve(problem, scheme, t_end=T_END, dt=h, seed=seed, save_at=h if every else None)


def positions(V, integrator: str, particles: int, steps: int, seed: int) -> np.ndarray:
    """Positions (steps + 1, particles) from START."""
    return np.stack([m.x[:, 0] for m in solved(V, integrator, particles, steps, seed).measures])


def normals(integrator: str, particles: int, steps: int, seed: int) -> np.ndarray:
    """The normals (steps, particles) of a run with this seed, read off a run without potential.

    For Leimkuhler-Matthews these are the averages of two that it adds, which is all the recursion needs.
    """
    free = positions(flat, integrator, particles, steps, seed)
    return np.diff(free, axis=0) / math.sqrt(2 * T_END / steps)


def path_error(integrator: str, full: bool) -> float:
    """Largest distance of a run to the textbook recursion fed with the same normals, V nonlinear."""
    steps, particles = 50, 500
    h = T_END / steps
    x = np.full(particles, START)
    gaps = []
    found = positions(tilted_well, integrator, particles, steps, 11)
    for z, there in zip(normals(integrator, particles, steps, 11), found[1:], strict=True):
        noise = math.sqrt(2 * h) * z
        predicted = x - h * tilted_slope(x) + noise
        if integrator == "heun":
            predicted = x - 0.5 * h * (tilted_slope(x) + tilted_slope(predicted)) + noise
        x = predicted
        gaps.append(np.abs(x - there).max())
    return float(np.max(gaps))  # the built-in max would pass over NaN


def second_moment_error(integrator: str, steps: int, particles: int, seed: int) -> float:
    """Signed error of E x(T)^2, exact solution driven by the same normals as control variate.

    Given the increments, the exact solution has the mean y = e^-T x0 + sum c_k z_k with
    c_k = sqrt(2/h) (e^-(T - t_{k+1}) - e^-(T - t_k)), whose second moment is known.
    """
    h = T_END / steps
    z = normals(integrator, particles, steps, seed)
    x = solved(half_square, integrator, particles, steps, seed, every=False).final.x[:, 0]
    decay = np.exp(-T_END + h * np.arange(steps + 1))
    weights = math.sqrt(2 / h) * np.diff(decay)
    y = decay[0] * START + weights @ z
    estimate = (x**2 - y**2).mean() + (decay[0] * START) ** 2 + (weights**2).sum()
    return float(estimate - ((decay[0] * START) ** 2 + 1 - decay[0] ** 2))


@functools.cache
def weak(integrator: str, full: bool) -> Ladder:
    """Signed errors of the second moment over seeds and steps."""
    # from dt = 1/20 on the term of the next order moves the slope by less than the noise of ten seeds does,
    # and from 1/40 on by less than that of twenty
    seeds, steps = (20, (40, 80, 160, 320, 640)) if full else (10, (20, 40, 80, 160))
    particles = 4_000  # few enough for one thread: more would wait for each other at every step
    samples = [[second_moment_error(integrator, n, particles, seed) for seed in range(seeds)] for n in steps]
    values = tuple(T_END / n for n in steps)
    return Ladder.noisy(f"weak error, {integrator}", "dt", values, np.array(samples), "second moment", "bias")


@functools.cache
def monte_carlo(full: bool) -> Ladder:
    """Error of the mean against the scheme's own exact mean: noise alone."""
    seeds, h, steps = (80 if full else 40), 0.1, 5
    particles = (1000, 4000, 16_000, 64_000)
    problem = wgf.Problem(wgf.entropy() + wgf.potential(half_square), initial=wgf.Gaussian(START, 0.25))
    exact = START * (1 - h) ** steps
    samples = [
        [
            wgf.solve(problem, Langevin(particles=n), t_end=h * steps, dt=h, seed=seed).final.mean()[0]
            - exact
            for seed in range(seeds)
        ]
        for n in particles
    ]
    title = "Monte-Carlo error of the mean"
    return Ladder.noisy(title, "particles", particles, np.array(samples), "RMS", "rms")


@functools.cache
def stationary(integrator: str, full: bool) -> tuple[float, float, float]:
    """(measured variance, its standard error, exact variance) far from the start, V = x^2 / 2."""
    particles = 400_000 if full else 100_000
    problem = wgf.Problem(wgf.entropy() + wgf.potential(half_square), initial=wgf.Gaussian(0.0, 1.0))
    h = STATIONARY_STEP
    scheme = Langevin(particles=particles, integrator=integrator)
    run = wgf.solve(problem, scheme, t_end=25.0, dt=h, seed=5, save_at=2.0)
    late = [measure.x[:, 0] for time, measure in zip(run.times, run.measures, strict=True) if time >= 11.0]
    squares = np.mean(np.square(late), axis=0)  # one per particle, hence independent
    error = float(squares.std(ddof=1) / math.sqrt(particles))
    return float(squares.mean()), error, stationary_variance(integrator, h)


def deviation(integrator: str, full: bool) -> float:
    """Standard errors between the measured stationary variance and its closed form."""
    measured, error, exact = stationary(integrator, full)
    return abs(measured - exact) / error


def well_deviation(full: bool) -> float:
    """Standard errors between the cloud's mean in a double well at t = 1 and the spectral solution."""
    particles, spread = (1_000_000 if full else 200_000), 0.05

    def start(x: np.ndarray) -> np.ndarray:
        return np.exp(-((x + 0.6) ** 2) / (2 * spread)) / math.sqrt(2 * math.pi * spread)

    nodes = np.linspace(-3.5, 3.5, 4001)
    rho = references.well().solve(start, 1.0)(nodes)
    exact = float(np.trapezoid(nodes * rho, nodes))
    energy = wgf.entropy() + wgf.potential(lambda x: (x[..., 0] ** 2 - 1) ** 2)
    problem = wgf.Problem(energy, initial=wgf.Gaussian(-0.6, spread))
    scheme = Langevin(particles=particles, integrator="heun")
    found = wgf.solve(problem, scheme, t_end=1.0, dt=0.01, seed=3).final.x[:, 0]
    return abs(found.mean() - exact) / (found.std() / math.sqrt(particles))


INTEGRATORS = ("euler-maruyama", "leimkuhler-matthews", "heun", "adjusted")

CLAIMS = (
    *(
        Claim(
            name=f"langevin/path-{integrator}",
            what=f"500 paths of {integrator!r} in a tilted double well, 50 steps",
            against="textbook recursion fed with the same normals, largest distance",
            measure=functools.partial(path_error, integrator),
            required=AtMost(1e-12),
        )
        for integrator in INTEGRATORS[:3]
    ),
    *(
        claim
        for integrator, order in WEAK_ORDERS.items()
        for claim in converges(
            f"langevin/weak-{integrator}",
            f"second moment of {integrator!r} at t = 1, Ornstein-Uhlenbeck, control variate",
            "exact second moment, bootstrap over seeds",
            functools.partial(weak, integrator),
            Order(order),
            WEAK_BOUNDS[integrator],
        )
    ),
    *(
        Claim(
            name=f"langevin/bias-{integrator}",
            what=f"stationary variance of {integrator!r}, dt = {STATIONARY_STEP}, V = x^2/2, standard errors",
            against="closed form of the scheme's own stationary variance",
            measure=functools.partial(deviation, integrator),
            required=AtMost(FALSE_ALARM),
        )
        for integrator in INTEGRATORS
    ),
    *converges(
        "langevin/monte-carlo",
        "mean of the cloud against its exact expectation, 1000 to 64000 particles",
        "exact recursion of the mean, bootstrap over seeds",
        monte_carlo,
        Order(0.5),
        5e-3,
    ),
    Claim(
        name="langevin/double-well",
        what="mean of the cloud in a double well at t = 1, Heun, in standard errors",
        against="sine-Galerkin solution of the PDE",
        measure=well_deviation,
        required=AtMost(FALSE_ALARM),
    ),
)


def sections(full: bool) -> list[str]:
    """The table of stationary variances."""
    rows = []
    for integrator in INTEGRATORS:
        measured, error, exact = stationary(integrator, full)
        rows.append((integrator, f"{measured:.5f}", f"{error:.5f}", f"{exact:.5f}", f"{exact - 1:+.5f}"))
    head = ("integrator", "measured variance", "standard error", "exact variance", "bias of the scheme")
    return [
        f"## Stationary variance for V = x^2/2 at dt = {STATIONARY_STEP}",
        "Variance of the cloud, averaged over late times, compared with the closed form of the scheme's own; "
        "the last column is what the scheme adds to the variance 1 of the Gibbs measure.",
        markdown_table(head, rows),
    ]


SUBJECT = Subject(name="langevin", title="Langevin", claims=CLAIMS, sections=sections)
