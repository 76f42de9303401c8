"""`train` within and around the transformations of JAX."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_problem import (
    EVERY,
    LOSS,
    PLAIN_LOSS,
    everything,
    far,
    hyper,
    in_jax,
    in_numpy,
    weights,
)

import retrograd as rg
from retrograd.adjoints import Stored
from retrograd.errors import DifferentiationError

NUMBERS = jnp.arange(2.0, dtype=jnp.float32)


def loss(w: Any, hyper: Any, step: Any) -> Any:
    return jnp.sum((w - NUMBERS) ** 2) + 0 * step


def trained(rate: Any) -> Any:
    return rg.train(loss, jnp.zeros(2), None, rg.Momentum(rate, 0.5), 5)


def total(rate: Any) -> Any:
    return jnp.sum(trained(rate))


def slope(rate: float) -> float:
    """The derivative of `total`, by hand: the distance d obeys a linear recurrence."""
    d, velocity, by_d, by_velocity = -1.0, 0.0, 0.0, 0.0
    for _ in range(5):
        velocity, by_velocity = 0.5 * velocity - 2 * d, 0.5 * by_velocity - 2 * by_d
        d, by_d = d + rate * velocity, by_d + velocity + rate * by_velocity
    return by_d


def test_inside_and_around_jit() -> None:
    """A compiled objective, and a compiled step of gradient descent on it, as outside of jit."""
    outside = float(jax.grad(total)(0.1))
    assert outside == pytest.approx(slope(0.1), rel=1e-5)
    assert float(jax.jit(jax.grad(total))(0.1)) == pytest.approx(outside, rel=1e-6)
    assert float(jax.grad(jax.jit(total))(0.1)) == pytest.approx(outside, rel=1e-6)


def test_a_scan_descends_the_hypergradient() -> None:
    def step(rate: Any, _: Any) -> tuple[Any, Any]:
        value, bar = jax.value_and_grad(total)(rate)
        return rate - 1e-3 * bar, value

    rate, values = jax.lax.scan(step, jnp.float32(0.1), length=3)
    assert float(values[0]) > float(values[2])
    assert float(rate) == pytest.approx(0.1 - 3e-3 * slope(0.1), abs=2e-3)


def test_vjp_pulls_any_cotangent_back() -> None:
    given = everything(EVERY["Adam"], jnp, jnp.float32)
    objective = in_jax(EVERY["Adam"])
    _, pull = jax.vjp(lambda *a: objective(*a)[0], *given)
    assert not far(pull(jnp.float32(2.0)), jax.tree.map(lambda x: 2 * x, _bars("Adam")), 1e-4)


def _bars(name: str) -> Any:
    return in_numpy(name, Stored())[1]


def test_an_argument_that_is_not_differentiated_costs_nothing_and_changes_nothing() -> None:
    given = everything(EVERY["Momentum"], jnp, jnp.float32)
    bars = jax.grad(in_jax(EVERY["Momentum"]), 2, has_aux=True)(*given)[0]
    assert not far(bars, _bars("Momentum")[2], 1e-4)


def test_jacrev_sweeps_once_for_each_result() -> None:
    rows = jax.jacrev(trained)(0.1)
    assert rows[0] == 0
    assert float(rows[1]) == pytest.approx(slope(0.1), rel=1e-5)


def test_vmap_trains_many_runs_at_once() -> None:
    rates = jnp.array([0.1, 0.2])
    one_by_one = [trained(rate) for rate in rates]
    np.testing.assert_array_equal(jax.vmap(trained)(rates), jnp.stack(one_by_one))
    slopes = jax.vmap(jax.grad(total))(rates)
    np.testing.assert_allclose(slopes, [slope(0.1), slope(0.2)], rtol=1e-5)


def test_rematerialization_and_shapes_alone() -> None:
    assert float(jax.grad(jax.checkpoint(total))(0.1)) == pytest.approx(slope(0.1), rel=1e-5)
    assert jax.eval_shape(trained, 0.1).shape == (2,)


@pytest.mark.parametrize("transform", [jax.jacfwd, jax.hessian])
def test_forward_mode_is_refused(transform: Any) -> None:
    with pytest.raises(TypeError, match=r"in forward mode|differentiated twice"):
        transform(total)(0.1)


@pytest.mark.parametrize("around", [lambda f: f, jax.jit])
def test_a_second_derivative_is_refused_with_a_cure(around: Any) -> None:
    with pytest.raises(DifferentiationError, match=r"differentiated twice.*stop_gradient"):
        around(jax.grad(jax.grad(total)))(0.1)
    product = jax.grad(lambda rate: jax.grad(total)(jax.lax.stop_gradient(rate)) * rate)
    assert float(product(0.1)) == pytest.approx(slope(0.1), rel=1e-5)


def test_the_gradient_flows_to_what_a_loss_closes_over() -> None:
    def of_closure(aim: Any) -> Any:
        return _to(lambda w, hyper, step: jnp.sum((w - aim) ** 2), None)

    def of_hyper(aim: Any) -> Any:
        return _to(lambda w, aim, step: jnp.sum((w - aim) ** 2), aim)

    aim = jnp.array([1.0, 2.0])
    expected = jax.grad(of_hyper)(aim)
    assert float(jnp.max(jnp.abs(expected))) > 0.1
    np.testing.assert_array_equal(jax.grad(of_closure)(aim), expected)
    np.testing.assert_allclose(jax.jit(jax.grad(of_closure))(aim), expected, rtol=1e-6)


def _to(loss: Any, hyper: Any) -> Any:
    return rg.train(loss, jnp.zeros(2), hyper, rg.Momentum(0.1, 0.5), 5)[0]


def test_a_loss_may_close_over_arrays_of_numpy() -> None:
    plain = np.array([1.0, 2.0], np.float32)
    by_closure = _to(lambda w, hyper, step: jnp.sum((w - plain) ** 2), None)
    assert by_closure == _to(lambda w, aim, step: jnp.sum((w - aim) ** 2), jnp.asarray(plain))


def test_a_rate_per_step_and_leaf_may_be_traced() -> None:
    """In the four forms that a hyperparameter has, the gradient is that of NumPy's training."""
    rates = np.linspace(0.01, 0.06, 12).reshape(6, 2)
    expected = rg.grad(lambda r: _ends(r, weights(), np))(rates)
    found = jax.jit(jax.grad(lambda r: _ends(r, weights(jnp, jnp.float32), jnp)))
    assert not far(found(jnp.asarray(rates, jnp.float32)), expected, 1e-4)


