"""Least squares that can be undone: the sums are integers, and the solution is one of its sums.

A pair of states gives, for each array of floats, the features of its elements and the changes that
they should explain. Rounded to a grid of 20 binary digits their products are integers, whose sum
does not depend on the order of summation; Python's integers add up those of all steps without
rounding. What is added can be taken away, and the same sums give the same coefficients.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import Snapshot

__all__ = ["Coefficients", "Regression", "features", "predicted"]

Floats = NDArray[np.float64]
Coefficients = dict[str, tuple[float, ...]]

_DIGITS = 20
_RIDGE = 2.0**-24


def features(name: str, later: Sequence[Snapshot], lags: int, neighbours: bool) -> list[Floats]:
    """What the change from x_{t+1} back to x_t may be a multiple of, for each element of an array.

    In this order: a constant, x_{t+1}, its last changes x_{t+1} - x_{t+2}, x_{t+2} - x_{t+3}, ...,
    the other arrays of the same shape at t+1, and the differences to the neighbours along each
    axis (periodic).

    Args:
        name: of the array.
        later: x_{t+1}, x_{t+2}, ...; where there are too few, the last one is used again.
        lags: how many changes.
        neighbours: whether neighbours count.
    """
    arrays = [_finite(state[name]) for state in later]
    arrays += [arrays[-1]] * (lags + 1 - len(arrays))
    after = arrays[0]
    found = [np.ones_like(after), after]
    found += [arrays[i] - arrays[i + 1] for i in range(lags)]
    found += [
        _finite(other)
        for key, other in later[0].items()
        if key != name and other.dtype.kind == "f" and other.shape == after.shape
    ]
    if neighbours:
        axes = range(after.ndim)
        found += [np.roll(after, way, axis) - after for axis in axes for way in (-1, 1)]
    return found


def predicted(after: NDArray[Any], given: Sequence[Floats], coefficients: Sequence[float]) -> Any:
    """x_{t+1} and the multiples of the features, in the dtype of x_{t+1}."""
    if len(coefficients) != len(given):
        return after
    values = _finite(after)
    for factor, feature in zip(coefficients, given, strict=True):
        if factor:
            values += factor * feature
    with np.errstate(all="ignore"):
        return values.astype(after.dtype)


class Regression:
    """The sums of products of one array's features and changes, and the best coefficients.

    Example:
        >>> x, y = np.arange(4.0), 3 * np.arange(4.0)
        >>> sums = Regression()
        >>> sums.add([np.ones(4), x], y)
        >>> np.round(sums.coefficients(), 4) + 0.0
        array([0., 3.])
        >>> sums.add([np.ones(4), x], y, sign=-1)
        >>> sums.is_empty()
        True
    """

    def __init__(self) -> None:
        self.sums: list[list[int]] = []

    def add(self, given: Sequence[Floats], change: Floats, sign: int = 1) -> None:
        """Take one pair of states into the sums, or (sign -1) out of them."""
        grids, scales = zip(*(_grid(column) for column in (*given, change)), strict=True)
        if not self.sums:
            self.sums = [[0] * len(grids) for _ in grids]
        for i, row in enumerate(self.sums):
            for j in range(i, len(grids)):
                product = int(np.dot(grids[i], grids[j]))
                row[j] += sign * (product << (_BASE + scales[i] + scales[j]))

    def coefficients(self) -> tuple[float, ...]:
        """The multiples of the features that explain the changes best; none without sums."""
        size = len(self.sums) - 1
        if size < 1:
            return ()
        scale = [max(self.sums[i][i], 1) for i in range(size)]
        # Unit diagonal: each feature in units of its own size, so that one ridge suits all.
        units = [_root(s) for s in scale]
        matrix = [
            [
                _quotient(self.sums[min(i, j)][max(i, j)], units[i], units[j])
                + (_RIDGE if i == j else 0.0)
                for j in range(size)
            ]
            for i in range(size)
        ]
        right = [_quotient(self.sums[i][size], units[i], 1 << (_BASE // 2)) for i in range(size)]
        solution = _solved(matrix, right)
        return tuple(x * _quotient(1 << (_BASE // 2), units[i], 1) for i, x in enumerate(solution))

    @property
    def nbytes(self) -> int:
        """The bytes of the sums."""
        return sum((abs(x).bit_length() + 7) // 8 for row in self.sums for x in row)

    def is_empty(self) -> bool:
        """Whether all that was added has been taken away."""
        return not any(x for row in self.sums for x in row)

    def export(self) -> NDArray[np.uint8]:
        """The sums as an array of bytes."""
        return np.frombuffer(json.dumps(self.sums).encode(), np.uint8)

    def load(self, saved: NDArray[np.uint8]) -> None:
        """Put in place what `export` gave."""
        self.sums = json.loads(saved.tobytes())


# Products are multiples of 2**(2 * exponent); no exponent of a float64 lies below half of this.
_BASE = 2 * (1074 + _DIGITS)


def _finite(array: NDArray[Any]) -> Floats:
    """A copy in float64 in which NaN and infinity are 0."""
    values = array.astype(np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def _grid(column: Floats) -> tuple[NDArray[np.int64], int]:
    """Integers below 2**20, and the exponent e of their unit 2**e."""
    column = np.where(np.isfinite(column), column, 0.0).reshape(-1)
    exponent = int(np.frexp(np.max(np.abs(column), initial=0.0))[1]) - _DIGITS
    return np.rint(np.ldexp(column, -exponent)).astype(np.int64), exponent


def _root(square: int) -> int:
    """A power of two near the root of an integer."""
    return 1 << (square.bit_length() // 2)


def _quotient(number: int, a: int, b: int) -> float:
    """number / (a * b), correctly rounded; 0 if that is no float64."""
    try:
        return number / (a * b)
    except OverflowError:
        return 0.0


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """The solution of a small positive definite system, by elimination in a fixed order."""
    size = len(right)
    rows = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(rows[i][i], _RIDGE)
        for k in range(i + 1, size):
            factor = rows[k][i] / pivot
            rows[k] = [x - factor * y for x, y in zip(rows[k], rows[i], strict=True)]
    solution = [0.0] * size
    for i in reversed(range(size)):
        rest = sum(rows[i][k] * solution[k] for k in range(i + 1, size))
        solution[i] = (rows[i][size] - rest) / max(rows[i][i], _RIDGE)
    return solution
