"""Store every state of the run: the reference, and the fastest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retrograd.adjoints.adjoint import Adjoint, Integers, Memory
from retrograd.errors import NotReversibleError
from retrograd.lattice import InformationBuffer, Layout

__all__ = ["Stored"]


class Stored(Adjoint):
    """Keep all slots at the start of every step: 8 bytes per slot, element and step.

    The forward run is that of `Reversible`, bit for bit.
    """

    def check(self, name: str, obstacle: str | None) -> None:
        if obstacle is not None:
            raise NotReversibleError(
                f"{name}: {obstacle}, and the sweep undoes additions also with adjoint=Stored()"
            )

    def memory(self, layout: Layout, decayed: Sequence[str], *, sweeps: bool) -> Memory:
        return _States(layout, decayed, keep=sweeps)


class _States(Memory):
    """A copy of all slots for each step, used up from the last."""

    def __init__(self, layout: Layout, decayed: Sequence[str], *, keep: bool) -> None:
        self.buffers = {slot: InformationBuffer(layout, keep=False) for slot in decayed}
        self.keep = keep
        self.states: list[dict[str, Integers]] = []

    def enter(self, step: int, slots: Mapping[str, Integers]) -> None:
        if self.keep:
            self.states.append({name: integers.copy() for name, integers in slots.items()})

    def multiply(self, slot: str, integers: Integers, n: Integers, d: Integers) -> None:
        self.buffers[slot].multiply(integers, n, d)

    def unmultiply(
        self, step: int, slot: str, integers: Integers, n: Integers, d: Integers
    ) -> None:
        integers[:] = self.states[-1][slot]

    def leave(self, step: int) -> None:
        self.states.pop()

    @property
    def nbytes(self) -> int:
        return sum(integers.nbytes for state in self.states for integers in state.values())

    def is_empty(self) -> bool:
        return not self.states
