"""The exactly reversible multiplication by n/d: integers and digits trade places, losing nothing.

For an integer c and its pile of digits B >= 0, all divisions with floor:

    B = B*d + (c mod d);  c = c div d;  c = c*n + (B mod n);  B = B div n

Exchange n and d, and the same four lines undo it. Where n is 1 and d a power of two, or the other
way round, shifts take the place of divisions (`shifts`).

An integer of several words (see `limbs`) is divided as one learns at school: what one word leaves
over goes in front of the next, the last remainder onto the pile; and multiplied with carries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.layout import BLOCK, Block, Layout, chunks
from retrograd.lattice.limbs import LIMB, MASK
from retrograd.lattice.shifts import exponents, pull, push
from retrograd.lattice.workspace import Workspace

__all__ = ["Scratch", "exchange"]

Integers = NDArray[np.int64]
Part = tuple[slice, Integers, Integers]

# Below this many elements per piece, eight NumPy calls for each piece cost more than dividing the
# whole block by a vector.
_CROWDED = 256

# Below this many elements three views of arrays cost more than a signed division.
_SHORT = 4096


class Scratch:
    """The vectors that hold a block's intermediate values: parts of a workspace.

    Args:
        layout: the layout of the vectors to work on.
        words: the number of words of an integer.
        workspace: where the vectors lie; by default one of their own.
    """

    def __init__(self, layout: Layout, words: int = 1, workspace: Workspace | None = None) -> None:
        workspace = workspace or Workspace(layout, words)
        longest = max(int(block.lengths.sum()) for block in layout.blocks)
        # Wide integers are worked in shorter blocks, so that as many bytes stay in cache.
        self.block = workspace.length if words == 1 else min(workspace.length, BLOCK // 2)
        self.cuts = longest > self.block
        self.quotient: Integers = workspace.integers[:words]
        self.pile: Integers = workspace.floats[0].view(np.int64)
        self.rest: Integers = workspace.floats[-1].view(np.int64)


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
        integers: (N,) int64, or (words, N), magnitudes of the first word below 2**62; overwritten.
        digits: (N,) int64, from 0 to below 2**32; overwritten.
        divisor: int64, positive, shape () or (1,) for all, (L,) per leaf or (N,) per element.
        multiplier: int64, positive, of the same shape.
        layout: the layout of the flat vectors.
        scratch: made for this layout and number of words.
    """
    if (k := exponents(multiplier, divisor)) is not None:
        _shift(push, integers, digits, k, layout, scratch)
    elif (k := exponents(divisor, multiplier)) is not None:
        _shift(pull, integers, digits, k, layout, scratch)
    else:
        _divide_and_multiply(integers, digits, divisor, multiplier, layout, scratch)


def _shift(
    shift: Callable[[Integers, Integers, Integers, Integers], None],
    integers: Integers,
    digits: Integers,
    exponent: Integers,
    layout: Layout,
    scratch: Scratch,
) -> None:
    rows = np.atleast_2d(integers)
    for span, k, _ in _parts(layout, exponent, exponent, scratch):
        if k.any():
            shift(rows[:, span], digits[span], k, scratch.pile[: span.stop - span.start])


def _divide_and_multiply(
    integers: Integers,
    digits: Integers,
    divisor: Integers,
    multiplier: Integers,
    layout: Layout,
    scratch: Scratch,
) -> None:
    wide = integers.ndim > 1
    for span, by, times in _parts(layout, divisor, multiplier, scratch):
        count = span.stop - span.start
        quotient, pile = scratch.quotient[:, :count], scratch.pile[:count]
        if wide:
            rest = scratch.rest[:count]
            _turn_wide(integers[:, span], digits[span], by, times, quotient, rest, pile)
        else:
            _turn(integers[span], digits[span], by, times, quotient[0], pile)


def _parts(
    layout: Layout, divisor: Integers, multiplier: Integers, scratch: Scratch
) -> Iterable[Part]:
    """Spans that fit the scratch, each with its divisor and multiplier."""
    parts = _spans(layout, divisor, multiplier)
    return _cut(parts, scratch.block) if scratch.cuts else parts


def _cut(parts: Iterable[Part], length: int) -> Iterator[Part]:
    """The parts in pieces of at most this length."""
    for span, by, times in parts:
        for piece in chunks(span.stop - span.start, length):
            d, n = (v if v.ndim == 0 else v[piece] for v in (by, times))
            yield slice(span.start + piece.start, span.start + piece.stop), d, n


def _turn(
    c: Integers, digits: Integers, by: Integers, times: Integers, q: Integers, pile: Integers
) -> None:
    """The four lines in eight passes without a remainder: v mod k is v - (v div k) * k.

    Intermediate products may wrap; the results are small again, and arithmetic modulo 2**64
    does not mind the detour.
    """
    _floor_divide(c, by, q, pile)
    np.subtract(digits, q, pile)
    np.multiply(pile, by, pile)
    np.add(pile, c, pile)  # B*d + (c mod d)
    _divide(pile, times, digits)
    np.subtract(q, digits, q)
    np.multiply(q, times, q)
    np.add(q, pile, c)  # (c div d)*n + (B mod n)


def _turn_wide(
    c: Integers,
    digits: Integers,
    by: Integers,
    times: Integers,
    q: Integers,
    rest: Integers,
    pile: Integers,
) -> None:
    """`_turn` for integers of several words: (words, n), the quotients too.

    A remainder is below 2**16, so in front of a limb it makes a number below 2**62; and so is a
    limb times a multiplier.
    """
    last = len(c) - 1
    _floor_divide(c[0], by, q[0], pile)
    before = c[0]
    for k in range(1, last + 1):
        np.multiply(q[k - 1], by, pile)
        np.subtract(before, pile, rest)
        np.left_shift(rest, LIMB, rest)
        np.add(rest, c[k], rest)
        _divide(rest, by, q[k])
        before = rest
    np.subtract(digits, q[last], pile)
    np.multiply(pile, by, pile)
    np.add(pile, rest, pile)  # B*d + (c mod d)
    _divide(pile, times, digits)
    np.subtract(q[last], digits, q[last])
    np.multiply(q[last], times, q[last])
    np.add(q[last], pile, q[last])  # the last word of (c div d)*n + (B mod n), with its carry
    for k in range(last, 0, -1):
        np.bitwise_and(q[k], MASK, c[k])
        np.right_shift(q[k], LIMB, q[k])
        np.multiply(q[k - 1], times, q[k - 1])
        np.add(q[k - 1], q[k], c[0] if k == 1 else q[k - 1])


def _floor_divide(numbers: Integers, by: Integers, out: Integers, scratch: Integers) -> None:
    """Divide signed integers, rounding down.

    By a vector the processor divides unsigned integers several times faster; and for v < 0,
    v div k is ~(~v div k), where ~v is not negative.
    """
    if by.ndim == 0:
        np.floor_divide(numbers, by, out)
        return
    sign = np.right_shift(numbers, 63, scratch)
    np.bitwise_xor(numbers, sign, out)
    _divide(out, by, out)
    np.bitwise_xor(out, sign, out)


def _divide(numbers: Integers, by: Integers, out: Integers) -> None:
    """Divide what is not negative: unsigned division is faster, but for short vectors' views."""
    if numbers.size < _SHORT:
        np.floor_divide(numbers, by, out)
    else:
        np.floor_divide(numbers.view(np.uint64), by.view(np.uint64), out.view(np.uint64))


def _spans(layout: Layout, divisor: Integers, multiplier: Integers) -> Iterator[Part]:
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
