"""Every optimizer with every adjoint in JAX: NumPy's weights, and its gradient of everything."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import pytest
from jax_problem import (
    EVERY,
    LOSS,
    QUICKLY,
    REVERSIBLE,
    as_a_scan,
    everything,
    far,
    hyper,
    in_jax,
    in_numpy,
    weights,
)

import retrograd as rg
from retrograd.adjoints import Adjoint, Checkpointed, Reversible, Stored, StraightLine, Truncated
from retrograd.errors import NotReversibleError

# Under `jit` the factors of decays are not known, so the tape is given room for them.
TAPES = [Reversible(bits=2.0), Reversible(checkpoints=2, bits=2.0)]
# NumPy rounds NAdam's `bias` more coarsely than its last digit would be.
CLOSE = {"NAdam": 1e-8}


def found(name: str, adjoint: Adjoint) -> tuple[Any, Any]:
    """The weights, and the gradient with respect to everything."""
    gradient = jax.value_and_grad(in_jax(EVERY[name], adjoint), (0, 1, 2), has_aux=True)
    with jax.enable_x64(True):
        given = everything(EVERY[name], jnp)
        (_, w), bars = jax.jit(gradient, compiler_options=QUICKLY)(*given)
    return w, bars


def check_like_numpy(name: str, adjoint: Adjoint) -> None:
    w, bars = found(name, adjoint)
    expected, expected_bars = in_numpy(name, adjoint)
    assert not far(w, expected, CLOSE.get(name, 1e-12))
    assert not far(bars, expected_bars, CLOSE.get(name, 1e-9))


@pytest.mark.parametrize("name", EVERY)
def test_stored_states_give_the_gradient_of_numpy_and_of_a_scan(name: str) -> None:
    w, bars = found(name, Stored())
    expected, expected_bars = in_numpy(name, Stored())
    assert not far(w, expected, CLOSE.get(name, 1e-12))
    assert not far(bars, expected_bars, CLOSE.get(name, 1e-9))
    gradient = jax.value_and_grad(as_a_scan(EVERY[name]), (0, 1, 2), has_aux=True)
    with jax.enable_x64(True):
        given = everything(EVERY[name], jnp)
        (_, w_of_scan), bars_of_scan = jax.jit(gradient, compiler_options=QUICKLY)(*given)
    assert not far(w, w_of_scan, 1e-8)
    assert not far(bars, bars_of_scan, 1e-6)


@pytest.mark.parametrize("adjoint", TAPES, ids=["whole", "in segments"])
@pytest.mark.parametrize("name", REVERSIBLE)
def test_the_tape_gives_the_gradient_of_numpy(name: str, adjoint: Adjoint) -> None:
    """The sweep compares the first state, element by element, with the one that it came back to."""
    check_like_numpy(name, adjoint)


@pytest.mark.parametrize("name", EVERY)
def test_checkpoints_give_the_gradient_of_numpy(name: str) -> None:
    check_like_numpy(name, Checkpointed(3))


@pytest.mark.parametrize("adjoint", [StraightLine(), Truncated(3), Truncated(6)], ids=repr)
@pytest.mark.parametrize("name", ["Momentum", "Adam", "Averaged", "SGD"])
def test_approximations_are_those_of_numpy(name: str, adjoint: Adjoint) -> None:
    check_like_numpy(name, adjoint)


@pytest.mark.parametrize("name", sorted(set(EVERY) - set(REVERSIBLE)))
def test_what_cannot_be_run_backwards_is_refused(name: str) -> None:
    with pytest.raises(NotReversibleError, match=name.split()[0]):
        rg.train(LOSS, weights(jnp), hyper(jnp), EVERY[name], 3, adjoint=Reversible())


@pytest.mark.parametrize("name", ["Momentum", "Adam", "Averaged", "Signum"])
def test_without_64_bit_types_the_gradient_is_right_to_float32(name: str) -> None:
    gradient = jax.value_and_grad(in_jax(EVERY[name], TAPES[0]), (0, 1, 2), has_aux=True)
    given = everything(EVERY[name], jnp, jnp.float32)
    (_, w), bars = jax.jit(gradient, compiler_options=QUICKLY)(*given)
    expected, expected_bars = in_numpy(name, Stored())
    assert {x.dtype for x in jax.tree.leaves((w, bars))} == {jnp.dtype("float32")}
    assert not far(w, expected, 1e-5)
    assert not far(bars, expected_bars, 1e-4)


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
def test_half_precision_weights_train_and_keep_their_type(dtype: Any) -> None:
    """The loss works in half precision; the lattice does not, so many small steps add up."""
    given = everything(EVERY["Momentum"], jnp, jnp.float32)
    w0 = weights(jnp, dtype)
    gradient = jax.value_and_grad(in_jax(EVERY["Momentum"]), (0, 1, 2), has_aux=True)
    (_, w), bars = gradient(w0, given[1], given[2])
    assert {x.dtype for x in (*jax.tree.leaves(w), *jax.tree.leaves(bars[0]))} == {jnp.dtype(dtype)}
    expected, expected_bars = in_numpy("Momentum", Stored())
    assert not far(w, expected, 0.05)
    assert not far(bars[0], expected_bars[0], 0.2)
