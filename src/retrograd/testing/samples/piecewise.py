"""Samples of rules/piecewise.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.testing.samples.sample import CUBE, MASK, MATRIX, VECTOR, Samples, array, calls


def _spread(x: Any) -> Any:
    return np.sum(x * x)


def _differences(x: Any) -> Any:
    return x[1:] * x[:-1]


def _outer(x: Any, factor: Any) -> Any:
    return factor * np.outer(x, x)


def _dropping(x: Any, axis: int) -> Any:
    return np.sum(x * x, axis)


SAMPLES: Samples = {
    np.apply_along_axis: calls(
        (_spread, 0, MATRIX), (_differences, -1, MATRIX), (_differences, 1, CUBE),
        (_spread, 0, VECTOR), (_outer, 1, array(2, 3, 2), 0.7), traced=(2,),
    ),
    np.apply_over_axes: calls(
        (_dropping, CUBE, (0, -1)), (_dropping, MATRIX, 1), (np.sum, CUBE, [1]), traced=(1,)
    ),
    np.piecewise: calls(
            (MATRIX, [MASK], [np.sin, np.square]),
            (MATRIX, [MASK, ~MASK], [np.exp, 0.3]),
            (MATRIX, [MASK, MASK & (MATRIX > 0)], [np.exp, np.sin, 0.5]),
            (VECTOR, VECTOR > 0, [np.square]),
            (0.3, [True], [np.exp]),
            (VECTOR, [VECTOR > 0], [np.multiply, np.divide], 0.7),
    ),
    np.select: calls(
            ([MASK, ~MASK], [MATRIX, MATRIX * 0.9]),
            ([MASK, np.array([True, False, False])], [MATRIX, array(3)], 0.7),
            ([MASK, np.array(True)], [0.4, array(2, 1)], {"default": 0.7}),
            traced=(1,),
    ),
}  # fmt: skip
