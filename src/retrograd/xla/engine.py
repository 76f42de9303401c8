"""Lowerings of the engine's own functions, and of NumPy's that JAX has with another meaning."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.xla.lowering import LOWERINGS, cast


def lowering(*functions: Any) -> Any:
    """Let the decorated function stand for NumPy's functions, or for the engine's by name."""

    def register(lowered: Any) -> Any:
        for function in functions:
            LOWERINGS[function] = lowered
        return lowered

    return register


@lowering("_as_type")
def _as_type(trace: Any, x: Any, dtype: Any) -> Any:
    return cast(x, np.dtype(dtype))


@lowering("_joined")
def _joined(trace: Any, axis: int, *arrays: Any) -> Any:
    return jax.lax.concatenate([jnp.asarray(a) for a in arrays], axis)


@lowering("_choose")
def _choose(trace: Any, condition: Any, x: Any, y: Any) -> Any:
    return jnp.where(condition, x, y)


@lowering("_clip")
def _clip(trace: Any, x: Any, low: Any, high: Any) -> Any:
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


@lowering("_fraction")
def _fraction(trace: Any, x: Any) -> Any:
    return jnp.modf(x)[0]


@lowering("_divide")
def _divide(trace: Any, x: Any, by: Any, floor: Any, what: str) -> Any:
    """Not a number, where the engine would raise an error: nothing is raised in a program."""
    vanishing = jnp.abs(by) <= floor
    quotient = x / jnp.where(vanishing, 1, by)
    size = jnp.abs(x)
    noise = 1e3 * jnp.finfo(x.dtype).eps * jnp.max(size, initial=0)
    return jnp.where(vanishing, jnp.where(size > noise, jnp.nan, 0), quotient).astype(x.dtype)


@lowering("_part_of")
def _part_of(trace: Any, values: Any, index: int) -> Any:
    return values[index]


@lowering("_logsumexp")
def _logsumexp(trace: Any, x: Any, axis: Any = None, *, keepdims: bool = False) -> Any:
    return jax.scipy.special.logsumexp(x, axis=axis, keepdims=keepdims)


@lowering(np.copy)
def _copy(trace: Any, x: Any, order: Any = "K", subok: bool = False) -> Any:
    return jnp.asarray(x)


@lowering(np.transpose)
def _transpose(trace: Any, x: Any, axes: Any = None) -> Any:
    result = jnp.transpose(x, axes)
    if result.ndim == 2 and axes is None:
        trace.sums.note_transpose(result, x)
    return result


@lowering(np.dot)
def _dot(trace: Any, x: Any, y: Any) -> Any:
    result = jnp.dot(trace.sums.standing(x), y)
    trace.sums.note_product(result, x, y)
    return result


@lowering(np.roll)
def _roll(trace: Any, x: Any, shift: Any, axis: Any = None) -> Any:
    if isinstance(shift, jax.Array):
        return jnp.roll(x, shift, axis)
    if axis is None:
        return _rolled(x.ravel(), int(np.sum(shift)), 0).reshape(x.shape)
    shifts, axes = np.broadcast_arrays(shift, axis)
    for s, a in zip(shifts.ravel().tolist(), axes.ravel().tolist(), strict=True):
        x = _rolled(x, s, a)
    return x


def _rolled(x: Any, shift: int, axis: int) -> Any:
    """Two slices the other way round."""
    # What is rolled several times is to be computed once: XLA would compute it in every roll.
    x = jax.lax.optimization_barrier(x)
    length = x.shape[axis]
    split = -shift % length if length else 0
    if split == 0:
        return x
    head = jax.lax.slice_in_dim(x, 0, split, axis=axis)
    tail = jax.lax.slice_in_dim(x, split, length, axis=axis)
    return jax.lax.concatenate([tail, head], axis % x.ndim)


@lowering(np.zeros_like, np.empty_like)
def _zeros_like(trace: Any, x: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
                shape: Any = None, **rest: Any) -> Any:  # fmt: skip
    return jnp.zeros(np.shape(x) if shape is None else shape, dtype or jnp.result_type(x))


@lowering(np.ones_like)
def _ones_like(trace: Any, x: Any, dtype: Any = None, order: Any = "K", subok: bool = True,
               shape: Any = None, **rest: Any) -> Any:  # fmt: skip
    return jnp.ones(np.shape(x) if shape is None else shape, dtype or jnp.result_type(x))


@lowering(np.reshape)
def _reshape(trace: Any, x: Any, shape: Any, order: Any = "C", copy: Any = None) -> Any:
    return jnp.reshape(x, shape, order=order)


@lowering(np.real)
def _real(trace: Any, x: Any) -> Any:
    return jnp.real(x)


@lowering(np.argsort)
def _argsort(trace: Any, x: Any, axis: Any = -1, kind: Any = None, order: Any = None, *,
             stable: Any = None) -> Any:  # fmt: skip
    return jnp.argsort(x, axis=axis, stable=True)


@lowering(np.argpartition)
def _argpartition(trace: Any, x: Any, kth: Any, axis: Any = -1, kind: Any = None,
                  order: Any = None) -> Any:  # fmt: skip
    return jnp.argsort(x, axis=axis)


@lowering(np.sort)
def _sort(trace: Any, x: Any, axis: Any = -1, kind: Any = None, order: Any = None, *,
          stable: Any = None) -> Any:  # fmt: skip
    return jnp.sort(x, axis=axis)
