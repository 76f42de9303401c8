"""Checkpointed on a computation that counts its steps and has no inverse."""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from retrograd.adjoints import Dynamics, Snapshot
from retrograd.adjoints.checkpointed import Checkpointed
from retrograd.adjoints.mixed_schedule import MixedSchedule
from retrograd.adjoints.schedule import Restore, binomial, forward_steps, least_slots
from retrograd.errors import ArgumentError, DataError, ReversalError
from retrograd.lattice import fingerprint

Integers = NDArray[np.int64]

PRIME = 10_007
SIZE = 600  # 4800 bytes per state


class Squares(Dynamics):
    """x <- x**2 + t modulo a prime: two states lead to each. The adjoint is exact in integers."""

    arithmetic = "lattice"
    obstacle = "squares have two roots"

    def __init__(self, steps: int, size: int = SIZE) -> None:
        self.steps = steps
        self.x: Integers = np.arange(2, size + 2)
        self.bar: Integers = np.ones(size, np.int64)
        self.taken: Counter[int] = Counter()
        self.pulled: list[int] = []
        self.faults: dict[tuple[int, int], Callable[[], None]] = {}
        self.right = [self.x.copy()]
        for t in range(steps):
            self.right.append((self.right[-1] ** 2 + t) % PRIME)

    def advance(self, t: int) -> None:
        assert np.array_equal(self.x, self.right[t]) or self.faults
        self.taken[t] += 1
        self.x = (self.x**2 + t) % PRIME
        self.faults.get((t, self.taken[t]), lambda: None)()

    def snapshot(self) -> Snapshot:
        return {"half": self.x[::2].copy(), "rest": self.x[1::2].copy()}

    def restore(self, snapshot: Snapshot) -> None:
        self.x[::2], self.x[1::2] = snapshot["half"], snapshot["rest"]

    def fingerprint(self) -> int:
        return fingerprint(self.x)

    def pull(self, t: int) -> None:
        assert np.array_equal(self.x, self.right[t])
        self.pulled.append(t)
        self.bar = self.bar * 2 * self.x % PRIME

    def flip(self) -> None:
        self.x[7] ^= 1


@dataclass
class Kept:
    x: Integers
    nbytes: int


class Recorded(Squares):
    """The same, with derivatives that can be kept and take some states' memory each."""

    derivative = 3

    def __init__(self, steps: int, size: int = SIZE) -> None:
        super().__init__(steps, size)
        self.keeping = False
        self.kept: Any = None
        self.derivatives_made = 0

    def advance(self, t: int) -> None:
        if self.keeping:
            self.kept = Kept(self.x.copy(), self.derivative * self.x.nbytes)
            self.derivatives_made += 1
        super().advance(t)

    def pull_kept(self, kept: Kept) -> None:
        self.x = kept.x
        self.pulled.append(self.pulled[-1] - 1 if self.pulled else self.steps - 1)
        self.bar = self.bar * 2 * self.x % PRIME


class Watched(Squares):
    """The same, but it compares the states that it comes to by itself."""

    def __init__(self, steps: int) -> None:
        super().__init__(steps)
        self.states = [self.fingerprint()]
        self.fingerprints = 0

    def advance(self, t: int) -> None:
        super().advance(t)
        mark = fingerprint(self.x)
        if t + 1 == len(self.states):
            self.states.append(mark)
        elif self.states[t + 1] != mark:
            raise ReversalError(f"the state at step {t + 1} is another one")

    def noted(self, t: int) -> int | None:
        return self.states[t] if t < len(self.states) else None

    def fingerprint(self) -> int:
        self.fingerprints = getattr(self, "fingerprints", 0) + 1
        return super().fingerprint()


def forwards(dynamics: Squares, adjoint: Checkpointed) -> Any:
    memory = adjoint.memory(dynamics)
    dynamics.taken.clear()
    for t in range(dynamics.steps):
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    return memory


