"""Sums of matrix products, as one product each.

The gradient of a weight that is used at every step of a loop is a sum over the steps of products
`x.T @ g`. One product of the stacked factors is several times as fast as many small products and
their sum. So sums of products are noted while the program is traced, and where such a sum is used
for anything else than another sum, the one product is. What is not used is dropped by XLA.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

# A product: x and y of x.T @ y.
Factors = tuple[Any, Any]
# From how many products on.
_MANY = 3


class Sums:
    """Sums of products in one compilation, by the identity of their values."""

    def __init__(self) -> None:
        self.transposed: dict[int, tuple[Any, Any]] = {}
        self.factors: dict[int, tuple[Any, list[Factors]]] = {}
        self.merged: dict[int, Any] = {}

    def note_transpose(self, result: Any, x: Any) -> None:
        """Note that `result` is `x.T`."""
        self.transposed[id(result)] = result, x

    def standing(self, x: Any) -> Any:
        """A left factor; as an array of its own if it is a transpose.

        XLA's faster kernels for CPUs take no transposed left factor, and it would make one of it.
        """
        return jax.lax.optimization_barrier(x) if id(x) in self.transposed else x

    def note_product(self, result: Any, x: Any, y: Any) -> None:
        """Note that `result` is `x @ y`, if that is of the kind that is worth while in a sum."""
        if np.ndim(x) != 2 or np.ndim(y) != 2:
            return
        (rows, inner), columns = np.shape(x), np.shape(y)[1]
        if inner * (rows + columns) <= 2 * rows * columns:
            known = isinstance(x, np.ndarray)
            turned = x.T if known else self.transposed.get(id(x), (None, None))[1]
            if turned is not None:
                self.factors[id(result)] = result, [(turned, y)]

    def note_sum(self, result: Any, a: Any, b: Any) -> None:
        """Note that `result` is `a + b`, if these are sums of products."""
        if self.are_sums(a, b):
            factors = self.factors[id(a)][1] + self.factors[id(b)][1]
            self.factors[id(result)] = result, factors

    def are_sums(self, a: Any, b: Any) -> bool:
        """Whether both are sums of products that can be added."""
        if id(a) not in self.factors or id(b) not in self.factors:
            return False
        return a.shape == b.shape and a.dtype == b.dtype

    def settled(self, value: Any) -> Any:
        """The value, as one product if it is a sum of many."""
        found = self.factors.get(id(value))
        if found is None or len(found[1]) < _MANY:
            return value
        if id(value) not in self.merged:
            self.merged[id(value)] = _product(found[1])
        return self.merged[id(value)]


def _product(factors: list[Factors]) -> Any:
    x, y = (_stacked(parts) for parts in zip(*factors, strict=True))
    return jnp.dot(jax.lax.optimization_barrier(x.T), y)


def _stacked(parts: tuple[Any, ...]) -> Any:
    plain = all(isinstance(part, np.ndarray) for part in parts)
    return np.concatenate(parts) if plain else jnp.concatenate(parts)
