"""What a sample is, and how to make many: calls of functions for checks over all of them.

Numbers are generic: no ties, no zeros, and inside the domain.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = [
    "CUBE", "MASK", "MATRIX", "VECTOR", "Sample", "Samples", "array", "binary", "calls", "products",
    "reduction", "unary",
]  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """One call of a function.

    Attributes:
        args: the positional arguments.
        kwargs: the keyword arguments.
        traced: which arguments to differentiate, by position or keyword.
        is_complex: whether the function is defined, and differentiable, for complex arguments.
        order: up to which order its derivatives are checked.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    traced: tuple[int | str, ...] = (0,)
    is_complex: bool = True
    order: int = 2

    def closed(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The call as a function of the traced arguments alone."""

        def call(*traced: Any) -> Any:
            args, kwargs = self.filled(traced)
            return function(*args, **kwargs)

        return call

    def filled(self, traced: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """All arguments, with these in the place of the traced ones."""
        args, kwargs = list(self.args), dict(self.kwargs)
        for place, x in zip(self.traced, traced, strict=True):
            if isinstance(place, str):
                kwargs[place] = x
            else:
                args[place] = x
        return args, kwargs

    def inputs(self, dtype: type = np.float64) -> tuple[Any, ...]:
        """The traced arguments in a dtype; complex ones get an imaginary part."""
        chosen = (self.kwargs[i] if isinstance(i, str) else self.args[i] for i in self.traced)
        return tuple(_cast(x, np.dtype(dtype)) for x in chosen)


def _cast(x: Any, dtype: np.dtype[Any]) -> Any:
    if isinstance(x, list | tuple):
        return type(x)(_cast(part, dtype) for part in x)
    if dtype.kind != "c":
        return x if isinstance(x, float) and dtype == np.float64 else np.asarray(x, dtype)[()]
    turn = np.exp(1j * np.linspace(0.1, 0.6, np.size(x))).reshape(np.shape(x))
    return (x * turn).astype(dtype)[()]


def array(*shape: int, low: float = -1.5, high: float = 1.5) -> Any:
    """Distinct numbers between the bounds, shuffled, none of them special."""
    size = int(np.prod(shape))
    rng = np.random.default_rng([*shape, 17])
    spread = (np.arange(size) + rng.uniform(0.2, 0.8, size)) / max(size, 1)
    return low + (high - low) * rng.permutation(spread).reshape(shape)


def unary(low: float = -1.5, high: float = 1.5, *, is_complex: bool = True) -> list[Sample]:
    """A function of one array or number."""

    def real(*shape: int) -> Any:
        return array(*shape, low=low, high=high)

    return [
        Sample((float(real(1)[0]),), is_complex=is_complex),
        Sample((real(3),), is_complex=is_complex),
        Sample((real(2, 3),), is_complex=is_complex),
        Sample((np.asarray(real(1)[0]),), is_complex=is_complex),
        Sample((real(0, 2),), is_complex=is_complex),
    ]


def binary(low: float = -1.5, high: float = 1.5, *, is_complex: bool = True) -> list[Sample]:
    """A broadcasting function of two arrays or numbers."""

    def real(*shape: int) -> Any:
        return array(*shape, low=low, high=high)

    shapes = [((3,), (3,)), ((2, 3), (3,)), ((2, 1), (1, 3)), ((), (2,)), ((2, 3), ()), ((0,), ())]
    # The second argument moves a little, lest equal shapes bring equal numbers.
    pairs = [(real(*a), real(*b) * 0.9 + 0.013) for a, b in shapes]
    return [
        *(Sample(pair, traced=(0, 1), is_complex=is_complex) for pair in pairs),
        Sample((real(3), 0.7), traced=(0,), is_complex=is_complex),
        Sample((0.7, real(3)), traced=(1,), is_complex=is_complex),
        Sample((real(1)[0].item(), 0.6), traced=(0, 1), is_complex=is_complex),
    ]


def reduction(*, is_complex: bool = True, **more: Any) -> list[Sample]:
    """A function of an array that takes `axis` and `keepdims`."""
    calls: list[tuple[Any, dict[str, Any]]] = [
        (array(4), {}),
        (array(3, 2), {"axis": 0}),
        (array(2, 3), {"axis": -1, "keepdims": True}),
        (array(2, 3, 2), {"axis": (0, -1)}),
        (array(2, 3, 2), {"axis": (2, 1), "keepdims": True}),
        (array(2, 3), {"keepdims": True}),
        (array(2, 3), {"axis": np.int64(1)}),
        (0.7, {}),
    ]
    return [Sample((x,), {**kwargs, **more}, is_complex=is_complex) for x, kwargs in calls]


def calls(*calls: tuple[Any, ...], traced: tuple[int | str, ...] = (0,)) -> list[Sample]:
    """Calls by positional arguments; a dict at the end holds the keywords."""
    return [
        Sample(c[:-1], c[-1], traced) if isinstance(c[-1], dict) else Sample(c, {}, traced)
        for c in calls
    ]


def products(*shapes: tuple[tuple[int, ...], tuple[int, ...]]) -> list[Sample]:
    """A product of two arrays, by their shapes."""
    return [Sample((array(*a), array(*b) * 0.8), traced=(0, 1)) for a, b in shapes]


MATRIX = array(2, 3)
VECTOR = array(4)
CUBE = array(2, 3, 4)
MASK = np.array([[True, False, True], [False, True, False]])

# Calls of functions, by the function that a user calls.
Samples = dict[Any, list[Sample]]
