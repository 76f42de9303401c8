"""The operators: nesting, containers, argument numbers, auxiliary results, refusals."""

from __future__ import annotations

from collections import namedtuple

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, DifferentiationError

X = np.array([0.3, 0.7, 1.1])
V = np.array([1.0, -2.0, 0.5])


def cubic(x):
    return np.sum(x**3) + x[0] * x[1] * x[2]


HESSIAN = 6 * np.diag(X) + np.array([[0, X[2], X[1]], [X[2], 0, X[0]], [X[1], X[0], 0]])


def forward_over_reverse(f, x, v):
    return rg.jvp(rg.grad(f), (x,), (v,))[1]


def reverse_over_reverse(f, x, v):
    return rg.grad(lambda y: np.dot(rg.grad(f)(y), v))(x)


def reverse_over_forward(f, x, v):
    return rg.grad(lambda y: rg.jvp(f, (y,), (v,))[1])(x)


def forward_over_forward(f, x, v):
    basis = np.eye(len(x))
    return [rg.jvp(lambda y: rg.jvp(f, (y,), (v,))[1], (x,), (e,))[1] for e in basis]


def linearized_gradient(f, x, v):
    return rg.linearize(rg.grad(f), x)[1](v)


@pytest.mark.parametrize(
    "nested",
    [
        forward_over_reverse, reverse_over_reverse, reverse_over_forward, forward_over_forward,
        linearized_gradient, lambda f, x, v: rg.hvp(f)(x, v), lambda f, x, v: rg.hessian(f)(x) @ v,
    ],
)  # fmt: skip
def test_modes_nest_in_any_order(nested) -> None:
    np.testing.assert_allclose(nested(cubic, X, V), HESSIAN @ V, rtol=1e-13)


def test_deep_nesting() -> None:
    f = np.sin
    for _ in range(5):
        f = rg.grad(f)
    assert float(f(0.3)) == pytest.approx(np.cos(0.3))
    g = np.exp
    for i in range(4):
        g = rg.grad(g) if i % 2 else (lambda h: lambda x: rg.jvp(h, (x,), (1.0,))[1])(g)
    assert float(g(0.3)) == pytest.approx(np.exp(0.3))


def test_perturbations_are_not_confused() -> None:
    assert float(rg.grad(lambda x: x * rg.grad(lambda y: x + y)(1.0))(1.0)) == 1.0
    push = lambda f, x: rg.jvp(f, (x,), (1.0,))[1]  # noqa: E731
    assert float(push(lambda x: x * push(lambda y: x + y, 1.0), 1.0)) == 1.0
    assert float(rg.grad(lambda x: x * push(lambda y: x * y * y, 2.0))(3.0)) == 24.0
    assert float(push(lambda x: x * rg.grad(lambda y: x * y * y)(2.0), 3.0)) == 24.0
    assert float(rg.grad(lambda x: rg.grad(lambda y: x * y)(x) * x)(3.0)) == 6.0


