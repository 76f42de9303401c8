"""Integers of more than one int64: rows of words, with carries between them.

A wide integer has a signed first word and further ones, limbs, from 0 to below 2**32. With words
c_0, c_1, c_2 it is c_0 * 2**64 + c_1 * 2**32 + c_2, whatever its sign: the first word is rounded
down, and the limbs add to it. An array of them has the words as rows, (words, N).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["LIMB", "MASK", "add", "carry", "subtract"]

Integers = NDArray[np.int64]

LIMB = 32
"""The bits of a limb."""

MASK = 2**LIMB - 1


def add(a: Integers, b: Integers, out: Integers) -> Integers:
    """a + b, word by word, with carries; one-word integers are added as they are.

    Args:
        a: (N,) or (words, N).
        b: of the same shape.
        out: of the same shape; may be ``a``.

    Returns:
        ``out``.

    Example:
        >>> add(np.array([[0], [2**32 - 1]]), np.array([[0], [2]]), np.empty((2, 1), np.int64))
        array([[1],
               [1]])
    """
    np.add(a, b, out=out)
    return carry(out) if out.ndim > 1 else out


def subtract(a: Integers, b: Integers, out: Integers) -> Integers:
    """a - b, word by word, with borrows; one-word integers are subtracted as they are.

    Args:
        a: (N,) or (words, N).
        b: of the same shape.
        out: of the same shape; may be ``a``.

    Returns:
        ``out``.

    Example:
        >>> subtract(np.array([[1], [1]]), np.array([[0], [2]]), np.empty((2, 1), np.int64))
        array([[         0],
               [4294967295]])
    """
    np.subtract(a, b, out=out)
    return carry(out) if out.ndim > 1 else out


def carry(integers: Integers) -> Integers:
    """Bring limbs that have grown too large, or negative, back to their range, in place.

    Args:
        integers: (words, N), limbs of any int64.

    Returns:
        ``integers``.

    Example:
        >>> carry(np.array([[0, 0], [2**32 + 5, -1]]))
        array([[         1,         -1],
               [         5, 4294967295]])
    """
    for k in range(len(integers) - 1, 0, -1):
        integers[k - 1] += integers[k] >> LIMB
        integers[k] &= MASK
    return integers
