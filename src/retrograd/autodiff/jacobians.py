"""Jacobians and Hessians: many directions of one recorded evaluation at once."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import records, tree
from retrograd.autodiff.arguments import Argnum, Chosen, named_as
from retrograd.autodiff.batch import Batch, BatchBox
from retrograd.autodiff.box import Box
from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.operators import check_holomorphic, grad, missing_rule
from retrograd.autodiff.primitive import shape_of
from retrograd.autodiff.records import Record
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import DifferentiationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Any]

# Elements up to which an array of many directions is worth it: beyond, the arithmetic costs more
# than the calls, and smaller arrays stay in the processor's cache.
_ELEMENTS = 1 << 16


def jacobian(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """All partial derivatives of a function of arrays.

    A complex argument needs a function that is complex-differentiable there.

    Args:
        f: a function whose result is an array of shape `S`, or a container of arrays.
        argnum: which argument, an array of shape `P` or a container of arrays; or several.
        has_aux: whether `f` returns `(result, aux)`; the new function returns `(jacobian, aux)`.

    Returns:
        A function whose result has shape `S + P`. Its rows are computed backwards or its columns
        forwards, whichever are fewer, many of them at once, from one evaluation of `f`. Of
        containers it is a container like the result, and in the place of each array of it one
        like the argument.

    Raises:
        DifferentiationError: argument or result hold no float array, or `f` is not
            complex-differentiable.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
        array([[3., 0., 1.],
               [0., 3., 2.]])
    """

    @named_as(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(f, argnum, args, kwargs)
        record = Record(chosen, chosen.values, has_aux=has_aux)
        blocks = [
            None if row is None else chosen.shaped(record.given.derivatives(row))
            for row in _matrix(record)
        ]
        found = tree.unflatten(record.result_structure, blocks)
        return (found, record.aux) if has_aux else found

    return matrix


def hessian(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """All second derivatives of a function with one real number as result.

    Arguments are those of `jacobian`, of which this is the one of the gradient.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
        array([[6., 2.],
               [2., 0.]])
    """
    gradient = grad(f, argnum, has_aux=has_aux)
    return named_as(f)(jacobian(gradient, argnum, has_aux=has_aux))


def tensor_jacobian_product(f: Function, argnum: Argnum = 0) -> Function:
    """The product of an array with the Jacobian, over the leading axes of the result.

    Returns:
        A function `(*args, tensor)`. For a result of shape `T + S`, a tensor of shape `T` and an
        argument of shape `P`, the product has shape `S + P`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> a = np.arange(6.0).reshape(2, 3)
        >>> rg.tensor_jacobian_product(lambda x: a @ x)(np.zeros(3), np.array([1.0, 2.0]))
        array([ 6.,  9., 12.])
    """

    @named_as(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *primals, tensor = args
        chosen = Chosen(f, argnum, primals, kwargs)

        def contracted(*values: Any) -> Any:
            return np.tensordot(tensor, chosen(*values), np.ndim(tensor))

        found = jacobian(contracted, range(len(chosen.places)))(*chosen.values)
        return chosen.shaped(found)

    return product


def _matrix(record: Record) -> list[list[Any] | None]:
    """The blocks of the Jacobian: for each result leaf one for each input; None of no float."""
    outputs = [y for y in record.values if records.carries(y)]
    if not outputs and record.values:
        raise DifferentiationError(
            "jacobian needs a function with float arrays as result, got "
            f"{records.described(record.values[0])}: return floats (y.astype(float))"
        )
    by_columns, by_rows = lambda: _by_columns(record), lambda: _by_rows(record)
    if any(map(is_complex, [*record.inputs, *outputs])):
        return by_columns()
    if sum(map(np.size, record.inputs)) < sum(map(np.size, outputs)):
        return missing_rule(by_columns, by_rows)
    return missing_rule(by_rows, by_columns)


def _by_columns(record: Record) -> list[list[Any] | None]:
    """The Jacobian by pushing the basis of each input forwards."""
    blocks: list[list[Any] | None] = [[] if records.carries(y) else None for y in record.values]
    for number, x in enumerate(record.inputs):
        columns = _pushed_basis(record, number, 1)
        if is_complex(x):
            for first, second in zip(columns, _pushed_basis(record, number, 1j), strict=True):
                if first is not None:
                    check_holomorphic(first, second, "jacobian")
        for block, y, column in zip(blocks, record.values, columns, strict=True):
            if block is not None:
                last = np.moveaxis(column, 0, -1)
                block.append(_owned(np.reshape(last, np.shape(y) + np.shape(x))))
    return blocks


def _pushed_basis(record: Record, number: int, factor: Any) -> list[Any]:
    """The tangents of every result along the basis of one input, stacked; None of no float."""

    def push(direction: Any) -> list[Any]:
        found = record.tape.push({number: direction if factor == 1 else direction * factor})
        return [None if node is None else found[node] for node in record.nodes]

    x = record.inputs[number]
    return _over_basis(record, x, push, record.values)


def _by_rows(record: Record) -> list[list[Any] | None]:
    """The Jacobian by pulling the basis of each result backwards."""
    blocks: list[list[Any] | None] = []
    for node, y in zip(record.nodes, record.values, strict=True):
        if not records.carries(y):
            blocks.append(None)
            continue

        def pull(direction: Any, node: Any = node) -> list[Any]:
            found = record.tape.pull({} if node is None else {node: direction})
            pulled = [found.get(i) for i in range(len(record.inputs))]
            return [
                None if g is None else records.match(g, x)
                for g, x in zip(pulled, record.inputs, strict=True)
            ]

        rows = _over_basis(record, y, pull, record.inputs)
        blocks.append(
            [
                _owned(np.reshape(row, np.shape(y) + np.shape(x)))
                for row, x in zip(rows, record.inputs, strict=True)
            ]
        )
    return blocks


def _over_basis(
    record: Record, x: Any, derivative: Callable[[Any], list[Any]], targets: list[Any]
) -> list[Any]:
    """A derivative along the whole basis of `x`: for each target, the directions stacked.

    Targets that are no floats get None.
    """
    size = np.size(value_of(x))
    batch = max(1, _ELEMENTS // max(1, _largest(record)))
    parts = [
        part for basis in _bases(x, batch) for part in _all_along(basis, x, derivative, targets)
    ]
    stacked: list[Any] = []
    for i, y in enumerate(targets):
        if not records.carries(y):
            stacked.append(None)
        elif not parts:
            stacked.append(np.zeros((size, *np.shape(y)), np.result_type(value_of(y))))
        else:
            stacked.append(
                parts[0][i] if len(parts) == 1 else np.concatenate([p[i] for p in parts])
            )
    return stacked


def _largest(record: Record) -> int:
    """The number of elements of the largest array on a tape."""
    entries = (entry[1] for entry in record.tape.entries if entry is not None)
    sizes = (math.prod(shape_of(ans)) for ans in entries if not isinstance(ans, tuple))
    return max([*sizes, *(math.prod(shape_of(x)) for x in record.inputs)], default=1)


def _bases(x: Any, batch: int) -> Iterator[Any]:
    """The basis vectors of the space of `x`, stacked, so many at a time."""
    plain = value_of(x)
    size = np.size(plain)
    for start in range(0, size, batch):
        count = min(batch, size - start)
        basis = np.zeros((count, size), np.result_type(plain))
        basis[np.arange(count), np.arange(start, start + count)] = 1
        yield basis.reshape((count, *np.shape(plain)))


def _all_along(
    basis: Any, x: Any, derivative: Callable[[Any], list[Any]], targets: list[Any]
) -> list[list[Any]]:
    """Derivatives along some directions, stacked; in as many parts as evaluations were made."""
    if len(basis) > 1:
        with suppress(Exception):  # the error that is due will come from one by one
            return [_together(basis, derivative, targets)]
    alone = [derivative(_of_kind(direction, x)) for direction in basis]
    return [[_stacked_alone(d, y) for d, y in zip(found, targets, strict=True)] for found in alone]


def _of_kind(direction: Any, x: Any) -> Any:
    """A direction as `x` is: an array, a NumPy number or a Python number."""
    plain = value_of(x)
    if isinstance(plain, Traced):  # an array that is not known yet: so is the direction
        return np.zeros_like(plain) + direction
    return direction if isinstance(plain, np.ndarray) else type(plain)(direction[()])


def _together(basis: Any, derivative: Callable[[Any], list[Any]], targets: list[Any]) -> list[Any]:
    with Batch(len(basis)) as trace:
        found = derivative(trace.box(basis))
        return [_unboxed(trace, d, y) for d, y in zip(found, targets, strict=True)]


def _unboxed(trace: Batch, d: Any, y: Any) -> Any:
    if not records.carries(y):
        return None
    stacked = trace.stacked(records.zeros(y) if d is None else d)
    assert not isinstance(stacked, BatchBox)
    return np.broadcast_to(stacked, (trace.size, *np.shape(y)))


def _stacked_alone(d: Any, y: Any) -> Any:
    if not records.carries(y):
        return None
    d = records.zeros(y) if d is None else d
    return np.reshape(np.broadcast_to(d, np.shape(y)), (1, *np.shape(y)))


def _owned(x: Any) -> Any:
    """An array that the caller may write to; a number if it is one."""
    if isinstance(x, Box):
        return x.snapshot()
    if isinstance(x, np.ndarray):
        return x.copy() if not x.flags.writeable or x.base is not None else x
    return x
