"""Users' own functions: rules, refusals, interception of functions of other libraries."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special

import retrograd as rg
from retrograd.autodiff.box import OPERATORS
from retrograd.autodiff.primitive import REGISTRY
from retrograd.errors import ArgumentError, MissingRuleError
from retrograd.extend import defjvp, defvjp, elementwise, match, primitive
from retrograd.testing import check_grads


def test_a_function_with_keywords_and_broadcasting() -> None:
    @primitive
    def scaled(x, y, *, power=1):
        return x * y**power

    defvjp(
        scaled,
        lambda g, ans, x, y, power=1: match(g * y**power, x),
        lambda g, ans, x, y, power=1: match(g * x * power * y ** (power - 1), y),
    )
    defjvp(
        scaled,
        lambda d, ans, x, y, power=1: d * y**power,
        lambda d, ans, x, y, power=1: d * x * power * y ** (power - 1),
    )
    check_grads(lambda x, y: scaled(x, y, power=3), np.array([0.3, 0.8]), 1.2)


def test_an_argument_without_rule_is_refused() -> None:
    @primitive
    def product(x, y):
        return x * y

    defvjp(product, None, lambda g, ans, x, y: g * x)
    assert float(rg.grad(product, 1)(3.0, 2.0)) == 3.0
    with pytest.raises(MissingRuleError, match=r"product has no reverse-mode.*argument 0"):
        rg.grad(product)(3.0, 2.0)
    with pytest.raises(MissingRuleError, match=r"product has no forward-mode.*argument 1"):
        rg.jvp(product, (3.0, 2.0), (None, 1.0))


def test_a_primitive_does_not_enter_the_registry() -> None:
    before = len(REGISTRY)
    elementwise(primitive(np.cbrt), lambda ans, x: 1 / (3 * ans * ans))
    assert len(REGISTRY) == before


def test_functions_of_other_libraries_are_intercepted() -> None:
    """A ufunc that nobody knows yet is refused; once its derivative is stated, it is not."""
    x = np.array([0.3, 0.8])
    unknown = scipy.special.tklmbda  # its derivatives have no closed form
    with pytest.raises(MissingRuleError, match="tklmbda"):
        rg.grad(lambda x: np.sum(unknown(x, 0.5)))(x)
    elementwise(unknown, lambda ans, x, shape: 1 + 0 * x, lambda ans, x, shape: 0 * x)
    try:
        np.testing.assert_array_equal(rg.grad(lambda x: np.sum(unknown(x, 0.5)))(x), [1.0, 1.0])
    finally:
        del REGISTRY[unknown]


def test_a_rule_for_a_ufunc_is_one_for_the_operator_too() -> None:
    known = [REGISTRY[np.floor_divide], OPERATORS[np.floor_divide]]
    before = [(p.vjps, p.jvps, p.reads, p.differentiable) for p in known]
    try:
        for p in known:
            p.differentiable = True
        defvjp(np.floor_divide, lambda g, ans, x, y: 7 * g)
        defjvp(np.floor_divide, lambda d, ans, x, y: 7 * d)
        for f in (lambda x: x // 2.0, lambda x: np.floor_divide(x, 2.0)):
            assert rg.grad(f)(5.0) == 7.0
            assert rg.jvp(f, (5.0,), (1.0,))[1] == 7.0
    finally:
        for p, (vjps, jvps, reads, differentiable) in zip(known, before, strict=True):
            p.vjps, p.jvps, p.reads, p.differentiable = vjps, jvps, reads, differentiable
            p.plans.clear()


def test_a_rule_must_be_a_function() -> None:
    with pytest.raises(ArgumentError, match=r"reverse-mode rule of argument 0 is 3\.0"):
        defvjp(primitive(np.sin), 3.0)  # type: ignore[arg-type]
