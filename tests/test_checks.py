"""Every kind of argument: what it takes and converts to, what it refuses and in which words."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from wgf import checks

# kind, (typed, converted) pairs
KINDS = {
    "finite": (checks.finite, [(2, 2.0), (np.float32(-0.5), -0.5), (np.array(3), 3.0)]),
    "positive": (checks.positive, [(1e-300, 1e-300), (np.int64(2), 2.0)]),
    "nonnegative": (checks.nonnegative, [(0, 0.0), (1.5, 1.5)]),
    "between": (checks.between(0.0, 1.0), [(0.5, 0.5)]),
    "integer": (checks.integer(2), [(2, 2), (np.int32(7), 7)]),
    "integer with a maximum": (checks.integer(2, 5), [(5, 5)]),
    "boolean": (checks.boolean, [(True, True), (np.bool_(False), False)]),
    "choice": (checks.choice("lie", "strang"), [("lie", "lie")]),
    "function": (checks.function, [(len, len)]),
    "path": (checks.path, [("a.npz", "a.npz"), (Path("a"), "a")]),
    "text": (checks.text, [("", "")]),
    "instance": (checks.instance("a slice", slice), [(slice(2), slice(2))]),
    "array": (checks.array("n", 2), [([[1, 2]], np.array([[1.0, 2.0]]))]),
    "points": (checks.points, [([[1.0, 2.0]], np.array([[1.0, 2.0]]))]),
    "cloud": (checks.cloud(), [([1, 2], np.array([[1.0], [2.0]])), ([[1, 2]], np.array([[1.0, 2.0]]))]),
    "weights": (checks.weights(), [([0.5, 0.5 + 1e-8], np.array([0.5, 0.5]))]),
    "bounds": (checks.bounds, [((-1, 2), ((-1.0, 2.0),)), ([(0, 1), (2, 3)], ((0.0, 1.0), (2.0, 3.0)))]),
    "optional": (checks.optional(checks.positive), [(None, None), (2, 2.0)]),
    "either": (
        checks.either("an integer or an array", checks.integer(1), checks.array("n")),
        [(3, 3), ([1.0], np.array([1.0]))],
    ),
}


@pytest.mark.parametrize("name", KINDS)
def test_good_values_are_converted(name):
    kind, cases = KINDS[name]
    for typed, converted in cases:
        result = kind("argument", typed)
        assert type(result) is type(converted)
        if isinstance(converted, np.ndarray):
            assert result.dtype == np.float64
            np.testing.assert_allclose(result, converted, rtol=0, atol=1e-7)
        else:
            assert result == converted


@pytest.mark.parametrize("name", [*KINDS, "rng"])
def test_every_declared_bad_value_is_refused_by_name(name):
    kind = checks.rng if name == "rng" else KINDS[name][0]
    assert kind.bad
    for value in kind.bad:
        with pytest.raises((TypeError, ValueError), match="^argument "):
            kind("argument", value)


def test_a_kind_that_accepts_everything_would_be_caught():
    lenient = checks.Kind("anything", lambda name, value, sizes: value, (1.0,))
    with pytest.raises(pytest.fail.Exception), pytest.raises(ValueError, match="argument"):
        lenient("argument", lenient.bad[0])


def test_a_refusal_names_the_argument_what_it_must_be_and_the_value():
    with pytest.raises(ValueError, match=r"^dt must be a finite number > 0, got nan\.$"):
        checks.positive("dt", float("nan"))
    with pytest.raises(TypeError, match=r"^dt must be a finite number > 0, got 'soon'\.$"):
        checks.positive("dt", "soon")
    with pytest.raises(ValueError, match=r"^x must be finite, got inf at index \(1, 0\)\.$"):
        checks.points("x", [[0.0], [np.inf]])
    with pytest.raises(ValueError, match=r"sum to 1, got the sum 2\. Divide by it\.$"):
        checks.weights()("w", np.ones(2))


def test_a_missed_choice_offers_the_nearest_option():
    kind = checks.choice("langevin", "fokker-planck")
    words = r"must be one of 'langevin', 'fokker-planck', got 'langevn' \(did you mean 'langevin'\?\)\.$"
    with pytest.raises(ValueError, match=words):
        kind("scheme", "langevn")
    with pytest.raises(ValueError, match=r"got 'zzz'\.$"):
        kind("scheme", "zzz")


def test_long_values_and_arrays_are_shown_in_short():
    assert checks.shown(np.zeros((3, 4))) == "an array of shape (3, 4) and type float64"
    assert len(checks.shown("x" * 1000)) <= 60


def test_float32_stays_and_integers_become_float64():
    assert checks.as_float("x", np.ones(2, np.float32)).dtype == np.float32
    assert checks.as_float("x", [1, 2]).dtype == np.float64


def test_an_rng_is_a_seed_or_a_generator():
    generator = np.random.default_rng(3)
    assert checks.rng("rng", generator) is generator
    assert checks.rng("rng", 3).random() == np.random.default_rng(3).random()


def test_weights_are_normalised_exactly():
    w = checks.weights()("w", np.full(7, 1 / 7) * (1 + 5e-7))
    assert abs(w.sum() - 1) < 1e-15
    with pytest.raises(ValueError, match=r"w must be >= 0, got -0.5 at index 1"):
        checks.weights()("w", [1.5, -0.5])


# ---------------------------------------------------------------------------------------- the decorator


@checks.checked(x=checks.points, y=checks.array("m", "d"), w=checks.optional(checks.weights("n")))
def paired(x, y, w=None):
    return x, y, w


@checks.checked(a=checks.positive)
class Held:
    def __init__(self, a, b=2):
        self.a, self.b = a, b


def test_arrays_of_one_call_share_their_sizes():
    x, y, w = paired(np.zeros((3, 2)), np.zeros((5, 2)), w=np.ones(3) / 3)
    assert (len(x), len(y), len(w)) == (3, 5, 3)
    with pytest.raises(ValueError, match=r"y must have shape \(m, 2\), got \(5, 3\)"):
        paired(np.zeros((3, 2)), np.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"w must have shape \(3,\), got \(4,\)"):
        paired(np.zeros((3, 2)), np.zeros((5, 2)), np.ones(4) / 4)


def test_sizes_of_one_call_do_not_reach_the_next():
    paired(np.zeros((3, 2)), np.zeros((5, 2)))
    assert paired(np.zeros((4, 1)), np.zeros((2, 1)))[0].shape == (4, 1)


def test_a_class_is_guarded_at_its_constructor_and_defaults_are_not_checked():
    assert (Held(1).a, Held(a=3, b="anything").b) == (1.0, "anything")
    with pytest.raises(ValueError, match="^a must be a finite number > 0, got 0"):
        Held(0)
    assert isinstance(Held(1), Held)


def test_every_door_is_registered_with_its_kinds():
    door = checks.REGISTRY[f"{__name__}.paired"]
    assert door.target is paired
    assert set(door.kinds) == {"x", "y", "w"}
    assert checks.REGISTRY[f"{__name__}.Held"].target is Held


def test_a_kind_for_no_argument_is_our_own_mistake():
    with pytest.raises(AssertionError, match="has no arguments"):
        checks.checked(z=checks.positive)(lambda a: a)


def test_either_takes_the_first_kind_that_accepts_and_is_bad_where_all_refuse():
    kind = checks.either("a name or a number", checks.text, checks.positive)
    assert kind("a", "x") == "x"
    assert kind("a", 2) == 2.0
    with pytest.raises(ValueError, match=r"^a must be a name or a number, got -1\.0\.$"):
        kind("a", -1.0)
    assert not any(isinstance(b, str) for b in kind.bad)
    assert -1.0 in [b for b in kind.bad if isinstance(b, float)]


def test_optional_takes_none_and_does_not_declare_it_bad():
    kind = checks.optional(checks.positive)
    assert all(b is not None for b in kind.bad)
    assert kind.words == "a finite number > 0, or None"
