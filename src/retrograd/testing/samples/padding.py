"""Samples of rules/padding.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Sample, Samples, array, calls

_STATISTICS = [
    Sample((MATRIX, 1, mode), {"stat_length": length}, is_complex=mode == "mean")
    for mode in ("mean", "median", "maximum", "minimum")
    for length in (None, 2, ((1, 2), (3, 1)))
]  # order needs real numbers

SAMPLES: Samples = {
    np.pad: [
        *calls(
            (VECTOR, 2), (MATRIX, ((1, 2), (0, 3))), (MATRIX, (1, 0), {"constant_values": 0.7}),
            (MATRIX, 1, "constant", {"constant_values": ((1.0, 2.0), (3.0, 4.0))}),
            (VECTOR, (2, 1), "edge"), (CUBE, 1, "edge"), (array(0, 2), 1),
            (VECTOR, (3, 9), "reflect"), (MATRIX, 2, "symmetric"),
            (MATRIX, ((5, 0), (2, 7)), "wrap"),
            (VECTOR, (3, 7), "reflect", {"reflect_type": "odd"}),
            (MATRIX, (1, 2), "symmetric", {"reflect_type": "odd"}),
            (VECTOR, (3, 2), "linear_ramp"), (array(1, 2), 2, "reflect"),
            (MATRIX, ((1, 2), (0, 3)), "linear_ramp", {"end_values": ((1, 2), (3, 4))}),
        ),
        *_STATISTICS,
    ],
}  # fmt: skip
