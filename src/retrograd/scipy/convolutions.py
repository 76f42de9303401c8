"""Convolution of arrays along some of their axes, and its derivatives.

`full` gives all places where two arrays touch, `valid` those where the second lies inside the
first. Both are linear in each argument, and each is the transpose of the other, but for flips.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal

from retrograd.autodiff.primitive import Primitive, match, multilinear
from retrograd.errors import ArgumentError

Axes = tuple[int, ...]


def _convolve(x: Any, y: Any, mode: str, method: str, axes: Axes) -> Any:
    if method == "oa":
        return scipy.signal.oaconvolve(x, y, mode, axes=axes)
    if method == "fft" or len(axes) < np.ndim(x):
        return scipy.signal.fftconvolve(x, y, mode, axes=axes)
    return scipy.signal.convolve(x, y, mode, method)


def _full(x: Any, y: Any, method: str, axes: Axes) -> Any:
    return _convolve(x, y, "full", method, axes)


def _valid(x: Any, y: Any, method: str, axes: Axes) -> Any:
    return _convolve(x, y, "valid", method, axes)


def _flip(x: Any, axes: Axes) -> Any:
    return np.flip(x, axes)


# Along the axes the first array is the larger one; the other axes are broadcast.
full = Primitive(_full)
valid = Primitive(_valid)

multilinear(
    full,
    lambda g, ans, x, y, method, axes: match(valid(g, _flip(y, axes), method, axes), x),
    lambda g, ans, x, y, method, axes: match(valid(g, _flip(x, axes), method, axes), y),
)
multilinear(
    valid,
    lambda g, ans, x, y, method, axes: match(full(g, _flip(y, axes), method, axes), x),
    lambda g, ans, x, y, method, axes: match(
        _flip(valid(x, _flip(g, axes), method, axes), axes), y
    ),
)


def convolved(x: Any, y: Any, mode: str, method: str, axes: Axes) -> Any:
    """The convolution in one of SciPy's modes; "same" has the size of `x`."""
    if mode == "valid":
        first, second = (np.array([np.shape(a)[i] for i in axes]) for a in (x, y))
        if np.all(first >= second):
            return valid(x, y, method, axes)
        if np.all(second >= first):
            return valid(y, x, method, axes)
        raise ArgumentError(
            f"convolve: mode='valid' needs one array to be at least as large as the other along "
            f"every axis; the shapes are {np.shape(x)} and {np.shape(y)}"
        )
    if mode not in ("full", "same"):
        raise ArgumentError(f"convolve: mode={mode!r}; give 'full', 'same' or 'valid'")
    whole = full(x, y, method, axes)
    return whole if mode == "full" else centred(whole, np.shape(x), axes)


def centred(whole: Any, shape: Any, axes: Axes) -> Any:
    """The middle of an array, of this size along the axes."""
    index: list[Any] = [slice(None)] * np.ndim(whole)
    for axis in axes:
        start = (np.shape(whole)[axis] - shape[axis]) // 2
        index[axis] = slice(start, start + shape[axis])
    return whole[tuple(index)]
