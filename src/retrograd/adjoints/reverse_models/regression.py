"""Least squares that can be undone: the sums are integers, and the solution is one of its sums.

A pair of states gives, for each array of floats, the features of its elements and the changes that
they should explain. Their products, summed over the elements, are floats, and every float is an
integer in units of the smallest one. Python's integers add up those of all steps without rounding.
So what is added can be taken away, and the same sums give the same coefficients.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import Snapshot

__all__ = ["Coefficients", "Regression", "features", "predicted"]

Floats = NDArray[np.float64]
Coefficients = dict[str, tuple[float, ...]]

# Rows with a feature larger than so many times the element are left out of the sums.
_MOST = 2.0**16
# Added to the diagonal, whose entries are about 1, so that features may depend on each other.
_RIDGE = 2.0**-40
# The last digit of every float64 is a multiple of 2**-_BASE; even, so that it has a root.
_BASE = 1130


def features(name: str, later: Sequence[Snapshot], lags: int) -> list[Floats]:
    """What the change from x_{t+1} back to x_t may be a multiple of, for each element of an array.

    In this order: x_{t+1}, its last changes x_{t+1} - x_{t+2}, x_{t+2} - x_{t+3}, ..., and the
    other arrays of floats of the same shape at t+1.

    Args:
        name: of the array.
        later: x_{t+1}, x_{t+2}, ...; where there are too few, the last one is used again.
        lags: how many changes.
    """
    arrays = [_finite(state[name]) for state in later]
    arrays += [arrays[-1]] * (lags + 1 - len(arrays))
    after = arrays[0]
    found = [after]
    with np.errstate(over="ignore"):
        found += [arrays[i] - arrays[i + 1] for i in range(lags)]
    return found + [
        _finite(other)
        for key, other in later[0].items()
        if key != name and other.dtype.kind == "f" and other.shape == after.shape
    ]


def predicted(after: NDArray[Any], given: Sequence[Floats], coefficients: Sequence[float]) -> Any:
    """x_{t+1} and the multiples of the features, in the dtype of x_{t+1}.

    An element whose last change is 0 is expected to stay.
    """
    if len(coefficients) != len(given):
        return after
    values = _finite(after)
    with np.errstate(all="ignore"):
        for factor, feature in zip(coefficients, given, strict=True):
            values += factor * feature
        return np.where(given[1] == 0, after, values.astype(after.dtype))


class Regression:
    """The sums of products of one array's features and changes, and the best coefficients.

    Bits count relative errors, so each element's equation is divided by the size of the element.

    Example:
        >>> x, d = np.arange(1.0, 5.0), np.array([0.5, -0.5, 0.5, 0.25])
        >>> sums = Regression()
        >>> sums.add([x, d], 0.5 * x - d)
        >>> np.round(sums.coefficients(), 4)
        array([ 0.5, -1. ])
        >>> sums.add([x, d], 0.5 * x - d, sign=-1)
        >>> sums.is_empty()
        True
    """

    def __init__(self) -> None:
        self.sums: list[list[int]] = []

    def add(self, given: Sequence[Floats], change: Floats, sign: int = 1) -> None:
        """Take one pair of states into the sums, or (sign -1) out of them.

        Args:
            given: the features; the first is x_{t+1}, the second its last change.
            change: x_t - x_{t+1}.
            sign: 1 or -1.
        """
        size = np.where(given[1] == 0, 0.0, np.maximum(np.abs(given[0]), np.abs(given[1])))
        columns = _equations([*given, change], size)
        if not self.sums:
            self.sums = [[0] * len(columns) for _ in columns]
        for i, row in enumerate(self.sums):
            for j in range(i, len(columns)):
                row[j] += sign * _product(columns[i], columns[j])

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


def _finite(array: NDArray[Any]) -> Floats:
    """A copy in float64 in which NaN and infinity are 0."""
    values = array.astype(np.float64)
    return np.where(np.isfinite(values), values, 0.0)


def _equations(columns: Sequence[Floats], size: Floats) -> list[Floats]:
    """The columns divided by a power of two near the size of each row, without outlying rows."""
    largest = np.maximum.reduce(np.abs(columns))
    with np.errstate(over="ignore"):
        usable = (np.abs(columns[-1]) < size) & (largest < _MOST * size)
    exponents = np.where(usable, -np.frexp(size)[1], 0)
    return [np.ldexp(np.where(usable, x, 0.0), exponents).reshape(-1) for x in columns]


def _product(a: Floats, b: Floats) -> int:
    """The scalar product of two columns in units of 2**-_BASE.

    Summed by NumPy, whose order of summation depends on nothing but the length; BLAS need not give
    the same bits twice.
    """
    mantissa, exponent = math.frexp(float(np.add.reduce(a * b)))
    return int(math.ldexp(mantissa, 53)) << (_BASE + exponent - 53)


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
