"""Logarithms of sums of exponentials: softmax weights, and `logaddexp.reduce`."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import primitive_for, rule
from retrograd.autodiff.rules.elementwise import log_weight
from retrograd.autodiff.rules.reductions import spread
from retrograd.autodiff.ufunc_methods import REDUCTIONS, delivered


def _logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    x = np.asarray(x)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    if np.isfinite(top).all():  # no sum is zero
        ans = np.log(np.add.reduce(np.exp(x - top), axis=axis, keepdims=True)) + top
    else:
        top = np.where(np.isfinite(top), top, 0)
        with np.errstate(divide="ignore"):
            ans = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return ans if keepdims else np.squeeze(ans, axis)[()]


def _weights(ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """exp(x - logsumexp(x)): the softmax, and zeros where everything is -inf."""
    if axis is not None and not keepdims:
        ans = spread(ans, x, axis, keepdims) if np.ndim(axis) else np.expand_dims(ans, axis)
    return log_weight(ans, x)


def _logsumexp_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return spread(g, x, axis, keepdims) * _weights(ans, x, axis, keepdims)


def _logsumexp_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _weights(ans, x, axis, keepdims), axis=axis, keepdims=keepdims)


logsumexp = primitive_for(_logsumexp)
rule(_logsumexp, [_logsumexp_vjp], [_logsumexp_jvp])


def _logaddexp_reduce(
    x: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """`numpy.logaddexp.reduce`."""
    x = cast(x, dtype)
    x = x if where is True else np.where(where, x, -np.inf)
    total = logsumexp(x, axis, keepdims=keepdims)
    total = total if initial is None else np.logaddexp(total, initial)
    return delivered(total, out)


REDUCTIONS[np.logaddexp] = _logaddexp_reduce
