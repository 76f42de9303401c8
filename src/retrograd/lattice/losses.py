"""Maxima that can be undone: slot <- max(slot, least), with what is lost on a tape.

Given ``least``, nothing is lost where the slot was larger. Elsewhere the slot becomes ``least``,
and the distance that it was raised by is lost. So the tape is sparse: for each element that equals
``least`` afterwards one bit, whether it was raised, and for each that was, the distance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import NotReversibleError, ReversalError
from retrograd.lattice import limbs
from retrograd.lattice.arguments import check_slot, check_words, entry
from retrograd.lattice.layout import BLOCK, Layout, chunks
from retrograd.lattice.limbs import LIMB
from retrograd.lattice.stack import Stack

__all__ = ["Losses"]

Integers = NDArray[np.int64]

_OWNER = "losses"
_PART = 16
_PART_MASK = 2**_PART - 1


class Losses:
    """What one slot's maxima have lost.

    Args:
        layout: the layout of the slot.
        words: the number of words of the slot's integers, 1 to 3.
        keep: False keeps nothing. The forward run is the same; `lower_from` raises.

    Attributes:
        layout: as given.
        words: as given.
        maxima: how many maxima stand, `lower_from` deducted.

    Example:
        >>> losses, slot, least = Losses(Layout([(3,)])), np.array([5, 5, 5]), np.array([3, 5, 9])
        >>> losses.raise_to(slot, least)
        array([5, 5, 9])
        >>> losses.lower_from(slot, least), losses.is_empty()
        (array([5, 5, 5]), True)
    """

    def __init__(self, layout: Layout, words: int = 1, *, keep: bool = True) -> None:
        check_words(words)
        self.layout = layout
        self.words = words
        self.maxima = 0
        self._keep = keep
        self._origin = 0
        self._tape = Stack(np.uint16)
        self._counts = Stack(np.uint16)

    @property
    def keep(self) -> bool:
        """Whether losses go to the tape; may be changed between maxima.

        What is done while it is False cannot be undone, nor what was done before.
        """
        return self._keep

    @keep.setter
    def keep(self, keep: bool) -> None:
        if keep and not self._keep:
            self._origin = self.maxima
        if not keep:
            self._clear()
        self._keep = keep

    @property
    def spilled_bytes(self) -> int:
        """The bytes of the tape."""
        return self._tape.nbytes + self._counts.nbytes

    @property
    def nbytes(self) -> int:
        """The bytes that the way back needs: those of the tape."""
        return self.spilled_bytes

    def is_empty(self) -> bool:
        """Whether all that can be undone has been."""
        return not self._keep or (
            self.maxima == self._origin and len(self._tape) == len(self._counts) == 0
        )

    def raise_to(self, integers: Integers, least: Integers) -> Integers:
        """slot <- max(slot, least), in place.

        Args:
            integers: (N,) int64, or (words, N), the slot; overwritten.
            least: of the same shape.

        Returns:
            ``integers``.

        Raises:
            ArgumentError: an argument has the wrong shape or dtype; nothing is changed.
        """
        check_slot("integers", integers, self.layout, self.words)
        check_slot("least", least, self.layout, self.words)
        for slot, floor in self._chunks(integers, least):
            distance = limbs.subtract(floor, slot, np.empty_like(slot))
            met = np.flatnonzero(distance[0] >= 0)
            slot[:, met] = floor[:, met]
            if self._keep:
                self._push(distance[:, met])
        self.maxima += 1
        return integers

    def lower_from(self, integers: Integers, least: Integers) -> Integers:
        """Undo the last `raise_to` that has not been undone, in place.

        Args:
            integers: as `raise_to` left them; overwritten.
            least: as given to `raise_to`.

        Returns:
            ``integers``.

        Raises:
            NotReversibleError: ``keep`` is False.
            ReversalError: there is nothing left to undo; or the integers and ``least`` are not
                those of the forward run, where that is seen: an integer lies below ``least``, or
                more or fewer equal it. The slot is then partly undone.
            ArgumentError: an argument has the wrong shape or dtype; nothing is changed.
        """
        self._check_undo()
        check_slot("integers", integers, self.layout, self.words)
        check_slot("least", least, self.layout, self.words)
        for slot, floor in reversed(list(self._chunks(integers, least))):
            distance = limbs.subtract(floor, slot, np.empty_like(slot))
            met = np.flatnonzero(distance[0] >= 0)
            lost = self._pop(len(met))
            if distance[:, met].any():
                raise _missed()
            slot[:, met] = limbs.subtract(floor[:, met], lost, lost)
        self.maxima -= 1
        return integers

    def snapshot(self) -> dict[str, NDArray[Any]]:
        """The state without the tape: how many maxima stand, which nothing to come depends on."""
        return {"maxima": np.array(self.maxima)}

    def restore(self, snapshot: Mapping[str, NDArray[Any]]) -> None:
        """Go to the state of a `snapshot`. The tape is emptied: undoing will come back to here.

        Raises:
            ArgumentError: the array is missing.
        """
        self.maxima = int(entry(snapshot, "maxima", _OWNER))
        self._clear()
        self._origin = self.maxima

    def export(self) -> dict[str, NDArray[Any]]:
        """A copy of everything, the tape included, as arrays (for a file of `numpy.savez`)."""
        return {
            **self.snapshot(),
            "losses": self._tape.export(),
            "counts": self._counts.export(),
            "origin_maxima": np.array(self._origin),
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Become the losses that `export` was called on; ``keep`` stays as it is.

        Raises:
            ArgumentError: an array is missing.
        """
        tape, counts = entry(arrays, "losses", _OWNER), entry(arrays, "counts", _OWNER)
        origin = int(entry(arrays, "origin_maxima", _OWNER))
        self.restore(arrays)
        self._tape.load(tape)
        self._counts.load(counts)
        self._origin = origin

    def _chunks(self, integers: Integers, least: Integers) -> Iterator[tuple[Integers, Integers]]:
        """Both as (words, n) views, a chunk that stays in cache at a time."""
        rows, floors = np.atleast_2d(integers), np.atleast_2d(least)
        for span in chunks(self.layout.size, BLOCK // 2):
            yield rows[:, span], floors[:, span]

    def _push(self, distance: Integers) -> None:
        """Keep what the elements that met ``least`` were raised by, (words, K)."""
        raised: NDArray[np.bool_] = np.bitwise_or.reduce(distance, axis=0) != 0
        lost = distance[:, raised]
        parts = [lost[word] >> shift for word, shift in _parts(self.words)]
        while parts and not (parts[-1] & _PART_MASK).any():
            parts.pop()
        for part in parts:
            self._tape.push(part)
        self._tape.push(_packed(raised))
        self._counts.push(np.array((len(parts), len(raised))))

    def _pop(self, met: int) -> Integers:
        """What `_push` was given, (words, K), for a chunk in which so many elements meet."""
        count, size = self._counts.pop(2).tolist()
        if size != met:
            raise _missed()
        flags = self._tape.pop(-(-met // _PART))
        raised = np.unpackbits(flags.view(np.uint8), count=met).view(bool)
        distance = np.zeros((self.words, met), np.int64)
        lost = np.zeros((self.words, int(np.count_nonzero(raised))), np.int64)
        for word, shift in reversed(_parts(self.words)[:count]):
            lost[word] |= self._tape.pop(lost.shape[1]).astype(np.int64) << shift
        distance[:, raised] = lost
        return distance

    def _clear(self) -> None:
        self._tape.clear()
        self._counts.clear()

    def _check_undo(self) -> None:
        if not self._keep:
            raise NotReversibleError(
                "these losses were made with keep=False and have dropped what lower_from needs; "
                "make them with keep=True, or set keep before what is to be undone"
            )
        if self.maxima == self._origin:
            raise ReversalError(
                "there is no maximum left to undo; call lower_from once for each raise_to"
            )


def _parts(words: int) -> list[tuple[int, int]]:
    """The 16-bit parts of an integer, the lowest first: its word, and where it starts there."""
    limb_parts = [
        (word, shift) for word in range(words - 1, 0, -1) for shift in range(0, LIMB, _PART)
    ]
    return limb_parts + [(0, shift) for shift in range(0, 64, _PART)]


def _packed(flags: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """Flags as bits, in whole 16-bit numbers."""
    padded = np.zeros(-(-len(flags) // _PART) * _PART, bool)
    padded[: len(flags)] = flags
    return np.packbits(padded).view(np.uint16)


def _missed() -> ReversalError:
    return ReversalError(
        "a slot is not as its maximum left it, or is compared with something else; undo the steps "
        "after it with the increments of the forward run, and give the same least"
    )
