"""Fourier transforms. They are linear, and the matrix of a full transform is symmetric.

A transform of real numbers keeps half of its result; the weights 1 and 2 (or their inverses) say
for how many elements of the whole one that is kept stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.axes import along, on_axis
from retrograd.autodiff.primitive import linear, match, shape_of, stands_for
from retrograd.errors import ArgumentError, MissingRuleError

ft = np.fft

# The norm of the transform that undoes one with a norm, up to what the length contributes.
OPPOSITE: dict[Any, Any] = {
    None: "forward",
    "backward": "forward",
    "ortho": "ortho",
    "forward": "backward",
}


def resized(x: Any, length: int, axis: int) -> Any:
    """An array cropped, or padded with zeros, to a length along an axis (not negative)."""
    shape = shape_of(x)
    if length == shape[axis]:
        return x
    if length < shape[axis]:
        return x[along(axis, slice(length))]
    missing = (*shape[:axis], length - shape[axis], *shape[axis + 1 :])
    return np.concatenate([x, np.zeros(missing, x.dtype)], axis)


def _fitted(g: Any, x: Any) -> Any:
    """Undo cropping and zero-padding: the elements of `g` that came from `x`, and zeros."""
    for axis, length in enumerate(shape_of(x)):
        g = resized(g, length, axis)
    return match(g, x)


def _axes(x: Any, s: Any, axes: Any, name: str) -> tuple[int, ...]:
    """The axes that an n-dimensional transform runs over, not negative."""
    ndim = len(shape_of(x))
    if axes is None:
        axes = range(ndim) if s is None else range(ndim - len(s), ndim)
    found = tuple(axis % ndim for axis in axes)
    if len(set(found)) < len(found):
        raise MissingRuleError(
            f"{name}: no derivative rule covers axes={tuple(axes)}, where an axis is repeated; "
            "apply the transform several times"
        )
    return found


def _copies(n: int, axis: int, like: Any) -> Any:
    """For how many elements of a transform of length `n` each one stands that is kept: 1 or 2."""
    counts = np.full(n // 2 + 1, 2, like.real.dtype)
    counts[0] = 1
    if n % 2 == 0:
        counts[-1] = 1
    return on_axis(counts, len(shape_of(like)), axis)


def _rfft_vjp(g: Any, ans: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    n = shape_of(a)[axis] if n is None else n
    halved = np.conj(g) / _copies(n, axis, g)
    return _fitted(ft.irfft(halved, n, axis, OPPOSITE[norm]), a)


def _irfft_vjp(g: Any, ans: Any, a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    whole = np.conj(ft.rfft(g, None, axis, OPPOSITE[norm]))
    return _fitted(whole * _copies(shape_of(g)[axis], axis, whole), a)


def _real_lengths(ans: Any, a: Any, s: Any, axes: tuple[int, ...]) -> tuple[int, ...]:
    """The lengths of a transform of real numbers; the result does not tell whether one is odd."""
    last = shape_of(a)[axes[-1]] if s is None or s[-1] in (None, -1) else s[-1]
    return (*(shape_of(ans)[axis] for axis in axes[:-1]), last)


def _rfftn_vjp(g: Any, ans: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    axes = _axes(a, s, axes, "rfftn")
    lengths = _real_lengths(ans, a, s, axes)
    halved = np.conj(g) / _copies(lengths[-1], axes[-1], g)
    return _fitted(ft.irfftn(halved, lengths, axes, OPPOSITE[norm]), a)


def _irfftn_vjp(g: Any, ans: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    axes = _axes(a, s, axes, "irfftn")
    whole = np.conj(ft.rfftn(g, None, axes, OPPOSITE[norm]))
    return _fitted(whole * _copies(shape_of(g)[axes[-1]], axes[-1], whole), a)


def _fftn_vjp(g: Any, ans: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    return _fitted(ft.fftn(g, None, _axes(a, s, axes, "fftn"), norm), a)


def _ifftn_vjp(g: Any, ans: Any, a: Any, s: Any = None, axes: Any = None, norm: Any = None) -> Any:
    return _fitted(ft.ifftn(g, None, _axes(a, s, axes, "ifftn"), norm), a)


linear(
    ft.fft,
    lambda g, ans, a, n=None, axis=-1, norm=None: _fitted(ft.fft(g, None, axis, norm), a),
)
linear(
    ft.ifft,
    lambda g, ans, a, n=None, axis=-1, norm=None: _fitted(ft.ifft(g, None, axis, norm), a),
)
linear(ft.rfft, _rfft_vjp)
linear(ft.irfft, _irfft_vjp)
linear(ft.fftn, _fftn_vjp)
linear(ft.ifftn, _ifftn_vjp)
linear(ft.rfftn, _rfftn_vjp)
linear(ft.irfftn, _irfftn_vjp)

_LAST = (-2, -1)

linear(
    ft.fft2,
    lambda g, ans, a, s=None, axes=_LAST, norm=None: _fftn_vjp(g, ans, a, s, axes, norm),
)
linear(
    ft.ifft2,
    lambda g, ans, a, s=None, axes=_LAST, norm=None: _ifftn_vjp(g, ans, a, s, axes, norm),
)
linear(
    ft.rfft2,
    lambda g, ans, a, s=None, axes=_LAST, norm=None: _rfftn_vjp(g, ans, a, s, axes, norm),
)
linear(
    ft.irfft2,
    lambda g, ans, a, s=None, axes=_LAST, norm=None: _irfftn_vjp(g, ans, a, s, axes, norm),
)
linear(ft.fftshift, lambda g, ans, x, axes=None: ft.ifftshift(g, axes))
linear(ft.ifftshift, lambda g, ans, x, axes=None: ft.fftshift(g, axes))


@stands_for(ft.hfft)
def hfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """`numpy.fft.hfft`."""
    return ft.irfft(np.conj(a), n, axis, _opposite("hfft", norm))


@stands_for(ft.ihfft)
def ihfft(a: Any, n: Any = None, axis: int = -1, norm: Any = None) -> Any:
    """`numpy.fft.ihfft`."""
    return np.conj(ft.rfft(a, n, axis, _opposite("ihfft", norm)))


def _opposite(name: str, norm: Any) -> Any:
    if norm not in OPPOSITE:
        raise ArgumentError(
            f"{name}: norm={norm!r} was given; it is None, 'backward', 'ortho' or 'forward'"
        )
    return OPPOSITE[norm]
