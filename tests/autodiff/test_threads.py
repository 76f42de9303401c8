"""Threads, contexts and exceptions: traces do not know of each other, and leave nothing behind."""

from __future__ import annotations

import contextvars
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest

import retrograd as rg
from retrograd.autodiff.trace import is_tracing

X = np.linspace(0.1, 1.0, 8)
THREADS = 8


def nested(scale):
    def f(x):
        return np.sum(np.sin(scale * x) ** 2)

    return rg.hvp(f)(X, X), rg.grad(lambda x: np.sum(rg.grad(f)(x) * X))(X), rg.hessian(f)(X) @ X


def in_threads(run):
    """Run a function of the thread's number in several threads that start together."""
    barrier = Barrier(THREADS)

    def started(i):
        barrier.wait()
        return run(i)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(started, range(THREADS)))


def test_threads_differentiate_nested_functions_independently() -> None:
    for i, results in enumerate(in_threads(lambda i: [nested(1.0 + i) for _ in range(5)])):
        expected = 2 * (1.0 + i) ** 2 * np.cos(2 * (1.0 + i) * X) * X
        for result in results:
            for product in result:
                np.testing.assert_allclose(product, expected, rtol=1e-10, atol=1e-12)


def test_one_tape_is_pulled_and_pushed_from_several_threads() -> None:
    f = rg.checkpoint(lambda x: np.tanh(np.outer(x, x)) @ x)
    _, pullback = rg.vjp(lambda x: f(f(x)), X)
    _, push = rg.linearize(lambda x: f(f(x)), X)
    directions = np.random.default_rng(0).normal(size=(THREADS, 8))
    expected = [(pullback(d)[0], push(d)) for d in directions]
    found = in_threads(lambda i: [(pullback(directions[i])[0], push(directions[i]))] * 3)
    for pairs, (pulled, pushed) in zip(found, expected, strict=True):
        for a, b in pairs:
            np.testing.assert_array_equal(a, pulled)
            np.testing.assert_array_equal(b, pushed)


def test_threads_share_plain_arrays_that_tapes_hold() -> None:
    shared = np.linspace(0.0, 1.0, 5000)  # large enough to be locked, not copied
    gradients = in_threads(lambda i: rg.grad(lambda x: np.sum(np.sin(shared * x)))(1.0 + i))
    for i, g in enumerate(gradients):
        assert float(g) == pytest.approx(np.sum(np.cos(shared * (1.0 + i)) * shared))
    shared[0] = 1.0  # nobody holds it any more


def test_a_copied_context_continues_the_trace() -> None:
    def f(x):
        context = contextvars.copy_context()
        with ThreadPoolExecutor(1) as pool:
            inner = pool.submit(context.run, rg.grad(lambda y: np.sum(x * y**2)), X).result()
        return np.sum(inner)

    np.testing.assert_allclose(rg.grad(f)(X), 2 * X)


def test_contexts_do_not_see_each_others_traces() -> None:
    def f(x):
        assert is_tracing()
        assert not contextvars.Context().run(is_tracing)
        return np.sum(x)

    rg.grad(f)(X)
    assert not is_tracing()


@pytest.mark.parametrize(
    "operator",
    [
        rg.grad, rg.hessian, rg.jacobian, rg.elementwise_grad,
        lambda f: lambda x: rg.jvp(f, (x,), (x,)), lambda f: lambda x: rg.hvp(f)(x, x),
        lambda f: rg.grad(rg.checkpoint(f)), lambda f: lambda x: rg.linearize(f, x),
    ],
)  # fmt: skip
def test_an_exception_leaves_nothing_behind(operator) -> None:
    large = np.ones(5000)

    def fails(x):
        np.sum(x[0] * large)
        raise KeyError("inside")

    with pytest.raises(KeyError, match="inside"):
        operator(fails)(X)
    assert not is_tracing()
    large[0] = 2.0
    np.testing.assert_allclose(rg.grad(lambda x: np.sum(x * x))(X), 2 * X)


def test_generators_may_leave_a_trace_in_the_middle() -> None:
    def steps(x):
        for i in range(3):
            yield rg.grad(lambda y, i=i: np.sum(x * y) * i)(X)

    total = rg.grad(lambda x: sum(np.sum(g) for g in steps(x)))(X)
    np.testing.assert_allclose(total, 3 * np.ones(8))
