"""A 64-bit fingerprint of lattice states: a cheap proof that a reversed run came back.

It guards against accidents (a gradient that was not recomputed bit for bit), not against malice.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError
from retrograd.lattice.layout import BLOCK, chunks

__all__ = ["checksum", "fingerprint"]

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def fingerprint(*arrays: NDArray[np.int64]) -> int:
    """A 64-bit fingerprint of int64 arrays.

    A chunk x of up to 32,768 numbers gives s = sum of x_i * m_i modulo 2**64, with fixed
    pseudo-random odd multipliers m_i (splitmix64 of i). The fingerprint starts at h = 0 and takes
    in the arrays in order and their chunks in order, h <- mix((h + golden * k) xor s), where mix is
    splitmix64's bijection, and k is the array's length plus 1 for its first chunk and 0 for others.

    *A change of one element is always detected.* If only x_i changes, by e != 0 modulo 2**64, s
    changes by e * m_i, and that is not 0, because an odd m_i has an inverse modulo 2**64. With the
    rest fixed, every h is a bijection of s and of the h before, so the last h differs.

    *A change of several elements of one chunk* is missed only if sum e_i m_i = 0 modulo 2**64. Let
    2**k be the largest power of two that divides all e_i, and e_j / 2**k odd. Given the other
    multipliers, one residue of m_j modulo 2**(64 - k) solves this, out of 2**(63 - k) odd ones. So
    for multipliers drawn at random a change is missed with probability at most 2**-(63 - k):
    2**-63 where a lowest bit changes, and more only for changes confined to high bits.

    *Changes of several chunks* are mixed as by a random function: 2**-64 more for each.

    Args:
        arrays: int64, any shapes; read in C order. The number of the arrays, their order and
            their lengths count, their shapes do not.

    Returns:
        0 to 2**64 - 1.

    Raises:
        ArgumentError: an array is not int64.

    Example:
        >>> x = np.arange(5)
        >>> fingerprint(x) == fingerprint(x.copy()), fingerprint(x) == fingerprint(x[:4])
        (True, False)

    References:
        Steele, Lea and Flood, Fast splittable pseudorandom number generators, OOPSLA 2014.
        Dietzfelbinger, Universal hashing and k-wise independent random variables via integer
        arithmetic without primes, STACS 1996.
    """
    state = 0
    for array in arrays:
        if array.dtype != np.int64:
            raise ArgumentError(f"fingerprint got an array of {array.dtype}; give int64")
        state = _take_in(state, array.reshape(-1), array.size)
    return state


def checksum(*arrays: NDArray[Any]) -> int:
    """64 bits of the bytes of arrays of any dtype: the `fingerprint` of them, read as int64.

    For comparing what is computed again with what was computed before, at the cost of one pass. A
    change within one element of up to 8 bytes is always detected, whichever bits it changes: such
    an element lies in one int64. Zeros of either sign differ, and so do the many NaN.

    Args:
        arrays: of numbers, any dtypes and shapes; read in C order. Dtypes and shapes do not count.

    Returns:
        0 to 2**64 - 1.

    Raises:
        ArgumentError: the array holds Python objects.

    Example:
        >>> x = np.linspace(0, 1, 5, dtype=np.float32)
        >>> y = x.copy()
        >>> checksum(x) == checksum(y)
        True
        >>> y[3] = np.nextafter(y[3], np.float32(2))
        >>> checksum(x) == checksum(y)
        False
    """
    state = 0
    for array in arrays:
        state = _checked_in(state, np.asarray(array))
    return state


def _checked_in(state: int, array: NDArray[Any]) -> int:
    """Mix the bytes of an array into the state, which it is a bijection of."""
    if array.dtype.hasobject:
        raise ArgumentError(f"checksum got an array of {array.dtype}; give an array of numbers")
    flat = np.ascontiguousarray(array).reshape(-1)
    if flat.dtype.itemsize == 8:
        return _take_in(state, flat.view(np.int64), flat.nbytes)
    bytes_ = flat.view(np.uint8)
    whole = flat.nbytes // 8 * 8
    state = _take_in(state, bytes_[:whole].view(np.int64), flat.nbytes)
    if whole == flat.nbytes:
        return state
    rest = np.zeros(8, np.uint8)
    rest[: flat.nbytes - whole] = bytes_[whole:]
    return _take_in(state, rest.view(np.int64), flat.nbytes)


def _take_in(state: int, numbers: NDArray[np.int64], length: int) -> int:
    """Mix a flat array of int64 into the state, which it is a bijection of."""
    state = (state + _GOLDEN * (length + 1)) & _MASK
    if numbers.size <= BLOCK:
        return _mix(state ^ _weighted_sum(numbers))
    for span in chunks(numbers.size):
        state = _mix(state ^ _weighted_sum(numbers[span]))
    return state


def _weighted_sum(numbers: NDArray[np.int64]) -> int:
    return int(np.dot(numbers, _multipliers()[: numbers.size])) & _MASK


@cache
def _multipliers() -> NDArray[np.int64]:
    """For one chunk, so that they stay in the cache."""
    z = np.arange(1, BLOCK + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return ((z ^ (z >> np.uint64(31))) | np.uint64(1)).view(np.int64)


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)
