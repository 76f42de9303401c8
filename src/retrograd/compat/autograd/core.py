"""Autograd's `core`: the two modes for functions of one argument, and the rules' definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograd.compat.autograd import differential_operators as _operators
from retrograd.compat.autograd.extend import (
    Box,
    JVPNode,
    SparseObject,
    VJPNode,
    VSpace,
    def_linear,
    defjvp,
    defjvp_argnum,
    defjvp_argnums,
    defvjp,
    defvjp_argnum,
    defvjp_argnums,
    primitive,
    vspace,
)
from retrograd.compat.autograd.tracer import getval, isbox

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = [
    "Box",
    "JVPNode",
    "SparseObject",
    "VJPNode",
    "VSpace",
    "def_linear",
    "defjvp",
    "defjvp_argnum",
    "defjvp_argnums",
    "defvjp",
    "defvjp_argnum",
    "defvjp_argnums",
    "getval",
    "isbox",
    "make_jvp",
    "make_vjp",
    "primitive",
    "vspace",
]


def make_vjp(fun: Function, x: Any) -> tuple[Function, Any]:
    """Reverse mode at a point: `(vjp, value)`.

    Example:
        >>> from retrograd.compat.autograd.core import make_vjp
        >>> vjp, value = make_vjp(lambda x: x * x, 3.0)
        >>> vjp(1.0), value
        (6.0, 9.0)
    """
    return _operators.make_vjp(fun)(x)


def make_jvp(fun: Function, x: Any) -> Function:
    """Forward mode at a point: `jvp(tangent)` gives `(value, tangent of the result)`."""
    return _operators.make_jvp(fun)(x)
