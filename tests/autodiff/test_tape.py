"""The walk backwards: what it adds up, writes to and lets go; and who notes what, in threads."""

from __future__ import annotations

import contextvars
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff import tape
from retrograd.autodiff.primitive import Primitive, rule
from retrograd.autodiff.tape import Tape
from retrograd.errors import ArgumentError
from retrograd.extend import defjvp, defvjp, primitive

CONSTANT = np.array([1.0, 2.0, 3.0])
X = np.array([0.3, -0.7, 1.1])


def stated(*vjps: Any) -> Primitive:
    """The sum of its arguments, with any rules."""
    new = primitive(lambda *xs: sum(np.sum(x) for x in xs))
    defvjp(new, *vjps)
    return new


def untouched(*arrays: Any) -> Any:
    """Assert afterwards that nobody has written to arrays."""
    copies = [a.copy() for a in arrays]

    def check() -> None:
        for a, copy in zip(arrays, copies, strict=True):
            np.testing.assert_array_equal(a, copy)

    return check


def returns_a_constant(x):
    f = stated(lambda g, ans, x: CONSTANT)
    return np.sum(x) + f(x) + f(x)


def returns_its_argument(x):
    f = stated(lambda g, ans, x: x)
    return np.sum(x) + f(x) + f(x)


def returns_one_array_for_two(x):
    both: list[Any] = []

    def once(g, ans, x, y):
        both.append(np.full(3, g))
        return both[-1]

    f = stated(once, lambda g, ans, x, y: both[-1])
    a, b = x * 1.0, x * 2.0
    return f(a, b) + np.sum(a * 3.0) + np.sum(b * 5.0) + f(b, a)


def returns_its_cotangent(x):
    same = primitive(lambda x: x * 1.0)
    defvjp(same, lambda g, ans, x: g)
    y = x * 2.0
    a, b = same(y), same(y)
    return np.sum(a * CONSTANT) + np.sum(b * a) + np.sum(same(a) + same(a))


def returns_views(x):
    big = np.arange(12.0).reshape(4, 3)
    f = stated(lambda g, ans, x: big[1])
    return np.sum(x * x) + f(x) + f(x)


def returns_broadcast_arrays(x):
    f = stated(lambda g, ans, x: np.broadcast_to(g, (3,)))
    return np.sum(x * x) + f(x) + f(x) + f(x)


def returns_parts_of_one_array(x):
    parts = np.arange(9.0).reshape(3, 3)
    f = stated(lambda g, ans, *xs: parts[0], lambda g, ans, *xs: parts[1])
    return f(x, x * 2.0) + f(x * 3.0, x)


def pieces(x):
    return np.sum(x[:2] * x[1:]) + np.sum(x[[0, 0, 1]] * CONSTANT) + x[0] * x[2] + np.sum(x[::-1])


SHARING = [
    returns_a_constant, returns_its_argument, returns_one_array_for_two, returns_its_cotangent,
    returns_views, returns_broadcast_arrays, returns_parts_of_one_array, pieces,
]  # fmt: skip


@pytest.mark.parametrize("f", SHARING)
def test_cotangents_are_added_up_as_if_nothing_was_written_to(f, monkeypatch) -> None:
    check = untouched(X, CONSTANT)
    found = rg.grad(f)(X)
    _, pullback = rg.vjp(f, X)
    again = [pullback(1.0)[0] for _ in range(3)]
    with monkeypatch.context() as patch:  # nothing is ever held by one alone
        patch.setattr(tape, "_LISTED", 0)
        patch.setattr(tape, "_HANDED", 0)
        expected = rg.grad(f)(X)
    check()
    for gradient in (found, *again):
        np.testing.assert_allclose(gradient, expected, rtol=1e-14)


@pytest.mark.parametrize("f", SHARING)
def test_derivatives_are_arrays_of_their_own(f) -> None:
    check = untouched(X, CONSTANT)
    expected = rg.grad(f)(X)
    _, pullback = rg.vjp(f, X)
    for gradient in (rg.grad(f)(X), pullback(1.0)[0], pullback(1.0)[0], rg.grad(f)(X)):
        np.testing.assert_array_equal(gradient, expected)
        gradient[...] = np.nan
    check()


def test_a_lone_constant_or_argument_of_a_rule_is_not_handed_out() -> None:
    large = np.linspace(0.0, 1.0, 5000)
    for kept in (CONSTANT, large):
        for f in (stated(lambda g, ans, x, k=kept: k), stated(lambda g, ans, x: x)):
            for gradient in (rg.grad(f)(kept), rg.vjp(f, kept)[1](1.0)[0]):
                np.testing.assert_array_equal(gradient, kept)
                assert gradient.flags.writeable
                assert not np.shares_memory(gradient, kept)


