"""The operators: nesting, containers, argument numbers, auxiliary results, refusals."""

from __future__ import annotations

from collections import namedtuple
from functools import partial

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError, DifferentiationError
from retrograd.extend import defjvp, defvjp, primitive

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
                         ((1, -1), "twice"), (("b", 1), "twice"), ("c", "c=..."),
                         (0.5, "position")],
)  # fmt: skip
def test_wrong_argument_numbers(argnum, part) -> None:
    with pytest.raises(ArgumentError, match=part):
        rg.grad(lambda a, b: np.sum(a * b), argnum)(X, V)


def test_arguments_by_name() -> None:
    def f(a, b, *, c=2.0):
        return np.sum(a * b * b) * c

    np.testing.assert_allclose(rg.grad(f, "b")(X, b=V), 4 * X * V)
    np.testing.assert_allclose(rg.grad(f, "b")(X, V), 4 * X * V)
    first, last = rg.grad(f, (0, "c"))(X, V, c=3.0)
    np.testing.assert_allclose(first, 3 * V * V)
    assert float(last) == pytest.approx(np.sum(X * V * V))
    np.testing.assert_allclose(rg.hessian(f, "a")(a=X, b=V), np.zeros((3, 3)))
    np.testing.assert_allclose(rg.jacobian(lambda a, b: a * b, "b")(X, b=V), np.diag(X))
    np.testing.assert_allclose(rg.hvp(f, "b")(X, V, V), 4 * X * V)
    products = rg.hvp(f, (0, 1))(X, V, (V, X))
    np.testing.assert_allclose(products[0], 4 * V * X)
    np.testing.assert_allclose(products[1], 4 * V * V + 4 * X * X)
    np.testing.assert_allclose(rg.grad(np.sum, "a")(a=X), np.ones(3))


def test_auxiliary_results_everywhere() -> None:
    def f(x):
        return np.sum(x**3), {"norm": np.sum(x), "name": "aux"}

    def array(x):
        return x**2, {"norm": np.sum(x), "name": "aux"}

    found = [
        rg.grad(f, has_aux=True)(X),
        rg.grad_and_aux(f)(X),
        rg.hvp(f, has_aux=True)(X, V),
        rg.hessian(f, has_aux=True)(X),
        rg.jacobian(array, has_aux=True)(X),
        rg.elementwise_grad(array, has_aux=True)(X),
        rg.jvp(f, (X,), (V,), has_aux=True)[1:],
        rg.holomorphic_grad(f, has_aux=True)(X + 0j),
    ]
    for derivative, aux in found:
        assert aux["name"] == "aux"
        assert not hasattr(aux["norm"], "owner")
        assert complex(aux["norm"]) == pytest.approx(np.sum(X))
        assert np.all(np.isfinite(derivative))
    np.testing.assert_allclose(found[2][0], 6 * X * V)
    np.testing.assert_allclose(found[3][0], np.diag(6 * X))


def test_names_and_documentation_are_kept() -> None:
    def documented(x):
        """What it does."""
        return np.sum(x * x)

    class Callable:
        def __call__(self, x):
            return np.sum(x * x)

    operators = (
        rg.grad, rg.value_and_grad, rg.jacobian, rg.hessian, rg.hvp, rg.elementwise_grad, rg.ggnvp,
        rg.holomorphic_grad, rg.checkpoint, rg.vector_jacobian_product, rg.tensor_jacobian_product,
    )  # fmt: skip
    for operator in operators:
        for f in (documented, partial(documented), partial(partial(documented), x=X)):
            wrapped = operator(f)
            assert (wrapped.__name__, wrapped.__doc__) == ("documented", "What it does.")
            assert wrapped.__wrapped__ is f
        assert callable(operator(Callable()))
        assert callable(operator(np.sin))
    np.testing.assert_array_equal(rg.grad(Callable())(X), 2 * X)
    np.testing.assert_array_equal(rg.grad(partial(lambda y, x: np.sum(x * y), V))(X), V)


