"""How each primitive treats the hidden first axis of a batch (`batch.py`).

    rule(call, values, own, kwargs) -> the result for all directions, or NotImplemented

`call` evaluates the primitive; `values` are its arguments, with the hidden axis where `own` says
so. A rule need not cover every case: NotImplemented means that directions are taken one by one.
"""

from __future__ import annotations

import operator
from functools import partial
from string import ascii_letters
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.batch import BATCHING, ELEMENTWISE
from retrograd.autodiff.box import OPERATORS, as_type, get_item, set_item
from retrograd.autodiff.primitive import Primitive, line_sums, shape_of
from retrograd.autodiff.rules.choices import choose
from retrograd.autodiff.rules.elementwise import tanh_slope
from retrograd.autodiff.rules.indexing import added_at, put
from retrograd.autodiff.rules.joining import joined
from retrograd.autodiff.rules.linalg import solve_matrices
from retrograd.autodiff.rules.products import times_transposed, transposed_times

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Call = Callable[..., Any]


def _seen(value: Any, mine: bool) -> tuple[int, ...]:
    """The shape that the program sees."""
    shape = shape_of(value)
    return shape[1:] if mine else shape


def _with_axes(value: Any, ndim: int) -> Any:
    """A batch with as many axes behind the hidden one as the operand with the most has."""
    shape = shape_of(value)
    missing = ndim + 1 - len(shape)
    if missing <= 0:
        return value
    return np.reshape(value, (shape[0], *(1,) * missing, *shape[1:]))


