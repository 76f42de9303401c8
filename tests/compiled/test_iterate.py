"""`iterate` in JAX is the loop that it stands for, and so is its derivative."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.adjoints import Adjoint
from retrograd.errors import (
    ArgumentError,
    NonFiniteError,
    NotReversibleError,
    ReversalError,
)

STEPS = 23
EXACT = [
    rg.Checkpointed(),
    rg.Checkpointed(1),
    rg.Checkpointed(memory="100 B"),
    rg.Stored(),
    rg.Truncated(STEPS),
    rg.Auto("100 B", quiet=True),
]


def pendulum(xp: Any) -> Callable[[Any, Any, Any], Any]:
    """A forced pendulum, with the functions of an array library."""

    def step(x: Any, params: Any, t: Any) -> Any:
        angle, speed = x
        force = params["force"] * xp.cos(1.0 * t)
        speed = speed - params["dt"] * (xp.sin(angle) + force)
        return [angle + params["dt"] * speed, speed]

    return step


STEP = pendulum(jnp)


def start() -> Any:
    x0 = [np.array([0.3, -1.2]), np.array([0.5, 0.1])]
    return {"x0": x0, "params": {"dt": 0.25, "force": np.array([0.2, 0.4])}}


def on_jax() -> Any:
    return jax.tree.map(jnp.asarray, start())


def energy(xp: Any, x: Any) -> Any:
    return xp.sum(x[1] ** 2) / 2 - xp.sum(xp.cos(x[0]))


def iterated(point: Any, adjoint: Adjoint | None = None) -> Any:
    x = rg.iterate(STEP, point["x0"], point["params"], STEPS, adjoint=adjoint)
    return energy(jnp, x)


def scanned(point: Any) -> Any:
    def body(x: Any, t: Any) -> Any:
        return STEP(x, point["params"], t), None

    return energy(jnp, lax.scan(body, point["x0"], jnp.arange(STEPS))[0])


def check(found: Any, right: Any, rtol: float) -> None:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol, rtol), found, right)
    assert jax.tree.map(jnp.result_type, found) == jax.tree.map(jnp.result_type, right)


@pytest.mark.parametrize("adjoint", EXACT, ids=repr)
@pytest.mark.parametrize("wide", [False, True], ids=["float32", "float64"])
def test_it_is_the_scan_and_so_is_its_derivative(wide: bool, adjoint: Adjoint) -> None:
    with jax.enable_x64(wide):
        point = on_jax()
        found = jax.value_and_grad(iterated)(point, adjoint)
        check(found, jax.value_and_grad(scanned)(point), 1e-12 if wide else 3e-5)
        assert found[0].dtype == (jnp.float64 if wide else jnp.float32)


@pytest.mark.parametrize("adjoint", EXACT[:2], ids=repr)
def test_it_is_the_same_within_a_compiled_program(adjoint: Adjoint) -> None:
    point = on_jax()
    compiled = jax.jit(jax.value_and_grad(lambda point: iterated(point, adjoint)))(point)
    check(compiled, jax.value_and_grad(iterated)(point, adjoint), 1e-6)


@pytest.mark.parametrize(
    "adjoint", [rg.Stored(), rg.StraightLine(), rg.Truncated(5), rg.Truncated(1)], ids=repr
)
def test_it_is_that_of_numpy(adjoint: Adjoint) -> None:
    def by_numpy(point: Any) -> Any:
        x = rg.iterate(pendulum(rnp), point["x0"], point["params"], STEPS, adjoint=adjoint)
        return energy(rnp, x)

    value, gradient = rg.value_and_grad(by_numpy)(start())
    with jax.enable_x64(True):
        found_value, found = jax.value_and_grad(iterated)(on_jax(), adjoint)
    assert float(found_value) == pytest.approx(float(value), rel=1e-13)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, 1e-11, 1e-13), found, gradient)


def test_it_composes_with_transformations() -> None:
    point = on_jax()
    rates = jnp.array([0.1, 0.25, 0.3])

    def last(run: Any, dt: Any) -> Any:
        return run({**point, "params": {**point["params"], "dt": dt}})

    expected = [jax.grad(lambda dt: last(scanned, dt))(dt) for dt in rates]
    mapped = jax.vmap(jax.grad(lambda dt: last(iterated, dt)))
    np.testing.assert_allclose(mapped(rates), expected, rtol=1e-4)
    np.testing.assert_allclose(jax.jit(mapped)(rates), expected, rtol=1e-4)
    _, pullback = jax.vjp(lambda dt: last(iterated, dt), rates[0])
    np.testing.assert_allclose(pullback(2.0)[0], 2 * expected[0], rtol=1e-4)


def test_values_by_closure_are_differentiated_too() -> None:
    def last(rate: Any, *, handed: bool) -> Any:
        params = rate if handed else None
        x = rg.iterate(
            lambda x, p, t: x * (rate if p is None else p) * (1 - x), jnp.array([0.4]), params, 20
        )
        return x[0]

    closed = jax.value_and_grad(lambda rate: last(rate, handed=False))(2.5)
    check(closed, jax.value_and_grad(lambda rate: last(rate, handed=True))(2.5), 1e-6)
    assert float(closed[1]) == pytest.approx(0.16, abs=1e-5)  # it settles at 1 - 1/rate


def noisy(x: Any, scale: Any, t: Any) -> Any:
    key, now = jax.random.split(x["key"])
    moved = x["place"] * scale["by"] + jax.random.normal(now, (3,)) / scale["over"]
    return {"place": moved, "key": key, "count": x["count"] + scale["over"]}


@pytest.mark.parametrize(
    ("make", "adjoint"),
    [(jax.random.key, rg.Checkpointed(2)), (jax.random.PRNGKey, rg.Stored())],
)
def test_integers_and_keys_ride_along(make: Any, adjoint: Adjoint) -> None:
    x0 = {"place": jnp.ones(3), "key": make(3), "count": jnp.int32(0)}

    def scanned(by: Any) -> Any:
        scale = {"by": by, "over": 2}
        return lax.scan(lambda x, t: (noisy(x, scale, t), None), x0, jnp.arange(7))[0]

    def iterated(by: Any) -> Any:
        return rg.iterate(noisy, x0, {"by": by, "over": 2}, 7, adjoint=adjoint)

    def total(x: Any) -> Any:
        return jnp.sum(x["place"]) * x["count"]

    last, right = iterated(0.5), scanned(0.5)
    assert int(last["count"]) == 14
    assert last["key"].dtype == right["key"].dtype
    bits = [jax.random.bits(x["key"]) for x in (last, right)]
    assert bits[0] == bits[1]
    for around in (lambda f: f, jax.jit):
        found = around(jax.grad(lambda by: total(iterated(by))))(0.5)
        check(found, jax.grad(lambda by: total(scanned(by)))(0.5), 1e-5)


def test_complex_states() -> None:
    def turned(run: Any, angle: Any) -> Any:
        return jnp.abs(run(lambda z, a, t: z * jnp.exp(1j * a) + 0.1, angle) - 1.0)[0]

    def iterated(step: Any, angle: Any) -> Any:
        return rg.iterate(step, jnp.array([0.5 + 0.5j]), angle, 9)

    def looped(step: Any, angle: Any) -> Any:
        z = jnp.array([0.5 + 0.5j])
        for t in range(9):
            z = step(z, angle, t)
        return z

    found = jax.value_and_grad(lambda angle: turned(iterated, angle))(0.3)
    check(found, jax.value_and_grad(lambda angle: turned(looped, angle))(0.3), 1e-5)


def test_the_sizes_of_programs_do_not_grow_with_the_steps() -> None:
    def size(steps: int) -> int:
        def last(rate: Any) -> Any:
            step = jax.jit(lambda x, p, t: p * x)
            return rg.iterate(step, jnp.ones(2), rate, steps, adjoint=rg.Stored())[0]

        return str(jax.make_jaxpr(jax.grad(last))(0.9)).count(" = ")

    assert size(10) == size(10_000)


def test_diagnostics() -> None:
    seen = rg.Diagnostics()
    point = on_jax()
    params = point["params"]
    jax.grad(
        lambda x0: energy(
            jnp, rg.iterate(STEP, x0, params, STEPS, adjoint=rg.Stored(), diagnostics=seen)
        )
    )(point["x0"])
    assert seen.losses == []
    assert len(seen.adjoint_norms) == STEPS
    assert seen.certificate is not None
    assert seen.certificate.exact
    assert seen.certificate.bytes_kept == STEPS * 16
    assert seen.certificate.growth == pytest.approx(seen.certificate.growth_by_step[0])


def steady(x: Any, params: Any, t: Any) -> Any:
    return x * params


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"step": 3}, r"^step: 3 was given; give a function step\(x, params, t\)"),
        ({"x0": []}, "^x0: it holds no float array"),
        ({"x0": jnp.arange(3)}, "^x0: it holds no float array; give the first state, in floats"),
        ({"x0": {"a": jnp.ones(2), "b": "c"}}, r"^x0: .*b.* is 'c' \(str\); give a state of arra"),
        ({"steps": 0}, "^steps: 0 was given; give a whole number of at least 1"),
        ({"adjoint": "stored"}, "^adjoint: 'stored' was given; give an instance"),
        ({"adjoint": rg.Checkpointed(slots=1, on_disk=2)}, "keeps states in files"),
        ({"adjoint": rg.Checkpointed(memory="3 B")}, "does not hold one state of 8 bytes"),
        ({"step": lambda x, p, t: [x]}, "^step: it returned another container than it was given"),
        ({"step": lambda x, p, t: x[:1]}, r"^step: it returned float32 of shape \(1,\) for the a"),
        ({"step": lambda x, p, t: x.astype("f2")}, "it returned float16 .* which was float32"),
        ({"progress": True}, "^progress: a compiled run in JAX is one program"),
        (
            {
                "x0": [jnp.ones(2), jnp.arange(2)],
                "step": lambda x, p, t: x,
                "adjoint": rg.StraightLine(),
            },
            r"^adjoint: StraightLine\(\) draws a line .* and x0 holds int32; compute",
        ),
    ],
)
def test_what_is_refused(changes: Any, message: str) -> None:
    arguments = {"step": steady, "x0": jnp.ones(2), "params": jnp.float32(0.5), "steps": 3}
    with pytest.raises(ArgumentError, match=message):
        rg.iterate(**{**arguments, **changes})


def test_running_backwards_is_refused() -> None:
    with pytest.raises(NotReversibleError, match=r"iterate cannot .* has no known inverse"):
        rg.iterate(steady, jnp.ones(2), 0.5, 3, adjoint=rg.Reversible())


def test_an_adjoint_that_is_not_finite_is_refused() -> None:
    def last(x0: Any) -> Any:
        return jnp.sum(rg.iterate(lambda x, p, t: jnp.sqrt(x), x0, None, 2))

    with pytest.raises(NonFiniteError, match="adjoint is not finite"):
        jax.grad(last)(jnp.array([0.0, 1.0]))
    with pytest.raises(jax.errors.JaxRuntimeError, match="adjoint is not finite"):
        jax.block_until_ready(jax.jit(jax.grad(last))(jnp.array([0.0, 1.0])))


def test_a_map_that_is_not_deterministic_is_refused() -> None:
    rng = np.random.default_rng(0)

    def step(x: Any, rate: Any, t: Any) -> Any:
        kind = jax.ShapeDtypeStruct((), jnp.float32)
        noise = jax.pure_callback(lambda t: np.float32(rng.normal()), kind, t)
        return rate * x + lax.stop_gradient(noise)

    def last(rate: Any) -> Any:
        return jnp.sum(rg.iterate(step, jnp.ones(2), rate, 240, adjoint=rg.Checkpointed(3)))

    with pytest.raises(ReversalError, match="another fingerprint than in the forward run"):
        jax.grad(last)(0.5)