def test_holomorphic_grad() -> None:
    z = 0.3 + 0.4j
    assert complex(rg.holomorphic_grad(np.exp)(z)) == pytest.approx(np.exp(z))
    nested = rg.holomorphic_grad(rg.holomorphic_grad(np.sin))
    assert complex(nested(z)) == pytest.approx(-np.sin(z))
    gradient = rg.holomorphic_grad(lambda p: np.sum(p["a"] ** 2) * p["b"])({"a": X + 1j, "b": z})
    np.testing.assert_allclose(gradient["a"], 2 * (X + 1j) * z)
    assert rg.holomorphic_grad(np.sin)(np.complex64(z)).dtype == np.complex64
    for f in (np.conj, lambda z: np.abs(z) + 0j, lambda z: 1e-9 * np.real(z) + 0j):
        with pytest.raises(DifferentiationError, match="not complex-differentiable"):
            rg.holomorphic_grad(f)(z)
    with pytest.raises(DifferentiationError, match="one complex number"):
        rg.holomorphic_grad(np.abs)(z)


def test_elementwise_grad_of_complex_functions() -> None:
    np.testing.assert_allclose(rg.elementwise_grad(np.exp)(X + 1j), np.exp(X + 1j))
    turned = rg.elementwise_grad(lambda x: np.exp(1j * x))(X)
    np.testing.assert_allclose(turned, 1j * np.exp(1j * X))
    with pytest.raises(DifferentiationError, match="not complex-differentiable"):
        rg.elementwise_grad(lambda z: z * np.conj(z))(X + 1j)
    with pytest.raises(DifferentiationError, match="one float array"):
        rg.elementwise_grad(lambda x: (x, x))(X)


def test_gauss_newton_products() -> None:
    rng = np.random.default_rng(0)
    a, y = rng.normal(size=(4, 3)), rng.normal(size=4)

    def model(w):
        return np.tanh(a @ w)

    jacobian = rg.jacobian(model)(X)
    np.testing.assert_allclose(rg.ggnvp(model)(X, V), jacobian.T @ jacobian @ V)
    loss = lambda z: np.sum((z - y) ** 4)  # noqa: E731
    curvature = rg.hessian(loss)(model(X))
    np.testing.assert_allclose(rg.ggnvp(model, loss)(X, V), jacobian.T @ curvature @ jacobian @ V)
    nested = rg.ggnvp(lambda p: {"y": model(p["w"]), "n": 1}, lambda r: loss(r["y"]))
    product = nested({"w": X, "name": "m"}, {"w": V, "name": None})
    np.testing.assert_allclose(product["w"], jacobian.T @ curvature @ jacobian @ V)


def test_vector_and_tensor_jacobian_products() -> None:
    a = np.arange(24.0).reshape(2, 4, 3)
    f = lambda x: a @ x  # noqa: E731
    vector = np.ones((2, 4))
    np.testing.assert_allclose(rg.vector_jacobian_product(f)(X, vector), np.sum(a, (0, 1)))
    np.testing.assert_allclose(rg.tensor_jacobian_product(f)(X, vector), np.sum(a, (0, 1)))
    tensor = np.array([1.0, 2.0])
    product = rg.tensor_jacobian_product(f)(X, tensor)
    np.testing.assert_allclose(product, np.tensordot(tensor, a, 1))
    both = rg.vector_jacobian_product(lambda x, y: x * y, (0, 1))(X, V, X)
    np.testing.assert_allclose(both[1], X * X)


def test_hvp_needs_one_mode_only() -> None:
    backwards = rg.extend.primitive(np.sin)
    rg.extend.defvjp(backwards, lambda g, ans, x: g * np.cos(x))
    product = rg.hvp(lambda x: np.sum(backwards(x)))(X, V)
    np.testing.assert_allclose(product, -np.sin(X) * V)


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
    first, second = rg.jacobian(lambda x: (x, 2 * x))(X)
    np.testing.assert_array_equal(second, 2 * first)


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


def test_a_function_that_returns_nothing_is_refused():
    with pytest.raises(DifferentiationError, match=r"got None: does it end without a return"):
        rg.grad(lambda x: None)(1.0)


def test_a_real_part_of_a_python_complex_number_has_a_real_cotangent():
    def turned(z):
        return np.real(np.real(z) * (1 + 1j))

    def direction(z):
        return np.real(z / np.abs(z))

    assert rg.grad(turned)(1 + 1j) == 1
    expected = rg.grad(direction)(np.complex128(1 + 1j))
    np.testing.assert_allclose(rg.grad(direction)(1 + 1j), expected)
    assert abs(expected) > 0.1


