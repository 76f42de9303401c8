"""Cotangents that are sums of many small products, calculated as one product of stacked rows.

A weight that a program uses at every step, as a recurrent network does, gets `x.T @ g` from each
of them, and a bias the sum of the rows of `g`. One product of the stacked rows is quicker than
many small products and their sum. So such contributions wait until enough of them are there, or
until the cotangent is read.

What waits, shapes and dtypes alone decide: a gradient has the same bits whether or not it is
itself being differentiated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

# Rows that are enough for a product: more would not make it quicker, and are more to keep.
ENOUGH = 128


class Stacking:
    """How the contributions of a primitive to the cotangent of an argument are stacked.

    Args:
        factors: `factors(g, ans, x, y)`, what a contribution is made of: arrays of two axes with
            equally many rows, or of one axis that are rows; None if it is not to wait.
        total: `total(*stacked)`, the sum of the contributions, linear in each factor's rows.
    """

    __slots__ = ("factors", "total")

    def __init__(self, factors: Rule, total: Rule) -> None:
        self.factors = factors
        self.total = total


class Stack:
    """Contributions of one kind that wait to be added to a cotangent."""

    __slots__ = ("ndim", "parts", "rows", "stacking")

    def __init__(self, stacking: Stacking, ndim: int) -> None:
        self.stacking = stacking
        self.ndim = ndim
        self.parts: list[tuple[Any, ...]] = []
        self.rows = 0

    def total(self) -> Any:
        """The sum of what has waited, all of which is let go."""
        stacked = [
            np.concatenate(parts) if self.ndim == 2 else np.stack(parts)
            for parts in zip(*self.parts, strict=True)
        ]
        self.parts, self.rows = [], 0
        return self.stacking.total(*stacked)