def sweep(dynamics: Squares, memory: Any, start: int | None = None) -> int:
    """Go back to the start; the most bytes that were kept on the way."""
    most = memory.nbytes
    for t in reversed(range(dynamics.steps if start is None else start)):
        memory.back(t)
        assert np.array_equal(dynamics.x, dynamics.right[t])
        most = max(most, memory.nbytes)
    memory.check_used_up()
    return most


def adjoint_of(steps: int, size: int = SIZE) -> Integers:
    dynamics = Squares(steps, size)
    bar = dynamics.bar
    for x in reversed(dynamics.right[:-1]):
        bar = bar * 2 * x % PRIME
    return bar


def check_sweep(dynamics: Squares) -> None:
    assert dynamics.pulled == list(reversed(range(dynamics.steps)))
    assert np.array_equal(dynamics.bar, adjoint_of(dynamics.steps, len(dynamics.x)))


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 30, 61])
@pytest.mark.parametrize("slots", [1, 2, 3, 5, 11, 100])
def test_every_state_comes_back_with_the_fewest_steps(steps: int, slots: int) -> None:
    dynamics = Squares(steps)
    memory = forwards(dynamics, Checkpointed(slots))
    most = sweep(dynamics, memory)
    check_sweep(dynamics)
    assert dynamics.taken.total() == forward_steps(steps + 1, min(slots, steps))
    assert most <= min(slots, steps) * 8 * SIZE + 8 * steps
    assert memory.nbytes == 8 * steps
    assert memory.repaired == ()


def test_by_default_no_step_is_taken_more_than_once_besides_the_run_and_the_pull() -> None:
    dynamics = Squares(200)
    sweep(dynamics, forwards(dynamics, Checkpointed()))
    check_sweep(dynamics)
    assert max(dynamics.taken.values()) == 2
    plan = Checkpointed().plan(Squares(200))
    assert plan.slots == least_slots(201, rounds=2) == 19


@pytest.mark.parametrize("states", [1, 2, 7, 20])
def test_memory_is_filled_and_never_exceeded(states: int) -> None:
    steps = 60
    budget = 8 * SIZE * states + 8 * steps + 100
    dynamics = Squares(steps)
    most = sweep(dynamics, forwards(dynamics, Checkpointed(memory=budget)))
    check_sweep(dynamics)
    assert budget - 8 * SIZE < most <= budget
    assert dynamics.taken.total() == forward_steps(steps + 1, states)


def test_memory_as_a_text() -> None:
    adjoint = Checkpointed(memory="50 kB")
    assert adjoint.plan(Squares(60)).slots == (50_000 - 8 * 60) // (8 * SIZE)


def test_memory_for_no_state_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"one state takes 4800 .* give at least 5280"):
        Checkpointed(memory=5000).memory(Squares(60))


def test_memory_for_no_fingerprints_is_refused_with_files_too() -> None:
    with pytest.raises(ArgumentError, match=r"60 steps take 480; .* or 480 and keep states in f"):
        Checkpointed(memory=479, on_disk=5).memory(Squares(60))


def test_states_that_grow_are_refused() -> None:
    class Growing(Squares):
        def snapshot(self) -> Snapshot:
            return {**super().snapshot(), "history": np.zeros(10 * self.taken.total())}

    dynamics = Growing(40)
    with pytest.raises(ArgumentError, match=r"bytes are kept of the 30000 .* slots=\.\.\."):
        sweep(dynamics, forwards(dynamics, Checkpointed(memory=30_000)))


# Derivatives


@pytest.mark.parametrize("states", [15, 20, 25, 40])
def test_derivatives_share_the_memory_and_save_steps(states: int) -> None:
    steps = 60
    budget = 8 * SIZE * states + 8 * steps * (states + 1)
    dynamics = Recorded(steps)
    memory = forwards(dynamics, Checkpointed(memory=budget))
    plan = memory.plan
    most = sweep(dynamics, memory)
    check_sweep(dynamics)
    assert most <= budget
    assert plan.derivative == Recorded.derivative
    assert dynamics.derivatives_made > 1
    cost = MixedSchedule(steps + 1, plan.slots, plan.derivative).cost
    without = dynamics.taken.total() - (dynamics.derivatives_made - 1)  # one was a measurement
    assert without == cost
    assert cost <= 0.9 * forward_steps(steps + 1, states)


