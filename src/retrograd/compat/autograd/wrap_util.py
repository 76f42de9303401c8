"""Autograd's `wrap_util`: operators of one argument, for functions of several."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograd.autodiff.arguments import Argnum, Chosen, named_as

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = ["unary_to_nary", "wraps"]


def unary_to_nary(unary_operator: Function) -> Function:
    """Let an operator on functions of one argument take functions of several.

    Args:
        unary_operator: called as `unary_operator(f, x, ...)`, with a function of one argument.

    Returns:
        An operator `(fun, argnum=0, ...)`, which returns a function of the arguments of `fun`. For
        several argnums, `x` is the tuple of those arguments.

    Example:
        >>> from retrograd.compat.autograd import grad
        >>> from retrograd.compat.autograd.wrap_util import unary_to_nary
        >>> @unary_to_nary
        ... def log_slope(f, x):
        ...     return grad(f)(x) / f(x)
        >>> log_slope(lambda x, y: x**y)(2.0, 3.0)
        1.5
    """

    @named_as(unary_operator)
    def nary_operator(fun: Function, argnum: Argnum = 0, *more: Any, **options: Any) -> Function:
        @named_as(fun)
        def nary_f(*args: Any, **kwargs: Any) -> Any:
            chosen = Chosen(fun, argnum, args, kwargs)
            if chosen.several:
                unary_f, x = (lambda x: chosen(*x)), tuple(chosen.values)
            else:
                unary_f, x = chosen, chosen.values[0]
            return unary_operator(unary_f, x, *more, **options)

        return nary_f

    return nary_operator


def wraps(
    fun: Function, namestr: str = "{fun}", docstr: str = "{doc}", **parts: Any
) -> Callable[[Function], Function]:
    """A decorator that names a function after another one.

    Args:
        fun: the other one.
        namestr: the new name; `{fun}` stands for that of `fun`.
        docstr: the new docstring; `{doc}` stands for that of `fun`.
        parts: what else is in braces there.
    """
    name = getattr(fun, "__name__", "function")

    def rename(f: Function) -> Function:
        f.__name__ = namestr.format(fun=name, **parts)
        f.__doc__ = docstr.format(fun=name, doc=getattr(fun, "__doc__", ""), **parts)
        return f

    return rename
