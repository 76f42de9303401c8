"""Samples of rules/cumulative.py."""

from __future__ import annotations

import numpy as np

from retrograd.autodiff.rules.cumulative import recurrence
from retrograd.testing.samples.sample import (
    CUBE,
    MATRIX,
    VECTOR,
    Sample,
    Samples,
    array,
    calls,
)

_HOLES = np.array([[0.7, 0.0, 1.2, 0.4], [0.0, 0.3, 0.0, 0.8]])
_BOTH = [
    *calls((VECTOR,), (MATRIX,), (MATRIX, 0), (CUBE, -1), (CUBE, {"axis": 1}), (_HOLES, 1), (0.3,)),
    *calls((np.zeros((0, 2)), 0), (np.zeros((2, 0)), 1)),
    Sample((MATRIX, 1), {"dtype": np.float64}, is_complex=False),
]
_CUMULATIVE = [
    *calls((VECTOR,), (CUBE, {"axis": -2}), (VECTOR, {"include_initial": True})),
    Sample((CUBE,), {"axis": -1, "include_initial": True}),
    Sample((MATRIX,), {"axis": 0, "dtype": np.float64}, is_complex=False),
]

SAMPLES: Samples = {
    np.cumsum: _BOTH,
    np.cumprod: _BOTH,
    recurrence.function: calls(
        (VECTOR, array(4) * 0.8), (array(3, 2), array(3, 2) * 0.8), traced=(0, 1)
    ),
}
for _name in ("cumulative_sum", "cumulative_prod"):
    if hasattr(np, _name):  # since NumPy 2.1
        SAMPLES[getattr(np, _name)] = _CUMULATIVE
