"""Store every state of the run: the reference that the other adjoints are held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from retrograd.adjoints.adjoint import Adjoint, Integers, Memory
from retrograd.errors import NotReversibleError, ReversalError
from retrograd.lattice import InformationBuffer, Layout, fingerprint

__all__ = ["Stored"]


class Stored(Adjoint):
    """Keep all slots at the start of every step: 8 bytes per slot, element and step.

    The forward run is that of `Reversible`, bit for bit. Factors of 0 (no momentum) are allowed.
    Using it raises `ReversalError` when the sweep meets other gradients than the forward run.
    """

    restores_from_zero = True

    def check(self, name: str, obstacle: str | None) -> None:
        if obstacle is not None:
            raise NotReversibleError(
                f"{name}: {obstacle}, and the sweep undoes additions also with adjoint=Stored(). "
                "Move the position by another slot, as Momentum does; momentum=0 is plain descent"
            )

    def memory(self, layout: Layout, decayed: Sequence[str], *, sweeps: bool) -> Memory:
        return _States(layout, decayed, keep=sweeps)


@dataclass
class _Kept:
    """What is kept of one step.

    Attributes:
        start: all slots at its start.
        before: for each multiplication the slot before it, or None if it was as at the start.
        after: for each multiplication the fingerprint of what it left.
    """

    start: dict[str, Integers]
    before: list[Integers | None] = field(default_factory=list)
    after: list[int] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        arrays = [*self.start.values(), *(a for a in self.before if a is not None)]
        return sum(array.nbytes for array in arrays)


class _States(Memory):
    """A copy of all slots for each step, used up from the last."""

    def __init__(self, layout: Layout, decayed: Sequence[str], *, keep: bool) -> None:
        self.layout = layout
        self.buffers = {slot: InformationBuffer(layout, keep=False) for slot in decayed}
        self.keep = keep
        self.steps: list[_Kept] = []

    def enter(self, step: int, slots: Mapping[str, Integers]) -> None:
        if self.keep:
            self.steps.append(_Kept({name: array.copy() for name, array in slots.items()}))

    def multiply(self, slot: str, integers: Integers, n: Integers, d: Integers) -> None:
        if not self.keep:
            return self._multiply(slot, integers, n, d)
        kept = self.steps[-1]
        same = np.array_equal(integers, kept.start[slot])
        kept.before.append(None if same else integers.copy())
        self._multiply(slot, integers, n, d)
        return kept.after.append(fingerprint(integers))

    def _multiply(self, slot: str, integers: Integers, n: Integers, d: Integers) -> None:
        zero = n == 0
        if not zero.any():
            self.buffers[slot].multiply(integers, n, d)
            return
        self.buffers[slot].multiply(integers, np.where(zero, 1, n), np.where(zero, 2, d))
        if len(zero) not in (1, len(integers)):
            zero = self.layout.spread(zero, np.empty(len(integers), bool))
        integers[np.broadcast_to(zero, integers.shape)] = 0

    def unmultiply(
        self, step: int, slot: str, integers: Integers, n: Integers, d: Integers
    ) -> None:
        kept = self.steps[-1]
        # What is stored would cover up that the sweep met another gradient, and the adjoint with
        # it: the integers must be those that the forward run's gradient was added to.
        if fingerprint(integers) != kept.after.pop():
            raise ReversalError(f"slot {slot!r} in step {step} is not as the forward run had it")
        before = kept.before.pop()
        integers[:] = kept.start[slot] if before is None else before

    def leave(self, step: int) -> None:
        self.steps.pop()

    @property
    def nbytes(self) -> int:
        return sum(kept.nbytes for kept in self.steps)

    def is_empty(self) -> bool:
        return not self.steps
