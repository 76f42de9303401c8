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
Where = Integers | slice
Function = Callable[[NDArray[Any], Where], NDArray[Any]]

_ALL = slice(None)

LIMIT = 1 << 8


def preimages(function: Function, after: NDArray[Any], near: NDArray[Any]) -> tuple[Any, Any]:
    """The floats that a non-decreasing function takes to given ones, element by element.

    Args:
        function: `function(x, where)` gives the results for the elements `where`, which is an array
            of numbers or a slice.
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
    with np.errstate(all="ignore"):
        return _preimages(_Search(function, after), ordered(near).astype(np.int64))


def _preimages(search: _Search, start: Integers) -> tuple[Integers, Integers]:
    # Nearly always it is one float: its neighbours decide.
    here, below, above = (search.compare(start + offset, _ALL) for offset in (0, -1, 1))
    first, last = start + (here < 0), start - (here > 0)
    left = (here >= 0) & (below >= 0)
    right = (here <= 0) & (above <= 0)
    # Where `start` itself misses, the nearer end lies beyond it too.
    members = (left, right, right & (here < 0), left & (here > 0))
    parts = [np.flatnonzero(each) for each in members]
    counts = [len(part) for part in parts]
    where = np.concatenate(parts)
    way, bound = np.repeat([-1, 1, 1, -1], counts), np.repeat([0, 0, -1, -1], counts)
    found = np.split(search.edge(start[where], where, way, bound), np.cumsum(counts)[:-1])
    first[parts[0]], last[parts[1]] = found[0], found[1]
    first[parts[2]], last[parts[3]] = found[2] + 1, found[3] - 1
    far = (np.abs(first - start) >= LIMIT) | (np.abs(last - start) >= LIMIT)
    last[far] = first[far] - 1
    return first, last


class _Search:
    """Evaluations of the function at floats given by their integers."""

    def __init__(self, function: Function, after: NDArray[Any]) -> None:
        self.function = function
        self.after = after
        self._width = np.dtype(f"i{after.dtype.itemsize}")

    def compare(self, integers: Integers, where: Where) -> NDArray[np.int8]:
        """-1, 0, 1: whether the results lie below, at, or above the wanted ones (NaN: above)."""
        x = unordered(integers.astype(self._width), self.after.dtype, integers.shape)
        results, wanted = self.function(x, where), self.after[where]
        return (~(results <= wanted)).view(np.int8) - (results < wanted).view(np.int8)

    def edge(self, inside: Integers, where: Integers, way: Integers, bound: Integers) -> Integers:
        """The last integer one way (1 or -1) at which `compare * way <= bound` holds.

        It holds at `inside`. Doubling steps find one at which it does not, or are given up about
        `LIMIT` away, and bisection finds the last.
        """
        inside = inside.copy()
        outside = inside.copy()
        going, stride = np.arange(len(inside)), 1
        while len(going) and stride <= LIMIT:
            ahead = inside[going] + way[going] * stride
            held = self.compare(ahead, where[going]) * way[going] <= bound[going]
            inside[going[held]] = ahead[held]
            outside[going[~held]] = ahead[~held]
            going, stride = going[held], 2 * stride
        outside[going] = inside[going]
        while len(going := np.flatnonzero(np.abs(outside - inside) > 1)):
            middle = inside[going] + (outside[going] - inside[going]) // 2
            held = self.compare(middle, where[going]) * way[going] <= bound[going]
            inside[going[held]], outside[going[~held]] = middle[held], middle[~held]
        return inside