def test_closures_loops_branches_and_recursion() -> None:
    def power(x, n):
        if n == 0:
            return 1.0
        half = power(x, n // 2)
        return half * half * (x if n % 2 else 1.0)

    assert float(rg.grad(power)(1.5, 11)) == pytest.approx(11 * 1.5**10)

    def newton(a):
        x = a
        while abs(x * x - a) > 1e-13:
            x = (x + a / x) / 2
        return x

    assert float(rg.grad(newton)(2.0)) == pytest.approx(0.5 / np.sqrt(2.0))


def test_containers_keep_their_kinds() -> None:
    pair = namedtuple("pair", "weights bias")
    parameters = {"layers": [pair(X, 2.0), (X * 2,)], "none": None}

    def f(p):
        assert p["none"] is None
        return np.sum(p["layers"][0].weights * p["layers"][1][0]) * p["layers"][0].bias

    gradient = rg.grad(f)(parameters)
    assert type(gradient["layers"][0]) is pair
    assert gradient["none"] is None
    np.testing.assert_allclose(gradient["layers"][0].weights, 4 * X)
    np.testing.assert_allclose(gradient["layers"][1][0], 2 * X)
    assert float(gradient["layers"][0].bias) == pytest.approx(2 * np.sum(X * X))


def test_results_may_be_containers_built_inside() -> None:
    result, pullback = rg.vjp(lambda x: {"a": [x * 2, x[0]], "b": (1.5,)}, X)
    (g,) = pullback({"a": [V, 3.0], "b": (7.0,)})
    np.testing.assert_array_equal(g, 2 * V + [3.0, 0, 0])
    _, tangent = rg.jvp(lambda x: {"a": [x * 2, x[0]], "b": (1.5,)}, (X,), (V,))
    np.testing.assert_array_equal(tangent["a"][0], 2 * V)
    assert tangent["b"] == (0.0,)
    assert result["b"] == (1.5,)


def test_has_aux() -> None:
    def f(x):
        return np.sum(x * x), {"plain": x * 2, "name": "aux"}

    (value, aux), gradient = rg.value_and_grad(f, has_aux=True)(X)
    assert type(aux["plain"]) is np.ndarray
    assert aux["name"] == "aux"
    np.testing.assert_array_equal(gradient, 2 * X)
    assert float(value) == pytest.approx(np.sum(X * X))
    np.testing.assert_array_equal(rg.grad(f, has_aux=True)(X)[1]["plain"], 2 * X)
    assert len(rg.vjp(f, X, has_aux=True)) == len(rg.linearize(f, X, has_aux=True)) == 3
    with pytest.raises(DifferentiationError, match="pair"):
        rg.grad(np.sum, has_aux=True)(X)


def test_argument_numbers() -> None:
    def f(a, b, c=2.0):
        return np.sum(a * b * b) * c

    np.testing.assert_allclose(rg.grad(f, 1)(X, V), 4 * X * V)
    np.testing.assert_allclose(rg.grad(f, -1)(X, V), 4 * X * V)
    first, last = rg.grad(f, (0, -1))(X, V, c=3.0)
    np.testing.assert_allclose(first, 3 * V * V)
    np.testing.assert_allclose(last, 6 * X * V)
    assert len(rg.grad(f, [1])(X, V)) == 1
    np.testing.assert_allclose(rg.hvp(f, -1)(X, V, X), 4 * X * X)
    np.testing.assert_allclose(rg.hvp(f, 1)(X, V, X, c=1.0), 2 * X * X)
    np.testing.assert_allclose(rg.hessian(f, -1)(X, V), np.diag(4 * X))
    np.testing.assert_allclose(rg.jacobian(lambda a, b: a * b, -1)(X, V), np.diag(X))


@pytest.mark.parametrize(
    ("argnum", "part"), [(2, "2 positional"), (-3, "2 positional"), ((0, 0), "twice"),
                         ((1, -1), "twice"), ("a", "position"), (0.5, "position")],
)  # fmt: skip
def test_wrong_argument_numbers(argnum, part) -> None:
    with pytest.raises(ArgumentError, match=part):
        rg.grad(lambda a, b: np.sum(a * b), argnum)(X, V)


def test_traced_keywords() -> None:
    np.testing.assert_allclose(rg.grad(lambda x: np.dot(V, b=x))(X), V)
    np.testing.assert_allclose(rg.grad(lambda x: np.tensordot(V, b=x, axes=1))(X), V)
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(a=x * x))(X), 2 * X)
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(np.transpose(a=x)))(X), [1, 1, 1])
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(np.clip(a=x, a_min=0.5)))(X), [0, 1, 1])