def _elementwise(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    if len(values) > 1:
        ndim = max(len(_seen(v, mine)) for v, mine in zip(values, own, strict=True))
        values = [_with_axes(v, ndim) if m else v for v, m in zip(values, own, strict=True)]
    return call(*values, **kwargs)


def _first_only(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Elementwise in the first argument; the others say how."""
    return NotImplemented if any(own[1:]) else call(*values, **kwargs)


def _like_first(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Elementwise, but the keywords may name a shape."""
    return NotImplemented if kwargs else call(*values)


def _shifted(axis: Any, ndim: int) -> Any:
    """Axes behind the hidden one; None is all of them."""
    if axis is None:
        return tuple(range(1, ndim + 1))
    if isinstance(axis, int | np.integer):
        return 1 + operator.index(axis) % ndim if ndim else 1
    return tuple(1 + operator.index(a) % ndim for a in axis)


def _argument(
    values: list[Any], kwargs: dict[str, Any], place: int, name: str, default: Any = None
) -> Any:
    return values[place] if len(values) > place else kwargs.get(name, default)


def _reduction(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Reductions, and what else takes `axis` as its second argument, None being all axes."""
    if len(values) > 2 or any(own[1:]) or not kwargs.keys() <= {"axis", "keepdims", "ddof"}:
        return NotImplemented
    x = values[0]
    kwargs = {
        **kwargs,
        "axis": _shifted(_argument(values, kwargs, 1, "axis"), len(shape_of(x)) - 1),
    }
    return call(x, **kwargs)


def _flattening(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Functions that lay an array out flat when their second argument, the axis, is None."""
    x, axis = values[0], _argument(values, kwargs, 1, "axis")
    if len(values) > 2 or any(own[1:]) or not kwargs.keys() <= {"axis"}:
        return NotImplemented
    if axis is None:
        return call(np.reshape(x, (shape_of(x)[0], -1)), axis=1)
    return call(x, axis=_shifted(axis, len(shape_of(x)) - 1))


def _roll(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    axis = _argument(values, kwargs, 2, "axis")
    if axis is None or len(values) < 2 or any(own[1:]):
        return NotImplemented
    return call(values[0], values[1], _shifted(axis, len(shape_of(values[0])) - 1))


def _reshape(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, shape = values[0], _argument(values, kwargs, 1, "shape")
    if _argument(values, kwargs, 2, "order", "C") != "C" or shape is None:
        return NotImplemented
    shape = (shape,) if isinstance(shape, int | np.integer) else tuple(shape)
    size = int(np.prod(shape_of(x)[1:], dtype=int))
    if -1 in shape:
        known = -int(np.prod(shape, dtype=int))
        shape = tuple((size // known if known else 0) if n == -1 else n for n in shape)
    return np.reshape(x, (shape_of(x)[0], *shape))


def _ravel(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    if _argument(values, kwargs, 1, "order", "C") != "C":
        return NotImplemented
    shape = shape_of(values[0])
    return np.reshape(values[0], (shape[0], int(np.prod(shape[1:], dtype=int))))


def _transpose(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, axes = values[0], _argument(values, kwargs, 1, "axes")
    ndim = len(shape_of(x)) - 1
    axes = range(ndim - 1, -1, -1) if axes is None else axes
    return np.transpose(x, (0, *(1 + a % ndim for a in axes)))


def _two_axes(
    names: tuple[str, str], call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]
) -> Any:
    """Functions of an array and of two axes, or two sequences of them."""
    ndim = len(shape_of(values[0])) - 1
    first, second = (_argument(values, kwargs, i + 1, name) for i, name in enumerate(names))
    return call(values[0], _shifted(first, ndim), _shifted(second, ndim))


def _expand_dims(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, axis = values[0], _argument(values, kwargs, 1, "axis")
    added = 1 if isinstance(axis, int | np.integer) else len(axis)
    return np.expand_dims(x, _shifted(axis, len(shape_of(x)) - 1 + added))


def _squeeze(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, axis = values[0], _argument(values, kwargs, 1, "axis")
    shape = shape_of(x)[1:]
    if axis is None:
        axis = tuple(i for i, n in enumerate(shape) if n == 1)
    return np.squeeze(x, _shifted(axis, len(shape)))


def _broadcast_to(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, shape = values[0], _argument(values, kwargs, 1, "shape")
    if kwargs.keys() - {"shape"}:
        return NotImplemented
    shape = (operator.index(shape),) if np.ndim(shape) == 0 else tuple(shape)
    return np.broadcast_to(_with_axes(x, len(shape)), (shape_of(x)[0], *shape))


def _whole_index(index: Any) -> tuple[Any, ...] | None:
    """An index behind the hidden axis; None if that axis would not stay the first.

    NumPy puts the axes of several index arrays in front when something stands between them.
    """
    parts = index if isinstance(index, tuple) else (index,)
    advanced = [not (p is None or p is Ellipsis or isinstance(p, slice)) for p in parts]
    arrays = [np.ndim(p) > 0 or isinstance(p, np.ndarray) for p in parts if _is_array_like(p)]
    if any(arrays):
        places = [i for i, one in enumerate(advanced) if one]
        if places[-1] - places[0] + 1 != len(places):
            return None
    if any(isinstance(p, bool | np.bool_) for p in parts):
        return None
    return (slice(None), *parts)


def _is_array_like(part: Any) -> bool:
    return isinstance(part, np.ndarray | list | tuple)


def _get_item(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    index = None if own[1] else _whole_index(values[1])
    return NotImplemented if index is None else call(values[0], index)


def _put(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    g, index, shape = values
    index = None if any(own[1:]) else _whole_index(index)
    return NotImplemented if index is None else call(g, index, (shape_of(g)[0], *shape))


def _set_item(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    x, index, value = values
    index = None if own[1] else _whole_index(index)
    if index is None:
        return NotImplemented
    if not own[0]:
        x = np.broadcast_to(x, (shape_of(value)[0], *shape_of(x)))
    elif own[2] and shape_of(x)[0] != shape_of(value)[0]:
        return NotImplemented
    if own[2]:
        place = np.broadcast_to(0, shape_of(x))[index].ndim - 1
        extra = len(shape_of(value)) - 1 - place  # axes of length 1 that NumPy drops
        if extra > 0:
            value = np.reshape(value, (shape_of(value)[0], *shape_of(value)[1 + extra :]))
        value = _with_axes(value, place)
    return call(x, index, value)


def _matmul(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """A product of stacks of matrices; vectors become matrices with one row or column."""
    x, y = values
    ndims = [len(_seen(v, mine)) for v, mine in zip(values, own, strict=True)]
    if kwargs or min(ndims) == 0:
        return NotImplemented
    if own == [True, False] and ndims[1] <= 2 and ndims[0] <= 2:
        return np.matmul(x, y)
    if own == [False, True] and ndims == [2, 1]:
        return np.matmul(y, np.transpose(x))
    if ndims[0] == 1:
        x = np.expand_dims(x, -2)
    if ndims[1] == 1:
        y = np.expand_dims(y, -1)
    ndim = max(2, *ndims)
    x, y = (_with_axes(v, ndim) if mine else v for v, mine in zip((x, y), own, strict=True))
    product = np.matmul(x, y)
    dropped = tuple(axis for axis, n in ((-2, ndims[0]), (-1, ndims[1])) if n == 1)
    return np.squeeze(product, dropped) if dropped else product


def _dot(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    ndims = [len(_seen(v, mine)) for v, mine in zip(values, own, strict=True)]
    if 0 in ndims:
        return _elementwise(np.multiply, values, own, kwargs)
    if max(ndims) <= 2:
        return _matmul(call, values, own, kwargs)
    axes = ([ndims[0] - 1], [max(ndims[1] - 2, 0)])
    return _contracted(values, own, axes)


def _transposed_times(
    call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]
) -> Any:
    x, y = values
    return _matmul(call, [np.swapaxes(x, -1, -2), y], own, kwargs)


def _times_transposed(
    call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]
) -> Any:
    x, y = values
    return _matmul(call, [x, np.swapaxes(y, -1, -2)], own, kwargs)


def _line_sums(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    return np.sum(values[0], axis=1 + values[1])


def _tensordot(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    if len(values) > 2 and any(own[2:]):
        return NotImplemented
    axes = _argument(values, kwargs, 2, "axes", 2)
    ndims = [len(_seen(v, mine)) for v, mine in zip(values, own, strict=False)][:2]
    if np.ndim(axes) == 0:
        n = operator.index(axes)
        pairs = [*range(ndims[0] - n, ndims[0])], [*range(n)]
    else:
        pairs = tuple(
            [a % n for a in np.atleast_1d(over)] for over, n in zip(axes, ndims, strict=True)
        )
    return _contracted(values, own, pairs)


def _contracted(values: list[Any], own: list[bool], axes: Sequence[Sequence[int]]) -> Any:
    """`tensordot` where one of the two is a batch; axes as the program counts them."""
    x, y = values[:2]
    over_x, over_y = ([int(a) + mine for a in over] for over, mine in zip(axes, own, strict=False))
    if all(own[:2]):
        return NotImplemented
    found = np.tensordot(x, y, (over_x, over_y))
    return found if own[0] else np.moveaxis(found, len(shape_of(x)) - len(over_x), 0)


def _outer(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    if kwargs:
        return NotImplemented
    x, y = (
        np.reshape(v, (shape_of(v)[0], -1)) if mine else np.reshape(v, (-1,))
        for v, mine in zip(values, own, strict=True)
    )
    return np.multiply(np.expand_dims(x, -1), np.expand_dims(y, -2))


def _einsum(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Subscripts of the form that rules/einsum.py gives them: a letter for each axis."""
    subscripts, *operands = values
    given, _, result = subscripts.partition("->")
    hidden = next((c for c in ascii_letters if c not in subscripts), None)
    if hidden is None:
        return NotImplemented
    parts = [hidden * mine + part for part, mine in zip(given.split(","), own[1:], strict=True)]
    return call(f"{','.join(parts)}->{hidden}{result}", *operands, **kwargs)


def _transform(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Fourier transforms over one axis, `(a, n, axis, norm)`."""
    x, axis = values[0], _argument(values, kwargs, 2, "axis", -1)
    n, norm = _argument(values, kwargs, 1, "n"), _argument(values, kwargs, 3, "norm")
    return call(x, n, _shifted(axis, len(shape_of(x)) - 1), norm)


def _transforms(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Fourier transforms over several axes, `(a, s, axes, norm)`."""
    x, axes = values[0], _argument(values, kwargs, 2, "axes")
    s, norm = _argument(values, kwargs, 1, "s"), _argument(values, kwargs, 3, "norm")
    if axes is None and s is not None:
        return NotImplemented
    return call(x, s, _shifted(axes, len(shape_of(x)) - 1), norm)


def _of_matrices(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Functions of matrices that take stacks of them, and repeat what is not stacked."""
    ndim = max(len(_seen(v, mine)) for v, mine in zip(values, own, strict=True))
    return call(*(_with_axes(v, ndim) if m else v for v, m in zip(values, own, strict=True)))


def _triangle(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    """Functions of matrices, and of stacks of them."""
    return NotImplemented if len(shape_of(values[0])) < 3 else call(*values, **kwargs)


def _joined(call: Call, values: list[Any], own: list[bool], kwargs: dict[str, Any]) -> Any:
    axis, *arrays = values
    size = next(shape_of(a)[0] for a, mine in zip(arrays, own[1:], strict=True) if mine)
    arrays = [
        a if mine else np.broadcast_to(a, (size, *shape_of(a)))
        for a, mine in zip(arrays, own[1:], strict=True)
    ]
    return call(axis + 1, *arrays)


def _state(rule: Callable[..., Any], *functions: Any) -> None:
    for function in functions:
        BATCHING[function.function if isinstance(function, Primitive) else function] = rule


_state(_elementwise, ELEMENTWISE, *OPERATORS.values(), choose, tanh_slope)
_state(_like_first, np.real, np.imag)
_state(_first_only, as_type, np.copy)
_state(_reduction, np.sum, np.mean, np.prod, np.max, np.min, np.std, np.var, np.flip)
_state(_flattening, np.cumsum)
_state(_roll, np.roll)
_state(_reshape, np.reshape)
_state(_ravel, np.ravel)
_state(_transpose, np.transpose)
_state(partial(_two_axes, ("axis1", "axis2")), np.swapaxes)
_state(partial(_two_axes, ("source", "destination")), np.moveaxis)
_state(_expand_dims, np.expand_dims)
_state(_squeeze, np.squeeze)
_state(_broadcast_to, np.broadcast_to)
_state(_get_item, get_item)
_state(_set_item, set_item, added_at)
_state(_put, put)
_state(_matmul, np.matmul, OPERATORS[np.matmul])
_state(_dot, np.dot)
_state(_transposed_times, transposed_times)
_state(_times_transposed, times_transposed)
_state(_line_sums, line_sums)
_state(_tensordot, np.tensordot)
_state(_outer, np.outer)
_state(_einsum, np.einsum)
_state(_transform, np.fft.fft, np.fft.ifft, np.fft.rfft, np.fft.irfft)
_state(_transforms, np.fft.fftn, np.fft.ifftn, np.fft.rfftn, np.fft.irfftn)
_state(_of_matrices, solve_matrices)
_state(_triangle, np.tril, np.triu)
_state(_joined, joined)
