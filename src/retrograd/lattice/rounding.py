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


def round_into(
    x: Floats,
    reach: float,
    radix: int,
    out: Integers,
    scratch: Floats | None = None,
    *,
    loose: bool = False,
) -> None:
    """out = round(x * 2**radix), ties to even.

    Args:
        x: (n,), finite.
        reach: the largest magnitude in ``x``.
        radix: the binary digits after the point of the whole integer.
        out: (n,) or (words, n); overwritten. The first word of every result is below 2**62.
        scratch: (2, n) or longer, overwritten, for several words; by default fresh memory.
        loose: leave limbs between -2**45 and 2**45, for a sum that carries anyway.
    """
    if out.ndim == 1:
        _round(x, reach, 2.0**radix, out)
        return
    scale = 2.0 ** (radix - LIMB * (len(out) - 1))
    scratch = np.empty((2, len(x))) if scratch is None else scratch[:, : len(x)]
    _round_wide(x, reach, scale, out, *scratch)
    if not loose:
        carry(out, scratch[0].view(np.int64))


def _round(x: Floats, reach: float, scale: float, out: Integers) -> None:
    if reach * scale < _LIMIT:
        floats = out.view(np.float64)
        if scale != 1:
            x = np.multiply(x, scale, out=floats)
        np.add(x, _ROUNDER, out=floats)
        np.subtract(out, _ROUNDER_BITS, out=out)
    else:
        rounded = np.multiply(x, scale)
        np.rint(rounded, out=rounded)
        np.copyto(out, rounded, casting="unsafe")


def _round_wide(
    x: Floats, reach: float, scale: float, out: Integers, rest: Floats, rounded: Floats
) -> None:
    """Word by word: round to the nearest, and pass what is left, which is exact, to the next."""
    left = x if scale == 1 else np.multiply(x, scale, out=rest)
    for k, word in enumerate(out):
        if k > 0:
            np.subtract(left, rounded, out=rest)
            left = np.multiply(rest, _NEXT, out=rest)
        last = k == len(out) - 1
        if k > 0 or reach * scale < _LIMIT:
            floats = word.view(np.float64)
            np.add(left, _ROUNDER, out=floats)
            if not last:
                np.subtract(floats, _ROUNDER, out=rounded)
            np.subtract(word, _ROUNDER_BITS, out=word)
        else:
            np.rint(left, out=rounded)
            np.copyto(word, rounded, casting="unsafe")


def sum_words(integers: Integers, unit: float | Floats, out: Floats, scratch: Floats) -> None:
    """out = first words * unit, and what the other words add, within one unit in the last place.

    The words are added from the first. That sum is exact as long as it is so small that a later
    word could cancel it.

    Args:
        integers: (words, n).
        unit: what a one of the first words stands for, a number or (n,).
        out: (n,), overwritten.
        scratch: (n,) or longer, overwritten.
    """
    np.copyto(out, integers[0])
    word = scratch[: len(out)]
    scale = 1.0
    for limb in integers[1:]:
        scale /= _NEXT
        np.copyto(word, limb)
        np.multiply(word, scale, out=word)
        np.add(out, word, out=out)
    np.multiply(out, unit, out=out)
