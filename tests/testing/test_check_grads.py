"""The checker finds planted wrong rules at every scale and size, and says when it cannot tell."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.errors import ArgumentError
from retrograd.extend import Primitive, defjvp, defvjp, primitive
from retrograd.testing import GradientError, InconclusiveError, check_grads


def planted(factor: float, scale: float, wrong: str) -> Primitive:
    """scale * sin, with one of its two rules wrong by a factor."""

    @primitive
    def sine(x):
        return scale * np.sin(x)

    reverse, forward = (factor if wrong == mode else 1.0 for mode in ("reverse", "forward"))
    defvjp(sine, lambda g, ans, x: g * (reverse * scale) * np.cos(x))
    defjvp(sine, lambda d, ans, x: d * (forward * scale) * np.cos(x))
    return sine


@pytest.mark.parametrize("scale", [1e-20, 1e-7, 1.0, 1e7, 1e20])
@pytest.mark.parametrize("size", [1, 10, 200_000])
def test_right_rules_pass(scale: float, size: int) -> None:
    x = np.linspace(0.1, 3.0, size)
    check_grads(planted(1.0, scale, "none"), x, order=1 if size > 10 else 2)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("scale", [1e-20, 1e-7, 1.0, 1e7])
@pytest.mark.parametrize("size", [1, 10, 200_000])
@pytest.mark.parametrize("factor", [-5.0, 0.0, 1.001])
def test_wrong_factors_are_caught(mode: str, scale: float, size: int, factor: float) -> None:
    wrong = planted(factor, scale, mode)
    with pytest.raises(GradientError, match=f"{mode} mode, argument"):
        check_grads(wrong, np.linspace(0.1, 3.0, size), order=1)


def test_wrong_factors_are_caught_every_time() -> None:
    caught = 0
    for seed in range(200):
        try:
            check_grads(
                planted(-5.0, 1e-7, "reverse"), np.linspace(0.1, 3.0, 5), seed=seed, order=1
            )
        except GradientError:
            caught += 1
    assert caught == 200


def test_small_parts_are_not_hidden_by_large_ones() -> None:
    small, x = planted(-5.0, 1e-7, "reverse"), np.array([0.3, 0.8])
    with pytest.raises(GradientError):
        check_grads(lambda a: (1e7 * a, small(a)), x, order=1)
    with pytest.raises(GradientError):
        check_grads(lambda a, b: 1e3 * np.sum(a) + 1e6 * np.sum(small(b)), x, x, order=1)


def test_a_wrong_second_derivative_is_caught() -> None:
    @primitive
    def square(x):
        return x * x

    @primitive
    def slope(x):
        return 2 * x

    defvjp(square, lambda g, ans, x: g * slope(x))
    defjvp(square, lambda d, ans, x: d * slope(x))
    defvjp(slope, lambda g, ans, x: g * 3)
    defjvp(slope, lambda d, ans, x: d * 2)
    x = np.array([0.3, 0.8])
    check_grads(square, x, order=1)
    check_grads(square, x, modes=("forward",))
    with pytest.raises(GradientError, match="differentiated again in reverse mode"):
        check_grads(square, x)


def test_a_dropped_conjugate_is_caught() -> None:
    @primitive
    def conj(z):
        return np.conj(z)

    defvjp(conj, lambda g, ans, z: g)
    defjvp(conj, lambda d, ans, z: np.conj(d))
    z = np.array([0.3 + 1j, 0.8 - 2j])
    check_grads(conj, z, modes=("forward",))
    with pytest.raises(GradientError):
        check_grads(conj, z, modes=("reverse",))


def test_noise_is_said_to_be_inconclusive() -> None:
    hidden = lambda x: 1e9 + 1e-9 * np.sin(x)  # noqa: E731
    with pytest.raises(InconclusiveError, match="nothing can be said"):
        check_grads(hidden, np.array([0.3]), order=1)
    with pytest.raises(InconclusiveError, match="not finite"):
        check_grads(np.log, np.array([0.5, np.inf]), order=1)


def test_a_jump_is_never_confirmed() -> None:
    with pytest.raises((InconclusiveError, GradientError)):
        check_grads(lambda x: np.floor(x) * 1.0, np.array([1.0]), order=1)


def test_exact_zeros_pass() -> None:
    check_grads(lambda x: x * 0.0, np.array([0.3]))
    check_grads(lambda x: np.zeros(0), np.array([0.3]))
    check_grads(lambda x: x[:0], np.array([0.3]))


def test_single_precision() -> None:
    x = np.array([0.3, 0.8], np.float32)
    check_grads(np.tanh, x, order=1)
    with pytest.raises(GradientError):
        check_grads(planted(1.2, 1e-7, "reverse"), x, order=1)


def test_containers() -> None:
    check_grads(lambda p: {"y": p["a"] * p["b"][0]}, {"a": 0.3, "b": (np.array([1.0, 2.0]),)})


@pytest.mark.parametrize(
    "options", [{"modes": ("sideways",)}, {"order": 0}, {"directions": 0}], ids=str
)
def test_unknown_options(options) -> None:
    with pytest.raises(ArgumentError, match="check_grads"):
        check_grads(np.sin, 0.3, **options)


def test_what_is_no_float_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no float"):
        check_grads(np.sin, 3)
    with pytest.raises(ArgumentError, match="returned int64"):
        check_grads(lambda x: np.floor(x).astype(int), np.array([0.3]))
