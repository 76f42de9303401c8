"""`checkpoint`: the same derivatives of any order from less memory, or a clear error."""

from __future__ import annotations

import tracemalloc
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import DifferentiationError, EscapedTraceError, InterceptionError

X = np.array([0.3, 0.7, 1.1])
V = np.array([1.0, -2.0, 0.5])


def layer(x):
    return np.tanh(np.sin(x) * 2 * x)


def plainly(x):
    return np.sum(layer(layer(x)) ** 2)


def checkpointed(x):
    again = rg.checkpoint(layer)
    return np.sum(again(again(x)) ** 2)


OPERATORS = {
    "grad": rg.grad,
    "jvp": lambda f: lambda x: rg.jvp(f, (x,), (V,))[1],
    "linearize": lambda f: lambda x: rg.linearize(f, x)[1](V),
    "vjp": lambda f: lambda x: rg.vjp(f, x)[1](2.0)[0],
    "hvp": lambda f: lambda x: rg.hvp(f)(x, V),
    "reverse over reverse": lambda f: rg.grad(lambda x: np.dot(rg.grad(f)(x), V)),
    "reverse over forward": lambda f: rg.grad(lambda x: rg.jvp(f, (x,), (V,))[1]),
    "hessian": rg.hessian,
    "third": lambda f: rg.jacobian(rg.hessian(f)),
    "hessian of hvp": lambda f: rg.hessian(lambda x: np.dot(rg.hvp(f)(x, V), V)),
}


@pytest.mark.parametrize("operator", OPERATORS.values(), ids=OPERATORS)
def test_derivatives_of_any_order_are_the_same(operator) -> None:
    np.testing.assert_allclose(operator(checkpointed)(X), operator(plainly)(X), rtol=1e-11)


def test_containers_keywords_constants_and_dtypes() -> None:
    @rg.checkpoint
    def f(parameters, x, *, power=1, name="f"):
        assert (power, name) == (2, "g")
        return {"y": parameters["w"] * x**power, "n": 3, "name": name, "none": None}

    def loss(parameters):
        result = f(parameters, X.astype("f4"), power=2, name="g")
        assert (result["n"], result["name"], result["none"]) == (3, "g", None)
        return np.sum(result["y"])

    gradient = rg.grad(loss)({"w": X.astype("f4"), "steps": 4})
    assert gradient["steps"] is None
    assert gradient["w"].dtype == np.float32
    np.testing.assert_allclose(gradient["w"], X**2, rtol=1e-6)
    assert f.__name__ == "f"


def test_without_traced_arguments_it_is_the_function_itself() -> None:
    x = X.copy()
    rg.checkpoint(lambda a: a.__iadd__(1))(x)
    np.testing.assert_array_equal(x, X + 1)


@dataclass
class Model:
    w: Any

    def __call__(self, x):
        return np.tanh(self.w * x)

    def apply(self, x):
        return np.tanh(self.w * x)


def through_a_cell(w):
    return rg.checkpoint(lambda x: np.tanh(w * x))


def through_a_container(w):
    held = {"w": [w]}
    return rg.checkpoint(lambda x: np.tanh(held["w"][0] * x))


def through_a_function(w):
    def scaled(x):
        return w * x

    return rg.checkpoint(lambda x: np.tanh(scaled(x)))


def through_a_partial(w):
    return rg.checkpoint(partial(lambda w, x: np.tanh(w * x), w))


def through_a_default(w):
    def f(x, w=w):
        return np.tanh(w * x)

    return rg.checkpoint(f)


def through_a_method(w):
    return rg.checkpoint(Model(w).apply)


def through_recursion(w):
    def f(x, n=1):
        return f(x, n - 1) if n else np.tanh(w * x)

    return rg.checkpoint(f)


def through_functions_that_know_each_other(w):
    def even(x, n=2):
        return odd(x, n - 1) if n else np.tanh(w * x)

    def odd(x, n):
        return even(x, n - 1) if n else w

    return rg.checkpoint(even)


@pytest.mark.parametrize(
    "make",
    [
        through_a_cell, through_a_container, through_a_function, through_a_partial,
        through_a_default, through_a_method, through_recursion,
        through_functions_that_know_each_other,
    ],
)  # fmt: skip
def test_captured_values_have_derivatives(make) -> None:
    def loss(w):
        f = make(w)
        return np.sum(f(f(V)) ** 2)

    def expected(w):
        return np.sum(np.tanh(w * np.tanh(w * V)) ** 2)

    np.testing.assert_allclose(rg.grad(loss)(X), rg.grad(expected)(X), rtol=1e-12)
    np.testing.assert_allclose(rg.hvp(loss)(X, V), rg.hvp(expected)(X, V), rtol=1e-11)
    np.testing.assert_allclose(rg.hessian(loss)(X), rg.hessian(expected)(X), rtol=1e-11)


def test_other_captured_values_are_refused() -> None:
    class Holder:
        w: Any = None

    holder = Holder()

    def loss(x):
        holder.w = x
        return np.sum(rg.checkpoint(lambda y: y * holder.w)(x))

    for operator in (rg.grad, lambda f: lambda x: rg.jvp(f, (x,), (V,))):
        with pytest.raises(EscapedTraceError, match="not among its arguments"):
            operator(loss)(X)


