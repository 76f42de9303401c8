"""Samples of retrograd.scipy.integrate."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.integrate

from retrograd.scipy import integrate
from retrograd.testing.samples.sample import CUBE, MATRIX, VECTOR, Sample, Samples, array, calls

assert integrate  # registers the functions


def _hunt(y: Any, t: Any, p: Any) -> Any:
    return [y[0] * (p[0] - y[1]), y[1] * (y[0] - 0.8) + 0.1 * np.sin(t)]


def _decay(t: Any, y: Any, rate: Any, shift: Any) -> Any:
    return shift - rate * y


_START, _RATES = np.array([1.0, 0.7]), np.array([1.1])
_TIMES = np.array([0.2, 0.7, 1.3])
_EXACT = {"rtol": 1e-11, "atol": 1e-11}
_GRID, _UNEVEN = array(5), np.array([0.1, 0.4, 0.9, 1.1, 1.6])

SAMPLES: Samples = {
    scipy.integrate.odeint: [
        Sample((_hunt, _START, _TIMES, (_RATES,)), _EXACT, (1, 2, 3), is_complex=False, order=1),
        Sample(
            (_hunt, _START, _TIMES[::-1], (_RATES,)), _EXACT, (1, 2, 3), is_complex=False, order=1
        ),
        Sample(
            (_decay, 0.7, _TIMES[:2], (1.2, 0.4)),
            {**_EXACT, "tfirst": True},
            (3,),
            is_complex=False,
        ),
    ],
    scipy.integrate.trapezoid: [
        *calls((VECTOR,), (MATRIX, {"axis": 0})),
        *calls((_GRID, _UNEVEN), (CUBE, array(3), 1.0, 1), traced=(0, 1)),
    ],
    scipy.integrate.cumulative_trapezoid: [
        *calls((VECTOR,), (MATRIX, {"axis": 0}), (CUBE, {"axis": 1, "initial": 0})),
        *calls((_GRID, _UNEVEN), (MATRIX, array(2, 3)), traced=(0, 1)),
        Sample((MATRIX,), {"dx": 0.4}, (0, "dx")),
    ],
    scipy.integrate.simpson: [
        *calls((_GRID,), (VECTOR,), (CUBE, {"axis": 1}), (array(2),)),
        *(
            Sample(args, {}, (0, 1), is_complex=False)
            for args in ((_GRID, _UNEVEN), (VECTOR, _UNEVEN[1:]), (array(2), _UNEVEN[:2]))
        ),
        Sample(
            (MATRIX, np.array([[0.1, 0.4, 0.9], [0.0, 0.7, 1.0]])), {}, (0, 1), is_complex=False
        ),
        Sample((VECTOR,), {"dx": 0.4}, (0, "dx"), is_complex=False),
    ],
}
