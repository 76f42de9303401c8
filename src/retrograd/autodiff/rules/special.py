"""Special functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from retrograd.autodiff.box import REDUCTIONS
from retrograd.autodiff.primitive import primitive_for, rule, written
from retrograd.autodiff.rules.elementwise import _log_weight
from retrograd.autodiff.rules.reductions import _spread


def _logsumexp(x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    x = np.asarray(x)
    top = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    top = np.where(np.isfinite(top), top, 0)
    with np.errstate(divide="ignore"):
        ans = np.log(np.sum(np.exp(x - top), axis=axis, keepdims=True)) + top
    return ans if keepdims else np.squeeze(ans, axis)[()]


def _weights(ans: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """exp(x - logsumexp(x)): the softmax, and zeros where everything is -inf."""
    if axis is not None and not keepdims:
        ans = _spread(ans, x, axis, keepdims) if np.ndim(axis) else np.expand_dims(ans, axis)
    return _log_weight(ans, x)


def _logsumexp_vjp(g: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return _spread(g, x, axis, keepdims) * _weights(ans, x, axis, keepdims)


def _logsumexp_jvp(d: Any, ans: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return np.sum(d * _weights(ans, x, axis, keepdims), axis=axis, keepdims=keepdims)


logsumexp = primitive_for(_logsumexp)
rule(_logsumexp, [_logsumexp_vjp], [_logsumexp_jvp])


def _logaddexp_reduce(
    x: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False,
    initial: Any = None, where: Any = True,
) -> Any:  # fmt: skip
    """`numpy.logaddexp.reduce`."""
    x = x if dtype is None else x.astype(dtype)
    x = x if where is True else np.where(where, x, -np.inf)
    total = logsumexp(x, axis, keepdims=keepdims)
    total = total if initial is None else np.logaddexp(total, initial)
    return total if out is None else written(out, total)


REDUCTIONS[np.logaddexp] = _logaddexp_reduce
