"""Samples of rules/polynomials.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.testing.samples.sample import MATRIX, VECTOR, Sample, Samples, array, calls

_LONG, _SHORT = array(5), array(3) * 0.8 + 0.1
_POINTS, _VALUES = array(6), array(3, 2).ravel()
_SERIES = [
    getattr(np.polynomial, family)
    for family in ("polynomial", "chebyshev", "legendre", "hermite", "hermite_e", "laguerre")
]
_NAMES = ("poly", "cheb", "leg", "herm", "herme", "lag")


def _series() -> dict[Any, list[Sample]]:
    found: dict[Any, list[Sample]] = {}
    for module, name in zip(_SERIES, _NAMES, strict=True):
        val, val2d, grid2d = (getattr(module, name + kind) for kind in ("val", "val2d", "grid2d"))
        found[val] = [
            *calls((MATRIX, VECTOR), (0.3, VECTOR), (array(3), array(4, 2)), traced=(0, 1)),
            Sample((array(2), array(4, 2)), {"tensor": False}, (0, 1)),
            Sample((array(2), array(1)), traced=(0, 1)),
        ]
        found[val2d] = [Sample((array(2), array(2) * 0.7, array(3, 4)), traced=(0, 1, 2))]
        found[grid2d] = [Sample((array(2), array(3) * 0.7, array(3, 4)), traced=(0, 1, 2))]
    return found


SAMPLES: Samples = {
    np.polyval: calls((VECTOR, MATRIX), (VECTOR, 0.4), (VECTOR, array(0)), traced=(0, 1)),
    np.polyadd: calls(
        (_LONG, _SHORT), (_SHORT, _LONG), (_LONG, 0.3), (_LONG, _LONG * 0.7), traced=(0, 1)
    ),
    np.polysub: calls((_LONG, _SHORT), (_SHORT, _LONG), (0.3, _LONG), traced=(0, 1)),
    np.polymul: [
        *calls((_LONG, _SHORT), (_SHORT, 0.3), traced=(0, 1)),
        *calls((np.array([0.0, 1.2, 0.4]), _SHORT), traced=(1,)),
    ],
    np.polydiv: calls(
        (_LONG, _SHORT), (_LONG, array(5) * 0.7 + 0.1), (_SHORT, _LONG), traced=(0, 1)
    ),
    np.polyder: calls((_LONG,), (_LONG, 2), (_LONG, 0)),
    np.polyint: [
        *calls((_LONG,), (_LONG, 2), (_LONG, 0)),
        Sample((_SHORT, 2, array(2))),
        Sample((_SHORT,), {"m": 2, "k": 0.4}),
    ],
    np.poly: calls((_SHORT,), (_LONG,), (array(3, 3),)),
    np.roots: [
        *calls((_SHORT,), (np.array([1.2, 0.3, -1.4, 0.0]),)),
        Sample((_LONG,), is_complex=False),
    ],
    np.polyfit: [
        *calls(
            (_POINTS, _VALUES, 2), (_POINTS, array(6, 2), 3), (_POINTS, _VALUES, 0), traced=(0, 1)
        ),
        Sample((_POINTS, _VALUES, 2), {"w": array(6, low=0.5)}, (0, 1, "w"), is_complex=False),
        Sample((_POINTS, array(6, 2), 1), {"w": array(6, low=0.5)}, (1, "w"), is_complex=False),
    ],
    **_series(),
}
