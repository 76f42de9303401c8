"""The parts that the slots of a compiled run consist of: large leaves, and small ones joined.

Each part costs the compiler the same work, whatever its size. A large leaf is a part by itself, in
its own shape, so that it keeps its place on the devices; small leaves of one dtype are one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.lattice import Layout

__all__ = ["Parts", "parts_of"]

# Leaves of fewer elements are joined.
_SMALL = 16384


@dataclass(frozen=True)
class Parts:
    """How leaves and parts correspond.

    Args:
        layout: the layout of the leaves.
        members: for each part the numbers of its leaves; a part of one leaf has its shape, others
            are vectors.

    Example:
        >>> parts = Parts(Layout([(2, 3), (4,), ()]), members=((0,), (1, 2)))
        >>> joined = parts.joined([jnp.ones((2, 3)), jnp.zeros(4), jnp.ones(())])
        >>> [part.shape for part in joined], [leaf.shape for leaf in parts.split(joined)]
        ([(2, 3), (5,)], [(2, 3), (4,), ()])
    """

    layout: Layout
    members: tuple[tuple[int, ...], ...]

    def __len__(self) -> int:
        """The number of parts."""
        return len(self.members)

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of each part."""
        shapes, sizes = self.layout.shapes, self.layout.sizes
        return [
            shapes[own[0]] if len(own) == 1 else (sum(sizes[i] for i in own),)
            for own in self.members
        ]

    def name(self, part: int) -> str:
        """The leaves of a part, for messages."""
        names = [self.layout.names[leaf] for leaf in self.members[part]]
        return names[0] if len(names) == 1 else f"one of {', '.join(names)}"

    def joined(self, leaves: Sequence[Any]) -> list[Any]:
        """The parts of leaves."""
        return [
            leaves[own[0]]
            if len(own) == 1
            else jnp.concatenate([leaves[i].reshape(-1) for i in own])
            for own in self.members
        ]

    def split(self, parts: Sequence[Any]) -> list[Any]:
        """The leaves of parts."""
        leaves: dict[int, Any] = {}
        for own, part in zip(self.members, parts, strict=True):
            if len(own) == 1:
                leaves[own[0]] = part
                continue
            start = 0
            for leaf in own:
                shape = self.layout.shapes[leaf]
                leaves[leaf] = part[start : start + prod(shape)].reshape(shape)
                start += prod(shape)
        return [leaves[i] for i in range(len(self.layout))]

    def of_row(self, row: Any, part: int) -> Any:
        """A (K,) row of a table as it meets a part: a number, or an array of the part's shape.

        Args:
            row: one number for all, one per leaf, or one per element.
            part: the number of the part.
        """
        own = self.members[part]
        if row.shape[0] == 1:
            return row[0]
        if row.shape[0] == len(self.layout):
            return row[own[0]] if len(own) == 1 else self._repeated(row, own)
        spans = [row[self.layout.leaves[leaf]] for leaf in own]
        return (
            spans[0].reshape(self.layout.shapes[own[0]])
            if len(own) == 1
            else (jnp.concatenate(spans))
        )

    def _repeated(self, columns: Any, own: tuple[int, ...]) -> Any:
        """The numbers of some leaves, each as often as its leaf has elements."""
        sizes = [self.layout.sizes[leaf] for leaf in own]
        places = np.repeat(np.array(own), sizes)
        ends = np.cumsum(sizes)

        @jax.custom_vjp
        def repeated(columns: Any) -> Any:
            # A gather: to choose among joined pieces takes a chain of comparisons per element.
            return columns.at[places].get(mode="promise_in_bounds")

        def backward(count: int, bar: Any) -> tuple[Any]:
            sums = [jnp.sum(bar[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
            return (jnp.zeros(count, bar.dtype).at[np.array(own)].add(jnp.stack(sums)),)

        repeated.defvjp(lambda columns: (repeated(columns), columns.shape[0]), backward)
        return repeated(columns)


def parts_of(layout: Layout, dtypes: Sequence[Any]) -> Parts:
    """The parts of leaves with these dtypes."""
    small: dict[Any, list[int]] = {}
    members: list[tuple[int, ...]] = []
    for leaf, (size, dtype) in enumerate(zip(layout.sizes, dtypes, strict=True)):
        if size < _SMALL:
            small.setdefault(dtype, []).append(leaf)
        else:
            members.append((leaf,))
    return Parts(layout, (*members, *map(tuple, small.values())))
