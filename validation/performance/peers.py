"""The codes `wgf` is timed against, each as a function; the third-party ones are called, not copied.

scipy: sparse LU of the Scharfetter-Gummel generator, TR-BDF2. py-pde: its compiled explicit Euler.
NumPy and torch: the straightforward Euler-Maruyama loop a user would write.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sparse
import scipy.sparse.linalg as linear

from validation import references
from validation.performance import harness

GAMMA = 2 - math.sqrt(2)


def splu_tr_bdf2(
    potential: np.ndarray, spacing: tuple[float, ...], start: np.ndarray, t_end: float, steps: int
) -> np.ndarray:
    """TR-BDF2 (Bank et al., 1985) with one sparse LU for both stages, assembly and factorisation included."""
    G = references.generator(potential, spacing)
    half = 0.5 * GAMMA * t_end / steps
    factors = linear.splu(sparse.identity(potential.size, format="csc") - half * G)
    u = start.ravel()
    for _ in range(steps):
        middle = factors.solve(u + half * (G @ u))
        u = factors.solve((middle - (1 - GAMMA) ** 2 * u) / (GAMMA * (2 - GAMMA)))
    return u.reshape(start.shape)


class PyPDE:
    """py-pde's explicit Euler on d_t c = lap c + div(c v), v = grad V given on the cells.

    Neumann conditions on c; on a box whose walls the density does not reach that is zero flux. The
    stepping function is compiled once (that takes seconds and is not charged); the price of a step is
    the difference of a long and a short run divided by the difference of their steps.
    """

    def __init__(
        self, bounds: list[tuple[float, float]], start: np.ndarray, drift: np.ndarray, dt: float
    ) -> None:
        pde = harness.peer("pde")
        grid = pde.CartesianGrid(bounds, list(start.shape))
        self.dt, self.start = dt, pde.ScalarField(grid, start)
        velocity = pde.VectorField(grid, drift)
        equation = pde.PDE(
            {"c": "laplace(c) + divergence(c * v)"}, consts={"v": velocity}, bc={"derivative": 0}
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it advises adaptive steps; a fixed step is what is priced
            self.stepper = pde.EulerSolver(equation).make_stepper(self.start, dt)
        self.run(1)

    def run(self, steps: int) -> np.ndarray:
        """The cell values after `steps` steps."""
        field = self.start.copy()
        self.stepper(field, 0.0, self.dt * steps)
        return np.asarray(field.data)

    def step_cost(self, short: int = 500, long: int = 2500, repeats: int = 3) -> tuple[float, float]:
        """Median (CPU, wall) seconds of one step from the difference of a long and a short run."""
        found = []
        for _ in range(repeats):
            marks = [(time.process_time(), time.perf_counter())]
            for steps in (short, long):
                self.run(steps)
                marks.append((time.process_time(), time.perf_counter()))
            (cpu0, wall0), (cpu1, wall1), (cpu2, wall2) = marks
            more = long - short
            found.append(((cpu2 - 2 * cpu1 + cpu0) / more, (wall2 - 2 * wall1 + wall0) / more))
        return sorted(cpu for cpu, _ in found)[repeats // 2], sorted(wall for _, wall in found)[repeats // 2]


def numpy_langevin(particles: int, steps: int, h: float) -> Callable[[], np.ndarray]:
    """Euler-Maruyama on V = (x^2 - 1)^2/4 + y^2/2 from 0, float32, as a NumPy user writes it."""
    noise = np.float32(math.sqrt(2 * h))
    step = np.float32(h)

    def run() -> np.ndarray:
        rng = np.random.default_rng(0)
        x, y = np.zeros(particles, np.float32), np.zeros(particles, np.float32)
        for _ in range(steps):
            z = rng.standard_normal((2, particles), dtype=np.float32)
            x += noise * z[0] - step * (x * x * x - x)
            y += noise * z[1] - step * y
        return np.stack([x, y], axis=1)

    return run


def torch_langevin(particles: int, steps: int, h: float) -> Callable[[], np.ndarray]:
    """The same in torch on the CPU, without gradients."""
    torch: Any = harness.peer("torch")
    noise = math.sqrt(2 * h)

    def run() -> np.ndarray:
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            x, y = torch.zeros(particles), torch.zeros(particles)
            for _ in range(steps):
                x = x - h * (x * x * x - x) + noise * torch.randn(particles, generator=generator)
                y = y - h * y + noise * torch.randn(particles, generator=generator)
        return torch.stack([x, y], dim=1).numpy()

    return run
