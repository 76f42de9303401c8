"""One flat vector for all leaves of the parameters, and the cache blocks that it is worked in.

A slot of an optimizer is one ``int64`` vector of length N. The layout knows which span of it
belongs to which leaf, so that elementwise passes run over the whole vector and only what differs
from leaf to leaf (a factor, a sum, the name in an error message) looks at the spans.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import prod
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError

__all__ = ["BLOCK", "STRETCH", "WHOLE", "Block", "Layout", "Piece", "Run", "chunks"]

# Four int64 vectors of this length (slot, digits, two of scratch) fill half of a 2 MiB cache.
# Measured in benchmarks/lattice_speed.py: shorter blocks lose time to calls, longer ones to misses.
BLOCK = 32768

# What a step works on at once: a slot of two words, its floats, increments and adjoints of this
# length fill half of that cache.
STRETCH = 16384

# Vectors of up to this many elements are one block: the calls would cost more than the misses.
WHOLE = 65536

# A leaf from here on is worked on by itself, with a number of its own; smaller neighbours together,
# with a vector of numbers, which then costs less than the calls.
_LARGE = 8192


class Run(NamedTuple):
    """A stretch of the flat vector that stays in the cache: of one leaf, or of small leaves.

    Attributes:
        span: its place in the flat vector.
        leaves: the numbers of the leaves; none where nothing differs from leaf to leaf.
        lengths: (R,) int64, their sizes; None for a large leaf, which is alone.
        parts: the places of the small leaves in the stretch.
    """

    span: slice
    leaves: slice
    lengths: NDArray[np.int64] | None = None
    parts: tuple[slice, ...] = ()


class Piece(NamedTuple):
    """The part of one leaf that lies in one block: a span of the flat vector, and the leaf."""

    span: slice
    leaf: int


@dataclass(frozen=True)
class Block:
    """A span of the flat vector that stays in cache, with the leaves that it touches.

    Attributes:
        span: the block's place in the flat vector.
        pieces: the leaves' parts in it, in order.
        leaves: (P,) int64, the leaf of each piece.
        lengths: (P,) int64, the number of elements of each piece.
    """

    span: slice
    pieces: tuple[Piece, ...]
    leaves: NDArray[np.int64]
    lengths: NDArray[np.int64]


class Layout:
    """The places of the leaves in one flat vector.

    Args:
        shapes: the shape of each leaf; ``()`` is a leaf of one element.
        names: one name per leaf for error messages; by default "leaf 0", "leaf 1", ...
        block: the most elements in a block; by default all of a small vector, which is not cut.

    Attributes:
        shapes: the shapes, as tuples.
        names: the names.
        sizes: the number of elements of each leaf.
        offsets: where each leaf starts in the flat vector.
        size: N, the length of the flat vector.
        leaves: the span of each leaf, as slices.
        blocks: the flat vector cut into spans that stay in the cache.
        runs: the flat vector cut along its leaves: parts of large ones, and small ones together.
        whole: all of it as one run.

    Raises:
        ArgumentError: there is no leaf, a leaf is empty, the names do not fit the shapes, or the
            block holds no element.

    Example:
        >>> layout = Layout([(2, 3), (3,)], names=["W", "b"])
        >>> layout.size, len(layout), layout.leaves
        (9, 2, (slice(0, 6, None), slice(6, 9, None)))
    """

    def __init__(
        self,
        shapes: Sequence[Sequence[int]],
        names: Sequence[str] | None = None,
        *,
        block: int | None = None,
    ) -> None:
        if block is not None and block < 1:
            raise ArgumentError(f"block is {block}; give at least 1 element per block")
        self.shapes = tuple(tuple(int(length) for length in shape) for shape in shapes)
        self.names = _names(names, len(self.shapes))
        self.sizes = tuple(prod(shape) for shape in self.shapes)
        _check_sizes(self)
        ends = np.cumsum(self.sizes).tolist()
        self.size: int = ends[-1]
        self.offsets: tuple[int, ...] = (0, *ends[:-1])
        self.leaves = tuple(slice(*span) for span in zip(self.offsets, ends, strict=True))
        block = block or (self.size if self.size <= WHOLE else BLOCK)
        self.blocks = tuple(self._block(span) for span in chunks(self.size, block))
        self._length = self.size if self.size <= WHOLE else STRETCH
        self.runs = tuple(self._runs())
        self.whole = self._together(0, len(self))
        self._stretches = tuple(Run(span, slice(0)) for span in chunks(self.size, self._length))

    def __len__(self) -> int:
        """The number of leaves."""
        return len(self.shapes)

    def __repr__(self) -> str:
        return f"Layout({list(self.shapes)!r}, names={list(self.names)!r})"

    def walk(self, *columns: NDArray[np.float64]) -> Iterator[tuple[Any, ...]]:
        """The flat vector in stretches that stay in the cache, with the numbers that meet them.

        Args:
            columns: each (1,), one number for all; (L,), one per leaf; or (N,), one per element.

        Returns:
            For each stretch, in order, the `Run` and one entry per argument: a float, or (n,).

        Example:
            >>> for run, rate in Layout([(2,), (3,)]).walk(np.array([5.0, 7.0])):
            ...     run.span, rate
            (slice(0, 5, None), array([5., 5., 7., 7., 7.]))
        """
        for run in self.stretches(*columns):
            yield run, *[self.met(run, numbers) for numbers in columns]

    def stretches(self, *columns: NDArray[np.float64]) -> Sequence[Run]:
        """The stretches of a `walk` with these columns."""
        by_leaf = 1 < len(self) < self.size and any(len(c) == len(self) for c in columns)
        return self.runs if by_leaf else self._stretches

    def met(self, run: Run, columns: NDArray[np.float64]) -> float | NDArray[np.float64]:
        """The entry of a `walk` for one of its columns at one of its stretches, or at `whole`."""
        if len(columns) == 1:
            return float(columns[0])
        if len(columns) == self.size:
            return columns[run.span]
        if run.lengths is None:
            return float(columns[run.leaves.start])
        return np.repeat(columns[run.leaves], run.lengths)

    def spread(self, values: NDArray[Any], out: NDArray[Any]) -> NDArray[Any]:
        """Write one value per leaf over the flat vector.

        Args:
            values: (L,), one value per leaf.
            out: (N,), overwritten.

        Returns:
            ``out``.

        Raises:
            ArgumentError: ``values`` or ``out`` has another shape.

        Example:
            >>> Layout([(2,), (3,)]).spread(np.array([5, 7]), np.empty(5, np.int64))
            array([5, 5, 7, 7, 7])
        """
        _check_shape("values", values, (len(self),), "one value per leaf")
        _check_shape("out", out, (self.size,), "one place per element")
        for span, value in zip(self.leaves, values.tolist(), strict=True):
            out[span] = value
        return out

    def collect(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Sum a flat vector over each leaf, pairwise, so that rounding errors stay small.

        Args:
            flat: (N,).

        Returns:
            (L,), the sums, of the dtype that NumPy's sum gives.

        Raises:
            ArgumentError: ``flat`` has another shape.

        Example:
            >>> Layout([(2,), (3,)]).collect(np.arange(5.0))
            array([1., 9.])
        """
        _check_shape("flat", flat, (self.size,), "one element per parameter")
        return np.array([np.add.reduce(flat[span]) for span in self.leaves])

    def split(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """The leaves of a flat vector, as views in their own shapes.

        Args:
            flat: (N,), contiguous.

        Returns:
            One view per leaf; writing to it writes to ``flat``.

        Raises:
            ArgumentError: ``flat`` has another shape.

        Example:
            >>> [leaf.shape for leaf in Layout([(2, 3), ()]).split(np.zeros(7))]
            [(2, 3), ()]
        """
        _check_shape("flat", flat, (self.size,), "one element per parameter")
        return [
            flat[span].reshape(shape) for span, shape in zip(self.leaves, self.shapes, strict=True)
        ]

    def join(self, arrays: Sequence[NDArray[Any]], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Write one array per leaf into a flat vector: the inverse of `split`.

        Args:
            arrays: one array per leaf, in the leaves' shapes.
            out: (N,), overwritten; by default a new vector of the arrays' common dtype.

        Returns:
            ``out``.

        Raises:
            ArgumentError: there are more or fewer arrays than leaves, or a shape differs.

        Example:
            >>> Layout([(2,), (1, 1)]).join([np.array([1.0, 2.0]), np.array([[3.0]])])
            array([1., 2., 3.])
        """
        if len(arrays) != len(self):
            raise ArgumentError(
                f"join got {len(arrays)} arrays for {len(self)} leaves; give one per leaf"
            )
        if out is None:
            out = np.empty(self.size, np.result_type(*arrays))
        _check_shape("out", out, (self.size,), "one place per element")
        for span, shape, name, array in zip(
            self.leaves, self.shapes, self.names, arrays, strict=True
        ):
            _check_shape(f"the array for {name}", array, shape, "the leaf's own shape")
            out[span] = np.reshape(array, -1)
        return out

    def locate(self, index: int) -> tuple[int, int]:
        """The leaf that an element of the flat vector belongs to, and its place in that leaf.

        Args:
            index: 0 to N - 1.

        Returns:
            The leaf's number, and the element's index in the leaf read as a flat vector.

        Raises:
            ArgumentError: the index is outside the vector.

        Example:
            >>> Layout([(2,), (3,)]).locate(4)
            (1, 2)
        """
        if not 0 <= index < self.size:
            raise ArgumentError(
                f"index {index} is outside the flat vector; give 0 to {self.size - 1}"
            )
        leaf = bisect_right(self.offsets, index) - 1
        return leaf, int(index) - self.offsets[leaf]

    def describe(self, index: int) -> str:
        """An element of the flat vector in words, for error messages.

        Args:
            index: 0 to N - 1.

        Returns:
            The leaf's name and the element's index in the leaf's shape.

        Raises:
            ArgumentError: the index is outside the vector.

        Example:
            >>> Layout([(2, 3)], names=["W"]).describe(4)
            'W[1, 1]'
        """
        leaf, within = self.locate(index)
        place = ", ".join(str(i) for i in np.unravel_index(within, self.shapes[leaf]))
        return f"{self.names[leaf]}[{place}]" if place else self.names[leaf]

    def _runs(self) -> Iterator[Run]:
        for large, leaves in groupby(range(len(self)), lambda i: self.sizes[i] >= _LARGE):
            if not large:
                yield from self._runs_of_small(list(leaves))
                continue
            for leaf in leaves:
                for part in chunks(self.sizes[leaf], self._length):
                    start = self.offsets[leaf]
                    span = slice(start + part.start, start + part.stop)
                    yield Run(span, slice(leaf, leaf + 1))

    def _runs_of_small(self, leaves: Sequence[int]) -> Iterator[Run]:
        first = leaves[0]
        for leaf in leaves:
            if (
                leaf == leaves[-1]
                or self.leaves[leaf + 1].stop - self.offsets[first] > self._length
            ):
                yield self._together(first, leaf + 1)
                first = leaf + 1

    def _together(self, first: int, stop: int) -> Run:
        span = slice(self.offsets[first], self.leaves[stop - 1].stop)
        parts = tuple(
            slice(own.start - span.start, own.stop - span.start) for own in self.leaves[first:stop]
        )
        return Run(span, slice(first, stop), np.array(self.sizes[first:stop], np.int64), parts)

    def _block(self, span: slice) -> Block:
        pieces = tuple(self._pieces(span))
        return Block(
            span,
            pieces,
            np.array([piece.leaf for piece in pieces], np.int64),
            np.array([piece.span.stop - piece.span.start for piece in pieces], np.int64),
        )

    def _pieces(self, span: slice) -> Iterator[Piece]:
        first = bisect_right(self.offsets, span.start) - 1
        for leaf in range(first, len(self)):
            start = max(self.leaves[leaf].start, span.start)
            stop = min(self.leaves[leaf].stop, span.stop)
            if start >= stop:
                return
            yield Piece(slice(start, stop), leaf)


def chunks(size: int, length: int = BLOCK) -> Iterator[slice]:
    """Cut ``range(size)`` into spans.

    Args:
        size: the number of elements.
        length: the most elements in a span.

    Returns:
        The spans, in order.

    Example:
        >>> list(chunks(5, 3))
        [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + length, size)) for start in range(0, size, length))


def _names(names: Sequence[str] | None, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"leaf {leaf}" for leaf in range(count))
    if len(names) != count:
        raise ArgumentError(f"names has {len(names)} entries for {count} leaves; give one per leaf")
    return tuple(names)


def _check_sizes(layout: Layout) -> None:
    if not layout.shapes:
        raise ArgumentError("shapes is empty; give the shape of at least one leaf")
    for name, shape in zip(layout.names, layout.shapes, strict=True):
        # Without empty leaves L = N only when all leaves have one element, so that a vector of
        # factors is never ambiguous between one per leaf and one per element.
        if any(length < 1 for length in shape):
            raise ArgumentError(
                f"{name} has shape {shape} and no elements; leave it out of the parameters"
            )


def _check_shape(what: str, array: NDArray[Any], shape: tuple[int, ...], meaning: str) -> None:
    if np.shape(array) != shape:
        raise ArgumentError(f"{what} has shape {np.shape(array)}; give shape {shape}, {meaning}")
