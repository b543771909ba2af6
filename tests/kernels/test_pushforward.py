"""Push-forwards on cells: mass, positivity, exact cases, order, both forms alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wgf.kernels import pushforward
from wgf.kernels.pushforward import faces, ordered, pull, push, slopes

many = settings(max_examples=200, deadline=None)
SHAPES = [(1, 1, 30), (1, 13, 11), (5, 4, 6)]
STRENGTHS = np.array([0.7, 0.5, 0.9])


def sides_of(phi, strengths=STRENGTHS, run=faces):
    shape = phi.shape
    sides = tuple(np.empty(tuple(n + (k == axis) for k, n in enumerate(shape))) for axis in range(3))
    run(phi, strengths, *sides)
    return sides


def case(seed: int, shape: tuple[int, ...], roughness: float):
    """A density with vacuum and a potential, smooth or rough."""
    rng = np.random.default_rng(seed)
    rho = rng.random(shape) ** 3
    rho[rho < 0.2] = 0
    rho.flat[0] += 0.1
    return rho, roughness * rng.standard_normal(shape).cumsum(-1)


cases = st.builds(
    case, st.integers(0, 2**32 - 1), st.sampled_from(SHAPES), st.floats(-2, 1).map(lambda e: 10.0**e)
)


@many
@given(cases)
def test_mass_is_kept_and_nothing_becomes_negative(drawn) -> None:
    rho, phi = drawn
    sides, out = sides_of(phi), np.empty_like(rho)
    for slope in (slopes(rho), slopes(rho, sides)):
        push(rho, *slope, *sides, out)
        assert abs(out.sum() - rho.sum()) <= 1e-12 * rho.sum()
        assert out.min() >= -1e-15
    if rho.shape[0] == rho.shape[1] == 1:  # on the line the boxes cover every cell
        pull(rho, *slopes(rho), *sides, True, out)
        assert abs(out.sum() - rho.sum()) <= 1e-12 * rho.sum()


@pytest.mark.parametrize("shape", SHAPES)
def test_sharing_conserves_what_the_boxes_alone_do_not(shape) -> None:
    """A sheared smooth map: mass to 1e-12 when cells are shared out, off by the shear when they are not."""
    axes = [np.cos(np.pi * (np.arange(n) + 0.5) / n) if n > 1 else np.ones(1) for n in shape]
    phi = 2.0 * axes[0][:, None, None] * axes[1][:, None] * axes[2]
    rho = 1.5 + axes[0][:, None, None] * axes[1][:, None] * axes[2]
    sides, out = sides_of(phi), np.empty_like(rho)
    pull(rho, *slopes(rho), *sides, True, out)
    assert abs(out.sum() / rho.sum() - 1) <= 1e-12
    pull(rho, *slopes(rho), *sides, False, out)
    one_axis = sum(n > 1 for n in shape) == 1
    assert (abs(out.sum() / rho.sum() - 1) <= 1e-12) == one_axis


@pytest.mark.parametrize("kernel", ["push", "pull"])
def test_the_identity_changes_nothing_and_whole_cells_are_shifted(kernel) -> None:
    rho, _ = case(5, (1, 13, 11), 1.0)
    out = np.empty_like(rho)
    extra = (True,) if kernel == "pull" else ()
    run = getattr(pushforward, kernel)
    run(rho, *slopes(rho), *sides_of(np.zeros_like(rho)), *extra, out)
    np.testing.assert_allclose(out, rho, rtol=0, atol=1e-14)
    rho[:, :, -2:] = 0
    rho[:, :, :2] = 0
    shift = np.broadcast_to(np.arange(11.0) / STRENGTHS[2], rho.shape).copy()
    run(rho, *slopes(rho), *sides_of(shift), *extra, out)  # faces one cell down
    moved = -1 if kernel == "push" else 1
    np.testing.assert_allclose(out, np.roll(rho, moved, axis=2), rtol=0, atol=1e-13)


def test_on_the_line_pulling_takes_differences_of_the_distribution_function() -> None:
    """Exact for a density constant in cells, whatever the faces: the semi-discrete transport problem."""
    rng = np.random.default_rng(7)
    rho, phi = rng.random((1, 1, 50)), 3 * rng.standard_normal((1, 1, 50))
    sides, out = sides_of(phi), np.empty_like(rho)
    nothing = np.zeros_like(rho)
    pull(rho, nothing, nothing, nothing, *sides, True, out)
    cumulated = np.interp(sides[2].ravel(), np.arange(51.0), np.concatenate([[0], np.cumsum(rho)]))
    np.testing.assert_allclose(out.ravel(), np.diff(cumulated), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kernel", ["push", "pull"])
def test_smooth_push_forwards_are_second_order_at_least(kernel) -> None:
    """x -> x + a sin(2 pi x) / (2 pi) on a smooth density, in cell averages, against the exact image."""
    errors = []
    for n in (40, 80, 160):
        edges = np.linspace(0, 1, n + 1)

        def cdf(x):
            return x + 0.3 * np.sin(2 * np.pi * x) / (2 * np.pi)

        rho = (np.diff(cdf(edges)) * n).reshape(1, 1, n)
        image = edges + 0.4 * np.sin(2 * np.pi * edges) / (2 * np.pi)
        sides = sides_of(np.zeros_like(rho))
        sides[2][...] = image * n
        out = np.empty_like(rho)
        if kernel == "pull":
            pull(rho, *slopes(rho), *sides, True, out)
            exact = np.diff(cdf(image)) * n
        else:
            push(rho, *slopes(rho, sides), *sides, out)
            fine = np.linspace(0, 1, 100_001)
            preimage = np.interp(edges, fine + 0.4 * np.sin(2 * np.pi * fine) / (2 * np.pi), fine)
            exact = np.diff(cdf(preimage)) * n
        errors.append(np.abs(out.ravel() - exact).mean())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert (orders > 1.8).all()
    assert errors[-1] < 2e-4


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("roughness", [0.05, 3.0])
def test_the_compiled_forms_agree_with_the_references(shape, roughness) -> None:
    rho, phi = case(11, shape, roughness)
    truth = sides_of(phi, run=faces.reference)
    for found, expected in zip(sides_of(phi, run=faces.load(faces.cpu)), truth, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    a, b = np.empty(shape), np.empty(shape)
    for share in (True, False):
        pull.reference(rho, *slopes(rho), *truth, share, a)
        pull.load(pull.cpu)(rho, *slopes(rho), *truth, share, b)
        np.testing.assert_allclose(b, a, rtol=0, atol=1e-12)
    push.reference(rho, *slopes(rho), *truth, a)
    push.load(push.cpu)(rho, *slopes(rho), *truth, b)
    np.testing.assert_allclose(b, a, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", ["reference", "cpu"])
def test_faces_out_of_order_are_pooled_to_their_mean(form) -> None:
    """What least squares says; a running maximum would push all later faces along."""
    run = ordered.reference if form == "reference" else ordered.load(ordered.cpu)
    line = np.array([0.0, 1.0, 5.0, 2.0, 2.0, 4.0, 9.0, 7.0]).reshape(1, 1, -1)
    run(line, 2)
    np.testing.assert_allclose(line.ravel(), [0, 1, 3, 3, 3, 4, 7, 7], rtol=0, atol=1e-14)


def test_pooled_faces_are_the_slopes_of_the_convex_hull() -> None:
    """Hence the images of the c-concave envelope: no face lies outside the range of the faces it pools."""
    rng = np.random.default_rng(4)
    f = 0.5 * np.arange(40.0) ** 2 + 8 * rng.standard_normal(40)
    hull = f.copy()
    for i in range(40):  # lower convex hull by all chords
        for a in range(i + 1):
            for b in range(i, 40):
                if a < b:
                    hull[i] = min(hull[i], f[a] + (f[b] - f[a]) * (i - a) / (b - a))
    line = np.concatenate([[-1e3], np.diff(f), [1e3]]).reshape(1, 1, -1)
    ordered(line, 2)
    np.testing.assert_allclose(line.ravel()[1:-1], np.diff(hull), rtol=0, atol=1e-11)
