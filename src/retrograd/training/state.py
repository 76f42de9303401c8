"""The state of a run on the lattice: the slots of the optimizer, and what their changes lose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Snapshot
from retrograd.adjoints.named_arrays import joined, part_of
from retrograd.lattice import (
    Decays,
    FixedPoint,
    Increments,
    InformationBuffer,
    Layout,
    Losses,
    Workspace,
    fingerprint,
)
from retrograd.optimizers import Optimizer, RaiseTo
from retrograd.training.factors import Factors

__all__ = ["State"]

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


class State:
    """The slots of an optimizer on the lattice, each one array of integers for all leaves.

    A slot that decays stands for its integers times a scale (`Decays`), any other for its integers.

    Args:
        layout: the places of the leaves.
        optimizer: whose slots these are.
        factors: for each slot that decays, its factors.

    Attributes:
        slots: for each slot (N,) int64, or (words, N) for one of several words.
        decays: for each slot that decays, what this loses.
        losses: for each slot that is raised to another number, what this loses.
        scratch: (N,) float64, for whoever computes an increment.
    """

    def __init__(
        self,
        layout: Layout,
        optimizer: Optimizer,
        factors: Mapping[str, Factors],
    ) -> None:
        self.layout = layout
        words = optimizer.slot_words()
        workspace = Workspace(layout, max(words.values()))
        self.lattices = {
            slot: FixedPoint(radix, words[slot]) for slot, radix in optimizer.slot_radixes().items()
        }
        self.slots: dict[str, Integers] = {
            slot: lattice.zeros(layout.size) for slot, lattice in self.lattices.items()
        }
        self.decays = {
            slot: Decays(
                layout,
                self.lattices[slot].words,
                found.number,
                found.least,
                found.columns,
                keep=False,
                workspace=workspace,
            )
            for slot, found in factors.items()
        }
        raised = [s.slot for s in optimizer.program.statements if isinstance(s, RaiseTo)]
        self.losses = {
            slot: Losses(layout, self.lattices[slot].words, keep=False)
            for slot in dict.fromkeys(raised)
        }
        self._increments = {
            slot: Increments(integers, self.lattices[slot], layout, slot, workspace)
            for slot, integers in self.slots.items()
        }
        self._values = {slot: np.empty(layout.size) for slot in self.slots}
        self._fresh: set[str] = set()
        self.scratch = np.empty(layout.size)

    @property
    def buffers(self) -> dict[str, InformationBuffer]:
        """The information buffers of the slots that decay."""
        return {slot: decays.buffer for slot, decays in self.decays.items()}

    def set(self, slot: str, leaves: Sequence[Any]) -> None:
        """Round float leaves onto the lattice."""
        flat = self.layout.join([np.asarray(leaf, float) for leaf in leaves])
        self.lattices[slot].quantize(flat, self.slots[slot], slot=slot, step=0, layout=self.layout)
        self._changed(slot)

    def scale(self, slot: str) -> Floats:
        """What the integers of a slot are to be multiplied by: (1,) for all, or (L,) per leaf."""
        return self.decays[slot].scale if slot in self.decays else _ONE

    def value(self, slot: str) -> Floats:
        """The numbers of a slot, (N,). Do not write to them; they change with the slot."""
        values = self._values[slot]
        if slot not in self._fresh:
            self._evaluate(slot, values)
            self._fresh.add(slot)
        return values

    def part(self, slot: str, span: slice, scale: float | Floats) -> Floats:
        """The numbers of a stretch of a slot, (n,), until the next part of the slot is asked for.

        Args:
            slot: the slot.
            span: the stretch.
            scale: the slot's `scale`, as it meets the stretch.
        """
        values = self._values[slot]
        if slot in self._fresh:
            return values[span]
        # At one place for all stretches, which stays in the cache.
        out = values[: span.stop - span.start]
        return self.lattices[slot].value(self.slots[slot][..., span], out, scale=scale)

    def leaves(self, slot: str, dtypes: Sequence[np.dtype[Any]]) -> list[NDArray[Any]]:
        """The numbers of a slot as new arrays in the leaves' shapes and dtypes."""
        parts = self.layout.split(self._evaluate(slot, np.empty(self.layout.size)))
        return [part.astype(dtype, copy=False) for part, dtype in zip(parts, dtypes, strict=True)]

    def value_in(self, slot: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The numbers of a slot, for rounding to a dtype: a new array, (N,), of this or float64."""
        if dtype != np.float32 or not self._is_narrow(slot):
            if slot in self._fresh:
                return self._values[slot].copy()
            return self._evaluate(slot, np.empty(self.layout.size))
        # The integers are exact in float64, so rounding them at once to float32 is the same.
        unit = np.float32(self.lattices[slot].resolution)
        numbers = np.empty(self.layout.size, np.float32)
        for block in self.layout.blocks:
            part = numbers[block.span]
            np.copyto(part, self.slots[slot][block.span], casting="same_kind")
            np.multiply(part, unit, out=part)
        return numbers

    def _is_narrow(self, slot: str) -> bool:
        """Whether the numbers are integers below 2**53 times a power of two."""
        if slot in self.decays or slot in self._fresh or self.lattices[slot].words > 1:
            return False
        return self._increments[slot].most(_EXACT) < _EXACT

    def largest(self, slot: str) -> float:
        """A bound on the magnitudes of `value`; infinite where none is known."""
        scale = float(np.max(np.abs(self.scale(slot))))
        # The last factor is for the roundings of the values.
        return self._increments[slot].largest * scale * (1 + 2.0**-40)

    def units(self, slot: str, factor: Floats) -> Floats:
        """A factor, (1,), (L,) or (N,), in units of the slot's integers, likewise."""
        scale = self.scale(slot)
        self._increments[slot].scale = scale
        if len(factor) == self.layout.size and 1 < len(scale) < self.layout.size:
            scale = self.layout.spread(scale, np.empty(self.layout.size))
        return factor / scale

    def add(
        self,
        slot: str,
        source: NDArray[Any],
        units: float | Floats,
        step: int,
        first: int = 0,
        largest: float = math.inf,
    ) -> None:
        """slot <- slot + Q(factor * source) for a stretch, range and finiteness checked.

        Args:
            slot: the slot.
            source: (n,) floats.
            units: the factor in `units`, a number or (n,).
            step: the step, for messages.
            first: where the source's part of the slot begins.
            largest: a bound on the magnitudes in the source, where one is known.
        """
        self._increments[slot].add(source, units, step=step, first=first, largest=largest)
        self._fresh.discard(slot)

    def subtract(
        self,
        slot: str,
        source: NDArray[Any],
        units: float | Floats,
        step: int,
        first: int = 0,
        largest: float = math.inf,
    ) -> None:
        """Undo `add`, given the same bits."""
        self._increments[slot].subtract(source, units, step=step, first=first, largest=largest)
        self._fresh.discard(slot)

    def decay(self, slot: str) -> None:
        """slot <- slot * its next factor."""
        self._increments[slot].shrunk(self.decays[slot].decay(self.slots[slot]))
        self._fresh.discard(slot)

    def undo_decay(self, slot: str) -> None:
        """Undo `decay`."""
        self.decays[slot].undo(self.slots[slot])
        self._changed(slot)

    def raise_to(self, slot: str, least: Floats, step: int) -> None:
        """slot <- max(slot, Q(least))."""
        self.losses[slot].raise_to(self.slots[slot], self._rounded(slot, least, step))
        self._changed(slot)

    def lower_from(self, slot: str, least: Floats, step: int) -> None:
        """Undo `raise_to`, given a number of the same bits."""
        self.losses[slot].lower_from(self.slots[slot], self._rounded(slot, least, step))
        self._changed(slot)

    @property
    def recording(self) -> bool:
        """Whether what is lost is kept."""
        return any(keeper.keep for keeper in self._keepers.values())

    @recording.setter
    def recording(self, keep: bool) -> None:
        for keeper in self._keepers.values():
            keeper.keep = keep

    def snapshot(self) -> Snapshot:
        """A copy of the slots and of the digits, without the tape behind them."""
        kept = {name: keeper.snapshot() for name, keeper in self._keepers.items()}
        return {**{slot: x.copy() for slot, x in self.slots.items()}, **joined(kept)}

    def restore(self, snapshot: Snapshot) -> None:
        """Go to a state; the tape is empty then."""
        for slot, integers in self.slots.items():
            integers[...] = snapshot[slot]
            self._changed(slot)
        for name, keeper in self._keepers.items():
            keeper.restore(part_of(snapshot, name))

    def between(
        self,
        first: Snapshot,
        last: Snapshot,
        fraction: float,
        counts: Mapping[str, int],
    ) -> Snapshot:
        """The point of the lattice next to a straight line, with the digits of its first state.

        Args:
            first: a state.
            last: another one.
            fraction: how far to go from the first to the last.
            counts: for each slot that decays, how many decays are behind it at the point.
        """
        here: dict[str, Floats] = {}
        for share, state in ((1 - fraction, first), (fraction, last)):
            self.restore(state)
            for slot in self.slots:
                here[slot] = here.get(slot, 0.0) + share * self.value(slot)
        self.restore(first)
        for slot, count in counts.items():
            self.decays[slot].stand_after(count)
        for slot, numbers in here.items():
            self.slots[slot][...] = self._rounded(slot, numbers, 0)
        self._fresh.clear()
        return self.snapshot()

    def export_tape(self) -> Snapshot:
        """The tape as named arrays."""
        return joined({name: keeper.export() for name, keeper in self._keepers.items()})

    def import_tape(self, arrays: Snapshot) -> None:
        """Put a tape in place."""
        for name, keeper in self._keepers.items():
            keeper.load(part_of(arrays, name))

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
        """64 bits that differ when any one element of any slot, digit, scale or count differs."""
        digits = [buffer.digits for buffer in self.buffers.values()]
        scales = [decays.scale.view(np.int64) for decays in self.decays.values()]
        counts = np.array([decays.count for decays in self.decays.values()], np.int64)
        return fingerprint(*self.slots.values(), *digits, *scales, counts)

    @property
    def _keepers(self) -> dict[str, Decays | Losses]:
        losses = {f"{slot} raised": loss for slot, loss in self.losses.items()}
        return {**self.decays, **losses}

    def _changed(self, slot: str) -> None:
        """The integers of a slot are others now, and nothing is known of them."""
        self._fresh.discard(slot)
        self._increments[slot].forget()

    def _evaluate(self, slot: str, out: Floats) -> Floats:
        """The numbers of a slot, into `out`."""
        lattice, integers = self.lattices[slot], self.slots[slot]
        for run, scale in self.layout.walk(self.scale(slot)):
            lattice.value(integers[..., run.span], out[run.span], scale=scale)
        return out

    def _spread(self, columns: Floats) -> float | Floats:
        """Columns as they meet a flat vector: a number, or an (N,) vector."""
        if len(columns) == 1:
            return float(columns[0])
        if len(columns) != len(self.layout):
            return columns
        return self.layout.spread(columns, np.empty(self.layout.size))

    def _rounded(self, slot: str, numbers: Floats, step: int) -> Integers:
        """Numbers in units of the slot's integers, rounded to the lattice."""
        scaled = np.divide(numbers, self._spread(self.scale(slot)), out=self.scratch)
        return self.lattices[slot].quantize(
            scaled,
            self.lattices[slot].zeros(self.layout.size),
            slot=slot,
            step=step,
            layout=self.layout,
        )


_ONE = np.ones(1)
# Integers below this are exact in float64.
_EXACT = 2**53
