"""Integrals of a concave log density from a point into one of its tails, element by element.

The double exponential (tanh-sinh) rule: its nodes crowd at both ends of an interval, on all
scales, so that a density with a sharp edge or a long tail needs no more of them than a smooth one.

References:
    Takahasi and Mori, "Double exponential formulas for numerical integration" (1974).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

    Array = np.ndarray[Any, Any]
    Function = Callable[..., Array]

__all__ = ["in_blocks", "integral", "reach"]

_REACH = 3.4
_HALF = 64
_DROP = 42.0  # exp(-42) is below a rounding error
_STEPS = 80
_BLOCK = 2048  # elements at a time, so that their nodes fit into a cache


def _rule() -> tuple[Array, Array]:
    """Nodes in (0, 1) and weights."""
    t = np.linspace(-_REACH, _REACH, 2 * _HALF + 1)
    u = math.pi / 2 * np.sinh(t)
    nodes = 1 / (1 + np.exp(-2 * u))
    weights = _REACH / _HALF * math.pi / 4 * np.cosh(t) / np.cosh(u) ** 2
    return nodes, weights


_NODES, _WEIGHTS = _rule()


def integral(f: Function, start: Array, length: Array) -> Array:
    """The integral of `f` over [start, start + length], for arrays of intervals.

    Args:
        f: a function of points of shape (*shape, nodes).
        start: where the intervals begin.
        length: how long they are, perhaps negative; the result has its sign.
    """
    points = start[..., None] + length[..., None] * _NODES
    return np.sum(f(points) * _WEIGHTS, axis=-1) * length


def reach(fall: Function, slope: Function, first: Array) -> Array:
    """How far a density is followed: where it has fallen by the factor exp(-42).

    Args:
        fall: the fall of its logarithm over a distance, a convex function.
        slope: the derivative of `fall`.
        first: a distance that is surely far enough; Newton's method comes back from there.
    """
    far = first
    for _ in range(_STEPS):
        step = (fall(far) - _DROP) / slope(far)
        far = far - step
        if np.all(np.abs(step) <= 1e-3 * far):
            break
    return far


def in_blocks(f: Function, *arrays: Any) -> Any:
    """`f` of float64 vectors, for broadcast arrays of any shape.

    The result has the precision of the arrays, but no more than double.
    """
    dtype = np.result_type(*arrays)
    dtype = dtype if dtype.kind == "f" and dtype.itemsize < 8 else np.dtype(float)
    wide = np.broadcast_arrays(*(np.asarray(x, float) for x in arrays))
    flat = [x.ravel() for x in wide]
    blocks = [
        f(*(x[start : start + _BLOCK] for x in flat)) for start in range(0, flat[0].size, _BLOCK)
    ]
    found = np.concatenate([np.empty(0), *blocks])
    return found.reshape(wide[0].shape).astype(dtype)[()]
