"""What differs between leaves at one step: a row of a hyperparameter's table meets flat vectors."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.lattice import Layout
from retrograd.lattice.layout import BLOCK, WHOLE, chunks

__all__ = ["Gathered", "Row", "aligned"]

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
        for span, value in self._pieces():
            np.multiply(flat[span], value, out=out[span])
        return out

    def add_times(self, flat: Floats, out: Floats) -> None:
        """Add each element of an (N,) vector times its value to `out`."""
        for span, value in self._pieces():
            out[span] += flat[span] * value

    def _pieces(self) -> Iterator[tuple[slice, Any]]:
        """Spans that stay in the cache, each with its value, or with a vector of them."""
        if self._by_leaf:
            for run in self.layout.runs:
                value = run.of(self.values)
                if isinstance(value, float):
                    yield from ((span, value) for span in _cut(run.span))
                else:
                    yield run.span, value
            return
        spread = self.spread
        for block in self.layout.blocks:
            yield block.span, spread[block.span] if isinstance(spread, np.ndarray) else spread

    def dot(self, a: Floats, b: Floats) -> Floats:
        """The cotangent of the values where `times(b)` has the cotangent `a`: (K,)."""
        if len(self.values) == 1:
            return np.array([a @ b])
        if not self._by_leaf:
            return a * b
        return np.array([a[span] @ b[span] for span in self.layout.leaves])

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


def _cut(span: slice) -> Iterator[slice]:
    """A span in parts that stay in the cache."""
    size = span.stop - span.start
    for part in chunks(size, BLOCK if size > WHOLE else size):
        yield slice(span.start + part.start, span.start + part.stop)


def aligned(rows: list[Row]) -> list[Floats]:
    """The values of several rows with one common number of columns (or one)."""
    counts = {len(row.values) for row in rows} - {1}
    if len(counts) <= 1:
        return [row.values for row in rows]
    return [np.broadcast_to(row.spread, (row.layout.size,)) for row in rows]
