"""JAX: what the compiled runs ask of it besides tracing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

__all__ = ["JaxArrays", "is_traced", "own_types", "root"]


@jax.custom_jvp
def root(x: Any) -> Any:
    """The square root, with the derivative 0 at 0."""
    return jnp.sqrt(x)


@root.defjvp
def _root_jvp(primals: tuple[Any], tangents: tuple[Any]) -> tuple[Any, Any]:
    (x,), (along,) = primals, tangents
    found = jnp.sqrt(x)
    zero = found == 0
    slope = jnp.where(zero, 0.0, 0.5 / jnp.where(zero, 1.0, found))
    return found, along * slope.astype(found.dtype)


def is_traced(x: Any) -> bool:
    """Whether the numbers of `x` are not known yet."""
    return isinstance(x, Tracer)


@contextmanager
def own_types() -> Iterator[None]:
    """64-bit types and the usual promotions, whatever the caller's program has."""
    with (
        jax.enable_x64(True),
        jax.numpy_dtype_promotion("standard"),
        jax.numpy_rank_promotion("allow"),
    ):
        yield


class JaxArrays:
    """JAX's containers and arrays. Numbers that no transformation sees stay NumPy's, in float64."""

    name = "jax"
    xp = jnp

    @staticmethod
    def flatten(tree: Any) -> tuple[list[Any], Any]:
        """The leaves of a pytree, and its structure."""
        return jax.tree.flatten(tree)

    @staticmethod
    def unflatten(structure: Any, leaves: Sequence[Any]) -> Any:
        """The pytree of this structure with these leaves."""
        return jax.tree.unflatten(structure, leaves)

    @staticmethod
    def leaf_names(tree: Any) -> list[str]:
        """A readable name of each leaf."""
        paths = jax.tree_util.tree_flatten_with_path(tree)[0]
        return [jax.tree_util.keystr(path).strip(".") or "the array" for path, _ in paths]

    @staticmethod
    def array(x: Any) -> Any:
        """An array of floats from a number, array or list of them."""
        if not any(isinstance(leaf, jax.Array) for leaf in jax.tree.leaves(x)):
            return np.asarray(x) if _is_float(np.asarray(x)) else np.asarray(x, float)
        array = jnp.asarray(x)
        return array if _is_float(array) else array.astype(float)

    @staticmethod
    def concatenate(arrays: Sequence[Any], axis: int) -> Any:
        """Arrays of `array` joined."""
        return (jnp if _any_of_jax(arrays) else np).concatenate(arrays, axis)

    @staticmethod
    def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
        """An array of `array` in another shape."""
        return (jnp if _any_of_jax([x]) else np).broadcast_to(x, shape)

    @staticmethod
    def dtype_of(x: Any) -> np.dtype[Any] | None:
        """The dtype in which NumPy holds an array or Python float of floats; None if it is none."""
        if isinstance(x, float):
            return np.dtype(float)
        dtype = getattr(x, "dtype", None)
        if dtype is None or not _is_float(x):
            return None
        # NumPy takes bfloat16 and smaller ones for no floats; float32 holds their numbers.
        return np.dtype(dtype) if np.dtype(dtype).kind == "f" else np.dtype(np.float32)


def _is_float(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.floating)


def _any_of_jax(arrays: Sequence[Any]) -> bool:
    return any(isinstance(x, jax.Array) for x in arrays)
