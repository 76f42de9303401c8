"""Samples of rules/reductions.py and special.py."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.rules.special import logsumexp
from retrograd.testing.samples.sample import (
    CUBE,
    MASK,
    MATRIX,
    VECTOR,
    Sample,
    Samples,
    array,
    calls,
    reduction,
)

# Every row and column has an element.
_CHOSEN = np.array([True, False, True])


def masked(*, is_complex: bool = True, **more: Any) -> list[Sample]:
    """Reductions of some of the elements."""
    options: list[tuple[Any, dict[str, Any]]] = [
        (MATRIX, {"where": MASK}),
        (MATRIX, {"axis": 1, "where": MASK}),
        (MATRIX, {"axis": -1, "where": _CHOSEN, "keepdims": True}),
        (array(2, 3, 2), {"axis": (0, 2), "where": MASK[:, :, None]}),
    ]
    return [Sample((x,), {**kwargs, **more}, is_complex=is_complex) for x, kwargs in options]


def started(initial: float, *, is_complex: bool = True) -> list[Sample]:
    """Reductions that begin with a value."""
    options: list[dict[str, Any]] = [
        {"axis": 1}, {"axis": (0, 2), "keepdims": True}, {}, {"where": MASK[:, :, None]},
    ]  # fmt: skip
    x = array(2, 3, 2)
    return [Sample((x,), {"initial": initial, **o}, is_complex=is_complex) for o in options]


_MOST = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 1], [1, 0, 1]], bool)


def spreads(*, mean: tuple[int | str, ...] = ("mean",)) -> list[Sample]:
    """Calls of `var` and `std`; `mean` is traced where NumPy lets us see it."""
    x = array(4, 3)
    return [
        *reduction()[:-1],
        *reduction(ddof=1)[:-1],
        Sample((x,), {"axis": 0, "correction": 1}),
        Sample((x, 1), {"dtype": np.float64}, is_complex=False),
        Sample((x,), {"where": _MOST}),
        Sample((x, 0), {"where": _MOST, "ddof": 0.5, "keepdims": True}),
        Sample((x, (0, 1)), {"where": _MOST[:, :1]}),
        *(Sample((x, 1), {"mean": m}) for m in (0.2, array(4, 1))),
        Sample((x, 1), {"mean": array(4, 1), "ddof": 1, "keepdims": True}, (0, *mean)),
        Sample((x,), {"mean": 0.1, "where": _MOST}, (0, *mean)),
    ]


SAMPLES: Samples = {
    np.sum: [
        *reduction(), *masked(), *started(0.7),
        Sample((MATRIX, 0), {"dtype": np.float64}, is_complex=False),
        *calls((np.zeros((0, 2)), 0), (np.zeros((2, 0)),)),
    ],
    np.mean: [
        *reduction(), *masked(), Sample((MATRIX,), {"dtype": np.float64}, is_complex=False),
        *calls((np.zeros((0, 2)), 1)),
    ],
    np.prod: [
        *reduction(), *masked(), *started(0.7), *calls((np.array([0.0, 0.3, 1.2]),)),
        *calls((np.zeros((2, 0)), 1)),
        Sample((MATRIX, 0), {"dtype": np.float64}, is_complex=False),
    ],
    np.var: spreads(),
    np.std: spreads(),
    np.max: [*reduction(), *started(0.3), *started(9.0), *masked(initial=-9.0)],
    np.min: [*reduction(), *started(-0.3), *started(-9.0), *masked(initial=9.0)],
    np.amax: reduction()[:3],
    np.amin: reduction()[:3],
    np.ptp: reduction()[:-1],
    np.average: [
        *reduction()[:-1],
        *calls(
            (VECTOR, None, array(4, low=0.2) * 0.9), (CUBE, 1, array(3, low=0.2)),
            (CUBE, -1, array(2, 3, 4, low=0.2) * 0.9, True), (CUBE, (2, 0), array(4, 2, low=0.2)),
            traced=(0, 2),
        ),
        Sample((MATRIX, 0), {"weights": array(2, low=0.2), "keepdims": True}, (0, "weights")),
        Sample((MATRIX,), {"axis": 0, "returned": True}),
    ],
    logsumexp.function: reduction(is_complex=False),
}  # fmt: skip
