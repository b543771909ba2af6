r"""The weak form of a Fokker-Planck equation in functions orthonormal for its Gibbs measure, diagonalised.

rho = pi u, d_t int pi u g = -D int pi grad u . grad g for every g. `ProductFlow` when V is a sum over axes
(and on every line): one small eigenproblem per axis. `CoupledFlow` otherwise: one eigenproblem for
products of axis functions of total degree at most `modes`, assembled axis after axis.

A density is held as its coefficients in the axis functions; `modal` and `nodal` turn them into those in
the eigenfunctions, of which every one decays at its own of `rates`, and back. The eigenproblem is solved
when it is first asked for: whether the functions resolve a density is known before.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence
from functools import cached_property

import numpy as np

from wgf.measures import Grid
from wgf.schemes.grid.spectral.axis import Array
from wgf.schemes.grid.spectral.quadratures import Function, Quadratures, outer, tensor_points

SHELL = 0.9  # degrees above this share of the highest one are the tail that must be small
DEGREE_ROUNDING = 1e-12  # of a degree over the highest one: sums of fractions that make 1


def along(matrices: Sequence[Array], values: Array) -> Array:
    """The matrices (m_k, n_k) applied along the axes of values (n_1, ..., n_d)."""
    for axis, matrix in enumerate(matrices):
        values = np.moveaxis(np.tensordot(matrix, values, axes=(1, axis)), 0, axis)
    return values


class ProductFlow:
    """pi a product over axes: eigenfunctions are products, rates are sums. q: its quadratures."""

    def __init__(self, q: Quadratures) -> None:
        self.q = q
        masses = [
            w * q.line_gibbs(axis, x) for axis, (x, w) in enumerate(zip(q.nodes, q.weights, strict=True))
        ]
        self._roots = [np.sqrt(m) for m in masses]
        self._bases = [q.axis_basis(axis, root) for axis, root in enumerate(self._roots)]
        self._reading = []
        for axis, basis in enumerate(self._bases):
            root = np.sqrt(q.line_gibbs(axis, q.reading[axis]))
            functions = (basis.at(q.reading[axis], root) * root).T
            n, share = q.grid.cells[axis], q.shares[axis]
            self._reading.append(np.tensordot(share, functions.reshape(n, share.size, -1), axes=(0, 1)))

    @cached_property
    def _decomposed(self) -> tuple[list[Array], Array]:
        """Per axis the eigenvectors as columns; the rates of all products."""
        turns, rates = [], []
        for basis in self._bases:
            # Singular values of the gradient, not eigenvalues of its square: small rates keep their digits.
            turn, gradients, _ = np.linalg.svd(basis.slopes * np.sqrt(self.q.diffusion), full_matrices=False)
            turns.append(turn[:, ::-1])
            rates.append(gradients[::-1] ** 2)
        return turns, functools.reduce(np.add.outer, rates)

    @property
    def rates(self) -> Array:
        """The decay rate of every mode."""
        return self._decomposed[1]

    def modal(self, coefficients: Array) -> Array:
        """Coefficients in the eigenfunctions from those in the axis functions."""
        return along([turn.T for turn in self._decomposed[0]], coefficients)

    def nodal(self, series: Array) -> Array:
        """The inverse of `modal`."""
        return along(self._decomposed[0], series)

    def project(self, density: Array) -> Array:
        """The coefficients of a density given at the nodes."""
        weighted = divided(density * outer(self.q.weights), outer(self._roots))
        return along([basis.values for basis in self._bases], weighted)

    def rebuilt(self, coefficients: Array) -> Array:
        """The density of these coefficients, times the quadrature weights, at the nodes."""
        return along([basis.values.T for basis in self._bases], coefficients) * outer(self._roots)

    def currents(self, coefficients: Array) -> list[Array]:
        """Per axis D pi d_k u, minus the mass that flows, times the quadrature weights, at the nodes."""
        found = []
        for axis in range(len(self._bases)):
            rows = [b.slopes if k == axis else b.values for k, b in enumerate(self._bases)]
            found.append(self.q.diffusion * along([r.T for r in rows], coefficients) * outer(self._roots))
        return found

    def averages(self, coefficients: Array) -> Array:
        """Its cell averages."""
        return along(self._reading, coefficients)

    def tail(self, coefficients: Array) -> float:
        """Norm in L2(pi) of the part of rho/pi in the highest degrees of any axis; it bounds its L1 norm."""
        high = coefficients.copy()
        high[tuple(slice(0, int(SHELL * degree) + 1) for degree in self.q.modes)] = 0.0
        return float(np.linalg.norm(high))


class CoupledFlow:
    r"""Any smooth pi: f = rho/sqrt(pi) in products of functions orthonormal on their axes.

    psi_k = sqrt(w_k) p_j with w_k the marginals of pi and p_j their polynomials; total degree bounded. Since
    sqrt(pi) d_k (f/sqrt(pi)) = d_k f + f d_k V/(2 D) and d_k sqrt(w_k) = -sqrt(w_k) E[d_k V | x_k]/(2 D),
    only the coupling gamma_k = (d_k V - E[d_k V | x_k])/(2 D) has to be integrated over the box. The
    functions are orthonormal for any coupling; polynomials for pi itself are lost to rounding at degree 30.
    q: the quadratures.
    """

    def __init__(self, q: Quadratures, gradient: Function) -> None:
        self.q = q
        self._gradient = gradient
        axes = range(q.grid.dimension)
        self._marginals = [q.masses.sum(axis=tuple(k for k in axes if k != axis)) for axis in axes]
        self._bases = [q.axis_basis(axis, np.sqrt(m)) for axis, m in enumerate(self._marginals)]
        self._root = np.sqrt(q.masses)
        degrees = functools.reduce(np.add.outer, [np.arange(n + 1) / n for n in q.modes])
        self._chosen = tuple(np.argwhere(degrees <= 1 + DEGREE_ROUNDING).T)
        self._high = degrees[self._chosen] > SHELL
        seeds = [np.sqrt(q.marginal(axis)) for axis in axes]
        self._reading = [b.at(x, s).T for b, x, s in zip(self._bases, q.reading, seeds, strict=True)]
        self._weight = np.sqrt(q.gibbs(tensor_points(q.reading)))

    @cached_property
    def _decomposed(self) -> tuple[Array, Array]:
        """Eigenvectors as columns, rates."""
        from scipy.linalg import eigh

        rates, turn = eigh(self._operator(), driver="evd", overwrite_a=True)
        rates = np.maximum(rates, 0.0)
        rates[0] = 0.0  # that of sqrt(pi), which the functions resolve like everything else
        return turn, rates

    def _operator(self) -> Array:
        """D times the Gram matrix of sqrt(pi) grad(f/sqrt(pi))."""
        q, values = self.q, [basis.values for basis in self._bases]
        couplings = self._couplings
        operator = gram_matrix(np.square(couplings).sum(axis=0), values, values, self._chosen)
        for axis, (coupling, basis) in enumerate(zip(couplings, self._bases, strict=True)):
            mixed = [basis.slopes if k == axis else v for k, v in enumerate(values)]
            cross = gram_matrix(coupling, mixed, values, self._chosen)
            operator += cross
            operator += cross.T
            same = np.logical_and.reduce(
                [np.equal.outer(c, c) for k, c in enumerate(self._chosen) if k != axis]
            )
            stiffness = basis.slopes @ basis.slopes.T
            operator += np.where(same, stiffness[np.ix_(self._chosen[axis], self._chosen[axis])], 0.0)
        return q.diffusion * operator

    @cached_property
    def _couplings(self) -> list[Array]:
        """gamma_k at the nodes."""
        q, axes = self.q, range(self.q.grid.dimension)
        slopes = self._gradient(q.points) / (2 * q.diffusion)
        found = []
        for axis, marginal in enumerate(self._marginals):
            total = (q.masses * slopes[..., axis]).sum(axis=tuple(k for k in axes if k != axis))
            mean = divided(total, marginal).reshape([-1 if k == axis else 1 for k in axes])
            found.append(slopes[..., axis] - mean)
        return found

    @property
    def rates(self) -> Array:
        """The decay rate of every mode."""
        return self._decomposed[1]

    def modal(self, coefficients: Array) -> Array:
        """Coefficients in the eigenfunctions from those in the products of axis functions."""
        return self._decomposed[0].T @ coefficients

    def nodal(self, series: Array) -> Array:
        """The inverse of `modal`."""
        return self._decomposed[0] @ series

    def _tensor(self, coefficients: Array) -> Array:
        full = np.zeros([n + 1 for n in self.q.modes])
        full[self._chosen] = coefficients
        return full

    def project(self, density: Array) -> Array:
        """The coefficients of a density given at the nodes."""
        weighted = divided(density * outer(self.q.weights), self._root)
        return along([b.values for b in self._bases], weighted)[self._chosen]

    def rebuilt(self, coefficients: Array) -> Array:
        """The density of these coefficients, times the quadrature weights, at the nodes."""
        return self._root * along([b.values.T for b in self._bases], self._tensor(coefficients))

    def currents(self, coefficients: Array) -> list[Array]:
        """Per axis D pi d_k u, minus the mass that flows, times the quadrature weights, at the nodes."""
        table, found = self._tensor(coefficients), []
        f = along([b.values.T for b in self._bases], table)
        for axis, coupling in enumerate(self._couplings):
            rows = [b.slopes if k == axis else b.values for k, b in enumerate(self._bases)]
            slope = along([r.T for r in rows], table) + coupling * f
            found.append(self.q.diffusion * self._root * slope)
        return found

    def averages(self, coefficients: Array) -> Array:
        """Its cell averages."""
        return self.q.averaged(self._weight * along(self._reading, self._tensor(coefficients)))

    def tail(self, coefficients: Array) -> float:
        """Norm of the part of rho/sqrt(pi) in the highest total degrees; it bounds that part's L1 norm."""
        return float(np.linalg.norm(coefficients[self._high]))


