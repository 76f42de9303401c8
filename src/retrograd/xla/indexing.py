"""Reading and writing parts of arrays in XLA, with NumPy's rules about bounds.

XLA has arrays of fixed shapes and no index errors: indices that are only known when the program
runs are checked there, and `IndexError` is raised after the call.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.errors import CompilationError
from retrograd.xla.lowering import LOWERINGS, cast


def get(trace: Any, x: Any, index: Any) -> Any:
    """`x[index]`."""
    x = jnp.asarray(x)
    index = _checked(trace, x.shape, index)
    return x.at[index].get(mode="promise_in_bounds") if _is_dynamic(index) else x[index]


def set_(trace: Any, x: Any, index: Any, value: Any) -> Any:
    """A copy of `x` with `value` at `index`."""
    x = jnp.asarray(x)
    value = cast(value, x.dtype)
    if _is_mask(index):
        return _set_where(x, index, value)
    if index is Ellipsis:
        return jnp.broadcast_to(_without_extra_axes(value, x.ndim), x.shape)
    index = _checked(trace, x.shape, index)
    room = jax.eval_shape(lambda a: a[index], x)
    value = _without_extra_axes(value, room.ndim)
    if value.ndim and any(isinstance(p, jax.Array | np.ndarray) for p in index):
        return _set_in_order(x, index, jnp.broadcast_to(value, room.shape))
    return x.at[index].set(value, mode="promise_in_bounds")


def _set_in_order(x: Any, index: Any, value: Any) -> Any:
    """Of several values for one place the last stays, as in NumPy; XLA promises no order."""
    numbers = jnp.arange(value.size).reshape(value.shape)
    last = jnp.full(x.shape, -1).at[index].max(numbers, mode="promise_in_bounds")
    return jnp.where(last < 0, x, value.reshape(-1)[jnp.maximum(last, 0)]) if value.size else x


def add_at(trace: Any, x: Any, index: Any, value: Any) -> Any:
    """`numpy.add.at`, with a new array for a result."""
    x = jnp.asarray(x)
    if _is_mask(index):
        return x + _set_where(jnp.zeros_like(x), index, jnp.asarray(cast(value, x.dtype)))
    index = _checked(trace, x.shape, index)
    return x.at[index].add(cast(value, x.dtype), mode="promise_in_bounds")


def put(trace: Any, g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros, plus `g` at `index`."""
    g = jnp.asarray(g)
    if _is_mask(index):
        return _set_where(jnp.zeros(shape, g.dtype), index, g)
    index = _checked(trace, shape, index)
    return jnp.zeros(shape, g.dtype).at[index].add(g, mode="promise_in_bounds")


def _parts(index: Any) -> tuple[Any, ...]:
    return index if isinstance(index, tuple) else (index,)


def _is_dynamic(index: Any) -> bool:
    return any(isinstance(p, jax.Array) for p in _parts(index))


def _is_mask(index: Any) -> bool:
    return isinstance(index, jax.Array) and index.dtype == bool


def _set_where(x: Any, mask: Any, value: Any) -> Any:
    if value.ndim:
        raise _unknown_length()
    return jnp.where(_spread(mask, x.ndim), value, x)


def _spread(mask: Any, ndim: int) -> Any:
    return mask.reshape(mask.shape + (1,) * (ndim - mask.ndim))


def _unknown_length() -> CompilationError:
    return CompilationError(
        "compile: an array is indexed by a truth value for each element, and how many are true is "
        "known only when the compiled program runs. Use np.where(mask, x, 0); x[mask] = number "
        "can be compiled."
    )


def _without_extra_axes(value: Any, ndim: int) -> Any:
    """NumPy drops leading axes of length 1 on the way in."""
    extra = value.ndim - ndim
    return value.reshape(value.shape[extra:]) if extra > 0 else value


def _checked(trace: Any, shape: tuple[int, ...], index: Any) -> Any:
    """The index with non-negative places, after a note on whether these are within bounds."""
    parts = [np.asarray(p) if isinstance(p, list) else p for p in _parts(index)]
    _try(shape, parts)
    if any(isinstance(p, jax.Array) and p.dtype == bool for p in parts):
        raise _unknown_length()
    if not _is_dynamic(tuple(parts)):
        return tuple(parts)
    axis, places = 0, []
    taken = sum(_axes_of(p) for p in parts)
    for part in parts:
        if part is Ellipsis:
            axis += len(shape) - taken
        if isinstance(part, jax.Array):
            part = _bounded(trace, part, shape[axis])
        elif isinstance(part, np.ndarray) and part.dtype.kind in "iu":
            part = np.where(part < 0, part + shape[axis], part)
        axis += _axes_of(part)
        places.append(part)
    return tuple(places)


def _try(shape: tuple[int, ...], parts: list[Any]) -> None:
    """Let NumPy raise its errors about what is known of an index."""
    known = tuple(
        np.zeros(p.shape, bool if p.dtype == bool else int) if isinstance(p, jax.Array) else p
        for p in parts
    )
    if all(shape):  # in an array without elements, no index is in bounds, not even an unknown one
        np.broadcast_to(False, shape)[known]


def _axes_of(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype == bool else 1


def _bounded(trace: Any, places: Any, length: int) -> Any:
    if places.dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type")
    if trace.below.get(id(places), (None, length + 1))[1] <= length:
        return places
    key = (id(places), length)
    if key not in trace.places:
        trace.within.append(jnp.all((places >= -length) & (places < length)))
        counted = jnp.where(places < 0, places + length, places)
        trace.places[key] = (places, counted)  # which keeps the id from being given again
    return trace.places[key][1]


LOWERINGS["_get_item"] = get
LOWERINGS["_set_item"] = set_
LOWERINGS["_put"] = put
LOWERINGS["_added_at"] = add_at
