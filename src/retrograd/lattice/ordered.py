"""Numbers of any dtype as integers of their own width, in the same order, and back.

Neighbouring floats become neighbouring integers, so that the error of a good prediction is a small
integer. Every bit pattern has its own integer: NaNs, infinities and -0.0 come back as they were.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from retrograd.errors import ArgumentError

__all__ = ["bit_length", "ordered", "unordered", "unzigzag", "zigzag"]

_COMPLEX = {8: np.dtype(np.float32), 16: np.dtype(np.float64)}


def ordered(array: NDArray[Any]) -> NDArray[Any]:
    """The integers of an array's elements: x < y gives ordered(x) < ordered(y).

    Of a float the integer is its position among all floats of its width: 0 for 0.0, -1 for -0.0, 1
    for the smallest positive one. Integers and booleans keep their bits, and are read as signed.

    Args:
        array: of any shape and order, of floats of 16, 32 or 64 bits, complex numbers of two such
            floats, integers or booleans.

    Returns:
        (N,), signed integers of the elements' width, in C order; a complex number is two of them.

    Raises:
        ArgumentError: the dtype is another one.

    Example:
        >>> ordered(np.array([-0.0, 0.0, 5e-324, np.inf]))
        array([ -1, 0, 1, 9218868437227405312])
        >>> ordered(np.array([1.0, -1.0], np.float32)), ordered(np.array([True, False]))
        (array([ 1065353216, -1065353217], dtype=int32), array([1, 0], dtype=int8))
    """
    flat = np.ascontiguousarray(array).reshape(-1)
    real = _real(flat.dtype)
    bits = flat.view(f"i{real.itemsize}")
    return _flipped(bits) if real.kind == "f" else bits.copy()


def unordered(integers: NDArray[Any], dtype: DTypeLike, shape: tuple[int, ...]) -> NDArray[Any]:
    """The array of a dtype and a shape whose integers these are: the inverse of `ordered`.

    Args:
        integers: (N,), as `ordered` gives them.
        dtype: of the array.
        shape: of the array.

    Raises:
        ArgumentError: the dtype is not one that `ordered` takes, or of another width.

    Example:
        >>> x = np.array([[np.nan, -0.0], [-np.inf, 3.0]])
        >>> unordered(ordered(x), x.dtype, x.shape)
        array([[ nan,  -0.],
               [-inf,   3.]])
    """
    dtype = np.dtype(dtype)
    real = _real(dtype)
    if integers.dtype != np.dtype(f"i{real.itemsize}"):
        raise ArgumentError(
            f"unordered got integers of {integers.dtype} for {dtype}; give those of `ordered`, "
            f"which are int{8 * real.itemsize}"
        )
    bits = _flipped(integers) if real.kind == "f" else integers.copy()
    return bits.view(dtype).reshape(shape)


def zigzag(integers: NDArray[Any]) -> NDArray[Any]:
    """Signed integers as unsigned ones of the same width, small ones small: 0, -1, 1, -2, 2, ...

    Example:
        >>> zigzag(np.array([0, -1, 1, -2, 2], np.int8))
        array([0, 1, 2, 3, 4], dtype=uint8)
    """
    width = 8 * integers.dtype.itemsize
    folded = (integers << 1) ^ (integers >> (width - 1))
    return folded.view(f"u{integers.dtype.itemsize}")


def unzigzag(naturals: NDArray[Any]) -> NDArray[Any]:
    """The inverse of `zigzag`.

    Example:
        >>> unzigzag(zigzag(np.array([-128, 127, -1], np.int8)))
        array([-128,  127,   -1], dtype=int8)
    """
    one = naturals.dtype.type(1)
    halves = (naturals >> one).view(f"i{naturals.dtype.itemsize}")
    return halves ^ -(naturals & one).view(f"i{naturals.dtype.itemsize}")


def bit_length(naturals: NDArray[Any]) -> NDArray[np.int64]:
    """The binary digits of unsigned integers: 0 for 0, k for those below 2**k.

    Example:
        >>> bit_length(np.array([0, 1, 2, 3, 4, 2**64 - 1], np.uint64))
        array([ 0,  1,  2,  2,  3, 64])
    """
    length = np.frexp(naturals.astype(np.float64))[1].astype(np.int64)
    if naturals.dtype.itemsize < 8:
        return length
    # A float64 may round 2**k - 1 up to 2**k.
    rounded = naturals >> np.maximum(length - 1, 0).astype(np.uint64) == 0
    return length - (rounded & (length > 0))


def _flipped(bits: NDArray[Any]) -> NDArray[Any]:
    """Floats below zero are sign and magnitude: turn their order round. Its own inverse."""
    width = 8 * bits.dtype.itemsize
    return bits ^ ((bits >> (width - 1)) & np.iinfo(bits.dtype).max)


def _real(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The dtype of the numbers that elements consist of."""
    if dtype.kind == "c" and dtype.itemsize in _COMPLEX:
        return _COMPLEX[dtype.itemsize]
    if dtype.kind in "fiub" and dtype.itemsize in (1, 2, 4, 8):
        return dtype
    raise ArgumentError(
        f"an array of {dtype} cannot be coded; give floats of 16, 32 or 64 bits, complex numbers "
        "of these, integers or booleans"
    )
