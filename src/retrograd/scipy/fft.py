"""A drop-in for `scipy.fft`, with derivatives: `import retrograd.scipy.fft as fft`.

SciPy's functions do not let us in when they are called on traced values: take them from here.
The Fourier transforms of traced values are NumPy's; the sine and cosine transforms are SciPy's.

Example:
    >>> import numpy as np
    >>> import retrograd as rg
    >>> import retrograd.scipy.fft as fft
    >>> rg.grad(lambda x: fft.dct(x)[0])(np.array([1.0, 2.0, 4.0]))
    array([2., 2., 2.])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.fft as sf

from retrograd.autodiff.axes import on_axis
from retrograd.autodiff.dropin import drop_in as _drop_in
from retrograd.autodiff.primitive import Primitive, linear, match, shape_of, stands_for
from retrograd.autodiff.rules.fft import OPPOSITE, resized
from retrograd.errors import ArgumentError, MissingRuleError

_LAST = (-2, -1)


def _one_dimensional(name: str) -> None:
    original, ours = getattr(sf, name), getattr(np.fft, name)

    def function(
        x: Any,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
    ) -> Any:
        return ours(x, n, axis, norm)

    function.__name__ = name
    stands_for(original)(function)


def _axes(x: Any, s: Any, axes: Any) -> tuple[int, ...]:
    """The axes that a transform of several runs over: the last ones, unless they are named."""
    if axes is None:
        return tuple(range(-(np.ndim(x) if s is None else len(s)), 0))
    return (axes,) if isinstance(axes, int) else tuple(axes)


def _many_dimensional(name: str, default: Any, transform: Callable[..., Any]) -> None:
    def function(
        x: Any,
        s: Any = None,
        axes: Any = default,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
    ) -> Any:
        return transform(x, s, _axes(x, s, axes), norm)

    function.__name__ = name
    stands_for(getattr(sf, name))(function)


def _hfftn(x: Any, s: Any, axes: Any, norm: Any) -> Any:
    return np.fft.irfftn(np.conj(x), s, axes, OPPOSITE[norm])


def _ihfftn(x: Any, s: Any, axes: Any, norm: Any) -> Any:
    return np.conj(np.fft.rfftn(x, s, axes, OPPOSITE[norm]))


for _name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft"):
    _one_dimensional(_name)
for _name in ("fftn", "ifftn", "rfftn", "irfftn"):
    _many_dimensional(_name, None, getattr(np.fft, _name))
    _many_dimensional(_name[:-1] + "2", _LAST, getattr(np.fft, _name))
for _name, _default in (("n", None), ("2", _LAST)):
    _many_dimensional("hfft" + _name, _default, _hfftn)
    _many_dimensional("ihfft" + _name, _default, _ihfftn)


@stands_for(sf.fftshift)
def fftshift(x: Any, axes: Any = None) -> Any:
    """`scipy.fft.fftshift`."""
    return np.fft.fftshift(x, axes)


@stands_for(sf.ifftshift)
def ifftshift(x: Any, axes: Any = None) -> Any:
    """`scipy.fft.ifftshift`."""
    return np.fft.ifftshift(x, axes)


# Sine and cosine transforms: `kind` is the type, 1 to 4. The matrices of the plain transforms are,
# up to factors at the ends, each other's transposes: 2 and 3, 1 and 1, 4 and 4.


def _scaled_ends(x: Any, axis: int, places: tuple[int, ...], factor: float) -> Any:
    """The elements at these places along an axis, multiplied."""
    weights = np.ones(shape_of(x)[axis], x.real.dtype)
    weights[list(places)] = factor
    return x * on_axis(weights, len(shape_of(x)), axis)


def _transposed(family: str, g: Any, kind: int, axis: int, norm: Any) -> Any:
    """The transpose of a transform that keeps the length."""
    again = _PLAIN[family]
    if norm == "ortho":
        return again(g, {1: 1, 2: 3, 3: 2, 4: 4}[kind], axis, norm)
    ends = {"dct": {1: (0, -1), 2: (0,), 3: (0,)}, "dst": {2: (-1,), 3: (-1,)}}[family]
    places = ends.get(kind, ())
    if kind == 1 and places:
        return _scaled_ends(
            again(_scaled_ends(g, axis, places, 2), 1, axis, norm), axis, places, 0.5
        )
    if kind == 2:
        return again(_scaled_ends(g, axis, places, 2), 3, axis, norm)
    if kind == 3:
        return _scaled_ends(again(g, 2, axis, norm), axis, places, 0.5)
    return again(g, kind, axis, norm)


def _plain(family: str) -> Primitive:
    original = getattr(sf, family)

    def transform(x: Any, kind: int, axis: int, norm: Any) -> Any:
        return original(x, kind, axis=axis, norm=norm)

    def pull(g: Any, ans: Any, x: Any, kind: int, axis: int, norm: Any) -> Any:
        return match(_transposed(family, g, kind, axis, norm), x)

    return linear(Primitive(transform), pull)


_PLAIN = {"dct": _plain("dct"), "dst": _plain("dst")}


def _transform(name: str, x: Any, kind: int, n: Any, axis: int, norm: Any, orthogonal: Any) -> Any:
    """One of the eight transforms along one axis: an inverse is another one with another norm."""
    if norm not in OPPOSITE or kind not in (1, 2, 3, 4):
        raise ArgumentError(
            f"{name}: type={kind!r} and norm={norm!r} were given; types are 1 to 4, norm is None, "
            "'backward', 'ortho' or 'forward'"
        )
    if orthogonal is not None and orthogonal != (norm == "ortho"):
        raise MissingRuleError(
            f"{name}: no derivative rule covers orthogonalize={orthogonal} with norm={norm!r}; "
            "leave it out"
        )
    if name.startswith("i"):
        kind, norm = {1: 1, 2: 3, 3: 2, 4: 4}[kind], OPPOSITE[norm]
    x = x if n is None else resized(x, n, axis % np.ndim(x))
    return _PLAIN[name.removeprefix("i")](x, kind, axis, norm)


def _trigonometric(name: str) -> None:
    def function(
        x: Any,
        type: int = 2,
        n: Any = None,
        axis: int = -1,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: Any = None,
    ) -> Any:
        return _transform(name, x, type, n, axis, norm, orthogonalize)

    function.__name__ = name
    stands_for(getattr(sf, name))(function)


def _trigonometric_of_many(name: str) -> None:
    def function(
        x: Any,
        type: int = 2,
        s: Any = None,
        axes: Any = None,
        norm: Any = None,
        overwrite_x: bool = False,
        workers: Any = None,
        orthogonalize: Any = None,
    ) -> Any:
        axes = _axes(x, s, axes)
        lengths = [None] * len(axes) if s is None else s
        for axis, n in zip(axes, lengths, strict=True):
            x = _transform(name, x, type, n, axis, norm, orthogonalize)
        return x

    function.__name__ = name + "n"
    stands_for(getattr(sf, name + "n"))(function)


for _name in ("dct", "idct", "dst", "idst"):
    _trigonometric(_name)
    _trigonometric_of_many(_name)

__getattr__, __dir__ = _drop_in(sf)
