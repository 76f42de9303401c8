"""Equations with banded matrices, in LAPACK's storage: `ab[u + i - j, j] = A[i, j]`."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg as sl

from retrograd.autodiff.dtypes import floats
from retrograd.autodiff.primitive import Primitive, match, rule, shape_of, stands_for


def _shifted(x: Any, k: int) -> Any:
    """Rows moved down by `k` (up, if negative); zeros come in."""
    n = shape_of(x)[0]
    if k == 0:
        return x
    zeros = np.zeros((min(abs(k), n), *shape_of(x)[1:]), x.dtype)
    if abs(k) >= n:
        return zeros
    return np.concatenate([zeros, x[:-k]] if k > 0 else [x[-k:], zeros])


def _transposed(ab: Any, lower: int, upper: int) -> Any:
    """The storage of the transpose."""
    width = lower + upper
    return np.stack([_shifted(ab[width - row], lower - row) for row in range(width + 1)])


def _banded(ab: Any, b: Any, lower: int, upper: int) -> Any:
    return sl.solve_banded((lower, upper), ab, b, check_finite=False)


def _banded_vjp(g: Any, ans: Any, ab: Any, b: Any, lower: int, upper: int) -> Any:
    """The outer product of two matrices, as far as it lies in the band."""
    pulled = _solve(_transposed(ab, lower, upper), g, upper, lower)
    rows = [
        np.sum(_shifted(pulled, upper - row) * ans, axis=-1) for row in range(lower + upper + 1)
    ]
    return match(-np.stack(rows), ab)


_solve = rule(
    Primitive(_banded),
    vjps=[
        _banded_vjp,
        lambda g, ans, ab, b, lower, upper: match(
            _solve(_transposed(ab, lower, upper), g, upper, lower), b
        ),
    ],
)


@stands_for(sl.solve_banded)
def solve_banded(
    l_and_u: tuple[int, int],
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.solve_banded`."""
    ab, b = floats(ab), floats(b)
    lower, upper = l_and_u
    if np.ndim(b) == 1:
        return _solve(ab, np.expand_dims(b, -1), lower, upper)[:, 0]
    return _solve(ab, b, lower, upper)


@stands_for(sl.solveh_banded)
def solveh_banded(
    ab: Any,
    b: Any,
    overwrite_ab: bool = False,
    overwrite_b: bool = False,
    lower: bool = False,
    check_finite: bool = True,
) -> Any:
    """`scipy.linalg.solveh_banded`, where one triangle is stored and stands for both."""
    ab = floats(ab)
    width = shape_of(ab)[0] - 1
    above, below = [], []
    for k in range(width, 0, -1):
        row = ab[k] if lower else ab[width - k]
        above.append(np.conj(_shifted(row, k)) if lower else row)
        below.append(row if lower else np.conj(_shifted(row, -k)))
    middle = np.real(ab[0] if lower else ab[width])
    return solve_banded((width, width), np.stack([*above, middle, *below[::-1]]), b)
