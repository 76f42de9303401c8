"""Arrays of 64-bit numbers as pairs of 32-bit words, for programs without 64-bit types."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

__all__ = ["Words", "narrowed", "on_host", "widened"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Words:
    """One array of 64-bit numbers.

    Attributes:
        bits: uint32, with one more axis of length 2.
    """

    bits: Any


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class FloatWords(Words):
    """One array of float64."""


def narrowed(tree: Any) -> Any:
    """A pytree with its 64-bit arrays as `Words`.

    Example:
        >>> with jax.enable_x64(True):
        ...     words = narrowed([jnp.arange(3), jnp.ones(2, jnp.float32)])
        ...     words[0].bits.shape, widened(words)[0].tolist()
        ((3, 2), [0, 1, 2])
    """
    return jax.tree.map(_narrow, tree)


def widened(tree: Any) -> Any:
    """The inverse of `narrowed`, where 64-bit types are enabled."""
    return jax.tree.map(_widen, tree, is_leaf=lambda x: isinstance(x, Words))


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """An array, which may be words of float64, as NumPy's."""
    if isinstance(array, FloatWords):
        return np.ascontiguousarray(array.bits).view(np.float64)[..., 0]
    return np.asarray(array)


def _narrow(array: Any) -> Any:
    if array.dtype == jnp.int64:
        return Words(lax.bitcast_convert_type(array, jnp.uint32))
    if array.dtype == jnp.float64:
        return FloatWords(lax.bitcast_convert_type(array, jnp.uint32))
    return array


def _widen(array: Any) -> Any:
    if isinstance(array, FloatWords):
        return lax.bitcast_convert_type(array.bits, jnp.float64)
    if isinstance(array, Words):
        return lax.bitcast_convert_type(array.bits, jnp.int64)
    return array
