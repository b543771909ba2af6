"""The closed forms of `validation/closed_forms.py` against brute-force minimisation sharing no formula."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.linalg import sqrtm
from scipy.optimize import approx_fprime, minimize

from validation import closed_forms
from wgf.measures import Barenblatt

TAU = 0.3


def bures_squared(a: np.ndarray, b: np.ndarray) -> float:
    """Squared W2 of centred Gaussians by matrix square roots."""
    root = np.real(sqrtm(a))
    return float(np.trace(a) + np.trace(b) - 2 * np.trace(np.real(sqrtm(root @ b @ root))))


def test_a_gaussian_step_minimises_over_all_gaussians_of_the_plane() -> None:
    angle = 0.4
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    cov, stiffness = turn @ np.diag([0.3, 2.0]) @ turn.T, turn @ np.diag([1.5, -0.4]) @ turn.T
    mean, center, diffusion = np.array([1.0, -2.0]), np.array([0.5, 0.5]), 0.7

    def objective(z: np.ndarray) -> float:
        root = np.array([[z[2], 0.0], [z[3], z[4]]])
        new, moved = root @ root.T, z[:2] - center
        energy = -0.5 * diffusion * np.log(np.linalg.det(new)) + 0.5 * np.trace(stiffness @ new)
        energy += 0.5 * moved @ stiffness @ moved
        return (bures_squared(cov, new) + np.sum((z[:2] - mean) ** 2)) / (2 * TAU) + energy

    best = minimize(objective, [0.0, 0.0, 1.0, 0.0, 1.0], method="BFGS", options={"gtol": 1e-9}).x
    root = np.array([[best[2], 0.0], [best[3], best[4]]])
    flow = closed_forms.gaussian_flow(
        mean, cov, TAU, 1, diffusion=diffusion, stiffness=stiffness, center=center
    )
    np.testing.assert_allclose(flow.means[1], best[:2], rtol=0, atol=1e-5)
    np.testing.assert_allclose(flow.covariances[1], root @ root.T, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("m", "dimension"), [(2.0, 1), (3.0, 2), (1.5, 3), (0.75, 1), (0.8, 2)])
@pytest.mark.parametrize("confinement", [0.0, 0.8])
def test_a_barenblatt_step_satisfies_the_optimality_of_the_step_pointwise(m, dimension, confinement) -> None:
    """(x - y)/tau = -grad(U'(rho) + V) at points, with the density of `wgf` and numerical derivatives."""
    l = closed_forms.barenblatt_flow(m, dimension, TAU, 1, confinement=confinement)[1]
    new = Barenblatt(dimension=dimension, m=m, t0=closed_forms.profile_time(l, m, dimension))

    def variation(x: np.ndarray) -> float:
        return m / (m - 1) * float(new.pdf(x)) ** (m - 1) + 0.5 * confinement * float(x @ x)

    rng = np.random.default_rng(3)
    for direction in rng.standard_normal((5, dimension)):
        x = 0.5 * new.scale * direction / np.linalg.norm(direction)
        force = -approx_fprime(x, variation, 1e-7)
        np.testing.assert_allclose((x - x / l) / TAU, force, rtol=0, atol=1e-5)


@pytest.mark.parametrize("dimension", [1, 2])
def test_a_barenblatt_step_minimises_over_all_radial_maps(dimension: int) -> None:
    """Shells of fixed mass, their radii free: the minimiser tends to the dilation (here within 3e-3)."""
    shells = 60
    start = Barenblatt(dimension=dimension, m=2.0, t0=1.0)
    radii = np.linspace(0, start.radius, shells + 1)
    fine = np.linspace(0, start.radius, 60 * shells + 1)
    middle = 0.5 * (fine[1:] + fine[:-1])
    surface = 2.0 if dimension == 1 else 2 * np.pi
    points = np.zeros((middle.size, dimension))
    points[:, 0] = middle
    density = start.pdf(points) * surface * middle ** (dimension - 1) * np.diff(fine)
    mass = density.reshape(shells, -1).sum(1)

    def volume(r: np.ndarray) -> np.ndarray:
        return np.diff(surface / dimension * r**dimension)

    def objective(log_gaps: np.ndarray) -> float:
        new = np.concatenate([[0.0], np.cumsum(np.exp(log_gaps))])
        moved = new - radii
        cost = mass @ (moved[1:] ** 2 + moved[1:] * moved[:-1] + moved[:-1] ** 2) / 3
        return cost / (2 * TAU) + float(np.sum(mass**2 / volume(new)))

    best = minimize(
        objective, np.log(np.diff(radii)), method="L-BFGS-B", options={"maxfun": 10**6, "maxiter": 3000}
    )
    new = np.concatenate([[0.0], np.cumsum(np.exp(best.x))])
    scale = np.sqrt((mass @ new[1:] ** 2) / (mass @ radii[1:] ** 2))
    exact = closed_forms.barenblatt_flow(2.0, dimension, TAU, 1)[1]
    np.testing.assert_allclose(scale, exact, rtol=3e-3, atol=0)
    assert abs(exact - 1) > 0.05  # the step is far longer than that tolerance


def observed(errors: list[float]) -> float:
    return float(np.log2(errors[-2] / errors[-1]))


@pytest.mark.parametrize(("scheme", "order"), [("jko", 1), ("bdf2", 2), ("midpoint", 2)])
def test_the_discrete_flows_tend_to_the_pde_with_their_order(scheme: str, order: int) -> None:
    dilation, spread, drift = [], [], []
    for steps in (40, 80, 160):
        l = closed_forms.barenblatt_flow(3.0, 2, 1 / steps, steps, confinement=0.7, scheme=scheme)[-1]
        dilation.append(abs(l - closed_forms.barenblatt_scale(1.0, 3.0, 2, confinement=0.7)))
        flow = closed_forms.gaussian_flow([1.5], 0.25, 1 / steps, steps, stiffness=1.0, scheme=scheme)
        spread.append(abs(flow.covariances[-1, 0, 0] - (1 - 0.75 * np.exp(-2))))
        drift.append(abs(flow.means[-1, 0] - 1.5 * np.exp(-1)))
    for errors in (dilation, spread, drift):
        assert abs(observed(errors) - order) < 0.05


def test_the_confined_scale_solves_its_differential_equation() -> None:
    """dl/dt = b l^-(d(m-1)+1) - kappa l, the limit of the scalar step."""
    m, d, kappa, t, h = 2.5, 2, 0.6, 0.4, 1e-4
    l = [closed_forms.barenblatt_scale(t + s, m, d, confinement=kappa) for s in (-h, 0.0, h)]
    b = closed_forms.profile_exponent(m, d)
    np.testing.assert_allclose(
        (l[2] - l[0]) / (2 * h), b * l[1] ** -(d * (m - 1) + 1) - kappa * l[1], rtol=1e-6, atol=0
    )


def test_covariances_that_do_not_commute_are_refused() -> None:
    with pytest.raises(ValueError, match="commute"):
        closed_forms.gaussian_flow([0, 0], [[1, 0], [0, 2]], 0.1, 1, stiffness=[[1, 0.5], [0.5, 1]])


def test_an_unknown_scheme_is_refused() -> None:
    with pytest.raises(ValueError, match="midpoint"):
        closed_forms.barenblatt_flow(2.0, 1, 0.1, 2, scheme="trapezium")