def test_a_derivative_larger_than_promised_is_not_kept_and_the_budget_holds() -> None:
    class Swelling(Recorded):
        def advance(self, t: int) -> None:
            super().advance(t)
            if self.keeping and t > 20:
                self.kept.nbytes *= 10

    budget = 8 * SIZE * 15 + 8 * 60 * 16
    dynamics = Swelling(60)
    assert sweep(dynamics, forwards(dynamics, Checkpointed(memory=budget))) <= budget
    check_sweep(dynamics)


def test_a_damaged_derivative_is_noticed() -> None:
    dynamics = Recorded(60)
    memory = forwards(dynamics, Checkpointed(memory=8 * SIZE * 15 + 8 * 60 * 16))
    t = 60
    while not memory.derivatives:
        t -= 1
        memory.back(t)
    latest = memory.derivatives[max(memory.derivatives)]
    latest.x[3] ^= 1
    with pytest.raises(ReversalError, match=r"derivative .* kept at step \d+ leads to another"):
        sweep(dynamics, memory, start=t)


@pytest.mark.parametrize("states", [1, 2, 60, 300])
def test_derivatives_are_not_kept_where_they_save_little(states: int) -> None:
    dynamics = Recorded(60)
    memory = forwards(dynamics, Checkpointed(memory=8 * SIZE * states + 8 * 60 * (states + 1)))
    assert memory.plan.derivative == 0
    assert memory.plan.slots == min(states, 60)
    sweep(dynamics, memory)
    check_sweep(dynamics)


def test_small_states_are_not_worth_a_table() -> None:
    plan = Checkpointed(memory=5000).plan(Recorded(60, size=10))
    assert plan.derivative == 0


# Files


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("slots", "on_disk"), [(3, 4), (1, 6), (0, 7), (None, 7), (7, 60)])
def test_states_in_files_count_as_slots(tmp_path: Path, slots: int | None, on_disk: int) -> None:
    dynamics = Squares(100)
    memory = forwards(dynamics, Checkpointed(slots, on_disk=on_disk, folder=tmp_path))
    assert memory.file_nbytes > 0
    assert len(files_in(tmp_path)) == memory.file_nbytes // (8 * SIZE)
    most = sweep(dynamics, memory)
    check_sweep(dynamics)
    total = (slots or 0) + on_disk
    assert dynamics.taken.total() == forward_steps(101, total)
    assert most <= (slots or 0) * 8 * SIZE + 8 * 100
    assert list(tmp_path.iterdir()) == []


def test_memory_comes_first_and_files_hold_what_is_needed_least(tmp_path: Path) -> None:
    adjoint = Checkpointed(10, on_disk=5, folder=tmp_path)
    assert adjoint.plan(Squares(9)).levels_on_disk() == frozenset()
    assert adjoint.plan(Squares(300)).levels_on_disk() == frozenset(range(5))


def test_memory_and_files(tmp_path: Path) -> None:
    adjoint = Checkpointed(memory=8 * SIZE * 2 + 8 * 50, on_disk=3, folder=tmp_path)
    dynamics = Squares(50)
    assert sweep(dynamics, forwards(dynamics, adjoint)) == 8 * SIZE * 2 + 8 * 50
    assert dynamics.taken.total() == forward_steps(51, 5)


@pytest.mark.parametrize("where", [10, 200, -1])
def test_a_damaged_file_is_noticed(tmp_path: Path, where: int) -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(on_disk=3, folder=tmp_path))
    for path in files_in(tmp_path):
        content = bytearray(path.read_bytes())
        content[where] ^= 1
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"state-\d+.npy is damaged: .* SHA-256"):
        memory.back(29)
    assert dynamics.pulled == []


