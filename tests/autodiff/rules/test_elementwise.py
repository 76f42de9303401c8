"""Elementwise functions at their special points, and what they refuse."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from scipy import special

import retrograd.numpy as rnp
from retrograd.autodiff import elementwise_grad, grad, hessian, jvp, value_and_grad, vjp
from retrograd.autodiff.trace import Traced
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads

BEHIND_A_WHERE = {
    "sqrt": (np.sqrt, 0.0), "cbrt": (np.cbrt, 0.0), "log": (np.log, 0.0), "log2": (np.log2, 0.0),
    "log10": (np.log10, 0.0), "log1p": (np.log1p, -1.0), "arcsin": (np.arcsin, 1.0),
    "arccos": (np.arccos, -1.0), "arccosh": (np.arccosh, 1.0), "arctanh": (np.arctanh, 1.0),
    "reciprocal": (np.reciprocal, 0.0), "power": (lambda x: x**0.5, 0.0),
    "power of an array": (lambda x: x ** np.full(3, 0.5), 0.0),
    "divide": (lambda x: 1 / x, 0.0), "divide by a part": (lambda x: x / x[:1], 0.0),
    "arctan2": (lambda x: np.arctan2(x, x), 0.0),
}  # fmt: skip


@pytest.mark.parametrize(("f", "at"), BEHIND_A_WHERE.values(), ids=BEHIND_A_WHERE)
def test_nothing_comes_back_from_a_singularity_behind_a_where(f: Any, at: float) -> None:
    x = np.array([at, at, at])

    def masked(x: Any) -> Any:
        with np.errstate(all="ignore"):
            values = f(x)
        return np.sum(np.where(x == at, 0.0, values))

    np.testing.assert_array_equal(grad(masked)(x), np.zeros(3))
    assert jvp(masked, (x,), (np.ones(3),))[1] == 0
    np.testing.assert_array_equal(hessian(masked)(x), np.zeros((3, 3)))


def test_the_other_elements_keep_their_derivative_behind_a_where() -> None:
    x = np.array([0.0, 4.0, -1.0, 0.25])

    def root(x: Any) -> Any:
        with np.errstate(invalid="ignore"):
            return np.where(x > 0, np.sqrt(x), 0)

    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(elementwise_grad(root)(x), [0, 0.25, 0, 1])
    assert elementwise_grad(root)(np.float32(0)).dtype == np.float32


@pytest.mark.parametrize("f", [np.sqrt, np.log, np.arccosh, np.arcsin, lambda x: x**-1.5])
def test_nothing_comes_back_from_beyond_the_domain(f: Any) -> None:
    x = np.array([0.5, -3.0, 1.5])
    inside = ~np.isnan(_quietly(f, x))

    def masked(x: Any) -> Any:
        return np.sum(np.where(inside, _quietly(f, x), 0.0) ** 2)

    with np.errstate(invalid="ignore"):
        g = grad(masked)(x)
        expected = 2 * f(x[inside]) * elementwise_grad(f)(x[inside])
    np.testing.assert_array_equal(g[~inside], 0)
    np.testing.assert_allclose(g[inside], expected)


def _quietly(f: Any, x: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return f(x)


def test_a_cotangent_of_zero_by_chance_keeps_its_own_derivative() -> None:
    x = np.array([4.0, 0.0, -2.0])

    def residual(x: Any) -> Any:  # zero, and so is the cotangent of x**-2, but not its derivative
        with np.errstate(divide="ignore"):
            return np.sum(np.where(x == 0, 0.0, x**-2 - np.array([1 / 16, 0, 1 / 4])) ** 2)

    with np.errstate(divide="ignore"):
        h = hessian(residual)(x)
    np.testing.assert_allclose(np.diag(h), [2 * (2 * 4.0**-3) ** 2, 0, 2 * (2 * 2.0**-3) ** 2])


def test_the_slope_of_a_root_at_zero_is_infinite() -> None:
    with np.errstate(divide="ignore"):
        assert grad(np.sqrt)(0.0) == np.inf
        assert grad(lambda x: x**0.5)(0.0) == np.inf
        assert jvp(np.cbrt, (0.0,), (1.0,))[1] == np.inf
        np.testing.assert_array_equal(elementwise_grad(np.sqrt)(np.zeros(2)), [np.inf, np.inf])


def test_large_arrays_are_searched_for_zeros_too() -> None:
    x = np.ones(5000)
    x[4321] = 0
    g = grad(lambda x: np.sum(np.where(x > 0, np.sqrt(x), 0)))(x)
    np.testing.assert_array_equal(g, np.where(x > 0, 0.5, 0))


def test_hypot_at_the_origin_has_subgradient_zero() -> None:
    assert grad(np.hypot, (0, 1))(0.0, 0.0) == (0.0, 0.0)
    x, y = np.array([0.0, 3.0]), np.array([0.0, 4.0])
    np.testing.assert_allclose(elementwise_grad(np.hypot)(x, y), [0, 0.6])
    assert jvp(np.hypot, (0.0, 0.0), (1.0, 1.0))[1] == 0
    assert np.isfinite(hessian(lambda x: np.hypot(x[0], x[1]))(np.zeros(2))).all()


def test_absolute_at_zero_has_subgradient_zero() -> None:
    assert grad(np.abs)(0.0) == 0
    np.testing.assert_array_equal(vjp(np.abs, np.zeros(2, complex))[1](np.ones(2))[0], [0, 0])


def test_sinc_and_its_derivatives_near_zero() -> None:
    assert grad(np.sinc)(0.0) == 0
    assert grad(grad(np.sinc))(0.0) == pytest.approx(-(np.pi**2) / 3, rel=1e-14)
    assert grad(grad(grad(grad(np.sinc))))(0.0) == pytest.approx(np.pi**4 / 5, rel=1e-12)
    for x in (1e-9, 1e-3, 0.2499, 0.2501):
        t = np.longdouble(np.pi) * np.longdouble(x)
        exact = sum((-1) ** k * 2 * k * t ** (2 * k - 1) / special.factorial(2 * k + 1, exact=True)
                    for k in range(1, 15)) * np.longdouble(np.pi)  # fmt: skip
        assert grad(np.sinc)(x) == pytest.approx(float(exact), rel=1e-14)
    np.testing.assert_allclose(
        elementwise_grad(np.sinc)(np.array([0.0, 0.5, -0.5])), [0, -4 / np.pi, 4 / np.pi]
    )


@pytest.mark.parametrize("x", [1e-8, 0.3, -2.5, 30.0, 600.0])
def test_derivatives_of_i0(x: float) -> None:
    assert grad(np.i0)(x) == pytest.approx(special.i1(x), rel=1e-13)
    assert grad(grad(np.i0))(x) == pytest.approx((special.i0(x) + special.iv(2, x)) / 2, rel=1e-13)
    assert elementwise_grad(np.i0)(np.array([x / 8], np.float32)).dtype == np.float32


def test_i0_of_arrays_with_large_and_small_elements() -> None:
    x = np.array([[1e-6, 500.0], [-3.0, 0.0]])
    np.testing.assert_allclose(elementwise_grad(np.i0)(x), special.i1(x), rtol=1e-13)


def test_powers_at_zero() -> None:
    assert grad(lambda x: x**0)(0.0) == 0
    assert grad(lambda x: x**1)(0.0) == 1
    assert grad(grad(lambda x: x**2))(0.0) == 2
    assert grad(np.power, 1)(0.0, 2.0) == 0
    np.testing.assert_array_equal(
        elementwise_grad(np.power)(np.zeros(3), np.array([0.0, 1.0, 2.0])), [0, 1, 0]
    )
    np.testing.assert_array_equal(
        elementwise_grad(np.float_power)(np.zeros(3), np.array([0.0, 1.0, 2.0])), [0, 1, 0]
    )


def test_inverse_functions_of_huge_numbers_do_not_overflow() -> None:
    assert grad(np.arcsinh)(1e200) == pytest.approx(1e-200, rel=1e-12)
    x = np.float32(1e25)
    assert grad(np.arcsinh)(x) == pytest.approx(1e-25, rel=1e-4)
    assert grad(np.arctan2)(np.float32(1e-30), np.float32(2e-30)) == pytest.approx(4e29, rel=1e-5)
    assert grad(np.expm1)(-50.0) == pytest.approx(np.exp(-50.0), rel=1e-14)


def test_ties_of_two_arrays_are_split_evenly() -> None:
    x = np.array([1.0, 2.0, 3.0])
    y = np.array([1.0, 3.0, 2.0])
    for f, first in ((np.maximum, [0.5, 0, 1]), (np.fmax, [0.5, 0, 1]),
                     (np.minimum, [0.5, 1, 0]), (np.fmin, [0.5, 1, 0])):  # fmt: skip
        np.testing.assert_array_equal(elementwise_grad(f)(x, y), first)
        np.testing.assert_array_equal(elementwise_grad(f, 1)(x, y), 1 - np.array(first))


def test_fmax_passes_over_nan() -> None:
    x, y = np.array([np.nan, 1.0]), np.array([2.0, np.nan])
    np.testing.assert_array_equal(elementwise_grad(np.fmax)(x, y), [0, 1])
    np.testing.assert_array_equal(elementwise_grad(np.fmin, 1)(x, y), [1, 0])


def test_clip_on_a_bound_moves_with_the_array() -> None:
    x = np.array([-1.0, 0.0, 0.5, 1.0, 2.0])
    f = lambda x, low, high: np.sum(np.clip(x, low, high))  # noqa: E731
    gx, low, high = grad(f, (0, 1, 2))(x, 0.0, 1.0)
    np.testing.assert_array_equal(gx, [0, 1, 1, 1, 0])
    assert (low, high) == (1, 1)
    # Where the bounds cross, the upper one is the result.
    gx, low, high = grad(f, (0, 1, 2))(x, 1.0, 0.0)
    np.testing.assert_array_equal(gx, np.zeros(5))
    assert (low, high) == (0, 5)


def test_clip_with_array_bounds_keywords_and_out() -> None:
    x = np.array([[-1.0, 0.5], [3.0, 0.2]], np.float32)
    high = np.array([1.0, 0.3], np.float32)
    gx, gh = grad(lambda x, h: np.sum(np.clip(x, min=None, max=h)), (0, 1))(x, high)
    np.testing.assert_array_equal(gx, [[1, 0], [0, 1]])
    np.testing.assert_array_equal(gh, [1, 1])
    assert gx.dtype == gh.dtype == np.float32

    def into(x: Any) -> Any:
        y = x * 2
        np.clip(x, 0, 1, out=y)
        return np.sum(y)

    np.testing.assert_array_equal(grad(into)(x), [[0, 1], [0, 1]])
    with pytest.raises(MissingRuleError, match=r"clip: .* casting="):
        grad(lambda x: np.sum(np.clip(x, 0, 1, casting="unsafe")))(x)


def test_broadcast_where_sums_what_was_repeated() -> None:
    choose = np.array([[True], [False], [True]])
    gx, gy = grad(lambda x, y: np.sum(np.where(choose, x, y)), (0, 1))(np.ones(2), np.ones((1, 1)))
    np.testing.assert_array_equal(gx, [2, 2])
    np.testing.assert_array_equal(gy, [[2]])


@pytest.mark.parametrize("x", [np.array([1.7, -2.0, 0.0, np.inf]), 3.25])
def test_functions_of_several_outputs(x: Any) -> None:
    outputs: list[Any] = []

    def parts(x: Any) -> Any:
        outputs[:] = [*np.modf(x), *np.frexp(x), *divmod(x, 0.75)]
        return np.sum(outputs[0]) + np.sum(outputs[2])

    with np.errstate(invalid="ignore"):
        g = grad(parts)(x)
        expected = [*np.modf(x), *np.frexp(x), *np.divmod(x, 0.75)]
    np.testing.assert_array_equal(g, 1 + np.ldexp(1.0, -np.frexp(x)[1]))
    assert [isinstance(part, Traced) for part in outputs] == [True, False, True, False, False, True]
    for found, numpys in zip(outputs, expected, strict=True):
        np.testing.assert_array_equal(found.value if isinstance(found, Traced) else found, numpys)


def test_what_nan_to_num_replaces_has_derivative_zero() -> None:
    x = np.array([np.nan, np.inf, -np.inf, 2.0], np.float32)
    value, g = value_and_grad(lambda x: np.sum(np.nan_to_num(x, posinf=3.0, neginf=1.0)))(x)
    assert value == 6
    np.testing.assert_array_equal(g, [0, 0, 0, 1])
    assert g.dtype == np.float32
    np.testing.assert_array_equal(vjp(lambda x: np.nan_to_num(x), x)[0], np.nan_to_num(x))
    z = np.array([complex(np.nan, 1.0), complex(2.0, np.inf)])
    assert vjp(np.nan_to_num, z)[0].tolist() == np.nan_to_num(z).tolist()
    g = grad(lambda fill: np.sum(rnp.nan_to_num(x, nan=fill, posinf=0, neginf=0)))(0.5)
    assert g == 1

    def in_place(x: Any) -> Any:
        y = x * 1
        np.nan_to_num(y, copy=False)
        return np.sum(y[3:])

    np.testing.assert_array_equal(grad(in_place)(x), [0, 0, 0, 1])


def test_angle_and_sign() -> None:
    assert not isinstance(vjp(lambda x: np.angle(x) + 0 * x, -1.0)[0], Traced)
    assert grad(lambda x: np.angle(x) * x)(-1.0) == np.pi
    tangent = jvp(np.angle, (1.0 + 1.0j,), (0.1j,))[1]
    assert tangent == pytest.approx(0.05)
    assert jvp(lambda z: np.angle(z, deg=True), (1.0 + 1.0j,), (0.1j,))[1] == pytest.approx(
        np.rad2deg(0.05)
    )
    assert grad(np.sign)(0.3) == 0
    assert jvp(np.sign, (1.0 + 0.0j,), (1j,))[1] == pytest.approx(1j)


def test_real_if_close_drops_an_imaginary_part_and_its_derivative() -> None:
    f = lambda z: np.real_if_close(z)  # noqa: E731
    assert vjp(f, np.array([1.0 + 1e-18j]))[0].dtype == np.float64
    assert vjp(f, np.array([1.0 + 1e-3j]))[0].dtype == np.complex128
    assert vjp(f, np.array([1.0]))[0].dtype == np.float64


def test_heaviside_and_copysign_of_zero() -> None:
    x = np.array([-1.0, 0.0, 1.0])
    np.testing.assert_array_equal(elementwise_grad(np.heaviside)(x, 0.5), np.zeros(3))
    np.testing.assert_array_equal(elementwise_grad(np.heaviside, 1)(x, np.full(3, 0.5)), [0, 1, 0])
    np.testing.assert_array_equal(elementwise_grad(np.copysign)(x, -np.ones(3)), [1, -1, -1])
    np.testing.assert_array_equal(elementwise_grad(np.copysign, 1)(x, -np.ones(3)), np.zeros(3))
    assert jvp(np.copysign, (np.float32(2), -1.0), (np.float32(1), 0.0))[1].dtype == np.float32


def test_remainders_of_negative_numbers() -> None:
    x, y = np.array([-5.5, 5.5]), np.array([2.0, -2.0])
    np.testing.assert_array_equal(elementwise_grad(np.fmod, 1)(x, y), [2, 2])
    np.testing.assert_array_equal(elementwise_grad(np.remainder, 1)(x, y), [3, 3])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
@pytest.mark.parametrize(
    "f",
    [
        np.sqrt, np.log, np.reciprocal, np.arcsin, np.arctanh, np.arcsinh, np.sinc, np.exp2,
        lambda x: x / 2, lambda x: 2 / x, lambda x: x**0.5, lambda x: np.float_power(x, 2),
        lambda x: np.clip(x, 0.1, 0.7), lambda x: np.maximum(x, 0.2), np.nan_to_num,
    ],
)  # fmt: skip
def test_dtypes_are_kept(f: Any, dtype: type) -> None:
    x = np.array([0.0, 0.5]).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ans, pull = vjp(f, x)
        tangent = jvp(f, (x,), (np.ones_like(x),))[1]
        cotangent = pull(np.ones_like(ans))[0]
    assert cotangent.dtype == dtype
    assert tangent.dtype == ans.dtype


def test_the_slope_at_the_end_of_the_domain_is_infinite_not_wrong() -> None:
    with np.errstate(divide="ignore"):
        assert grad(np.arcsin)(1.0) == np.inf
        assert grad(np.arccos)(1.0) == -np.inf
        assert grad(np.arccosh)(1.0) == np.inf
        assert grad(np.reciprocal)(0.0) == -np.inf
    with np.errstate(invalid="ignore"):
        assert np.isnan(grad(np.arctan2)(0.0, 0.0))


def test_the_sign_of_complex_numbers_with_further_arguments() -> None:
    z = np.array([3 + 4j, -2j, 0j])
    check_grads(np.sign, z[:2])
    assert elementwise_grad(lambda z: np.real(np.sign(z)))(z)[2] == 0
    out = np.array([True, False, True])

    def masked(z: Any) -> Any:
        return np.sign(z, out=np.ones_like(z), where=out)

    np.testing.assert_allclose(vjp(masked, z)[0], [0.6 + 0.8j, 1, 0])
    np.testing.assert_allclose(vjp(masked, z)[1](np.ones(3, complex))[0][1:], [0, 0])


def test_a_real_dtype_for_complex_numbers_is_refused() -> None:
    with pytest.raises(MissingRuleError, match=r"absolute: .*dtype="):
        vjp(lambda z: np.absolute(z, dtype=float), np.array([1 + 1j]))


def test_arcsinh_of_large_numbers_keeps_its_digits() -> None:
    assert grad(np.arcsinh)(1e200) == 1e-200


def test_methods_of_ufuncs_in_the_drop_in_namespace() -> None:
    x = np.array([0.3, 1.2, -0.5])
    for f in (rnp.add.accumulate, rnp.add.reduce, rnp.multiply.accumulate):
        expected = vjp(getattr(getattr(np, f.__self__.__name__), f.__name__), x)[0]
        np.testing.assert_array_equal(vjp(f, x)[0], expected)
        np.testing.assert_array_equal(f(x), expected)


def test_tangents_have_the_dtype_of_the_result() -> None:
    x, d = np.ones(2, np.float32), np.ones(2, np.float32)
    for other in (np.ones(2), 1j, np.array([1, 2])):
        for f in (np.add, np.subtract, np.multiply):
            value, tangent = jvp(lambda x, f=f, y=other: f(x, y), (x,), (d,))
            assert value.dtype == tangent.dtype
