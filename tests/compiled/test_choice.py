"""Which strategy an adjoint becomes, and what the planner picks within its memory."""

from __future__ import annotations

import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import retrograd as rg
from retrograd.compiled.choice import chosen, strategy_for
from retrograd.compiled.problem import training_run
from retrograd.compiled.strategies import CheckpointedStrategy, Strategy
from retrograd.errors import ArgumentError, NotReversibleError

STEPS = 120
SIZES = (40, 24)
ELEMENTS = sum(SIZES)
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20}


def loss(w: Any, target: Any, t: Any) -> Any:
    return sum(jnp.sum((leaf - target) ** 2) for leaf in w)


def weights() -> Any:
    return [jnp.linspace(-1.0, 1.0, size) for size in SIZES]


def gradient(
    optimizer: rg.Optimizer, adjoint: rg.Adjoint | None, seen: rg.Diagnostics | None = None
) -> Any:
    def last(target: Any) -> Any:
        w = rg.train(loss, weights(), target, optimizer, STEPS, adjoint=adjoint, diagnostics=seen)
        return jnp.sum(w[0] ** 2)

    return jax.grad(last)(0.5)


def strategy_of(adjoint: rg.Adjoint, optimizer: rg.Optimizer | None = None) -> Strategy:
    given = rg.Momentum(0.1) if optimizer is None else optimizer
    run, inputs, _ = training_run(loss, weights(), 0.5, given, STEPS)
    return strategy_for(adjoint, run, inputs, watched=False)


MOMENTUM = rg.Momentum(0.1, 0.9)
STORED = 8 * ELEMENTS * STEPS  # weights and velocity in float32
STATE = 16 * ELEMENTS  # two integers of 64 bits


@pytest.mark.parametrize(
    ("memory", "optimizer", "expected", "because"),
    [
        (STORED, MOMENTUM, "Stored()", f"all {STEPS} states fit into the 60.0 KiB allowed"),
        (STORED - 1, MOMENTUM, "Reversible()", f"storing {STEPS} states would take 60.0 KiB"),
        (2 * STATE, MOMENTUM, "Reversible()", "of the 2.0 KiB allowed"),
        (20_000, rg.Adam(0.1), "Reversible()", "storing 120 states would take 90.0 KiB"),
        (STORED - 1, rg.Adam(0.1, 0.5, 0.5), "Reversible()", "storing 120 states"),
        (2_500, rg.Adam(0.1, 0.5, 0.5), "Checkpointed(slots=1)", "and its whole tape "),
        (20_000, rg.Adamax(0.1), "Checkpointed(slots=7)", "the tape has one length"),
        (20_000, rg.SGD(0.1), "Checkpointed(slots=39)", "moves by the gradient directly"),
    ],
)
def test_the_prediction_is_printed_and_right(
    memory: int,
    optimizer: rg.Optimizer,
    expected: str,
    because: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen = rg.Diagnostics()
    found = gradient(optimizer, rg.Auto(memory), seen)
    np.testing.assert_allclose(found, gradient(optimizer, rg.Stored()), rtol=1e-5)
    said = capsys.readouterr().err
    assert said.startswith(f"Auto: {expected} because ")
    assert because in said
    match = re.search(r"predicted ([\d.,]+) (\w+), about [\d.]+ forward runs\n$", said)
    assert match is not None
    predicted = float(match[1].replace(",", "")) * UNITS[match[2]]
    assert seen.certificate is not None
    assert seen.certificate.adjoint == expected
    assert seen.certificate.bytes_kept == pytest.approx(predicted, rel=0.2)
    assert seen.certificate.bytes_kept <= memory


def test_factors_that_are_not_known_choose_no_tape(capsys: pytest.CaptureFixture[str]) -> None:
    def last(momentum: Any) -> Any:
        w = rg.train(
            loss, weights(), 0.5, rg.Momentum(0.1, momentum), STEPS, adjoint=rg.Auto(20_000)
        )
        return jnp.sum(w[0] ** 2)

    eager = jax.grad(last)(0.9)
    assert capsys.readouterr().err.startswith("Auto: Reversible() because ")
    compiled = jax.jit(jax.grad(last))(0.9)
    assert "Checkpointed(slots=19) because" in capsys.readouterr().err
    np.testing.assert_allclose(compiled, eager, rtol=1e-4)


def test_it_can_be_quiet_and_says_nothing_where_nothing_is_kept(
    capsys: pytest.CaptureFixture[str],
) -> None:
    gradient(MOMENTUM, rg.Auto(20_000, quiet=True))
    rg.train(loss, weights(), 0.5, MOMENTUM, STEPS, adjoint=rg.Auto(20_000))
    assert capsys.readouterr().err == ""


def test_too_little_memory_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"memory=100 bytes were given, but the least that 120"):
        gradient(MOMENTUM, rg.Auto(100))


@pytest.mark.parametrize("adjoint", [rg.Stored(), rg.Reversible(2), rg.Truncated(3)])
def test_other_adjoints_stay_what_they_are(adjoint: rg.Adjoint) -> None:
    run, inputs, _ = training_run(loss, weights(), 0.5, MOMENTUM, STEPS)
    assert chosen(adjoint, run, inputs) is adjoint


def test_slots_follow_from_memory_and_from_steps() -> None:
    slots = [
        strategy_of(adjoint)
        for adjoint in (
            rg.Checkpointed(),
            rg.Checkpointed(3),
            rg.Checkpointed(10 * STEPS),
            rg.Checkpointed(memory=5 * STATE + STATE // 2),
        )
    ]
    found = [s.slots for s in slots if isinstance(s, CheckpointedStrategy)]
    # With 15 slots no step need be taken more than twice: 16 * 17 / 2 = 136 >= 121.
    assert found == [15, 3, STEPS, 5]


@pytest.mark.parametrize(
    ("optimizer", "cause"),
    [
        (rg.Adamax(0.1), "Adamax cannot be run backwards exactly: in JAX the tape has one length"),
        (rg.SGD(0.1), "SGD cannot be run backwards exactly: its position moves by the gradient"),
        (rg.Lion(0.1), "Lion cannot be run backwards exactly"),
    ],
)
def test_what_cannot_be_undone_is_refused_with_a_cure(optimizer: rg.Optimizer, cause: str) -> None:
    for adjoint in (rg.Reversible(), rg.Reversible(3)):
        with pytest.raises(NotReversibleError, match=cause) as raised:
            gradient(optimizer, adjoint)
        assert str(raised.value).endswith("Use another adjoint, such as Checkpointed()")
    assert np.isfinite(gradient(optimizer, rg.Checkpointed()))


def test_what_has_no_compiled_form_is_refused_with_a_cure() -> None:
    with pytest.raises(ArgumentError, match=r"has no compiled form for JAX; use Reversible\(\)"):
        gradient(MOMENTUM, rg.Coded())
    with pytest.raises(ArgumentError, match=r"keeps states in files, .* give slots or memory"):
        gradient(MOMENTUM, rg.Checkpointed(4, on_disk=2))
    with pytest.raises(ArgumentError, match="does not hold one state of 1,024 bytes"):
        gradient(MOMENTUM, rg.Checkpointed(memory=1000))
