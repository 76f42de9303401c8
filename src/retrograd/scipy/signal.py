"""A drop-in for `scipy.signal`: convolutions and linear filters."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.signal
from numpy.lib.array_utils import normalize_axis_index, normalize_axis_tuple

from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import (
    REGISTRY,
    Primitive,
    has_traced,
    linear,
    match,
    rule,
    stands_for,
)
from retrograd.autodiff.rules.joining import as_array
from retrograd.errors import ArgumentError
from retrograd.scipy.callbacks import refuse
from retrograd.scipy.convolutions import Axes, convolved, full

__getattr__, __dir__ = drop_in(scipy.signal)


def _same_ndim(name: str, in1: Any, in2: Any) -> tuple[Any, Any]:
    in1, in2 = as_array(in1), as_array(in2)
    if np.ndim(in1) != np.ndim(in2):
        raise ArgumentError(
            f"{name}: in1 has {np.ndim(in1)} dimensions and in2 {np.ndim(in2)}; give as many"
        )
    return in1, in2


def _over_all(name: str, in1: Any, in2: Any, mode: str, method: str) -> Any:
    in1, in2 = _same_ndim(name, in1, in2)
    if np.ndim(in1) == 0:
        return in1 * in2
    if not np.size(in1) or not np.size(in2):
        return np.array([])
    return convolved(in1, in2, mode, method, tuple(range(np.ndim(in1))))


def convolve(
    in1: Any, in2: Any, mode: str = "full", method: str = "auto", *, axes: Any = None,
    dot_axes: Any = ((), ()),
) -> Any:  # fmt: skip
    """`scipy.signal.convolve`; with `axes`, along some axes only, as Autograd has it.

    Args:
        in1: an array.
        in2: an array, of as many dimensions unless `axes` is given.
        mode: "full", "same" or "valid".
        method: "auto", "direct" or "fft".
        axes: a pair of lists: the axes of `in1` and of `in2` to convolve along. The result has the
            other axes of `in1`, those of `in2`, and the convolved ones.
        dot_axes: a pair of lists: the axes of `in1` and of `in2` to multiply and sum over.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.signal import convolve
        >>> rg.grad(lambda h: np.sum(convolve(np.ones(3), h, "valid")))(np.array([1.0, 2.0]))
        array([2., 2.])
    """
    if axes is not None:
        return _along_some(as_array(in1), as_array(in2), mode, axes, dot_axes)
    if not has_traced((in1, in2)):
        return scipy.signal.convolve(in1, in2, mode, method)
    return _over_all("convolve", in1, in2, mode, method)


REGISTRY[scipy.signal.convolve] = convolve


def _along_some(in1: Any, in2: Any, mode: str, axes: Any, dot_axes: Any) -> Any:
    """Broadcast the other axes against each other, convolve, and sum over the dotted ones."""
    convolved_1, convolved_2 = (_axes(a, x) for a, x in zip(axes, (in1, in2), strict=True))
    dotted_1, dotted_2 = (_axes(a, x) for a, x in zip(dot_axes, (in1, in2), strict=True))
    others_1 = [i for i in range(np.ndim(in1)) if i not in (*convolved_1, *dotted_1)]
    others_2 = [i for i in range(np.ndim(in2)) if i not in (*convolved_2, *dotted_2)]
    x = np.transpose(in1, (*others_1, *dotted_1, *convolved_1))
    y = np.transpose(in2, (*others_2, *dotted_2, *convolved_2))
    x = np.expand_dims(x, tuple(range(len(others_1), len(others_1) + len(others_2))))
    y = np.expand_dims(y, tuple(range(len(others_1))))
    first = len(others_1) + len(others_2)
    dotted = tuple(range(first, first + len(dotted_1)))
    result = convolved(x, y, mode, "fft", tuple(range(first + len(dotted_1), np.ndim(x))))
    return np.sum(result, axis=dotted) if dotted else result


def _axes(axes: Any, x: Any) -> Axes:
    return normalize_axis_tuple(tuple(axes), np.ndim(x))


@stands_for(scipy.signal.correlate)
def correlate(in1: Any, in2: Any, mode: str = "full", method: str = "auto") -> Any:
    """`scipy.signal.correlate`: a convolution with the flipped conjugate."""
    return _over_all("correlate", in1, np.conj(np.flip(as_array(in2))), mode, method)


def _transformed(name: str, in1: Any, in2: Any, mode: str, axes: Any, method: str) -> Any:
    in1, in2 = _same_ndim(name, in1, in2)
    if np.ndim(in1) == 0:
        return in1 * in2
    if not np.size(in1) or not np.size(in2):
        return np.array([])
    if axes is None:
        axes = tuple(range(np.ndim(in1)))
    return convolved(in1, in2, mode, method, normalize_axis_tuple(axes, np.ndim(in1)))


@stands_for(scipy.signal.fftconvolve)
def fftconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """`scipy.signal.fftconvolve`."""
    return _transformed("fftconvolve", in1, in2, mode, axes, "fft")


@stands_for(scipy.signal.oaconvolve)
def oaconvolve(in1: Any, in2: Any, mode: str = "full", axes: Any = None) -> Any:
    """`scipy.signal.oaconvolve`."""
    return _transformed("oaconvolve", in1, in2, mode, axes, "oa")


@stands_for(scipy.signal.convolve2d)
def convolve2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """`scipy.signal.convolve2d`; `fillvalue` may be traced."""
    return _in_the_plane("convolve2d", in1, in2, mode, boundary, fillvalue)


def _in_the_plane(name: str, in1: Any, in2: Any, mode: str, boundary: str, fill: Any) -> Any:
    in1, in2 = as_array(in1), as_array(in2)
    if np.ndim(in1) != 2 or np.ndim(in2) != 2:
        raise ArgumentError(
            f"{name}: the shapes are {np.shape(in1)} and {np.shape(in2)}; give two matrices"
        )
    axes = (0, 1)
    if mode == "valid":
        return convolved(in1, in2, mode, "auto", axes)
    if boundary == "fill":
        whole = full(in1 - fill, in2, "auto", axes) + fill * np.sum(in2)
    elif boundary in ("wrap", "symm"):
        whole = convolved(_extended(in1, np.shape(in2), boundary), in2, "valid", "auto", axes)
    else:
        raise ArgumentError(f"{name}: boundary={boundary!r}; give 'fill', 'wrap' or 'symm'")
    if mode == "full":
        return whole
    # Of two middles, a correlation takes the later one.
    later = 1 if name == "correlate2d" else 0
    sizes = zip(np.shape(whole), np.shape(in1), strict=True)
    starts = [(n - m + later) // 2 for n, m in sizes]
    return whole[tuple(slice(s, s + m) for s, m in zip(starts, np.shape(in1), strict=True))]


def _extended(x: Any, kernel: tuple[int, ...], boundary: str) -> Any:
    """`x` with what lies around it, as far as a kernel of this shape sees."""
    for axis in (0, 1):
        size, margin = np.shape(x)[axis], kernel[axis] - 1
        places = np.arange(-margin, size + margin)
        if boundary == "wrap":
            places = places % size
        else:
            places = places % (2 * size)
            places = np.where(places < size, places, 2 * size - 1 - places)
        x = x[places] if axis == 0 else x[:, places]
    return x


@stands_for(scipy.signal.correlate2d)
def correlate2d(
    in1: Any, in2: Any, mode: str = "full", boundary: str = "fill", fillvalue: Any = 0
) -> Any:
    """`scipy.signal.correlate2d`: a convolution with the flipped conjugate."""
    in1, in2 = as_array(in1), as_array(in2)
    if mode == "valid" and np.shape(in2) > np.shape(in1):  # SciPy exchanges the two
        in1, in2 = np.conj(in1), np.conj(in2)
    flipped = np.conj(np.flip(in2))
    return _in_the_plane("correlate2d", in1, flipped, mode, boundary, fillvalue)


def _filtered(b: Any, a: Any, x: Any) -> Any:
    return scipy.signal.lfilter(b, a, x)


# y with a * y = b * x along the last axis, at rest before.
filtered = Primitive(_filtered)


def _backwards(g: Any, a: Any) -> Any:
    """The transpose of the recursive part: 1/a, from the end to the beginning."""
    one = np.ones(1, a.dtype)
    return np.flip(filtered(one, a, np.flip(g, -1)), -1)


def _lags(v: Any, x: Any, b: Any) -> Any:
    """The sums of v[n] x[n - k], for each k that the coefficients have."""
    size = np.shape(x)[-1]
    sums = [np.sum(v[..., k:] * x[..., : max(size - k, 0)]) for k in range(np.shape(b)[0])]
    return match(np.stack(sums), b)


rule(
    filtered,
    vjps=[
        lambda g, ans, b, a, x: _lags(_backwards(g, a), x, b),
        lambda g, ans, b, a, x: _lags(-_backwards(g, a), ans, a),
        lambda g, ans, b, a, x: match(np.flip(filtered(b, a, np.flip(g, -1)), -1), x),
    ],
    jvps=[
        lambda d, ans, b, a, x: filtered(d, a, x),
        lambda d, ans, b, a, x: -filtered(d, a, ans),
        lambda d, ans, b, a, x: filtered(b, a, d),
    ],
)


@stands_for(scipy.signal.lfilter)
def lfilter(b: Any, a: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """`scipy.signal.lfilter`, differentiable in the coefficients, the signal and the state `zi`."""
    b, a, x = _coefficients(b), _coefficients(a), as_array(x)
    axis = normalize_axis_index(axis, np.ndim(x))
    dtype = np.result_type(
        b.dtype, a.dtype, x.dtype, *(() if zi is None else (as_array(zi).dtype,))
    )
    dtype = dtype if dtype.kind in "fc" else np.dtype(float)
    b, a, x = (cast(each, dtype) for each in (b, a, x))
    x = np.moveaxis(x, axis, -1)
    if zi is None:
        return np.moveaxis(filtered(b, a, x), -1, axis)
    state = np.moveaxis(as_array(zi).astype(dtype), axis, -1)
    y, state = _from_state(b / a[0], a / a[0], x, state)
    return np.moveaxis(y, -1, axis), np.moveaxis(state, -1, axis)


def _coefficients(b: Any) -> Any:
    return np.reshape(as_array(b), (-1,))


def _from_state(b: Any, a: Any, x: Any, state: Any) -> tuple[Any, Any]:
    """The signal and the final state: the state is what is still to be added to later values."""
    size, memory = np.shape(x)[-1], max(np.shape(b)[0], np.shape(a)[0]) - 1
    if np.shape(state)[-1] != memory:
        raise ArgumentError(
            f"lfilter: zi has length {np.shape(state)[-1]} along the axis, and the filter needs "
            f"{memory}"
        )
    one = np.ones(1, a.dtype)
    silence = np.zeros((*np.shape(x)[:-1], memory), a.dtype)
    fed = filtered(b, one, np.concatenate([x, silence], -1))
    fed = fed + np.concatenate([state, np.zeros_like(x)], -1)
    y = filtered(one, a, fed[..., :size])
    answered = filtered(a, one, np.concatenate([y, silence], -1))
    return y, (fed - answered)[..., size:]


@stands_for(scipy.signal.sosfilt)
def sosfilt(sos: Any, x: Any, axis: int = -1, zi: Any = None) -> Any:
    """`scipy.signal.sosfilt`: second-order filters one after the other."""
    if zi is not None:
        raise refuse("sosfilt", "zi=", "use lfilter for each section, which takes a state")
    sos = as_array(sos)
    for i in range(np.shape(sos)[0]):
        x = lfilter(sos[i, :3], sos[i, 3:], x, axis)
    return x


def _detrended(x: Any, axis: int, kind: Any, breaks: Any) -> Any:
    return scipy.signal.detrend(x, axis, kind, breaks)


# An orthogonal projection: its own transpose.
detrended = linear(
    Primitive(_detrended),
    lambda g, ans, x, axis, kind, breaks: match(detrended(g, axis, kind, breaks), x),
)


@stands_for(scipy.signal.detrend)
def detrend(
    data: Any, axis: int = -1, type: Any = "linear", bp: Any = 0, overwrite_data: bool = False
) -> Any:
    """`scipy.signal.detrend`."""
    return detrended(as_array(data), axis, type, bp)
