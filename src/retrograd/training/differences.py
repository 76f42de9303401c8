"""Two states that should be one: where they differ, and in how many bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout

__all__ = ["differing"]


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
    width = a.dtype.itemsize
    bits = np.bitwise_count(a.view(f"u{width}") ^ b.view(f"u{width}")).reshape(-1, layout.size)
    by_element = bits.sum(axis=0, dtype=np.int64)
    where = np.flatnonzero(by_element)
    if not where.size:
        return "no element differs"
    leaves = sorted({layout.locate(int(i))[0] for i in where})
    names = " and ".join(layout.names[leaf] for leaf in leaves[:3])
    more = f" and {len(leaves) - 3} more" if len(leaves) > 3 else ""
    return (
        f"{where.size} of {layout.size} elements in {names}{more}, {by_element.sum()} bits, first "
        f"{layout.describe(int(where[0]))}"
    )
