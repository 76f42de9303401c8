"""What the digits of a leaf can be at most, known from the factors alone.

After B' = (B*d + (c mod d)) div n, digits B <= U give B' <= ((U + 1)*d - 1) div n. Because the
bound never looks at the data, every element of a leaf can spill in the same step. One bound serves
a leaf: with a factor per element it follows the element that can grow most. As d > n, the bound
grows strictly, so `shrink` returns exactly to the bound before. By 1/1 it stays where it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.layout import Layout

__all__ = ["grow", "shrink"]

Integers = NDArray[np.int64]


def grow(bounds: Integers, numerator: Integers, denominator: Integers, layout: Layout) -> Integers:
    """The bounds after a multiplication by n/d.

    Args:
        bounds: (L,) int64, below 2**32.
        numerator: int64, shape () or (1,), (L,) or (N,).
        denominator: int64, of the same shape, larger than the numerator or 1/1, at most 2**16.
        layout: the layout of the flat vectors.

    Returns:
        (L,) int64.

    Example:
        >>> grow(np.array([0, 1000]), np.array([9]), np.array([10]), Layout([(4,), (2,)]))
        array([   1, 1112])
    """
    if not _per_element(numerator, layout):
        return ((bounds + 1) * denominator - 1) // numerator
    after = np.zeros_like(bounds)
    for block in layout.blocks:
        for span, leaf in block.pieces:
            # Both sides are integers below 2**53, so the float quotient has the right floor.
            most = np.max(((bounds[leaf] + 1) * denominator[span] - 1) / numerator[span])
            after[leaf] = max(after[leaf], int(most))
    return after


def shrink(
    bounds: Integers, numerator: Integers, denominator: Integers, layout: Layout
) -> Integers:
    """The bounds before a multiplication by n/d: the inverse of `grow`.

    Args:
        bounds: (L,) int64, what `grow` returned.
        numerator: as given to `grow`.
        denominator: as given to `grow`.
        layout: the layout of the flat vectors.

    Returns:
        (L,) int64.

    Example:
        >>> shrink(np.array([1, 1112]), np.array([9]), np.array([10]), Layout([(4,), (2,)]))
        array([   0, 1000])
    """
    if not _per_element(numerator, layout):
        return (bounds + 1) * numerator // denominator - 1
    before = np.full_like(bounds, np.iinfo(np.int64).max)
    for block in layout.blocks:
        for span, leaf in block.pieces:
            least = np.min((bounds[leaf] + 1) * numerator[span] / denominator[span])
            before[leaf] = min(before[leaf], int(least) - 1)
    return before


def _per_element(factor: Integers, layout: Layout) -> bool:
    return factor.size not in (1, len(layout))