def test_integers_are_converted_or_refused() -> None:
    assert float(rg.grad(lambda x: x * x)(3)) == 6.0
    assert [float(g) for g in rg.grad(lambda x: x[0] * x[1])([2, 3])] == [3.0, 2.0]
    for refused in (np.array([1, 2]), True, "text", np.array([None]), np.array([True])):
        with pytest.raises(DifferentiationError, match="astype"):
            rg.grad(lambda x: 1.0)(refused)
    with pytest.raises(DifferentiationError, match="plain arrays"):
        rg.grad(np.sum)(np.ma.masked_array([1.0, 2.0], [False, True]))


def test_results_that_grad_refuses() -> None:
    with pytest.raises(DifferentiationError, match=r"shape \(3,\).*jacobian"):
        rg.grad(lambda x: x * 2)(X)
    with pytest.raises(DifferentiationError, match=r"complex.*np\.real"):
        rg.grad(lambda x: np.sum(x) * 1j)(X)
    with pytest.raises(DifferentiationError, match="one real number"):
        rg.grad(lambda x: int(x[0]))(X)


def test_a_result_that_does_not_depend_has_zero_gradient() -> None:
    np.testing.assert_array_equal(rg.grad(lambda x: 3.0)(X), np.zeros(3))
    assert float(rg.grad(lambda x: 3.0)(2.0)) == 0.0
    np.testing.assert_array_equal(rg.jvp(lambda x: np.floor(x), (X,), (V,))[1], np.zeros(3))
    np.testing.assert_array_equal(rg.jacobian(np.floor)(X), np.zeros((3, 3)))


def test_tangents_and_cotangents_are_checked() -> None:
    with pytest.raises(ArgumentError, match="shape"):
        rg.jvp(np.sin, (X,), (1.0,))
    with pytest.raises(ArgumentError, match="2 were given for 1"):
        rg.jvp(np.sin, (X,), (V, V))
    with pytest.raises(ArgumentError, match="complex128"):
        rg.jvp(np.sin, (X,), (V * 1j,))
    with pytest.raises(ArgumentError, match="structure"):
        rg.vjp(lambda x: (x, x), X)[1](V)
    with pytest.raises(ArgumentError, match="shape"):
        rg.vjp(np.sin, X)[1](np.ones((3, 1)))
    with pytest.raises(ArgumentError, match="complex128"):
        rg.vjp(np.sin, X)[1](V * 1j)
    assert rg.jvp(lambda x: np.multiply(x, [1.0, 2.0]), (2.0,), (1,))[1].tolist() == [1.0, 2.0]
    assert rg.jvp(np.sin, (X.astype("f4"),), (V,))[1].dtype == np.float32


def test_pullback_and_push_can_be_repeated() -> None:
    _, pullback = rg.vjp(lambda x: x * x, X)
    _, push = rg.linearize(lambda x: x * x, X)
    for _ in range(2):
        np.testing.assert_array_equal(pullback(V)[0], 2 * X * V)
        np.testing.assert_array_equal(push(V), 2 * X * V)


def test_what_is_returned_may_be_written_to() -> None:
    x = X.copy()
    y, pullback = rg.vjp(np.exp, x)
    expected = V * y
    y -= 1.0
    x += 5.0
    np.testing.assert_array_equal(pullback(V)[0], expected)
    ga, gb = rg.grad(lambda a, b: np.sum((a + b) ** 2), (0, 1))(X, V)
    ga *= 2
    np.testing.assert_allclose(gb, 2 * (X + V))
    cotangent = V.copy()
    (g,) = rg.vjp(lambda x: x, X)[1](cotangent)
    g *= 0
    np.testing.assert_array_equal(cotangent, V)


def test_jacobians_of_any_shape() -> None:
    a = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(rg.jacobian(lambda x: a @ x)(X), a)
    np.testing.assert_array_equal(rg.jacobian(lambda x: a.T @ x)(X[:2]), a.T)
    assert rg.jacobian(lambda x: x[0, 0] * x)(a).shape == (2, 3, 2, 3)
    assert rg.jacobian(lambda x: np.ones(2) * np.sum(x))(np.zeros(0)).shape == (2, 0)
    assert rg.jacobian(lambda x: x[:0])(X).shape == (0, 3)
    assert float(rg.jacobian(np.square)(3.0)) == 6.0
    with pytest.raises(DifferentiationError, match="one array"):
        rg.jacobian(lambda x: (x, x))(X)


