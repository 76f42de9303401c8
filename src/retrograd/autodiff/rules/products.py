"""Products of vectors, matrices and tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import (
    Primitive,
    match,
    multilinear,
    primitive_for,
    shape_of,
    stands_for,
)
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.rules.matrix_parts import transposed
from retrograd.autodiff.stacked import Stacking
from retrograd.autodiff.ufunc_methods import delivered
from retrograd.errors import ArgumentError

# From this many rows on, and with so many times more of them than columns, a matrix is tall; from
# this many elements on, the zeros that `np.dot` begins with cost more than `np.matmul`'s checks.
_ROWS, _TIMES, _LARGE = 128, 4, 1 << 13

dot = primitive_for(np.dot)


def _transposed_times(x: Any, y: Any) -> Any:
    """`x.T @ y`; in doubles, a tall one is quicker as the transpose of a wide one and a copy."""
    rows, columns = x.shape[1], y.shape[1]
    if rows * columns < _LARGE or not (type(x) is np.ndarray is type(y)):
        return np.dot(x.T, y)
    if rows >= max(_ROWS, _TIMES * columns) and x.dtype == np.float64:
        return np.ascontiguousarray(np.matmul(y.T, x).T)
    return np.matmul(x.T, y)


def _times_transposed(x: Any, y: Any) -> Any:
    """`x @ y.T`."""
    return np.dot(x, y.T)


# The products that come about where products are differentiated, each as one operation.
transposed_times = multilinear(
    Primitive(_transposed_times),
    lambda g, ans, x, y: match(times_transposed(y, g), x),
    lambda g, ans, x, y: match(dot(x, g), y),
)
times_transposed = multilinear(
    Primitive(_times_transposed),
    lambda g, ans, x, y: match(dot(g, y), x),
    lambda g, ans, x, y: match(transposed_times(g, x), y),
)


def _are_matrices(x: Any, y: Any) -> bool:
    return getattr(x, "ndim", 0) == 2 == getattr(y, "ndim", 0)


def _along_rows(g: Any, y: Any) -> Any:
    """`times_transposed`, without its detour where nothing is traced."""
    return np.dot(g, y.T) if type(g) is np.ndarray is type(y) else times_transposed(g, y)


def _matmul_left(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if _are_matrices(x, y):
        return match(_along_rows(g, y), x)
    if np.ndim(y) == 1:
        return match(np.expand_dims(g, -1) * y, x)
    if np.ndim(x) == 1:
        g = np.expand_dims(g, -2)
        return match(np.squeeze(g @ transposed(y), -2), x)
    return match(g @ transposed(y), x)


def _matmul_right(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if _are_matrices(x, y):
        return match(transposed_times(x, g), y)
    if np.ndim(x) == 1:
        return match(x * g if np.ndim(y) == 1 else np.expand_dims(x, -1) * np.expand_dims(g, -2), y)
    if np.ndim(y) == 1:
        g = np.expand_dims(g, -1)
        return match(np.squeeze(transposed(x) @ g, -1), y)
    return match(transposed(x) @ g, y)


def _dot_left(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if _are_matrices(x, y):
        return match(_along_rows(g, y), x)
    if np.ndim(x) == 0 or np.ndim(y) == 0:
        return match(g * y, x)
    others = [i for i in range(np.ndim(y)) if i != max(np.ndim(y) - 2, 0)]
    lead = np.ndim(x) - 1
    return match(np.tensordot(g, y, (list(range(lead, np.ndim(g))), others)), x)


def _dot_right(g: Any, ans: Any, x: Any, y: Any) -> Any:
    if _are_matrices(x, y):
        return match(transposed_times(x, g), y)
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


def _stackable(rows: int, left: int, right: int) -> bool:
    """Whether the factors of a product `left.T @ right` are smaller than the product."""
    return rows * (left + right) <= left * right


def _are_alike(g: Any, x: Any, y: Any) -> bool:
    """Whether all are arrays of one dtype; an operand may be a list."""
    return getattr(x, "dtype", None) is g.dtype is getattr(y, "dtype", None)


def _left_factors(g: Any, ans: Any, x: Any, y: Any) -> tuple[Any, Any] | None:
    """What the cotangent of `x` in `x @ y` is made of, by rows."""
    shape, other = shape_of(x), shape_of(y)
    if len(shape) != 2 or not other or not _are_alike(g, x, y):
        return None
    if len(other) == 1:
        return g, y
    return (g.T, y.T) if len(other) == 2 and _stackable(other[1], *shape) else None


def _right_factors(g: Any, ans: Any, x: Any, y: Any) -> tuple[Any, Any] | None:
    """What the cotangent of `y` in `x @ y` is made of, by rows."""
    shape, other = shape_of(y), shape_of(x)
    if len(shape) != 2 or not other or not _are_alike(g, x, y):
        return None
    if len(other) == 1:
        return x, g
    return (x, g) if len(other) == 2 and _stackable(other[0], *shape) else None


_stacked_products = (
    Stacking(_left_factors, transposed_times),
    Stacking(_right_factors, transposed_times),
)
multilinear(np.matmul, _matmul_left, _matmul_right).stackings = _stacked_products
multilinear(np.dot, _dot_left, _dot_right).stackings = _stacked_products
multilinear(np.tensordot, _tensordot_left, _tensordot_right)
multilinear(
    np.outer,
    lambda g, ans, x, y: match(np.reshape(g @ np.ravel(y), np.shape(x)), x),
    lambda g, ans, x, y: match(np.reshape(np.ravel(x) @ g, np.shape(y)), y),
)


def _conjugated(x: Any) -> Any:
    return np.conj(x) if is_complex(x) else x


@stands_for(np.vdot)
def vdot(a: Any, b: Any) -> Any:
    """`numpy.vdot`: the inner product of two arrays as vectors, the first one conjugated."""
    return np.dot(_conjugated(np.ravel(as_array(a))), np.ravel(as_array(b)))


@stands_for(np.inner)
def inner(a: Any, b: Any) -> Any:
    """`numpy.inner`: sums over the last axes of both."""
    a, b = as_array(a), as_array(b)
    if np.ndim(a) == 0 or np.ndim(b) == 0:
        return a * b
    return np.tensordot(a, b, (-1, -1)) if np.ndim(b) > 2 else np.dot(a, np.transpose(b))


@stands_for(np.kron)
def kron(a: Any, b: Any) -> Any:
    """`numpy.kron`: every element of `a` times the whole of `b`, in any number of dimensions."""
    a, b = as_array(a), as_array(b)
    ndim = max(np.ndim(a), np.ndim(b))
    long_a, long_b = ((1,) * (ndim - np.ndim(x)) + np.shape(x) for x in (a, b))
    blocks = np.reshape(a, [n for length in long_a for n in (length, 1)])
    inside = np.reshape(b, [n for length in long_b for n in (1, length)])
    whole = [n * m for n, m in zip(long_a, long_b, strict=True)]
    return np.reshape(blocks * inside, whole)


def _core(function: Any, expand: Any, drop: int | tuple[int, int], *, conjugated: bool) -> None:
    """A product of vectors and matrices on the last axes, as a product of matrices."""

    def product(x1: Any, x2: Any, /, out: Any = None, *, axis: int = -1) -> Any:
        x1, x2 = as_array(x1), as_array(x2)
        if axis != -1:
            if function is not np.vecdot:
                raise TypeError(f"{function.__name__}: axis= needs a single axis of both operands")
            x1, x2 = np.moveaxis(x1, axis, -1), np.moveaxis(x2, axis, -1)
        x1, x2 = expand(_conjugated(x1) if conjugated else x1, x2)
        found = np.squeeze(np.matmul(x1, x2), drop)
        return delivered(found if np.ndim(found) else found[()], out)

    product.__name__ = function.__name__
    stands_for(function)(product)


_core(np.vecdot, lambda x, y: (x[..., None, :], y[..., :, None]), (-2, -1), conjugated=True)
if hasattr(np, "matvec"):  # since NumPy 2.2
    _core(np.matvec, lambda x, y: (x, y[..., :, None]), -1, conjugated=False)
    _core(np.vecmat, lambda x, y: (x[..., None, :], y), -2, conjugated=True)


def _with_last(x: Any, axis: int) -> Any:
    """An array of the shape and dtype of `x`, whose values may be gone, with this axis last."""
    shape = list(shape_of(x))
    shape.append(shape.pop(axis))
    return np.broadcast_to(np.zeros((), x.dtype), shape)


def _cross_left(g: Any, ans: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1,
                axisc: int = -1) -> Any:  # fmt: skip
    pulled = np.cross(b, g, axisa=axisb, axisb=axisc)
    return np.moveaxis(match(pulled, _with_last(a, axisa)), -1, axisa)


def _cross_right(g: Any, ans: Any, a: Any, b: Any, axisa: int = -1, axisb: int = -1,
                 axisc: int = -1) -> Any:  # fmt: skip
    pulled = np.cross(g, a, axisa=axisc, axisb=axisa)
    return np.moveaxis(match(pulled, _with_last(b, axisb)), -1, axisb)


# Of vectors with three components.
_cross = multilinear(Primitive(np.cross), _cross_left, _cross_right)


@stands_for(np.cross)
def cross(
    a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """`numpy.cross`: a vector with two components is one in the plane of the first two."""
    if axis is not None:
        axisa = axisb = axisc = axis
    a, b = as_array(a), as_array(b)
    long_a, long_b = np.shape(a)[axisa], np.shape(b)[axisb]
    if not {long_a, long_b} <= _LENGTHS:
        raise ArgumentError(
            f"cross: vectors of {long_a} and {long_b} components were given; give 3 of each"
        )
    a, b = _with_three(a, axisa), _with_three(b, axisb)
    if long_a == long_b == 2:
        return _cross(a, b, axisa, axisb, -1)[..., 2]
    return _cross(a, b, axisa, axisb, axisc)


# NumPy takes vectors in the plane until version 2.5.
_LENGTHS = {3} if np.lib.NumpyVersion(np.__version__) >= "2.5.0" else {2, 3}


def _with_three(x: Any, axis: int) -> Any:
    shape = np.shape(x)
    if shape[axis] == 3:
        return x
    axis %= len(shape)
    zeros = np.zeros((*shape[:axis], 1, *shape[axis + 1 :]), x.dtype)
    return np.concatenate([x, zeros], axis)
