"""Contributions that wait to be stacked: gradients, bits, dtypes and higher derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.autodiff.primitive import Primitive
from retrograd.autodiff.stacked import ENOUGH, Stack, Stacking
from retrograd.extend import defvjp

STEPS = 40
RNG = np.random.default_rng(5)


def _normal(*shape: int) -> Any:
    return RNG.normal(size=shape)


def rows_times_weights(w: Any, b: Any, x: Any) -> Any:
    return rnp.dot(x, w) + b


def weights_times_columns(w: Any, b: Any, x: Any) -> Any:
    return (w @ x.T).T + b


def vector_times_weights(w: Any, b: Any, x: Any) -> Any:
    return x[0] @ w + b


def weights_times_vector(w: Any, b: Any, x: Any) -> Any:
    return b + rnp.matmul(w, x[0])


def both_sides(w: Any, b: Any, x: Any) -> Any:
    return w @ (x[0] @ w) + (b + x @ w) @ w


def columns_in_another_layout(w: Any, b: Any, x: Any) -> Any:
    # Plain sums and slopes could be in either order of memory, and products look at it.
    x = rnp.tanh((w @ (x + b).T).T - b)
    return rnp.matmul(x, w[:, ::-1]) + 0.1 * (x @ w) @ w.T


LAYERS = [
    rows_times_weights, weights_times_columns, vector_times_weights, weights_times_vector,
    both_sides, columns_in_another_layout,
]  # fmt: skip


def recurrent(layer: Any, steps: int = STEPS) -> Any:
    """A loss of one pair of parameters for each step, `loss(weights, biases)`."""
    inputs = np.random.default_rng(1).normal(size=(steps, 3, 6))

    def loss(ws: Any, bs: Any) -> Any:
        h = np.zeros((3, 6))
        for w, b, x in zip(ws, bs, inputs, strict=True):
            h = rnp.tanh(layer(w, b, x + 0.5 * h))
            h = h if h.ndim == 2 else rnp.broadcast_to(h, (3, 6))
        return rnp.sum(h * h)

    return loss


def shared(layer: Any, steps: int = STEPS) -> Any:
    """The same with the same parameters in all steps."""
    loss = recurrent(layer, steps)
    return lambda p: loss([p[0]] * steps, [p[1]] * steps)


def parameters(dtype: Any = np.float64) -> Any:
    rng = np.random.default_rng(2)
    return [(rng.normal(size=(6, 6)) / 3).astype(dtype), rng.normal(size=6).astype(dtype)]


@pytest.mark.parametrize("layer", LAYERS)
def test_the_gradient_is_the_sum_of_those_of_parameters_of_each_step(layer):
    w, b = parameters()
    each = rg.grad(recurrent(layer), argnum=(0, 1))([w] * STEPS, [b] * STEPS)
    found = rg.grad(shared(layer))([w, b])
    for one, parts in zip(found, each, strict=True):
        np.testing.assert_allclose(one, sum(parts), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layer", LAYERS)
def test_a_gradient_has_the_same_bits_where_it_is_differentiated(layer):
    p, v = parameters(), parameters()
    plain = rg.grad(shared(layer))(p)
    pushed, _ = rg.jvp(rg.grad(shared(layer)), (p,), (v,))
    linearized, _ = rg.linearize(rg.grad(shared(layer)), p)
    for a, b, c in zip(plain, pushed, linearized, strict=True):
        np.testing.assert_array_equal(a, b)
        np.testing.assert_array_equal(a, c)


@pytest.mark.parametrize("layer", LAYERS)
def test_second_derivatives_in_all_nestings(layer):
    p, v = parameters(), [_normal(6, 6), _normal(6)]
    loss, step = shared(layer), 1e-5
    gradient = rg.grad(loss)

    def moved(sign: float) -> Any:
        return gradient([a + sign * step * d for a, d in zip(p, v, strict=True)])

    central = [(a - b) / (2 * step) for a, b in zip(moved(1), moved(-1), strict=True)]
    inner = rg.grad(lambda q: sum(np.sum(a * d) for a, d in zip(gradient(q), v, strict=True)))(p)
    for found in (rg.hvp(loss)(p, v), rg.jvp(gradient, (p,), (v,))[1], inner):
        for a, b in zip(found, central, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_many_directions_at_once():
    def states(p: Any) -> Any:
        h = np.ones((2, 6))
        for _ in range(STEPS):
            h = rnp.tanh(rnp.dot(h, p[0]) + p[1])
        return h[0, :3]

    p = parameters()
    rows = [rg.grad(lambda p, i=i: states(p)[i])(p) for i in range(3)]
    for leaf, found in enumerate(rg.jacobian(states)(p)):
        np.testing.assert_allclose(found, np.stack([row[leaf] for row in rows]), rtol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.complex128, np.dtype(">f8")])
def test_other_dtypes(dtype):
    def loss(p: Any) -> Any:
        total = 0.0
        for x in np.random.default_rng(3).normal(size=(STEPS, 2, 6)).astype(dtype):
            total = total + rnp.sum(rnp.real((rnp.dot(x, p[0]) + p[1]) ** 2))
        return total

    def at_once(p: Any) -> Any:
        x = np.random.default_rng(3).normal(size=(STEPS * 2, 6)).astype(dtype)
        return rnp.sum(rnp.real((rnp.dot(x, p[0]) + p[1]) ** 2))

    found, wanted = (rg.grad(f)(parameters(dtype)) for f in (loss, at_once))
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_allclose(a, b, rtol=1e-4)


def test_inputs_of_another_dtype_than_the_weights():
    inputs = _normal(STEPS, 2, 6).astype(np.float32)
    found = rg.grad(lambda w: sum(np.sum(np.dot(x, w) ** 2) for x in inputs))(parameters()[0])
    flat = inputs.reshape(-1, 6)
    np.testing.assert_allclose(found, 2 * flat.T @ (flat @ parameters()[0]), rtol=1e-5)


def test_numbers_among_the_factors():
    x = _normal(3, 4)

    def by_a_number(s: Any) -> Any:
        return sum(rnp.sum(rnp.dot(x, s) + rnp.dot(s, x) + s) for _ in range(4))

    def of_a_matrix(w: Any) -> Any:
        return sum(rnp.sum(rnp.dot(w, 2.0) + rnp.dot(3.0, w) + 1.0) for _ in range(4))

    assert rg.grad(by_a_number)(2.0) == pytest.approx(4 * (2 * x.sum() + x.size))
    np.testing.assert_array_equal(rg.grad(of_a_matrix)(x), np.full_like(x, 20.0))


def test_a_cotangent_that_is_read_in_between_is_complete():
    """Weights that depend on others: what waits is added before the walk goes past them."""
    p = parameters()

    def loss(p: Any) -> Any:
        w = rnp.tanh(p[0])
        return shared(rows_times_weights, 5)([w, p[1]]) + rnp.sum(w)

    step = 1e-6 * _normal(6, 6)
    central = loss([p[0] + step, p[1]]) - loss([p[0] - step, p[1]])
    assert np.sum(rg.grad(loss)(p)[0] * step) * 2 == pytest.approx(central, rel=1e-4)


@pytest.fixture
def totals(monkeypatch):
    """How many rows were stacked at a time."""
    noted: list[int] = []
    total = Stack.total

    def counted(stack: Stack) -> Any:
        noted.append(stack.rows)
        return total(stack)

    monkeypatch.setattr(Stack, "total", counted)
    return noted


def test_what_waits_is_bounded(totals):
    rg.grad(shared(rows_times_weights, 4 * ENOUGH))(parameters())
    assert totals
    assert max(totals) < ENOUGH + 3
    assert sum(totals) == 2 * 3 * (4 * ENOUGH - 1)  # all but the first, of both parameters


def test_large_factors_do_not_wait(totals):
    x = _normal(200, 6)
    rg.grad(lambda p: sum(rnp.sum(rnp.dot(x, p[0]) + p[1]) for _ in range(5)))(parameters())
    assert totals == []


def test_a_pullback_can_be_called_again():
    _, pullback = rg.vjp(shared(rows_times_weights), parameters())
    for a, b in zip(pullback(1.0)[0], pullback(1.0)[0], strict=True):
        np.testing.assert_array_equal(a, b)


def test_rules_of_ones_own_take_the_place_of_stacking():
    doubled = Primitive(lambda x, y: x @ y)
    unused = Stacking(lambda *args: pytest.fail("stacked"), lambda *args: None)
    doubled.stackings = (unused, unused)
    defvjp(doubled, lambda g, ans, x, y: g @ y.T, lambda g, ans, x, y: 2 * (x.T @ g))
    x = _normal(2, 3)
    found = rg.grad(lambda y: np.sum(doubled(x, y) + doubled(x, y)))(np.ones((3, 2)))
    np.testing.assert_allclose(found, 4 * x.T @ np.ones((2, 2)))


def test_operands_may_be_lists() -> None:
    w = np.arange(16.0).reshape(4, 4)
    rows = [[1.0, 2.0, 3.0, i] for i in range(5)]
    found = rg.grad(lambda w: sum(np.sum(np.dot(w, row)) for row in rows))(w)
    np.testing.assert_array_equal(found, np.tile(np.sum(rows, 0), (4, 1)))
    found = rg.grad(lambda w: sum(np.sum(rnp.dot(row, w)) for row in rows))(w)
    np.testing.assert_array_equal(found, np.tile(np.sum(rows, 0), (4, 1)).T)


def _by_extension() -> Any:
    sine = rg.extend.primitive(np.sin)

    def pull(g: Any, ans: Any, x: Any) -> Any:
        g *= np.cos(x)
        return g

    defvjp(sine, pull)
    return sine


def _by_custom_vjp() -> Any:
    def rule(x: Any) -> Any:
        def pull(g: Any) -> Any:
            g *= np.cos(x)
            return (g,)

        return np.sin(x), pull

    return rg.custom_vjp(np.sin, rule)


def _by_autograd() -> Any:
    from retrograd.compat.autograd import extend

    sine = extend.primitive(np.sin)

    def maker(ans: Any, x: Any) -> Any:
        def pull(g: Any) -> Any:
            g *= np.cos(x)
            return g

        return pull

    extend.defvjp(sine, maker)
    return sine


@pytest.mark.parametrize("sine", [_by_extension(), _by_custom_vjp(), _by_autograd()])
def test_a_rule_that_writes_to_its_cotangent_harms_nobody_else(sine: Any) -> None:
    w, b = parameters()
    x, bias = _normal(3, 6), _normal(3, 6)

    def loss(sine: Any) -> Any:
        def function(w: Any, b: Any, bias: Any) -> Any:
            h = x
            for _ in range(20):
                h = b + (bias + sine(h @ w))
            return np.sum(h * h)

        return function

    found = rg.grad(loss(sine), argnum=(0, 1, 2))(w, b, bias)
    for one, expected in zip(
        found, rg.grad(loss(np.sin), argnum=(0, 1, 2))(w, b, bias), strict=True
    ):
        np.testing.assert_allclose(one, expected, rtol=1e-12)
