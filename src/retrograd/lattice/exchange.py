"""The exactly reversible multiplication by n/d: integers and digits trade places, losing nothing.

For an integer c and its pile of digits B >= 0, all divisions with floor:

    B = B*d + (c mod d);  c = c div d;  c = c*n + (B mod n);  B = B div n

Exchange n and d, and the same four lines undo it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.layout import Block, Layout

__all__ = ["Scratch", "exchange"]

Integers = NDArray[np.int64]
Part = tuple[slice, Integers, Integers]

# Below this many elements per piece, eight NumPy calls for each piece cost more than dividing the
# whole block by a vector.
_CROWDED = 256


class Scratch:
    """Two vectors that hold a block's intermediate values; kept between steps.

    Args:
        layout: the layout of the vectors to work on.
    """

    def __init__(self, layout: Layout) -> None:
        length = max(int(block.lengths.sum()) for block in layout.blocks)
        self.quotient: Integers = np.empty(length, np.int64)
        self.pile: Integers = np.empty(length, np.int64)


def exchange(
    integers: Integers,
    digits: Integers,
    divisor: Integers,
    multiplier: Integers,
    layout: Layout,
    scratch: Scratch,
) -> None:
    """Divide by one integer and multiply by another, in place, keeping what would be lost.

    Args:
        integers: (N,) int64, magnitudes below 2**62; overwritten.
        digits: (N,) int64, from 0 to below 2**32; overwritten.
        divisor: int64, positive, shape () or (1,) for all, (L,) per leaf or (N,) per element.
        multiplier: int64, positive, of the same shape.
        layout: the layout of the flat vectors.
        scratch: made for this layout.
    """
    for span, by, times in _parts(layout, divisor, multiplier):
        count = span.stop - span.start
        quotient, pile = scratch.quotient[:count], scratch.pile[:count]
        _turn(integers[span], digits[span], by, times, quotient, pile)


def _turn(
    c: Integers, digits: Integers, by: Integers, times: Integers, q: Integers, pile: Integers
) -> None:
    """The four lines in eight passes without a remainder: v mod k is v - (v div k) * k.

    Intermediate products may wrap; the results are small again, and arithmetic modulo 2**64
    does not mind the detour.
    """
    np.floor_divide(c, by, q)
    np.subtract(digits, q, pile)
    np.multiply(pile, by, pile)
    np.add(pile, c, pile)  # B*d + (c mod d)
    np.floor_divide(pile, times, digits)
    np.subtract(q, digits, q)
    np.multiply(q, times, q)
    np.add(q, pile, c)  # (c div d)*n + (B mod n)


def _parts(layout: Layout, divisor: Integers, multiplier: Integers) -> Iterator[Part]:
    """Spans of the flat vector, each with its divisor and multiplier: 0-d where one serves all."""
    if divisor.size == 1:
        return _alike(layout, divisor.reshape(()), multiplier.reshape(()))
    if divisor.size != len(layout):
        return _by_element(layout, divisor, multiplier)
    if _equal(divisor) and _equal(multiplier):
        return _alike(layout, divisor[0, ...], multiplier[0, ...])
    return _by_leaf(layout, divisor, multiplier)


def _equal(values: Integers) -> bool:
    numbers = values.tolist()
    return numbers.count(numbers[0]) == len(numbers)


def _alike(layout: Layout, divisor: Integers, multiplier: Integers) -> Iterator[Part]:
    for block in layout.blocks:
        yield block.span, divisor, multiplier


def _by_element(layout: Layout, divisor: Integers, multiplier: Integers) -> Iterator[Part]:
    for block in layout.blocks:
        yield block.span, divisor[block.span], multiplier[block.span]


def _by_leaf(layout: Layout, divisor: Integers, multiplier: Integers) -> Iterator[Part]:
    for block in layout.blocks:
        if _crowded(block):
            yield (
                block.span,
                np.repeat(divisor[block.leaves], block.lengths),
                np.repeat(multiplier[block.leaves], block.lengths),
            )
        else:
            for span, leaf in block.pieces:
                yield span, divisor[leaf, ...], multiplier[leaf, ...]


def _crowded(block: Block) -> bool:
    count = block.span.stop - block.span.start
    return len(block.pieces) > 1 and count < _CROWDED * len(block.pieces)
