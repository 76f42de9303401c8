"""Sample inputs of every registered function that has a derivative, for checks over all of them.

`SAMPLES` maps the name of a function to calls of it. Numbers are generic: no ties, no zeros, and
inside the domain. Functions that read or write parts of arrays come with fixed indices.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SAMPLES", "Sample"]


@dataclass(frozen=True)
class Sample:
    """One call of a function.

    Attributes:
        args: the positional arguments.
        kwargs: the keyword arguments.
        traced: which positional arguments to differentiate; by default all float arrays and
            numbers, also inside lists.
        is_complex: whether the function is defined, and differentiable, for complex arguments.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    traced: tuple[int, ...] = (0,)
    is_complex: bool = True

    def closed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The call as a function of the traced arguments alone."""

        def call(*traced: Any) -> Any:
            args = list(self.args)
            for i, x in zip(self.traced, traced, strict=True):
                args[i] = x
            return function(*args, **self.kwargs)

        return call

    def inputs(self, dtype: type = np.float64) -> tuple[Any, ...]:
        """The traced arguments in a dtype; complex ones get an imaginary part."""
        return tuple(_cast(self.args[i], np.dtype(dtype)) for i in self.traced)


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(_cast(part, dtype) for part in x)
    if dtype.kind != "c":
        return x if isinstance(x, float) and dtype == np.float64 else np.asarray(x, dtype)[()]
    turn = np.exp(1j * np.linspace(0.1, 0.6, np.size(x))).reshape(np.shape(x))
    return (x * turn).astype(dtype)[()]


def _array(*shape: int, low: float = -1.5, high: float = 1.5) -> Any:
    """Distinct numbers between the bounds, shuffled, none of them special."""
    size = int(np.prod(shape))
    rng = np.random.default_rng([*shape, 17])
    spread = (np.arange(size) + rng.uniform(0.2, 0.8, size)) / max(size, 1)
    return low + (high - low) * rng.permutation(spread).reshape(shape)


def _unary(low: float = -1.5, high: float = 1.5, *, is_complex: bool = True) -> list[Sample]:
    def real(*shape: int) -> Any:
        return _array(*shape, low=low, high=high)

    return [
        Sample((float(real(1)[0]),), is_complex=is_complex),
        Sample((real(3),), is_complex=is_complex),
        Sample((real(2, 3),), is_complex=is_complex),
        Sample((np.asarray(real(1)[0]),), is_complex=is_complex),
        Sample((real(0, 2),), is_complex=is_complex),
    ]


def _binary(low: float = -1.5, high: float = 1.5, *, is_complex: bool = True) -> list[Sample]:
    def real(*shape: int) -> Any:
        return _array(*shape, low=low, high=high)

    shapes = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((2, 3), ()), ((0,), ())]
    # The second argument moves a little, lest equal shapes bring equal numbers.
    pairs = [(real(*a), real(*b) * 0.9 + 0.013) for a, b in shapes]
    return [
        *(Sample(pair, traced=(0, 1), is_complex=is_complex) for pair in pairs),
        Sample((real(3), 0.7), traced=(0,), is_complex=is_complex),
        Sample((0.7, real(3)), traced=(1,), is_complex=is_complex),
        Sample((real(1)[0].item(), 0.6), traced=(0, 1), is_complex=is_complex),
    ]


def _reduction(*, is_complex: bool = True, **more: Any) -> list[Sample]:
    calls: list[tuple[Any, dict[str, Any]]] = [
        (_array(4), {}),
        (_array(3, 2), {"axis": 0}),
        (_array(2, 3), {"axis": -1, "keepdims": True}),
        (_array(2, 3, 2), {"axis": (0, -1)}),
        (_array(2, 3, 2), {"axis": (2, 1), "keepdims": True}),
        (_array(2, 3), {"keepdims": True}),
        (_array(2, 3), {"axis": np.int64(1)}),
        (0.7, {}),
    ]
    return [Sample((x,), {**kwargs, **more}, is_complex=is_complex) for x, kwargs in calls]


def _calls(*calls: tuple[Any, ...], traced: tuple[int, ...] = (0,)) -> list[Sample]:
    """Calls by positional arguments; a dict at the end holds the keywords."""
    return [
        Sample(c[:-1], c[-1], traced) if isinstance(c[-1], dict) else Sample(c, {}, traced)
        for c in calls
    ]


_X = _array(2, 3)
_VECTOR = _array(4)
_CUBE = _array(2, 3, 4)
_MASK = np.array([[True, False, True], [False, True, False]])
_INDICES: list[Any] = [
    0, -1, (1, 2), slice(None, None, -1), (..., 1), (None, 0), (slice(0, 2), [0, 0, 2]),
    np.array([1, 1, 0]), _MASK, (np.array([0, 1, 1]), np.array([2, 0, 0])), ..., (),
]  # fmt: skip


def _set_item_calls() -> list[Sample]:
    calls = [
        Sample((_X, index, _array(*np.shape(_X[index])) * 0.8 + 0.02), traced=(0, 2))
        for index in _INDICES
    ]
    broadcast = [
        Sample((_X, 0, 0.4), traced=(0, 2)),
        Sample((_X, (slice(None), 1), _array(1, 2)), traced=(0, 2)),
        Sample((_X, slice(None), _array(3)), traced=(0, 2)),
        Sample((_X, _MASK, 0.3), traced=(2,), is_complex=False),
        Sample((np.zeros((2, 3)), (1, 1), 0.3), traced=(2,), is_complex=False),
    ]
    return calls + broadcast


def _product_calls(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Sample]:
    return [Sample((_array(*a), _array(*b) * 0.8), traced=(0, 1)) for a, b in shapes]


_JOINABLE = [_array(2, 3), _array(1, 3) * 0.8, _array(2, 3) * 0.6]
_ALIKE = [_array(2, 3), _array(2, 3) * 0.8]

SAMPLES: dict[str, list[Sample]] = {
    # elementwise
    "add": _binary(),
    "subtract": _binary(),
    "multiply": _binary(),
    "divide": _binary(0.3, 1.5),
    "power": [
        *_binary(0.3, 1.5),
        *_calls((_array(3), 2), (_array(3), 3.0), (_array(3), 0), (_array(3), 1), (_array(3), -2)),
        *_calls((_array(3), np.array([2, 0, 3])), (np.array([0.0, 0.5]), np.array([2, 1]))),
    ],
    "remainder": [Sample((_array(4, low=1.1, high=5.0), 0.7), traced=(0, 1), is_complex=False)],
    "arctan2": _binary(is_complex=False),
    "hypot": _binary(is_complex=False),
    "logaddexp": _binary(is_complex=False),
    "maximum": _binary(is_complex=False),
    "minimum": _binary(is_complex=False),
    "negative": _unary(),
    "positive": _unary(),
    "exp": _unary(),
    "exp2": _unary(),
    "expm1": _unary(),
    "log": _unary(0.2, 2.0),
    "log2": _unary(0.2, 2.0),
    "log10": _unary(0.2, 2.0),
    "log1p": _unary(-0.5, 2.0),
    "sqrt": _unary(0.2, 2.0),
    "square": _unary(),
    "reciprocal": _unary(0.2, 2.0),
    "sin": _unary(),
    "cos": _unary(),
    "tan": _unary(-1.0, 1.0),
    "sinh": _unary(),
    "cosh": _unary(),
    "tanh": _unary(-1.0, 1.0),
    "_tanh_slope": _unary(),
    "arcsin": _unary(-0.8, 0.8),
    "arccos": _unary(-0.8, 0.8),
    "arctan": _unary(-0.8, 0.8),
    "absolute": _unary(),
    "conjugate": _unary(),
    "real": _unary(),
    "imag": _unary(),
    "sign": _unary(),
    "_root": _unary(0.2, 2.0),
    "where": [
        *_calls((_MASK, _X, _X * 0.7), (_MASK, _array(3), _array(2, 1) * 0.7), traced=(1, 2)),
        *_calls((_MASK, _X, 0.0), (_MASK, 0.4, 1), (True, _X, 0.0), traced=(1,)),
    ],
    "_choose": _calls((_MASK, _X, _array(3) * 0.7), traced=(1, 2)),
    "clip": [
        Sample((_X, -0.5, 0.6), is_complex=False),
        Sample((_X,), {"min": -0.5}, is_complex=False),
        Sample((_X, None, _array(3)), is_complex=False),
        Sample((_X,), {"a_min": -0.5, "a_max": 1.0}, is_complex=False),
    ],
    "_clip": [Sample((_X, -0.5, 0.6), is_complex=False)],
    "_as_type": _calls((_X, np.float64), (0.3, np.float64)),
    "copy": _unary(),
    "full_like": [
        Sample((np.zeros((2, 3)), _array(3)), traced=(1,), is_complex=False),
        Sample((np.zeros(3), 0.4), traced=(1,), is_complex=False),
    ],
    # indexing
    "_get_item": _calls(*((_X, index) for index in _INDICES), (np.asarray(0.4), ...)),
    "_set_item": _set_item_calls(),
    "_put": _calls(*((_X[index], index, (2, 3)) for index in _INDICES)),
    # products
    "matmul": _product_calls(
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((5, 2, 3), (5, 3, 2)),
        ((5, 2, 3), (3, 2)), ((2, 3), (5, 3, 2)), ((5, 2, 3), (3,)), ((3,), (5, 3, 2)),
        ((4, 1, 2, 3), (5, 3, 2)), ((2, 0), (0, 3)),
    ),
    "dot": _product_calls(
        ((2, 3), (3, 4)), ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 2, 3), (4, 3, 2)),
        ((), (3,)), ((2, 3), ()), ((3,), (4, 3, 2)), ((2, 2, 3), (3,)), ((), ()),
    ),
    "tensordot": [
        *_product_calls(((2, 3, 4), (3, 4, 2))),
        *_calls(
            (_CUBE, _CUBE * 0.8, 0),
            (_CUBE, _array(4, 2), 1),
            (_CUBE, _array(4, 3, 2), ([1, 2], [1, 0])),
            (_CUBE, _array(4, 3, 2), ([-1, 0], [0, -1])),
            (_CUBE, _array(3, 2), (1, 0)),
            (_CUBE, _CUBE * 0.8, {"axes": 3}),
            traced=(0, 1),
        ),
    ],
    "outer": _product_calls(((3,), (2,)), ((2, 2), (3,)), ((), (3,))),
    # reductions
    "sum": _reduction(),
    "mean": _reduction(),
    "prod": _reduction(),
    "var": [*_reduction(), *_reduction(ddof=1)[:-1]],
    "std": [*_reduction(ddof=1)[:-1], *_reduction()[:-1]],
    "max": _reduction(is_complex=False),
    "min": _reduction(is_complex=False),
    "cumsum": _calls((_VECTOR,), (_X,), (_X, 0), (_CUBE, -1)),
    "_logsumexp": _reduction(is_complex=False),
    # shapes
    "reshape": _calls(
        (_X, (3, 2)), (_X, -1), (_X, (3, -1), "F"), (_X.T, (2, 3), "A"), (_X, 6), (_array(1), ())
    ),
    "ravel": _calls((_X,), (_X, "F"), (_X.T, "K"), (0.3,)),
    "squeeze": _calls((_array(1, 3, 1),), (_array(1, 3, 1), 0), (_array(1, 3, 1), (0, -1))),
    "expand_dims": _calls((_X, 0), (_X, -1), (_X, (0, 3)), (0.3, 0)),
    "transpose": _calls((_X,), (_CUBE, (1, 2, 0)), (_CUBE, (-1, 0, 1)), (_CUBE, None)),
    "swapaxes": _calls((_CUBE, 0, -1), (_X, {"axis1": 0, "axis2": 1})),
    "moveaxis": _calls((_CUBE, 0, -1), (_CUBE, (0, 1), (-1, 0))),
    "broadcast_to": _calls((_array(3), (2, 3)), (_array(2, 1), (4, 2, 3)), (0.3, (2,))),
    "roll": _calls((_X, 1), (_X, -2, 1), (_X, (1, 2), (0, 1)), (_X, 1, {"axis": -1})),
    "flip": _calls((_X,), (_X, 0), (_X, (0, -1))),
    "repeat": _calls(
        (_X, 2), (_X, 2, 0), (_X, 3, -1), (_X, [1, 0, 2], 1), (_X, [2], 0), (_array(2), [1, 3]),
        (0.3, 2), (_X, np.array([2, 1]), {"axis": -2}),
    ),
    "_joined": [Sample((0, *_JOINABLE), traced=(1, 2, 3))],
    "concatenate": _calls((_JOINABLE,), (_ALIKE, -1), (_JOINABLE, None), (_ALIKE, {"axis": 1})),
    "stack": _calls((_ALIKE,), (_ALIKE, -1), (_ALIKE, 1), ([0.3, 0.4],)),
    "vstack": _calls((_JOINABLE,), ([_array(3), _array(3) * 0.8],)),
    "hstack": _calls((_ALIKE,), ([_array(3), 0.4],)),
    "array": _calls(([[0.1, 0.2], [0.3, 0.4]],), ([_array(3), _array(3) * 0.8],), (0.3,), (_X,)),
    "asarray": _calls(([0.1, 0.2],), (_X,)),
    "meshgrid": [
        *_calls((_array(3), _array(2)), (_array(3), _array(2), {"indexing": "ij"}), traced=(0, 1)),
        *_calls((_array(3), _array(2), {"sparse": True}), traced=(0,)),
    ],
}  # fmt: skip
