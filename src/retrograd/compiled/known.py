"""What can be told at once of a function of arrays, some of which are traced."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun
from jax.interpreters import partial_eval

from retrograd.backends.jax import is_traced

__all__ = ["known"]


def known(function: Callable[[list[Any]], Any], inputs: Sequence[Any]) -> Any:
    """`function(inputs)`: plain numbers, if it depends on no input that is still traced.

    Within `jax.jit` a function that is handed a traced value returns traced ones, even where they
    do not depend on it. So the program is looked at, without what it does not need.

    Args:
        function: of a list of arrays; it closes over no traced value.
        inputs: the arrays.

    Example:
        >>> import jax.numpy as jnp
        >>> @jax.jit
        ... def program(x):
        ...     first = known(lambda xs: jnp.sin(xs[1]) + len(xs[0]), [x, 0.0])
        ...     return x * float(first)
        >>> program(jnp.ones(2)).tolist()
        [2.0, 2.0]
    """
    given = list(inputs)
    if not any(map(is_traced, given)):
        return function(given)
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(given)
    needed, used = partial_eval.dce_jaxpr(closed.jaxpr, [True] * len(closed.out_avals))
    read = [x for x, use in zip(given, used, strict=True) if use]
    if any(map(is_traced, read)):
        return function(given)
    with jax.ensure_compile_time_eval():
        found = jaxpr_as_fun(ClosedJaxpr(needed, closed.consts))(*read)
    return jax.tree.unflatten(jax.tree.structure(shapes), found)
