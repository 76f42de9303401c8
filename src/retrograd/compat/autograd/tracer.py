"""Autograd's `tracer`: what is behind a traced value."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from retrograd.autodiff import tree, value_of
from retrograd.autodiff.box import Box
from retrograd.autodiff.constants import is_constant
from retrograd.autodiff.trace import Traced
from retrograd.compat.autograd.absent import Absent, Node

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Box", "Node", "getval", "isbox", "new_box", "notrace_primitive", "register_notrace"]

register_notrace = Absent(
    "register_notrace", "make the function with notrace_primitive, or with retrograd.value_of"
)
new_box = Absent("new_box", "traced values are made by the operators (grad, make_vjp, ...)")
trace = Absent("trace", "use make_vjp or make_jvp")
trace_stack = Absent("trace_stack", "traces are entered by the operators (grad, make_vjp, ...)")


def getval(x: Any) -> Any:
    """The plain value behind a traced one; in containers, of every leaf.

    Example:
        >>> from retrograd.compat.autograd import grad
        >>> from retrograd.compat.autograd.tracer import getval
        >>> grad(lambda x: x * getval(x))(3.0)
        3.0
    """
    return value_of(x) if isinstance(x, Traced) else tree.map(value_of, x)


def isbox(x: Any) -> bool:
    """Whether a value is traced."""
    return isinstance(x, Traced) and not is_constant(x)


def notrace_primitive(f_raw: Callable[..., Any]) -> Callable[..., Any]:
    """A function that sees plain values, and whose result carries no derivative."""

    @wraps(f_raw)
    def plain(*args: Any, **kwargs: Any) -> Any:
        return f_raw(*map(getval, args), **kwargs)

    return plain
