"""The checker finds planted wrong rules at every scale and size, and says when it cannot tell."""

from __future__ import annotations

from typing import Any

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


def planted_at(place: int, factor: float, wrong: str, scale: float = 1.0) -> Primitive:
    """scale * sin, with one entry of one of its two rules wrong by a factor."""

    def spoilt(x: Any) -> Any:
        slope = np.ones(np.shape(x))
        slope[place] = factor
        return slope

    @primitive
    def sine(x):
        return scale * np.sin(x)

    def slope(x, mode):
        right = scale * np.cos(x)
        return right * spoilt(x) if mode == wrong else right

    defvjp(sine, lambda g, ans, x: g * slope(x, "reverse"))
    defjvp(sine, lambda d, ans, x: d * slope(x, "forward"))
    return sine


@pytest.mark.parametrize("mode", ["reverse", "forward"])
@pytest.mark.parametrize("scale", [1e-7, 1e-6, 1.0, 1e6])
@pytest.mark.parametrize(("size", "factor"), [(10, 1.01), (1000, 0.5), (100_000, -5.0)])
def test_one_wrong_entry_among_many_is_caught(
    mode: str, scale: float, size: int, factor: float
) -> None:
    x = np.linspace(0.1, 1.2, size)
    for place in (0, size // 3, -1):
        wrong = planted_at(place, factor, mode, scale)
        with pytest.raises(GradientError, match=f"{mode} mode"):
            check_grads(wrong, x, order=1, directions=1, modes=[mode])
        with pytest.raises(GradientError, match=f"{mode} mode"):
            check_grads(lambda x, f=wrong: np.sum(f(x)), x, order=1, directions=1, modes=[mode])


def test_a_million_elements() -> None:
    x = np.linspace(0.1, 1.2, 1_000_000)
    check_grads(planted(1.0, 1e-7, "none"), x, order=1, directions=1)
    with pytest.raises(GradientError, match="reverse mode"):
        check_grads(planted(-5.0, 1e-7, "reverse"), x, order=1, directions=1)
    with pytest.raises(GradientError, match="forward mode"):
        check_grads(planted_at(123_456, -5.0, "forward"), x, order=1, directions=1)


@pytest.mark.parametrize("scale", [1e-150, 1e-6, 1e6, 1e100])
def test_the_scale_of_the_arguments_does_not_matter(scale: float) -> None:
    def of_scaled(factor: float) -> Primitive:
        cube = primitive(lambda x: np.sinh(x / scale) * 1e-7)
        defvjp(cube, lambda g, ans, x: g * np.cosh(x / scale) * (1e-7 * factor / scale))
        defjvp(cube, lambda d, ans, x: d * np.cosh(x / scale) * (1e-7 / scale))
        return cube

    x = scale * np.array([0.3, 0.8, 1.1])
    check_grads(of_scaled(1.0), x, order=1)
    for factor in (-5.0, 0.0, 1.001):
        with pytest.raises(GradientError, match="reverse mode"):
            check_grads(of_scaled(factor), x, order=1)


def test_wrong_second_derivatives_are_caught_every_time() -> None:
    """Rules that are right, made of a function whose own rules are wrong by a factor of -5."""
    slope = primitive(lambda x: 1e-7 * np.cos(x))
    defvjp(slope, lambda g, ans, x: g * (5e-7 * np.sin(x)))
    defjvp(slope, lambda d, ans, x: d * (5e-7 * np.sin(x)))
    sine = primitive(lambda x: 1e-7 * np.sin(x))
    defvjp(sine, lambda g, ans, x: g * slope(x))
    defjvp(sine, lambda d, ans, x: d * slope(x))
    x = np.linspace(0.2, 2.5, 5)
    check_grads(sine, x, order=1)
    for seed in range(50):
        with pytest.raises(GradientError, match="differentiated again"):
            check_grads(sine, x, seed=seed)


def test_a_rule_that_is_wrong_for_complex_numbers_only_is_caught() -> None:
    square = primitive(lambda z: z * z)
    defvjp(square, lambda g, ans, z: g * 2 * np.conj(z))
    defjvp(square, lambda d, ans, z: d * 2 * z)
    check_grads(square, np.array([0.3, 0.8]))
    with pytest.raises(GradientError, match="reverse mode"):
        check_grads(square, np.array([0.3 + 1j, 0.8 - 2j]), order=1)
    with pytest.raises(GradientError, match="reverse mode"):
        check_grads(lambda x: np.real(square(x * (1 + 2j))), np.array([0.3, 0.8]), order=1)


def test_rules_that_are_not_finite_are_caught() -> None:
    for mode in ("reverse", "forward"):
        for value in (np.nan, np.inf, -np.inf):
            for wrong in (planted(value, 1.0, mode), planted_at(1, value, mode)):
                with pytest.raises(GradientError, match=f"{mode} mode"):
                    check_grads(wrong, np.array([0.3, 0.8]), order=1)


def test_one_wrong_argument_or_leaf_is_named() -> None:
    product = primitive(lambda x, y: x * y)
    defvjp(product, lambda g, ans, x, y: g * y, lambda g, ans, x, y: -5 * g * x)
    defjvp(product, lambda d, ans, x, y: d * y, lambda d, ans, x, y: d * x)
    with pytest.raises(GradientError, match=r"argument \[0\]\['b'\]"):
        check_grads(lambda p: product(p["a"], p["b"]), {"a": 0.3, "b": 0.8}, order=1)


@pytest.mark.parametrize("noise", [1e-3, 1e-6])
def test_noisy_functions_are_not_confirmed(noise: float) -> None:
    """A right and a wrong rule of a function with noise in its last digits: no false verdict."""

    def noisy(factor: float) -> Primitive:
        f = primitive(lambda x: np.sin(x) + noise * np.sin(1e9 * x))
        defvjp(f, lambda g, ans, x: factor * g * np.cos(x))
        return f

    x = np.array([0.3, 0.8, 1.1])
    verdicts = {}
    for factor in (1.0, -5.0):
        try:
            check_grads(noisy(factor), x, order=1, modes=["reverse"])
            verdicts[factor] = "passed"
        except (GradientError, InconclusiveError) as error:
            verdicts[factor] = type(error).__name__
    assert verdicts[1.0] in ("InconclusiveError", "passed" if noise < 1e-3 else "")
    assert verdicts[-5.0] in ("InconclusiveError", "GradientError")


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
