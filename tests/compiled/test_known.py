"""Numbers that do not depend on what is traced are plain numbers, within a transformation too."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import retrograd as rg
from retrograd.backends.jax import is_traced
from retrograd.compiled.known import known


def scanned(inputs: list[Any]) -> Any:
    """What depends on the second input alone, though the first goes through the loop."""

    def body(carry: Any, _: Any) -> Any:
        x, y = carry
        return (x * y, y + 1), y

    (_, last), every = lax.scan(body, (jnp.sum(inputs[0]), inputs[1]), None, 3)
    return {"last": last, "every": every}


@pytest.mark.parametrize("around", [jax.jit, jax.vmap, jax.grad], ids=lambda f: f.__name__)
def test_what_does_not_depend_on_a_traced_value_is_known(around: Any) -> None:
    seen: dict[str, Any] = {}

    def program(x: Any) -> Any:
        seen.update(known(scanned, [x, np.float32(1)]))
        return jnp.sum(x)

    around(program)(jnp.ones(2))
    assert not any(map(is_traced, seen.values()))
    assert float(seen["last"]) == 4
    assert seen["every"].tolist() == [1, 2, 3]


def test_what_depends_on_a_traced_value_is_traced() -> None:
    @jax.jit
    def program(x: Any) -> Any:
        found = known(scanned, [jnp.ones(2), x])
        assert all(map(is_traced, found.values()))
        return found["last"]

    assert float(program(2.0)) == 5


def test_the_tape_has_the_length_that_it_needs_though_rates_are_traced() -> None:
    steps, size = 200, 64

    def kept(rates: Any, momentum: Any) -> int:
        seen = rg.Diagnostics()

        def last(rates: Any, momentum: Any) -> Any:
            optimizer = rg.Momentum(rg.per_step(rates), momentum)
            w = rg.train(
                lambda w, h, t: jnp.sum((w - h) ** 2),
                jnp.ones(size),
                0.5,
                optimizer,
                steps,
                adjoint=rg.Reversible(),
                diagnostics=seen,
            )
            return jnp.sum(w)

        if momentum is None:
            jax.jit(jax.grad(lambda rates: last(rates, 0.99)))(rates).block_until_ready()
        else:
            jax.jit(jax.grad(last))(rates, momentum).block_until_ready()
        jax.effects_barrier()
        assert seen.certificate is not None
        return seen.certificate.bytes_kept

    rates = np.full(steps, 0.1, np.float32)
    needed = -steps * np.log2(0.99)
    assert kept(jnp.asarray(rates), None) <= 4 * size * (needed / 32 + 3)
    assert kept(jnp.asarray(rates), 0.99) >= 4 * size * (0.25 * steps / 32)
