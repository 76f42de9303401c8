"""Functions that move elements: reshaping, transposing, joining, repeating."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import view
from retrograd.autodiff.primitive import (
    REGISTRY,
    Everywhere,
    constant,
    linear,
    match,
    primitive_for,
    rule,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _back(new: Any, base: Any) -> Any:
    return np.reshape(new, np.shape(base))


def _reshape_vjp(g: Any, ans: Any, x: Any, shape: Any = None, order: Any = "C") -> Any:
    return np.reshape(g, np.shape(x), order=order)


def _untransposed(g: Any, axes: Any = None) -> Any:
    return np.transpose(g, None if axes is None else np.argsort(axes))


# What shows a part of its argument: `write` puts something there.
view(np.reshape, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.ravel, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.squeeze, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.expand_dims, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.transpose, write=lambda base, new, axes=None: _untransposed(new, axes))
view(np.swapaxes, write=lambda base, new, a, b: np.swapaxes(new, a, b))
view(np.moveaxis, write=lambda base, new, a, b: np.moveaxis(new, b, a))

linear(np.reshape, _reshape_vjp)
linear(np.ravel, lambda g, ans, x, order="C": _reshape_vjp(g, ans, x, order=order))
linear(np.squeeze, lambda g, ans, x, axis=None: np.reshape(g, np.shape(x)))
linear(np.expand_dims, lambda g, ans, x, axis: np.reshape(g, np.shape(x)))
linear(np.transpose, lambda g, ans, x, axes=None: _untransposed(g, axes))
linear(np.swapaxes, lambda g, ans, x, a, b: np.swapaxes(g, a, b))
linear(np.moveaxis, lambda g, ans, x, a, b: np.moveaxis(g, b, a))
linear(np.broadcast_to, lambda g, ans, x, shape: match(g, x))
linear(np.roll, lambda g, ans, x, shift, axis=None: np.roll(g, np.negative(shift), axis))
linear(np.flip, lambda g, ans, x, axis=None: np.flip(g, axis))


def _joined(axis: int, *arrays: Any) -> Any:
    return np.concatenate(arrays, axis)


def _piece(g: Any, axis: int, arrays: Sequence[Any], i: int) -> Any:
    start = sum(np.shape(a)[axis] for a in arrays[:i])
    index = [slice(None)] * np.ndim(g)
    index[axis] = slice(start, start + np.shape(arrays[i])[axis])
    return match(g[tuple(index)], arrays[i])


def _placed(d: Any, axis: int, arrays: Sequence[Any], i: int) -> Any:
    parts = [d if j == i else np.zeros(np.shape(a)) for j, a in enumerate(arrays)]
    return joined(axis, *parts)


# Argument 0 is the axis.
joined = rule(
    _joined,
    vjps=Everywhere(lambda n, g, ans, axis, *arrays: _piece(g, axis, arrays, n - 1)),
    jvps=Everywhere(lambda n, d, ans, axis, *arrays: _placed(d, axis, arrays, n - 1)),
)


def _registered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the decorated function stand for NumPy's of the same name."""
    REGISTRY[getattr(np, function.__name__)] = function
    return function


@_registered
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """`numpy.concatenate`."""
    if axis is None:
        return joined(0, *[np.ravel(a) for a in arrays])
    return joined(axis % np.ndim(arrays[0]), *arrays)


@_registered
def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """`numpy.stack`."""
    arrays = list(arrays)
    return joined(
        axis % (np.ndim(arrays[0]) + 1), *[np.expand_dims(_arrayed(a), axis) for a in arrays]
    )


@_registered
def vstack(arrays: Sequence[Any]) -> Any:
    """`numpy.vstack`."""
    return concatenate([np.reshape(a, (1, -1)) if np.ndim(a) < 2 else a for a in arrays], 0)


@_registered
def hstack(arrays: Sequence[Any]) -> Any:
    """`numpy.hstack`."""
    flat = [np.reshape(a, (-1,)) if np.ndim(a) == 0 else a for a in arrays]
    return concatenate(flat, 0 if np.ndim(flat[0]) == 1 else 1)


@_registered
def array(values: Any, dtype: Any = None, **kwargs: Any) -> Any:
    """`numpy.array` of nested lists that may hold traced numbers and arrays."""
    result = _array(values)
    return result if dtype is None else result.astype(dtype)


def _array(values: Any) -> Any:
    if not isinstance(values, list | tuple):
        return np.copy(values) if np.ndim(values) else values
    return stack([_array(value) for value in values]) if values else np.array([])


def _arrayed(x: Any) -> Any:
    return np.reshape(x, ()) if np.ndim(x) == 0 else x


def _tiled(x: Any, repeats: Any, axis: int | None = None) -> Any:
    return np.repeat(x, repeats, axis)


def _repeat_vjp(g: Any, x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Sum the copies of each element."""
    if axis is None:
        return np.reshape(_repeat_vjp(g, np.ravel(x), repeats, 0), np.shape(x))
    if np.ndim(repeats) == 0:
        shape = np.shape(x)
        axis %= len(shape)
        return np.sum(np.reshape(g, (*shape[: axis + 1], repeats, *shape[axis + 1 :])), axis + 1)
    ends = np.cumsum(repeats)
    front = np.moveaxis(g, axis, 0)
    sums = [np.sum(front[end - n : end], 0) for n, end in zip(repeats, ends, strict=True)]
    return np.moveaxis(stack(sums), 0, axis)


linear(np.repeat, lambda g, ans, x, repeats, axis=None: _repeat_vjp(g, x, repeats, axis))

for _shape_of in (np.shape, np.ndim, np.size):
    constant(_shape_of)
primitive_for(np.meshgrid).differentiable = False
