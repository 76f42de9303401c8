"""Samples of rules/convolution.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import Sample, Samples, array

_LENGTHS = ((5, 3), (3, 5), (5, 2), (2, 5), (4, 4), (4, 1), (1, 1))
_PAIRS = [(array(n), array(m) * 0.8 + 0.05) for n, m in _LENGTHS]
_MODES = [
    Sample(pair, {"mode": mode}, (0, 1)) for pair in _PAIRS for mode in ("full", "same", "valid")
]

SAMPLES: Samples = {
    np.convolve: [Sample(_PAIRS[0], traced=(0, 1)), Sample((0.3, array(3)), {}, (0, 1)), *_MODES],
    np.correlate: [Sample(_PAIRS[1], traced=(0, 1)), *_MODES],
}
