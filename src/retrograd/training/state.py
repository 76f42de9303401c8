"""The state of a run on the lattice: the slots of the optimizer, and what their changes lose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import FixedPoint, InformationBuffer, Layout, Losses, fingerprint
from retrograd.optimizers import Decay, Optimizer, RaiseTo

__all__ = ["State"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class State:
    """The slots of an optimizer on the lattice, each one array of integers for all leaves.

    Args:
        layout: the places of the leaves.
        optimizer: whose slots these are.

    Attributes:
        slots: for each slot (N,) int64, or (words, N) for one of several words.
        buffers: for each slot that is multiplied, the digits that this loses.
        losses: for each slot that is raised to another number, what this loses.
        scratch: (N,) float64, for whoever computes an increment.
        direction: (N,) float64, for the direction of the gradient's derivative.
    """

    def __init__(self, layout: Layout, optimizer: Optimizer) -> None:
        self.layout = layout
        self.lattices = {
            slot: FixedPoint(radix, optimizer.words.get(slot, 1))
            for slot, radix in optimizer.slot_radixes().items()
        }
        self.slots: dict[str, Integers] = {
            slot: np.zeros(_shape(lattice, layout), np.int64)
            for slot, lattice in self.lattices.items()
        }
        statements = optimizer.program.statements
        decayed = dict.fromkeys(s.slot for s in statements if isinstance(s, Decay))
        raised = dict.fromkeys(s.slot for s in statements if isinstance(s, RaiseTo))
        self.buffers = {
            slot: InformationBuffer(layout, self.lattices[slot].words, keep=False)
            for slot in decayed
        }
        self.losses = {
            slot: Losses(layout, self.lattices[slot].words, keep=False) for slot in raised
        }
        self._values = {slot: np.empty(layout.size) for slot in self.slots}
        self._fresh: set[str] = set()
        self._increments = {
            shape: np.empty(shape, np.int64)
            for shape in {_shape(lattice, layout) for lattice in self.lattices.values()}
        }
        self.scratch = np.empty(layout.size)
        self.direction = np.empty(layout.size)

    def set(self, slot: str, leaves: Sequence[Any]) -> None:
        """Round float leaves onto the lattice."""
        self.set_flat(slot, self.layout.join([np.asarray(leaf, float) for leaf in leaves]))

    def set_flat(self, slot: str, flat: Floats) -> None:
        """Round a flat vector of floats onto the lattice."""
        self.lattices[slot].quantize(flat, self.slots[slot], slot=slot, step=0, layout=self.layout)
        self._fresh.discard(slot)

    def value(self, slot: str) -> Floats:
        """The numbers of a slot, (N,). Do not write to them; they change with the slot."""
        values = self._values[slot]
        if slot not in self._fresh:
            self.lattices[slot].value(self.slots[slot], values)
            self._fresh.add(slot)
        return values

    def leaves(self, slot: str, dtypes: Sequence[np.dtype[Any]]) -> list[NDArray[Any]]:
        """The numbers of a slot as new arrays in the leaves' shapes and dtypes."""
        parts = self.layout.split(self.lattices[slot].value(self.slots[slot]))
        return [part.astype(dtype, copy=False) for part, dtype in zip(parts, dtypes, strict=True)]

    def add(self, slot: str, increment: Any, step: int) -> None:
        """slot <- slot + Q(increment), range and finiteness checked."""
        rounded = self._rounded(slot, increment, step)
        self.lattices[slot].add(self.slots[slot], rounded, slot=slot, step=step, layout=self.layout)
        self._fresh.discard(slot)

    def subtract(self, slot: str, increment: Any, step: int) -> None:
        """Undo `add`, given an increment of the same bits."""
        self.lattices[slot].subtract(self.slots[slot], self._rounded(slot, increment, step))
        self._fresh.discard(slot)

    def multiply(self, slot: str, n: Integers, d: Integers) -> None:
        """slot <- slot * n/d."""
        self.buffers[slot].multiply(self.slots[slot], n, d)
        self._fresh.discard(slot)

    def unmultiply(self, slot: str, n: Integers, d: Integers) -> None:
        """Undo `multiply`."""
        self.buffers[slot].undo(self.slots[slot], n, d)
        self._fresh.discard(slot)

    def raise_to(self, slot: str, least: Any, step: int) -> None:
        """slot <- max(slot, Q(least))."""
        self.losses[slot].raise_to(self.slots[slot], self._rounded(slot, least, step))
        self._fresh.discard(slot)

    def lower_from(self, slot: str, least: Any, step: int) -> None:
        """Undo `raise_to`, given a number of the same bits."""
        self.losses[slot].lower_from(self.slots[slot], self._rounded(slot, least, step))
        self._fresh.discard(slot)

    @property
    def recording(self) -> bool:
        """Whether what is lost is kept."""
        return any(keeper.keep for keeper in self._keepers.values())

    @recording.setter
    def recording(self, keep: bool) -> None:
        for keeper in self._keepers.values():
            keeper.keep = keep

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """A copy of the slots and of the digits, without the tape behind them."""
        arrays: dict[str, NDArray[Any]] = {slot: x.copy() for slot, x in self.slots.items()}
        for name, keeper in self._keepers.items():
            arrays.update({f"{name}:{key}": array for key, array in keeper.snapshot().items()})
        return arrays

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go to a state; the tape is empty then."""
        for slot, integers in self.slots.items():
            integers[...] = snapshot[slot]
        self._fresh.clear()
        for name, keeper in self._keepers.items():
            keeper.restore(_part(snapshot, name))

    def export_tape(self) -> dict[str, NDArray[Any]]:
        """The tape as named arrays."""
        return {
            f"{name}:{key}": array
            for name, keeper in self._keepers.items()
            for key, array in keeper.export().items()
        }

    def import_tape(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put a tape in place."""
        for name, keeper in self._keepers.items():
            keeper.load(_part(arrays, name))

    @property
    def tape_nbytes(self) -> int:
        """The bytes of what is kept."""
        return sum(keeper.nbytes for keeper in self._keepers.values())

    @property
    def tape_bits(self) -> int:
        """The bits of what is kept, the buffers' last digits apart."""
        return 8 * sum(keeper.spilled_bytes for keeper in self._keepers.values())

    def tape_is_empty(self) -> bool:
        """Whether all that was lost has been given back."""
        return all(keeper.is_empty() for keeper in self._keepers.values())

    def fingerprint(self) -> int:
        """64 bits that differ when any one element of any slot, or any digit, differs."""
        digits = [buffer.digits for buffer in self.buffers.values()]
        return fingerprint(*self.slots.values(), *digits)

    @property
    def _keepers(self) -> dict[str, Any]:
        losses = {f"{slot} raised": loss for slot, loss in self.losses.items()}
        return {**self.buffers, **losses}

    def _rounded(self, slot: str, increment: Any, step: int) -> Integers:
        lattice = self.lattices[slot]
        out = self._increments[_shape(lattice, self.layout)]
        return lattice.quantize(increment, out, slot=slot, step=step, layout=self.layout)


def _shape(lattice: FixedPoint, layout: Layout) -> tuple[int, ...]:
    return (layout.size,) if lattice.words == 1 else (lattice.words, layout.size)


def _part(arrays: Mapping[str, NDArray[Any]], name: str) -> dict[str, NDArray[Any]]:
    lead = f"{name}:"
    return {key[len(lead) :]: array for key, array in arrays.items() if key.startswith(lead)}
