"""Sums of exponentials: logsumexp with weights and signs, softmax and its logarithm."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import rule, stands_for
from retrograd.autodiff.rules.special import logsumexp as _plain_logsumexp
from retrograd.scipy.special.partials import plain

__all__ = ["log_softmax", "logsumexp", "softmax"]


@stands_for(sc.logsumexp)
def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """`scipy.special.logsumexp`: log(sum(b exp(a))), differentiable in `a` and the weights `b`.

    Where the sum is zero, the derivative is zero.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.special import logsumexp
        >>> rg.grad(logsumexp)(np.array([1000.0, 1000.0]))
        array([0.5, 0.5])
    """
    if b is None and not return_sign and plain(a).dtype.kind != "c":
        return _plain_logsumexp(a, axis=axis, keepdims=keepdims)
    top = _largest(a, b, axis)
    weighted = np.exp(a - top) if b is None else b * np.exp(np.where(plain(b) == 0, top, a) - top)
    total = np.sum(weighted, axis=axis, keepdims=True)
    size = np.abs(total) if return_sign else total
    zero = plain(total) == 0
    with np.errstate(invalid="ignore"):  # a negative sum has no logarithm: NaN, as in SciPy
        ans = np.where(zero, -np.inf, np.log(np.where(zero, 1, size)) + top)
    sign = _sign(total, zero)
    if not keepdims:
        ans, sign = np.squeeze(ans, axis), np.squeeze(sign, axis)
    return (ans, sign) if return_sign else ans


def _largest(a: Any, b: Any, axis: Any) -> Any:
    """The largest real part along the axis among the terms that count: a plain shift."""
    real = np.real(plain(a))
    if b is not None:
        real, weights = np.broadcast_arrays(real, plain(b))
        real = np.where(weights == 0, -np.inf, real)
    top = np.max(real, axis=axis, keepdims=True, initial=-np.inf)
    return np.where(np.isfinite(top), top, 0).astype(real.dtype)


def _sign(total: Any, zero: Any) -> Any:
    if plain(total).dtype.kind != "c":
        return np.sign(plain(total))
    return np.where(zero, 0, total / np.abs(np.where(zero, 1, total)))


def _softmax_rule(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    """The derivative of softmax, which is symmetric: both modes."""
    weighted = g * ans
    return weighted - ans * np.sum(weighted, axis=axis, keepdims=True)


def _log_softmax_vjp(g: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    return g - np.exp(ans) * np.sum(g, axis=axis, keepdims=True)


def _log_softmax_jvp(d: Any, ans: Any, x: Any, axis: Any = None) -> Any:
    return d - np.sum(np.exp(ans) * d, axis=axis, keepdims=True)


softmax = rule(sc.softmax, [_softmax_rule], [_softmax_rule])
log_softmax = rule(sc.log_softmax, [_log_softmax_vjp], [_log_softmax_jvp])
