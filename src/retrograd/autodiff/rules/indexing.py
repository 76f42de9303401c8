"""Reading and writing parts of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.box import get_item, set_item
from retrograd.autodiff.primitive import linear, match, primitive_for, rule


def _put(g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """Zeros, plus `g` at `index`; an index that occurs twice adds twice."""
    placed = np.zeros(shape, dtype=g.dtype)
    if _is_basic(index):
        placed[index] = g
    else:
        np.add.at(placed, index, g)
    return placed


def _is_basic(index: Any) -> bool:
    parts = index if isinstance(index, tuple) else (index,)
    return all(p is None or p is Ellipsis or isinstance(p, int | np.integer | slice) for p in parts)


def _last_write(index: Any, shape: tuple[int, ...]) -> Any:
    """Which of the written values survive: of several at one place NumPy keeps the last."""
    if _is_basic(index):
        return True
    order = np.full(shape, -1)
    numbers = np.arange(np.size(order[index])).reshape(np.shape(order[index]))
    order[index] = numbers
    return order[index] == numbers


def _overwritten(g: Any, index: Any) -> Any:
    return set_item(g, index, 0)


def _written(g: Any, index: Any, value: Any) -> Any:
    return match(g[index] * _last_write(index, np.shape(g)), value)


def _placed(d: Any, ans: Any, index: Any) -> Any:
    return set_item(np.zeros(np.shape(ans)), index, d)


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
