"""Losses whose programs hold more than their text: constants, derivative rules, other types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import AxisType, PartitionSpec

import retrograd as rg
from retrograd.errors import ArgumentError, DifferentiationError

STEPS, RATE, MOMENTUM = 6, 0.05, 0.5


def start() -> Any:
    return {"a": jnp.array([0.3, -0.5, 0.2]), "b": jnp.array([1.1, 0.4, -0.7])}


def trained(loss: Any, w0: Any, hyper: Any, adjoint: Any = None) -> Any:
    return rg.train(loss, w0, hyper, rg.Momentum(RATE, MOMENTUM), STEPS, adjoint=adjoint)


def looped(loss: Any, w0: Any, hyper: Any, adjoint: Any = None) -> Any:
    """The same as a scan of floats."""

    def step(slots: Any, t: Any) -> Any:
        w, velocity = slots
        slope = jax.grad(loss)(w, hyper, t)
        velocity = jax.tree.map(lambda v, g: MOMENTUM * v - g, velocity, slope)
        return (jax.tree.map(lambda w, v: w + RATE * v, w, velocity), velocity), None

    first = (w0, jax.tree.map(jnp.zeros_like, w0))
    return lax.scan(step, first, jnp.arange(STEPS))[0][0]


def gradients(train: Callable[..., Any], loss: Any, adjoint: Any = None) -> Any:
    def objective(w0: Any, hyper: Any) -> Any:
        w = train(loss, w0, hyper, adjoint)
        return jnp.sum(jnp.sin(w["a"])) + jnp.sum(w["b"] ** 2)

    return jax.grad(objective, (0, 1))(start(), 1.2)


@jax.custom_vjp
def reversed_gradient(x: Any) -> Any:
    return x


reversed_gradient.defvjp(lambda x: (x, None), lambda _, bar: (-bar,))


@jax.custom_vjp
def calls_itself(x: Any, scale: Any) -> Any:
    return jnp.sin(x) * scale


calls_itself.defvjp(
    lambda x, scale: (calls_itself(x, scale), (x, scale)),
    lambda kept, bar: (bar * jnp.cos(kept[0]) * kept[1], jnp.sum(bar * jnp.sin(kept[0]))),
)


@jax.custom_jvp
def halved_slope(x: Any) -> Any:
    return x


halved_slope.defjvp(lambda primals, tangents: (primals[0], tangents[0] / 2))


def adversary(w: Any, hyper: Any, step: Any) -> Any:
    return jnp.sum(jnp.sin(w["a"] * reversed_gradient(w["b"] * hyper))) + jnp.sum(w["b"] ** 2)


def self_calling(w: Any, hyper: Any, step: Any) -> Any:
    return jnp.sum(calls_itself(w["a"] * w["b"], hyper))


def half_hearted(w: Any, hyper: Any, step: Any) -> Any:
    return jnp.sum(jnp.cos(halved_slope(w["a"]) * w["b"] * hyper)) + jnp.sum(w["a"] ** 2)


def spectral(w: Any, hyper: Any, step: Any) -> Any:
    whole = jnp.fft.fft(w["a"] * hyper) * jnp.exp(1j * w["b"])
    return jnp.mean(jnp.abs(whole - step) ** 2)


@pytest.mark.parametrize(
    ("loss", "adjoint"),
    [
        (adversary, rg.Reversible()),
        (self_calling, rg.Stored()),
        (half_hearted, rg.Checkpointed(2)),
        (spectral, rg.Reversible(2)),
    ],
)
def test_rules_of_ones_own_and_complex_numbers(loss: Any, adjoint: Any) -> None:
    """Where the derivative of the gradient is not symmetric, too."""
    with jax.enable_x64(True):
        found, right = gradients(trained, loss, adjoint), gradients(looped, loss)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-8, 1e-9), found, right)


def test_a_rule_of_ones_own_within_jit() -> None:
    found = jax.jit(lambda: gradients(trained, adversary))()
    right = gradients(looped, adversary)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-4, 1e-5), found, right)


class Late:
    """A loss that is the same object after a part of it was replaced."""

    part: Callable[[Any], Any]

    def __call__(self, w: Any, hyper: Any, step: Any) -> Any:
        return self.part(w)


@pytest.mark.parametrize("kind", [jnp.asarray, np.asarray])
def test_an_array_that_an_inner_jit_closes_over_is_not_mistaken_for_another(kind: Any) -> None:
    loss = Late()
    for aim in ([1.0, 2.0], [3.0, 4.0]):
        target = kind(aim, np.float32)
        loss.part = jax.jit(lambda w, target=target: jnp.sum((w - target) ** 2))
        found = trained(loss, jnp.zeros(2), None)
        np.testing.assert_allclose(found, looped(loss, jnp.zeros(2), None), rtol=1e-5)


def test_a_rule_that_reads_a_setting_is_not_mistaken_for_itself_before() -> None:
    limit = {"now": 1.0}

    @jax.custom_vjp
    def clipped(x: Any) -> Any:
        return x

    clipped.defvjp(
        lambda x: (x, None), lambda _, bar: (jnp.clip(bar, -limit["now"], limit["now"]),)
    )

    def loss(w: Any, hyper: Any, step: Any) -> Any:
        return 3 * jnp.sum(clipped(w) ** 2)

    for now in (1.0, 0.25):
        limit["now"] = now
        found, right = (run(loss, jnp.ones(2), None) for run in (trained, looped))
        np.testing.assert_allclose(found, right, rtol=1e-5)


def bowl(w: Any, hyper: Any, step: Any) -> Any:
    return jnp.sum(jnp.sin(w * hyper) + w**2)


def slope(hyper: Any) -> Any:
    return jax.grad(lambda h: jnp.sum(trained(bowl, jnp.ones(2), h)))(hyper)


def test_nothing_is_nan_where_nobody_asks_for_a_gradient() -> None:
    with jax.debug_nans(True):
        found = jax.grad(lambda h: 0 * jnp.sum(trained(bowl, jnp.ones(2), h)))(1.2)
    assert found == 0


def test_strict_promotion_of_types_and_ranks() -> None:
    def loss(w: Any, hyper: Any, step: Any) -> Any:
        return jnp.sum(w["a"] * w["a"]) * hyper + jnp.sum(w["b"])

    def last(hyper: Any) -> Any:
        w = rg.train(loss, {"a": jnp.ones((3, 2)), "b": jnp.ones(2)}, hyper, rg.Adam(0.05), 3)
        return jnp.sum(w["a"])

    expected = jax.grad(last)(jnp.float32(0.5))
    with jax.numpy_dtype_promotion("strict"), jax.numpy_rank_promotion("raise"):
        assert jax.grad(last)(jnp.float32(0.5)) == expected


@pytest.mark.parametrize("around", [lambda f: f, jax.jit])
def test_forward_mode_is_refused_with_a_cure(around: Any) -> None:
    with pytest.raises(DifferentiationError, match=r"in forward mode .* take jax\.grad"):
        around(jax.jacfwd(lambda h: jnp.sum(trained(bowl, jnp.ones(2), h))))(1.2)


def test_in_a_mapped_function_of_shards() -> None:
    mesh = jax.make_mesh((1,), ("d",), axis_types=(AxisType.Auto,))
    spec = PartitionSpec("d")
    given = jnp.array([1.2])

    def mapped(**options: Any) -> Any:
        inner = lambda h: slope(h[0])[None]  # noqa: E731
        return jax.shard_map(inner, mesh=mesh, in_specs=spec, out_specs=spec, **options)

    expected = slope(1.2)
    found = jax.jit(mapped(check_vma=False))(given)
    np.testing.assert_allclose(found[0], expected, rtol=1e-6)
    # What was traced for a mesh is not mistaken for a program without one.
    np.testing.assert_array_equal(jax.jit(slope)(1.2), expected)
    for refused in (mapped(check_vma=False), mapped(), jax.jit(mapped())):
        with pytest.raises(ArgumentError, match=r"check_vma=False.*jax\.jit around it"):
            refused(given)


def test_a_loss_without_a_result() -> None:
    with pytest.raises(ArgumentError, match=r"^loss: it returned nothing; give a function"):
        rg.train(lambda w, hyper, step: None, jnp.ones(2), None, rg.Momentum(0.1, 0.5), 3)
