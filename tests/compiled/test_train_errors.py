"""What goes wrong in a compiled run is said: at once, or within jit by a failing program."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import retrograd as rg
from retrograd.adjoints import Coded, Reversible
from retrograd.compiled import run as compiled_run
from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError, ReversalError

MOMENTUM = rg.Momentum(0.1, 0.5)


def squares(w: Any, hyper: Any, step: Any) -> Any:
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(w))


def to_aim(w: Any, aim: Any, step: Any) -> Any:
    return jnp.sum((w - aim) ** 2)


def trained(loss: Any, w0: Any = None, optimizer: Any = MOMENTUM, steps: int = 20) -> Any:
    return rg.train(loss, jnp.ones(2) if w0 is None else w0, None, optimizer, steps)


def test_a_loss_that_is_not_finite_is_named_with_its_step() -> None:
    def loss(w: Any, hyper: Any, step: Any) -> Any:
        return jnp.sum(w**2) + jnp.where(step == 7, jnp.nan, 0.0) * w[0]

    with pytest.raises(NonFiniteError, match="the loss is nan at step 7: lower the rate"):
        trained(loss)
    with pytest.raises(NonFiniteError, match="at step 7"):
        jax.grad(lambda w: trained(loss, w)[0])(jnp.ones(2))


def test_a_loss_that_is_not_finite_stops_the_run_though_its_gradient_is() -> None:
    """The logarithm of a negative number is NaN, and its derivative is an ordinary number."""

    def loss(w: Any, hyper: Any, step: Any) -> Any:
        return jnp.sum(jnp.log(1.0 - w["a"])) + jnp.sum(w["b"] ** 2)

    w0 = {"a": jnp.zeros(2), "b": jnp.ones(20_000)}
    with pytest.raises(NonFiniteError, match="the loss is nan at step 2: lower the rate"):
        trained(loss, w0, rg.Momentum(0.5, 0.5))


def test_a_gradient_that_is_not_finite_is_named_with_its_step_and_leaf() -> None:
    def loss(w: Any, hyper: Any, step: Any) -> Any:
        return jnp.sum(w["a"] ** 2) + jnp.sum(jnp.sqrt(jnp.abs(w["b"] - w["b"])))

    with pytest.raises(NonFiniteError, match=r"gradient is not finite at step 0, .*'b'.*root"):
        trained(loss, {"a": jnp.ones(2), "b": jnp.ones(3)})


def test_divergence_names_the_slot_and_the_step() -> None:
    with pytest.raises(LatticeOverflowError, match=r"'velocity'.*at step \d+: .*Lower the rate"):
        trained(squares, optimizer=rg.Momentum(50.0, 0.5))


def test_weights_that_do_not_fit_at_the_start() -> None:
    with pytest.raises(LatticeOverflowError, match=r"'weights'.*at the start: magnitudes below"):
        trained(squares, jnp.array([1e7, 0.0]))


def test_a_run_that_goes_wrong_within_jit_fails() -> None:
    """The text of JAX's error holds ours."""

    @jax.jit
    def within(aim: Any) -> Any:
        return rg.train(to_aim, jnp.zeros(2), aim, MOMENTUM, 5)

    with pytest.raises(jax.errors.JaxRuntimeError, match="LatticeOverflowError: slot 'weights'"):
        jax.block_until_ready(within(jnp.nan))
    assert float(within(1.0)[0]) == pytest.approx(0.99162)


def test_factors_outside_their_range() -> None:
    with pytest.raises(ArgumentError, match=r"momentum: 1.5 was given to Momentum"):
        trained(squares, optimizer=rg.Momentum(0.1, jnp.float32(1.5)))
    within = jax.jit(lambda m: trained(squares, optimizer=rg.Momentum(0.1, m)))
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"would be multiplied by 1.5; give"):
        jax.block_until_ready(within(1.5))


def test_a_tape_that_is_too_short_for_traced_factors() -> None:
    """3.3 bits per step do not fit into the quarter of a bit that there is room for."""

    def ends(momentum: Any, bits: float) -> Any:
        optimizer = rg.Momentum(0.1, momentum)
        adjoint = Reversible(bits=bits)
        return rg.train(to_aim, jnp.zeros(2), 1.0, optimizer, 500, adjoint=adjoint)[0]

    slope = jax.jit(jax.grad(ends), static_argnums=1)
    with pytest.raises(jax.errors.JaxRuntimeError, match=r"the tape is full.*Reversible\(bits="):
        jax.block_until_ready(slope(0.1, 0.25))
    eager = jax.grad(lambda m: ends(m, 0.25))(0.1)
    assert float(slope(0.1, 3.5)) == float(eager)


