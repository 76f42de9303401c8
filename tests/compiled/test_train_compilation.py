"""What is compiled: programs whose size no number of steps changes, once for equal shapes."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax.extend.core import jaxprs_in_params

import retrograd as rg
from retrograd.adjoints import Checkpointed, Reversible, Stored

ADJOINTS = [Stored(), Reversible(), Reversible(checkpoints=3), Checkpointed(4)]
# The side of a square matrix that is not joined with other leaves.
LARGE = 130


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


def copied_in_loops(adjoint: Any) -> list[str]:
    """The kinds of the large arrays that a compiled hypergradient copies within its loops."""
    x = jnp.ones((7, LARGE))

    def loss(w: Any, decay: Any, step: Any) -> Any:
        return jnp.mean(jnp.tanh(x @ w) @ (w * decay))

    def outer(rate: Any, momentum: Any, decay: Any, w0: Any) -> Any:
        optimizer = rg.Momentum(rate=rate, momentum=momentum)
        return jnp.sum(rg.train(loss, w0, decay, optimizer, 50, adjoint=adjoint) ** 2)

    numbers = jnp.float32(0.1), jnp.float32(0.9), jnp.float32(0.3)
    differentiated = jax.jit(jax.grad(outer, (0, 1, 2, 3)))
    text = differentiated.lower(*numbers, jnp.full((LARGE, LARGE), 0.01)).compile().as_text()
    assert text is not None
    bodies = set(re.findall(r"body=%([\w.\-]+)", text))
    named = (re.match(r"\s*%([\w.\-]+) ", block) for block in text.split("\n\n"))
    return [
        kind
        for name, block in zip(named, text.split("\n\n"), strict=True)
        if name is not None and name[1] in bodies
        for kind in re.findall(rf"= (\w+)\[{LARGE},{LARGE}\]\S* copy\(", block)
    ]


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other compilers copy otherwise")
def test_the_sweep_changes_adjoints_in_place() -> None:
    assert "f32" not in copied_in_loops(Reversible(bits=0.25))


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="other compilers copy otherwise")
@pytest.mark.parametrize("adjoint", [Stored(), Checkpointed(3)], ids=repr)
def test_a_run_that_keeps_states_changes_one_in_place(adjoint: Any) -> None:
    # The first state is copied into the loop.
    assert copied_in_loops(adjoint).count("s64") <= 1
