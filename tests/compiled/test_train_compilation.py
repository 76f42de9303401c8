"""What is compiled: programs whose size no number of steps changes, once for equal shapes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import jaxprs_in_params

import retrograd as rg
from retrograd.adjoints import Checkpointed, Reversible, Stored

ADJOINTS = [Stored(), Reversible(), Reversible(checkpoints=3), Checkpointed(4)]


def loss(w: Any, aim: Any, step: Any) -> Any:
    return jnp.sum((w - aim) ** 2)


def hypergradient(adjoint: Any, steps: int, loss: Any = loss) -> Any:
    def end(rates: Any) -> Any:
        optimizer = rg.Momentum(rg.per_step(rates), 0.9)
        return jnp.sum(rg.train(loss, jnp.zeros(3), 1.0, optimizer, steps, adjoint=adjoint))

    return jax.value_and_grad(end)


def equations(jaxpr: Any) -> int:
    """The operations of a program, those of the programs within it included."""
    return sum(1 + sum(map(equations, jaxprs_in_params(e.params))) for e in jaxpr.eqns)


def sizes(adjoint: Any, steps: int) -> tuple[int, int]:
    """The operations of a hypergradient's program, and the lines of what is lowered for XLA."""
    traced = jax.jit(hypergradient(adjoint, steps)).trace(jnp.full(steps, 0.01))
    return equations(traced.jaxpr.jaxpr), len(traced.lower().as_text().splitlines())


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=repr)
def test_ten_steps_and_ten_thousand_are_one_program(adjoint: Any) -> None:
    """But for numbers in it, and for the fingerprints of long runs."""
    short, long = sizes(adjoint, 10), sizes(adjoint, 1_000)
    assert short[0] > 100
    assert sizes(adjoint, 100) == short
    assert sizes(adjoint, 10_000) == long
    assert max(long[0] / short[0], long[1] / short[1]) < 1.15


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=repr)
def test_a_second_call_compiles_nothing(adjoint: Any) -> None:
    """With other numbers in the same shapes the loss is not even traced for a derivative again."""
    traced: list[Any] = []

    def counted(w: Any, aim: Any, step: Any) -> Any:
        traced.append(step)
        return jnp.sum((w - aim) ** 2)

    slope = hypergradient(adjoint, 12, counted)
    first = slope(jnp.full(12, 0.01))[0]
    before = len(traced)
    second = slope(jnp.full(12, 0.02))[0]
    assert float(first) != float(second)
    # Once per call, to see what program the loss is.
    assert len(traced) == before + 1


def test_no_program_is_compiled_for_other_numbers() -> None:
    compiled: list[str] = []
    slope = hypergradient(Reversible(), 12)
    slope(jnp.full(12, 0.01))
    rates = jnp.full(12, 0.02)

    def listen(event: str, duration_secs: float, **kwargs: Any) -> None:
        if "backend_compile" in event:
            compiled.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        slope(rates)
    finally:
        jax.monitoring.clear_event_listeners()
    assert compiled == []


def test_under_jit_the_loss_is_traced_once_for_all_calls() -> None:
    traced: list[Any] = []

    def counted(w: Any, aim: Any, step: Any) -> Any:
        traced.append(step)
        return jnp.sum((w - aim) ** 2)

    slope = jax.jit(hypergradient(Reversible(), 12, counted))
    slope(jnp.full(12, 0.01))
    before = len(traced)
    slope(jnp.full(12, 0.02))
    assert len(traced) == before
