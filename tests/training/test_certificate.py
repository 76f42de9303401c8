"""What a sweep leaves behind: the certificate, its words, repairs, and errors that say where."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from faults import Moment, flip, in_gradient, optimizer_of, state
from quick_problem import quick_run
from runs import there_and_back

import retrograd as rg
from retrograd.adjoints import Adjoint, Checkpointed
from retrograd.errors import ReversalError
from retrograd.training.diagnostics import Certificate

STEPS = 8


def certificate(adjoint: Adjoint, steps: int = STEPS) -> Certificate:
    run, inputs, _ = quick_run(optimizer_of(rg.Adam, steps), adjoint, steps)
    there_and_back(run, inputs)
    assert run.diagnostics is not None
    assert run.diagnostics.certificate is not None
    return run.diagnostics.certificate


@pytest.mark.parametrize("adjoint", [rg.Reversible(), rg.Stored(), Checkpointed(2)], ids=repr)
def test_the_printout_says_what_was_compared_and_kept(adjoint: Adjoint) -> None:
    found = certificate(adjoint)
    lines = str(found).splitlines()
    assert lines[0].startswith(f"{adjoint!r}: 8 steps recovered bit for bit (9 states compared")
    assert f"{found.hashes[0]:016x}" in lines[0]
    assert f"{found.hashes[STEPS]:016x}" in lines[0]
    assert lines[1].startswith(f"kept {found.bytes_kept:,} bytes")
    assert lines[2].startswith("the adjoint ")
    assert len(lines) == 3


def test_a_long_run_backwards_compares_some_states_and_one_by_states_all() -> None:
    assert 16 <= certificate(rg.Reversible(), 100).hashes_compared <= 18
    assert certificate(rg.Stored(), 100).hashes_compared == 101


def test_checkpoints_and_the_tape_of_one_segment_are_in_the_peak() -> None:
    found = certificate(rg.Reversible(checkpoints=2), 40)
    assert found.bytes_kept < found.bytes_peak < found.bytes_trajectory
    assert f"({found.bytes_peak:,} at most, in the sweep)" in str(found)
    assert "no fewer than all states" in str(certificate(rg.Stored()))


def test_growth_is_told_step_by_step() -> None:
    found = certificate(rg.Reversible())
    assert len(found.growth_by_step) == STEPS
    assert found.growth_by_step[0] == found.growth
    assert found.lyapunov_exponent == pytest.approx(math.log(found.growth) / STEPS)


def grown(by: float, *, exact: bool = True) -> str:
    return str(
        Certificate(
            steps=100,
            adjoint="Reversible()",
            exact=exact,
            hashes={0: 1, 100: 2},
            hashes_compared=2,
            bytes_kept=10,
            bytes_peak=10,
            bytes_trajectory=100,
            bits_per_element_step=0.5,
            growth=by,
        )
    )


def test_the_growth_of_the_adjoint_in_words() -> None:
    assert (
        "small changes of the start grow by 10^9 over this run: this gradient is exact, but says "
        "little about the loss at a distance" in grown(2.5e9)
    )
    assert "exact" not in grown(2.5e9, exact=False)
    assert "grew 12.5-fold" in grown(12.5)
    assert "little" not in grown(12.5)
    assert "shrank to 0.25" in grown(0.25)
    assert "shrink by 10^-8" in grown(2.5e-8)
    assert "zero at one end" in grown(0.0)


REPAIRING = pytest.mark.parametrize(
    "adjoint", [rg.Reversible(checkpoints=2), rg.Reversible(checkpoints=4)], ids=repr
)


@REPAIRING
@pytest.mark.parametrize("step", range(STEPS))
def test_one_fault_is_repaired_from_a_checkpoint(adjoint: Adjoint, step: int) -> None:
    optimizer = optimizer_of(rg.Adam, STEPS)
    run, inputs, _ = quick_run(optimizer, adjoint, STEPS)
    right = there_and_back(run, inputs)
    run, inputs, backend = quick_run(optimizer, adjoint, STEPS)
    in_gradient(STEPS + 1 + step)(run, backend, np.random.default_rng(step))
    found = there_and_back(run, inputs)
    assert all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))
    assert run.diagnostics is not None
    assert run.diagnostics.certificate is not None
    (repair,) = run.diagnostics.certificate.repairs
    assert repair in str(run.diagnostics.certificate)
    assert "gone back over again from a checkpoint" in repair
    assert len(run.diagnostics.adjoint_norms) == STEPS


@REPAIRING
def test_faults_without_end_are_not_repaired(adjoint: Adjoint) -> None:
    rng = np.random.default_rng(0)
    calls = []

    def noisy(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        return np.sum((w - 1.0) ** 2) * (1 + 1e-9 * (rng.normal() if len(calls) > 12 else 0.0))

    with pytest.raises(ReversalError, match=r"at step \d+ .*not a deterministic function"):
        rg.grad(
            lambda rate: np.sum(
                rg.train(noisy, np.zeros(3), None, rg.Momentum(rate), STEPS, adjoint=adjoint)
            )
        )(0.1)


def message(moment: Moment, slot: str, adjoint: Adjoint) -> str:
    """The error after one bit of the last element of a slot was flipped."""
    run, inputs, _ = quick_run(optimizer_of(rg.Adam, STEPS), adjoint, STEPS)

    def strike() -> None:
        integers = state(run).slots[slot]
        integers[(-1,) * integers.ndim] ^= 1 << 20

    moment.hook(run, strike)
    with pytest.raises(ReversalError) as caught:
        there_and_back(run, inputs)
    return str(caught.value)


def test_an_error_names_step_leaf_bits_and_cause() -> None:
    """At the last state, which is compared whole."""
    text = message(Moment("begin", 0), "first", rg.Reversible())
    assert "did not meet the forward run again at step 8 (" in text
    assert "slot 'first': 1 of 5 elements in ['b'], 1 bit, first ['b'][0]" in text
    assert "damaged (memory, disk)" in text


def test_an_error_at_the_first_state_is_as_exact() -> None:
    text = message(Moment("retreat", STEPS - 1, after=True), "weights", rg.Reversible())
    assert "at step 0 (its fingerprint differs; slot 'weights': 1 of 5 elements in ['b'], 1" in text
    assert "the state at step 1 was right" in text


def test_an_error_of_a_kept_state_is_as_exact() -> None:
    run, inputs, _ = quick_run(optimizer_of(rg.Adam, STEPS), rg.Stored(), STEPS)
    trained = run.forward(*inputs)
    memory: Any = run.memory
    flip(memory.states[5]["second"], np.random.default_rng(0), bits=1)
    with pytest.raises(ReversalError) as caught:
        run.sweep(range(len(inputs)), [np.ones_like(leaf) for leaf in trained])
    assert "at step 5 (the state that was kept at step 5 has changed" in str(caught.value)
    assert "slot 'second': 1 of 5 elements" in str(caught.value)
    assert ", 1 bit, " in str(caught.value)
    assert caught.value.step == 5


def test_one_evaluation_that_went_wrong_is_told_from_a_state_that_did() -> None:
    run, inputs, backend = quick_run(optimizer_of(rg.Adam, STEPS), rg.Reversible(), STEPS)
    in_gradient(STEPS + 3)(run, backend, np.random.default_rng(0))
    with pytest.raises(ReversalError, match=r"gradient at step 5 .*the state there is right, and"):
        there_and_back(run, inputs)


def test_a_state_of_iterate_is_compared_leaf_by_leaf() -> None:
    kept: list[Any] = []

    class Kept(rg.Stored):
        def memory(self, dynamics: Any) -> Any:
            kept.append(super().memory(dynamics))
            return kept[-1]

    def step(x: Any, rate: Any, t: int) -> Any:
        return {"u": x["u"] * rate, "v": x["v"] + x["u"][0]}

    x0 = {"u": np.ones(3), "v": np.zeros((2, 2))}
    _, pullback = rg.vjp(lambda r: rg.iterate(step, x0, r, 6, adjoint=Kept())["u"], 0.5)
    flip(kept[0].states[4]["0"], np.random.default_rng(1))
    with pytest.raises(ReversalError, match=r"at step 4 .*1 of 3 elements in \['u'\], 1 bit"):
        pullback(np.ones(3))