@pytest.mark.parametrize(
    ("result", "kind"),
    [(lambda x: (x, x), "tuple"), (lambda x: {"loss": x}, "dict"), (lambda x: [x], "list"),
     (lambda x: f"{x}", "str"), (lambda x: b"x", "bytes"), (lambda x: {1, 2}, "set")],
)  # fmt: skip
def test_a_result_that_is_no_number_is_named_with_the_cure(result, kind) -> None:
    message = rf"grad needs a function with one real number as result, got a {kind}: .*has_aux=True"
    for x in (2.0, np.array(2.0)):
        with pytest.raises(DifferentiationError, match=message):
            rg.grad(result)(x)


@pytest.mark.parametrize(
    "operator",
    [rg.grad, rg.value_and_grad, rg.elementwise_grad, rg.jacobian, rg.hessian, rg.hvp, rg.ggnvp,
     rg.holomorphic_grad, rg.checkpoint],
)  # fmt: skip
def test_the_value_of_a_function_in_its_place_is_refused_at_once(operator) -> None:
    with pytest.raises(ArgumentError, match=r"a float64 .*takes a function.*grad\(f\)\(x\)"):
        operator(np.sin(1.0))


@pytest.mark.parametrize("given", [(0.5, (1.0,)), ((0.5,), 1.0), (np.ones(2), np.ones(2))])
def test_jvp_asks_for_tuples(given):
    with pytest.raises(ArgumentError, match=r"^jvp: (primals|tangents) is .* give a tuple"):
        rg.jvp(np.sin, *given)


def test_hvp_is_of_the_gradient_that_a_rule_of_ones_own_gives():
    """A pullback need not be linear: what is clipped does not change."""
    clip = rg.custom_vjp(lambda x: x, lambda x: (x, lambda g: (np.clip(g, -1.0, 1.0),)))
    x = np.array([0.1, 0.9, -0.05])
    found = rg.hvp(lambda x: np.sum(3 * clip(x) ** 2))(x, np.ones(3))
    np.testing.assert_allclose(found, [6.0, 0.0, 6.0])


def scaled_clip(*rules):
    """Of three arguments, with a reverse mode that is not the transposed forward mode."""
    scaled = primitive(lambda x, scale, shift: x * scale + shift)
    for state in rules:
        if state is defvjp:
            state(scaled, lambda g, ans, x, scale, shift: np.clip(g * scale, -1.0, 1.0))
        else:
            state(scaled, lambda d, ans, x, scale, shift: d * scale)
    return lambda x: scaled(x, 2.0, shift=0.0)


@pytest.mark.parametrize("rules", [(defvjp, defjvp), (defjvp, defvjp), (defvjp,)])
def test_hvp_is_of_the_gradient_that_stated_rules_give(rules):
    clip = scaled_clip(*rules)
    x = np.array([0.1, 0.9, -0.05])

    def loss(x):
        return np.sum(3 * clip(x) ** 2)

    found = rg.hvp(loss)(x, np.ones(3))
    step = 1e-6
    slope = (rg.grad(loss)(x + step) - rg.grad(loss)(x - step)) / (2 * step)
    np.testing.assert_allclose(found, slope, atol=1e-6)


def test_hvp_of_the_gradient_by_one_rule_instead_of_the_package_s():
    x = np.array([0.3, -0.4])
    sine = primitive(np.sin)
    defjvp(sine, lambda d, ans, x: d * np.cos(x))
    defvjp(sine, lambda g, ans, x: g)
    np.testing.assert_allclose(rg.hvp(lambda x: np.sum(sine(x)))(x, x), [0.0, 0.0])


def test_hvp_agrees_with_the_tangent_of_the_gradient():
    def loss(p):
        return np.sum(np.tanh(p["a"] @ p["b"]) ** 2) * p["c"], p["c"]

    rng = np.random.default_rng(0)
    p, v = (
        {"a": rng.normal(size=(2, 3)), "b": rng.normal(size=(3, 2)), "c": c} for c in (1.5, 2.0)
    )
    found, aux = rg.hvp(loss, has_aux=True)(p, v)
    wanted = rg.jvp(rg.grad(lambda p: loss(p)[0]), (p,), (v,))[1]
    assert aux == 1.5
    for name in p:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-12)


@pytest.mark.parametrize(
    ("result", "message"),
    [(lambda x: x, "shape"), (lambda x: None, "return"), (lambda x: 1, "float")],
)
def test_hvp_of_what_is_no_real_number(result, message):
    with pytest.raises(DifferentiationError, match=message):
        rg.hvp(result)(np.ones(2), np.ones(2))