@pytest.mark.parametrize("loss", [lambda w, h, t: w, lambda w, h, t: jnp.sum(w > 0)])
def test_a_loss_that_is_no_real_number(loss: Any) -> None:
    with pytest.raises(ArgumentError, match=r"loss: it returned .* one real number"):
        trained(loss)


def test_arrays_of_two_libraries() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(ArgumentError, match="JAX arrays and PyTorch tensors; give"):
        rg.train(to_aim, jnp.zeros(2), torch.ones(2), MOMENTUM, 5)


def test_an_adjoint_without_a_compiled_form() -> None:
    with pytest.raises(ArgumentError, match=r"no compiled form for JAX; use Reversible\(\)"):
        rg.train(to_aim, jnp.zeros(2), 1.0, MOMENTUM, 5, adjoint=Coded())


def test_a_loss_that_is_not_deterministic() -> None:
    count = iter(range(10**6))

    def drawn(_: Any) -> Any:
        return np.float32(next(count))

    def loss(w: Any, aim: Any, step: Any) -> Any:
        number = jax.pure_callback(drawn, jax.ShapeDtypeStruct((), jnp.float32), step)
        return jnp.sum((w * (1 + number % 7) - aim) ** 2)

    def end(aim: Any) -> Any:
        return rg.train(loss, jnp.zeros(2), aim, rg.Momentum(1e-3, 0.5), 20)[0]

    with pytest.raises(ReversalError, match=r"first state were not recovered.*fold_in"):
        jax.grad(end)(1.0)
    with pytest.raises(jax.errors.JaxRuntimeError, match="ReversalError: Momentum"):
        jax.block_until_ready(jax.jit(jax.grad(end))(1.0))


@pytest.mark.parametrize("what", ["state", "tape"])
def test_a_bit_that_flips_between_the_passes_is_noticed(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In any word of what the forward run hands to the sweep."""
    original = compiled_run.CompiledRun.forward

    def flipped(self: Any, *args: Any) -> Any:
        results, faults, run = original(self, *args)
        part = run.state if what == "state" else run.kept
        leaves, structure = jax.tree.flatten(part)
        leaves[-1] = leaves[-1].at[(0,) * leaves[-1].ndim].set(leaves[-1].ravel()[0] ^ 4)
        part = jax.tree.unflatten(structure, leaves)
        return results, faults, run._replace(**{"state" if what == "state" else "kept": part})

    def end(aim: Any) -> Any:
        return rg.train(to_aim, jnp.zeros(2), aim, MOMENTUM, 64)[0]

    assert float(jax.grad(end)(1.0)) == pytest.approx(1.0, abs=1e-3)
    monkeypatch.setattr(compiled_run.CompiledRun, "forward", flipped)
    with pytest.raises(ReversalError, match=r"not recovered|another fingerprint"):
        jax.grad(end)(1.0)


@pytest.mark.parametrize("around", [lambda f: f, jax.jit], ids=["eager", "jit"])
def test_diagnostics_and_the_certificate(around: Any) -> None:
    told = rg.Diagnostics()

    def end(aim: Any) -> Any:
        return rg.train(to_aim, jnp.zeros(2), aim, MOMENTUM, 20, diagnostics=told)[0]

    jax.block_until_ready(around(jax.grad(end))(1.0))
    jax.effects_barrier()
    assert told.losses[0] == 2.0
    assert len(told.losses) == len(told.adjoint_norms) == 20
    found = told.certificate
    assert found is not None
    assert found.exact
    assert set(found.hashes) >= {0, 20}
    assert found.growth == pytest.approx(told.adjoint_norms[0], rel=1e-5)
    plain = rg.Diagnostics()
    loss = lambda w, aim, step: np.sum((w - aim) ** 2)  # noqa: E731
    rg.grad(lambda a: rg.train(loss, np.zeros(2), a, MOMENTUM, 20, diagnostics=plain)[0])(1.0)
    np.testing.assert_allclose(told.losses, plain.losses, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(told.adjoint_norms, plain.adjoint_norms, rtol=1e-4, atol=1e-7)