def test_a_missing_file_is_noticed(tmp_path: Path) -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(on_disk=3, folder=tmp_path))
    for path in files_in(tmp_path):
        path.unlink()
    with pytest.raises(DataError, match="is gone"):
        memory.back(29)


def test_an_abandoned_run_leaves_no_files(tmp_path: Path) -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(on_disk=3, folder=tmp_path))
    assert files_in(tmp_path)
    del memory
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_file_is_whole_or_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    memory = Checkpointed(on_disk=3, folder=tmp_path).memory(Squares(30))
    with pytest.raises(DataError, match=r"No space left .*Make room"):
        memory.enter(0)
    assert files_in(tmp_path) == []


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    memory = Checkpointed(on_disk=3, folder=tmp_path / "no").memory(Squares(30))
    with pytest.raises(DataError, match=r"no folder for checkpoints can be made in .*Give"):
        memory.enter(0)


# Faults


def test_a_state_that_came_back_wrong_once_is_repaired() -> None:
    dynamics = Squares(30)
    dynamics.faults[12, 2] = dynamics.flip
    memory = forwards(dynamics, Checkpointed(3))
    sweep(dynamics, memory)
    check_sweep(dynamics)
    (text,) = memory.repaired
    assert "was come to once more" in text


def test_every_single_fault_on_the_way_back_is_noticed() -> None:
    clean = Squares(25)
    sweep(clean, forwards(clean, Checkpointed(3)))
    again = [(t, k) for t, times in clean.taken.items() for k in range(2, times + 1)]
    assert len(again) > 25
    for fault in again:
        dynamics = Squares(25)
        dynamics.faults[fault] = dynamics.flip
        memory = forwards(dynamics, Checkpointed(3))
        sweep(dynamics, memory)
        check_sweep(dynamics)
        assert len(memory.repaired) == 1


def test_what_the_computation_compares_by_itself_is_not_compared_twice() -> None:
    dynamics = Watched(25)
    memory = forwards(dynamics, Checkpointed(3))
    assert dynamics.fingerprints == 0
    sweep(dynamics, memory)
    check_sweep(dynamics)
    restored = sum(isinstance(action, Restore) for action in binomial(26, 3))
    assert dynamics.fingerprints == restored


def test_what_the_computation_notices_by_itself_is_repaired() -> None:
    for t in range(1, 23):
        dynamics = Watched(25)
        dynamics.faults[t, 2] = dynamics.flip
        memory = forwards(dynamics, Checkpointed(3))
        sweep(dynamics, memory)
        check_sweep(dynamics)
        assert len(memory.repaired) == (dynamics.taken[t] > 1)


def test_a_computation_that_does_not_repeat_is_refused() -> None:
    dynamics = Squares(30)
    for times in range(2, 20):
        dynamics.faults[12, times] = dynamics.flip
    memory = forwards(dynamics, Checkpointed(3))
    with pytest.raises(ReversalError, match=r"run again from step \d+, the state at step \d+"):
        sweep(dynamics, memory)
    assert min(dynamics.pulled) > 12


def test_a_damaged_state_is_replaced_from_an_earlier_one() -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(4))
    *_, last = memory.held.values()
    last.state["half"][2] ^= 4
    sweep(dynamics, memory)
    check_sweep(dynamics)
    assert len(memory.repaired) == 1
    assert "has changed" in memory.repaired[0]


def test_a_damaged_first_state_cannot_be_replaced() -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(4))
    memory.held[0].state["half"][2] ^= 4
    with pytest.raises(ReversalError, match="step 0 has changed"):
        sweep(dynamics, memory)
    assert 0 not in dynamics.pulled


