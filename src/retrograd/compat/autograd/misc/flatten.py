"""Containers of arrays as one vector, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = ["flatten", "flatten_func"]


def flatten(value: Any) -> tuple[Any, Function]:
    """A container of arrays and numbers as a vector, and the function that undoes it.

    The entries of a dict come in the order of its sorted keys.

    Returns:
        `(vector, unflatten)`; both work on traced values too.

    Example:
        >>> from retrograd.compat.autograd.misc import flatten
        >>> vector, unflatten = flatten({"b": [1.0, 2.0], "a": 3.0})
        >>> vector
        array([3., 1., 2.])
        >>> unflatten(10 * vector)
        {'b': [np.float64(10.0), np.float64(20.0)], 'a': np.float64(30.0)}
    """
    leaves, structure = tree.flatten(value)
    shapes = [np.shape(leaf) for leaf in leaves]
    sizes = [int(np.prod(shape)) for shape in shapes]
    stops = np.cumsum(sizes, dtype=int)
    total = int(sum(sizes))

    def unflatten(vector: Any) -> Any:
        if np.shape(vector) != (total,):
            raise ArgumentError(
                f"unflatten: an array of shape {np.shape(vector)} was given for a vector of "
                f"{total} numbers"
            )
        parts = (
            np.reshape(vector[stop - size : stop], shape) if shape else vector[stop - 1]
            for size, stop, shape in zip(sizes, stops, shapes, strict=True)
        )
        return tree.unflatten(structure, parts)

    flat = np.concatenate([np.ravel(leaf) for leaf in leaves]) if leaves else np.array([])
    return flat, unflatten


def flatten_func(func: Function, example: Any) -> tuple[Function, Function, Any]:
    """A function of containers as one of vectors.

    Args:
        func: a function of a container, and perhaps more, that returns a container.
        example: a container like its first argument.

    Returns:
        `(function of vectors, unflatten, the example as a vector)`.
    """
    vector, unflatten = flatten(example)
    return (lambda x, *args: flatten(func(unflatten(x), *args))[0]), unflatten, vector
