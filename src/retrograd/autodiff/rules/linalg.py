"""Inverses, determinants, linear equations, and `numpy.linalg`'s products of matrices."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import floats, is_complex
from retrograd.autodiff.primitive import Primitive, constant, match, rule, shape_of, stands_for
from retrograd.autodiff.rules.matrix_parts import adjoint, identity, transposed
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError, NonFiniteError

la = np.linalg


def _inv_vjp(g: Any, ans: Any, a: Any) -> Any:
    turned = transposed(ans)
    return -(turned @ g @ turned)


rule(la.inv, [_inv_vjp], [lambda d, ans, a: -(ans @ d @ ans)])


def cofactors(det: Any, a: Any) -> Any:
    """The derivative of the determinant, also of singular matrices."""
    if shape_of(a)[-1] == 1:
        return np.ones(shape_of(a), a.dtype)
    plain = value_of(det)
    if isinstance(plain, np.ndarray | np.generic) and np.any(plain == 0):
        return transposed(_adjugate(a))
    return np.reshape(det, (*shape_of(det), 1, 1)) * transposed(la.inv(a))


def _adjugate(a: Any) -> Any:
    """By the algorithm of Faddeev and LeVerrier, which divides by whole numbers only.

    It is not as accurate as a factorisation, and therefore kept for singular matrices.
    """
    one = identity(a)
    n = one.shape[-1]
    power = np.broadcast_to(one, shape_of(a))
    for k in range(1, n):
        moved = a @ power
        power = moved - np.sum(moved * one, axis=(-1, -2), keepdims=True) / k * one
    return power if n % 2 else -power


rule(
    la.det,
    [lambda g, ans, a: np.reshape(g, (*shape_of(g), 1, 1)) * cofactors(ans, a)],
    [lambda d, ans, a: np.sum(cofactors(ans, a) * d, axis=(-1, -2))],
)


def _regular_inverse(ans: Any, a: Any) -> Any:
    plain = value_of(ans[1])
    if isinstance(plain, np.ndarray | np.generic) and np.any(plain == -np.inf):
        raise NonFiniteError(
            "slogdet: the matrix is singular, so the logarithm of its determinant has no "
            "derivative; use det, or add a multiple of the identity"
        )
    return la.inv(a)


def _slogdet_jvp(d: Any, ans: Any, a: Any) -> Any:
    relative = np.sum(transposed(_regular_inverse(ans, a)) * d, axis=(-1, -2))
    if not is_complex(a):
        return None, relative
    return 1j * ans[0] * np.imag(relative), np.real(relative)


def _slogdet_vjp(g: Any, ans: Any, a: Any) -> Any:
    inverse = transposed(_regular_inverse(ans, a))
    along_sign, along_log = g
    relative = 0 if along_log is None else along_log
    if is_complex(a) and along_sign is not None:
        relative = relative - 1j * np.real(1j * along_sign * ans[0])
    return np.reshape(relative, (*np.shape(relative), 1, 1)) * inverse


_slogdet = rule(Primitive(la.slogdet, outputs=True), [_slogdet_vjp], [_slogdet_jvp])
_SlogdetResult: Any = type(la.slogdet(np.eye(1)))


@stands_for(la.slogdet)
def slogdet(a: Any) -> Any:
    """`numpy.linalg.slogdet`."""
    return _SlogdetResult(*_slogdet(a))


def _solve(a: Any, b: Any) -> Any:
    return la.solve(a, b)


def _solve_vjp_a(g: Any, ans: Any, a: Any, b: Any) -> Any:
    return match(-(solve_matrices(transposed(a), g) @ transposed(ans)), a)


# With `b` a (stack of) matrices.
solve_matrices = rule(
    Primitive(_solve),
    [
        _solve_vjp_a,
        lambda g, ans, a, b: match(solve_matrices(transposed(a), g), b),
    ],
    [
        lambda d, ans, a, b: -solve_matrices(a, d @ ans),
        lambda d, ans, a, b: solve_matrices(a, d),
    ],
)


@stands_for(la.solve)
def solve(a: Any, b: Any) -> Any:
    """`numpy.linalg.solve`; as in NumPy 2, `b` is a vector only if it has one axis."""
    a, b = floats(a), floats(b)
    if np.ndim(b) == 1:
        return np.squeeze(solve_matrices(a, np.expand_dims(b, -1)), -1)
    return solve_matrices(a, b)


@stands_for(la.tensorsolve)
def tensorsolve(a: Any, b: Any, axes: Any = None) -> Any:
    """`numpy.linalg.tensorsolve`."""
    a, b = floats(a), floats(b)
    if axes is not None:
        axes = [axis % np.ndim(a) for axis in axes]
        order = [axis for axis in range(np.ndim(a)) if axis not in axes] + axes
        a = np.transpose(a, order)
    shape = shape_of(a)[np.ndim(b) :]
    matrix = np.reshape(a, (-1, math.prod(shape)))
    return np.reshape(la.solve(matrix, np.ravel(b)), shape)


@stands_for(la.tensorinv)
def tensorinv(a: Any, ind: int = 2) -> Any:
    """`numpy.linalg.tensorinv`."""
    shape = shape_of(a)
    matrix = np.reshape(a, (math.prod(shape[:ind]), -1))
    return np.reshape(la.inv(matrix), shape[ind:] + shape[:ind])


def _pinv(a: Any, tolerance: dict[str, Any]) -> Any:
    return la.pinv(a, **tolerance)


def _pinv_jvp(d: Any, ans: Any, a: Any, tolerance: dict[str, Any]) -> Any:
    # Golub and Pereyra, "The differentiation of pseudo-inverses" (1973), equation 4.12.
    turned, back = adjoint(d), adjoint(ans)
    along = -(ans @ d @ ans)
    rows = ans @ (back @ (turned - turned @ a @ ans))
    columns = (turned - ans @ a @ turned) @ back @ ans
    return along + rows + columns


pinv_of = rule(Primitive(_pinv), jvps=[_pinv_jvp])


@stands_for(la.pinv)
def pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = np._NoValue) -> Any:
    """`numpy.linalg.pinv`.

    The derivative holds for perturbations that keep the rank: across a change of rank the
    pseudo-inverse is not continuous.
    """
    given = {"rcond": rcond, "rtol": rtol}
    tolerance = {k: value_of(v) for k, v in given.items() if v is not None and v is not np._NoValue}
    return pinv_of(a, {**tolerance, "hermitian": True} if hermitian else tolerance)


def _least_squares(a: Any, b: Any, rcond: Any) -> Any:
    return la.lstsq(a, b, rcond)[0]


def _least_squares_jvp(d: Any, ans: Any, a: Any, b: Any, rcond: Any) -> Any:
    inverse = _pinv_like_lstsq(a, rcond)
    residual = b - a @ ans
    along = -(inverse @ (d @ ans))
    rows = inverse @ (adjoint(inverse) @ (adjoint(d) @ residual))
    pulled = adjoint(d) @ (adjoint(inverse) @ ans)
    return along + rows + pulled - inverse @ (a @ pulled)


def _pinv_like_lstsq(a: Any, rcond: Any) -> Any:
    if rcond is None:
        rcond = float(np.finfo(a.dtype).eps) * max(shape_of(a))
    return pinv_of(a, {"rcond": rcond})


_solution = rule(
    Primitive(_least_squares),
    jvps=[
        _least_squares_jvp,
        lambda d, ans, a, b, rcond: _pinv_like_lstsq(a, rcond) @ d,
    ],
)


@stands_for(la.lstsq)
def lstsq(a: Any, b: Any, rcond: Any = None) -> Any:
    """`numpy.linalg.lstsq`: solution, residuals, rank and singular values; the rank is constant."""
    a, b = floats(a), floats(b)
    _, plain, rank, _ = la.lstsq(value_of(a), value_of(b), rcond)
    x = _solution(a, b, rcond)
    if plain.size:
        residual = b - a @ x
        sums = np.sum(np.real(residual * np.conj(residual)), axis=0)
        plain = np.reshape(sums, plain.shape)
    return x, plain, rank, la.svdvals(a)


@stands_for(la.matrix_power)
def matrix_power(a: Any, n: int) -> Any:
    """`numpy.linalg.matrix_power`, by repeated squaring."""
    n = operator.index(n)
    if np.ndim(a) < 2 or shape_of(a)[-1] != shape_of(a)[-2] or n == 0:
        return la.matrix_power(value_of(a), n)  # NumPy's error, or the identity
    if n < 0:
        return matrix_power(la.inv(a), -n)
    if n == 1:
        return np.copy(a)
    even = matrix_power(a @ a, n // 2)
    return even @ a if n % 2 else even


@stands_for(la.multi_dot)
def multi_dot(arrays: Sequence[Any]) -> Any:
    """`numpy.linalg.multi_dot`: the order of the products costs the fewest multiplications."""
    arrays = list(arrays)
    if len(arrays) < 2:
        raise ArgumentError(f"multi_dot: {len(arrays)} arrays were given; give two or more")
    shapes = [shape_of(x) for x in arrays]
    if len(shapes[0]) == 1:
        shapes[0] = (1, *shapes[0])
    sizes = [shape[0] for shape in shapes] + [shapes[-1][1] if len(shapes[-1]) > 1 else 1]
    return _multiplied(arrays, _cheapest_splits(sizes), 0, len(arrays))


def _cheapest_splits(sizes: list[int]) -> dict[tuple[int, int], int]:
    """Where to split the factors `start` to `stop` in two, by (start, stop)."""
    count = len(sizes) - 1
    cost: dict[tuple[int, int], int] = {(i, i + 1): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(2, count + 1):
        for start in range(count - length + 1):
            stop = start + length
            cost[start, stop], splits[start, stop] = min(
                (
                    cost[start, middle]
                    + cost[middle, stop]
                    + sizes[start] * sizes[middle] * sizes[stop],
                    middle,
                )
                for middle in range(start + 1, stop)
            )
    return splits


def _multiplied(
    arrays: Sequence[Any], splits: dict[tuple[int, int], int], start: int, stop: int
) -> Any:
    if stop == start + 1:
        return arrays[start]
    middle = splits[start, stop]
    left = _multiplied(arrays, splits, start, middle)
    return left @ _multiplied(arrays, splits, middle, stop)


@stands_for(la.matmul)
def matmul(x1: Any, x2: Any, /) -> Any:
    """`numpy.linalg.matmul`."""
    return np.matmul(x1, x2)


@stands_for(la.tensordot)
def tensordot(x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    """`numpy.linalg.tensordot`."""
    return np.tensordot(x1, x2, axes)


@stands_for(la.outer)
def outer(x1: Any, x2: Any, /) -> Any:
    """`numpy.linalg.outer`, of two vectors."""
    if np.ndim(x1) != 1 or np.ndim(x2) != 1:
        raise ArgumentError(
            f"outer: arrays of {np.ndim(x1)} and {np.ndim(x2)} axes were given; it takes vectors"
        )
    return np.outer(x1, x2)


@stands_for(la.vecdot)
def vecdot(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`numpy.linalg.vecdot`: the first vector is conjugated."""
    return np.sum(np.conj(x1) * x2, axis=axis)


@stands_for(la.matrix_transpose)
def matrix_transpose(x: Any, /) -> Any:
    """`numpy.linalg.matrix_transpose`."""
    return transposed(x)


@stands_for(la.diagonal)
def diagonal(x: Any, /, *, offset: int = 0) -> Any:
    """`numpy.linalg.diagonal`, of the last two axes."""
    return np.diagonal(x, offset, -2, -1)


@stands_for(la.trace)
def trace(x: Any, /, *, offset: int = 0, dtype: Any = None) -> Any:
    """`numpy.linalg.trace`, over the last two axes."""
    return np.trace(x, offset, -2, -1, dtype)


@stands_for(la.cross)
def cross(x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    """`numpy.linalg.cross`, of vectors of three elements."""
    lengths = shape_of(x1)[axis], shape_of(x2)[axis]
    if lengths != (3, 3):
        raise ArgumentError(
            f"cross: vectors of {lengths[0]} and {lengths[1]} elements were given; it takes "
            "vectors of 3 elements"
        )
    return np.cross(x1, x2, axis=axis)


constant(la.matrix_rank)
