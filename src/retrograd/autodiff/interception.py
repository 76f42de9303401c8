"""Where plain NumPy lets us in: its functions, its ufuncs, and the errors where it does not.

NumPy hands over its functions (`__array_function__`) and its ufuncs with their methods
(`__array_ufunc__`) when an argument is in a box. What stands for a function is in `REGISTRY`, or,
if it needs no rule, in `WITHOUT_RULE`; the methods of ufuncs are in `ufunc_methods.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import ufunc_methods
from retrograd.autodiff.constants import boxed, is_constant, is_live, plainly, unboxed
from retrograd.autodiff.primitive import Primitive, lookup
from retrograd.autodiff.trace import value_of
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

# What stands for functions that need no rule of their own: those that write to an argument, and
# those that create an array like another one. Filled by rules/in_place.py and rules/creation.py.
WITHOUT_RULE: dict[Any, Function] = {}


def stand_in(function: Any) -> Function | None:
    """What stands for a function on traced values, or None."""
    return WITHOUT_RULE.get(function) or lookup(function)


def call_function(function: Function, args: Any, kwargs: dict[str, Any]) -> Any:
    """A function of NumPy on arguments of which at least one is in a box."""
    found = stand_in(function)
    if found is not None:
        return found(*args, **kwargs)
    if is_live(args) or is_live(kwargs):
        raise unknown(getattr(function, "__name__", repr(function)))
    return plainly(function, args, kwargs)


def call_ufunc(ufunc: np.ufunc, method: str, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """A ufunc, or a method of one, on arguments of which at least one is in a box."""
    if method == "at":
        return ufunc_methods.at(ufunc, *inputs)
    if not is_live(inputs) and not is_live(kwargs):
        return _constant_ufunc(getattr(ufunc, method), inputs, kwargs)
    found = lookup(ufunc)
    if found is None and not _takes_floats(ufunc):
        getattr(ufunc, method)(*map(value_of, inputs))  # raises NumPy's own TypeError, as of x & 1
    if found is None:
        raise unknown(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")
    if method == "__call__":
        return found(*inputs, **kwargs)
    if isinstance(found, Primitive) and not found.differentiable:
        return getattr(ufunc, method)(*map(value_of, inputs), **kwargs)
    return ufunc_methods.METHODS[method](ufunc, *inputs, **kwargs)


def _constant_ufunc(function: Function, inputs: Any, kwargs: dict[str, Any]) -> Any:
    """A ufunc where nothing is traced; what `out` names may be in a box all the same."""
    outs: tuple[Any, ...] = kwargs.get("out") or ()
    if not any(map(is_constant, outs)):
        return boxed(function(*unboxed(inputs), **unboxed(kwargs)))
    buffers = tuple(np.array(unboxed(out)) if is_constant(out) else out for out in outs)
    function(*unboxed(inputs), **{**unboxed(kwargs), "out": buffers})
    for out, buffer in zip(outs, buffers, strict=True):
        if is_constant(out):
            out.assign(buffer)
    return outs[0] if len(outs) == 1 else outs


def _takes_floats(ufunc: np.ufunc) -> bool:
    return any("d" in kind or "D" in kind for kind in ufunc.types)


def intercepted(what: str, cure: str) -> InterceptionError:
    """The error for what would make a plain value of a traced one."""
    return InterceptionError(
        f"{what} would drop the derivative of a traced value: {cure} or take the plain value "
        "deliberately with retrograd.value_of(x)."
    )


def unknown(name: str) -> MissingRuleError:
    """The error for a function that nobody has stated a derivative of."""
    return MissingRuleError(
        f"{name} has no derivative rule. State one with retrograd.extend (primitive, defvjp, "
        "defjvp), or apply it to the plain value, retrograd.value_of(x), if no derivative is meant."
    )
