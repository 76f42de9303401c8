"""Rules stated in Autograd's form."""

from __future__ import annotations

import autograd
import autograd.extend
import autograd.numpy
import numpy as np
import pytest
import scipy.special

import retrograd as rg
import retrograd.compat.autograd as compat
import retrograd.compat.autograd.numpy as cnp
from retrograd.autodiff.primitive import REGISTRY
from retrograd.compat.autograd.extend import (
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    primitive,
)
from retrograd.compat.autograd.numpy.numpy_vjps import match_complex, unbroadcast, unbroadcast_f
from retrograd.errors import ArgumentError, MissingRuleError
from retrograd.testing import check_grads

X, Y = np.array([0.3, 0.7, 1.1]), np.array([1.2, 0.4, -0.9])


@pytest.mark.parametrize("library", [autograd, compat], ids=["autograd", "retrograd"])
def test_the_rules_are_called_as_autograd_calls_them(library) -> None:
    """Which arguments makers and rules get, and what they may leave out."""
    calls = []

    @library.extend.primitive
    def f(x, y, n, power=1):
        return x * y**power

    def maker_of_x(ans, x, y, n, power=1):
        calls.append((ans, x, y, n, power))
        return lambda g: g * y**power

    library.extend.defvjp(
        f,
        maker_of_x,
        lambda ans, x, y, n, power=1: lambda g: g * x * power * y ** (power - 1),
        None,
    )
    gradients = library.grad(lambda x, y, n: f(x, y, n, power=3), (0, 1, 2))(2.0, 3.0, 4.0)
    np.testing.assert_allclose(gradients, [27.0, 54.0, 0.0])
    assert calls == [(54.0, 2.0, 3.0, 4.0, 3)]


def test_rules_of_some_arguments() -> None:
    @primitive
    def f(n, x, y):
        return n * x * y

    defvjp(f, lambda ans, n, x, y: lambda g: g * n * y, argnums=[1])
    defjvp(f, lambda g, ans, n, x, y: g * n * y, argnums=[1])
    assert rg.grad(f, 1)(2.0, 3.0, 5.0) == 10.0
    assert rg.jvp(f, (2.0, 3.0, 5.0), (None, 1.0, None))[1] == 10.0
    with pytest.raises(MissingRuleError, match=r"f has no reverse-mode.*argument 2.*defvjp"):
        rg.grad(f, 2)(2.0, 3.0, 5.0)
    with pytest.raises(MissingRuleError, match=r"f has no forward-mode.*argument 0.*defjvp"):
        rg.jvp(f, (2.0, 3.0, 5.0), (1.0, None, None))


def test_a_function_without_rules_is_refused() -> None:
    opaque = primitive(lambda x: x * x)
    assert opaque(3.0) == opaque.fun(3.0) == 9.0
    with pytest.raises(MissingRuleError, match=r"reverse-mode derivative.*argument 0"):
        rg.grad(opaque)(3.0)
    defvjp(opaque, lambda ans, x: lambda g: 2 * g * x)
    with pytest.raises(MissingRuleError, match="keyword x= is traced"):
        rg.grad(lambda x: opaque(x=x))(3.0)


