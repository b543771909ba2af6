"""The functions users write energies with: `entropy() + potential(V) + interaction(W)`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wgf import checks
from wgf.energies.energy import Energy
from wgf.energies.interaction import Interaction
from wgf.energies.named import NegativeLogDensity
from wgf.energies.terms import Entropy, Internal, Potential, potential_kind
from wgf.measures.base import measure as measure_kind
from wgf.measures.base import require_density


def _exponent(name: str, value: Any, sizes: checks.Sizes) -> float:
    m = checks.positive(name, value)
    if m == 1:
        raise ValueError(f"{name} must not be 1, got {value!r}. For m = 1 write entropy().")
    return m


exponent_kind = checks.Kind("a finite number > 0 other than 1", _exponent, (*checks.positive.bad, 1.0))


@checks.checked()
def entropy() -> Energy:
    """The integral of rho log rho. Its flow is the heat equation d_t rho = Laplace(rho).

    >>> 2 * entropy()
    2 * entropy()

    Jordan, Kinderlehrer, Otto, 1998.
    """
    return Energy(((1.0, Entropy()),))


@checks.checked(m=exponent_kind)
def internal(m: float) -> Energy:
    """The integral of rho^m / (m - 1), m > 0, m != 1. Its flow is d_t rho = Laplace(rho^m).

    m > 1: porous medium (slow, compact supports); m < 1: fast diffusion (heavy tails).

    >>> internal(2)
    internal(2)

    Otto, 2001.
    """
    return Energy(((1.0, Internal(m)),))


@checks.checked(V=potential_kind, grad=checks.optional(checks.function))
def potential(V: Callable[..., Any], grad: Callable[..., Any] | None = None) -> Energy:
    """The integral of V rho. Its flow is transport along -grad V.

    V: plain NumPy, x of shape (..., d) to (...), or V(x, t). grad: its gradient (..., d) to (..., d),
    never needed; when given it is checked once against automatic differentiation.

    >>> potential(lambda x: 0.5 * (x**2).sum(-1)).potential_gradient([[3.0]]).tolist()
    [[3.0]]
    """
    return Energy(((1.0, Potential(V, grad)),))


@checks.checked(W=checks.function)
def interaction(W: Callable[[Any], Any]) -> Energy:
    """Half the double integral of W(x - y) rho(x) rho(y); W even, plain NumPy, (..., d) to (...).

    Its flow is d_t rho = div(rho grad(W * rho)); the half is already in the energy.

    >>> import wgf
    >>> interaction(lambda z: 0.5 * (z**2).sum(-1)).value(wgf.Particles([[0.0], [2.0]]))
    0.5

    McCann, 1997; Carrillo, McCann & Villani, 2003.
    """
    return Energy(((1.0, Interaction(W)),))


@checks.checked(target=measure_kind)
def kl(target: Any) -> Energy:
    """KL(rho | target) = entropy() + potential(-log target). Its flow is the Fokker-Planck equation.

    target: a measure with `pdf` (or `log_density`); MeasureError otherwise. Least value 0, at the target.

    >>> import wgf
    >>> round(kl(wgf.Gaussian(0, 1)).value(wgf.Gaussian(1, 1)), 6)
    0.5
    """
    return entropy() + potential(NegativeLogDensity(require_density(target, "target", "kl")))
