"""Samples of rules/lengths.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Sample, Samples, array, calls

SAMPLES: Samples = {
    np.repeat: calls(
        (MATRIX, 2), (MATRIX, 2, 0), (MATRIX, 3, -1), (MATRIX, [1, 0, 2], 1), (MATRIX, [2], 0),
        (array(2), [1, 3]), (0.3, 2), (MATRIX, np.array([2, 1]), {"axis": -2}), (CUBE, 2, -2),
        (MATRIX, 0), (MATRIX, 0, -1),
    ),
    np.tile: calls(
        (VECTOR, 2), (MATRIX, (2, 1)), (VECTOR, (2, 3)), (CUBE, 2), (0.3, 3), (VECTOR, 0),
        (MATRIX, 1), (MATRIX, (3, 1, 2)),
    ),
    np.resize: calls((MATRIX, (3, 3)), (MATRIX, 4), (VECTOR, (2, 0)), (0.3, (2, 2)), (VECTOR, ())),
    np.delete: calls(
        (VECTOR, 1), (MATRIX, 1, 0), (MATRIX, [0, -1], 1), (MATRIX, slice(0, 4, 2)),
        (VECTOR, [True, False, False, True]), (CUBE, 1, {"axis": -2}), (VECTOR, []),
    ),
    np.insert: [
        *calls(
            (VECTOR, 1, 0.4), (VECTOR, [1, 1, 3], array(3) * 0.9), (VECTOR, [1, -1], 0.4),
            (MATRIX, 1, array(3), 0), (MATRIX, [1], array(2, 1), 1), (MATRIX, 1, array(2), 1),
            (MATRIX, slice(0, 2), array(3), 0), (VECTOR, [2], array(2)), (CUBE, 1, array(2, 4), 1),
            (CUBE, 1, array(4), 1), (MATRIX, 5, 0.4), (MATRIX, [0, 2], array(2, 2), -1),
            traced=(0, 2),
        ),
        *calls((VECTOR, np.array([True, False, True, False]), 0.4), (VECTOR, [], 0.4)),
        Sample((VECTOR, 1, 0.4), traced=(2,), is_complex=False),  # NumPy casts to the array's dtype
    ],
    np.trim_zeros: calls((VECTOR,), (MATRIX, "f"),
    (VECTOR, {"trim": "b"})),  # zeros do not stay zero when moved
}  # fmt: skip
