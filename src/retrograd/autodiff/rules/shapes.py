"""Functions that show the elements of an array in another shape or order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.box import view
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import constant, has_traced, linear, match, rule, stands_for
from retrograd.autodiff.rules.joining import asarray
from retrograd.autodiff.trace import stand_in_of
from retrograd.errors import ArgumentError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Sequence


def _back(new: Any, base: Any, shape: Any = None, order: Any = "C", **kwargs: Any) -> Any:
    """Undo a reshape: the elements in the same order, in the shape of `base`."""
    return np.reshape(new, np.shape(base), order=_order(base, order))


def _order(base: Any, order: str) -> Any:
    """The order in which the elements of `base` are read, whatever its layout: C or F."""
    if order in ("A", "K"):  # the order of the elements in memory
        flags = np.asarray(stand_in_of(base)).flags
        # A trace may have copied the caller's array; of one that has become contiguous in the
        # order of Fortran only, nobody knows whether it was so before, and "A" asks that.
        if not flags.forc or (order == "A" and flags.fnc):
            raise MissingRuleError(
                f"reshape, ravel: no derivative rule covers order={order!r} of an array that is "
                "not contiguous in the order of C; use order='C' or 'F'"
            )
        return "F" if flags.fnc else "C"
    return order


def _untransposed(g: Any, axes: Any = None) -> Any:
    if axes is None:
        return np.transpose(g)
    return np.transpose(g, np.argsort([a % len(axes) for a in axes]))


def _refused(base: Any, new: Any, *args: Any, **kwargs: Any) -> Any:
    raise ArgumentError(
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
    vjps=[lambda g, ans, x, shape=None, order="C", *, copy=None: _back(g, x, shape, order)],
    jvps=[
        lambda d, ans, x, shape=None, order="C", *, copy=None: np.reshape(
            d, np.shape(ans), order=_order(x, order)
        )
    ],
)
rule(
    np.ravel,
    vjps=[lambda g, ans, x, order="C": _back(g, x, order=order)],
    jvps=[lambda d, ans, x, order="C": np.ravel(d, _order(x, order))],
)


def _roll(a: Any, shift: Any, axis: Any = None) -> Any:
    """`numpy.roll`, several times faster for small arrays along one axis."""
    if type(a) is not np.ndarray or type(shift) is not int or type(axis) is not int or not a.size:
        return np.roll(a, shift, axis)
    length = a.shape[axis]
    shift %= length
    before = (slice(None),) * (axis % a.ndim)
    ahead, behind = (*before, slice(length - shift, None)), (*before, slice(length - shift))
    return np.concatenate((a[ahead], a[behind]), axis)


def _unrolled(g: Any, shift: Any, axis: Any) -> Any:
    if type(g) is np.ndarray and type(shift) is int:
        return _roll(g, -shift, axis)
    return np.roll(g, np.negative(shift), axis)


linear(np.squeeze, lambda g, ans, x, axis=None: np.reshape(g, np.shape(x)))
linear(np.expand_dims, lambda g, ans, x, axis: np.reshape(g, np.shape(x)))
linear(np.transpose, lambda g, ans, x, axes=None: _untransposed(g, axes))
linear(np.swapaxes, lambda g, ans, x, axis1, axis2: np.swapaxes(g, axis1, axis2))
linear(
    np.moveaxis,
    lambda g, ans, x, source, destination: np.moveaxis(g, destination, source),
)
linear(np.broadcast_to, lambda g, ans, x, shape, subok=False: match(g, x))
linear(np.roll, lambda g, ans, x, shift, axis=None: _unrolled(g, shift, axis)).evaluate = _roll
linear(np.flip, lambda g, ans, x, axis=None: np.flip(g, axis))


def _with_ndim(function: Any, places: Sequence[int]) -> None:
    """`atleast_nd`: arrays with fewer axes than `places` get axes of length 1 around theirs.

    `places[k]` is where the axes of an array with `k` axes begin.
    """

    def at_least(x: Any) -> Any:
        shape = np.shape(x)
        if len(shape) >= len(places):
            return asarray(x)
        lead = places[len(shape)]
        return np.reshape(x, (1,) * lead + shape + (1,) * (len(places) - lead - len(shape)))

    def atleast(*arys: Any) -> Any:
        found = tuple(at_least(x) for x in arys)
        return found[0] if len(found) == 1 else found

    atleast.__name__ = function.__name__
    stands_for(function)(atleast)


_with_ndim(np.atleast_1d, (0,))
_with_ndim(np.atleast_2d, (0, 1))
_with_ndim(np.atleast_3d, (0, 1, 0))


@stands_for(np.matrix_transpose)
def matrix_transpose(x: Any) -> Any:
    """`numpy.matrix_transpose`: the last two axes change places."""
    _require_axes("matrix_transpose", x, 2)
    return np.swapaxes(x, -1, -2)


def _require_axes(name: str, x: Any, least: int) -> None:
    if np.ndim(x) < least:
        raise ArgumentError(
            f"{name}: an array of shape {np.shape(x)} was given; it needs at least {least} axes "
            "(np.atleast_2d adds them)"
        )


@stands_for(np.rollaxis)
def rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    """`numpy.rollaxis`: the axis is put before the one that was at `start`."""
    ndim = np.ndim(a)
    axis = normalize_axis_index(axis, ndim)
    start = normalize_axis_index(start, ndim + 1) if start >= 0 else start + ndim
    return np.moveaxis(a, axis, start - 1 if axis < start else start)


@stands_for(np.fliplr)
def fliplr(m: Any) -> Any:
    """`numpy.fliplr`."""
    _require_axes("fliplr", m, 2)
    return np.flip(m, 1)


@stands_for(np.flipud)
def flipud(m: Any) -> Any:
    """`numpy.flipud`."""
    _require_axes("flipud", m, 1)
    return np.flip(m, 0)


@stands_for(np.rot90)
def rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    """`numpy.rot90`: quarter turns from the first of the axes towards the second."""
    first, second = (normalize_axis_index(axis, np.ndim(m)) for axis in axes)
    if first == second:
        raise ArgumentError(f"rot90: axes={axes!r} was given; name two different axes")
    k %= 4
    if k == 0:
        return m[:]
    if k == 2:
        return np.flip(m, (first, second))
    if k == 1:
        return np.swapaxes(np.flip(m, second), first, second)
    return np.flip(np.swapaxes(m, first, second), second)


@stands_for(np.broadcast_arrays)
def broadcast_arrays(*args: Any, subok: bool = False) -> Any:
    """`numpy.broadcast_arrays`."""
    shape = np.broadcast_shapes(*map(np.shape, args))
    return tuple(x if np.shape(x) == shape else np.broadcast_to(x, shape) for x in args)


@stands_for(np.meshgrid)
def meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: Any = "xy") -> Any:
    """`numpy.meshgrid`."""
    plain = np.meshgrid(*map(stand_in_of, xi), sparse=True, indexing=indexing)
    thin = [np.reshape(x, p.shape) for x, p in zip(xi, plain, strict=True)]
    if not sparse:
        shape = np.broadcast_shapes(*[p.shape for p in plain])
        thin = [np.broadcast_to(x, shape) for x in thin]
    return tuple(np.copy(x) for x in thin) if copy else tuple(thin)


@stands_for(np.ix_)
def ix_(*args: Any) -> Any:
    """`numpy.ix_`: each array along an axis of its own."""
    plain = np.ix_(*map(stand_in_of, args))
    return tuple(
        np.reshape(x, p.shape) if has_traced(x) else p for x, p in zip(args, plain, strict=True)
    )


constant(np.shape, np.ndim, np.size)


def _plainly(*functions: Any) -> None:
    """Functions of shapes, dtypes or memory alone: they see the plain arrays."""
    for function in functions:
        WITHOUT_RULE[function] = _on_stand_ins(function)


def _on_stand_ins(function: Any) -> Any:
    return lambda *args, **kwargs: function(*map(stand_in_of, args), **kwargs)


_plainly(
    np.shares_memory, np.may_share_memory, np.tril_indices_from, np.triu_indices_from,
    np.diag_indices_from, np.common_type, np.min_scalar_type, np.can_cast,
)  # fmt: skip
