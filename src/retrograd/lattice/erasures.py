"""What a factor of 0 takes from a slot: whole integers, which go to a tape word by word."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice, repeat

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ReversalError
from retrograd.lattice.layout import Layout
from retrograd.lattice.limbs import LIMB
from retrograd.lattice.stack import Stack

__all__ = ["Erasures", "erased_nbytes"]

Integers = NDArray[np.int64]
Places = slice | NDArray[np.intp]


class Erasures:
    """The stack of the integers that were multiplied by 0: 8 bytes for a word, 6 for a limb.

    Args:
        layout: the layout of the slot.

    Example:
        >>> erasures, slot = Erasures(Layout([(2,), (1,)])), np.array([5, 6, 7])
        >>> erasures.erase(slot, np.array([True, False]), keep=True)
        >>> slot, erasures.stack.nbytes
        (array([0, 0, 7]), 16)
        >>> erasures.bring_back(slot, np.array([True, False]))
        >>> slot
        array([5, 6, 7])
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.stack = Stack(np.uint16)

    def erase(self, integers: Integers, zero: NDArray[np.bool_], *, keep: bool) -> None:
        """Set integers to 0.

        Args:
            integers: (N,) or (words, N); changed in place.
            zero: which, of shape () or (1,) for all, (L,) per leaf or (N,) per element.
            keep: False drops what they were.
        """
        for places in self._places(zero):
            if keep:
                for row, parts in zip(np.atleast_2d(integers), _parts(), strict=False):
                    self.stack.push(_cut(row[places], parts))
            integers[..., places] = 0

    def bring_back(self, integers: Integers, zero: NDArray[np.bool_]) -> None:
        """Undo the last `erase` that has not been undone.

        Args:
            integers: as `erase` left them; changed in place.
            zero: as given to `erase`.

        Raises:
            ReversalError: an integer is not 0, so the slot is not as `erase` left it; or more is
                asked for than was erased.
        """
        rows = np.atleast_2d(integers)
        for places in reversed(self._places(zero)):
            if rows[:, places].any():
                raise ReversalError(
                    "a slot is not 0 where its multiplication by 0 is undone; undo the steps "
                    "after it with the increments of the forward run"
                )
            for row, parts in reversed(list(zip(rows, _parts(), strict=False))):
                row[places] = _joined(self.stack.pop(parts * row[places].size), parts)

    def _places(self, zero: NDArray[np.bool_]) -> list[Places]:
        if zero.size == 1:
            return [slice(0, self.layout.size)]
        if zero.size == len(self.layout):
            return [self.layout.leaves[leaf] for leaf in np.flatnonzero(zero).tolist()]
        return [np.flatnonzero(zero)]


def erased_nbytes(words: int) -> int:
    """The bytes that an integer of so many words takes on the stack.

    Example:
        >>> [erased_nbytes(words) for words in (1, 2, 3)]
        [8, 14, 20]
    """
    return 2 * sum(islice(_parts(), words))


def _parts() -> Iterator[int]:
    """The 16-bit parts of each word: four of the first, fewer of limbs."""
    return chain([4], repeat(-(-LIMB // 16)))


def _cut(row: Integers, parts: int) -> NDArray[np.uint16]:
    """The low parts of each number, the lowest first."""
    return row.astype("<i8").view(np.uint16).reshape(-1, 4)[:, :parts].ravel()


def _joined(numbers: NDArray[np.uint16], parts: int) -> Integers:
    """The inverse of `_cut`, for numbers that it cut nothing off."""
    whole = np.zeros((len(numbers) // parts, 4), np.uint16)
    whole[:, :parts] = numbers.reshape(-1, parts)
    return whole.reshape(-1).view("<i8").astype(np.int64, copy=False)
