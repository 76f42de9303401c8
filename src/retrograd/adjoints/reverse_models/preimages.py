"""Which floats a monotone function takes to given floats: all that rounding leaves open.

`x -> fl(fl(beta * x) + k)` takes several neighbouring floats to one, or leaves gaps. Whoever knows
the result and the function knows that x was one of the few that lead there, and no more. So the
bits that identify x among them are what a step really loses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.ordered import ordered, unordered

__all__ = ["LIMIT", "preimages"]

Integers = NDArray[np.int64]
Function = Callable[[NDArray[Any], NDArray[np.int64]], NDArray[Any]]

LIMIT = 1 << 12


def preimages(function: Function, after: NDArray[Any], near: NDArray[Any]) -> tuple[Any, Any]:
    """The floats that a non-decreasing function takes to given ones, element by element.

    Args:
        function: `function(x, where)` gives the results for the elements numbered `where`.
        after: (N,), float16, float32 or float64, the results.
        near: (N,), of the same dtype, where to look first.

    Returns:
        The first and the last such float of each element, as integers in the order of floats,
        (N,) int64. The last lies before the first if there is none, or if the search would go
        further than `LIMIT` floats from `near`.

    Example:
        >>> tenths = lambda x, where: x * np.float32(0.1)
        >>> after = np.float32([0.1, 1.0])
        >>> first, last = preimages(tenths, after, after * 10)
        >>> last - first + 1  # a tenth of 8 floats is 1 in one binade, and one of 5 in another
        array([1, 1])
    """
    search = _Search(function, after)
    start = ordered(near).astype(np.int64)
    here = search.compare(start)
    first, last = start + (here < 0), start - (here > 0)
    # Nearly always it is one float: its neighbours decide.
    below = np.flatnonzero(here >= 0)
    above = np.flatnonzero(here <= 0)
    left = below[search.compare(start[below] - 1, below) >= 0]
    right = above[search.compare(start[above] + 1, above) <= 0]
    first[left] = search.edge(start[left] - 1, left, -1, lambda order: order >= 0)
    last[right] = search.edge(start[right] + 1, right, 1, lambda order: order <= 0)
    # Where the guess itself misses, the other end lies beyond it too.
    low = np.flatnonzero((here < 0) & (last > start))
    first[low] = 1 + search.edge(start[low], low, 1, lambda order: order < 0)
    high = np.flatnonzero((here > 0) & (first < start))
    last[high] = -1 + search.edge(start[high], high, -1, lambda order: order > 0)
    far = (np.abs(first - start) >= LIMIT) | (np.abs(last - start) >= LIMIT)
    last[far] = first[far] - 1
    return first, last


class _Search:
    """Evaluations of the function at floats given by their integers."""

    def __init__(self, function: Function, after: NDArray[Any]) -> None:
        self.function = function
        self.after = after
        self._width = np.dtype(f"i{after.dtype.itemsize}")
        self._all = np.arange(len(after))

    def compare(self, integers: Integers, where: Integers | None = None) -> NDArray[np.int8]:
        """-1, 0, 1: whether the results lie below, at, or above the wanted ones (NaN: above)."""
        where = self._all if where is None else where
        x = unordered(integers.astype(self._width), self.after.dtype, integers.shape)
        with np.errstate(all="ignore"):
            results, wanted = self.function(x, where), self.after[where]
        return np.where(results < wanted, -1, np.where(results == wanted, 0, 1)).astype(np.int8)

    def edge(
        self, inside: Integers, where: Integers, way: int, holds: Callable[[Any], Any]
    ) -> Integers:
        """The last integer one way at which a condition holds, given one at which it does.

        Doubling steps find one at which it does not, at most `LIMIT` away, and bisection the last.
        """
        inside = inside.copy()
        outside = inside + way * LIMIT
        going, stride = np.arange(len(inside)), 1
        while len(going) and stride < LIMIT:
            ahead = inside[going] + way * stride
            held = holds(self.compare(ahead, where[going]))
            inside[going[held]] = ahead[held]
            outside[going[~held]] = ahead[~held]
            going, stride = going[held], 2 * stride
        outside[going] = inside[going] + way
        while len(going := np.flatnonzero(np.abs(outside - inside) > 1)):
            middle = (inside[going] + outside[going]) // 2
            held = holds(self.compare(middle, where[going]))
            inside[going[held]], outside[going[~held]] = middle[held], middle[~held]
        return inside
