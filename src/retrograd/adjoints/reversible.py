"""Run the training backwards exactly: keep only the bits that multiplications lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from retrograd.adjoints.adjoint import Adjoint, Integers, Memory
from retrograd.errors import NotReversibleError
from retrograd.lattice import InformationBuffer, Layout

__all__ = ["Reversible"]


class Reversible(Adjoint):
    """Exact reversal: keep log2(1/factor) bits per element and step of each decayed slot.

    Using it raises `NotReversibleError` for an optimizer whose position moves by the gradient
    directly, and `ReversalError` when the sweep does not return to the states of the forward run.

    References:
        Maclaurin, Duvenaud & Adams, "Gradient-based Hyperparameter Optimization through
        Reversible Learning", ICML 2015, section 2.
    """

    def check(self, name: str, obstacle: str | None) -> None:
        if obstacle is not None:
            raise NotReversibleError(
                f"{name} cannot be run backwards exactly: {obstacle}. Move the position by another "
                "slot, as Momentum does"
            )

    def memory(self, layout: Layout, decayed: Sequence[str], *, sweeps: bool) -> Memory:
        return _Buffers(layout, decayed, keep=sweeps)


class _Buffers(Memory):
    """One information buffer per decayed slot."""

    def __init__(self, layout: Layout, decayed: Sequence[str], *, keep: bool) -> None:
        self.buffers = {slot: InformationBuffer(layout, keep=keep) for slot in decayed}

    def enter(self, step: int, slots: Mapping[str, Integers]) -> None:
        """Nothing is kept of the slots themselves."""

    def multiply(self, slot: str, integers: Integers, n: Integers, d: Integers) -> None:
        self.buffers[slot].multiply(integers, n, d)

    def unmultiply(
        self, step: int, slot: str, integers: Integers, n: Integers, d: Integers
    ) -> None:
        self.buffers[slot].undo(integers, n, d)

    def leave(self, step: int) -> None:
        """The buffers have given back their digits already."""

    @property
    def nbytes(self) -> int:
        return sum(buffer.nbytes for buffer in self.buffers.values())

    @property
    def tape_bits(self) -> int:
        return 8 * sum(buffer.spilled_bytes for buffer in self.buffers.values())

    def is_empty(self) -> bool:
        return all(buffer.is_empty() for buffer in self.buffers.values())
