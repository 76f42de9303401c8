"""Fixed point: a real number as an int64 and an implied radix point, never wrapped silently.

An integer k stands for k * 2**-radix. Slots stay strictly inside +-2**62, half of what an int64
holds, so that a sum of two of them cannot wrap before it is looked at. Where 62 bits do not span
the magnitudes of a slot, its integers have two or three words (`limbs`): 108 or 154 bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError
from retrograd.lattice import limbs
from retrograd.lattice.arguments import check_words
from retrograd.lattice.layout import BLOCK, Layout, chunks
from retrograd.lattice.limbs import LIMB
from retrograd.lattice.rounding import round_into, sum_words

__all__ = ["BOUND", "FixedPoint"]

BOUND = 2**62
"""Every integer of a slot has a magnitude strictly below this."""

# Wide integers are worked in shorter chunks, so that as many bytes stay in cache.
_WIDE_CHUNK = BLOCK // 2


@dataclass(frozen=True)
class FixedPoint:
    """The lattice of the numbers k * 2**-radix for integers -2**62 < k < 2**62, or wider ones.

    Args:
        radix: the number of binary digits after the point, 0 to 61, or 46 more for each word
            beyond the first.
        words: the words of an integer, 1 to 3. Arrays of integers of more than one word have the
            words as a first axis: (words, N) for N elements, a signed word and then limbs, which
            are from 0 to below 2**46.

    Raises:
        ArgumentError: the radix or the number of words is out of range.

    Example:
        >>> lattice = FixedPoint(radix=8)
        >>> lattice.quantize(np.array([0.5, -1.0, 0.001]))
        array([ 128, -256,    0])
        >>> lattice.value(np.array([128, -256, 0]))
        array([ 0.5, -1. ,  0. ])
        >>> FixedPoint(radix=54, words=2).quantize([0.5, -1.0])
        array([[ 128, -256],
               [   0,    0]])
    """

    radix: int
    words: int = 1

    def __post_init__(self) -> None:
        check_words(self.words)
        most = 61 + LIMB * (self.words - 1)
        if not isinstance(self.radix, int) or not 0 <= self.radix <= most:
            raise ArgumentError(f"radix is {self.radix!r}; give a whole number from 0 to {most}")

    @property
    def resolution(self) -> float:
        """The distance between two neighbouring values, 2**-radix."""
        return 2.0**-self.radix

    @property
    def range(self) -> float:
        """Magnitudes from here on overflow: 2**(62 - radix), with one word."""
        return 2.0 ** (62 + LIMB * (self.words - 1) - self.radix)

    def zeros(self, *shape: int) -> NDArray[np.int64]:
        """Integers that are all zero, for numbers of this shape: a slot at its start.

        Example:
            >>> FixedPoint(radix=60, words=2).zeros(5).shape
            (2, 5)
        """
        return np.zeros(self._shape(shape), np.int64)

    def quantize(
        self,
        x: ArrayLike,
        out: NDArray[np.int64] | None = None,
        *,
        slot: str = "value",
        step: int | None = None,
        layout: Layout | None = None,
    ) -> NDArray[np.int64]:
        """The nearest lattice integers, round(x * 2**radix), ties to even.

        Args:
            x: real numbers, any shape.
            out: int64, contiguous, of the shape of ``x``, behind the axis of the words if there
                are several; overwritten (undefined after an error).
            slot: the slot's name, for error messages.
            step: the step, for error messages.
            layout: the layout of a flat ``x``, for the leaf's name in error messages.

        Returns:
            ``out``.

        Raises:
            NonFiniteError: an element is NaN or infinite.
            LatticeOverflowError: an element's magnitude is `range` or more.
            ArgumentError: ``x`` is not real, or ``out`` does not fit it.
        """
        x = _real(x)
        if out is None:
            out = np.empty(self._shape(x.shape), np.int64)
        _check_out(out, self._shape(x.shape), np.dtype(np.int64))
        source, target = x.reshape(-1), out.reshape(self._shape((-1,)))
        scratch = self._scratch(2, source.size, np.float64)
        for span in self._chunks(source.size):
            part = source[span]
            reach = max(part.max(), -part.min())
            if not reach < self.range:
                self.refuse(source, slot=slot, step=step, layout=layout)
            round_into(part, reach, self.radix, target[..., span], scratch)
        return out

    def value(
        self,
        integers: NDArray[np.int64],
        out: NDArray[np.float64] | None = None,
        *,
        scale: float | NDArray[np.float64] = 1.0,
    ) -> NDArray[np.float64]:
        """The numbers that lattice integers stand for, integers * 2**-radix, times a scale.

        Exact up to 2**53. Larger integers of one word are rounded to the nearest float64, those of
        several to one of the two that they lie between.

        Args:
            integers: int64, any shape; behind the axis of the words if there are several.
            out: float64, contiguous, of the numbers' shape; overwritten.
            scale: a number, or an array of the numbers' shape.

        Returns:
            ``out``.

        Raises:
            ArgumentError: ``integers`` has no axis of this many words, or ``out`` does not fit.
        """
        if self.words == 1:
            return self._one_word(integers, out, scale)
        if integers.ndim < 1 or len(integers) != self.words:
            raise ArgumentError(
                f"integers has shape {integers.shape}; give {self.words} words per number as the "
                "first axis"
            )
        if out is None:
            out = np.empty(integers.shape[1:])
        _check_out(out, integers.shape[1:], np.dtype(np.float64))
        source, target = integers.reshape(self.words, -1), out.reshape(-1)
        scratch = self._scratch(1, target.size, np.float64)[0]
        unit = self.resolution * 2.0 ** (LIMB * (self.words - 1)) * scale
        for span in self._chunks(target.size):
            each = unit.reshape(-1)[span] if isinstance(unit, np.ndarray) else unit
            sum_words(source[:, span], each, target[span], scratch)
        return out

    def _one_word(
        self,
        integers: NDArray[np.int64],
        out: NDArray[np.float64] | None,
        scale: float | NDArray[np.float64],
    ) -> NDArray[np.float64]:
        out = np.empty(integers.shape) if out is None else out
        _check_out(out, integers.shape, np.dtype(np.float64))
        # A copy and a product are faster than a product that casts.
        for span in chunks(integers.size):
            part = out.reshape(-1)[span]
            np.copyto(part, integers.reshape(-1)[span])
            if np.ndim(scale):
                np.multiply(part, np.reshape(scale, -1)[span], out=part)
                np.multiply(part, self.resolution, out=part)
            else:
                np.multiply(part, self.resolution * scale, out=part)
        return out

    def add(
        self,
        integers: NDArray[np.int64],
        increment: NDArray[np.int64],
        *,
        slot: str = "value",
        step: int | None = None,
        layout: Layout | None = None,
        first: int = 0,
        scale: float = 1.0,
    ) -> NDArray[np.int64]:
        """Add an increment to a slot, in place, within the lattice's range.

        Args:
            integers: (N,) or (words, N) int64, the slot; overwritten with the sum.
            increment: of the same shape, within range, as `quantize` gives it.
            slot: the slot's name, for error messages.
            step: the step, for error messages.
            layout: the layout of the flat vectors, for error messages.
            first: where ``integers`` begin in the flat vector, for error messages.
            scale: what the numbers stand for is this many times them, for error messages.

        Returns:
            ``integers``.

        Raises:
            LatticeOverflowError: a sum reaches +-2**62 (its first word, if there are several); the
                slot is left as it was.
        """
        tops = integers if self.words == 1 else integers[0]
        scratch = self._scratch(1, tops.size, np.int64)[0]
        for span in self._chunks(integers.shape[-1]):
            part, top = integers[..., span], tops[span]
            limbs.add(part, increment[..., span], part, scratch)
            if top.max() >= BOUND or top.min() <= -BOUND:
                index = span.start + _first(np.abs(top) >= BOUND)
                total = int(tops[index]) * (self.range / BOUND)
                self.subtract(integers[..., : span.stop], increment[..., : span.stop])
                raise self._overflow(total, first + index, slot, step, layout, scale)
        return integers

    def subtract(
        self, integers: NDArray[np.int64], increment: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Undo `add` exactly: the slot before it was within range, so nothing is checked.

        Args:
            integers: (N,) or (words, N) int64, the slot; overwritten with the difference.
            increment: of the same shape, the increment that was added.

        Returns:
            ``integers``.
        """
        if self.words == 1:
            return np.subtract(integers, increment, out=integers)
        scratch = self._scratch(1, integers.shape[1], np.int64)[0]
        for span in self._chunks(integers.shape[1]):
            part = integers[:, span]
            limbs.subtract(part, increment[:, span], part, scratch)
        return integers

    def _shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape if self.words == 1 else (self.words, *shape)

    def _scratch(self, rows: int, size: int, dtype: type[Any]) -> NDArray[Any]:
        """Memory for the chunks of one pass, which only wide integers need."""
        return np.empty((rows, 0 if self.words == 1 else min(size, _WIDE_CHUNK)), dtype)

    def _chunks(self, size: int) -> Iterator[slice]:
        return chunks(size, BLOCK if self.words == 1 else _WIDE_CHUNK)

    def refuse(
        self,
        x: NDArray[np.float64],
        *,
        slot: str,
        step: int | None,
        layout: Layout | None,
        first: int = 0,
        scale: float = 1.0,
    ) -> NoReturn:
        """Say which of some numbers is not finite, or else out of range.

        Args:
            x: (n,), of which one is.
            slot: the slot's name.
            step: the step.
            layout: the layout of the flat vectors.
            first: where ``x`` begins in the flat vector.
            scale: what the numbers stand for is this many times them.

        Raises:
            NonFiniteError: an element is NaN or infinite.
            LatticeOverflowError: an element's magnitude is `range` or more.
        """
        finite = np.isfinite(x)
        if finite.all():
            index = _first(np.abs(x) >= self.range)
            raise self._overflow(float(x[index]), first + index, slot, step, layout, scale)
        index = _first(~finite)
        raise NonFiniteError(
            f"{_place(first + index, slot, step, layout)} would be {float(x[index])}; the lattice "
            f"holds finite numbers of magnitude below {self.range:.6g}. Lower the rate, or look "
            "for the division by zero, logarithm or overflow in the loss"
        )

    def _overflow(
        self,
        value: float,
        index: int,
        slot: str,
        step: int | None,
        layout: Layout | None,
        scale: float = 1.0,
    ) -> LatticeOverflowError:
        return LatticeOverflowError(
            f"{_place(index, slot, step, layout)} would be {value * scale:.6g}, outside the "
            f"lattice's range: magnitudes below {self.range * scale:.6g} at radix {self.radix}. "
            "Lower the rate if the training diverges, or choose a smaller radix"
        )


def _real(x: ArrayLike) -> NDArray[np.float64]:
    x = np.asarray(x)
    if x.dtype.kind not in "fiu":
        raise ArgumentError(f"x has dtype {x.dtype}; the lattice holds real numbers, give floats")
    return x.astype(np.float64, copy=False)


def _check_out(out: NDArray[Any], shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out.dtype != dtype or out.shape != shape or not out.flags.c_contiguous:
        raise ArgumentError(
            f"out has dtype {out.dtype} and shape {out.shape}; "
            f"give a contiguous array of {dtype} and shape {shape}"
        )


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.argmax(mask))


def _place(index: int, slot: str, step: int | None, layout: Layout | None) -> str:
    element = f"element {index}" if layout is None else layout.describe(index)
    when = "" if step is None else f" at step {step}"
    return f"slot {slot!r}, {element}{when},"
