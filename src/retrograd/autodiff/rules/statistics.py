"""Covariances, counts and histograms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from retrograd.autodiff.axes import on_axis
from retrograd.autodiff.primitive import Primitive, linear, match, plain_array, stands_for
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError, MissingRuleError


@stands_for(np.cov)
def cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Any:  # fmt: skip
    """`numpy.cov`; the weights `aweights` may be traced."""
    x = _observations(m, y, rowvar, dtype)
    repeats = None if fweights is None else _repeats(fweights)
    weights = _product(repeats, None if aweights is None else as_array(aweights).astype(float))
    ddof = (0 if bias else 1) if ddof is None else ddof
    if weights is None:
        mean, degrees = np.mean(x, axis=1, keepdims=True), np.shape(x)[1] - ddof
    else:
        total = np.sum(weights)
        mean = np.sum(x * weights, axis=1, keepdims=True) / total
        degrees = total if ddof == 0 else total - ddof * _correction(weights, aweights, total)
    if value_of(degrees) <= 0:
        raise ArgumentError(
            f"cov: {value_of(degrees)} degrees of freedom are left; give more observations, or a "
            "smaller ddof"
        )
    x = x - mean
    weighted = x if weights is None else x * weights
    return np.squeeze(x @ np.conj(np.transpose(weighted)) / degrees)


def _observations(m: Any, y: Any, rowvar: bool, dtype: Any) -> Any:
    """All variables, one a row."""
    parts = [_rows(m, rowvar or np.ndim(m) == 1)]
    if y is not None:
        flat = np.ndim(y) < 2 or np.shape(y)[0] == 1
        parts.append(_rows(y, rowvar or flat))
    if dtype is None:
        dtype = np.result_type(*[part.dtype for part in parts], np.float64)
    parts = [part.astype(dtype) for part in parts]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _rows(m: Any, by_row: bool) -> Any:
    m = as_array(m)
    if np.ndim(m) > 2:
        raise ArgumentError(f"cov: an array of {np.ndim(m)} dimensions was given; give 1 or 2")
    m = np.reshape(m, (1, -1)) if np.ndim(m) < 2 else m
    return m if by_row else np.transpose(m)


def _repeats(fweights: Any) -> Any:
    if isinstance(fweights, Traced):
        raise MissingRuleError(
            "cov: fweights are whole numbers and have no derivative; pass weights as aweights, or "
            "retrograd.value_of(fweights)"
        )
    return np.asarray(fweights, float)


def _product(a: Any, b: Any) -> Any:
    return b if a is None else a if b is None else a * b


def _correction(weights: Any, aweights: Any, total: Any) -> Any:
    if aweights is None:
        return 1
    return np.sum(weights * as_array(aweights).astype(float)) / total


@stands_for(np.corrcoef)
def corrcoef(x: Any, y: Any = None, rowvar: bool = True, *, dtype: Any = None) -> Any:
    """`numpy.corrcoef`. The diagonal is 1, and has no derivative."""
    c = cov(x, y, rowvar, dtype=dtype)
    if np.ndim(c) == 0:
        return c / c
    deviation = np.sqrt(np.real(np.diagonal(c)))
    c = c / deviation[:, None] / deviation[None, :]
    # What rounding puts beyond 1 is brought back by a number, without a kink.
    plain = value_of(c)
    clipped = np.clip(plain.real, -1, 1)
    if plain.dtype.kind == "c":
        clipped = clipped + 1j * np.clip(plain.imag, -1, 1)
    return c + (clipped - plain)


def _counted(weights: Any, places: Any, size: int) -> Any:
    """The sums of the weights by place, in double precision."""
    if np.iscomplexobj(weights):
        return _counted(weights.real, places, size) + 1j * _counted(weights.imag, places, size)
    return np.bincount(places, weights, size)


counted = linear(
    Primitive(_counted), lambda g, ans, weights, places, size: match(g[places], weights)
)


@stands_for(np.bincount)
def bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    """`numpy.bincount`; the weights may be traced."""
    x, weights = plain_array(x), as_array(weights)
    if weights.dtype.kind == "c":
        raise TypeError("bincount: the weights are complex; count real and imaginary parts apart")
    if np.shape(weights) != x.shape:
        raise ArgumentError(
            f"bincount: the weights have shape {np.shape(weights)}, the numbers {x.shape}; give "
            "one weight a number"
        )
    return counted(weights, x, len(np.bincount(x, minlength=minlength)))


@stands_for(np.histogram_bin_edges)
def histogram_bin_edges(a: Any, bins: Any = 10, range: Any = None, weights: Any = None) -> Any:
    """`numpy.histogram_bin_edges`: between the least and the largest value, unless given."""
    if np.ndim(bins):
        return as_array(bins)
    plain = np.histogram_bin_edges(
        value_of(a), bins, _plain_range(range), None if weights is None else value_of(weights)
    )
    return _even(a, range, plain)


def _plain_range(range: Any) -> Any:
    return None if range is None else tuple(map(value_of, range))


def _even(a: Any, range: Any, plain: Any) -> Any:
    """Equally spaced edges like the plain ones, as a function of the ends."""
    if range is None:
        if value_of(a) is a or not np.size(value_of(a)):
            return plain
        first, last = np.min(a), np.max(a)
        if value_of(first) == value_of(last):  # NumPy puts half a unit on either side
            first, last = first - 0.5, last + 0.5
    else:
        first, last = range
    share = np.linspace(0.0, 1.0, len(plain)).astype(plain.dtype)
    # The exact plain values decide about the bins.
    edges = first * (1 - share) + last * share
    return edges + (plain - value_of(edges))


@stands_for(np.histogram)
def histogram(
    a: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any]:
    """`numpy.histogram`: counts are linear in the weights, and locally constant in `a`.

    The edges, and with them a density, move with the extremes of `a` unless they are given.
    """
    a, weights = as_array(a), None if weights is None else as_array(weights)
    edges = histogram_bin_edges(a, bins, range, weights)
    places = _places(np.ravel(value_of(a)), value_of(edges))
    sums = _summed(weights, places, np.shape(a), (len(edges) - 1,))
    if density:
        sums = sums / (edges[1:] - edges[:-1]).astype(float) / np.sum(sums)
    return sums, edges


def _places(a: Any, edges: Any) -> Any:
    """The bin of each value, counted from 1; 0 and len(edges) are outside. The last is closed."""
    places = np.searchsorted(edges, a, "right")
    return np.where(a == edges[-1], len(edges) - 1, places)


def _summed(weights: Any, places: Any, shape: tuple[int, ...], bins: tuple[int, ...]) -> Any:
    """The weights of each bin; counts where there are none. `places` counts the bins from 1."""
    around = tuple(n + 2 for n in bins)
    flat = np.ravel_multi_index(places if isinstance(places, tuple) else (places,), around)
    core = (slice(1, -1),) * len(bins)
    if weights is None:
        return np.bincount(flat, minlength=math.prod(around)).reshape(around)[core]
    if np.shape(weights) != shape:
        raise ArgumentError(
            f"histogram: the weights have shape {np.shape(weights)}, the values {shape}; give one "
            "weight a value"
        )
    sums = counted(np.ravel(weights), flat, math.prod(around))
    return np.reshape(sums, around)[core].astype(weights.dtype)


@stands_for(np.histogramdd)
def histogramdd(
    sample: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, list[Any]]:
    """`numpy.histogramdd`, with the derivatives of `histogram`."""
    columns = _columns(sample)
    number = isinstance(bins, int | np.integer)
    bins = [bins] * len(columns) if number else list(bins)
    ranges = [None] * len(columns) if range is None else list(range)
    if not len(bins) == len(ranges) == len(columns):
        raise ArgumentError(
            f"histogramdd: {len(bins)} bins and {len(ranges)} ranges were given for "
            f"{len(columns)} dimensions; give as many of each"
        )
    edges = [
        histogram_bin_edges(column if column.dtype.kind == "f" else column.astype(float), b, r)
        for column, b, r in zip(columns, bins, ranges, strict=True)
    ]
    places = tuple(
        _places(value_of(column), value_of(e)) for column, e in zip(columns, edges, strict=True)
    )
    weights = None if weights is None else as_array(weights).astype(float)
    sums = _summed(weights, places, np.shape(columns[0]), tuple(len(e) - 1 for e in edges))
    sums = sums.astype(float)
    if density:
        sums = sums / np.sum(sums)
        for axis, e in enumerate(edges):
            sums = sums / on_axis(e[1:] - e[:-1], len(edges), axis)
    return sums, edges


def _columns(sample: Any) -> list[Any]:
    """The coordinates of all points, one dimension after the other."""
    if isinstance(sample, list | tuple):
        return [as_array(column) for column in sample]
    sample = as_array(sample)
    if np.ndim(sample) == 1:
        return [sample]
    return [sample[:, i] for i in np.arange(np.shape(sample)[1])]


@stands_for(np.histogram2d)
def histogram2d(
    x: Any, y: Any, bins: Any = 10, range: Any = None, density: Any = None, weights: Any = None
) -> tuple[Any, Any, Any]:
    """`numpy.histogram2d`, with the derivatives of `histogram`."""
    if not isinstance(bins, int | np.integer) and len(bins) not in (1, 2):
        bins = [bins, bins]
    sums, edges = histogramdd([x, y], bins, range, density, weights)
    return sums, edges[0], edges[1]