def gram_matrix(
    weight: Array, left: Sequence[Array], right: Sequence[Array], chosen: tuple[Array, ...]
) -> Array:
    """sum_x weight(x) L_a(x) R_b(x), L_a the product of left[k][a_k] and R_b of right, for the chosen a, b.

    Contracted from the last axis to the first; the first one function at a time, to spare memory.
    """
    table = weight
    for axis in range(len(left) - 1, 0, -1):
        pairs = left[axis][:, None, :] * right[axis][None, :, :]
        # Axes of the table: x_1 to x_axis, then (a_k, b_k) of the axes that are done.
        table = np.moveaxis(np.tensordot(table, pairs, axes=(axis, 2)), (-2, -1), (axis, axis + 1))
    result = np.empty((chosen[0].size,) * 2)
    for a in range(left[0].shape[0]):
        rows = np.flatnonzero(chosen[0] == a)
        block = np.tensordot(left[0][a] * right[0], table, axes=(1, 0))
        pairs = [(c[rows][:, None], c[None, :]) for c in chosen[1:]]
        result[rows] = block[(chosen[0][None, :], *itertools.chain.from_iterable(pairs))]
    return result


def divided(values: Array, by: Array) -> Array:
    """values / by; 0 / 0 is 0, and what is lost where `by` underflows shows as infinity."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        return np.where(values == 0, 0.0, values / by)


def flow_of(
    potential: Function, gradient: Function, diffusion: float, grid: Grid, modes: Sequence[int], product: bool
) -> tuple[ProductFlow | CoupledFlow, Quadratures]:
    """The flow for a V that is a sum over axes (`product`) or not, and its quadratures."""
    q = Quadratures(potential, diffusion, grid, modes)
    return (ProductFlow(q) if product else CoupledFlow(q, gradient)), q
