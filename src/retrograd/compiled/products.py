"""Matrix products in the forms for which XLA has its quickest kernels on one CPU device.

What a product costs there depends on how it is written down. Measured in float32 on one core of a
Xeon with AVX-512, JAX 0.10, for a layer from 784 to 50 numbers and a batch of 200:

- the gradient of the weights, `x.T @ g`, takes 166 microseconds, and 85 as `(g.T @ x).T`. That
  holds for results with few columns; with as many columns as rows it is the other way round. The
  compiler puts the operands of a transposed product in the order that it likes, so a barrier
  stands between;
- `x @ w` takes 162, and 101 with 14 columns of zeros, which make 64: the kernels work on 64
  columns at a time, and are slow where the last such block is almost full.

A gradient is arranged before its derivative is taken, so the derivative has the same forms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun
from jax.extend.core.primitives import dot_general_p, transpose_p

__all__ = ["arranged"]

# The columns that the kernels take at a time, and how few may be missing for zeros to pay.
_BLOCK, _MISSING = 64, 16

_TRANSPOSED_FIRST = (((0,), (0,)), ((), ()))
_AS_WRITTEN = (((1,), (0,)), ((), ()))


def arranged(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, with its matrix products in other forms where these are quicker.

    Its results can have other last bits. On other devices, and where there are several, it is the
    function itself: what is quick is not known there, or the places of the columns matter.

    Args:
        function: of pytrees of arrays, which can be traced.

    Example:
        >>> x, w = jnp.ones((3, 2)), jnp.ones((2, 50))
        >>> arranged(jnp.matmul)(x, w).shape
        (3, 50)
    """
    if jax.default_backend() != "cpu" or jax.device_count() > 1:
        return function

    def run(*args: Any) -> Any:
        given = jax.tree.leaves(args)
        closed, shapes = jax.make_jaxpr(function, return_shape=True)(*args)
        found = _evaluated(closed.jaxpr, closed.consts, given)
        return jax.tree.unflatten(jax.tree.structure(shapes), found)

    return run


def _evaluated(jaxpr: Any, constants: Sequence[Any], args: Sequence[Any]) -> list[Any]:
    """The results of a program, its products arranged."""
    values = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*constants, *args], strict=True))
    # Of every product a.T @ b: what it is made of, because its transpose need not be taken of it.
    makers: dict[Any, tuple[Any, Any, Mapping[str, Any]]] = {}

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, Literal) else values[variable]

    for equation in jaxpr.eqns:
        given = [read(variable) for variable in equation.invars]
        if _is_product(equation):
            a, b = given
            found = [_product(a, b, equation.params)]
            if equation.params["dimension_numbers"] == _TRANSPOSED_FIRST:
                makers[equation.outvars[0]] = (a, b, equation.params)
        elif _is_transpose(equation) and equation.invars[0] in makers:
            # (a.T @ b).T is b.T @ a, a product of the same form.
            a, b, params = makers[equation.invars[0]]
            found = [_product(b, a, params)]
        elif equation.primitive.name in ("jit", "pjit"):
            inner = equation.params["jaxpr"]
            found = _evaluated(inner.jaxpr, inner.consts, given)
        else:
            found = _as_it_stands(jaxpr, equation, values)
        values.update(zip(equation.outvars, found, strict=True))
    return [jnp.asarray(read(variable), variable.aval.dtype) for variable in jaxpr.outvars]


def _as_it_stands(jaxpr: Any, equation: Any, values: Mapping[Any, Any]) -> Sequence[Any]:
    """What an equation of a program says, as a program by itself."""
    read = list(dict.fromkeys(v for v in equation.invars if not isinstance(v, Literal)))
    alone = jaxpr.replace(
        constvars=[],
        invars=read,
        outvars=equation.outvars,
        eqns=[equation],
        effects=equation.effects,
    )
    return jaxpr_as_fun(ClosedJaxpr(alone, ()))(*[values[variable] for variable in read])


def _is_product(equation: Any) -> bool:
    """Whether an equation is `a @ b` or `a.T @ b` of float32 matrices."""
    if equation.primitive is not dot_general_p or equation.params["out_sharding"] is not None:
        return False
    kinds = [(variable.aval.ndim, variable.aval.dtype) for variable in equation.invars]
    numbers = equation.params["dimension_numbers"]
    return kinds == [(2, jnp.float32)] * 2 and numbers in (_AS_WRITTEN, _TRANSPOSED_FIRST)


def _is_transpose(equation: Any) -> bool:
    """Whether an equation swaps the two axes of a matrix."""
    return equation.primitive is transpose_p and equation.params["permutation"] == (1, 0)


def _product(a: Any, b: Any, params: Mapping[str, Any]) -> Any:
    """`a @ b` or `a.T @ b`."""
    columns = b.shape[1]
    if params["dimension_numbers"] == _TRANSPOSED_FIRST:
        if 2 * columns > a.shape[1]:
            return _dot(a, b, params)
        return lax.optimization_barrier(_dot(b, a, params)).T
    missing = -columns % _BLOCK
    if not 0 < missing < _MISSING:
        return _dot(a, b, params)
    return _dot(a, jnp.pad(b, ((0, 0), (0, missing))), params)[:, :columns]


def _dot(a: Any, b: Any, params: Mapping[str, Any]) -> Any:
    return lax.dot_general(
        a,
        b,
        params["dimension_numbers"],
        params["precision"],
        params["preferred_element_type"],
    )
