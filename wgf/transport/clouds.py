"""Exact W2 of clouds in any dimension: an assignment problem, or a linear programme for unequal weights.

Choice: scipy's two exact solvers. Turned down: entropic smoothing as a silent substitute (it is another
number), and a greedy or sampled matching for large clouds. Beyond a size both solvers are hopeless, and
the refusal says so before memory is taken. The solvers are imported on first use: they are half of the
time that `import wgf` may take.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from wgf import checks
from wgf.errors import ConvergenceError
from wgf.transport.w2_1d import w2_1d

ASSIGNMENT_LIMIT = 25_000_000  # cost entries: 5000 against 5000 take about 10 s and 200 MB
PROGRAMME_LIMIT = 250_000  # variables: 500 against 500 take about 3 s and 300 MB

TOLERANCE = 1e-10  # the smallest HiGHS takes; its default of 1e-7 would lose weights below that


@checks.checked(
    x=checks.cloud("n"),
    y=checks.cloud("m"),
    a=checks.optional(checks.weights("n")),
    b=checks.optional(checks.weights("m")),
)
def w2_clouds(x: Any, y: Any, a: Any = None, b: Any = None) -> float:
    r"""Squared 2-Wasserstein distance between two weighted clouds in R^d, exactly.

    W2^2 = min over plans P >= 0 with rows summing to a and columns to b of sum_ij P_ij |x_i - y_j|^2.

    x: (n, d), y: (m, d) points, a: (n,), b: (m,) weights summing to 1, equal by default. On the line the
    plan is the sorted one (any size); equal weights with n = m are an assignment (n up to 5000, cost n^3);
    the rest is a linear programme (n m up to 250 000). Larger clouds are refused with the size named: use
    `sliced_w2`, or subsample. Returns a length squared, right to rounding (assignment) or to 1e-10 of the
    squared diameter (linear programme).

    >>> w2_clouds([[0.0, 0.0], [1.0, 0.0]], [[1.0, 1.0], [0.0, 1.0]])
    1.0

    Peyre and Cuturi, Computational Optimal Transport, 2019, section 3.1.
    """
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist

    if x.shape[1] == 1:
        return w2_1d(x[:, 0], y[:, 0], a, b)
    x, y = x.astype(np.float64), y.astype(np.float64)
    a, x = _carried(a, x)
    b, y = _carried(b, y)
    objection = too_large(len(x), len(y), a is None and b is None)
    if objection:
        raise ValueError(f"x and y {objection}")
    if len(x) == 1 or len(y) == 1:
        return _to_a_point(x, y, a, b)
    if a is None and b is None and len(x) == len(y):
        cost = cdist(x, y, "sqeuclidean")  # by differences: clouds far from the origin keep their digits
        rows, columns = linear_sum_assignment(cost)
        return float(cost[rows, columns].mean())
    a = np.full(len(x), 1 / len(x)) if a is None else a
    b = np.full(len(y), 1 / len(y)) if b is None else b
    # W2^2 = |difference of means|^2 + W2^2 of the centred clouds: the tolerance meets the small part only
    m, n = a @ x, b @ y
    return float(((m - n) ** 2).sum()) + _programme(cdist(x - m, y - n, "sqeuclidean"), a, b)


def too_large(n: int, m: int, equal: bool) -> str | None:
    """None when clouds of n and m points can be matched exactly, else the sentence that says why not."""
    assignment = equal and n == m
    limit = ASSIGNMENT_LIMIT if assignment else PROGRAMME_LIMIT
    if n * m <= limit or min(n, m) == 1:
        return None
    kind = "an assignment" if assignment else "a linear programme (unequal weights or sizes)"
    return (
        f"are too large for an exact W2: {n} x {m} points make {kind} of {n * m} pairs "
        f"({n * m * 8 / 1e6:.0f} MB for the costs alone), the limit is {limit}. "
        "Use sliced_w2, or subsample both."
    )


def _carried(w: np.ndarray | None, x: np.ndarray) -> tuple[np.ndarray | None, np.ndarray]:
    """The points that carry mass; equal weights are None."""
    if w is None or (w == w[0]).all():
        return None, x
    return w[w > 0], x[w > 0]


def _to_a_point(x: np.ndarray, y: np.ndarray, a: np.ndarray | None, b: np.ndarray | None) -> float:
    square = ((x - y) ** 2).sum(1)
    w = a if len(y) == 1 else b
    return float(square.mean() if w is None else square @ w)


def _programme(cost: np.ndarray, a: np.ndarray, b: np.ndarray) -> float:
    """The transport problem as a linear programme, in units where masses and costs are about 1."""
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    n, m = cost.shape
    rows, columns = np.divmod(np.arange(n * m), m)
    place = np.arange(n * m)
    matrix = coo_array(
        (np.ones(2 * n * m), (np.concatenate((rows, n + columns)), np.concatenate((place, place)))),
        shape=(n + m, n * m),
    )
    scale, unit = cost.max(), min(n, m)
    if scale == 0:
        return 0.0
    # one balance is implied by the others; leaving it out keeps rounding in a and b from being infeasible
    done = linprog(
        cost.ravel() / scale,
        A_eq=matrix.tocsr()[:-1],
        b_eq=unit * np.concatenate((a, b))[:-1],
        method="highs-ds",
        options={"primal_feasibility_tolerance": TOLERANCE, "dual_feasibility_tolerance": TOLERANCE},
    )
    if done.status != 0:
        raise ConvergenceError(f"the linear programme of {n} x {m} points was not solved: {done.message}")
    return float(done.fun * scale / unit)
