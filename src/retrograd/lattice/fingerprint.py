"""A 64-bit fingerprint of lattice states: a cheap proof that a reversed run came back.

It guards against accidents (a gradient that was not recomputed bit for bit), not against malice.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError

__all__ = ["fingerprint"]

_MASK = 2**64 - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST = 0xBF58476D1CE4E5B9
_SECOND = 0x94D049BB133111EB


def fingerprint(*arrays: NDArray[np.int64]) -> int:
    """A 64-bit fingerprint of int64 arrays.

    Each array x gives s = sum of x_i * m_i modulo 2**64, with fixed pseudo-random odd multipliers
    m_i (splitmix64 of i). The fingerprint starts at h = 0 and takes in the arrays in order,
    h <- mix((h + golden * (length + 1)) xor s), where mix is splitmix64's bijection.

    *A change of one element is always detected.* If only x_i changes, by e != 0 modulo 2**64, s
    changes by e * m_i, and that is not 0, because an odd m_i has an inverse modulo 2**64. With the
    rest fixed, every h is a bijection of s and of the h before, so the last h differs.

    *A change of several elements of one array* is missed only if sum e_i m_i = 0 modulo 2**64. Let
    2**k be the largest power of two that divides all e_i, and e_j / 2**k odd. Given the other
    multipliers, one residue of m_j modulo 2**(64 - k) solves this, out of 2**(63 - k) odd ones. So
    for multipliers drawn at random a change is missed with probability at most 2**-(63 - k):
    2**-63 where a lowest bit changes, and more only for changes confined to high bits.

    *Changes of several arrays* are mixed as by a random function: 2**-64 more for each.

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
        state = _mix(((state + _GOLDEN * (array.size + 1)) & _MASK) ^ _weighted_sum(array))
    return state


def _weighted_sum(array: NDArray[np.int64]) -> int:
    if array.dtype != np.int64:
        raise ArgumentError(f"fingerprint got an array of {array.dtype}; give int64")
    return int(np.dot(array.reshape(-1), _multipliers(array.size))) & _MASK


@lru_cache(maxsize=4)
def _multipliers(size: int) -> NDArray[np.int64]:
    z = np.arange(1, size + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    return ((z ^ (z >> np.uint64(31))) | np.uint64(1)).view(np.int64)


def _mix(z: int) -> int:
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)
