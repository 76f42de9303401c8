"""Numerical directional derivatives, with an estimate of their own error.

Central differences at shrinking steps, extrapolated to step zero; of all the estimates the one
with the smallest error is taken.

References:
    Ridders, "Accurate computation of F'(x) and F'(x)F''(x)" (1982).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]

_FIRST = 0.02
_SHRINK = 4.0
_STEPS = 8


def directional_derivative(
    f: Callable[[float], list[Array]], epsilon: float = 0.0
) -> list[tuple[Array, float]]:
    """The derivative of `f` at 0, array by array.

    Args:
        f: arrays as a function of a number. Where it is not finite it is not used.
        epsilon: the relative rounding error of the inputs of `f`, if it may be larger than that
            of its results.

    Returns:
        For each array its derivative, and an estimate of the norm of its error (truncation and
        rounding; infinity where nothing could be computed).
    """
    rows: list[list[list[Array]]] = []
    best: list[tuple[Array, float]] = []
    step = _FIRST
    for _ in range(_STEPS):
        difference = _central(f, step)
        rounding = [_rounding(value, epsilon) / step for value in f(0.0)]
        step /= _SHRINK
        if difference is None:
            rows = []
            continue
        rows.append([difference])
        if len(rows) > 1:
            _extrapolate(rows)
            best = _better(best, rows, rounding)
    return best or [(np.zeros_like(value), np.inf) for value in f(0.0)]


def _central(f: Callable[[float], list[Array]], step: float) -> list[Array] | None:
    with np.errstate(all="ignore"):
        ahead, behind = f(step), f(-step)
        found = [(_wide(a) - _wide(b)) / (2 * step) for a, b in zip(ahead, behind, strict=True)]
    return found if all(np.all(np.isfinite(x)) for x in found) else None


def _wide(x: Any) -> Any:
    """In double precision: the difference of two float32 numbers is exact there."""
    x = np.asarray(x)
    return x.astype(complex if x.dtype.kind == "c" else float)


def _rounding(value: Any, epsilon: float) -> float:
    """What one rounding of each element changes, as a norm."""
    value = np.asarray(value)
    epsilon = max(epsilon, float(np.finfo(value.dtype).eps))
    return epsilon * float(np.linalg.norm(value)) / 2


def _extrapolate(rows: list[list[list[Array]]]) -> None:
    """Fill the last row of the Neville table; an even function's error is in step squared."""
    row, above = rows[-1], rows[-2]
    for column in range(1, len(rows)):
        factor = _SHRINK ** (2 * column)
        row.append(
            [
                (factor * a - b) / (factor - 1)
                for a, b in zip(row[-1], above[column - 1], strict=True)
            ]
        )


def _better(
    best: list[tuple[Array, float]], rows: list[list[list[Array]]], rounding: list[float]
) -> list[tuple[Array, float]]:
    """The best estimates so far, array by array: judged by how much they still move."""
    row, above = rows[-1], rows[-2]
    for column in range(1, len(row)):
        found = []
        for i, estimate in enumerate(row[column]):
            moved = max(
                float(np.linalg.norm(estimate - row[column - 1][i])),
                float(np.linalg.norm(estimate - above[column - 1][i])),
            )
            error = max(moved, rounding[i])
            found.append(best[i] if best and best[i][1] <= error else (estimate, error))
        best = found
    return best
