"""Samples of rules/sorting.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.rules.sorting import permuted
from retrograd.testing.samples.sample import (
    CUBE,
    MATRIX,
    VECTOR,
    Sample,
    Samples,
    array,
    calls,
    reduction,
)

_HOLES = np.array([[0.7, np.nan, 1.2, 0.4], [-0.6, 0.3, np.nan, np.nan]])
_ORDER = np.array([[2, 0, 1], [1, 0, 2]])
_METHODS = (
    "linear", "interpolated_inverted_cdf", "hazen", "weibull", "median_unbiased",
    "normal_unbiased", "lower", "higher", "nearest", "midpoint", "inverted_cdf",
    "averaged_inverted_cdf", "closest_observation",
)  # fmt: skip


def quantiles(x: Any, per: float) -> list[Sample]:
    """Calls of a function of an array and of `q`, which goes from 0 to `per`."""
    several = per * np.array([[0.13, 0.48], [0.91, 0.33]])
    real: list[Sample] = [
        *(Sample((x, several, -1), {"method": m}, (0, 1), is_complex=False) for m in _METHODS),
        Sample((x, 0.37 * per), is_complex=False),
        Sample((x, 0.37 * per), {"axis": 1, "keepdims": True}, is_complex=False),
        Sample((array(2, 3, 2), 0.7 * per, (0, -1)), traced=(0, 1), is_complex=False),
        Sample((array(5),), {"q": several[0], "axis": -1}, traced=(0, "q"), is_complex=False),
    ]
    return real


def medians(x: Any) -> list[Sample]:
    """Calls of a median."""
    return [
        Sample((x,), is_complex=False),
        Sample((x, -1), is_complex=False),
        Sample((x,), {"axis": 1, "keepdims": True}, is_complex=False),
    ]


SAMPLES: Samples = {
    np.sort: [
        *calls((VECTOR,), (MATRIX,), (CUBE, 0), (CUBE, -2), (MATRIX, None), (array(0, 2),)),
        *calls((MATRIX, {"axis": 0, "kind": "mergesort"}), (VECTOR, {"stable": True})),
    ],
    permuted.function: calls((MATRIX, _ORDER, np.argsort(_ORDER, -1))),
    np.partition: calls((VECTOR, 2), (CUBE, 1, 0), (CUBE, [0, -1]), (MATRIX, 3, None)),
    np.sort_complex: calls((VECTOR,), (MATRIX,)),
    np.lexsort: [],  # it returns places; what it is given is a sequence
    np.unique: [*calls((VECTOR,), (MATRIX,)), Sample((MATRIX,), {"axis": 0}, is_complex=False)],
    np.unique_values: calls((VECTOR,)),
    np.unique_all: [],  # these return places and numbers too, which no derivative check takes
    np.unique_counts: [],
    np.unique_inverse: [],
    np.median: [*reduction()[:-1], *medians(MATRIX)],
    np.nanmedian: [*reduction(is_complex=False)[:-1], *medians(_HOLES)],
    np.quantile: quantiles(array(2, 5), 1),
    np.percentile: quantiles(array(2, 5), 100),
    np.nanquantile: quantiles(array(2, 5), 1),
    np.nanpercentile: quantiles(array(2, 5), 100),
}