FORMS = {
    "argnum": lambda f: (
        defvjp_argnum(f, lambda i, ans, args, kwargs: lambda g: g * args[1 - i]),
        defjvp_argnum(f, lambda i, g, ans, args, kwargs: g * args[1 - i]),
    ),
    "argnums": lambda f: (
        defvjp_argnums(
            f, lambda argnums, ans, args, kwargs: lambda g: (g * args[1 - i] for i in argnums)
        ),
        defjvp_argnums(
            f,
            lambda argnums, gs, ans, args, kwargs: sum(
                g * args[1 - i] for i, g in zip(argnums, gs, strict=True)
            ),
        ),
    ),
    "same": lambda f: (
        defvjp(f, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x),
        defjvp(f, "same", "same"),
    ),
    "linear": lambda f: (
        defvjp(f, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x),
        def_linear(f),
    ),
    "reverse alone": lambda f: (
        defvjp(f, lambda ans, x, y: lambda g: g * y, lambda ans, x, y: lambda g: g * x),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_serves_both_modes_to_second_order(form: str) -> None:
    multiplied = primitive(lambda x, y: x * y)
    FORMS[form](multiplied)
    check_grads(multiplied, X, Y)
    check_grads(lambda x: multiplied(x, multiplied(x, Y)), X)
    assert rg.hessian(lambda x: np.sum(multiplied(x, x)))(X).tolist() == (2 * np.eye(3)).tolist()


def test_arguments_and_results_may_be_containers() -> None:
    @primitive
    def layer(p, x):
        y = np.tanh(p["w"] * x + p["b"])
        return {"y": y, "norm": np.sum(y**2), "name": "layer"}

    def of_p(ans, p, x):
        def vjp(g):
            slope = (g["y"] + 2 * g["norm"] * ans["y"]) * (1 - ans["y"] ** 2)
            return {"w": slope * x, "b": np.sum(slope)}

        return vjp

    def of_x(ans, p, x):
        return lambda g: (g["y"] + 2 * g["norm"] * ans["y"]) * (1 - ans["y"] ** 2) * p["w"]

    defvjp(layer, of_p, of_x)

    def run(p, x):
        out = layer(p, x)
        assert out["name"] == "layer"
        return [out["y"], out["norm"]]

    check_grads(run, {"w": Y, "b": 0.2}, X)


def test_none_states_a_zero_derivative() -> None:
    @primitive
    def f(x, y):
        return [x * 2.0, 7]

    defvjp(f, lambda ans, x, y: lambda g: g[0] * 2.0, None)
    defjvp(f, lambda g, ans, x, y: [g * 2.0, None], None)
    assert rg.grad(lambda x, y: f(x, y)[0], (0, 1))(3.0, {"a": X})[0] == 2.0
    zero = rg.grad(lambda x, y: f(x, y)[0], 1)(3.0, {"a": X})
    assert zero["a"].tolist() == [0.0, 0.0, 0.0]
    assert rg.jvp(lambda y: f(3.0, y)[0], (X,), (Y,))[1] == 0.0


def test_rules_that_return_nonsense_are_named() -> None:
    square = primitive(lambda x: x * x)
    square.stated.name = "square"
    defvjp(square, lambda ans, x: lambda g: None)
    with pytest.raises(ArgumentError, match="square: the cotangent of argument 0 is None"):
        rg.vjp(square, X)[1](X)
    defvjp(square, lambda ans, x: lambda g: np.sum(g))
    with pytest.raises(ArgumentError, match=r"square: the cotangent of argument 0: shape \(\)"):
        rg.vjp(square, X)[1](X)
    defvjp(square, lambda ans, x: lambda g: 2j * g * x)
    with pytest.raises(ArgumentError, match="square: the cotangent of argument 0: dtype complex"):
        rg.vjp(square, X)[1](X)
    for state, rule, kind in ((defvjp, "same", "VJP"), (defjvp, 3.0, "JVP")):
        with pytest.raises(ArgumentError, match=f"square.*as the {kind} of argument 0"):
            state(square, rule)


def test_precision_is_kept() -> None:
    square = primitive(lambda x: x * x)
    defvjp(square, lambda ans, x: lambda g: g * 2 * x)
    assert rg.grad(lambda x: np.sum(square(x)))(X.astype(np.float32)).dtype == np.float32


def test_what_is_differentiable_already_is_left_alone() -> None:
    for function in (cnp.tanh, np.tanh, cnp.unwrap, np.unwrap):
        with pytest.raises(ArgumentError, match="has derivatives in retrograd already"):
            defvjp(function, lambda ans, x: lambda g: g)
    with pytest.raises(ArgumentError, match="is no primitive: decorate it"):
        defvjp(lambda x: x, lambda ans, x: lambda g: g)
    mine = primitive(np.tanh)
    defvjp(mine, lambda ans, x: lambda g: 5 * g)
    assert rg.grad(mine)(0.3) == 5.0


def test_functions_of_libraries_without_rule_can_be_given_one() -> None:
    f = scipy.special.voigt_profile
    with pytest.raises(MissingRuleError, match="voigt_profile"):
        rg.grad(f)(0.3, 0.4, 0.5)
    try:
        defvjp(f, lambda ans, *args: lambda g: 3.0 * g)
        for called in (f, compat.scipy.special.voigt_profile):
            assert rg.grad(called)(0.3, 0.4, 0.5) == 3.0
    finally:
        del REGISTRY[f]


def test_forward_mode_alone_is_not_transposed() -> None:
    f = primitive(lambda x: x * x)
    defjvp(f, lambda g, ans, x: 2 * g * x)
    check_grads(f, X, modes=["forward"])
    with pytest.raises(MissingRuleError, match="no reverse-mode"):
        rg.grad(f)(3.0)


def test_cotangents_of_what_was_broadcast() -> None:
    scaled = primitive(lambda x, s: x * s)
    defvjp(
        scaled,
        lambda ans, x, s: unbroadcast_f(x, lambda g: g * s),
        lambda ans, x, s: (
            lambda g: unbroadcast(match_complex(s, g * x * (1 + 0j)), cnp.metadata(s))
        ),
    )
    check_grads(scaled, X, 1.3)
    check_grads(scaled, X, Y[:, None])
    with pytest.raises(NotImplementedError, match="broadcast_idx=1"):
        unbroadcast(X, cnp.metadata(X), 1)
    z = X + 1j
    assert match_complex(z, z) is z
    assert match_complex(X, X) is X


def test_rules_work_under_jacobians_and_checkpoints() -> None:
    cube = primitive(lambda x: x**3)
    defvjp(cube, lambda ans, x: lambda g: g * 3 * x**2)
    np.testing.assert_allclose(rg.jacobian(cube)(X), np.diag(3 * X**2))
    checked = rg.checkpoint(lambda x: cube(np.sin(x)))
    np.testing.assert_allclose(
        rg.grad(lambda x: np.sum(checked(x)))(X), 3 * np.sin(X) ** 2 * np.cos(X)
    )


def test_hessian_products_are_of_the_gradient_that_the_rules_give() -> None:
    """The two modes that are stated here are not those of one function."""
    clip = primitive(lambda x: x * 1.0)
    defvjp(clip, lambda ans, x: lambda g: np.clip(g, -1.0, 1.0))
    defjvp(clip, lambda g, ans, x: g)

    def loss(x):
        return np.sum(3 * clip(x) ** 2)

    x = np.array([0.1, 0.9, -0.05])
    np.testing.assert_allclose(rg.hvp(loss)(x, np.ones(3)), [6.0, 0.0, 6.0])
