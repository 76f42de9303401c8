"""Samples of rules/statistics.py."""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.sample import MATRIX, VECTOR, Sample, Samples, array, calls

_DATA = array(3, 5)
_NUMBERS = np.array([0, 2, 2, 5, 1, 0])
_WEIGHTS = array(6)
_EDGES = np.array([-1.6, -0.5, 0.1, 1.4])
_AWEIGHTS = array(5, low=0.5)
_FWEIGHTS = np.array([1, 2, 1, 3, 1])
_PLACES = array(6) * 0.9
_MORE = array(6, low=-1.0) * 0.8


def _real(*args: object, traced: tuple[int | str, ...] = (0,), **kwargs: object) -> Sample:
    return Sample(args, kwargs, traced, is_complex=False)


SAMPLES: Samples = {
    np.cov: [
        *calls(
            (_DATA,),
            (VECTOR,),
            (_DATA, {"rowvar": False}),
            (_DATA, {"bias": True}),
            (_DATA, {"ddof": 2}),
        ),
        *calls((_DATA, array(2, 5)), (VECTOR, array(2, 2).ravel() * 0.7), traced=(0, 1)),
        Sample((_DATA, array(3, 5) * 0.7, False), traced=(0, 1)),
        *calls((_DATA, {"fweights": _FWEIGHTS}), (_DATA, {"fweights": _FWEIGHTS, "bias": True})),
        _real(_DATA, aweights=_AWEIGHTS, traced=(0, "aweights")),
        _real(_DATA, aweights=_AWEIGHTS, fweights=_FWEIGHTS, ddof=1, traced=(0, "aweights")),
        _real(_DATA, aweights=_AWEIGHTS, ddof=0, traced=(0, "aweights")),
        *calls((_DATA, {"aweights": _AWEIGHTS})),
    ],
    np.corrcoef: [
        *calls((_DATA,), (_DATA, {"rowvar": False})),
        *calls((_DATA, array(2, 5)), (VECTOR, array(2, 2).ravel() * 0.7), traced=(0, 1)),
    ],
    np.bincount: [
        _real(_NUMBERS, _WEIGHTS, traced=(1,)),
        _real(_NUMBERS, weights=_WEIGHTS, minlength=9, traced=("weights",)),
    ],
    np.histogram_bin_edges: [
        _real(_PLACES),
        _real(MATRIX, 3),
        _real(_PLACES, "auto"),
        _real(_PLACES, 3, [-1.7, 1.6], traced=(2,)),
        _real(_PLACES, _EDGES, traced=(1,)),
    ],
    np.histogram: [
        Sample((_PLACES, 3), {"weights": _WEIGHTS}, ("weights",)),
        Sample((_PLACES, _EDGES), {"weights": _WEIGHTS}, ("weights",)),
        Sample((_PLACES, 3, (-0.9, 1.1)), {"weights": _WEIGHTS, "density": True}, ("weights",)),
        _real(_PLACES, 3, density=True, weights=_WEIGHTS + 2.0, traced=(0, "weights")),
        _real(_PLACES, _EDGES, density=True, traced=(1,)),
    ],
    np.histogram2d: [
        _real(_PLACES, _MORE, [3, _EDGES], weights=_WEIGHTS, traced=("weights",)),
        _real(_PLACES, _MORE, 3, None, True, _WEIGHTS + 2.0, traced=(0, 1, 5)),
        _real(_PLACES, _MORE, _EDGES, weights=_WEIGHTS, traced=("weights",)),
    ],
    np.histogramdd: [
        _real(array(6, 2), 3, weights=_WEIGHTS, traced=(0, "weights")),
        _real(array(6, 2), (2, 3), ((-1.1, 1.0), None), True, _WEIGHTS + 2.0, traced=(0, 4)),
    ],
}