def test_two_arguments_get_gradients_of_their_own() -> None:
    parts = np.arange(6.0)
    f = stated(lambda g, ans, x, y: parts[:3], lambda g, ans, x, y: parts[3:])
    first, second = rg.grad(f, (0, 1))(X, X)
    first[:] = second[:] = 7.0
    np.testing.assert_array_equal(parts, np.arange(6.0))
    same = rg.grad(lambda x, y: np.sum(x + y), (0, 1))(X, X)
    assert not np.shares_memory(*same)
    overlapping = rg.grad(lambda x, y: np.sum(np.concatenate([x, y]) * 2.0), (0, 1))(X, X)
    overlapping[0][:] = 7.0
    np.testing.assert_array_equal(overlapping[1], 2.0)


def test_tangents_are_arrays_of_their_own() -> None:
    f = primitive(lambda x: x * CONSTANT)
    defjvp(f, lambda d, ans, x: CONSTANT)
    direction = np.ones(3)
    check = untouched(CONSTANT, direction, X)
    _, push = rg.linearize(lambda x: (f(x), x, x), X)
    for tangents in (
        rg.jvp(lambda x: (f(x), x, x), (X,), (direction,))[1],
        push(direction),
        push(direction),
    ):
        for i, tangent in enumerate(tangents):
            np.testing.assert_array_equal(tangent, CONSTANT if i == 0 else direction)
            tangent[...] = 100.0 + i
        np.testing.assert_array_equal(tangents[1], 101.0)
    check()


def writes_to_tangents(x):
    direction = x * 1.0
    first, second = rg.jvp(lambda y: (y, y), (x,), (direction,))[1]
    first[0] = 0.0
    return np.sum(second) + np.sum(direction)


def writes_to_pushed(x):
    direction = x * 1.0
    _, push = rg.linearize(lambda y: (y, y), x)
    first, second = push(direction)
    first[0] = 0.0
    return np.sum(second) + np.sum(direction)


def writes_to_pulled(x):
    seed = x * 1.0
    _, pullback = rg.vjp(lambda y: y, x)
    (first,) = pullback(seed)
    first[0] = 0.0
    return np.sum(seed) + np.sum(pullback(seed)[0])


def writes_to_jacobians(x):
    matrix = rg.jacobian(lambda y: np.outer(y, x))(x)
    matrix[0] = 0.0
    return 2.0 * (np.sum(matrix) + np.sum(x[0]))


@pytest.mark.parametrize(
    "f", [writes_to_tangents, writes_to_pushed, writes_to_pulled, writes_to_jacobians]
)
def test_traced_derivatives_may_be_written_to(f) -> None:
    expected = [6.0, 4.0, 4.0] if f is writes_to_jacobians else [2.0, 2.0, 2.0]
    np.testing.assert_array_equal(rg.grad(f)(X), expected)


def test_a_traced_seed_is_checked_and_cast_as_a_plain_one() -> None:
    def pulled(x):
        return lambda seed: rg.vjp(np.sin, x)[1](seed)[0]

    def pushed(x):
        return lambda direction: rg.jvp(np.sin, (x,), (direction,))[1]

    for derivative in (pulled, pushed):
        with pytest.raises(ArgumentError, match="dtype complex128 was given"):
            rg.vjp(derivative(X), np.ones(3) + 1j)
        value, _ = rg.vjp(derivative(X.astype(np.float32)), np.ones(3))
        assert value.dtype == np.float32


def test_the_seed_of_the_user_is_neither_written_to_nor_handed_out() -> None:
    seed = np.array([1.0, -1.0, 2.0])
    check = untouched(seed)
    _, pullback = rg.vjp(lambda x: (x, x, x[:2]), X)
    for _ in range(2):
        (found,) = pullback((seed, seed, seed[:2]))
        np.testing.assert_array_equal(found, [3.0, -3.0, 4.0])
        found[:] = 0.0
    _, pullback = rg.vjp(lambda x: x, X)
    pullback(seed)[0][:] = 0.0
    check()


def test_what_the_program_keeps_of_a_rule_stays_as_it_was() -> None:
    seen: list[Any] = []

    def spying(g, ans, x):
        seen.append(g)
        return g * 2.0

    spy = primitive(lambda x: x * 2.0)
    defvjp(spy, spying)
    rg.grad(lambda x: np.sum(spy(x) * CONSTANT) + np.sum(spy(x * 1.0) + spy(x)))(X)
    np.testing.assert_array_equal(sorted(map(tuple, seen)), [(1, 1, 1), (1, 1, 1), (1, 2, 3)])


def test_aux_may_hold_what_the_tape_needs() -> None:
    def f(x):
        y = np.exp(x)
        return np.sum(y * y), {"y": y, "x": x, "constant": CONSTANT}

    _, pullback, aux = rg.vjp(f, X, has_aux=True)
    assert aux["constant"] is CONSTANT
    (gradient,) = pullback(1.0)
    np.testing.assert_allclose(gradient, 2 * np.exp(2 * X))


