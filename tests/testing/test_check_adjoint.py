"""`check_adjoint` finds what is wrong with adjoint strategies that are."""

from __future__ import annotations

from typing import Any

import pytest

from retrograd.adjoints import Adjoint, Dynamics, Memory, Snapshot
from retrograd.errors import NotReversibleError
from retrograd.testing import check_adjoint


class Kept(Memory):
    """Every state: a strategy of a user's."""

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__(dynamics)
        self.states: list[Snapshot] = []

    def enter(self, t: int) -> None:
        self.states.append(self.dynamics.snapshot())

    def back(self, t: int) -> None:
        self.dynamics.restore(self.states.pop())
        self.dynamics.pull(t)

    @property
    def nbytes(self) -> int:
        return len(self.states)

    def check_used_up(self) -> None:
        assert not self.states


class Right(Adjoint):
    kind: Any = Kept

    def memory(self, dynamics: Dynamics) -> Memory:
        return self.kind(dynamics)


class PullsTwice(Right):
    class kind(Kept):  # noqa: N801
        def back(self, t: int) -> None:
            super().back(t)
            if t == 2:
                self.dynamics.pull(t)


class SkipsTheFirst(Right):
    class kind(Kept):  # noqa: N801
        def back(self, t: int) -> None:
            if t:
                super().back(t)
            else:
                self.dynamics.restore(self.states.pop())


class OneStepOff(Right):
    class kind(Kept):  # noqa: N801
        def back(self, t: int) -> None:
            self.dynamics.restore(self.states[max(len(self.states) - 2, 0)])
            self.states.pop()
            self.dynamics.pull(t)


class Unsure(Right):
    """Exact, as it says, but not by the states of the forward run, as its memory says."""

    class kind(Kept):  # noqa: N801
        returns = False


class ForgetsHalf(Right):
    """Loads other states than it has exported."""

    class kind(Kept):  # noqa: N801
        def export(self) -> Snapshot:
            return {f"{t}/{n}": x for t, s in enumerate(self.states) for n, x in s.items()}

        def load(self, arrays: Snapshot) -> None:
            self.states = self.states[::-1]


class Refusing(Right):
    def check(self, name: str, obstacle: str | None) -> None:
        raise NotReversibleError("never")


class Nameless(Right):
    def __repr__(self) -> str:
        return "an adjoint"


class Approximate(Right):
    """Not exact, and it says so."""

    exact = False

    class kind(Kept):  # noqa: N801
        returns = False

        def back(self, t: int) -> None:
            super().back(t)
            self.dynamics.cut()


def test_a_right_one_passes() -> None:
    check_adjoint(Right())
    check_adjoint(Approximate())


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (PullsTwice, r"the gradient is another than with Stored\(\)"),
        (SkipsTheFirst, r"the gradient is another than with Stored\(\)"),
        (OneStepOff, r"it failed: the sweep did not meet the forward run again"),
        (Unsure, r"says that it is exact"),
        (ForgetsHalf, r"it failed|other bits"),
        (Refusing, r"refuses training and iterate"),
        (Nameless, r"its repr does not name"),
    ],
    ids=lambda kind: getattr(kind, "__name__", ""),
)
def test_wrong_ones_do_not(kind: Any, complaint: str) -> None:
    with pytest.raises(AssertionError, match=complaint):
        check_adjoint(kind())
