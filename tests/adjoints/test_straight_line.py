"""The memory of the straight line, on a computation of whole numbers."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.adjoints import Dynamics, Snapshot, StraightLine, Truncated, bytes_of
from retrograd.errors import ReversalError


class Squares(Dynamics):
    """x_t = t * t; notes where it is pulled, and where it is cut."""

    arithmetic = "lattice"

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.x = np.zeros(1, np.int64)
        self.pulls: list[tuple[int, int]] = []
        self.cuts: list[int] = []

    def advance(self, t: int) -> None:
        self.x += 2 * t + 1

    def snapshot(self) -> Snapshot:
        return {"x": self.x.copy()}

    def restore(self, snapshot: Snapshot) -> None:
        self.x = snapshot["x"].copy()

    def fingerprint(self) -> int:
        return int(self.x[0])

    def pull(self, t: int) -> None:
        self.pulls.append((t, int(self.x[0])))

    def between(self, first: Snapshot, last: Snapshot, t: int) -> Snapshot:
        return {"x": first["x"] + (last["x"] - first["x"]) * t // self.steps}

    def cut(self) -> None:
        self.cuts.append(int(self.x[0]))


def run(adjoint: StraightLine | Truncated, steps: int = 6) -> tuple[Squares, int]:
    """There and back; the bytes kept between."""
    dynamics = Squares(steps)
    memory = adjoint.memory(dynamics)
    for t in range(steps):
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    kept = memory.nbytes
    for t in reversed(range(steps)):
        memory.back(t)
    memory.check_used_up()
    return dynamics, kept


def test_the_points_lie_on_the_line_between_the_ends() -> None:
    dynamics, kept = run(StraightLine())
    assert dynamics.pulls == [(t, 6 * t) for t in (5, 4, 3, 2, 1, 0)]
    assert kept == 2 * bytes_of(dynamics.snapshot())
    assert not dynamics.cuts


def test_nothing_is_compared_at_other_states() -> None:
    dynamics = Squares(3)
    memory = StraightLine().memory(dynamics)
    assert dynamics.comparing
    for t in range(3):
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    memory.back(2)
    assert not dynamics.comparing
    assert StraightLine().memory(dynamics).dynamics.comparing  # a new run compares again


def test_an_end_that_was_not_reached_is_noticed() -> None:
    dynamics = Squares(3)
    memory = StraightLine().memory(dynamics)
    memory.enter(0)
    memory.finish()
    memory.back(2)
    with pytest.raises(ReversalError, match="ended before step 0"):
        memory.check_used_up()


@pytest.mark.parametrize("count", [1, 4, 6, 9])
def test_truncation_visits_the_last_states_and_cuts(count: int) -> None:
    dynamics, kept = run(Truncated(count))
    start = max(0, 6 - count)
    assert dynamics.pulls == [(t, t * t) for t in reversed(range(start, 6))]
    assert kept == min(count, 6) * bytes_of(dynamics.snapshot())
    assert dynamics.cuts == ([start * start] if start else [])


def test_a_state_that_was_changed_is_noticed() -> None:
    dynamics = Squares(4)
    memory = Truncated(2).memory(dynamics)
    for t in range(4):
        memory.enter(t)
        dynamics.advance(t)
    memory.export()["3/9/x"][0] += 1
    with pytest.raises(ReversalError, match="kept at step 3 has changed"):
        memory.back(3)
    with pytest.raises(ReversalError, match="asks for the state at step 3"):
        memory.back(3)
    with pytest.raises(ReversalError, match="1 stored states are left"):
        memory.check_used_up()


@pytest.mark.parametrize("adjoint", [StraightLine(), Truncated(2)])
def test_what_is_kept_can_be_saved(adjoint: StraightLine | Truncated) -> None:
    dynamics = Squares(4)
    memory = adjoint.memory(dynamics)
    for t in range(4):
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    memory.back(3)
    saved, state = memory.export(), dynamics.snapshot()
    for t in (2, 1, 0):
        memory.back(t)
    again = Squares(4)
    loaded = adjoint.memory(again)
    again.restore(state)
    loaded.load(saved)
    for t in (2, 1, 0):
        loaded.back(t)
    loaded.check_used_up()
    assert again.pulls == dynamics.pulls[1:]
