r"""The dual problem of one JKO step on cells: its potentials, its primal-dual gap and its ascent.

    maximise over phi   J(phi) = int phi^c d mu - int U*(-phi - V),
    phi^c(y) = min_x |x - y|^2 / (2 tau) - phi(x).

J is concave, and its gradient is

    g = (U*)'(-phi - V) - T_phi # mu,    T_phi^-1(x) = x - tau grad phi(x),

the density that the potential asks for minus the density that the transport brings. At the optimum both are
the minimiser and phi = -(U'(rho) + V) + const on its support. For a c-concave phi the pair (T # mu, phi) has
the primal-dual gap int U(T # mu) + U*(-phi - V) + (phi + V) T # mu: the transport costs cancel, what is left
is non-negative in every cell and of the second order in g. Since the step's functional is 1/tau-convex along
transport (convex V), T # mu is within sqrt(2 tau gap) of the minimiser in W2: that bound stops the iteration.

Newton's equation takes its two coefficients from the two densities, and each coefficient is the secant
between them where they differ: a tangent of exp, followed from far below, ends exponentially far above. Where
mass is everywhere (entropy) the far tails weigh next to nothing, so a share of the largest coefficients is
added everywhere (Levenberg-Marquardt), which falls with g and keeps the update of the tails smooth. Densities
that jump need more: see `jumps`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wgf.errors import ConvergenceError
from wgf.kernels.c_transform import c_transform
from wgf.kernels.pushforward import Faces, faces, pull, slopes
from wgf.schemes.internal_energy import InternalEnergy
from wgf.schemes.jko.back_and_forth.jumps import Shore, recalled, shore
from wgf.schemes.jko.back_and_forth.linear import ascent_direction, preconditioner

Array = np.ndarray
MASS = 2e-15  # relative, at which the multiplier has nothing left to add
MULTIPLIER = 100  # iterations; halving a bracket alone takes 60
FLATTER = 1e-3  # relative difference of densities below which the gap is its leading term
ALIKE = 1e-6  # and below which a secant is the tangent
OVERSHOOT = 0.9  # a step may pass the maximum of J along it until the slope is this share of the first
TURNED = 0.5  # the same where nothing but the slope judges a step
LOOSE, STRICT = 0.2, 0.01  # share of Newton's right-hand side left over: cheap steps, or few
SHORTEST, CUTS = 0.1, 12
DAMPED = 0.001  # Levenberg-Marquardt: share of the constant coefficients per mass out of place
HALTED = 0.3  # share of the tangent where a cell receives nothing and shall empty itself
CAREFUL = 2.0  # of the damping after a step cut short, where the gap is no judge
BOOST, RELAXED = 8.0, 4.0  # of the damping after a step that widened the gap, and after one that did not
PATIENCE, PATIENT, PROGRESS = (
    16,
    50,
    0.9,
)  # ascents (second: where the gap may widen) in which it must shrink to this share
TOLERATED = 10.0  # times tol: what a search may leave that no longer moves, in far tails
CLOSED, SHUT = 1e-9, 1.0  # cells: least widths of two boxes in the coefficients of what they hold and ask
AJAR = 0.1  # in place of SHUT where boxes beyond a jump are thin by right
TINY = 1e-300


class Assessment(NamedTuple):
    """A potential normalised to mass 1 and what it says: rho asked for, brought by transport, their gap."""

    phi: Array
    rho: Array
    brought: Array
    faces: Faces
    gap: float

    @property
    def gradient(self) -> Array:
        """What is asked for minus what is brought."""
        return self.rho - self.brought

    @property
    def misplaced(self) -> float:
        """Mass out of place, 0 to 2 (before the cell volume)."""
        return float(np.abs(self.gradient).sum())


@dataclass(frozen=True, eq=False)
class DualStep:
    """One JKO step on a box of cells (n0, n1, n2), the first of length 1 in the plane and on the line.

    mu: the density before, mass 1. V: the potential. strengths: tau / h_k^2, 0 along axes of one cell.
    share: which push-forward (see `kernels.pushforward.pull`). jumps: whether to treat them (see `jumps`).
    """

    mu: Array
    V: Array
    internal: InternalEnergy
    strengths: Array
    volume: float
    share: bool
    jumps: bool = True

    def assess(self, phi: Array) -> Assessment:
        """Normalise phi by the mass shift and compare the two densities."""
        phi, rho = self.normalised(phi)
        sides = self.faces_of(phi)
        brought = np.empty_like(rho)
        pull(self.mu, *self._slopes, *sides, self.share, brought)
        np.maximum(brought, 0.0, out=brought)
        brought /= brought.sum() * self.volume
        return Assessment(phi, rho, brought, sides, self.gap(phi, rho, brought))

    @property
    def _slopes(self) -> tuple[Array, Array, Array]:
        if "slopes" not in self.__dict__:
            self.__dict__["slopes"] = slopes(self.mu)
        return self.__dict__["slopes"]

    @property
    def shore(self) -> Shore | None:
        """Where a density jumps that spreads without limit."""
        if "shore" not in self.__dict__:
            self.__dict__["shore"] = shore(self.mu) if self.jumps and self.internal.floor == -np.inf else None
        return self.__dict__["shore"]

    @property
    def on_a_line(self) -> bool:
        """In one dimension g is the gradient of J exactly, and transforms cost nothing."""
        return sum(n > 1 for n in self.mu.shape) == 1

    def faces_of(self, phi: Array, strengths: Array | None = None) -> Faces:
        """Images of the faces under x - tau grad phi (or other strengths), in cells."""
        shape = phi.shape
        sides = tuple(np.empty(tuple(n + (k == axis) for k, n in enumerate(shape))) for axis in range(3))
        faces(phi, self.strengths if strengths is None else strengths, *sides)
        return sides[0], sides[1], sides[2]

    def normalised(self, phi: Array) -> tuple[Array, Array]:
        """phi shifted by a constant so that (U*)'(-phi - V) has mass 1, and that density.

        Newton on the logarithm of the mass (exact for the entropy), inside a bracket.
        """
        internal, volume = self.internal, self.volume
        psi = phi + self.V
        least = float(psi.min())
        low, high = least + internal.derivative(np.array([1 / (psi.size * volume), 1 / volume]))
        shift = 0.0 if low <= 0 <= high else float(high)
        rho = internal.inverse(shift - psi)
        for _ in range(MULTIPLIER):
            mass = float(rho.sum()) * volume
            if abs(mass - 1) <= MASS:
                break
            low, high = (low, min(high, shift)) if mass > 1 else (max(low, shift), high)
            slope = float(internal.slope(shift - psi).sum()) * volume
            with np.errstate(all="ignore"):
                new = shift - np.log(mass) * mass / slope if mass > 0 and slope > 0 else np.inf
            new = float(new) if low <= new <= high else float(0.5 * (low + high))
            if new == shift:
                break
            shift = new
            rho = internal.inverse(shift - psi)
        rho /= rho.sum() * volume
        return phi - shift, rho

    def gap(self, phi: Array, rho: Array, brought: Array) -> float:
        """int U(brought) + U*(p) - p brought at p = -phi - V: non-negative, small differences exactly."""
        p = -phi - self.V
        internal = self.internal
        apart = brought - rho
        close = np.abs(apart) <= FLATTER * rho
        direct = internal.value(brought) + internal.pressure(rho) - p * brought
        with np.errstate(all="ignore"):
            bend = np.where(rho > 0, internal.second(np.where(rho > 0, rho + apart / 3, 1.0)), 0.0)
        return float(np.where(close, 0.5 * bend * apart * apart, np.maximum(direct, 0.0)).sum()) * self.volume

    def lifted(self, now: Assessment) -> Assessment:
        """Empty cells raised to the c-concave envelope of the others: where the transport would go next.

        The two c-transforms of phi change nothing where mass arrives (up to the width of a cell), and
        carry the potential on into the vacuum.
        """
        empty = now.brought == 0
        if not empty.any():
            return now
        return self.assess(np.where(empty, np.maximum(now.phi, self.envelope(now.phi)), now.phi))

    def envelope(self, phi: Array) -> Array:
        """The smallest c-concave function above phi, on the cells: phi^cc, -inf where phi is not given."""
        curvatures = [0.5 / s if s > 0 else 1.0 for s in self.strengths]
        # one cell beyond every wall, so that the half cell before the wall can be sent there
        margin = [(1, 1) if n > 1 else (0, 0) for n in phi.shape]
        padded = np.pad(phi, margin, constant_values=-np.inf)
        inside = tuple(slice(low, low + n) for (low, _), n in zip(margin, phi.shape, strict=True))
        return np.ascontiguousarray(c_transform(c_transform(padded, curvatures), curvatures)[inside])

    def cropped(self, window: tuple[slice, slice, slice]) -> DualStep:
        """The same step on a window of the cells, whose sides nothing passes."""
        return DualStep(
            np.ascontiguousarray(self.mu[window]),
            np.ascontiguousarray(self.V[window]),
            self.internal,
            self.strengths,
            self.volume,
            self.share,
            self.jumps,
        )

    def direction(self, now: Assessment, damping: float, recall: bool = True) -> tuple[Array, int]:
        """Newton's ascent direction at an assessed potential, and the pairs of transforms it took.

        recall: with a jump, linearise where the faces belong (see `jumps`).
        """
        internal = self.internal
        compact = internal.floor > -np.inf
        p = -now.phi - self.V
        tangent = internal.slope(p)
        either = np.maximum(now.rho, now.brought)
        with np.errstate(all="ignore"):
            secant = (now.brought - now.rho) / (internal.derivative(np.maximum(now.brought, TINY)) - p)
        differ = (np.abs(now.gradient) > ALIKE * either) & (secant > 0) & np.isfinite(secant)
        weight = np.where(differ, secant, np.where(now.brought > 0, tangent, HALTED * tangent))
        live = (either > 0) if compact else np.ones(either.shape, dtype=bool)
        weight += live * (damping * float(tangent[now.rho >= 0.5 * now.rho.max()].max()))
        narrow = SHUT if self.shore is None or self.on_a_line else AJAR
        contents = [_conductance(now, axis, narrow) for axis in range(3)]
        wanted = now.gradient
        if recall and self.shore is not None:
            wanted = wanted.copy()
            for axis, n in enumerate(wanted.shape):
                if n > 1:
                    contents[axis] = self._recall(self.shore, now, axis, contents[axis], wanted)
        conductances = tuple(
            strength * (content + damping * float(either.max()) * live)
            for strength, content in zip(self.strengths, contents, strict=True)
        )
        density = either if compact else _mean_conductance(conductances, self.strengths)
        shape = preconditioner(weight, density, self.strengths, compact)
        forcing = STRICT if self.on_a_line or self.shore is not None else LOOSE
        return ascent_direction(wanted, weight, conductances, shape, forcing)

    def _recall(self, shore: Shore, now: Assessment, axis: int, content: Array, wanted: Array) -> Array:
        """The content per length where the faces belong; what brings them there is added to `wanted`."""
        n = wanted.shape[axis]
        below, above = _pair(axis, 0, n - 1), _pair(axis, 1, n)
        place = np.arange(1.0, n).reshape([-1 if k == axis else 1 for k in range(3)])
        moved = place - self.strengths[axis] * (now.phi[above] - now.phi[below])
        away, there = recalled(shore, self.mu, now.rho, now.faces, moved, axis)
        content = np.maximum(content, there)
        flow = (content * away)[below]
        wanted[below] -= flow
        wanted[above] += flow
        return content

    def ascend(self, now: Assessment, boost: float) -> tuple[Assessment, bool]:
        """One ascent: direction, a step whose slope of J has not turned around, the vacuum lifted.

        boost: of the damping, 0 for an undamped step where the density is compact. Also says whether the
        whole step was taken.
        """
        damping = min(1.0, boost * DAMPED * now.misplaced * self.volume)
        direction, _ = self.direction(now, damping)
        slope, length = float(np.vdot(now.gradient, direction)), 1.0
        if not slope > 0 and self.shore is not None:
            direction, _ = self.direction(now, damping, recall=False)
            slope = float(np.vdot(now.gradient, direction))
        overshoot = TURNED if self.trusting else OVERSHOOT
        trial = now
        for _ in range(CUTS):
            trial = self.assess(now.phi + length * direction)
            later = float(np.vdot(trial.gradient, direction))
            if later >= -overshoot * slope:
                break
            length *= max(SHORTEST, slope / (slope - later)) if slope > 0 else SHORTEST
        return self.lifted(trial) if self.internal.floor > -np.inf else trial, length == 1.0

    @property
    def trusting(self) -> bool:
        """Whether steps are judged by the slope of J alone: the gap widens on the way out of a jump."""
        return self.shore is not None or (self.on_a_line and self.internal.floor == -np.inf)

    def moved(self, now: Assessment) -> float:
        """The W2 distance from mu to the density asked for, by its potential, in cells of the finest axis."""
        total = 0.0
        for axis, side in enumerate(now.faces):
            n = now.rho.shape[axis]
            if n == 1:
                continue
            places = np.arange(n + 1.0).reshape([-1 if k == axis else 1 for k in range(3)])
            squared = (side - places) ** 2
            mean = 0.5 * (squared.take(range(n), axis) + squared.take(range(1, n + 1), axis))
            total += float((now.rho * mean).sum()) * float(self.strengths.max() / self.strengths[axis])
        return float(np.sqrt(total * self.volume))

    def residual(self, now: Assessment) -> float:
        """sqrt(2 tau gap), which bounds the W2 distance to the minimiser, over the way gone or a cell."""
        off = np.sqrt(2 * self.strengths.max() * now.gap)
        return float(off / max(1.0, self.moved(now)))

    def solve(self, now: Assessment, tol: float, iterations: int) -> tuple[Assessment, int]:
        """The potential at which the residual is at most `tol`, and the ascents taken.

        One is always taken, so that steps too short for tol still move. A search that no longer moves, or is
        out of iterations, ends with the least gap seen if that is tolerable.
        """
        boost, count, mark, since, best = self.calm, 0, now.gap, 0, now
        patience = PATIENT if self.trusting else PATIENCE
        while count == 0 or not self.residual(now) <= tol:
            if now.gap <= best.gap:
                best = now
            if now.gap < PROGRESS * mark:
                mark, since = now.gap, count
            if count - since >= patience or count == iterations:
                if count > 0 and self.residual(best) <= TOLERATED * tol:
                    return best, count
                raise ConvergenceError(
                    f"a back-and-forth JKO step stopped at the residual {self.residual(best):.1e} "
                    f"(tol = {tol:.1e}) after {count} of {iterations} iterations on "
                    f"{' x '.join(map(str, now.phi.shape))} cells. Use a smaller dt, more iterations=, a "
                    "larger tol= or more cells=."
                )
            now, boost = self.improved(now, boost)
            count += 1
        return now, count

    @property
    def calm(self) -> float:
        """The boost of the damping while all goes well: none where a density has an edge."""
        return 0.0 if self.internal.floor > -np.inf else 1.0

    def improved(self, now: Assessment, boost: float) -> tuple[Assessment, float]:
        """One ascent with this boost of the damping, kept if it narrows the gap; the boost of the next."""
        trial, whole = self.ascend(now, boost)
        if self.trusting:
            return trial, max(self.calm, boost / RELAXED) if whole else CAREFUL * boost
        if trial.gap < now.gap:
            return trial, max(self.calm, boost / RELAXED)
        return now, max(1.0, boost * BOOST)


def _conductance(now: Assessment, axis: int, narrow: float) -> Array:
    """Density at the preimages of the upper faces: content of the two cells over the width of their boxes.

    The larger of what is brought and what is asked for; the latter is not concentrated by boxes that a
    wall or a fold of the map has shut.
    """
    n = now.rho.shape[axis]
    result = np.zeros_like(now.rho)
    if n > 1:
        below, above = _pair(axis, 0, n - 1), _pair(axis, 1, n)
        side = now.faces[axis]
        width = side[_pair(axis, 2, n + 1)] - side[_pair(axis, 0, n - 1)]
        brought = (now.brought[below] + now.brought[above]) / np.maximum(width, CLOSED)
        asked = (now.rho[below] + now.rho[above]) / np.maximum(width, narrow)
        result[below] = np.maximum(brought, asked)
    return result


def _pair(axis: int, start: int, stop: int) -> tuple[slice, ...]:
    """Everything, but from start to stop along one axis."""
    return tuple(slice(start, stop) if k == axis else slice(None) for k in range(3))


def _mean_conductance(conductances: tuple[Array, ...], strengths: Array) -> Array:
    """The density that the conductances of a cell's faces stand for, on average."""
    total, count = np.zeros_like(conductances[0]), 0
    for axis, (c, strength) in enumerate(zip(conductances, strengths, strict=True)):
        n = c.shape[axis]
        if n == 1:
            continue
        inner = c.take(range(n - 1), axis) / (2 * strength)
        first, last = inner.take([0], axis), inner.take([-1], axis)
        total += np.concatenate([first, inner], axis) + np.concatenate([inner, last], axis)
        count += 1
    return total / count
