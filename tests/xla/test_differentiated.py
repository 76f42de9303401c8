"""Derivatives of compiled functions, and compilations inside of others."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import CompilationError

X = np.linspace(0.2, 1.1, 4)


def f(x, scale=1.0):
    return np.sum(np.sin(scale * x) * x**2)


COMPILED = rg.compile(f)


@pytest.mark.parametrize(
    "operator", [rg.grad, rg.value_and_grad, rg.hessian, lambda g: lambda x: rg.hvp(g)(x, x)]
)
def test_a_compiled_function_can_be_differentiated(operator):
    found, expected = operator(COMPILED)(X), operator(f)(X)
    for a, b in zip(rg.tree.leaves(found), rg.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12)


def test_forward_mode_and_several_arguments():
    compiled = rg.compile(lambda p, x: {"y": p["a"] * x + p["b"], "n": 3})
    plain = compiled.__wrapped__
    p = {"a": np.ones(4), "b": 0.5}
    found = rg.jvp(lambda p, x: compiled(p, x)["y"], (p, X), (p, X))
    expected = rg.jvp(lambda p, x: plain(p, x)["y"], (p, X), (p, X))
    np.testing.assert_allclose(found, expected)
    gradient = rg.grad(lambda p, x: np.sum(compiled(p, x)["y"] ** 2), (0, 1))(p, X)
    wanted = rg.grad(lambda p, x: np.sum(plain(p, x)["y"] ** 2), (0, 1))(p, X)
    for a, b in zip(rg.tree.leaves(gradient), rg.tree.leaves(wanted), strict=True):
        np.testing.assert_allclose(a, b)


def test_only_part_of_the_result_is_used():
    compiled = rg.compile(lambda x: (np.sum(x**2), np.sum(x**3), np.argmax(x)))
    np.testing.assert_allclose(rg.grad(lambda x: compiled(x)[1])(X), 3 * X**2)


def test_a_compilation_within_another_is_part_of_it():
    inner = rg.compile(rg.grad(f))
    np.testing.assert_allclose(rg.compile(lambda x: inner(x) * 2)(X), 2 * rg.grad(f)(X))
    np.testing.assert_allclose(rg.compile(rg.grad(COMPILED))(X), rg.grad(f)(X))
    outer = rg.compile(rg.grad(lambda x: np.sum(inner(x))))
    np.testing.assert_allclose(outer(X), rg.grad(lambda x: np.sum(rg.grad(f)(x)))(X), rtol=1e-12)


def test_a_traced_value_from_outside_is_refused():
    def outer(x):
        return rg.compile(lambda y: np.sum(x * y))(X)

    with pytest.raises(CompilationError, match="Pass it as an argument"):
        rg.grad(outer)(X)
