"""Two states that should be one: where they differ, and in how many bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout

__all__ = ["differing", "differing_leaves"]


def differing(a: NDArray[Any], b: NDArray[Any], layout: Layout) -> str:
    """Where two flat vectors differ, for error messages.

    Args:
        a: (N,) or (words, N), of any dtype.
        b: of the same shape and dtype.
        layout: the layout of the flat vectors.

    Returns:
        The leaves, the number of elements and of bits, and the first element.

    Example:
        >>> differing(
        ...     np.array([1, 2, 3]), np.array([1, 3, 7]), Layout([(2,), ()], names=["W", "b"])
        ... )
        '2 of 3 elements in W and b, 2 bits, first W[1]'
    """
    by_element = _bits(a, b).reshape(-1, layout.size).sum(axis=0)
    where = np.flatnonzero(by_element)
    if not where.size:
        return "no element differs"
    leaves = sorted({layout.locate(int(i))[0] for i in where})
    names = " and ".join(layout.names[leaf] for leaf in leaves[:3])
    more = f" and {len(leaves) - 3} more" if len(leaves) > 3 else ""
    return (
        f"{where.size} of {layout.size} elements in {names}{more}, {_count(by_element.sum())}, "
        f"first {layout.describe(int(where[0]))}"
    )


def differing_leaves(
    found: Sequence[NDArray[Any]], right: Sequence[NDArray[Any]], names: Sequence[str]
) -> str:
    """Where the leaves of two containers differ, for error messages.

    Args:
        found: arrays of any dtypes.
        right: arrays of the same shapes and dtypes.
        names: the leaves' names.

    Returns:
        For each leaf that differs, the number of elements and of bits; empty if none does.

    Example:
        >>> x, y = np.zeros((2, 3)), np.array(1.0)
        >>> z = x.copy()
        >>> z[1, 2] = 5e-324
        >>> differing_leaves([x, y], [z, y], ["x", "y"])
        '1 of 6 elements in x, 1 bit, first x[1, 2]'
    """
    parts = (_differing_leaf(*leaf) for leaf in zip(found, right, names, strict=True))
    return "; ".join(part for part in parts if part)


def _differing_leaf(found: NDArray[Any], right: NDArray[Any], name: str) -> str:
    by_element = _bits(found, right)
    where = np.argwhere(by_element)
    if not len(where):
        return ""
    first = f"{name}[{', '.join(map(str, where[0]))}]" if by_element.ndim else name
    return (
        f"{len(where)} of {by_element.size} elements in {name}, {_count(by_element.sum())}, first "
        f"{first}"
    )


def _bits(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.int64]:
    """How many bits of each element differ, in the shape of the arrays."""
    width = a.dtype.itemsize
    x, y = (np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in (a, b))
    bits = np.bitwise_count(x ^ y).reshape(-1, width)
    return bits.sum(axis=1, dtype=np.int64).reshape(a.shape)


def _count(bits: int) -> str:
    return f"{bits} bit{'s' if bits != 1 else ''}"
