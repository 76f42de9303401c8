"""Samples of rules/diagonals.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Samples, array, calls

SAMPLES: Samples = {
    np.diag: calls(
        (VECTOR,), (VECTOR, 2), (VECTOR, -1), (MATRIX,), (MATRIX, 1), (MATRIX, {"k": -1}),
        (array(3, 2), 1), (array(0),), (MATRIX, 5),
    ),
    np.diagflat: calls((MATRIX,), (VECTOR, -2), (0.3, {"k": 1})),
    np.trace: calls(
        (MATRIX,), (MATRIX, 1), (MATRIX, -1), (CUBE, 0, 1, 2),
        (CUBE, {"offset": 1, "axis1": -1, "axis2": 0}),
        (MATRIX, {"dtype": np.complex128}), (MATRIX, 1, 1, 0), (CUBE, -1, 2, 0),
    ),
    np.tril: calls((MATRIX,), (MATRIX, 1), (CUBE, -1), (array(3),), (MATRIX, {"k": -2})),
    np.triu: calls((MATRIX,), (MATRIX, 1), (CUBE, -1), (array(3), 1), (MATRIX, {"k": -1})),
    np.vander: calls((array(3),), (array(3), 2), (array(3), 4, True), (array(2), {"N": 0})),
}  # fmt: skip
