"""Samples of rules/joining.py."""

from __future__ import annotations

import numpy as np

from retrograd.autodiff.rules.joining import joined
from retrograd.testing.samples.sample import (
    CUBE,
    MATRIX,
    VECTOR,
    Sample,
    Samples,
    array,
    calls,
)

_JOINABLE = [array(2, 3), array(1, 3) * 0.8, array(2, 3) * 0.6]
_ALIKE = [array(2, 3), array(2, 3) * 0.8]
_PARTS = [array(3), array(3) * 0.8]

SAMPLES: Samples = {
    joined.function: [Sample((0, *_JOINABLE), traced=(1, 2, 3))],
    np.concatenate: calls(
        (_JOINABLE,), (_ALIKE, -1), (_JOINABLE, None), (_ALIKE, {"axis": 1}), (tuple(_PARTS),),
        (_ALIKE, {"dtype": np.complex128}), ([array(0), array(2)],),
    ),
    np.stack: calls(
        (_ALIKE,), (_ALIKE, -1), (_ALIKE, 1), ([0.3, 0.4],),
        (_ALIKE, {"dtype": np.complex128, "casting": "safe"}),
    ),
    np.vstack: calls((_JOINABLE,), (_PARTS,), ([0.3, 0.4],), (_PARTS, {"dtype": np.complex128})),
    np.hstack: calls((_ALIKE,), ([array(3), 0.4],), (_PARTS, {"dtype": np.complex128})),
    np.dstack: calls((_ALIKE,), (_PARTS,), ([0.3, 0.4],), ([CUBE, CUBE * 0.9],)),
    np.column_stack: calls((_PARTS,), ([array(2), array(2, 3)],)),
    np.append: [
        *calls((MATRIX, array(2)), (MATRIX, MATRIX * 0.9, 0),
        (MATRIX, array(2, 1), -1), traced=(0, 1)),
        *calls((VECTOR, 0.4), (VECTOR, [0.4, 0.5], {"axis": 0})),
        *calls((VECTOR, 0.4), traced=(1,)),
    ],
    np.block: [
        *calls(
            ([[array(2, 2), array(2, 3)], [array(1, 2), array(1, 3)]],), ([0.3, array(2)],),
            ([[array(2)], [array(2) * 0.9]],), (MATRIX,), ([[array(2, 2, 3), array(2, 2, 1)]],),
        ),
    ],
    np.array: calls(
        ([[0.1, 0.2], [0.3, 0.4]],), ([array(3), array(3) * 0.8],), (0.3,), (MATRIX,),
        (MATRIX, {"ndmin": 3}), ([0.1, 0.2], np.complex128),
    ),
    np.asarray: calls(([0.1, 0.2],), (MATRIX,), (MATRIX, {"copy": True})),
    np.asanyarray: calls(([0.1, 0.2],), (MATRIX,)),
    np.ascontiguousarray: calls((MATRIX.T,), (0.3,), ([0.1, 0.2],)),
    np.asfortranarray: calls((MATRIX,), (MATRIX.T,)),
    np.asarray_chkfinite: calls((MATRIX,), ([0.1, 0.2],)),
    np.require: calls((MATRIX,), (MATRIX, None, ["F", "W"]), (MATRIX.T, {"requirements": "C"})),
    np.array_split: calls(
        (VECTOR, 3), (MATRIX, 2, 1), (VECTOR, [1, 3]), (VECTOR, [2, 7]), (CUBE, 2, -1),
        (VECTOR, [-1]), (array(2), 3),
    ),
    np.split: calls((VECTOR, 2), (MATRIX, 3, 1), (VECTOR, [1, 2], {"axis": 0})),
    np.hsplit: calls((VECTOR, 2), (MATRIX, 3)),
    np.vsplit: calls((MATRIX, 2), (CUBE, [1])),
    np.dsplit: calls((CUBE, 2)),
}  # fmt: skip

if hasattr(np, "unstack"):
    SAMPLES[np.unstack] = calls((MATRIX,), (CUBE, {"axis": 1}), (CUBE, {"axis": -1}))
if hasattr(np, "astype"):
    SAMPLES[np.astype] = [
        Sample((MATRIX, np.float64), is_complex=False),
        Sample((MATRIX, np.complex128), {"copy": False}),
    ]
