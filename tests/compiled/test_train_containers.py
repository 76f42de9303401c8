"""The containers of JAX's world: JAX's own, keys, indices, and models of Flax and Equinox."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import retrograd as rg

MOMENTUM = rg.Momentum(0.1, 0.5)


@jax.tree_util.register_dataclass
@dataclass
class Registered:
    a: Any
    b: Any


class Named(NamedTuple):
    a: Any
    b: Any


def squares(w: Any, hyper: Any, step: Any) -> Any:
    return sum(jnp.sum((leaf - hyper) ** 2) for leaf in jax.tree.leaves(w))


@pytest.mark.parametrize(
    "make",
    [
        Registered,
        Named,
        lambda a, b: {"a": a, "b": b},
        lambda a, b: (a, [b]),
        lambda a, b: {"a": {"of": a}, "none": None, "b": Named((), b)},
    ],
    ids=["dataclass", "named tuple", "dict", "tuple and list", "nested"],
)
def test_weights_come_back_in_their_container(make: Any) -> None:
    w0 = make(jnp.zeros(2), jnp.ones((2, 3)))

    def total(aim: Any) -> Any:
        w = rg.train(squares, w0, aim, MOMENTUM, 5)
        assert jax.tree.structure(w) == jax.tree.structure(w0)
        return jnp.sum(jax.tree.leaves(w)[0])

    expected = jax.grad(lambda a: jnp.sum(rg.train(squares, jnp.zeros(2), a, MOMENTUM, 5)))(2.0)
    assert float(jax.grad(total)(2.0)) == pytest.approx(float(expected), rel=1e-6)


def test_keys_in_hyper_give_every_step_its_numbers() -> None:
    """The sweep draws them again; the derivative with respect to their scale is linear in it."""

    def loss(w: Any, hyper: Any, step: Any) -> Any:
        noise = jax.random.normal(jax.random.fold_in(hyper["key"], step), w.shape)
        return jnp.sum((w - hyper["scale"] * noise) ** 2)

    def end(scale: Any, key: Any) -> Any:
        return rg.train(loss, jnp.zeros(3), {"key": key, "scale": scale}, MOMENTUM, 8)[0]

    key = jax.random.key(3)
    value, slope = jax.value_and_grad(end)(1.5, key)
    assert float(slope) == pytest.approx(float(value) / 1.5, rel=1e-5)
    assert float(jax.jit(jax.grad(end))(1.5, key)) == pytest.approx(float(slope), rel=1e-5)
    assert float(end(1.5, jax.random.key(4))) != float(value)


def test_batches_are_chosen_by_the_step_and_indices_are_no_floats() -> None:
    def loss(w: Any, hyper: Any, step: Any) -> Any:
        batch = jax.lax.dynamic_slice_in_dim(hyper["order"], 2 * (step % 3), 2)
        return jnp.sum(hyper["weight"][batch] * (w - hyper["aim"][batch]) ** 2)

    hyper = {"order": jnp.array([5, 0, 3, 1, 2, 4]), "aim": jnp.arange(6.0), "weight": jnp.ones(6)}

    def end(hyper: Any) -> Any:
        return rg.train(loss, jnp.zeros(()), hyper, rg.Momentum(0.05, 0.5), 2)

    bars = jax.grad(end, allow_int=True)(hyper)
    assert bars["order"].dtype == jax.dtypes.float0
    # Two steps see four examples: 5 and 0, then 3 and 1.
    assert np.flatnonzero(bars["aim"]).tolist() == [0, 1, 3, 5]


def test_plain_numbers_and_words_in_hyper_stay_what_they_are() -> None:
    """A loss may loop over a count and choose by a name."""

    def loss(w: Any, hyper: Any, step: Any) -> Any:
        assert isinstance(hyper["count"], int)
        assert hyper["kind"] == "square"
        return sum(hyper["scale"] * jnp.sum(w**2) for _ in range(hyper["count"]))

    given = {"count": 2, "kind": "square", "scale": 0.5}
    twice = rg.train(loss, jnp.ones(2), given, MOMENTUM, 5)
    once = rg.train(loss, jnp.ones(2), {**given, "count": 1, "scale": 1.0}, MOMENTUM, 5)
    np.testing.assert_allclose(twice, once, rtol=1e-6)


@pytest.mark.parametrize("where", ["w0", "hyper", "rate"])
def test_one_array_of_jax_anywhere_is_enough(where: str) -> None:
    w0: Any = jnp.ones(2) if where == "w0" else np.ones(2, np.float32)
    aim: Any = Registered(jnp.float32(2.0), 1.0).a if where == "hyper" else np.float32(2.0)
    rate: Any = rg.per_step(jnp.full(5, 0.1)) if where == "rate" else 0.1
    assert isinstance(rg.train(squares, w0, aim, rg.Momentum(rate, 0.5), 5), jax.Array)


X = np.random.default_rng(0).normal(size=(8, 3)).astype(np.float32)
Y = X.sum(axis=1, keepdims=True)


def check_model(loss: Any, w0: Any) -> None:
    """Its hypergradient of the rate is the slope of the trained loss."""

    def trained(rate: Any) -> Any:
        w = rg.train(loss, w0, None, rg.Momentum(rate, 0.5), 5)
        assert jax.tree.structure(w) == jax.tree.structure(w0)
        return loss(w, None, 0)

    slope = float(jax.grad(trained)(0.01))
    near = (float(trained(0.012)) - float(trained(0.008))) / 0.004
    assert slope < -0.1
    assert slope == pytest.approx(near, rel=0.05)


def test_equinox() -> None:
    eqx = pytest.importorskip("equinox")
    model = eqx.nn.MLP(3, 1, 4, 1, activation=jnp.tanh, key=jax.random.key(0))
    params, static = eqx.partition(model, eqx.is_inexact_array)

    def loss(params: Any, hyper: Any, step: Any) -> Any:
        return jnp.mean((jax.vmap(eqx.combine(params, static))(X) - Y) ** 2)

    check_model(loss, params)


def test_flax_linen_with_a_loss_of_optax() -> None:
    linen = pytest.importorskip("flax.linen")
    optax = pytest.importorskip("optax")
    model = linen.Dense(1)

    def loss(params: Any, hyper: Any, step: Any) -> Any:
        return jnp.mean(optax.squared_error(model.apply(params, X), Y))

    check_model(loss, model.init(jax.random.key(0), X))


def test_flax_nnx() -> None:
    nnx = pytest.importorskip("flax.nnx")
    graph, state = nnx.split(nnx.Linear(3, 1, rngs=nnx.Rngs(0)))

    def loss(state: Any, hyper: Any, step: Any) -> Any:
        return jnp.mean((nnx.merge(graph, state)(X) - Y) ** 2)

    check_model(loss, state)
