"""Samples of retrograd.scipy.optimize."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.optimize

from retrograd.scipy import optimize
from retrograd.testing.samples.sample import Sample, Samples

assert optimize  # registers the functions


def _cubic(x: Any, a: Any, b: Any) -> Any:
    return x**3 - b * x - a


def _coupled(x: Any, a: Any) -> Any:
    return [x[0] ** 2 + a[0] * x[1] - 2.0, x[1] ** 3 - a[1]]


def _cosine(x: Any, a: Any) -> Any:
    return np.cos(a * x)


def _enclosed(**options: float) -> list[Sample]:
    return [Sample((_cubic, 0.7, 5.0, (0.7, 1.2)), options, (3,), is_complex=False)]


SAMPLES: Samples = {
    scipy.optimize.bisect: _enclosed(xtol=1e-14),
    scipy.optimize.brentq: _enclosed(),
    scipy.optimize.brenth: _enclosed(),
    scipy.optimize.ridder: _enclosed(xtol=1e-14),
    scipy.optimize.toms748: _enclosed(),
    scipy.optimize.newton: [
        Sample((_cubic, 1.5), {"args": (0.7, 1.2), "tol": 1e-13}, ("args",), is_complex=False),
        Sample(
            (_cubic, np.array([1.3, 1.6]), None, (np.array([0.7, 1.4]), 1.2), 1e-13),
            traced=(3,),
            is_complex=False,
        ),
    ],
    scipy.optimize.fsolve: [
        Sample(
            (_coupled, np.ones(2), (np.array([0.7, 1.3]),)), {"xtol": 1e-13}, (2,), is_complex=False
        ),
    ],
    scipy.optimize.fixed_point: [
        Sample(
            (_cosine, np.ones(2), (np.array([0.7, 0.4]),)), {"xtol": 1e-13}, (2,), is_complex=False
        ),
        Sample((_cosine, 0.8, (0.7,)), {"xtol": 1e-13}, (2,), is_complex=False),
    ],
}
