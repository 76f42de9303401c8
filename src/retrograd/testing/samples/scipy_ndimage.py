"""Samples of retrograd.scipy.ndimage."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage

from retrograd.scipy import ndimage
from retrograd.testing.samples.sample import Sample, Samples, array, calls

assert ndimage  # registers the functions

_IMAGE, _ROW = array(5, 4), array(6)
_PATCH, _KERNEL = array(3, 2), array(3)
_PLACES = np.array([[0.3, 2.6, 3.7, -0.4], [1.2, 0.7, 2.1, 3.3]])
_MODES = ("reflect", "mirror", "nearest", "wrap", "constant")


def _filters(weights: Any) -> list[Sample]:
    return [
        *calls((_IMAGE, weights), (_IMAGE, weights, {"mode": "wrap"}), traced=(0, 1)),
        Sample((_IMAGE, weights), {"mode": "constant", "cval": 0.4}, (0, 1, "cval")),
        Sample((_IMAGE, weights), {"mode": "mirror", "origin": -1}, (0, 1)),
    ]


def _real(*args: Any, traced: tuple[int | str, ...] = (0, 1), **kwargs: Any) -> Sample:
    return Sample(args, kwargs, traced, is_complex=False)


SAMPLES: Samples = {
    scipy.ndimage.convolve: _filters(array(3, 3)),
    scipy.ndimage.correlate: [*_filters(array(3, 3)), *calls((_IMAGE, _PATCH), traced=(0, 1))],
    scipy.ndimage.convolve1d: _filters(_KERNEL),
    scipy.ndimage.correlate1d: [*_filters(_KERNEL), *calls((_IMAGE, array(2), 0), traced=(0, 1))],
    scipy.ndimage.uniform_filter: calls((_IMAGE,), (_IMAGE, (2, 3), {"mode": ("wrap", "nearest")})),
    scipy.ndimage.uniform_filter1d: calls(
        (_IMAGE, 3), (_IMAGE, 2, 0, {"mode": "mirror", "origin": -1})
    ),
    scipy.ndimage.gaussian_filter: [
        _real(_IMAGE, 0.7),
        _real(_IMAGE, np.array([0.7, 1.1]), (1, 0), mode="nearest"),
        _real(_IMAGE, 0.6, mode="constant", cval=0.3, radius=2),
        *calls((_IMAGE, (0.7, 0.4), {"mode": "wrap"})),
    ],
    scipy.ndimage.gaussian_filter1d: [
        _real(_ROW, 0.7),
        _real(_IMAGE, 0.8, 0, 2),
        *calls((_ROW, 0.7, {"mode": "mirror"})),
    ],
    scipy.ndimage.map_coordinates: [
        *(_real(_IMAGE, _PLACES, mode=mode) for mode in (*_MODES, "grid-wrap", "grid-constant")),
        *(
            _real(_IMAGE, _PLACES, traced=(0,), mode=mode, cval=0.3)
            for mode in ("nearest", "constant")
        ),
        *calls((_IMAGE, _PLACES, None, 1), (_ROW, np.array([[0.3, 4.4]]), None, 5)),
        Sample(
            (_IMAGE, _PLACES),
            {"order": 1, "mode": "grid-constant", "cval": 0.4},
            (0, 1, "cval"),
            is_complex=False,
        ),
        Sample(
            (_IMAGE, _PLACES),
            {"order": 1, "mode": "constant", "cval": 0.4},
            (0, "cval"),
            is_complex=False,
        ),
        Sample((_IMAGE, _PLACES), {"order": 0}, (0,)),
        Sample(
            (_IMAGE, _PLACES),
            {"order": 2, "mode": "mirror", "prefilter": False},
            (0, 1),
            is_complex=False,
        ),
        Sample((_IMAGE, _PLACES), {"order": 4, "mode": "grid-wrap"}, (0, 1), is_complex=False),
    ],
    scipy.ndimage.spline_filter1d: [
        *(_real(*args, traced=(0,)) for args in ((_ROW,), (_IMAGE, 2, 0), (_ROW, 1), (array(70),))),
        _real(_IMAGE, 5, mode="reflect", traced=(0,)),
        *(_real(array(66), 4, mode=mode, traced=(0,)) for mode in ("reflect", "grid-wrap")),
    ],
    scipy.ndimage.shift: [
        _real(_IMAGE, np.array([0.3, -0.6]), mode="mirror"),
        _real(_IMAGE, 0.3, mode="nearest"),
    ],
    scipy.ndimage.affine_transform: [
        _real(
            _IMAGE,
            np.array([[0.9, 0.2], [-0.1, 0.8]]),
            np.array([0.3, 0.4]),
            traced=(0, 1, 2),
            mode="mirror",
        ),
        _real(_IMAGE, np.array([0.9, 0.8]), 0.21, mode="reflect"),
        _real(_ROW, np.array([[0.7, 0.31]]), mode="mirror"),
    ],
}
