"""The state of a run: each slot of the optimizer as one flat vector of lattice integers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import FixedPoint, Layout, fingerprint

__all__ = ["State"]


class State:
    """The slots of an optimizer on the lattice.

    Args:
        layout: the places of the leaves.
        radixes: the radix of each slot.

    Attributes:
        slots: (N,) int64 for each slot.
        scratch: (N,) float64, for whoever computes an increment.
        direction: (N,) float64, for the direction of the gradient's derivative.
    """

    def __init__(self, layout: Layout, radixes: Mapping[str, int]) -> None:
        self.layout = layout
        self.lattices = {name: FixedPoint(radix) for name, radix in radixes.items()}
        self.slots = {name: np.zeros(layout.size, np.int64) for name in radixes}
        self._values = {name: np.empty(layout.size) for name in radixes}
        self._fresh: set[str] = set()
        self._increment = np.empty(layout.size, np.int64)
        self.scratch = np.empty(layout.size)
        self.direction = np.empty(layout.size)

    def set(self, slot: str, leaves: Sequence[Any]) -> None:
        """Round float leaves onto the lattice."""
        flat = self.layout.join([np.asarray(leaf, float) for leaf in leaves])
        self.lattices[slot].quantize(flat, self.slots[slot], slot=slot, step=0, layout=self.layout)
        self.touched(slot)

    def touched(self, slot: str) -> None:
        """The integers of a slot were changed in place."""
        self._fresh.discard(slot)

    def value(self, slot: str) -> NDArray[np.float64]:
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
        self.touched(slot)

    def subtract(self, slot: str, increment: Any, step: int) -> None:
        """Undo `add`, given an increment of the same bits."""
        self.lattices[slot].subtract(self.slots[slot], self._rounded(slot, increment, step))
        self.touched(slot)

    def fingerprint(self) -> int:
        """64 bits that differ when any one element of any slot differs."""
        return fingerprint(*self.slots.values())

    def _rounded(self, slot: str, increment: Any, step: int) -> NDArray[np.int64]:
        return self.lattices[slot].quantize(
            increment, self._increment, slot=slot, step=step, layout=self.layout
        )
