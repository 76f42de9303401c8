"""Memory that the passes over the slots of one run take turns in.

A step works on one slot at a time. If every slot had scratch of its own, that would push the slots
themselves out of the cache.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice.layout import BLOCK, WHOLE, Layout

__all__ = ["Workspace"]


class Workspace:
    """Scratch for stretches of slots; whoever uses it leaves nothing in it for later.

    Args:
        layout: the layout of the slots.
        words: the most words that an integer of the slots has.

    Attributes:
        length: the elements of a stretch: all of a small slot, which is not cut, because the calls
            would cost more than the misses.
        floats: (1, length) float64, or (3, length) if there are several words.
        integers: (words, length) int64.

    Example:
        >>> Workspace(Layout([(2, 3), (3,)])).length
        9
    """

    def __init__(self, layout: Layout, words: int = 1) -> None:
        self.length = layout.size if layout.size <= WHOLE else BLOCK
        self.floats: NDArray[np.float64] = np.empty((1 if words == 1 else 3, self.length))
        self.integers: NDArray[np.int64] = np.empty((words, self.length), np.int64)
