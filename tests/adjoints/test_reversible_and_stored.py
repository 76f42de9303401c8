"""Stored and Reversible on a computation that counts its steps and can be undone by its tape."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from retrograd.adjoints import Dynamics, Reversible, Snapshot, Stored
from retrograd.errors import ArgumentError, NotReversibleError, ReversalError
from retrograd.lattice import fingerprint


class Halves(Dynamics):
    """x <- x div 2 + 3t: the bit that is lost goes on the tape. The adjoint is a count of steps."""

    arithmetic = "lattice"

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.x = np.array([2**61 - 1, 12_345_678_901, -(2**59) + 5])
        self.tape: list[Any] = []
        self.recording = False
        self.taken: Counter[int] = Counter()
        self.bar: list[int] = []
        self.right: list[Any] = []

    def advance(self, t: int) -> None:
        self.taken[t] += 1
        if self.recording:
            self.tape.append(self.x & 1)
        self.x = (self.x >> 1) + 3 * t

    def retreat(self, t: int) -> None:
        self.x = ((self.x - 3 * t) << 1) | self.tape.pop()
        self.bar.append(t)

    def pull(self, t: int) -> None:
        self.bar.append(t)

    def snapshot(self) -> Snapshot:
        return {"x": self.x.copy()}

    def restore(self, snapshot: Snapshot) -> None:
        self.x, self.tape = snapshot["x"].copy(), []

    def fingerprint(self) -> int:
        return fingerprint(self.x)

    @property
    def tape_nbytes(self) -> int:
        return sum(bits.nbytes for bits in self.tape)

    def tape_is_empty(self) -> bool:
        return not self.tape

    def export_tape(self) -> Snapshot:
        return {"bits": np.array(self.tape).reshape(-1, 3)}

    def import_tape(self, arrays: Snapshot) -> None:
        self.tape = list(arrays["bits"])


ADJOINTS = [Stored(), Reversible(), Reversible(checkpoints=1), Reversible(checkpoints=4)]
STEPS = 22
adjoints = pytest.mark.parametrize("adjoint", ADJOINTS, ids=repr)


def forwards(adjoint: Any, steps: int = STEPS) -> tuple[Halves, Any]:
    dynamics = Halves(steps)
    memory = adjoint.memory(dynamics)
    for t in range(steps):
        dynamics.right.append(dynamics.x.copy())
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    return dynamics, memory


def backwards(dynamics: Halves, memory: Any, high: int, low: int = 0) -> None:
    for t in reversed(range(low, high)):
        memory.back(t)
        assert np.array_equal(dynamics.x, dynamics.right[t])


@adjoints
@pytest.mark.parametrize("steps", [1, 2, STEPS])
def test_there_and_back(adjoint: Any, steps: int) -> None:
    dynamics, memory = forwards(adjoint, steps)
    kept = memory.nbytes
    assert kept > 0
    backwards(dynamics, memory, steps)
    memory.check_used_up()
    assert dynamics.bar == list(reversed(range(steps)))
    memory.verified(0)
    assert memory.nbytes <= kept


@adjoints
def test_how_often_steps_are_taken(adjoint: Any) -> None:
    dynamics, memory = forwards(adjoint)
    backwards(dynamics, memory, STEPS)
    again = 2 if getattr(adjoint, "checkpoints", 0) else 1
    assert set(dynamics.taken.values()) == {again}


@adjoints
def test_what_is_left_over_is_noticed(adjoint: Any) -> None:
    dynamics, memory = forwards(adjoint)
    backwards(dynamics, memory, STEPS, 1)
    with pytest.raises(ReversalError):
        memory.check_used_up()


@adjoints
def test_saved_in_the_middle(adjoint: Any) -> None:
    """Another process takes up the sweep from what was exported."""
    dynamics, memory = forwards(adjoint)
    backwards(dynamics, memory, STEPS, 9)
    arrays, here = memory.export(), dynamics.snapshot()
    other = Halves(STEPS)
    other.right = dynamics.right
    again = adjoint.memory(other)
    other.restore(here)
    again.load(arrays)
    backwards(other, again, 9)
    again.check_used_up()
    assert other.bar == list(reversed(range(9)))


def test_stored_counts_its_bytes() -> None:
    _, memory = forwards(Stored())
    assert memory.nbytes == STEPS * 24
    assert memory.tape_bits == 8 * memory.nbytes


def test_stored_notices_a_state_that_has_changed() -> None:
    dynamics, memory = forwards(Stored())
    memory.states[7]["x"][1] ^= 1
    with pytest.raises(ReversalError, match="kept at step 7 has changed"):
        backwards(dynamics, memory, STEPS)


def test_checkpoints_make_the_tape_shorter() -> None:
    dynamics, memory = forwards(Reversible(checkpoints=4))
    assert memory.nbytes == 4 * 24
    longest = 0
    for t in reversed(range(STEPS)):
        memory.back(t)
        longest = max(longest, dynamics.tape_nbytes)
        memory.verified(t)
    assert longest <= 24 * -(-STEPS // 4)
    assert memory.nbytes == 24  # that of the first state, until the run is over


def test_checkpoints_repair() -> None:
    dynamics, memory = forwards(Reversible(checkpoints=4))
    backwards(dynamics, memory, STEPS, 15)
    dynamics.x[0] ^= 4
    assert memory.repair(15)
    assert np.array_equal(dynamics.x, dynamics.right[15])
    backwards(dynamics, memory, 15)
    memory.check_used_up()


def test_a_checkpoint_that_has_changed_is_noticed() -> None:
    dynamics, memory = forwards(Reversible(checkpoints=4))
    memory.kept[memory.starts[2]]["x"][2] ^= 1
    with pytest.raises(ReversalError, match="has changed"):
        backwards(dynamics, memory, STEPS)


def test_a_segment_that_misses_its_checkpoint_is_noticed() -> None:
    dynamics, memory = forwards(Reversible(checkpoints=2))
    memory.back(STEPS - 1)
    dynamics.x[0] ^= 1
    for t in reversed(range(12, STEPS - 1)):
        memory.back(t)
    with pytest.raises(ReversalError, match="checkpoint at step 11"):
        memory.back(11)


@pytest.mark.parametrize("adjoint", ADJOINTS[1:], ids=repr)
def test_an_obstacle_is_named(adjoint: Any) -> None:
    adjoint.check("Descent", None)
    with pytest.raises(NotReversibleError, match=r"Descent cannot .*: it is so\. Use another adj"):
        adjoint.check("Descent", "it is so")


@pytest.mark.parametrize("checkpoints", [-1, 1.5, True, "4"])
def test_checkpoints_must_be_a_count(checkpoints: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^Reversible: checkpoints=.* give a whole number"):
        Reversible(checkpoints=checkpoints)


def test_reprs() -> None:
    assert [repr(adjoint) for adjoint in ADJOINTS[:3]] == [
        "Stored()",
        "Reversible()",
        "Reversible(checkpoints=1)",
    ]