@pytest.mark.parametrize("kind", [Squares, Recorded])
@pytest.mark.parametrize(("high", "low"), [(30, 22), (21, 3), (17, 16), (9, 0)])
def test_a_stretch_can_be_gone_back_over_again(kind: type[Squares], high: int, low: int) -> None:
    dynamics = kind(30)
    memory = forwards(dynamics, Checkpointed(memory=8 * SIZE * 8 + 8 * 30 * 9))
    for t in reversed(range(high, 30)):
        memory.back(t)
    bar = dynamics.bar
    for t in reversed(range(low, high)):
        memory.back(t)
    assert memory.repair(high)
    assert np.array_equal(dynamics.x, dynamics.right[high])
    dynamics.bar, dynamics.pulled = bar, list(reversed(range(high, 30)))
    sweep(dynamics, memory, start=high)
    check_sweep(dynamics)


def test_kept_states_can_be_looked_at(tmp_path: Path) -> None:
    dynamics = Squares(30)
    memory = forwards(dynamics, Checkpointed(2, on_disk=2, folder=tmp_path))
    for t in memory.held:
        state = memory.state_at(t)
        assert np.array_equal(state["half"], dynamics.right[t][::2])
    assert memory.state_at(29) is None


def test_a_sweep_out_of_order_is_refused() -> None:
    dynamics = Squares(10)
    memory = forwards(dynamics, Checkpointed(3))
    with pytest.raises(ReversalError, match="asks for step 5, and the schedule has Pull"):
        memory.back(5)


def test_a_sweep_that_ends_early_is_not_used_up() -> None:
    dynamics = Squares(10)
    memory = forwards(dynamics, Checkpointed(3))
    memory.back(9)
    with pytest.raises(ReversalError, match="states and 0 derivatives are left"):
        memory.check_used_up()


# Interrupted sweeps


@pytest.mark.parametrize("kind", [Squares, Recorded])
@pytest.mark.parametrize("reached", [30, 29, 14, 1])
@pytest.mark.parametrize("on_disk", [0, 3])
def test_an_interrupted_sweep_goes_on(
    tmp_path: Path, kind: type[Squares], reached: int, on_disk: int
) -> None:
    adjoint = Checkpointed(
        memory=8 * SIZE * 8 + 8 * 30 * 9, on_disk=on_disk, folder=tmp_path if on_disk else None
    )
    dynamics = kind(30)
    memory = forwards(dynamics, adjoint)
    for t in reversed(range(reached, 30)):
        memory.back(t)
    np.savez(tmp_path / "saved.npz", allow_pickle=False, **memory.export())
    with np.load(tmp_path / "saved.npz", allow_pickle=False) as saved:
        arrays = dict(saved)

    other = kind(30)
    other.bar, other.pulled = dynamics.bar, list(dynamics.pulled)
    again = adjoint.memory(other)
    again.load(arrays)
    sweep(other, again, start=reached)
    check_sweep(other)


# Arguments


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"slots": 0}, "slots=0 was given; give a whole number of at least 1"),
        ({"slots": -1, "on_disk": 2}, "slots=-1 was given; give a whole number of at least 0"),
        ({"slots": 2.0}, "slots=2.0 was given"),
        ({"slots": True}, "slots=True was given"),
        ({"on_disk": -1}, "on_disk=-1 was given"),
        ({"on_disk": "folder"}, "on_disk='folder' was given"),
        ({"slots": 3, "memory": 100}, "slots=3 and memory=100 were given; give one of them"),
        ({"memory": "much"}, "memory='much' was given"),
        ({"folder": "x"}, "no state is kept in files; give on_disk"),
    ],
)
def test_what_is_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError, match=f"Checkpointed: .*{message}"):
        Checkpointed(**arguments)


def test_it_needs_no_way_back_and_shows_its_arguments() -> None:
    assert not Checkpointed().needs_retreat
    Checkpointed().check("Squares", Squares.obstacle)
    assert repr(Checkpointed(7, on_disk=2)) == "Checkpointed(slots=7, on_disk=2)"
