"""The exchange by powers of two: halvings push the lowest bits onto the digits, and take them back.

For n/d = 1/2**k the four lines of `exchange` come down to shifts: B = B*2**k + (c mod 2**k) and
c = c div 2**k. A wide integer's words hand their lowest bits on to the next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.limbs import LIMB, MASK

__all__ = ["exponents", "pull", "push"]

Integers = NDArray[np.int64]


def exponents(ones: Integers, powers: Integers) -> Integers | None:
    """The exponents k of powers 2**k beside ones; None if they are others.

    Args:
        ones: positive int64, any shape.
        powers: positive int64, of the same shape.

    Example:
        >>> exponents(np.array([1, 1, 1]), np.array([4, 1, 2]))
        array([2, 0, 1])
        >>> exponents(np.array([1, 1]), np.array([4, 3])) is None
        True
    """
    if ones.size == 1:
        one, power = int(ones.flat[0]), int(powers.flat[0])
        if one != 1 or power & (power - 1):
            return None
        return np.full(ones.shape, power.bit_length() - 1, np.int64)
    if (ones != 1).any() or (powers & (powers - 1)).any():
        return None
    return np.frexp(powers)[1].astype(np.int64) - 1


def push(c: Integers, digits: Integers, k: Integers, bits: Integers) -> None:
    """Halve integers k times, rounding down; what they lose goes below their digits.

    Args:
        c: (words, n); overwritten.
        digits: (n,), that have room for k bits; overwritten.
        k: shape () or (n,), from 0 to 16.
        bits: (n,), overwritten.
    """
    low = np.left_shift(1, k) - 1
    np.bitwise_and(c[-1], low, out=bits)
    np.left_shift(digits, k, out=digits)
    np.bitwise_or(digits, bits, out=digits)
    for j in range(len(c) - 1, 0, -1):
        np.bitwise_and(c[j - 1], low, out=bits)
        np.left_shift(bits, LIMB - k, out=bits)
        np.right_shift(c[j], k, out=c[j])
        np.bitwise_or(c[j], bits, out=c[j])
    np.right_shift(c[0], k, out=c[0])


def pull(c: Integers, digits: Integers, k: Integers, bits: Integers) -> None:
    """Undo `push`.

    Args:
        c: (words, n); overwritten.
        digits: (n,), overwritten.
        k: as in `push`.
        bits: (n,), overwritten.
    """
    np.left_shift(c[0], k, out=c[0])
    for j in range(1, len(c)):
        np.right_shift(c[j], LIMB - k, out=bits)
        np.bitwise_or(c[j - 1], bits, out=c[j - 1])
        np.left_shift(c[j], k, out=c[j])
        np.bitwise_and(c[j], MASK, out=c[j])
    np.bitwise_and(digits, np.left_shift(1, k) - 1, out=bits)
    np.right_shift(digits, k, out=digits)
    np.bitwise_or(c[-1], bits, out=c[-1])
