"""Norms of vectors and matrices, and condition numbers.

At zero, and where an element of a p-norm is zero, the derivative is the subgradient 0; where
several elements are the largest, it is split evenly.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.axes import checked_axes
from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import Primitive, rule, shape_of, stands_for
from retrograd.autodiff.rules.matrix_parts import check_full_rank
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import MissingRuleError

la = np.linalg


def _nonzero(x: Any) -> Any:
    return np.where(value_of(x) == 0, 1, x)


def _euclidean(x: Any, axis: tuple[int, ...]) -> Any:
    squares = x.real * x.real + x.imag * x.imag if is_complex(x) else x * x
    return np.sqrt(np.sum(squares, axis=axis, keepdims=True))


def _direction(ans: Any, x: Any) -> Any:
    """Of a vector of length zero it is zero, and so are all its derivatives."""
    turned, size = np.conj(x) if is_complex(x) else x, value_of(ans)
    if isinstance(size, np.ndarray | float | np.floating) and np.all(size):
        return turned / ans
    return np.where(size == 0, 0, turned / _nonzero(ans))


# The norms keep the axes that they reduce.
euclidean = rule(
    Primitive(_euclidean),
    [lambda g, ans, x, axis: g * _direction(ans, x)],
    [lambda d, ans, x, axis: np.sum(np.real(d * _direction(ans, x)), axis=axis, keepdims=True)],
)


# All elements at once: the most frequent case.
length = rule(
    Primitive(la.norm),
    [lambda g, ans, x: g * _direction(ans, x)],
    [lambda d, ans, x: np.sum(np.real(d * _direction(ans, x)))],
)


def _power_norm(x: Any, p: float, axis: tuple[int, ...]) -> Any:
    return np.sum(np.abs(x) ** p, axis=axis, keepdims=True) ** (1 / p)


def _power_slope(ans: Any, x: Any, p: float) -> Any:
    """(|x|/ans)^(p-1) times the direction of x, and 0 at 0."""
    size = np.abs(x)
    zero = value_of(size) == 0
    size = np.where(zero, 1, size)
    slope = (size / _nonzero(ans)) ** (p - 1)
    unit = np.conj(x) / size if is_complex(x) else np.sign(x)
    return np.where(zero, 0, slope * unit)


power_norm = rule(
    Primitive(_power_norm),
    [lambda g, ans, x, p, axis: g * _power_slope(ans, x, p)],
    [lambda d, ans, x, p, axis: np.sum(
        np.real(d * _power_slope(ans, x, p)), axis=axis, keepdims=True
    )],
)  # fmt: skip


def _vector(x: Any, ord: Any, axis: tuple[int, ...]) -> Any:
    """The norm over some axes at once, which are kept."""
    if ord is None or ord == 2:
        return euclidean(x, axis)
    if ord == np.inf:
        return np.max(np.abs(x), axis=axis, keepdims=True, initial=0)
    if ord == -np.inf:
        return np.min(np.abs(x), axis=axis, keepdims=True)
    if ord == 0:
        counts = np.sum(value_of(x) != 0, axis=axis, keepdims=True)
        return counts.astype(np.abs(value_of(x)).dtype)
    if ord == 1:
        return np.sum(np.abs(x), axis=axis, keepdims=True)
    return power_norm(x, float(ord), axis)


def _matrix(x: Any, ord: Any, axis: tuple[int, int]) -> Any:
    """The matrix norm over two axes, which are kept."""
    rows, columns = axis
    if ord in (None, "fro", "f"):
        return euclidean(x, axis)
    if ord in (1, -1, np.inf, -np.inf):
        summed, compared = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = np.sum(np.abs(x), axis=summed, keepdims=True)
        if ord > 0:
            return np.max(sums, axis=compared, keepdims=True, initial=0)
        return np.min(sums, axis=compared, keepdims=True)
    s = la.svdvals(np.moveaxis(x, axis, (-2, -1)))
    return np.expand_dims(_of_singular_values(s, ord), axis)


def _of_singular_values(s: Any, ord: Any) -> Any:
    if ord == "nuc":
        return np.sum(s, axis=-1)
    return np.max(s, axis=-1, initial=0) if ord == 2 else np.min(s, axis=-1)


def _dropped(kept: Any, axis: tuple[int, ...], keepdims: bool) -> Any:
    if keepdims or not axis:
        return kept
    dropped = np.squeeze(kept, axis)
    return dropped if np.ndim(dropped) else dropped[()]


def _check(name: str, x: Any, order: Any, original: Any, *args: Any, **kwargs: Any) -> None:
    """Leave errors about orders and axes to NumPy, which gets an array of one element."""
    if isinstance(order, Traced):
        raise MissingRuleError(
            f"{name}: no derivative rule covers a traced ord; pass a plain number "
            "(retrograd.value_of)"
        )
    original(np.ones((1,) * np.ndim(x)), *args, **kwargs)


@stands_for(la.norm)
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """`numpy.linalg.norm`, of every order that NumPy knows."""
    if ord is None and axis is None and not keepdims:
        return length(x)
    if ord is not None or not isinstance(axis, int):
        _check("norm", x, ord, la.norm, ord, axis)
    axes = checked_axes(axis, np.ndim(x))
    is_matrix = ord is not None and len(axes) == 2
    kept = _matrix(x, ord, (axes[0], axes[1])) if is_matrix else _vector(x, ord, axes)
    return _dropped(kept, axes, keepdims)


@stands_for(la.vector_norm)
def vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Any:
    """`numpy.linalg.vector_norm`: all axes in `axis` make one vector."""
    _check("vector_norm", x, ord, la.vector_norm, axis=axis, ord=ord)
    axes = checked_axes(axis, np.ndim(x))
    return _dropped(_vector(x, ord, axes), axes, keepdims)


@stands_for(la.matrix_norm)
def matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Any:
    """`numpy.linalg.matrix_norm`, over the last two axes."""
    _check("matrix_norm", x, ord, la.matrix_norm, ord=ord)
    axes = (np.ndim(x) - 2, np.ndim(x) - 1)
    return _dropped(_matrix(x, ord, axes), axes, keepdims)


@stands_for(la.cond)
def cond(x: Any, p: Any = None) -> Any:
    """`numpy.linalg.cond`, in every norm, of matrices of full rank."""
    if 0 in shape_of(x) or np.ndim(x) < 2:
        la.cond(value_of(x), p)  # for NumPy's error
    check_full_rank("cond", la.svdvals(value_of(x)), shape_of(x))
    if p in (None, 2, -2):
        s = la.svdvals(x)
        largest, smallest = s[..., 0], s[..., -1]
        return smallest / largest if p == -2 else largest / smallest
    axes = (-2, -1)
    return norm(x, p, axes) * norm(la.inv(x), p, axes)


__all__ = ["cond", "euclidean", "matrix_norm", "norm", "power_norm", "vector_norm"]
