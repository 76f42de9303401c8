"""`custom_vjp` and `custom_jvp`: the rule is what is used, in both modes and to higher orders."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, EscapedTraceError
from retrograd.testing import check_grads

X = np.array([0.3, 0.7, 1.1])
V = np.array([1.0, -2.0, 0.5])


def scaled(p, x):
    return {"y": np.sin(p["w"] * x), "n": len(x)}


def scaled_vjp(p, x):
    y = np.sin(p["w"] * x)

    def pullback(g):
        assert g["n"] is None
        slope = g["y"] * np.cos(p["w"] * x)
        return {"w": slope * x, "name": None}, slope * p["w"]

    return {"y": y, "n": len(x)}, pullback


def scaled_jvp(primals, tangents):
    (p, x), (dp, dx) = primals, tangents
    assert dp["name"] is None
    d = np.cos(p["w"] * x) * (dp["w"] * x + p["w"] * dx)
    return {"y": np.sin(p["w"] * x), "n": len(x)}, {"y": d, "n": None}


CUSTOM = {
    "vjp": rg.custom_vjp(scaled, scaled_vjp),
    "jvp": rg.custom_jvp(scaled, scaled_jvp),
}


@pytest.mark.parametrize("f", CUSTOM.values(), ids=CUSTOM)
def test_both_modes_follow_from_one(f) -> None:
    def call(w, x):
        result = f({"w": w, "name": "layer"}, x)
        assert result["n"] == 3
        return result["y"]

    check_grads(call, X, V)
    plain = lambda w: np.sum(np.sin(w * V) ** 2)  # noqa: E731
    custom = lambda w: np.sum(call(w, V) ** 2)  # noqa: E731
    for operator in (rg.grad, rg.hessian, lambda f: rg.jacobian(rg.hessian(f))):
        np.testing.assert_allclose(operator(custom)(X), operator(plain)(X), rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(rg.jacobian(call)(X, V), np.diag(np.cos(X * V) * V))
    np.testing.assert_allclose(rg.linearize(call, X, V)[1](V, None), np.cos(X * V) * V * V)
    assert f.__name__ == "scaled"


@pytest.mark.parametrize("kind", ["vjp", "jvp"])
def test_the_stated_derivative_is_the_one_that_is_used(kind) -> None:
    """A straight-through estimator: the identity's derivative for a step function."""
    rounded = (
        rg.custom_vjp(np.round, lambda x: (np.round(x), lambda g: (g,)))
        if kind == "vjp"
        else rg.custom_jvp(np.round, lambda p, t: (np.round(*p), t[0]))
    )
    np.testing.assert_array_equal(rounded(X), np.round(X))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(rounded(x) * V))(X), V)
    np.testing.assert_array_equal(rg.jvp(rounded, (X,), (V,))[1], V)
    twice = rg.grad(lambda x: np.sum(rg.grad(lambda y: np.sum(rounded(y) ** 2))(x)))
    np.testing.assert_array_equal(twice(X), 2 * np.ones(3))


def test_reverse_mode_evaluates_the_rule_once() -> None:
    calls: list[str] = []

    def f(x):
        calls.append("f")
        return x * x

    def rule(x):
        calls.append("rule")
        return x * x, lambda g: (2 * x * g,)

    assert float(rg.grad(rg.custom_vjp(f, rule))(3.0)) == 6.0
    assert calls == ["rule"]
    assert float(rg.custom_vjp(f, rule)(3.0)) == 9.0
    assert calls == ["rule", "f"]


def test_keywords_dtypes_and_zero_cotangents() -> None:
    def f(x, y=2.0):
        return x * y

    def rule(x, *rest):
        y = rest[0] if rest else 2.0
        return x * y, lambda g: (g * y, None)[: 1 + len(rest)]

    custom = rg.custom_vjp(f, rule)
    gx, gy = rg.grad(lambda x, y: np.sum(custom(x=x, y=y)), (0, 1))(X.astype("f4"), V.astype("f4"))
    assert gx.dtype == gy.dtype == np.float32
    np.testing.assert_array_equal(gx, V)
    np.testing.assert_array_equal(gy, np.zeros(3))
    np.testing.assert_array_equal(rg.grad(lambda x: np.sum(custom(x)))(X), 2 * np.ones(3))
    keyword_only = rg.custom_vjp(lambda x, *, y: x * y, lambda x, y: None)
    with pytest.raises(ArgumentError, match="keyword only"):
        keyword_only(X, y=1.0)


@pytest.mark.parametrize(
    ("rule", "part"),
    [
        (lambda x: x, r"pair \(result, pullback\)"),
        (lambda x: (x, lambda g: g), "tuple with one cotangent an argument"),
        (lambda x: (x, lambda g: (g[:1],)), r"shape \(1,\).*shape \(3,\)"),
        (lambda x: (x, lambda g: ([g],)), "structure"),
        (lambda x: (x, lambda g: (g * 1j,)), "complex128"),
    ],
)
def test_wrong_rules_are_refused(rule, part) -> None:
    with pytest.raises(ArgumentError, match=part):
        rg.grad(lambda x: np.sum(rg.custom_vjp(lambda x: x, rule)(x)))(X)


def test_wrong_forward_rules_are_refused() -> None:
    for rule, part in (
        (lambda p, t: t, "pair"),
        (lambda p, t: (p[0], t[0][:1]), "shape"),
    ):
        with pytest.raises(ArgumentError, match=part):
            rg.jvp(rg.custom_jvp(lambda x, y=1.0: x, rule), (X,), (V,))


def test_captured_values_are_refused() -> None:
    def loss(x):
        return np.sum(rg.custom_vjp(lambda y: y * x, lambda y: (y * x, lambda g: (g * x,)))(x))

    with pytest.raises(EscapedTraceError, match="pass it as an argument"):
        rg.grad(loss)(X)


def test_rules_see_their_variables_as_they_were() -> None:
    def with_vjp(x):
        total = 0.0
        for k in (1, 2, 3):
            f = rg.custom_vjp(
                lambda x: k * x * x,  # noqa: B023
                lambda x: (k * x * x, lambda g: (2 * k * x * g,)),  # noqa: B023
            )
            total = total + f(x)
        return total

    def with_jvp(x):
        total = 0.0
        for k in (1, 2, 3):
            f = rg.custom_jvp(
                lambda x: k * x * x,  # noqa: B023
                lambda p, t: (k * p[0] * p[0], 2 * k * p[0] * t[0]),  # noqa: B023
            )
            total = total + f(x)
        return total

    for f in (with_vjp, with_jvp):
        assert rg.grad(f)(0.5) == pytest.approx(6.0)
        assert rg.jvp(f, (0.5,), (1.0,))[1] == pytest.approx(6.0)
        for second in (rg.grad(rg.grad(f)), rg.hessian(f), lambda x, f=f: rg.hvp(f)(x, 1.0)):
            assert second(0.5) == pytest.approx(12.0)
