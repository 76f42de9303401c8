"""Samples of rules/indexing.py, rules/creation.py and what writes to parts of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.box import get_item, read_at, set_item
from retrograd.autodiff.rules.indexing import added_at, put
from retrograd.testing.samples.sample import (
    CUBE,
    MASK,
    MATRIX,
    VECTOR,
    Sample,
    Samples,
    array,
    calls,
)

_INDICES: list[Any] = [
    0, -1, (1, 2), slice(None, None, -1), (..., 1), (None, 0), (slice(0, 2), [0, 0, 2]),
    np.array([1, 1, 0]), MASK, (np.array([0, 1, 1]), np.array([2, 0, 0])), ..., (),
    (np.array([0, 1, -1]), np.array([-1, 0, 2])), np.array([[1], [0]]), np.ix_([0, 1, 1], [2, 0]),
    (np.array([1, 1], np.int8), 2), (slice(None), np.array([2, 2, 0])), ([True, False], [0, 0]),
]  # fmt: skip


def _set_item_calls() -> list[Sample]:
    calls = [
        Sample((MATRIX, index, array(*np.shape(MATRIX[index])) * 0.8 + 0.02), traced=(0, 2))
        for index in _INDICES
    ]
    broadcast = [
        Sample((MATRIX, 0, 0.4), traced=(0, 2)),
        Sample((MATRIX, (slice(None), 1), array(1, 2)), traced=(0, 2)),
        Sample((MATRIX, slice(None), array(3)), traced=(0, 2)),
        Sample((MATRIX, MASK, 0.3), traced=(2,), is_complex=False),
        Sample((np.zeros((2, 3)), (1, 1), 0.3), traced=(2,), is_complex=False),
    ]
    return calls + broadcast


_PLACES = np.array([[0, 2, 2], [1, 1, 0]])

SAMPLES: Samples = {
    get_item.function: calls(*((MATRIX, index) for index in _INDICES), (np.asarray(0.4), ...),
                             (CUBE, np.array([1, 1, 0])), (CUBE, (0, slice(None), [1, 1])),
                             (CUBE, (slice(None), [2, 2], [1, 3]))),
    read_at.function: calls((MATRIX, np.array([5, 0, 5])), (MATRIX, np.array([[2, 2], [4, 1]]))),
    set_item.function: _set_item_calls(),
    put.function: calls(*((MATRIX[index], index, (2, 3)) for index in _INDICES),
                        (VECTOR[:2], np.array([1, 1]), (50,))),
    added_at.function: calls(
        (MATRIX, np.array([1, 1, 0]), array(3)), (MATRIX, (0, [2, 2]), array(2)), (MATRIX, 1, 0.3),
        (VECTOR, np.array([3, -1, 3]), array(3)), (VECTOR, slice(1, 3), 0.4),
        traced=(0, 2),
    ),
    np.take: calls(
        (MATRIX, [0, 5, 5]), (MATRIX, np.array([[2, 0], [0, 1]]), {"axis": 1}), (MATRIX, 1, 0),
        (CUBE, [0, 2, -1], {"axis": -2}), (VECTOR, [4, -7, 1], {"mode": "wrap"}),
        (VECTOR, [9, -7, 1], {"mode": "clip"}),
    ),
    np.take_along_axis: calls(
        (MATRIX, _PLACES, 1), (MATRIX, _PLACES[:, :1], -1), (MATRIX, _PLACES[:1, :] % 2, 0),
        (VECTOR, np.array([3, 3, 0]), None),
    ),
    np.choose: [
        Sample((np.array([1, 0, 1]), [array(3), array(2, 3)]), traced=(1,)),
        Sample((np.array([[2], [-1]]), [0.3, array(3), array(1)]), {"mode": "wrap"}, traced=(1,)),
        Sample((np.array([0, 5]), array(2, 2)), {"mode": "clip"}, traced=(1,)),
    ],
    np.compress: calls(
        ([True, False, True], MATRIX, {"axis": 1}), ([False, True], MATRIX, 0),
        ([0, 1, 0, 1], MATRIX), traced=(1,),
    ),
    np.extract: calls((MASK, MATRIX), (VECTOR > 0, VECTOR), traced=(1,)),
    np.diagonal: calls(
        (MATRIX,), (MATRIX, 1), (MATRIX, -1), (CUBE,), (CUBE, {"axis1": 2, "axis2": 0}),
        (CUBE, {"offset": -1, "axis1": 1, "axis2": -1}), (MATRIX, 5),
    ),
    np.full: calls(((2, 3), 0.4), (3, array(3)), ((2, 3), array(2, 1)), traced=(1,)),
    np.full_like: [
        Sample((np.zeros((2, 3)), array(3)), traced=(1,), is_complex=False),
        Sample((np.zeros(3), 0.4), traced=(1,), is_complex=False),
    ],
    np.linspace: [
        *calls((0.3, 1.7), (0.3, 1.7, 5), (1.2, -0.4, 4, False), (array(2), 0.4, 3),
               (array(2), array(3, 1), {"num": 3, "axis": -1}), (0.3, 0.8, 1), traced=(0, 1)),
        Sample((0.4, 1.1, 4), {"retstep": True}, traced=(0, 1)),
    ],
    np.logspace: calls((0.3, 1.1, 4), (0.3, array(2), 3), (0.1, 0.9, {"num": 3, "base": 2.0}),
                       traced=(0, 1)),
    np.geomspace: calls((0.3, 1.7, 4), (0.3, array(2, low=0.5), 3), (0.3, 1.7, {"num": 3}),
                        traced=(0, 1)),
}  # fmt: skip
