"""Store every state of the run: the reference that the other adjoints are held against."""

from __future__ import annotations

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.named_arrays import joined_states, parted_states
from retrograd.errors import ReversalError

__all__ = ["Stored"]


class Stored(Adjoint):
    """Keep the state at the start of every step.

    In training on the lattice that is 8 bytes per word of each slot, element and step, and as many
    for the digits of each decayed slot. The forward run is that of the other adjoints, bit for bit.
    Using it raises `ReversalError` when a state that was kept has changed, or when the sweep
    meets another gradient than the forward run.
    """

    def memory(self, dynamics: Dynamics) -> Memory:
        return _States(dynamics)


class _States(Memory):
    """One snapshot per step, used up from the last."""

    def __init__(self, dynamics: Dynamics) -> None:
        super().__init__(dynamics)
        self.states: list[Snapshot] = []
        self.marks: list[int] = []
        self._nbytes = 0

    def enter(self, t: int) -> None:
        noted = self.dynamics.noted(t)
        mark = self.dynamics.fingerprint() if noted is None else noted
        self._push(self.dynamics.snapshot(), mark)

    def back(self, t: int) -> None:
        if len(self.states) != t + 1:
            raise ReversalError(
                f"the sweep asks for the state at step {t}, but {len(self.states)} states are kept"
            )
        state, mark = self.states.pop(), self.marks.pop()
        self._nbytes -= bytes_of(state)
        self.dynamics.return_to(state, mark, t)
        self.dynamics.pull(t)

    @property
    def nbytes(self) -> int:
        return self._nbytes

    def check_used_up(self) -> None:
        if self.states:
            raise ReversalError(f"{len(self.states)} stored states are left at step 0")

    def export(self) -> Snapshot:
        return joined_states(dict(enumerate(zip(self.states, self.marks, strict=True))))

    def load(self, arrays: Snapshot) -> None:
        self.states, self.marks, self._nbytes = [], [], 0
        for state, mark in parted_states(arrays).values():
            self._push(state, mark)

    def _push(self, state: Snapshot, mark: int) -> None:
        self.states.append(state)
        self.marks.append(mark)
        self._nbytes += bytes_of(state)
