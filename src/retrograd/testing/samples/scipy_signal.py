"""Samples of retrograd.scipy.signal."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal

from retrograd.scipy import signal
from retrograd.testing.samples.sample import Sample, Samples, array, calls

assert signal  # registers the functions

_SIGNAL, _KERNEL = array(6), array(3) * 0.7 + 0.1
_IMAGE, _PATCH = array(4, 5), array(2, 3) * 0.7 + 0.1
_B, _A = np.array([0.3, 0.5, 0.1]), np.array([1.2, 0.4])
_SECTIONS = np.array([[0.3, 0.5, 0.1, 1.0, 0.4, 0.1], [0.6, 0.2, -0.3, 1.0, -0.2, 0.05]])


def _pairs(*pairs: tuple[Any, Any], modes: tuple[str, ...] = ("full", "same", "valid")) -> Any:
    return calls(*((x, y, mode) for x, y in pairs for mode in modes), traced=(0, 1))


SAMPLES: Samples = {
    scipy.signal.convolve: [
        *_pairs((_SIGNAL, _KERNEL), (_KERNEL, _SIGNAL), (_IMAGE, _PATCH)),
        *calls((_IMAGE, _PATCH, "same", "fft"), (_IMAGE, _PATCH, "valid", "direct"), traced=(0, 1)),
        *calls((np.asarray(0.4), np.asarray(0.3)), (array(2, 3, 3), array(2, 2, 1)), traced=(0, 1)),
    ],
    scipy.signal.correlate: _pairs((_SIGNAL, _KERNEL), (_KERNEL, _SIGNAL), (_IMAGE, _PATCH)),
    scipy.signal.fftconvolve: [
        *_pairs((_SIGNAL, _KERNEL), (_PATCH, _IMAGE)),
        *calls(
            (_IMAGE, array(4, 2), "full", 1),
            (_IMAGE, array(1, 2), "same", -1),
            (array(2, 3, 4), array(2, 1, 2), "valid", (0, 2)),
            traced=(0, 1),
        ),
    ],
    scipy.signal.oaconvolve: [
        *_pairs((_SIGNAL, _KERNEL), (_IMAGE, _PATCH)),
        *calls((_IMAGE, array(4, 2), "full", 1), traced=(0, 1)),
    ],
    scipy.signal.convolve2d: [
        *_pairs((_IMAGE, _PATCH), (_PATCH, _IMAGE)),
        *calls(
            *((_IMAGE, _PATCH, mode, b) for mode in ("full", "same") for b in ("wrap", "symm")),
            traced=(0, 1),
        ),
        *calls((_IMAGE, _PATCH, "same", "fill", 0.4), traced=(0, 1, 4)),
    ],
    scipy.signal.correlate2d: [
        *_pairs((_IMAGE, _PATCH), (_PATCH, _IMAGE)),
        *calls((_IMAGE, _PATCH, "same", "symm"), traced=(0, 1)),
    ],
    scipy.signal.lfilter: [
        *calls(
            (_B, _A, _SIGNAL),
            (_A, _B, _IMAGE, 0),
            (_B, _A, array(2)),
            (_B, _A[:1], _SIGNAL),
            traced=(0, 1, 2),
        ),
        Sample((_B, _A, _IMAGE), {"zi": array(4, 2)}, (0, 1, 2, "zi")),
        Sample((_A, _B, _IMAGE, 0), {"zi": array(2, 5)}, (2, "zi")),
    ],
    scipy.signal.sosfilt: calls((_SECTIONS, _SIGNAL), (_SECTIONS, _IMAGE, 0), traced=(1,)),
    scipy.signal.detrend: calls(
        (_SIGNAL,), (_IMAGE, 0), (_IMAGE, -1, "constant"), (_SIGNAL, -1, "linear", 3)
    ),
}
