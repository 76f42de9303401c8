"""What differs between leaves at one step: a row of a hyperparameter's table meets flat vectors."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout
from retrograd.lattice.layout import Run

__all__ = ["Dots", "Gathered", "Row", "aligned"]

Floats = NDArray[np.float64]


class Row:
    """One row of a table: a linear map between (K,) numbers and (N,) elements.

    Args:
        values: (K,), with K = 1 (one number for all), L (one per leaf) or N (one per element).
        layout: the layout of the slots.
    """

    def __init__(self, values: Floats, layout: Layout) -> None:
        self.values = values
        self.layout = layout
        self._by_leaf = len(values) not in (1, layout.size)

    @cached_property
    def spread(self) -> float | Floats:
        """The values as they meet a flat vector in arithmetic: a number, or an (N,) vector."""
        if len(self.values) == 1:
            return float(self.values[0])
        if not self._by_leaf:
            return self.values
        return self.layout.spread(self.values, np.empty(self.layout.size))

    def times(self, flat: NDArray[Any], out: Floats) -> Floats:
        """Each element of an (N,) vector times its value, into `out`."""
        for run, value in self.layout.walk(self.values):
            np.multiply(flat[run.span], value, out=out[run.span])
        return out

    def collect(self, cotangent: Any) -> Floats:
        """The cotangent of the values from that of `spread`: (K,)."""
        if len(self.values) == 1:
            return np.reshape(np.sum(cotangent), (1,))
        return self.layout.collect(cotangent) if self._by_leaf else cotangent


class Gathered:
    """The cotangent of a row's `spread`, that arrives block by block.

    Args:
        row: the row.
    """

    def __init__(self, row: Row) -> None:
        self.row = row
        self._sum = 0.0
        self._flat = None if len(row.values) == 1 else np.zeros(row.layout.size)

    def add(self, cotangent: Any, block: slice) -> None:
        """Take in the cotangent of the elements of a block."""
        if self._flat is None:
            self._sum += float(np.sum(cotangent))
        else:
            self._flat[block] += cotangent

    def collected(self) -> Floats:
        """The cotangent of the row's values, (K,)."""
        return np.array([self._sum]) if self._flat is None else self.row.collect(self._flat)


class Dots:
    """The cotangent of a row's values where `times(b)` has the cotangent `a`, run by run.

    Args:
        row: the row.

    Attributes:
        sums: (K,), of the runs so far.
    """

    def __init__(self, row: Row) -> None:
        self.sums: Floats = np.zeros(len(row.values))
        self._layout = row.layout

    def add(self, run: Run, a: Floats, b: NDArray[Any]) -> None:
        """Take in the elements of a run of `Layout.walk` of the row's values, (n,) each."""
        if len(self.sums) == 1:
            self.sums[0] += a @ b
        elif len(self.sums) == self._layout.size:
            np.multiply(a, b, out=self.sums[run.span])
        elif run.lengths is None:
            self.sums[run.leaves.start] += a @ b
        else:
            self.sums[run.leaves] += [a[part] @ b[part] for part in run.parts]


def aligned(rows: list[Row]) -> list[Floats]:
    """The values of several rows with one common number of columns (or one)."""
    counts = {len(row.values) for row in rows} - {1}
    if len(counts) <= 1:
        return [row.values for row in rows]
    return [np.broadcast_to(row.spread, (row.layout.size,)) for row in rows]
