"""Reading and writing parts of arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.box import get_item, set_item
from retrograd.autodiff.primitive import linear, match, primitive_for, rule


def _put(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros, plus `g` at `index`; an index that occurs twice adds twice."""
    g = np.asarray(g)
    placed = np.zeros(shape, dtype=g.dtype)
    if _repeats_nothing(index):
        placed[index] = g
    elif isinstance(index, tuple) and _is_flat(index, len(shape)):
        return _put_flat(g, np.ravel_multi_index(index, shape, mode="wrap"), shape)
    else:
        np.add.at(placed, index, g)
    return placed


def _is_flat(index: tuple[Any, ...], ndim: int) -> bool:
    """Whether the index is one integer array for each axis, all of one shape."""
    return len(index) == ndim and all(
        isinstance(p, np.ndarray) and p.dtype.kind == "i" and p.shape == index[0].shape
        for p in index
    )


def _put_flat(g: Any, places: Any, shape: tuple[int, ...]) -> Any:
    """`_put` by counting, which is several times faster than `np.add.at`."""
    size = math.prod(shape)
    counted = [
        np.bincount(places.ravel(), weights=part.ravel(), minlength=size)
        for part in ((g.real, g.imag) if g.dtype.kind == "c" else (g,))
    ]
    total = counted[0] if len(counted) == 1 else counted[0] + 1j * counted[1]
    return total.reshape(shape).astype(g.dtype, copy=False)


def _repeats_nothing(index: Any) -> bool:
    """Whether no element can occur twice: slices, numbers and masks."""
    parts = index if isinstance(index, tuple) else (index,)
    return all(
        p is None
        or p is Ellipsis
        or isinstance(p, int | np.integer | np.bool_ | slice)
        or (isinstance(p, np.ndarray) and p.dtype.kind == "b")
        for p in parts
    )


def _last_write(index: Any, shape: tuple[int, ...]) -> Any:
    """Which of the written values survive: of several at one place NumPy keeps the last."""
    if _repeats_nothing(index):
        return True
    order = np.full(shape, -1)
    numbers = np.arange(np.size(order[index])).reshape(np.shape(order[index]))
    order[index] = numbers
    return order[index] == numbers


def _overwritten(g: Any, index: Any) -> Any:
    return set_item(g, index, 0)


def _written(g: Any, index: Any, value: Any) -> Any:
    kept = g[index] * _last_write(index, np.shape(g))
    extra = np.ndim(value) - np.ndim(kept)  # axes of length 1 that NumPy drops on the way in
    return match(np.reshape(kept, (1,) * extra + np.shape(kept)) if extra > 0 else kept, value)


def _placed(d: Any, ans: Any, index: Any) -> Any:
    return set_item(np.zeros(np.shape(ans), ans.dtype), index, d)


put = primitive_for(_put)
linear(_put, lambda g, ans, x, index, shape: g[index])
linear(get_item.function, lambda g, ans, x, index: put(g, index, np.shape(x)))
rule(
    set_item.function,
    vjps=[
        lambda g, ans, x, index, value: match(_overwritten(g, index), x),
        lambda g, ans, x, index, value: None,
        lambda g, ans, x, index, value: _written(g, index, value),
    ],
    jvps=[
        lambda d, ans, x, index, value: set_item(d, index, 0),
        lambda d, ans, x, index, value: None,
        lambda d, ans, x, index, value: _placed(d, ans, index),
    ],
)
