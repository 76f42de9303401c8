"""Integers of more than one int64: rows of words, with carries between them.

A wide integer has a signed first word and further ones, limbs, from 0 to below 2**46. With words
c_0, c_1, c_2 it is c_0 * 2**92 + c_1 * 2**46 + c_2, whatever its sign: the first word is rounded
down, and the limbs add to it. An array of them has the words as rows, (words, N).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMB", "MASK", "add", "carry", "subtract"]

Integers = NDArray[np.int64]

LIMB = 46
"""The bits of a limb: as many as let a limb and a remainder below 2**16 stand in one int64."""

MASK = 2**LIMB - 1


def add(a: Integers, b: Integers, out: Integers, scratch: Integers | None = None) -> Integers:
    """a + b, word by word, with carries; one-word integers are added as they are.

    Args:
        a: (N,) or (words, N).
        b: of the same shape.
        out: of the same shape; may be ``a``.
        scratch: (N,) or longer, overwritten; by default fresh memory.

    Returns:
        ``out``.

    Example:
        >>> add(np.array([[0], [2**46 - 1]]), np.array([[0], [2]]), np.empty((2, 1), np.int64))
        array([[1],
               [1]])
    """
    np.add(a, b, out=out)
    return carry(out, scratch) if out.ndim > 1 else out


def subtract(a: Integers, b: Integers, out: Integers, scratch: Integers | None = None) -> Integers:
    """a - b, word by word, with borrows; one-word integers are subtracted as they are.

    Args:
        a: (N,) or (words, N).
        b: of the same shape.
        out: of the same shape; may be ``a``.
        scratch: (N,) or longer, overwritten; by default fresh memory.

    Returns:
        ``out``.

    Example:
        >>> subtract(np.array([[1], [1]]), np.array([[0], [2]]), np.empty((2, 1), np.int64))
        array([[         0],
               [70368744177663]])
    """
    np.subtract(a, b, out=out)
    return carry(out, scratch) if out.ndim > 1 else out


def carry(integers: Integers, scratch: Integers | None = None) -> Integers:
    """Bring limbs that have grown too large, or negative, back to their range, in place.

    Args:
        integers: (words, N), limbs of any int64.
        scratch: (N,) or longer, overwritten; by default fresh memory.

    Returns:
        ``integers``.

    Example:
        >>> carry(np.array([[0, 0], [2**46 + 5, -1]]))
        array([[         1,         -1],
               [         5, 70368744177663]])
    """
    count = integers.shape[1]
    over = np.empty(count, np.int64) if scratch is None else scratch[:count]
    for k in range(len(integers) - 1, 0, -1):
        np.right_shift(integers[k], LIMB, out=over)
        np.add(integers[k - 1], over, out=integers[k - 1])
        np.bitwise_and(integers[k], MASK, out=integers[k])
    return integers
