"""Functions that move elements: reshaping, transposing, joining, repeating."""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.box import Box, view
from retrograd.autodiff.primitive import (
    REGISTRY,
    Everywhere,
    constant,
    linear,
    match,
    rule,
)
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def _back(new: Any, base: Any, shape: Any = None, order: Any = "C") -> Any:
    """Undo a reshape: the elements in the same order, in the shape of `base`."""
    return np.reshape(new, np.shape(base), order=_order(base, order))


def _order(base: Any, order: str) -> Any:
    """The order in which the elements of `base` are read, whatever its layout: C or F."""
    if order in ("A", "K"):  # the order of the elements in memory
        flags = np.asarray(value_of(base)).flags
        if not flags.forc:
            raise MissingRuleError(
                f"reshape, ravel: no derivative rule covers order={order!r} of an array that is "
                "not contiguous; use order='C' or 'F'"
            )
        return "F" if flags.fnc else "C"
    return order


def _untransposed(g: Any, axes: Any = None) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, np.argsort([a % len(axes) for a in axes]))


def _refused(base: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
    raise ValueError(
        "assignment destination is read-only: broadcast_to shows one element in many places; "
        "write to its copy"
    )


# What shows a part of its argument: `write` puts something there.
view(np.reshape, write=lambda base, new, *args, **kwargs: _back(new, base, *args, **kwargs))
view(np.ravel, write=lambda base, new, order="C": _back(new, base, order=order))
view(np.squeeze, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.expand_dims, write=lambda base, new, *args, **kwargs: _back(new, base))
view(np.transpose, write=lambda base, new, axes=None: _untransposed(new, axes))
view(np.swapaxes, write=lambda base, new, axis1, axis2: np.swapaxes(new, axis1, axis2))
view(
    np.moveaxis, write=lambda base, new, source, destination: np.moveaxis(new, destination, source)
)
view(np.flip, write=lambda base, new, axis=None: np.flip(new, axis))
view(np.broadcast_to, write=_refused)

rule(
    np.reshape,
    vjps=[lambda g, ans, x, shape=None, order="C": _back(g, x, shape, order)],
    jvps=[lambda d, ans, x, shape, order="C": np.reshape(d, shape, order=_order(x, order))],
)
rule(
    np.ravel,
    vjps=[lambda g, ans, x, order="C": _back(g, x, order=order)],
    jvps=[lambda d, ans, x, order="C": np.ravel(d, _order(x, order))],
)
linear(np.squeeze, lambda g, ans, x, axis=None: np.reshape(g, np.shape(x)))
linear(np.expand_dims, lambda g, ans, x, axis: np.reshape(g, np.shape(x)))
linear(np.transpose, lambda g, ans, x, axes=None: _untransposed(g, axes))
linear(np.swapaxes, lambda g, ans, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
linear(
    np.moveaxis,
    lambda g, ans, x, source, destination: np.moveaxis(g, destination, source),
)
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
    parts = [d if j == i else np.zeros_like(a) for j, a in enumerate(arrays)]
    return joined(axis, *parts)


# Argument 0 is the axis.
joined = rule(
    _joined,
    vjps=Everywhere(lambda n, g, ans, axis, *arrays: _piece(g, axis, arrays, n - 1)),
    jvps=Everywhere(lambda n, d, ans, axis, *arrays: _placed(d, axis, arrays, n - 1)),
)


def _registered(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the decorated function stand for NumPy's of the same name, on traced values."""
    original = getattr(np, function.__name__)
    known = inspect.signature(function).parameters

    @wraps(function)
    def composite(*args: Any, **kwargs: Any) -> Any:
        if not _has_traced(args) and not _has_traced(tuple(kwargs.values())):
            return original(*args, **kwargs)
        for keyword in kwargs:
            if keyword not in known:
                raise MissingRuleError(
                    f"{function.__name__}: no derivative rule covers the keyword {keyword}=. Leave "
                    "it out, or apply the function to plain values (retrograd.value_of)."
                )
        return function(*args, **kwargs)

    REGISTRY[original] = composite
    return composite


def _has_traced(x: Any) -> bool:
    return isinstance(x, Traced) or (isinstance(x, list | tuple) and any(map(_has_traced, x)))


@_registered
def concatenate(arrays: Sequence[Any], axis: int | None = 0) -> Any:
    """`numpy.concatenate`."""
    arrays = list(arrays)
    if axis is None:
        return joined(0, *[np.ravel(a) for a in arrays])
    return joined(normalize_axis_index(axis, np.ndim(arrays[0])), *arrays)


@_registered
def stack(arrays: Sequence[Any], axis: int = 0) -> Any:
    """`numpy.stack`."""
    arrays = [array(a) for a in arrays]
    axis = normalize_axis_index(axis, np.ndim(arrays[0]) + 1)
    return joined(axis, *[np.expand_dims(np.reshape(a, np.shape(a)), axis) for a in arrays])


@_registered
def vstack(tup: Sequence[Any]) -> Any:
    """`numpy.vstack`."""
    return concatenate([np.reshape(a, (1, -1)) if np.ndim(a) < 2 else a for a in tup], 0)


@_registered
def hstack(tup: Sequence[Any]) -> Any:
    """`numpy.hstack`."""
    flat = [np.reshape(a, (-1,)) if np.ndim(a) == 0 else a for a in tup]
    return concatenate(flat, 0 if np.ndim(flat[0]) == 1 else 1)


@_registered
def array(object: Any, dtype: Any = None, copy: Any = True) -> Any:
    """`numpy.array` of nested lists that may hold traced numbers and arrays."""
    if isinstance(object, list | tuple):
        result = stack([array(part) for part in object])
    else:
        result = np.copy(object) if copy else object
    return result if dtype is None else result.astype(dtype)


@_registered
def asarray(a: Any, dtype: Any = None) -> Any:
    """`numpy.asarray`: a traced array stays as it is."""
    if not isinstance(a, Box):
        return array(a, dtype)
    return a if dtype is None or a.dtype == np.dtype(dtype) else a.astype(dtype)


@_registered
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: Any = "xy") -> Any:
    """`numpy.meshgrid`."""
    plain = np.meshgrid(*map(value_of, xi), sparse=True, indexing=indexing)
    thin = [np.reshape(x, p.shape) for x, p in zip(xi, plain, strict=True)]
    if not sparse:
        shape = np.broadcast_shapes(*[p.shape for p in plain])
        thin = [np.broadcast_to(x, shape) for x in thin]
    return tuple(np.copy(x) for x in thin) if copy else tuple(thin)


def _repeat_vjp(g: Any, ans: Any, x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Sum the copies of each element."""
    if axis is None:
        flat = _repeat_vjp(g, ans, np.ravel(x), repeats, 0)
        return np.reshape(flat, np.shape(x))
    shape = np.shape(x)
    axis %= len(shape)
    if np.ndim(repeats) == 0:
        return np.sum(np.reshape(g, (*shape[: axis + 1], repeats, *shape[axis + 1 :])), axis + 1)
    sources = np.repeat(np.arange(shape[axis]), repeats)
    return put(g, (*[slice(None)] * axis, sources), shape)


linear(np.repeat, _repeat_vjp)
constant(np.shape, np.ndim, np.size)
