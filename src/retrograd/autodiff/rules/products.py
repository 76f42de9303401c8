"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.primitive import match, multilinear, shape_of


def _t(x: Any) -> Any:
    return np.swapaxes(x, -1, -2)


def _matmul_left(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if len(shape_of(x)) == 2 and len(shape_of(y)) == 2:
        return match(g @ y.T, x)
    if np.ndim(y) == 1:
        return match(np.expand_dims(g, -1) * y, x)
    if np.ndim(x) == 1:
        g = np.expand_dims(g, -2)
        return match(np.squeeze(g @ _t(y), -2), x)
    return match(g @ _t(y), x)


def _matmul_right(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if len(shape_of(x)) == 2 and len(shape_of(y)) == 2:
        return match(x.T @ g, y)
    if np.ndim(x) == 1:
        return match(x * g if np.ndim(y) == 1 else np.expand_dims(x, -1) * np.expand_dims(g, -2), y)
    if np.ndim(y) == 1:
        g = np.expand_dims(g, -1)
        return match(np.squeeze(_t(x) @ g, -1), y)
    return match(_t(x) @ g, y)


def _dot_left(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return match(g * y, x)
    others = [i for i in range(np.ndim(y)) if i != max(np.ndim(y) - 2, 0)]
    lead = np.ndim(x) - 1
    return match(np.tensordot(g, y, (list(range(lead, np.ndim(g))), others)), x)


def _dot_right(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return match(g * x, y)
    lead = list(range(np.ndim(x) - 1))
    summed = np.tensordot(x, g, (lead, lead))  # the contracted axis comes first
    return match(np.moveaxis(summed, 0, max(np.ndim(y) - 2, 0)), y)


def _tensordot_axes(x: Any, y: Any, axes: Any) -> tuple[list[int], list[int]]:
    if np.ndim(axes) == 0:
        n = int(axes)
        return list(range(np.ndim(x) - n, np.ndim(x))), list(range(n))
    over_x, over_y = (np.atleast_1d(a).tolist() for a in axes)
    return [a % np.ndim(x) for a in over_x], [a % np.ndim(y) for a in over_y]


def _tensordot_left(g: Any, ans: Any, x: Any, y: Any, axes: Any = 2) -> Any:
    over_x, over_y = _tensordot_axes(x, y, axes)
    kept_x = [i for i in range(np.ndim(x)) if i not in over_x]
    kept_y = [i for i in range(np.ndim(y)) if i not in over_y]
    raw = np.tensordot(g, y, (list(range(len(kept_x), np.ndim(g))), kept_y))
    # raw's axes: the kept ones of x, then the contracted ones in the order they have in y
    order = kept_x + [over_x[over_y.index(a)] for a in sorted(over_y)]
    return match(np.transpose(raw, np.argsort(order)), x)


def _tensordot_right(g: Any, ans: Any, x: Any, y: Any, axes: Any = 2) -> Any:
    over_x, over_y = _tensordot_axes(x, y, axes)
    kept_x = [i for i in range(np.ndim(x)) if i not in over_x]
    kept_y = [i for i in range(np.ndim(y)) if i not in over_y]
    raw = np.tensordot(x, g, (kept_x, list(range(len(kept_x)))))
    order = [over_y[over_x.index(a)] for a in sorted(over_x)] + kept_y
    return match(np.transpose(raw, np.argsort(order)), y)


multilinear(np.matmul, _matmul_left, _matmul_right)
multilinear(np.dot, _dot_left, _dot_right)
multilinear(np.tensordot, _tensordot_left, _tensordot_right)
multilinear(
    np.outer,
    lambda g, ans, x, y: np.reshape(g @ np.ravel(y), np.shape(x)),
    lambda g, ans, x, y: np.reshape(np.ravel(x) @ g, np.shape(y)),
)
