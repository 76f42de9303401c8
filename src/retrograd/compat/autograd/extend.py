"""Autograd's `extend`: functions with rules of your own, stated in Autograd's form.

    defvjp(f, lambda ans, x, y: lambda g: ..., ...)    one maker of a VJP for each argument
    defjvp(f, lambda g, ans, x, y: ..., ...)           one JVP for each argument

None as a rule states that the derivative is zero; "same" as a JVP that the function is linear.
`retrograd.extend` has forms that state both modes in one line.

Example:
    >>> import retrograd.compat.autograd.numpy as np
    >>> from retrograd.compat.autograd import grad
    >>> from retrograd.compat.autograd.extend import defvjp, primitive
    >>> @primitive
    ... def logsumexp(x):
    ...     top = np.max(x)
    ...     return top + np.log(np.sum(np.exp(x - top)))
    >>> defvjp(logsumexp, lambda ans, x: lambda g: g * np.exp(x - ans))
    >>> grad(logsumexp)(np.zeros(4))
    array([0.25, 0.25, 0.25, 0.25])
"""

from __future__ import annotations

from functools import wraps
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.primitive import REGISTRY, lookup
from retrograd.autodiff.tape import add
from retrograd.compat.autograd.absent import JVPNode, SparseObject, VJPNode, VSpace, vspace
from retrograd.compat.autograd.rules import ZERO, Stated, call
from retrograd.compat.autograd.tracer import Box, notrace_primitive, register_notrace
from retrograd.compat.autograd.util import subval
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

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
    "notrace_primitive",
    "primitive",
    "register_notrace",
    "vspace",
]


def primitive(f_raw: Function) -> Function:
    """A function that differentiation does not look into: from now on its rules count.

    Args:
        f_raw: called with plain values; its arguments and results may be containers.

    Returns:
        What to call in its place, with `f_raw` as its attribute `fun`.
    """
    stated = Stated(f_raw)

    @wraps(f_raw)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return call(stated, args, kwargs)

    wrapped.fun = f_raw  # type: ignore[attr-defined]
    wrapped.stated = stated  # type: ignore[attr-defined]
    return wrapped


def defvjp(
    fun: Function, *vjpmakers: Function | None, argnums: Iterable[int] | None = None
) -> None:
    """State reverse mode, by one `vjpmaker(ans, *args, **kwargs)` for each argument.

    Args:
        fun: what `primitive` returned, or a function of NumPy without a rule.
        vjpmakers: each returns a function from the cotangent of the result to that of the argument.
            None: the derivative is zero.
        argnums: the arguments that they are for, if not the first ones.

    Raises:
        ArgumentError: `fun` is no primitive, or has derivatives already.
    """
    stated = _stated(fun)
    makers = _numbered(stated, vjpmakers, argnums, "VJP")

    def pull(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        vjps = [_of(stated, makers, i, "reverse") for i in argnums]
        vjps = [make and make(ans, *args, **kwargs) for make in vjps]
        return lambda g: [ZERO if vjp is None else vjp(g) for vjp in vjps]

    stated.pull = pull


def defvjp_argnum(fun: Function, vjpmaker: Function) -> None:
    """State reverse mode by `vjpmaker(argnum, ans, args, kwargs)`, for every argument."""

    def pull(argnums: Sequence[int], ans: Any, args: Any, kwargs: Any) -> Function:
        vjps = [vjpmaker(i, ans, args, kwargs) for i in argnums]
        return lambda g: [vjp(g) for vjp in vjps]

    _stated(fun).pull = pull


def defvjp_argnums(fun: Function, vjpmaker: Function) -> None:
    """State reverse mode by `vjpmaker(argnums, ans, args, kwargs)`, for some arguments at once.

    What it returns maps the cotangent of the result to a sequence of theirs.
    """
    _stated(fun).pull = vjpmaker


def defjvp(
    fun: Function, *jvpfuns: Function | str | None, argnums: Iterable[int] | None = None
) -> None:
    """State forward mode, by one `jvpfun(g, ans, *args, **kwargs)` for each argument.

    Args:
        fun: as in `defvjp`.
        jvpfuns: each returns the tangent of the result, given that of the argument. None: the
            derivative is zero; "same": the function is linear in this argument.
        argnums: the arguments that they are for, if not the first ones.

    Raises:
        ArgumentError: `fun` is no primitive, or has derivatives already.
    """
    stated = _stated(fun)
    rules = _numbered(stated, jvpfuns, argnums, "JVP")

    def push_one(argnum: int, g: Any, ans: Any, args: Any, kwargs: Any) -> Any:
        jvp = _of(stated, rules, argnum, "forward")
        if jvp is None:
            return ZERO
        if jvp == "same":
            return fun(*subval(args, argnum, g), **kwargs)
        return jvp(g, ans, *args, **kwargs)

    defjvp_argnum(fun, push_one)


def defjvp_argnum(fun: Function, jvpmaker: Function) -> None:
    """State forward mode by `jvpmaker(argnum, g, ans, args, kwargs)`, for every argument."""

    def push(argnums: Sequence[int], gs: Sequence[Any], ans: Any, args: Any, kwargs: Any) -> Any:
        total = ZERO
        for argnum, g in zip(argnums, gs, strict=True):
            tangent = jvpmaker(argnum, g, ans, args, kwargs)
            if total is ZERO or tangent is ZERO:
                total = tangent if total is ZERO else total
            else:
                total = tree.map(add, total, tangent)
        return total

    _stated(fun).push = push


def defjvp_argnums(fun: Function, jvpmaker: Function) -> None:
    """State forward mode by `jvpmaker(argnums, gs, ans, args, kwargs)`, for some at once."""
    _stated(fun).push = jvpmaker


def def_linear(fun: Function) -> None:
    """State that a function is linear in each of its arguments."""
    defjvp_argnum(fun, lambda argnum, g, ans, args, kwargs: fun(*subval(args, argnum, g), **kwargs))


def _stated(fun: Function) -> Stated:
    """Where the rules of a function are; those of NumPy and SciPy are made primitives."""
    stated = getattr(fun, "stated", None)
    if isinstance(stated, Stated):
        return stated
    name = getattr(fun, "__name__", repr(fun))
    if lookup(fun) is not None or fun in REGISTRY.values():
        raise ArgumentError(
            f"{name} has derivatives in retrograd already: leave its rules out, or state them for "
            f"a function of your own, mine = primitive({name})"
        )
    home = (getattr(fun, "__module__", None) or "").partition(".")[0]
    if home not in ("numpy", "scipy") and not isinstance(fun, np.ufunc):
        raise ArgumentError(f"{name} is no primitive: decorate it with primitive first")
    made = REGISTRY[fun] = primitive(fun)
    return made.stated  # type: ignore[attr-defined]


def _numbered(
    stated: Stated, rules: Sequence[Any], argnums: Iterable[int] | None, kind: str
) -> dict[int, Any]:
    numbered = dict(zip(count() if argnums is None else argnums, rules, strict=False))
    for argnum, rule in numbered.items():
        if rule is not None and not callable(rule) and not (kind == "JVP" and rule == "same"):
            raise ArgumentError(
                f"{stated.name}: {rule!r} was given as the {kind} of argument {argnum}; give a "
                "function, or None if the derivative is zero"
            )
    return numbered


def _of(stated: Stated, rules: dict[int, Any], argnum: int, mode: str) -> Any:
    if argnum not in rules:
        raise stated.missing(argnum, mode)
    return rules[argnum]
