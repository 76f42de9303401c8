"""The planner's arithmetic, without a model."""

from __future__ import annotations

import math

import pytest

from retrograd.adjoints.planner import Needs, best_checkpoints, choose, in_units, segments_pay_from
from retrograd.errors import ArgumentError

STATE, FIXED, PER_STEP = 2400, 800, 19
STEPS = 20_000


def needs(steps: int = STEPS, *, undoable: bool = True) -> Needs:
    tape = FIXED + PER_STEP * steps
    return Needs(steps, STATE, tape if undoable else None, FIXED, "lattice", "it has no way back")


def bytes_with(run: Needs, count: int) -> int:
    return count * STATE + run.segment_nbytes(count)


def test_the_candidates_come_in_order() -> None:
    run = needs()
    assert run.tape_nbytes is not None
    all_states, segments = STATE * STEPS, bytes_with(run, best_checkpoints(run))
    limits = [all_states, all_states - 1, run.tape_nbytes, run.tape_nbytes - 1, segments]
    chosen = [(c.strategy, c.count > 0) for c in (choose(run, limit) for limit in limits)]
    assert chosen == [
        ("Stored", False),
        ("Reversible", False),
        ("Reversible", False),
        ("Reversible", True),
        ("Reversible", True),
    ]


def test_less_than_the_segments_take_is_left_to_checkpointed() -> None:
    run = Needs(100, STATE, FIXED + 30_000, FIXED)
    segments = bytes_with(run, best_checkpoints(run))
    choice = choose(run, segments - 1)
    assert choice.strategy == "Checkpointed"
    assert choice.count == (segments - 1 - 8 * 100) // STATE


@pytest.mark.parametrize("undoable", [True, False])
@pytest.mark.parametrize("memory", [170_000, 180_000, 400_000, 2_000_000, 60_000_000])
def test_no_choice_exceeds_the_memory(memory: int, undoable: bool) -> None:
    choice = choose(needs(undoable=undoable), memory)
    assert 0 < choice.nbytes <= memory
    assert f"{STEPS:,} states" in choice.because


def test_what_cannot_be_undone_is_never_run_backwards() -> None:
    for memory in (170_000, 400_000, 2_000_000, 60_000_000):
        choice = choose(needs(undoable=False), memory)
        assert choice.strategy in ("Stored", "Checkpointed")
        assert choice.strategy == "Stored" or "no way back" in choice.because


@pytest.mark.parametrize("steps", [1, 2, 10, 1000, STEPS])
def test_the_best_number_of_checkpoints_is_the_best(steps: int) -> None:
    run = needs(steps)
    best = bytes_with(run, best_checkpoints(run))
    assert best <= 1.01 * min(bytes_with(run, k) for k in range(1, min(steps, 300) + 1))


def test_segments_pay_from_where_the_arithmetic_says() -> None:
    crossing = segments_pay_from(STATE, PER_STEP)
    assert crossing == math.ceil(4 * STATE / PER_STEP)
    before, after = needs(crossing // 2), needs(2 * crossing)
    assert before.tape_nbytes is not None
    assert after.tape_nbytes is not None
    assert bytes_with(before, best_checkpoints(before)) > before.tape_nbytes
    assert bytes_with(after, best_checkpoints(after)) < after.tape_nbytes


def test_time_is_counted_in_forward_runs() -> None:
    stored, reversible, segments = (
        choose(needs(), memory).trainings for memory in (10**9, 10**6, 200_000)
    )
    assert stored == reversible
    assert segments == pytest.approx(reversible + 1)
    few, many = (choose(needs(undoable=False), m).trainings for m in (200_000, 2_000_000))
    assert few > many > stored


def test_too_little_memory_is_refused_with_what_would_do() -> None:
    least = STATE + 8 * STEPS
    assert choose(needs(undoable=False), least).count == 1
    with pytest.raises(ArgumentError, match=rf"memory={least - 1} .* take is {least} .*on_disk"):
        choose(needs(undoable=False), least - 1)
    assert choose(needs(100), FIXED + PER_STEP * 100).strategy == "Reversible"
    with pytest.raises(ArgumentError, match=f"take is {FIXED + PER_STEP * 100} "):
        choose(needs(100), FIXED + PER_STEP * 100 - 1)


def test_bytes_are_said_as_people_read_them() -> None:
    assert [in_units(x) for x in (1, 1023, 1024, 2**20 - 1, 2**30)] == [
        "1 B", "1023 B", "1.0 KiB", "1,024.0 KiB", "1.0 GiB",
    ]  # fmt: skip
