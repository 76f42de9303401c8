"""Functions that write to one of their arguments: `put`, `copyto`, `fill_diagonal`, `place`, ...

They need no rules: what they write goes through `x[index] = value`. The array that is written to
must be in a box, since a plain one cannot hold a derivative.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.axes import along_axis
from retrograd.autodiff.constants import is_live, unboxed
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import REGISTRY, has_traced
from retrograd.autodiff.trace import Traced, value_of
from retrograd.autodiff.ufunc_methods import written_to
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable


def _writes(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let the decorated function stand for NumPy's of the same name, which writes to its first."""
    original = getattr(np, function.__name__)
    signature = inspect.signature(function)

    @wraps(function)
    def in_place(*args: Any, **kwargs: Any) -> None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        target, *rest = bound.args
        if not isinstance(target, Traced) and not is_live(rest):
            return original(*unboxed(args), **unboxed(kwargs))
        function(written_to(function.__name__, target), *map(_array, rest))
        return None

    WITHOUT_RULE[original] = in_place
    return in_place


def _array(x: Any) -> Any:
    """Lists that hold traced numbers as arrays."""
    return REGISTRY[np.array](x) if isinstance(x, list | tuple) and has_traced(x) else x


def _cycled(values: Any, count: int) -> Any:
    """`count` values, from the first again after the last."""
    values = np.ravel(values)
    return values[np.arange(count) % np.size(values)]


@_writes
def put(a: Any, ind: Any, v: Any, mode: str = "raise") -> None:
    """`numpy.put`: by positions in the flat array."""
    places = np.ravel(value_of(ind))
    if mode != "raise":
        places = places % a.size if mode == "wrap" else np.clip(places, 0, a.size - 1)
    elif places.size and not -a.size <= places.min() <= places.max() < a.size:
        raise IndexError(
            f"put: an index is out of bounds for an array of size {a.size}; give "
            "mode='wrap' or mode='clip' to bring it inside"
        )
    if places.size:
        a[np.unravel_index(places % a.size, a.shape)] = _cycled(v, places.size)


@_writes
def put_along_axis(arr: Any, indices: Any, values: Any, axis: int | None) -> None:
    """`numpy.put_along_axis`."""
    if axis is None:
        arr, axis = arr.flat, 0
    arr[along_axis(arr, value_of(indices), axis)] = values


@_writes
def fill_diagonal(a: Any, val: Any, wrap: bool = False) -> None:
    """`numpy.fill_diagonal`."""
    if a.ndim < 2:
        raise ArgumentError(f"fill_diagonal: a has {a.ndim} axes; give an array of at least 2")
    if a.ndim > 2 and len(set(a.shape)) > 1:
        raise ArgumentError(f"fill_diagonal: a has shape {a.shape}; all axes must be equally long")
    step = 1 + sum(np.prod(a.shape[i:], dtype=int) for i in range(1, a.ndim))
    stop = a.shape[1] ** 2 if a.ndim == 2 and not wrap else a.size
    places = np.arange(0, min(stop, a.size), step)
    a[np.unravel_index(places, a.shape)] = val if np.ndim(val) == 0 else _cycled(val, places.size)


@_writes
def copyto(dst: Any, src: Any, casting: Any = "same_kind", where: Any = True) -> None:
    """`numpy.copyto`."""
    given = np.result_type(value_of(src))
    if not np.can_cast(given, dst.dtype, casting) and np.ndim(src):
        raise TypeError(
            f"copyto: cannot cast from {given} to {dst.dtype} with casting={casting!r}; "
            "give casting='unsafe', or convert src first"
        )
    if where is True:
        dst[...] = src
    else:
        mask = np.broadcast_to(value_of(where), dst.shape)
        dst[mask] = np.broadcast_to(src, dst.shape)[mask]


@_writes
def place(arr: Any, mask: Any, vals: Any) -> None:
    """`numpy.place`: the first value in the first place, and so on."""
    mask = np.reshape(np.asarray(value_of(mask), bool), arr.shape)
    count = int(np.count_nonzero(mask))
    if count and not np.size(vals):
        raise ArgumentError(
            "place: vals is empty, but the mask has places to write to; give a value"
        )
    if count:
        arr[mask] = _cycled(vals, count)


@_writes
def putmask(a: Any, mask: Any, values: Any) -> None:
    """`numpy.putmask`: to each place goes the value at that place."""
    mask = np.reshape(np.asarray(value_of(mask), bool), a.shape)
    if np.size(values):
        a[mask] = np.reshape(_cycled(values, a.size), a.shape)[mask]
