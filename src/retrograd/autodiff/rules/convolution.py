"""Convolution and correlation of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import match, multilinear, stands_for
from retrograd.autodiff.rules.indexing import put
from retrograd.autodiff.rules.joining import as_array

_NUMBERED = {0: "valid", 1: "same", 2: "full"}


def _in_full(g: Any, n: int, m: int, mode: Any) -> Any:
    """A cotangent of a part of the convolution as one of the whole: zeros for the rest."""
    mode = _NUMBERED.get(mode, mode)
    if mode == "full":
        return g
    short = min(n, m)
    start = short - 1 if mode == "valid" else (short - 1) // 2
    return put(g, slice(start, start + np.shape(g)[0]), (n + m - 1,))


def _pulled(g: Any, x: Any, other: Any, mode: Any) -> Any:
    """The cotangent of `x`: each element has met the other vector in full."""
    other = np.ravel(other)
    whole = _in_full(g, np.size(x), np.shape(other)[0], mode)
    return match(np.reshape(np.convolve(whole, np.flip(other), "valid"), np.shape(x)), x)


multilinear(
    np.convolve,
    lambda g, ans, a, v, mode="full": _pulled(g, a, v, mode),
    lambda g, ans, a, v, mode="full": _pulled(g, v, a, mode),
)


@stands_for(np.correlate)
def correlate(a: Any, v: Any, mode: Any = "valid") -> Any:
    """`numpy.correlate`: the convolution with the other vector reversed and conjugated.

    NumPy correlates the longer one with the shorter one, and reverses the result if need be.
    """
    a, v = np.ravel(as_array(a)), np.ravel(as_array(v))
    v = np.conj(v) if is_complex(v) else v
    if np.size(v) > np.size(a):
        return np.flip(np.convolve(np.flip(a), v, mode))
    return np.convolve(a, np.flip(v), mode)
