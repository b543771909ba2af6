r"""Eigenvalues of the Fokker-Planck generator: how fast a flow forgets, mode by mode.

The Scharfetter-Gummel generator obeys detailed balance, so -pi^(-1/2) G pi^(1/2) is symmetric and in fact a
square B'B, B the faces' differences weighted by sqrt of the rates. B is what is decomposed on a line:
its singular values are the roots of the decay rates, and an exponentially small spectral gap keeps
digits that an eigenvalue of B'B loses to the largest one, 4 D/h^2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from scipy import sparse

from wgf import checks
from wgf.errors import SchemeError
from wgf.kernels.sparse_lu import diagonal_lu
from wgf.measures import Density, Grid
from wgf.measures.faces import at_faces
from wgf.measures.grid import cells_kind
from wgf.problem import Problem
from wgf.schemes.cells import potential_at_centers
from wgf.schemes.grid.rates import Rates, face_rates

DENSE = 600  # cells up to which a full eigenproblem is quicker than a factorisation
SHIFT = 1e-9  # of the mean diagonal: moves the zero eigenvalue off the point that is factorised


@final
@dataclass(frozen=True, eq=False, kw_only=True)
class Spectrum:
    """The slowest modes of d_t rho = G rho.

    rates: (count,) decay rates, ascending, the first exactly 0. functions: (count, *cells) left
    eigenfunctions g_k, orthonormal under pi, the first one 1: the mean of g_k falls as exp(-rates_k t),
    whatever the start. equilibrium: pi as a Density. rho(t) = pi sum_k exp(-rates_k t) <g_k, rho_0> g_k.

    Where pi is below 1e-25 of its maximum the g_k are rounding; they are 0 in obstacles.

    >>> import wgf
    >>> heat = wgf.Problem(wgf.entropy(), initial=wgf.Uniform((0, 1)), bounds=(0, np.pi))
    >>> round(spectrum(heat, cells=200).gap, 3)
    1.0
    """

    rates: np.ndarray
    functions: np.ndarray
    equilibrium: Density

    @property
    def grid(self) -> Grid:
        """The grid of all arrays."""
        return self.equilibrium.grid

    @property
    def gap(self) -> float:
        """The first rate above the zero one: the rate of the slowest relaxation, 0 when the box is torn."""
        return float(self.rates[1])

    @property
    def densities(self) -> np.ndarray:
        """The right eigenfunctions pi g_k, (count, *cells): densities of integral 0 but for the first, pi."""
        return self.equilibrium.values * self.functions


@checks.checked(
    problem=checks.instance("a Problem", Problem),
    cells=cells_kind,
    count=checks.integer(2),
)
def spectrum(problem: Problem, cells: Any = 400, count: int = 6) -> Spectrum:
    r"""The `count` slowest decay rates of a Fokker-Planck equation and their eigenfunctions, on a grid.

    G' g = -rate g, where d_t rho = G rho is d_t rho = D Laplace rho + div(rho grad V) discretised as by
    FokkerPlanck. Second order in the spacing. rates[1] is the spectral gap: |rho/pi - 1| falls as
    exp(-gap t) in the end; for convex V it is at least the smallest curvature of V (Bakry & Emery), for
    two wells it is exponentially small in the height of the barrier over D.

    problem: entropy and potential terms with bounds; V may be +inf (an obstacle). A V(x, t) is taken at
    the problem's time. cells: per axis; 1e5 on a line or 200^2 in the plane take half a second, 32^3 in space
    some seconds. count: modes, the one at rest included. SchemeError for other terms, no box, a drift, a
    source or a mobility; ValueError for more modes than free cells. Rounding: about 1e-15 sqrt(rate D)/h on
    a no-flux line, else 1e-15 D/h^2.

    >>> import wgf
    >>> energy = wgf.entropy() + wgf.potential(lambda x: 0.5 * (x**2).sum(-1))
    >>> problem = wgf.Problem(energy, initial=wgf.Gaussian(0, 1), bounds=(-8, 8))
    >>> spectrum(problem, cells=400, count=3).rates.round(2).tolist()
    [0.0, 1.0, 2.0]

    Risken, The Fokker-Planck Equation, 1989, section 5.5 (the symmetrised operator).
    """
    refusal = _refusal(problem)
    if refusal is not None:
        raise SchemeError(f"spectrum cannot be had of this problem: {refusal}.")
    grid, diffusion = problem.grid(cells), problem.energy.diffusion
    potential = potential_at_centers(problem, grid)
    free = np.isfinite(potential)
    if count > free.sum():
        raise ValueError(f"count must be at most the number of free cells, {free.sum()}, got {count}.")
    lowest = float(potential[free].min())
    # Heights above the largest double's exponent weigh nothing and stay in order.
    height = np.where(free, potential - lowest, 0.0) / diffusion
    root = np.where(free, np.exp(-0.5 * height), 0.0)
    root /= np.sqrt((root**2).sum())
    rates = face_rates(np.where(free, potential, lowest), grid, diffusion)
    difference = _difference(rates, free, grid)
    if grid.dimension == 1 and grid.boundary[0] == "noflux" and free.all():
        span = _line(*rates[0], count)
    else:
        span = _general(difference, free.ravel(), count)
    values, modes = _ritz(difference, span, root.ravel(), count)
    return _spectrum(values, modes.reshape(count, *grid.cells), root, grid)


def _refusal(problem: Problem) -> str | None:
    """Why the generator of this problem is not known or not symmetric; None when it is."""
    foreign = problem.energy.only("entropy", "potential")
    if foreign is not None:
        return foreign
    if problem.energy.diffusion == 0:
        return "it needs entropy() with a coefficient > 0, and the energy has none"
    if problem.bounds is None:
        return "it needs a box, and the problem has bounds None"
    extra = problem.extensions
    return f"it takes none of drift, source and mobility, got {', '.join(extra)}" if extra else None


def _spectrum(values: np.ndarray, modes: np.ndarray, root: np.ndarray, grid: Grid) -> Spectrum:
    """Eigenfunctions from orthonormal modes g sqrt(pi), with a sign that does not depend on the solver."""
    functions = np.divide(modes, root, out=np.zeros_like(modes), where=root > np.finfo(float).tiny)
    flat = modes.reshape(len(modes), -1)
    functions[flat[np.arange(len(flat)), np.abs(flat).argmax(axis=1)] < 0] *= -1
    return Spectrum(
        rates=values,
        functions=functions,
        equilibrium=Density(grid, root**2 / grid.volume),
    )


def _line(up: np.ndarray, down: np.ndarray, count: int) -> np.ndarray:
    """Vectors that span the slowest modes of a no-flux line, (cells, count + 1), by the bidiagonal B.

    [[0, B'], [B, 0]] with cells and faces in turn is tridiagonal with diagonal 0; its eigenvalues are the
    singular values of B in pairs +- around the one 0. One vector more is taken, from below the 0, lest a
    pair that rounding cannot tell from the 0 be seen by half.
    """
    from scipy.linalg import eigh_tridiagonal

    cells = up.size + 1
    chain = np.empty(2 * up.size)
    chain[::2], chain[1::2] = np.sqrt(up), -np.sqrt(down)
    reach = (cells - 2, cells - 2 + count)
    return eigh_tridiagonal(np.zeros(2 * cells - 1), chain, select="i", select_range=reach)[1][::2]


def _general(difference: sparse.csr_array, free: np.ndarray, count: int) -> np.ndarray:
    """Vectors that span the slowest modes, (cells, count), by the sparse B'B on cells without obstacle."""
    some = np.flatnonzero(free)
    matrix = (difference.T @ difference).tocsr()[some][:, some]
    if some.size <= DENSE or count >= some.size:
        vectors = np.linalg.eigh(matrix.toarray())[1][:, :count]
    else:
        from scipy.sparse.linalg import LinearOperator, eigsh

        shift = -SHIFT * float(matrix.diagonal().mean())
        lu = diagonal_lu((matrix - shift * sparse.eye_array(some.size)).tocsc())
        inverse = LinearOperator(matrix.shape, lu.solve)
        start = np.random.default_rng(0).standard_normal(some.size)  # fixed: the same answer every time
        _, vectors = eigsh(matrix, count, sigma=shift, which="LM", v0=start, OPinv=inverse)
    result = np.zeros((free.size, count))
    result[some] = vectors
    return result


def _ritz(
    difference: sparse.csr_array, span: np.ndarray, root: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rates and orthonormal modes (count, cells) within a span: sqrt(pi) exactly, and what is orthogonal.

    A solver mixes modes whose rates rounding cannot tell apart, that of sqrt(pi) with a tiny gap's too; the
    singular values of B on the rest sort them out again.
    """
    directions = np.linalg.svd(span - np.outer(root, root @ span), full_matrices=False)[0][:, : count - 1]
    triangle = np.zeros((count - 1, count - 1))  # its upper rows: a torn box may have fewer faces than modes
    factor = np.linalg.qr(difference @ directions, mode="r")
    triangle[: len(factor)] = factor
    _, slopes, turn = np.linalg.svd(triangle)
    rates = np.concatenate([[0.0], slopes[::-1] ** 2])
    return rates, np.concatenate([root[None], (directions @ turn[::-1].T).T])


def _difference(rates: tuple[Rates, ...], free: np.ndarray, grid: Grid) -> sparse.csr_array:
    """B, (faces, cells): sqrt(up) and -sqrt(down) at the two cells of every face that is no obstacle's."""
    number = np.arange(grid.size).reshape(grid.cells)
    rows, columns, values, count = [], [], [], 0
    for axis, ((up, down), boundary) in enumerate(zip(rates, grid.boundary, strict=True)):
        periodic = boundary == "periodic"
        below, above = at_faces(number, axis, periodic)
        open_face = np.logical_and(*at_faces(free, axis, periodic))
        faces = count + np.arange(int(open_face.sum()))
        rows += [faces, faces]
        columns += [below[open_face], above[open_face]]
        values += [np.sqrt(up[open_face]), -np.sqrt(down[open_face])]
        count += faces.size
    entries = np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))
    return sparse.csr_array(entries, shape=(count, grid.size))
