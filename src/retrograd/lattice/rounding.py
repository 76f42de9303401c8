"""From float64 to integers and back, in few passes over memory that is there already.

NumPy casts between floats and int64 slowly, so most numbers go another way: adding 1.5 * 2**52 to a
float64 below 2**51 rounds it to the nearest integer, ties to even, and leaves that integer in the
low bits of the sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.limbs import LIMB, carry

__all__ = ["round_into", "sum_words"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_ROUNDER = 1.5 * 2.0**52
_ROUNDER_BITS = int(np.float64(_ROUNDER).view(np.int64))
_LIMIT = 2.0**51
_NEXT = 2.0**LIMB


def round_into(x: Floats, reach: float, radix: int, out: Integers) -> None:
    """out = round(x * 2**radix), ties to even.

    Args:
        x: (n,), finite.
        reach: the largest magnitude in ``x``.
        radix: the binary digits after the point of the whole integer.
        out: (n,) or (words, n); overwritten. The first word of every result is below 2**62.
    """
    if out.ndim == 1:
        _round(x, reach, 2.0**radix, out)
    else:
        _round_wide(x, reach, 2.0 ** (radix - LIMB * (len(out) - 1)), out)


def _round(x: Floats, reach: float, scale: float, out: Integers) -> None:
    if reach * scale < _LIMIT:
        floats = out.view(np.float64)
        np.multiply(x, scale, out=floats)
        np.add(floats, _ROUNDER, out=floats)
        np.subtract(out, _ROUNDER_BITS, out=out)
    else:
        rounded = np.multiply(x, scale)
        np.rint(rounded, out=rounded)
        np.copyto(out, rounded, casting="unsafe")


def _round_wide(x: Floats, reach: float, scale: float, out: Integers) -> None:
    """Word by word: round to the nearest, and pass what is left, which is exact, to the next."""
    rest = np.multiply(x, scale)
    _round(rest, reach * scale, 1.0, out[0])
    rounded = np.empty_like(rest)
    for k in range(1, len(out)):
        np.copyto(rounded, out[k - 1])
        np.subtract(rest, rounded, out=rest)
        np.multiply(rest, _NEXT, out=rest)
        _round(rest, _NEXT, 1.0, out[k])
    carry(out)


def sum_words(integers: Integers, radix: int, out: Floats) -> None:
    """out = integers * 2**-radix, within one unit in the last place.

    The words are added from the first. That sum is exact as long as it is so small that a later
    word could cancel it.

    Args:
        integers: (words, n).
        radix: the binary digits after the point of the whole integer.
        out: (n,), overwritten.
    """
    np.copyto(out, integers[0])
    word = np.empty_like(out)
    scale = 1.0
    for limb in integers[1:]:
        scale /= _NEXT
        np.multiply(limb, scale, out=word, dtype=np.float64)
        np.add(out, word, out=out)
    np.multiply(out, 2.0 ** (LIMB * (len(integers) - 1) - radix), out=out)
