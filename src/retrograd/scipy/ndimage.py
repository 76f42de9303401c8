"""A drop-in for `scipy.ndimage`: filters and interpolation."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.ndimage
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import checked_axes
from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import stands_for
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError
from retrograd.scipy.callbacks import refuse
from retrograd.scipy.convolutions import valid
from retrograd.scipy.extensions import canonical, extended
from retrograd.scipy.splines import coefficients, interpolated, prefiltered

__getattr__, __dir__ = drop_in(scipy.ndimage)


def _floats(name: str, x: Any) -> Any:
    """The array to work on; integers would be rounded on the way out."""
    x = as_array(x)
    if x.dtype.kind not in "fc":
        raise refuse(name, f"an input of dtype {x.dtype}", "convert it to float first")
    return x


def _checked_output(name: str, output: Any, x: Any) -> Any:
    """The dtype of the result."""
    if output is None:
        return x.dtype
    if isinstance(output, np.ndarray | Traced):
        raise refuse(name, "an array as output=", "leave it out and use what is returned")
    dtype = np.dtype(output)
    if dtype.kind not in "fc":
        raise refuse(name, f"output={output!r}", "ask for a float dtype")
    return dtype


def _per_axis(value: Any, count: int) -> list[Any]:
    """One value an axis, from one for all or a sequence."""
    if isinstance(value, str) or np.ndim(value) == 0:
        return [value] * count
    if np.shape(value)[0] != count:
        raise ArgumentError(
            f"scipy.ndimage: {np.shape(value)[0]} values were given for {count} axes; give one "
            "for all or one for each"
        )
    return list(value)


def _correlated(x: Any, w: Any, axes: Any, mode: Any, cval: Any, origin: Any) -> Any:
    """Correlation with weights that have one axis for each of `axes`, in double precision."""
    sizes = np.shape(w)
    parts = zip(axes, sizes, _per_axis(mode, len(axes)), _per_axis(origin, len(axes)), strict=True)
    for axis, size, one, shift in parts:
        before = size // 2 + int(shift)
        if not 0 <= before < size:
            raise ArgumentError(
                f"scipy.ndimage: origin={shift} moves weights of length {size} off the element; it "
                f"goes from {-(size // 2)} to {(size - 1) // 2}"
            )
        x = extended(x, axis, before, size - 1 - before, canonical(one), cval)
    shape = [1] * np.ndim(x)
    for axis, size in zip(axes, sizes, strict=True):
        shape[axis] = size
    w = np.transpose(w, np.argsort(axes)) if len(axes) > 1 else w
    kernel = np.flip(np.reshape(w, tuple(shape)))
    return valid(_double(x), _double(kernel), "direct", tuple(range(np.ndim(x))))


def _double(x: Any) -> Any:
    return cast(x, complex if x.dtype.kind == "c" else float)


def _flipped(origin: Any, sizes: Any) -> list[int]:
    """The origin of the correlation that is a convolution with this origin."""
    return [
        -int(shift) - (1 if size % 2 == 0 else 0)
        for shift, size in zip(_per_axis(origin, len(sizes)), sizes, strict=True)
    ]


@stands_for(scipy.ndimage.correlate)
def correlate(
    input: Any, weights: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: Any = 0, *, axes: Any = None,
) -> Any:  # fmt: skip
    """`scipy.ndimage.correlate`, differentiable in `input`, `weights` and `cval`."""
    x, w = _floats("correlate", input), as_array(weights)
    dtype = _checked_output("correlate", output, _common(x, w))
    w = np.conj(w) if w.dtype.kind == "c" else w
    chosen = checked_axes(axes, np.ndim(x))
    return _correlated(x, w, chosen, mode, cval, origin).astype(dtype)


def _common(x: Any, w: Any) -> Any:
    """What decides about the dtype: complex weights make the result complex."""
    return x if x.dtype.kind == w.dtype.kind or w.dtype.kind != "c" else value_of(x) + 0j


@stands_for(scipy.ndimage.convolve)
def convolve(
    input: Any, weights: Any, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: Any = 0, *, axes: Any = None,
) -> Any:  # fmt: skip
    """`scipy.ndimage.convolve`, differentiable in `input`, `weights` and `cval`."""
    x, w = _floats("convolve", input), as_array(weights)
    dtype = _checked_output("convolve", output, _common(x, w))
    shift, chosen = _flipped(origin, np.shape(w)), checked_axes(axes, np.ndim(x))
    return _correlated(x, np.flip(w), chosen, mode, cval, shift).astype(dtype)


@stands_for(scipy.ndimage.correlate1d)
def correlate1d(
    input: Any, weights: Any, axis: int = -1, output: Any = None, mode: str = "reflect",
    cval: Any = 0.0, origin: int = 0,
) -> Any:  # fmt: skip
    """`scipy.ndimage.correlate1d`, differentiable in `input`, `weights` and `cval`."""
    x, w = _floats("correlate1d", input), as_array(weights)
    dtype = _checked_output("correlate1d", output, _common(x, w))
    w = np.conj(w) if w.dtype.kind == "c" else w
    axes = (normalize_axis_index(axis, np.ndim(x)),)
    return _correlated(x, w, axes, mode, cval, origin).astype(dtype)


@stands_for(scipy.ndimage.convolve1d)
def convolve1d(
    input: Any, weights: Any, axis: int = -1, output: Any = None, mode: str = "reflect",
    cval: Any = 0.0, origin: int = 0,
) -> Any:  # fmt: skip
    """`scipy.ndimage.convolve1d`, differentiable in `input`, `weights` and `cval`."""
    x, w = _floats("convolve1d", input), as_array(weights)
    dtype = _checked_output("convolve1d", output, _common(x, w))
    axes = (normalize_axis_index(axis, np.ndim(x)),)
    shift = _flipped(origin, np.shape(w))
    return _correlated(x, np.flip(w), axes, mode, cval, shift).astype(dtype)


@stands_for(scipy.ndimage.uniform_filter)
def uniform_filter(
    input: Any, size: Any = 3, output: Any = None, mode: Any = "reflect", cval: Any = 0.0,
    origin: Any = 0, *, axes: Any = None,
) -> Any:  # fmt: skip
    """`scipy.ndimage.uniform_filter`."""
    x = _floats("uniform_filter", input)
    dtype = _checked_output("uniform_filter", output, x)
    chosen = checked_axes(axes, np.ndim(x))
    count = len(chosen)
    given = (_per_axis(value, count) for value in (size, mode, origin))
    for axis, n, one, shift in zip(chosen, *given, strict=True):
        if n > 1:
            x = _correlated(x, np.full(n, 1 / n), (axis,), one, cval, shift)
    return x.astype(dtype)


@stands_for(scipy.ndimage.uniform_filter1d)
def uniform_filter1d(
    input: Any, size: int, axis: int = -1, output: Any = None, mode: str = "reflect",
    cval: Any = 0.0, origin: int = 0,
) -> Any:  # fmt: skip
    """`scipy.ndimage.uniform_filter1d`."""
    x = _floats("uniform_filter1d", input)
    axis = normalize_axis_index(axis, np.ndim(x))
    dtype = _checked_output("uniform_filter1d", output, x)
    return _correlated(x, np.full(size, 1 / size), (axis,), mode, cval, origin).astype(dtype)


@stands_for(scipy.ndimage.gaussian_filter1d)
def gaussian_filter1d(
    input: Any, sigma: Any, axis: int = -1, order: int = 0, output: Any = None,
    mode: str = "reflect", cval: Any = 0.0, truncate: float = 4.0, *, radius: Any = None,
) -> Any:  # fmt: skip
    """`scipy.ndimage.gaussian_filter1d`, differentiable in `sigma` too."""
    x = _floats("gaussian_filter1d", input)
    axis = normalize_axis_index(axis, np.ndim(x))
    dtype = _checked_output("gaussian_filter1d", output, x)
    w = _gaussian(sigma, order, truncate, radius)
    return _correlated(x, w, (axis,), mode, cval, 0).astype(dtype)


def _gaussian(sigma: Any, order: int, truncate: float, radius: Any) -> Any:
    """The weights of a normalised bell curve, or of its derivative of some order."""
    if radius is None:
        radius = int(truncate * float(value_of(sigma)) + 0.5)
    if order < 0 or radius < 0:
        raise ArgumentError(
            f"gaussian_filter: order={order} and radius={radius} were given; both must be 0 or more"
        )
    x = np.arange(-radius, radius + 1) / sigma
    bell = np.exp(-0.5 * x * x)
    before, polynomial = np.zeros_like(x), np.ones_like(x)
    for n in range(order):  # Hermite polynomials
        before, polynomial = polynomial, x * polynomial - n * before
    return polynomial * bell / np.sum(bell) / sigma**order


@stands_for(scipy.ndimage.gaussian_filter)
def gaussian_filter(
    input: Any, sigma: Any, order: Any = 0, output: Any = None, mode: Any = "reflect",
    cval: Any = 0.0, truncate: float = 4.0, *, radius: Any = None, axes: Any = None,
) -> Any:  # fmt: skip
    """`scipy.ndimage.gaussian_filter`, differentiable in `sigma` too."""
    x = _floats("gaussian_filter", input)
    dtype = _checked_output("gaussian_filter", output, x)
    chosen = checked_axes(axes, np.ndim(x))
    given = (_per_axis(value, len(chosen)) for value in (order, mode, radius))
    widths = _per_axis(as_array(sigma), len(chosen))
    for axis, width, n, one, r in zip(chosen, widths, *given, strict=True):
        if value_of(width) > 1e-15:
            x = _correlated(x, _gaussian(width, n, truncate, r), (axis,), one, cval, 0)
    return x.astype(dtype)


@stands_for(scipy.ndimage.map_coordinates)
def map_coordinates(
    input: Any, coordinates: Any, output: Any = None, order: int = 3, mode: str = "constant",
    cval: Any = 0.0, prefilter: bool = True,
) -> Any:  # fmt: skip
    """`scipy.ndimage.map_coordinates`, differentiable in `input`, `coordinates` and `cval`.

    At a grid point, and in the coordinates, interpolation of order 1 has the slope of the side
    where the coordinates grow; of order 0 it is constant between the points.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.ndimage import map_coordinates
        >>> row = np.array([0.0, 1.0, 4.0, 9.0])
        >>> def at(x):
        ...     return np.sum(map_coordinates(row, np.stack([x]), order=1))
        >>> rg.grad(at)(np.array([0.5, 2.5]))
        array([1., 5.])
    """
    x, places = _floats("map_coordinates", input), as_array(coordinates)
    dtype = _checked_output("map_coordinates", output, x)
    if order not in range(6):
        raise ArgumentError(f"map_coordinates: order={order}; give 0 to 5")
    if np.shape(places)[0] != np.ndim(x) or np.ndim(places) < 2:
        raise ArgumentError(
            f"map_coordinates: coordinates of shape {np.shape(places)} were given for an array of "
            f"{np.ndim(x)} dimensions; give one row of places for each"
        )
    x = _double(x)
    columns = [places[i].astype(float) for i in np.arange(np.ndim(x))]
    columns, outside = _mapped(columns, np.shape(x), mode)
    margin = 0
    if prefilter and order > 1:
        x, margin = coefficients(x, order, mode, cval)
    columns = [column + margin for column in columns]
    if mode == "grid-constant":
        x, columns = _surrounded(x, columns, order, cval)
    result = interpolated(x, columns, order, _beyond(mode))
    return np.where(outside, cval, result).astype(dtype)


def _mapped(columns: list[Any], shape: Any, mode: str) -> tuple[list[Any], Any]:
    """The places moved into the array where the mode says so, and which are not in it."""
    outside = np.zeros(np.shape(columns[0]), bool)
    if mode == "nearest":
        return [np.clip(c, -12, n + 11) for c, n in zip(columns, shape, strict=True)], outside
    for i, (column, size) in enumerate(zip(columns, shape, strict=True)):
        plain = value_of(column)
        if mode == "wrap":
            columns[i] = column + _turns(plain, size - 1)
        elif mode == "constant":
            outside = outside | (plain < 0) | (plain > size - 1)
    return columns, outside


def _turns(plain: Any, period: int) -> Any:
    """What brings places into [0, period], where SciPy does so."""
    if period == 0:
        return -plain
    below = (np.floor(-plain / period) + 1) * period
    above = -np.floor(plain / period) * period
    return np.where(plain < 0, below, np.where(plain > period, above, 0.0))


def _beyond(mode: str) -> str:
    """How the coefficients go on beyond the ends."""
    if mode in ("reflect", "grid-mirror"):
        return "reflect"
    if mode == "grid-wrap":
        return "wrap"
    return "nearest" if mode in ("nearest", "grid-constant") else "mirror"


def _surrounded(x: Any, columns: list[Any], order: int, cval: Any) -> tuple[Any, list[Any]]:
    """The coefficients in a frame of `cval` that is wide enough, and the places in it."""
    margin = order + 1
    for axis in range(np.ndim(x)):
        x = extended(x, axis, margin, margin, "constant", cval)
    limits = [np.shape(x)[axis] - 1 for axis in range(np.ndim(x))]
    return x, [np.clip(c + margin, 0, n) for c, n in zip(columns, limits, strict=True)]


@stands_for(scipy.ndimage.spline_filter1d)
def spline_filter1d(
    input: Any, order: int = 3, axis: int = -1, output: Any = np.float64, mode: str = "mirror"
) -> Any:
    """`scipy.ndimage.spline_filter1d`."""
    x = _floats("spline_filter1d", input)
    dtype = _checked_output("spline_filter1d", output, x)
    dtype = np.result_type(dtype, 1j) if x.dtype.kind == "c" else dtype
    axis = normalize_axis_index(axis, np.ndim(x))
    result = prefiltered(x, order, axis, mode) if order > 1 else _double(x)
    return result.astype(dtype)


@stands_for(scipy.ndimage.affine_transform)
def affine_transform(
    input: Any, matrix: Any, offset: Any = 0.0, output_shape: Any = None, output: Any = None,
    order: int = 3, mode: str = "constant", cval: Any = 0.0, prefilter: bool = True,
) -> Any:  # fmt: skip
    """`scipy.ndimage.affine_transform`, differentiable in `matrix` and `offset` too."""
    matrix = as_array(matrix)
    ndim = np.ndim(input)
    if np.ndim(matrix) == 2 and np.shape(matrix)[1] == ndim + 1:  # homogeneous coordinates
        matrix, offset = matrix[:ndim, :ndim], matrix[:ndim, ndim]
    shape = np.shape(input) if output_shape is None else tuple(output_shape)
    grid = np.indices(shape, float).reshape(ndim, -1)
    moved = matrix @ grid if np.ndim(matrix) == 2 else matrix[:, None] * grid
    places = moved + np.reshape(np.broadcast_to(as_array(offset), (ndim,)), (ndim, 1))
    places = np.reshape(places, (ndim, *shape))
    return map_coordinates(input, places, output, order, mode, cval, prefilter)


@stands_for(scipy.ndimage.shift)
def shift(
    input: Any, shift: Any, output: Any = None, order: int = 3, mode: str = "constant",
    cval: Any = 0.0, prefilter: bool = True,
) -> Any:  # fmt: skip
    """`scipy.ndimage.shift`, differentiable in `shift` too."""
    ndim = np.ndim(input)
    by = np.broadcast_to(as_array(shift), (ndim,))
    places = np.indices(np.shape(input), float) - np.reshape(by, (ndim, *[1] * ndim))
    return map_coordinates(input, places, output, order, mode, cval, prefilter)