def test_one_walk_in_many_threads_gives_each_its_own() -> None:
    weights = np.random.default_rng(0).normal(size=(16, 50))
    x = np.linspace(-1.0, 1.0, 50)

    def f(x):
        y = x
        for i in range(20):
            y = y + np.sin(y) * x[i] + np.sum(y[:5]) + 0.1 * y[::-1]
        return y

    _, pullback = rg.vjp(f, x)
    expected = [pullback(w)[0] for w in weights]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda w: pullback(w)[0], weights))
    np.testing.assert_array_equal(found, expected)


def switching(interval: float) -> Any:
    """Let threads take turns as often as possible."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(interval)
    return before


def test_threads_record_on_one_tape() -> None:
    def f(x):
        def work(i):
            y = x
            for _ in range(100):
                first, second = np.split(y * 1.01 + 0.001 * i, [1])
                y = np.concatenate([first, np.sin(second)])
            return np.sum(y)

        with ThreadPoolExecutor(4) as pool:
            contexts = [contextvars.copy_context() for _ in range(4)]
            parts = [pool.submit(c.run, work, i) for i, c in enumerate(contexts)]
            return sum(part.result() for part in parts)

    def in_turn(x):
        def work(i):
            y = x
            for _ in range(100):
                y = y * 1.01 + 0.001 * i
                y = np.concatenate([y[:1], np.sin(y[1:])])
            return np.sum(y)

        return sum(work(i) for i in range(4))

    expected = rg.grad(in_turn)(X)
    before = switching(1e-7)
    try:
        for _ in range(3):
            np.testing.assert_allclose(rg.grad(f)(X), expected, rtol=1e-12)
    finally:
        switching(before)


def test_a_node_is_found_behind_what_another_thread_has_noted() -> None:
    class Interrupted(list):
        """A record into which somebody else writes just before every entry."""

        def append(self, entry):
            super().append(None)
            super().append(entry)

    pair = rule(
        Primitive(lambda x: (x * 2.0, x * 3.0), outputs=True),
        vjps=[lambda g, ans, x: 2.0 * g[0] + 3.0 * g[1]],
    )
    with Tape(lean=True) as trace:
        x = trace.watch(X)
        trace.entries = Interrupted(trace.entries)
        first, second = pair(np.tanh(x) * x)
        result = np.sum(first * second + np.where(CONSTANT > 1.0, x, 0.0))
    found = trace.pull({result.node: 1.0})[0]
    t = np.tanh(X)
    np.testing.assert_allclose(found, 12 * t * X * (t + X * (1 - t * t)) + (CONSTANT > 1.0))


def test_a_hundred_thousand_operations() -> None:
    def chain(x):
        for _ in range(50_000):
            x = x * 1.00001 + 1e-9
        return x

    assert rg.grad(chain)(1.0) == pytest.approx(1.00001**50_000)
    assert rg.linearize(chain, 1.0)[1](1.0) == pytest.approx(1.00001**50_000)


def test_the_walk_lets_go_of_what_it_has_passed() -> None:
    alive: list[int] = []
    results: list[weakref.ref[Any]] = []

    def forward(x):
        result = x * 2.0
        results.append(weakref.ref(result))
        return result

    def backward(g, ans, x):
        alive.append(sum(reference() is not None for reference in results))
        return g * (2.0 + 0.0 * ans)

    step = primitive(forward)
    defvjp(step, backward)

    def chain(x):
        for _ in range(10):
            x = step(x)
        return np.sum(x)

    rg.grad(chain)(np.ones(1000))
    assert alive == [*range(10, 0, -1)]


def test_deep_chains_of_views() -> None:
    def f(x):
        whole = x.copy()
        part = whole
        for _ in range(3000):
            part = part[...]
        part[0] = 3.0 * part[1]  # reaches the base, and from there every view
        return np.sum(whole * CONSTANT) + part[0]

    np.testing.assert_array_equal(rg.grad(f)(X), [0.0, 8.0, 3.0])


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.complex64])
def test_sums_of_cotangents_keep_the_dtype(dtype) -> None:
    x = X.astype(dtype)

    def f(x):
        y = x * x
        return y + y[::-1] + np.sin(y) + x

    _, pullback = rg.vjp(f, x)
    (found,) = pullback(np.ones(3, dtype))
    assert found.dtype == dtype
    (again,) = pullback(np.ones(3))  # a seed of float64
    assert again.dtype == dtype
    expected = 2 * X * (2 + np.cos(X * X)) + 1
    np.testing.assert_allclose(found.real.astype(float), expected, rtol=1e-2)
    np.testing.assert_array_equal(again, found)


def test_after_an_exception_in_a_rule_the_record_can_be_pulled_again() -> None:
    fails = [True]

    def sometimes(g, ans, x):
        if fails:
            raise ZeroDivisionError("in a rule")
        return g * CONSTANT

    f = primitive(lambda x: x * CONSTANT)
    defvjp(f, sometimes)
    _, pullback = rg.vjp(lambda x: f(x) + x, X)
    with pytest.raises(ZeroDivisionError, match="in a rule"):
        pullback(np.ones(3))
    fails.clear()
    np.testing.assert_array_equal(pullback(np.ones(3))[0], CONSTANT + 1)