def _ends(rates: Any, w0: Any, xp: Any) -> Any:
    loss, given = (LOSS, hyper(jnp, jnp.float32)) if xp is jnp else (PLAIN_LOSS, hyper())
    rate = {"matrix": rates[:, 0], "vector": rates[:, 1]}
    optimizer = rg.Momentum(rg.per_step(rate), rg.per_leaf([0.5, 0.75]))
    w = rg.train(loss, w0, given, optimizer, 6)
    return xp.sum(w["matrix"]) + xp.sum(w["vector"] ** 2)


def test_a_rate_per_element_may_be_traced() -> None:
    def ends(rate: Any) -> Any:
        w0 = {"a": jnp.ones(2), "b": jnp.ones(3)}
        optimizer = rg.Momentum({"a": rate, "b": 0.1}, 0.5)
        return jnp.sum(rg.train(_squares, w0, None, optimizer, 3)["a"])

    slopes = jax.grad(ends)(jnp.array([0.1, 0.2]))
    each = [jax.grad(lambda r: ends(jnp.stack([r, r])))(r) / 2 for r in (0.1, 0.2)]
    np.testing.assert_allclose(slopes, each, rtol=1e-5)


def _squares(w: Any, hyper: Any, step: Any) -> Any:
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(w))


@pytest.mark.parametrize("wide", [False, True])
def test_the_flags_of_the_user_are_what_they_were(wide: bool) -> None:
    with jax.enable_x64(wide):
        before = dict(jax.config.values)
        inside: list[bool] = []

        def looking(w: Any, hyper: Any, step: Any) -> Any:
            inside.append(bool(jax.config.read("jax_enable_x64")))
            return jnp.sum(w**2)

        w0 = jnp.ones(2)
        slope = jax.grad(lambda w: rg.train(looking, w, None, rg.Momentum(0.1, 0.5), 3)[0])(w0)
        assert dict(jax.config.values) == before
        assert bool(jax.config.read("jax_enable_x64")) is wide
        assert set(inside) == {wide}
        assert slope.dtype == w0.dtype == jnp.dtype("float64" if wide else "float32")


def test_the_tape_is_as_long_as_factors_need_that_are_known() -> None:
    """Outside of jit no room is set aside in vain: a factor of 1/16 takes 4 bits."""
    seen = {momentum: _bits_kept(momentum) for momentum in (0.0625, 0.5)}
    assert 4.0 <= seen[0.0625] <= 4.75
    assert 1.0 <= seen[0.5] <= 1.5


def _bits_kept(momentum: float) -> float:
    """The bits per element and step."""
    told = rg.Diagnostics()

    def ends(rate: Any) -> Any:
        optimizer = rg.Momentum(rate, momentum)
        w0, aim = jnp.zeros(1000), jnp.float32(1.0)
        return jnp.sum(rg.train(_distance, w0, aim, optimizer, 200, diagnostics=told))

    jax.grad(ends)(0.01)
    assert told.certificate is not None
    return told.certificate.bits_per_element_step


def _distance(w: Any, aim: Any, step: Any) -> Any:
    return jnp.sum((w - aim) ** 2)
