"""Creating arrays: like another one, from traced numbers, and such as can be written to later.

Arrays that are made inside a differentiated function are boxes without a derivative
(`constants.py`), so that traced values can be written into them.
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import Box, as_type
from retrograd.autodiff.constants import boxed, is_live, unboxed
from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import REGISTRY, stands_for
from retrograd.autodiff.trace import is_tracing, value_of

if TYPE_CHECKING:
    from collections.abc import Callable


def _like(function: Callable[..., Any], create: Callable[..., Any]) -> None:
    """Let arrays like a traced one be such as can be written to."""

    @wraps(function)
    def like(
        a: Any, dtype: Any = None, order: Any = "K", subok: bool = True, *, shape: Any = None,
        device: Any = None,
    ) -> Any:  # fmt: skip
        if not isinstance(a, Box):
            made = function(a, dtype, order, subok, shape=shape, device=device)
            return boxed(made) if is_tracing() else made
        return boxed(create(a.shape if shape is None else shape, dtype or a.dtype))

    WITHOUT_RULE[function] = like


_like(np.zeros_like, np.zeros)
_like(np.ones_like, np.ones)
_like(np.empty_like, np.empty)


@stands_for(np.full_like)
def full_like(a: Any, fill_value: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
              shape: Any = None, device: Any = None) -> Any:  # fmt: skip
    """`numpy.full_like`; the derivative is that of the value."""
    shape = np.shape(a) if shape is None else shape
    return _filled(shape, fill_value, np.result_type(value_of(a)) if dtype is None else dtype)


@stands_for(np.full)
def full(shape: Any, fill_value: Any, dtype: Any = None, order: Any = "C", *, device: Any = None,
         like: Any = None) -> Any:  # fmt: skip
    """`numpy.full`; the derivative is that of the value."""
    return _filled(shape, fill_value, np.result_type(value_of(fill_value)) if dtype is None
                   else dtype)  # fmt: skip


def _filled(shape: Any, value: Any, dtype: Any) -> Any:
    dtype = np.dtype(dtype)
    if not is_live(value) or dtype.kind not in "fc":
        return boxed(np.full(shape, value_of(value), dtype))
    return np.copy(np.broadcast_to(as_type(value, dtype), shape))


def _ends(*ends: Any) -> list[Any]:
    """The ends of ranges, of which there may be a list."""
    return [REGISTRY[np.array](end) if isinstance(end, list | tuple) else end for end in ends]


@stands_for(np.linspace)
def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    """`numpy.linspace`."""
    start, stop = _ends(start, stop)
    kind = np.result_type(value_of(start), value_of(stop), 0.0)
    pieces = num - 1 if endpoint else num
    step = (stop - start) / max(pieces, 1)
    ramp = np.arange(pieces, dtype=np.real(np.zeros(0, kind)).dtype)
    values = np.reshape(ramp, (-1, *[1] * np.ndim(step))) * step + start
    if endpoint and num > 0:  # the last one exactly
        last = np.expand_dims(stop + 0 * start if num > 1 else start + 0 * stop, 0)
        values = np.concatenate([values, last])
    values = values if np.ndim(values) == 1 else np.moveaxis(values, 0, axis)
    values = cast(values, kind if dtype is None else dtype)
    return (values, step if pieces > 0 else np.nan) if retstep else values


@stands_for(np.logspace)
def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Any:  # fmt: skip
    """`numpy.logspace`."""
    exponents = linspace(start, stop, num, endpoint, axis=axis)
    if np.ndim(base):
        base = np.expand_dims(base, axis)
    return cast(np.power(base, exponents), dtype)


@stands_for(np.geomspace)
def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Any:
    """`numpy.geomspace`: start (stop / start)^share."""
    start, stop = _ends(start, stop)
    shares = linspace(np.zeros(np.shape(start)), np.ones(np.shape(stop)), num, endpoint)
    values = start * np.power(stop / start, unboxed(shares))
    values = values if np.ndim(values) == 1 else np.moveaxis(values, 0, axis)
    return cast(values, dtype)


if hasattr(np, "astype"):  # since NumPy 2.1

    @stands_for(np.astype)
    def astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
        """`numpy.astype`: the method as a function."""
        return x.astype(dtype, copy=copy)


def writable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A creation function whose results, inside a trace, can be written to."""

    @wraps(function)
    def create(*args: Any, **kwargs: Any) -> Any:
        made = REGISTRY.get(function, function)(*args, **kwargs)
        return boxed(made) if is_tracing() else made

    return create


@wraps(np.asarray)
def _asarray(a: Any, *args: Any, **kwargs: Any) -> Any:
    made = REGISTRY[np.asarray](a, *args, **kwargs)
    # A plain array stays one: it is somebody else's, and has to see what is written to it.
    return boxed(made) if is_tracing() and not isinstance(a, np.ndarray) else made


# The creation functions of retrograd.numpy: NumPy's own, when the array is made inside a trace.
_CREATING = (
    "arange", "array", "copy", "empty", "eye", "fromfunction", "full", "full_like", "geomspace",
    "identity", "linspace", "logspace", "ones", "tri", "zeros",
)  # fmt: skip
CREATION: dict[str, Callable[..., Any]] = {
    "asarray": _asarray,
    **{name: writable(getattr(np, name)) for name in _CREATING},
}
