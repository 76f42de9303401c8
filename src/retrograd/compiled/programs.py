"""What the text of a traced program leaves out: constants of programs within it, and whose rules.

A program is a key of the kept compiled runs. Its text shows neither the arrays that an inner
`jax.jit` has closed over, nor what a `jax.custom_vjp` does on the way back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, jaxpr_as_fun

__all__ = ["has_complex", "has_own_rules", "key_of"]

_JAX = Path(jax.__file__).parent
_RULES = ("custom_vjp_call", "custom_jvp_call")


def key_of(closed: ClosedJaxpr) -> tuple[Any, ...]:
    """What tells a program from others that are traced from the same function.

    The program's own constants are no part of it.

    Args:
        closed: the program.
    """
    key = (str(closed.jaxpr), tuple(closed.in_avals), *_constants(closed.jaxpr))
    if not has_own_rules(closed):
        return key
    back = _backward(closed)
    if back is None:
        return key
    return (*key, str(back.jaxpr), *map(_constant, back.consts), *_constants(back.jaxpr))


def has_own_rules(closed: ClosedJaxpr) -> bool:
    """Whether some derivative in a program is by a rule that is not JAX's."""
    return any(map(_is_own_rule, _equations(closed.jaxpr)))


def has_complex(closed: ClosedJaxpr) -> bool:
    """Whether there are complex numbers anywhere in a program."""
    return any(
        jnp.issubdtype(getattr(variable.aval, "dtype", np.bool_), jnp.complexfloating)
        for equation in _equations(closed.jaxpr)
        for variable in (*equation.invars, *equation.outvars)
    )


def _is_own_rule(equation: Any) -> bool:
    if equation.primitive.name not in _RULES:
        return False
    if equation.primitive.name == "custom_vjp_call":
        return True
    file = equation.params["call_jaxpr"].jaxpr.debug_info.func_filename
    return file is None or _JAX not in Path(file).parents


def _equations(jaxpr: Jaxpr) -> Iterator[Any]:
    """All equations of a program and of the programs within it."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in _inner(equation):
            yield from _equations(inner.jaxpr if isinstance(inner, ClosedJaxpr) else inner)


def _inner(equation: Any) -> Iterator[Any]:
    """The programs in an equation."""
    for value in equation.params.values():
        several = value if isinstance(value, tuple | list) else (value,)
        yield from (one for one in several if isinstance(one, ClosedJaxpr | Jaxpr))


def _constants(jaxpr: Jaxpr) -> Iterator[Any]:
    """The constants of the programs within a program."""
    for equation in _equations(jaxpr):
        for inner in _inner(equation):
            if isinstance(inner, ClosedJaxpr):
                yield from map(_constant, inner.consts)


@dataclass(frozen=True, eq=False)
class _Held:
    """An array that cannot change, compared by its identity, and kept alive for that."""

    array: Any

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held) and self.array is other.array

    def __hash__(self) -> int:
        return id(self.array)


def _constant(value: Any) -> Any:
    if isinstance(value, jax.Array):
        return _Held(value)
    array = np.asarray(value)
    return array.dtype.str, array.shape, array.tobytes()


def _backward(closed: ClosedJaxpr) -> ClosedJaxpr | None:
    """The program with its way back; None if it has none."""
    smooth = [i for i, aval in enumerate(closed.in_avals) if _is_smooth(aval)]

    def back(*args: Any) -> Any:
        def results(*some: Any) -> Any:
            given = list(args)
            for i, x in zip(smooth, some, strict=True):
                given[i] = x
            found = jaxpr_as_fun(closed)(*given)
            return [x for x in found if _is_smooth(x)]

        found, pullback = jax.vjp(results, *[args[i] for i in smooth])
        return pullback([jnp.ones_like(x) for x in found])

    try:
        return jax.make_jaxpr(back)(*closed.in_avals)
    except (TypeError, ValueError, NotImplementedError):
        return None


def _is_smooth(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jnp.inexact)