def test_complex_jacobians() -> None:
    np.testing.assert_array_equal(rg.jacobian(lambda x: x * (1 + 2j))(X), np.eye(3) * (1 + 2j))
    z = X + 1j
    np.testing.assert_allclose(rg.jacobian(np.square)(z), np.diag(2 * z))
    with pytest.raises(DifferentiationError, match="not complex-differentiable"):
        rg.jacobian(np.conj)(z)


def test_gradient_of_a_real_function_of_complex_numbers() -> None:
    """For f(x + iy) the gradient is df/dx - i df/dy."""
    gradient = rg.grad(lambda z: np.real(z * z))(1.0 + 2.0j)
    assert complex(gradient) == 2.0 + 4.0j


def test_elementwise_grad() -> None:
    np.testing.assert_allclose(rg.elementwise_grad(np.tanh)(X), 1 - np.tanh(X) ** 2)


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.longdouble, np.complex64])
def test_gradients_have_the_dtype_of_the_argument(dtype) -> None:
    x = X.astype(dtype)

    def f(x):
        return np.real(np.mean(np.where(X > 0.5, rnp.exp(x * 2), x) ** 2) + np.sum(x @ x))

    value, gradient = rg.value_and_grad(f)(x)
    assert gradient.dtype == dtype
    assert np.asarray(value).dtype == np.real(x).dtype


def test_second_derivatives_at_the_edges() -> None:
    """x^y at y = 0, tied maxima, products with zeros, the deviation of a constant."""
    hessian = rg.hessian(lambda v: v[0] ** v[1])(np.array([2.0, 0.0]))
    np.testing.assert_allclose(hessian, [[0, 0.5], [0.5, np.log(2.0) ** 2]])
    np.testing.assert_array_equal(rg.grad(np.max)(np.array([1.0, 3.0, 3.0])), [0, 0.5, 0.5])
    np.testing.assert_array_equal(rg.grad(np.prod)(np.array([2.0, 0.0, 3.0])), [0, 6, 0])
    np.testing.assert_array_equal(
        rg.hessian(np.prod)(np.array([2.0, 0.0, 0.0])), [[0, 0, 0], [0, 0, 2], [0, 2, 0]]
    )
    np.testing.assert_array_equal(rg.grad(np.std)(np.ones(3)), np.zeros(3))
    assert [float(rg.grad(np.abs)(0.0)), float(rg.grad(lambda x: np.hypot(x, 0.0))(0.0))] == [0, 0]


def test_operators_on_numbers_are_pythons_own_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    for x, y in rng.uniform(0.1, 3.0, (300, 2)).tolist():
        value, _ = rg.value_and_grad(lambda x, y: x**y + (x / y) * (x - y))(x, y)
        assert value == x**y + (x / y) * (x - y)


def test_a_division_of_numbers_by_zero_raises_as_python_does() -> None:
    with pytest.raises(ZeroDivisionError):
        rg.grad(lambda x: 1.0 / x)(0.0)


def test_tangents_of_results_are_the_callers_to_keep() -> None:
    _, tangent = rg.jvp(lambda x: x + np.zeros(3), (1.0,), (1.0,))
    tangent[0] = 2.0
    v = np.ones(3)
    for pushed in (rg.jvp(lambda x: x, (X,), (v,))[1], rg.linearize(lambda x: x, X)[1](v)):
        pushed[0] = 5.0
        assert v[0] == 1.0
    first, second = rg.jvp(lambda x: (x, x), (X,), (v,))[1]
    first[0] = 7.0
    assert second[0] == 1.0
