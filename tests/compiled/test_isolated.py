"""An isolated function has the same bits in every loop, also where XLA joins a whole loop."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import retrograd as rg
from retrograd.compiled.isolated import isolated

STEPS = 230


def a_map(x: Any, p: Any, t: Any = 0) -> Any:
    """Products and sums, which a compiler may round once or twice."""
    return jnp.sin(3 * x * p + 0.7 * x + 0.1) * 1.7 + x * 0.3


def start(size: int) -> Any:
    return jnp.asarray(np.random.default_rng(0).uniform(0.1, 0.9, size), jnp.float32)


@pytest.mark.parametrize("size", [1, 37, 1000])
def test_two_loops_that_do_different_things_besides_have_the_same_bits(size: int) -> None:
    def step(x: Any, p: Any) -> Any:
        return isolated(lambda x, p: (a_map(x, p), None), (x, p))[0]

    @jax.jit
    def every(x: Any, p: Any) -> Any:
        def noted(t: Any, carry: Any) -> Any:
            x, rows = carry
            return step(x, p), rows.at[t].set(x)

        return lax.fori_loop(0, STEPS, noted, (x, jnp.zeros((STEPS, size))))[1]

    @jax.jit
    def bare(x: Any, p: Any, steps: Any) -> Any:
        # Nothing but the state in it: XLA compiles it as one kernel if it can.
        return lax.fori_loop(0, steps, lambda _, x: step(x, p), x)

    x0, p = start(size), jnp.float32(0.5)
    rows = every(x0, p)
    for t in (1, 2, STEPS - 1):
        np.testing.assert_array_equal(bare(x0, p, t), rows[t])


@pytest.mark.parametrize("adjoint", [rg.Checkpointed(2), rg.Checkpointed()])
@pytest.mark.parametrize("size", [1, 37, 1000])
def test_a_run_taken_again_from_checkpoints_has_its_old_bits(
    adjoint: rg.Adjoint, size: int
) -> None:
    def last(p: Any, adjoint: rg.Adjoint) -> Any:
        return jnp.sum(rg.iterate(a_map, start(size), p, STEPS, adjoint=adjoint))

    p = jnp.float32(0.5)
    right = jax.grad(lambda p: last(p, rg.Stored()))(p)
    assert jax.grad(lambda p: last(p, adjoint))(p) == right
    # All that enters is a constant of the program, and may be folded into it.
    found = jax.jit(lambda: jax.grad(lambda p: last(p, adjoint))(p))()
    np.testing.assert_allclose(found, right, rtol=1e-3)


@pytest.mark.parametrize("adjoint", [rg.Reversible(), rg.Reversible(3), rg.Checkpointed(5)])
@pytest.mark.parametrize("size", [1, 37])
def test_training_with_such_a_loss_runs_back_to_its_start(adjoint: rg.Adjoint, size: int) -> None:
    def trained(p: Any, adjoint: rg.Adjoint) -> Any:
        w = rg.train(
            lambda w, p, t: jnp.mean(a_map(w, p) + 0.5 * w * w),
            start(size),
            p,
            rg.Momentum(0.05, 0.9),
            STEPS,
            adjoint=adjoint,
        )
        return jnp.sum(w)

    p = jnp.float32(0.5)
    found = jax.grad(lambda p: trained(p, adjoint))(p)
    np.testing.assert_allclose(found, jax.grad(lambda p: trained(p, rg.Stored()))(p), rtol=1e-4)


def test_a_function_of_empty_arrays_and_integers() -> None:
    def step(x: Any, n: Any) -> Any:
        return (x, n + 1), None

    (x, n), _ = isolated(step, (jnp.zeros(0), jnp.int32(3)))
    assert x.shape == (0,)
    assert n == 4


def test_it_stays_a_branch_where_many_are_mapped() -> None:
    """A condition for each of them would be a choice among results that are computed together."""

    def step(x: Any) -> Any:
        return isolated(lambda x: (a_map(x, 0.5), jnp.cos(x)), (x,), whole=False)[0]

    xs = start(6).reshape(2, 3)
    text = str(jax.make_jaxpr(jax.vmap(jax.vmap(step)))(xs[..., None]))
    assert "cond[" in text
    assert "select_n" not in text
    np.testing.assert_allclose(jax.vmap(step)(xs), a_map(xs, 0.5), rtol=1e-6)


@pytest.mark.parametrize("before", [1.0, np.nan, np.inf, -np.inf])
def test_what_comes_before_changes_nothing(before: float) -> None:
    x, p = start(5), jnp.float32(0.3)
    ahead = [jnp.full((2, 3), before), jnp.arange(2), jnp.zeros(0), jnp.array([True])]

    @jax.jit
    def run(x: Any, p: Any, ahead: Any) -> Any:
        return isolated(lambda x, p: (a_map(x, p), None), (x, p), after=ahead)[0]

    np.testing.assert_array_equal(run(x, p, ahead), run(x, p, ()))
