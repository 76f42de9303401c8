"""A stack of numbers in large pieces of memory: what tapes are made of.

A tape that grows by a few numbers per step must not pay for an array object each time, nor for the
copies that one growing array makes. So numbers go into chunks, the next one a sixteenth of what is
there already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from retrograd.errors import ReversalError

__all__ = ["Stack"]

_LEAST = 2**10
_MOST = 2**20


class Stack:
    """Last in, first out, for one type of numbers.

    Args:
        dtype: the type of the numbers.

    Example:
        >>> stack = Stack(np.uint16)
        >>> stack.push(np.array([1, 2, 3]))
        >>> stack.pop(2), len(stack), stack.nbytes
        (array([2, 3], dtype=uint16), 1, 2)
    """

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self.clear()

    def __len__(self) -> int:
        """How many numbers are on the stack."""
        return self._below + self._filled

    @property
    def nbytes(self) -> int:
        """The bytes of the numbers on the stack."""
        return len(self) * self.dtype.itemsize

    def clear(self) -> None:
        """Take everything off."""
        self._chunks: list[NDArray[Any]] = []
        self._filled = 0  # of the last chunk
        self._below = 0  # in the chunks before it, which are full

    def push(self, numbers: NDArray[Any]) -> None:
        """Put numbers on top, the last one topmost; unsigned types keep their low bits.

        Args:
            numbers: (K,), integers; copied.
        """
        start = 0
        while start < len(numbers):
            if not self._chunks or self._filled == len(self._chunks[-1]):
                self._grow(len(numbers) - start)
            count = min(len(numbers) - start, len(self._chunks[-1]) - self._filled)
            room = self._chunks[-1][self._filled : self._filled + count]
            np.copyto(room, numbers[start : start + count], casting="unsafe")
            self._filled += count
            start += count

    def pop(self, count: int) -> NDArray[Any]:
        """Take the topmost numbers off, in the order in which they were pushed.

        Args:
            count: how many.

        Returns:
            (count,), of the stack's type; read it before the next push, which may write over it.

        Raises:
            ReversalError: there are fewer; nothing is taken.
        """
        if count > len(self):
            raise ReversalError(
                f"a tape holds {len(self)} numbers and {count} are asked for; undo what was done, "
                "in reverse order and with the same arguments"
            )
        if 0 < count <= self._filled:
            self._filled -= count
            taken = self._chunks[-1][self._filled : self._filled + count]
            self._shrink()
            return taken
        return self._pop_across(count)

    def top(self, depth: int) -> int:
        """The number that lies so deep, the topmost at 1; it stays there."""
        if depth <= self._filled:
            return int(self._chunks[-1][self._filled - depth])
        return int(self._chunks[-2][self._filled - depth])

    def export(self) -> NDArray[Any]:
        """A copy of everything, the topmost number last."""
        if not self._chunks:
            return np.empty(0, self.dtype)
        return np.concatenate([*self._chunks[:-1], self._chunks[-1][: self._filled]])

    def load(self, numbers: NDArray[Any]) -> None:
        """Become what `export` gave."""
        self.clear()
        self.push(np.asarray(numbers))

    def _grow(self, needed: int) -> None:
        self._below += self._filled
        self._filled = 0
        length = max(needed, min(max(self._below // 16, _LEAST), _MOST))
        self._chunks.append(np.empty(length, self.dtype))

    def _shrink(self) -> None:
        if self._filled == 0:
            self._chunks.pop()
            self._filled = len(self._chunks[-1]) if self._chunks else 0
            self._below -= self._filled

    def _pop_across(self, count: int) -> NDArray[Any]:
        taken = np.empty(count, self.dtype)
        while count:
            part = min(count, self._filled)
            self._filled -= part
            taken[count - part : count] = self._chunks[-1][self._filled : self._filled + part]
            count -= part
            self._shrink()
        return taken
