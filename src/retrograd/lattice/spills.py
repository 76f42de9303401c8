"""The tape of spilled digits: a stack of 16-bit words, last in, first out.

Neighbouring leaves that spill together from the same bound make one spill. Its mark says after how
many multiplications it was written, for which leaves, and what their bound was, so that the reverse
run knows from the tape alone what to restore, and when.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.stack import Stack

__all__ = ["Spill", "Spills"]

_HALF = 2**32 - 1


class Spill(NamedTuple):
    """The low digits of some neighbouring leaves.

    Attributes:
        after: the multiplications that were complete when it was written, below 2**31.
        first: the first leaf's number, below 2**31.
        stop: one more than the last leaf's number.
        bound: the bound on the leaves' digits before the spill, below 2**32.
        words: (size of the leaves,), of which the low 16 bits are kept.
    """

    after: int
    first: int
    stop: int
    bound: int
    words: NDArray[Any]


class Spills:
    """The stack of the spills of one information buffer.

    Example:
        >>> spills = Spills()
        >>> spills.push(Spill(7, 0, 1, 99_999, np.zeros(3, np.uint16)))
        >>> len(spills), spills.words.nbytes, spills.pop(6, np.array([0, 3]))
        (1, 6, None)
        >>> spills.pop(7, np.array([0, 3])).bound
        99999
    """

    def __init__(self) -> None:
        self.words = Stack(np.uint16)
        self.marks = Stack(np.int64)
        self._after = -1  # of the topmost spill

    def __len__(self) -> int:
        """The number of spills on the stack."""
        return len(self.marks) // 2

    @property
    def nbytes(self) -> int:
        """The bytes of the digits and of the marks, 16 for each spill."""
        return self.words.nbytes + self.marks.nbytes

    def clear(self) -> None:
        """Take everything off."""
        self.load(np.empty(0, np.uint16), np.empty(0, np.int64))

    def load(self, words: NDArray[np.uint16], marks: NDArray[np.int64]) -> None:
        """Become the stack that ``words`` and ``marks`` were exported from."""
        self.words.load(words)
        self.marks.load(marks)
        self._after = int(marks[-2]) >> 32 if len(marks) else -1

    def push(self, spill: Spill) -> None:
        """Put a spill on top, written no earlier than those below."""
        self.words.push(spill.words)
        mark = (spill.after << 32) | spill.bound, (spill.first << 32) | spill.stop
        self.marks.push(np.array(mark, np.int64))
        self._after = spill.after

    def pop(self, after: int, ends: NDArray[np.int64]) -> Spill | None:
        """Take off the topmost spill, if it was written after so many multiplications.

        Args:
            after: the number of multiplications.
            ends: (L + 1,), 0 and where each leaf ends in the flat vector.

        Returns:
            The spill with its words as uint16, valid until the next push; or None.
        """
        if after != self._after:
            return None
        high, low = self.marks.pop(2).tolist()
        self._after = self.marks.top(2) >> 32 if len(self.marks) else -1
        first, stop = low >> 32, low & _HALF
        words = self.words.pop(int(ends[stop] - ends[first]))
        return Spill(after, first, stop, high & _HALF, words)
