"""A hyperparameter at one step: a row of its table, spread over the elements and summed back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout

__all__ = ["Row", "aligned"]

Floats = NDArray[np.float64]


class Row:
    """One row of a hyperparameter's table.

    Args:
        values: (K,), with K = 1 (one number for all), L (one per leaf) or N (one per element).
        layout: the layout of the slots.
    """

    __slots__ = ("_spread", "layout", "values")

    def __init__(self, values: Floats, layout: Layout) -> None:
        self.values = values
        self.layout = layout
        self._spread: Any = None

    @property
    def spread(self) -> float | Floats:
        """The values as they meet a flat slot: a number, or an (N,) vector."""
        if self._spread is None:
            self._spread = spread(self.values, self.layout)
        return self._spread

    def collect(self, cotangent: Any) -> Any:
        """The cotangent of `values` from that of `spread`."""
        return collect(cotangent, len(self.values), self.layout)


def spread(values: Floats, layout: Layout) -> float | Floats:
    """(K,) values over the elements: a number if K = 1, else an (N,) vector."""
    if len(values) == 1:
        return float(values[0])
    if len(values) == layout.size:
        return values
    return layout.spread(values, np.empty(layout.size))


def collect(cotangent: Any, columns: int, layout: Layout) -> Floats:
    """The transpose of `spread`: sum an (N,) vector (or a number) to (columns,)."""
    if columns == 1:
        return np.reshape(np.sum(cotangent), (1,))
    if columns == layout.size:
        return cotangent
    return layout.collect(cotangent)


def aligned(rows: list[Row]) -> list[Floats]:
    """The values of several rows with one common number of columns (or one)."""
    counts = {len(row.values) for row in rows} - {1}
    if len(counts) <= 1:
        return [row.values for row in rows]
    return [np.broadcast_to(row.spread, (row.layout.size,)) for row in rows]
