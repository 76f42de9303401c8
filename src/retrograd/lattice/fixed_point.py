"""Fixed point: a real number as an int64 and an implied radix point, never wrapped silently.

An integer k stands for k * 2**-radix. Slots stay strictly inside +-2**62, half of what an int64
holds, so that a sum of two of them cannot wrap before it is looked at.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError
from retrograd.lattice.layout import Layout, chunks

__all__ = ["BOUND", "FixedPoint"]

BOUND = 2**62
"""Every integer of a slot has a magnitude strictly below this."""

# Adding 1.5 * 2**52 to a float64 below 2**51 rounds it to the nearest integer, ties to even, and
# leaves that integer in the low bits of the sum: three fast passes instead of a slow cast.
_ROUNDER = 1.5 * 2.0**52
_ROUNDER_BITS = int(np.float64(_ROUNDER).view(np.int64))
_ROUNDER_LIMIT = 2.0**51


@dataclass(frozen=True)
class FixedPoint:
    """The lattice of the numbers k * 2**-radix for integers -2**62 < k < 2**62.

    Args:
        radix: the number of binary digits after the point, 0 to 61.

    Raises:
        ArgumentError: the radix is out of range.

    Example:
        >>> lattice = FixedPoint(radix=8)
        >>> lattice.quantize(np.array([0.5, -1.0, 0.001]))
        array([ 128, -256,    0])
        >>> lattice.value(np.array([128, -256, 0]))
        array([ 0.5, -1. ,  0. ])
    """

    radix: int

    def __post_init__(self) -> None:
        if not isinstance(self.radix, int) or not 0 <= self.radix <= 61:
            raise ArgumentError(f"radix is {self.radix!r}; give a whole number from 0 to 61")

    @property
    def resolution(self) -> float:
        """The distance between two neighbouring values, 2**-radix."""
        return 2.0**-self.radix

    @property
    def range(self) -> float:
        """Magnitudes from here on overflow: 2**(62 - radix)."""
        return 2.0 ** (62 - self.radix)

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
            out: int64, contiguous, of the shape of ``x``; overwritten (undefined after an error).
            slot: the slot's name, for error messages.
            step: the step, for error messages.
            layout: the layout of a flat ``x``, for the leaf's name in error messages.

        Returns:
            ``out``.

        Raises:
            NonFiniteError: an element is NaN or infinite.
            LatticeOverflowError: an element's magnitude is 2**(62 - radix) or more.
            ArgumentError: ``x`` is not real, or ``out`` does not fit it.
        """
        x = _real(x)
        if out is None:
            out = np.empty(x.shape, np.int64)
        _check_out(out, x.shape, np.dtype(np.int64))
        source, target = x.reshape(-1), out.reshape(-1)
        for span in chunks(source.size):
            part = source[span]
            reach = max(part.max(), -part.min())
            if not reach < self.range:
                raise self._rejected(source, slot, step, layout)
            if reach * 2.0**self.radix < _ROUNDER_LIMIT:
                _round_small(part, 2.0**self.radix, target[span])
            else:
                _round_large(part, 2.0**self.radix, target[span])
        return out

    def value(
        self, integers: NDArray[np.int64], out: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """The numbers that lattice integers stand for, integers * 2**-radix.

        Exact up to 2**53; larger integers are rounded to the nearest float64.

        Args:
            integers: int64, any shape.
            out: float64, of the same shape; overwritten.

        Returns:
            ``out``.
        """
        return np.multiply(integers, self.resolution, out=out, dtype=np.float64)

    def add(
        self,
        integers: NDArray[np.int64],
        increment: NDArray[np.int64],
        *,
        slot: str = "value",
        step: int | None = None,
        layout: Layout | None = None,
    ) -> NDArray[np.int64]:
        """Add an increment to a slot, in place, within the lattice's range.

        Args:
            integers: (N,) int64, the slot; overwritten with the sum.
            increment: (N,) int64, magnitudes below 2**62, as `quantize` gives them.
            slot: the slot's name, for error messages.
            step: the step, for error messages.
            layout: the layout of the flat vectors, for error messages.

        Returns:
            ``integers``.

        Raises:
            LatticeOverflowError: a sum reaches +-2**62; the slot is left as it was.
        """
        for span in chunks(integers.size):
            part = integers[span]
            np.add(part, increment[span], out=part)
            if part.max() >= BOUND or part.min() <= -BOUND:
                index = span.start + _first(np.abs(part) >= BOUND)
                total = int(integers[index])
                self.subtract(integers[: span.stop], increment[: span.stop])
                raise self._overflow(total * self.resolution, index, slot, step, layout)
        return integers

    def subtract(
        self, integers: NDArray[np.int64], increment: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Undo `add` exactly: the slot before it was within range, so nothing is checked.

        Args:
            integers: (N,) int64, the slot; overwritten with the difference.
            increment: (N,) int64, the increment that was added.

        Returns:
            ``integers``.
        """
        return np.subtract(integers, increment, out=integers)

    def _rejected(
        self, x: NDArray[np.float64], slot: str, step: int | None, layout: Layout | None
    ) -> NonFiniteError | LatticeOverflowError:
        finite = np.isfinite(x)
        if finite.all():
            index = _first(np.abs(x) >= self.range)
            return self._overflow(float(x[index]), index, slot, step, layout)
        index = _first(~finite)
        return NonFiniteError(
            f"{_place(index, slot, step, layout)} would be {float(x[index])}; the lattice holds "
            f"finite numbers of magnitude below {self.range:.6g}. Lower the rate, or look for the "
            "division by zero, logarithm or overflow in the loss"
        )

    def _overflow(
        self, value: float, index: int, slot: str, step: int | None, layout: Layout | None
    ) -> LatticeOverflowError:
        return LatticeOverflowError(
            f"{_place(index, slot, step, layout)} would be {value:.6g}, outside the lattice's "
            f"range: magnitudes below {self.range:.6g} at radix {self.radix}. Lower the rate if "
            "the training diverges, or choose a smaller radix"
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


def _round_small(x: NDArray[np.float64], scale: float, out: NDArray[np.int64]) -> None:
    floats = out.view(np.float64)
    np.multiply(x, scale, out=floats)
    np.add(floats, _ROUNDER, out=floats)
    np.subtract(out, _ROUNDER_BITS, out=out)


def _round_large(x: NDArray[np.float64], scale: float, out: NDArray[np.int64]) -> None:
    rounded = np.multiply(x, scale)
    np.rint(rounded, out=rounded)
    np.copyto(out, rounded, casting="unsafe")


def _first(mask: NDArray[np.bool_]) -> int:
    return int(np.argmax(mask))


def _place(index: int, slot: str, step: int | None, layout: Layout | None) -> str:
    element = f"element {index}" if layout is None else layout.describe(index)
    when = "" if step is None else f" at step {step}"
    return f"slot {slot!r}, {element}{when},"