def test_a_result_that_changes_is_refused() -> None:
    rng = np.random.default_rng(0)
    dropout = rg.checkpoint(lambda x: x * rng.normal(size=3))
    with pytest.raises(DifferentiationError, match=r"another result.*seed"):
        rg.grad(lambda x: np.sum(dropout(x) ** 2))(X)


def test_a_plain_argument_that_changes_is_no_danger() -> None:
    scale = np.ones(3)

    def loss(x):
        y = rg.checkpoint(lambda x, s: np.sin(x * s))(x, scale)
        scale[:] = 100.0
        return np.sum(y)

    np.testing.assert_allclose(rg.grad(loss)(X), np.cos(X))


def test_writing_to_an_argument_is_refused() -> None:
    def writes(y):
        y += 1
        return np.sum(y * y)

    with pytest.raises(InterceptionError, match="copy"):
        rg.grad(lambda x: rg.checkpoint(writes)(x * 1))(X)

    def copies(y):
        y = y.copy()
        y += 1
        y[0] = 0.0
        return np.sum(y * y)

    np.testing.assert_allclose(rg.grad(rg.checkpoint(copies))(X), [0, *(2 * (X + 1))[1:]])


def test_assigning_to_an_enclosing_variable_is_refused() -> None:
    def loss(x):
        total = x * 1

        def f(y):
            nonlocal total
            total = total + y
            return y

        return np.sum(rg.checkpoint(f)(x) * total)

    with pytest.raises(InterceptionError, match="nonlocal"):
        rg.grad(loss)(X)


def loop_variables(x):
    for k in range(1, 4):
        x = rg.checkpoint(lambda y: np.sin(k * y))(x)  # noqa: B023
    return x


def growing_lists(x):
    states = [x]
    factors = []
    for k in range(1, 4):
        factors.append(k)
        states.append(rg.checkpoint(lambda: np.sin(factors[-1] * states[-1]))())
    return states[-1]


def functions_in_loops(x):
    for k in range(1, 4):

        def scaled(y):
            return k * y  # noqa: B023

        block = {"f": partial(lambda f, y: np.sin(f(y)), scaled)}
        x = rg.checkpoint(lambda y: block["f"](y))(x)  # noqa: B023
    return x


@pytest.mark.parametrize("f", [loop_variables, growing_lists, functions_in_loops])
def test_variables_that_change_afterwards_are_put_back(f) -> None:
    """At zero, all of the functions have the same value, which tells nothing."""
    for x in (0.0, 0.3):
        expected, y = 1.0, x
        for k in (1, 2, 3):
            expected, y = expected * k * np.cos(k * y), np.sin(k * y)
        assert rg.grad(f)(x) == pytest.approx(expected)
        assert rg.jvp(f, (x,), (1.0,))[1] == pytest.approx(expected)
        plain = rg.grad(lambda x: np.sin(3 * np.sin(2 * np.sin(x))))
        assert rg.grad(rg.grad(f))(x) == pytest.approx(rg.grad(plain)(x))
        assert rg.hvp(f)(x, 1.0) == pytest.approx(rg.grad(plain)(x))


def test_a_counter_counts_evaluations_of_the_program_alone() -> None:
    count, seen = 0, []

    def f(y):
        nonlocal count
        count += 1
        seen.append(count)
        return np.sin(y) * len(seen)

    assert rg.grad(rg.checkpoint(f))(0.3) == pytest.approx(np.cos(0.3))
    assert (count, seen) == (1, [1])


def test_an_exception_leaves_nothing_behind() -> None:
    def fails(x):
        raise KeyError("inside")

    def loss(x):
        with pytest.raises(KeyError):
            rg.checkpoint(fails)(x)
        return np.sum(x * x)

    np.testing.assert_array_equal(rg.grad(loss)(X), 2 * X)


ROWS = 1 << 14
SEGMENTS, STEPS = 12, 12


def segment(x):
    for _ in range(STEPS):
        x = np.sin(x)
    return x


def chain(part):
    def run(x):
        for _ in range(SEGMENTS):
            x = part(x)
        return np.sum(x)

    return run


def peak(run) -> float:
    """The memory that a call needs, in arrays."""
    tracemalloc.start()
    try:
        run()
        return tracemalloc.get_traced_memory()[1] / (8 * ROWS)
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("operator", "arrays"),
    [("grad", 4), ("hvp", 7), ("reverse over reverse", 12), ("reverse over forward", 12)],
)
def test_the_peak_is_that_of_one_segment(operator, arrays, monkeypatch) -> None:
    x = np.linspace(0.1, 1.0, ROWS)
    monkeypatch.setitem(globals(), "V", x)
    run = OPERATORS[operator](chain(rg.checkpoint(segment)))
    plain = OPERATORS[operator](chain(segment))
    run(x)
    assert peak(lambda: run(x)) < arrays * (SEGMENTS + STEPS) / 1.5
    assert peak(lambda: plain(x)) > SEGMENTS * STEPS
