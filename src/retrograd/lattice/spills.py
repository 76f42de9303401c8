"""The tape of spilled digits: a stack of 16-bit words, last in, first out.

Each entry says after how many multiplications it was written, for which leaf, and what the leaf's
bound was, so that the reverse run knows from the tape alone what to restore, and when.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Spill", "Spills"]


class Spill(NamedTuple):
    """The low digits of one leaf.

    Attributes:
        after: the multiplications that were complete when it was written.
        leaf: the leaf's number.
        bound: the bound on the leaf's digits before the spill.
        words: (size of the leaf,) uint16.
    """

    after: int
    leaf: int
    bound: int
    words: NDArray[np.uint16]


class Spills:
    """The stack of the spills of one information buffer.

    Example:
        >>> spills = Spills()
        >>> spills.push(Spill(7, 0, 99_999, np.zeros(3, np.uint16)))
        >>> spills.nbytes, spills.pop(6), [spill.leaf for spill in spills.pop(7)]
        (6, [], [0])
    """

    def __init__(self) -> None:
        self._stack: list[Spill] = []
        self.nbytes = 0

    def __len__(self) -> int:
        """The number of spills on the stack."""
        return len(self._stack)

    def push(self, spill: Spill) -> None:
        """Put a spill on top, written no earlier than those below."""
        self._stack.append(spill)
        self.nbytes += spill.words.nbytes

    def pop(self, after: int) -> list[Spill]:
        """Take off the spills that were written after so many multiplications, the last first."""
        taken = []
        while self._stack and self._stack[-1].after == after:
            spill = self._stack.pop()
            self.nbytes -= spill.words.nbytes
            taken.append(spill)
        return taken
